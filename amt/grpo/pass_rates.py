"""Pass rates of the SFT model on math and code queries (paper 4.2).

Invariant: one row for each math or code query. Its pass rate is over exactly `samples` judged responses, or
it is null and `status` says why: `not_measured` if the recipe measures only some queries of its category,
`invalid` if the query cannot be judged, `too_long` if prompt and response do not fit into the model's
context. A judgement that fails for other reasons stops the stage; the responses until then are kept.
The ledger has a line for each query: what has no pass rate is dropped, for its status or as `other_category`.
"""

import logging
import shutil
from pathlib import Path

import pyarrow as pa

from amt.chat import Chat
from amt.grpo.rollouts import prompts_of, sample_groups, write_journal
from amt.ledger import Ledger
from amt.params import PassRates, Sandbox, Score
from amt.placement import Placement
from amt.rewards.dispatch import Grader, reward_kind
from amt.rollout.journal import AnswerJournal
from amt.rollout.server import VllmServer, context_length
from amt.rows import QUERY, read_shards, write_rows
from amt.seeds import seed_for

log = logging.getLogger(__name__)

PASS_RATE = pa.schema(
    [
        pa.field("row_id", pa.string(), nullable=False),
        pa.field("category", pa.string(), nullable=False),
        pa.field("status", pa.string(), nullable=False),  # scored | not_measured | invalid | too_long
        pa.field("samples", pa.int32(), nullable=False),  # judged responses
        pa.field("passed", pa.int32(), nullable=False),  # of them with reward 1
        pa.field("pass_rate", pa.float64()),  # null unless scored
    ]
)


def pass_rates(
    *,
    queries: list[Path],
    model: Path,
    pass_rates: Path,
    rollouts: Path,
    ledger: Path,
    settings: PassRates,
    system_prompt: str,
    sandbox: Sandbox,
    score: Score,
    seed: int,
    placement: Placement,
    server_log: Path,
) -> None:
    """Sample, judge and count.

    Args:
        model: Hugging Face directory of the SFT model.
        pass_rates: Parquet of PASS_RATE to write.
        rollouts: Parquet of amt.grpo.rollouts.ROLLOUT to write.
        ledger: Parquet of amt.rows.LEDGER to write.
    """
    context = context_length(model)
    kept = Path(placement.scratch) / "pass_rates"
    with (
        VllmServer(model, max_model_len=context, log=server_log, placement=placement) as server,
        Grader(sandbox, score, placement) as grader,
    ):
        all_rows = read_shards(queries, QUERY)
        rows = [row for row in all_rows if row["category"] in ("math", "code")]
        measured = measured_queries(rows, settings, seed)
        sampled = {row["row_id"] for row in measured}
        judged = {row["row_id"] for row in measured if reward_kind(row) in ("math", "code")}
        chat = Chat(model)
        prompts = prompts_of([row for row in rows if row["row_id"] in judged], chat, system_prompt)
        fitting = [prompt for prompt in prompts if len(prompt.token_ids) + settings.max_tokens <= context]
        log.info("pass_rates: %d queries of %d, %d samples each", len(fitting), len(rows), settings.samples)
        groups, seconds = sample_groups(
            server,
            grader,
            chat,
            fitting,
            samples=settings.samples,
            seed_of=lambda row_id, sample: seed_for(seed, "pass_rates", row_id, sample),
            temperature=settings.temperature,
            max_tokens=settings.max_tokens,
            label="pass_rates",
            journal_of=lambda requests: AnswerJournal(kept, model, requests, settings.temperature, 1.0),
        )
    log.info("pass_rates: %(rollout_s).1f s of generating, %(grade_s).1f s more of judging", seconds)
    write_journal(rollouts, groups, step=0)
    group_of = {group[0].row["row_id"]: group for group in groups}
    rates = [
        _pass_rate(row, group_of.get(row["row_id"]), row["row_id"] in sampled, row["row_id"] in judged) for row in rows
    ]
    write_rows(pass_rates, rates, PASS_RATE)
    _write_ledger(ledger, all_rows, {rate["row_id"]: rate for rate in rates})
    shutil.rmtree(kept)


def measured_queries(rows: list[dict], settings: PassRates, seed: int) -> list[dict]:
    """The queries that are sampled: of each category at most as many as the recipe says, drawn by the seed."""
    chosen = []
    for category in ("math", "code"):
        drawn = sorted(
            (row for row in rows if row["category"] == category),
            key=lambda row: (seed_for(seed, "pass_rates", "query", row["row_id"]), row["row_id"]),
        )
        chosen += drawn[: getattr(settings.queries, category)]
    return chosen


def _write_ledger(ledger: Path, rows: list[dict], rate_of: dict[str, dict]) -> None:
    book = Ledger("pass_rates")
    for row in rows:
        rate = rate_of.get(row["row_id"])
        if rate is None:
            book.drop(row, "other_category", row["category"])
        elif rate["status"] != "scored":
            book.drop(row, rate["status"])
        else:
            book.keep(row, f"{rate['passed']} of {rate['samples']} passed")
    book.report(len(rows), sum(rate["status"] == "scored" for rate in rate_of.values()))
    book.write(ledger)


def _pass_rate(row, group, measured: bool, judgeable: bool) -> dict:
    counted = {"row_id": row["row_id"], "category": row["category"], "samples": 0, "passed": 0, "pass_rate": None}
    if not measured:
        return counted | {"status": "not_measured"}
    if not judgeable or (group and any(rollout.judgement.status == "invalid" for rollout in group)):
        return counted | {"status": "invalid"}
    if group is None:
        return counted | {"status": "too_long"}
    passed = sum(rollout.judgement.reward == 1.0 for rollout in group)
    return counted | {
        "status": "scored",
        "samples": len(group),
        "passed": passed,
        "pass_rate": passed / len(group),
    }
