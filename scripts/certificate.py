"""Certify that decontamination finds copies of the declared benchmarks."""

from pathlib import Path

from scripts.entry import run_stage, stage_parser


def main(args, recipe):
    from amt.curate.certificate import certify
    from amt.placement import placement
    from scripts.endpoint_for import endpoint_clients

    with endpoint_clients(recipe, "paraphraser") as clients:
        certify(
            benchmarks=args.benchmarks,
            ledgers=args.ledgers,
            certificate=args.certificate,
            page=args.page,
            settings=recipe.curate.decontaminate,
            asked=recipe.curate.certificate,
            endpoint=recipe.endpoints.paraphraser,
            client=clients["paraphraser"],
            seed=recipe.seed,
            threads=placement().threads,
        )


if __name__ == "__main__":
    parser = stage_parser("certificate", __doc__)
    parser.add_argument("--benchmarks", type=Path, nargs="*", required=True, help="Parquet, one an evaluation set")
    parser.add_argument("--ledgers", type=Path, nargs="+", required=True, help="of decontamination, one a shard")
    parser.add_argument("--certificate", type=Path, required=True, help="written: recall and false positives, JSON")
    parser.add_argument("--page", type=Path, required=True, help="written: the same to read")
    run_stage(parser, main)
