"""Choose the queries of GRPO's second stage: what stage 1 did not always solve, chat, instructions (paper 4.2)."""

from pathlib import Path

from scripts.entry import run_stage, stage_parser


def main(args, recipe):
    from amt.grpo.build_rl_set import build_stage2

    build_stage2(
        queries=args.queries,
        stage1=args.stage1,
        journal=args.model / "rollouts",
        kept=args.kept,
        ledger=args.ledger,
        report=args.report,
        limits=recipe.rl_set.stage2,
        seed=recipe.seed,
    )


if __name__ == "__main__":
    parser = stage_parser("rl_set_2", __doc__)
    parser.add_argument("--queries", type=Path, nargs="+", required=True, help="Parquet of the verified queries")
    parser.add_argument("--stage1", type=Path, required=True, help="Parquet of the queries of stage 1")
    parser.add_argument("--model", type=Path, required=True, help="directory of stage 1's model, with rollouts/ in it")
    parser.add_argument("--kept", type=Path, required=True, help="Parquet to write: the queries of stage 2")
    parser.add_argument("--ledger", type=Path, required=True, help="Parquet to write: what became of each query")
    parser.add_argument("--report", type=Path, required=True, help="JSON to write: counts")
    run_stage(parser, main)
