"""Provide the reward model: from the hub, or a three-headed stand-in trained on generated comparisons (paper 3.2)."""

from pathlib import Path

from scripts.entry import run_stage, stage_parser


def main(args, recipe):
    from amt import tracking
    from amt.standins.reward_model import fetch_reward_model, train_reward_model

    settings = recipe.models.reward
    if settings.origin == "hub":
        fetch_reward_model(args.model, settings=settings)
        return
    train_reward_model(
        args.model,
        base=args.base,
        settings=settings,
        system_prompt=recipe.responses.system_prompt,
        seed=recipe.seed,
        on_metrics=tracking.current().log_metrics,
    )


if __name__ == "__main__":
    parser = stage_parser("reward_model", __doc__)
    parser.add_argument("--base", type=Path, required=True, help="Hugging Face directory of the base model")
    parser.add_argument("--model", type=Path, required=True, help="Hugging Face directory to write")
    run_stage(parser, main)
