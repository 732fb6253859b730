"""List for review what decontamination removed."""

from pathlib import Path

from scripts.entry import run_stage, stage_parser


def main(args, recipe):
    from amt.curate.removals import list_removals

    list_removals(
        queries=args.queries,
        ledgers=args.ledgers,
        benchmarks=args.benchmarks,
        verdicts=args.verdicts,
        table=args.table,
        page=args.page,
    )


if __name__ == "__main__":
    parser = stage_parser("removals", __doc__)
    parser.add_argument(
        "--queries", type=Path, nargs="+", required=True, help="Parquet of amt.rows.QUERY, before removal"
    )
    parser.add_argument("--ledgers", type=Path, nargs="+", required=True, help="what became of each")
    parser.add_argument("--benchmarks", type=Path, nargs="*", required=True, help="Parquet, one an evaluation set")
    parser.add_argument("--verdicts", type=Path, required=True, help="YAML of amt.curate.verdicts")
    parser.add_argument("--table", type=Path, required=True, help="written: one row a removal")
    parser.add_argument("--page", type=Path, required=True, help="written: the same to read, doubtful ones first")
    run_stage(parser, main)
