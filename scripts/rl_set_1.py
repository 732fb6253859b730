"""Choose the queries of GRPO's first stage: math and code that the SFT model solves sometimes (paper 4.2)."""

from pathlib import Path

from scripts.entry import run_stage, stage_parser


def main(args, recipe):
    from amt.grpo.build_rl_set import build_stage1

    build_stage1(
        queries=args.queries,
        pass_rates=args.pass_rates,
        kept=args.kept,
        ledger=args.ledger,
        report=args.report,
        limits=recipe.rl_set.stage1,
        seed=recipe.seed,
    )


if __name__ == "__main__":
    parser = stage_parser("rl_set_1", __doc__)
    parser.add_argument("--queries", type=Path, nargs="+", required=True, help="Parquet of the verified queries")
    parser.add_argument("--pass-rates", type=Path, required=True, help="Parquet of their pass rates")
    parser.add_argument("--kept", type=Path, required=True, help="Parquet to write: the queries of stage 1")
    parser.add_argument("--ledger", type=Path, required=True, help="Parquet to write: what became of each query")
    parser.add_argument("--report", type=Path, required=True, help="JSON to write: counts")
    run_stage(parser, main)
