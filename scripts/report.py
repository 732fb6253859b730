"""Write the report of a build: one page, its figures and metrics (paper 5)."""

from pathlib import Path

from scripts.entry import run_stage, stage_parser


def main(args, recipe):
    from amt.evaluation.report import Inputs, write_all

    inputs = Inputs(
        scores=args.scores,
        curve=args.curve,
        stage_reports=args.stage_reports,
        ledgers=args.ledgers,
        response_scores=args.response_scores,
        samples=args.samples,
        sft=args.sft,
        rl1=args.rl1,
        rl2=args.rl2,
    )
    write_all(
        inputs,
        recipe,
        planted_responses=planted_responses(args.queries, recipe),
        teacher_habit=teacher_habit(recipe),
        page=args.page,
        metrics=args.metrics,
        figures=args.figures,
    )


def teacher_habit(recipe):
    """What the page must say of a scripted teacher, for it decides what there is to gain."""
    if not recipe.endpoints.teacher.model.startswith("standin/"):
        return None
    from amt.standins.roles import TERSE

    return (
        f"It gives {TERSE:.0%} of its solutions without their steps: a part of what reinforcement learning gains here "
        "is that steps are written again (docs/decisions/laptop-model.md has the figures)"
    )


def planted_responses(queries, recipe):
    """{kind: [{"row_id": id of the response}]} of the faults that a scripted teacher made; none by a real one."""
    teacher = recipe.endpoints.teacher.model
    if not teacher.startswith("standin/"):
        return {}
    import json

    from amt.chat import with_system_prompt
    from amt.rewards.dispatch import reward_kind
    from amt.rows import QUERY, read_shards
    from amt.seeds import seed_for
    from amt.standins.roles import fault_of

    planted = {}
    for row in read_shards(queries, QUERY):
        messages = with_system_prompt(json.loads(row["messages"]), recipe.responses.system_prompt)
        for sample in range(recipe.responses.samples):
            seed = seed_for(recipe.seed, "responses", row["row_id"], sample)
            fault = fault_of(recipe.seed, teacher, messages, seed)
            # Where no rule tells right from wrong, a wrong answer is not there to be found.
            if fault != "ok" and not (fault == "wrong" and reward_kind(row) == "reward_model"):
                planted.setdefault(f"response_{fault}", []).append({"row_id": f"{row['row_id']}/{sample}"})
    return planted


if __name__ == "__main__":
    parser = stage_parser("report", __doc__)
    parser.add_argument("--scores", type=Path, nargs="+", required=True, help="scores.json of every model")
    parser.add_argument("--curve", type=Path, required=True, help="length and stop ratio over SFT checkpoints, JSON")
    parser.add_argument("--stage-reports", type=Path, nargs="+", required=True, help="reports of the stages, JSON")
    parser.add_argument("--ledgers", type=Path, nargs="+", required=True, help="Parquet of amt.rows.LEDGER")
    parser.add_argument("--queries", type=Path, nargs="+", required=True, help="what the teacher was asked, Parquet")
    parser.add_argument("--response-scores", type=Path, nargs="+", required=True, help="Parquet of amt.rows.SCORE")
    parser.add_argument("--samples", type=Path, required=True, help="the SFT set, Parquet")
    parser.add_argument("--sft", type=Path, required=True, help="SFT model directory, for its metrics.jsonl")
    parser.add_argument("--rl1", type=Path, required=True, help="model directory of GRPO stage 1")
    parser.add_argument("--rl2", type=Path, required=True, help="model directory of GRPO stage 2")
    parser.add_argument("--page", type=Path, required=True, help="output: HTML")
    parser.add_argument("--metrics", type=Path, required=True, help="output: JSON")
    parser.add_argument("--figures", type=Path, required=True, help="output: directory of SVG files")
    run_stage(parser, main)
