"""Remove exact and near duplicates from the queries of all sources (paper 2.2)."""

from pathlib import Path

from scripts.entry import run_stage, stage_parser


def main(args, recipe):
    from amt.curate.unique import unique

    unique(
        queries=args.queries,
        fingerprints=args.fingerprints,
        kept=args.kept,
        ledgers=args.ledgers,
        report=args.report,
        settings=recipe.curate.unique,
    )


if __name__ == "__main__":
    parser = stage_parser("unique", __doc__)
    parser.add_argument("--queries", type=Path, nargs="+", required=True, help="Parquet of amt.rows.QUERY, all sources")
    parser.add_argument("--fingerprints", type=Path, nargs="+", required=True, help="of each of these files, in order")
    parser.add_argument("--kept", type=Path, nargs="+", required=True, help="written: the rows that stay, one a shard")
    parser.add_argument("--ledgers", type=Path, nargs="+", required=True, help="written: what became of each row")
    parser.add_argument("--report", type=Path, required=True, help="written: counts by reason")
    run_stage(parser, main)
