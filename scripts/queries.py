"""Bring one dataset's rows into the schema of all queries (paper 2.1).

The ledger says what became of every raw row; the report counts, and lists the planted faults among sample rows.
"""

from dataclasses import asdict
from pathlib import Path

from scripts.entry import run_stage, stage_parser


def main(args, recipe):
    from amt.ledger import write_report
    from amt.sources.collect import write_queries
    from amt.sources.planted import planted

    report = write_queries(
        args.source,
        args.rows,
        args.queries,
        args.ledger,
        planted(args.source, args.planted),
        recipe.collect.exclude_licences,
        shard=args.shard,
        shards=recipe.sources[args.source].shards,
        contests_before=recipe.collect.contests_before,
    )
    write_report(args.report, asdict(report))


if __name__ == "__main__":
    parser = stage_parser("queries", __doc__)
    parser.add_argument("--source", required=True, help="its name under sources in the recipe")
    parser.add_argument("--shard", type=int, required=True, help="which of sources.SOURCE.shards, from 0")
    parser.add_argument("--rows", type=Path, required=True, help="Parquet of the published rows")
    parser.add_argument("--planted", type=Path, required=True, help="JSON of the faults planted among sample rows")
    parser.add_argument("--queries", type=Path, required=True, help="Parquet of amt.rows.QUERY to write")
    parser.add_argument("--ledger", type=Path, required=True, help="Parquet of amt.rows.LEDGER to write")
    parser.add_argument("--report", type=Path, required=True, help="JSON to write")
    run_stage(parser, main)
