"""Remove queries with URLs or image references (paper 2.2) or in other languages, and take fingerprints of the rest."""

from pathlib import Path

from scripts.entry import run_stage, stage_parser


def main(args, recipe):
    from amt.curate.clean import clean
    from amt.curate.fingerprint import fingerprint

    clean(queries=args.queries, kept=args.kept, ledger=args.ledger, report=args.report, settings=recipe.curate.clean)
    fingerprint(args.kept, args.fingerprints, recipe.curate.fingerprint)


if __name__ == "__main__":
    parser = stage_parser("clean", __doc__)
    parser.add_argument("--queries", type=Path, required=True, help="Parquet of amt.rows.QUERY")
    parser.add_argument("--kept", type=Path, required=True, help="written: the rows that stay")
    parser.add_argument("--fingerprints", type=Path, required=True, help="written: what duplicates are found by")
    parser.add_argument("--ledger", type=Path, required=True, help="written: what became of each row")
    parser.add_argument("--report", type=Path, required=True, help="written: counts by reason")
    run_stage(parser, main)
