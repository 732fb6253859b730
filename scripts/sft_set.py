"""Choose, upsample and pack the responses that SFT trains on; over-long ones are discarded (paper 4.1)."""

from pathlib import Path

from scripts.entry import run_stage, stage_parser


def main(args, recipe):
    from amt.sft.build_sft_set import build_sft_set

    build_sft_set(
        queries=args.queries,
        responses=args.responses,
        scores=args.scores,
        queries_scored=args.queries_scored,
        tokenizer=args.tokenizer,
        samples=args.samples,
        packs=args.packs,
        ledger=args.ledger,
        report=args.report,
        settings=recipe.sft_set,
        max_tokens=recipe.sft.max_tokens,
        system_prompt=recipe.responses.system_prompt,
        seed=recipe.seed,
    )


if __name__ == "__main__":
    parser = stage_parser("sft_set", __doc__)
    parser.add_argument("--queries", type=Path, nargs="+", required=True, help="Parquet of amt.rows.QUERY")
    parser.add_argument("--responses", type=Path, nargs="+", required=True, help="Parquet of amt.rows.RESPONSE")
    parser.add_argument("--scores", type=Path, nargs="+", required=True, help="Parquet of amt.rows.SCORE")
    parser.add_argument(
        "--queries-scored", type=Path, nargs="+", required=True, help="Parquet of verify scores by query"
    )
    parser.add_argument("--tokenizer", type=Path, required=True, help="Hugging Face directory of the base model")
    parser.add_argument("--samples", type=Path, required=True, help="Parquet to write: token ids and loss masks")
    parser.add_argument("--packs", type=Path, required=True, help="Parquet to write: samples of each packed sequence")
    parser.add_argument("--ledger", type=Path, required=True, help="Parquet to write, of amt.rows.LEDGER")
    parser.add_argument("--report", type=Path, required=True, help="JSON to write: samples and tokens by category")
    run_stage(parser, main)
