"""Check math queries and their ground truths; rewrite multiple choice (paper 2.2.1)."""

from pathlib import Path

from scripts.entry import run_stage, stage_parser


def main(args, recipe):
    from amt.curate.certificate import require_certificate
    from amt.curate.verify_math import verify_math
    from scripts.endpoint_for import endpoint_clients

    require_certificate(args.certificate)
    with endpoint_clients(recipe, "teacher", "second_opinion", "clarity_judge", "rewriter") as clients:
        verify_math(
            queries=args.queries,
            kept=args.kept,
            ledger=args.ledger,
            report=args.report,
            votes=args.votes,
            settings=recipe.curate.verify_math,
            endpoints=recipe.endpoints,
            clients=clients,
            seed=recipe.seed,
        )


if __name__ == "__main__":
    parser = stage_parser("verify_math", __doc__)
    parser.add_argument("--queries", type=Path, required=True, help="Parquet of amt.rows.QUERY")
    parser.add_argument(
        "--certificate", type=Path, required=True, help="of decontamination, before answers are paid for"
    )
    parser.add_argument("--kept", type=Path, required=True, help="written: the rows that stay, some of them changed")
    parser.add_argument("--ledger", type=Path, required=True, help="written: what became of each row")
    parser.add_argument("--report", type=Path, required=True, help="written: counts by reason")
    parser.add_argument("--votes", type=Path, required=True, help="written: every answer to every checked query")
    run_stage(parser, main)
