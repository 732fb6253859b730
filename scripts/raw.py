"""Write one dataset's rows as published (paper 2.1): sample rows, the hub at a pinned revision, or files of yours."""

from pathlib import Path

from scripts.entry import run_stage, stage_parser


def main(args, recipe):
    import logging

    from amt.errors import ParamsError
    from amt.sources.collect import write_raw

    if args.source not in recipe.sources:
        raise ParamsError(f"{args.params}: sources has no {args.source} (it has: {', '.join(recipe.sources)}).")
    count = write_raw(args.source, recipe.sources[args.source], args.rows, args.published)
    logging.info("%s: %d rows", args.source, count)


if __name__ == "__main__":
    parser = stage_parser("raw", __doc__)
    parser.add_argument("--source", required=True, help="its name under sources in the recipe")
    parser.add_argument(
        "--published", type=Path, nargs="?", help="sample rows, or files of your own; nothing of the hub"
    )
    parser.add_argument("--rows", type=Path, required=True, help="Parquet to write: all published columns")
    run_stage(parser, main)
