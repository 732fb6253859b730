"""Score every filtered response: math, code, instructions, reward model (paper 3)."""

from contextlib import ExitStack
from pathlib import Path

from scripts.entry import run_stage, stage_parser


def main(args, recipe):
    from amt.curate.score import needs_reward_model, score
    from amt.placement import placement
    from amt.rewards.dispatch import Grader
    from amt.rewards.reward_model import RewardModel

    with ExitStack() as stack:
        reward_model = None
        if needs_reward_model(args.queries, args.responses):
            from amt.rollout.server import VllmServer, context_length

            server = VllmServer(
                args.reward_model,
                kind="classify",
                max_model_len=context_length(args.reward_model),
                log=Path("logs/synthesize/score.vllm.log"),
                placement=placement(),
            )
            reward_model = RewardModel(stack.enter_context(server), args.reward_model, recipe.score)
        grader = stack.enter_context(Grader(recipe.sandbox, recipe.score, placement(), reward_model))
        score(
            queries=args.queries,
            responses=args.responses,
            grader=grader,
            scores=args.scores,
            queries_scored=args.queries_scored,
            ledger=args.ledger,
            report=args.report,
        )


if __name__ == "__main__":
    parser = stage_parser("score", __doc__)
    parser.add_argument("--queries", type=Path, required=True, help="Parquet of amt.rows.QUERY")
    parser.add_argument("--responses", type=Path, required=True, help="Parquet of amt.rows.RESPONSE")
    parser.add_argument("--reward-model", type=Path, required=True, help="Hugging Face directory, a classifier")
    parser.add_argument("--scores", type=Path, required=True, help="Parquet to write, of amt.rows.SCORE")
    parser.add_argument("--queries-scored", type=Path, required=True, help="Parquet to write: scores by query")
    parser.add_argument("--ledger", type=Path, required=True, help="Parquet to write, of amt.rows.LEDGER")
    parser.add_argument("--report", type=Path, required=True, help="JSON to write: counts by kind and status")
    run_stage(parser, main)
