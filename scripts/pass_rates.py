"""Measure how often the SFT model solves each math and code query (paper 4.2)."""

from pathlib import Path

from scripts.entry import run_stage, stage_parser


def main(args, recipe):
    from amt.grpo.pass_rates import pass_rates
    from amt.placement import placement

    pass_rates(
        queries=args.queries,
        model=args.model / "hf",
        pass_rates=args.pass_rates,
        rollouts=args.rollouts,
        ledger=args.ledger,
        settings=recipe.pass_rates,
        system_prompt=recipe.responses.system_prompt,
        sandbox=recipe.sandbox,
        score=recipe.score,
        seed=recipe.seed,
        placement=placement(),
        server_log=Path("logs/grpo/pass_rates.server.log"),
    )


if __name__ == "__main__":
    parser = stage_parser("pass_rates", __doc__)
    parser.add_argument("--queries", type=Path, nargs="+", required=True, help="Parquet of amt.rows.QUERY")
    parser.add_argument("--model", type=Path, required=True, help="directory of the SFT model, with hf/ in it")
    parser.add_argument("--pass-rates", type=Path, required=True, help="Parquet to write, a row a query")
    parser.add_argument("--rollouts", type=Path, required=True, help="Parquet to write, a row a response")
    parser.add_argument("--ledger", type=Path, required=True, help="Parquet to write, of amt.rows.LEDGER")
    run_stage(parser, main)
