"""Remove queries like the evaluation sets: exact, n-gram and embedding matches (paper 2.2)."""

from pathlib import Path

from scripts.entry import run_stage, stage_parser


def main(args, recipe):
    from amt.curate.decontaminate import decontaminate
    from amt.placement import placement

    decontaminate(
        queries=args.queries,
        benchmarks=args.benchmarks,
        verdicts=args.verdicts,
        kept=args.kept,
        ledger=args.ledger,
        report=args.report,
        settings=recipe.curate.decontaminate,
        threads=placement().threads,
    )


if __name__ == "__main__":
    parser = stage_parser("decontaminate", __doc__)
    parser.add_argument("--queries", type=Path, required=True, help="Parquet of amt.rows.QUERY")
    parser.add_argument("--benchmarks", type=Path, nargs="*", required=True, help="Parquet, one an evaluation set")
    parser.add_argument("--verdicts", type=Path, required=True, help="YAML of amt.curate.verdicts")
    parser.add_argument("--kept", type=Path, required=True, help="written: the rows that stay")
    parser.add_argument("--ledger", type=Path, required=True, help="written: what became of each row")
    parser.add_argument("--report", type=Path, required=True, help="written: counts by reason")
    run_stage(parser, main)
