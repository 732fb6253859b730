"""Faults planted in the sample rows against what the pipeline found.

The reports of collect name every planted row, the scripted teacher every response that it spoilt; the ledgers say
what became of them.
"""

from dataclasses import dataclass
from typing import Any

from amt.errors import DataError
from amt.params import Recipe


@dataclass(frozen=True)
class Finder:
    """How a ledger tells that a fault was found: stage, reason and, where a reason is shared, a part of its detail."""

    stage: str
    reasons: frozenset[str]
    detail: str = ""

    def found(self, entry: dict[str, Any] | None) -> bool:
        return entry is not None and entry["reason"] in self.reasons and self.detail in (entry["detail"] or "")


def _finder(stage: str, *reasons: str, detail: str = "") -> Finder:
    return Finder(stage, frozenset(reasons), detail)


_LEAK = _finder("decontaminate", "benchmark_exact", "benchmark_ngram", "benchmark_examples", "benchmark_semantic")

FINDERS = {
    "exact_duplicate": _finder("unique", "exact_duplicate"),
    "near_duplicate": _finder("unique", "near_duplicate"),
    "url": _finder("clean", "url"),
    "image": _finder("clean", "image"),
    "benchmark_verbatim": _LEAK,
    "benchmark_paraphrase": _LEAK,
    "proof": _finder("verify_math", "proof"),
    "multi_part": _finder("verify_math", "multi_part"),
    # A rewritten query whose truth was revised as well is recorded under the revision; both are in the detail. One
    # whose rewriting was refused was found too.
    "multiple_choice": _finder(
        "verify_math",
        "rewritten",
        "truth_revised",
        "still_multiple_choice",
        "other_answer",
        "other_question",
        detail='"query"',
    ),
    "multiple_choice_fixed": _finder("verify_math", "not_applicable"),
    "unclear": _finder("verify_math", "unclear"),
    "wrong_ground_truth": _finder("verify_math", "truth_revised", "truth_unresolved", detail='"ground_truth"'),
    "response_missing_think": _finder("filter_responses", "structure_no_think"),
    "response_truncated": _finder("filter_responses", "truncated"),
    "response_repetition": _finder("filter_responses", "repetition"),
    "response_wrong": _finder("score", "reward_0"),
}
"""Kind of fault -> who is to find it. multiple_choice_fixed: its question has no sense without the options.
wrong_ground_truth: found by any revision, because what is planted does not name the right answer."""


def found_against_planted(
    planted: dict[str, list[dict[str, Any]]], ledgers: dict[str, list[dict[str, Any]]], recipe: Recipe
) -> list[dict[str, Any]]:
    """For every kind: planted, found, gone_before, missed, recall (of those that reached the finder), beside.

    Args:
        planted: {kind: entries}, from the reports of collect: row_id, and same_as of a duplicate, and benchmark (its
            kind) and question (its number) of a leak.
        ledgers: {stage: entries of amt.rows.LEDGER}.

    Raises:
        DataError: a planted kind is none that anything is known to find.
    """
    if unknown := planted.keys() - FINDERS.keys():
        raise DataError(
            f"{len(unknown)} of {len(planted)} kinds of planted faults have no finder: {', '.join(sorted(unknown))} "
            f"(known: {', '.join(FINDERS)}). Add them to FINDERS in amt/evaluation/planted.py, or leave them out of "
            "amt/sources/samples/planted.json."
        )
    outcome = {(entry["stage"], entry["row_id"]): entry for entries in ledgers.values() for entry in entries}
    result = []
    for kind, finder in FINDERS.items():
        entries = [entry for entry in planted.get(kind, []) if _counts(entry, outcome, recipe)]
        if not entries:
            continue
        fates = [_fate(entry, finder, outcome) for entry in entries]
        found, gone = fates.count("found"), fates.count("gone_before")
        named = {
            row_id
            for other, same_finder in FINDERS.items()
            if same_finder == finder
            for entry in planted.get(other, [])
            for row_id in (entry["row_id"], entry.get("same_as"))
        }
        strangers = [entry for entry in ledgers.get(finder.stage, []) if entry["row_id"] not in named]
        result.append({
            "kind": kind,
            "planted": len(entries),
            "found": found,
            "gone_before": gone,
            "missed": fates.count("missed"),
            "recall": found / (len(entries) - gone) if len(entries) > gone else None,
            "beside": sum(map(finder.found, strangers)),
        })  # fmt: skip
    return result


def verdict_ledger(scores: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Scores of rule-judged responses in the form of a ledger: reward 0 is what finds a wrong response."""
    return {
        "score": [
            {
                "row_id": score["response_id"],
                "stage": "score",
                "reason": "reward_0" if score["reward"] == 0 else None,
                "detail": None,
            }
            for score in scores
            if score["reward_kind"] != "reward_model"
        ]
    }


def _counts(entry: dict[str, Any], outcome: dict[tuple[str, str], dict[str, Any]], recipe: Recipe) -> bool:
    """Whether the fault is one in this build: both copies came in, a leaked question is asked."""
    if entry.get("same_as") and ("unique", entry["same_as"]) not in outcome:
        return False
    if entry.get("question") is None:
        return True
    return any(
        benchmark.kind == entry["benchmark"]
        and benchmark.origin == "standin"
        and entry["question"] < benchmark.questions
        for benchmark in recipe.benchmarks.values()
    )


def _fate(entry: dict[str, Any], finder: Finder, outcome: dict[tuple[str, str], dict[str, Any]]) -> str:
    """found, missed, or gone_before: the row did not reach the stage. Of two copies either may be the one found."""
    own = outcome.get((finder.stage, entry["row_id"]))
    other = outcome.get((finder.stage, entry.get("same_as") or ""))
    if finder.found(own) or finder.found(other):
        return "found"
    return "gone_before" if own is None else "missed"
