"""Score every response [3], and from the scores every query: pass rate, or mean reward [2.3].

Invariant: each response has one line, scored, or invalid with the reason. One that could not be judged after
all attempts fails the stage; it is never written as a 0. All responses go on: `sft_set` chooses by these scores.
"""

import logging
from collections import Counter, defaultdict
from pathlib import Path
from statistics import fmean
from typing import Any

import pyarrow as pa

from amt.errors import DataError, InfrastructureError
from amt.ledger import Ledger, write_report
from amt.rewards.dispatch import REMARKS, Grader, Judgement, reward_kind
from amt.rows import QUERY, RESPONSE, SCORE, canonical_json, read_rows, write_rows

log = logging.getLogger(__name__)

CHUNK = 2000
"""Responses graded between two lines of progress."""

QUERY_SCORE = pa.schema(
    [
        pa.field("row_id", pa.string(), nullable=False),
        pa.field("category", pa.string(), nullable=False),
        pa.field("responses", pa.int32(), nullable=False),
        pa.field("scored", pa.int32(), nullable=False),
        pa.field("pass_rate", pa.float64()),  # share of scored responses with reward 1; null for the reward model
        pa.field("mean_reward", pa.float64()),  # null where nothing was scored
        pa.field("verify_score", pa.float64()),  # the pass rate, or the mean reward of a reward-model query
    ]
)


def needs_reward_model(queries: Path, responses: Path) -> bool:
    """Whether some response answers a query that only a reward model can judge."""
    answered = {response["row_id"] for response in read_rows(responses, RESPONSE)}
    return any(reward_kind(row) == "reward_model" for row in read_rows(queries, QUERY) if row["row_id"] in answered)


def score(
    *, queries: Path, responses: Path, grader: Grader, scores: Path, queries_scored: Path, ledger: Path, report: Path
) -> dict[str, Any]:
    """Grade all responses. Writes the four files and returns the report.

    Raises:
        DataError: a response answers no known query.
        InfrastructureError: some responses could not be judged.
    """
    rows = {row["row_id"]: row for row in read_rows(queries, QUERY)}
    answers = read_rows(responses, RESPONSE)
    if strays := {answer["row_id"] for answer in answers} - rows.keys():
        raise DataError(f"{responses} answers {len(strays)} queries that {queries} does not have, e.g. {min(strays)}.")
    judgements: list[Judgement] = []
    for start in range(0, len(answers), CHUNK):
        chunk = answers[start : start + CHUNK]
        judgements += grader.grade([(rows[answer["row_id"]], answer["response"]) for answer in chunk])
        log.info("score: %d of %d responses", len(judgements), len(answers))
    _check_complete(judgements)
    score_rows = [
        {
            "response_id": answer["response_id"],
            "row_id": answer["row_id"],
            "reward_kind": judgement.kind,
            "status": judgement.status,
            "reward": judgement.reward,
            "reason": judgement.reason,
        }
        for answer, judgement in zip(answers, judgements, strict=True)
    ]
    book = Ledger("score")
    for line in score_rows:
        entry = {"row_id": line["response_id"], "source": rows[line["row_id"]]["source"]}
        book.keep(entry, canonical_json({key: line[key] for key in ("reward_kind", "status", "reward", "reason")}))
    book.report(len(answers), len(score_rows))
    query_rows = _by_query(rows, score_rows)
    content = _report(score_rows, query_rows, judgements, grader.sandbox_tier)
    write_rows(scores, score_rows, SCORE)
    write_rows(queries_scored, query_rows, QUERY_SCORE)
    book.write(ledger)
    write_report(report, content)
    return content


def _check_complete(judgements: list[Judgement]) -> None:
    failed = [judgement for judgement in judgements if judgement.status == "error"]
    if failed:
        counts = Counter(judgement.kind for judgement in failed)
        kinds = ", ".join(f"{number} of {kind}" for kind, number in sorted(counts.items()))
        raise InfrastructureError(
            f"{len(failed)} of {len(judgements)} responses could not be judged ({kinds}); nothing was written. "
            f"The first: {failed[0].reason}. Run snakemake again when that is mended."
        )


def _by_query(rows: dict[str, dict[str, Any]], scores: list[dict[str, Any]]) -> list[dict[str, Any]]:
    scores_of: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in scores:
        scores_of[line["row_id"]].append(line)
    result = []
    for row_id, row in rows.items():
        rewards = [line["reward"] for line in scores_of[row_id] if line["status"] == "scored"]
        mean = fmean(rewards) if rewards else None
        by_rule = reward_kind(row) != "reward_model"
        result.append(
            {
                "row_id": row_id,
                "category": row["category"],
                "responses": len(scores_of[row_id]),
                "scored": len(rewards),
                "pass_rate": mean if by_rule else None,  # the rules' rewards are 0 or 1
                "mean_reward": mean,
                "verify_score": mean,
            }
        )
    return result


def _report(
    scores: list[dict[str, Any]], queries: list[dict[str, Any]], judgements: list[Judgement], sandbox_tier: str | None
) -> dict[str, Any]:
    kinds: dict[str, dict[str, Any]] = {}
    for kind in sorted({line["reward_kind"] for line in scores}):
        of_kind = [line for line in scores if line["reward_kind"] == kind]
        rewards = [line["reward"] for line in of_kind if line["status"] == "scored"]
        kinds[kind] = {
            "responses": len(of_kind),
            "status": dict(sorted(Counter(line["status"] for line in of_kind).items())),
            "mean_reward": fmean(rewards) if rewards else None,
            "invalid": _reasons(line for line in of_kind if line["status"] == "invalid"),
            "not_passed": _reasons(line for line in of_kind if line["reward"] == 0),
        }
    if "reward_model" in kinds:
        kinds["reward_model"] |= {name: sum(name in one.remarks for one in judgements) for name in REMARKS}
    return {
        "stage": "score",
        "responses": len(scores),
        "errors": 0,  # else the stage has failed
        "kinds": kinds,
        "queries": {
            "all": len(queries),
            "with_responses": sum(row["responses"] > 0 for row in queries),
            "scored": sum(row["scored"] > 0 for row in queries),
        },
        "sandbox_tier": sandbox_tier,
    }


def _reasons(lines, most: int = 10) -> dict[str, int]:
    """The most frequent reasons."""
    counts = Counter(line["reason"] or "no reason given" for line in lines)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:most])
