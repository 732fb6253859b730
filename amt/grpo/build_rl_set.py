"""The queries of the two GRPO stages (paper 4.2).

Stage 1: math and code that the SFT model solves sometimes, 0 < pass rate < 1.
Stage 2: those of stage 1 except what stage 1 always solved, plus general chat and instruction following.

Invariant: the ledger has one line for each verified query. Reasons of stage 1: other_category, not_measured,
invalid and too_long (as the pass rates say), never_solved, always_solved, limit. Of stage 2: other_category,
not_in_stage1, always_solved, limit.

Always solved in stage 1 means: when stage 1 last trained on the query, all its samples had reward 1. The
last visit, because earlier ones are of earlier weights; all samples of it, because the paper says 100 %.
A query that stage 1 never drew stays.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from amt.errors import DataError
from amt.grpo.pass_rates import PASS_RATE
from amt.grpo.rollouts import ROLLOUT
from amt.ledger import Ledger, write_report
from amt.rows import QUERY, read_rows, read_shards, read_table, write_rows
from amt.seeds import seed_for

Limits = Mapping[str, int | None]
"""Most queries of each category that may be chosen; null is all. Categories it lacks are not chosen from."""


def build_stage1(
    *, queries: list[Path], pass_rates: Path, kept: Path, ledger: Path, report: Path, limits: Limits, seed: int
) -> None:
    """Write the queries of stage 1, what became of each verified query, and counts."""
    rows = read_shards(queries, QUERY)
    rate_of = {line["row_id"]: line for line in read_rows(pass_rates, PASS_RATE)}
    book = Ledger("rl_set_1")
    candidates = []
    for row in rows:
        if row["category"] not in limits:
            book.drop(row, "other_category", row["category"])
            continue
        if row["row_id"] not in rate_of:
            raise DataError(
                f"{pass_rates} has no row {row['row_id']} of the verified queries. Build it with: snakemake {kept}"
            )
        measured = rate_of[row["row_id"]]
        solved = f"{measured['passed']} of {measured['samples']}"
        if measured["status"] != "scored":
            book.drop(row, measured["status"])
        elif measured["passed"] == 0:
            book.drop(row, "never_solved", solved)
        elif measured["passed"] == measured["samples"]:
            book.drop(row, "always_solved", solved)
        else:
            candidates.append(row)
    chosen = _within_limits(candidates, limits, seed, book)
    if not chosen:
        raise DataError(
            f"No query is left for GRPO: {len(rows)} verified, none solved sometimes. The SFT model is too weak or "
            "too strong for them: see pass_rates.samples, sft.epochs and sft.learning_rate."
        )
    _write(kept, ledger, report, book, rows, chosen)


def build_stage2(
    *,
    queries: list[Path],
    stage1: Path,
    journal: Path,
    kept: Path,
    ledger: Path,
    report: Path,
    limits: Limits,
    seed: int,
) -> None:
    """Write the queries of stage 2, what became of each verified query, and counts.

    Args:
        journal: directory of stage 1's rollouts, one file a step.
    """
    rows = read_shards(queries, QUERY)
    in_stage1 = {row["row_id"] for row in read_rows(stage1, QUERY)}
    solved = always_solved(journal)
    book = Ledger("rl_set_2")
    from_stage1, candidates = [], []
    for row in rows:
        if row["row_id"] in in_stage1:
            if row["row_id"] in solved:
                book.drop(row, "always_solved", solved[row["row_id"]])
            else:
                book.keep(row)
                from_stage1.append(row)
        elif row["category"] in limits:
            candidates.append(row)
        elif row["category"] in ("math", "code"):
            book.drop(row, "not_in_stage1")
        else:
            book.drop(row, "other_category", row["category"])
    added = _within_limits(candidates, limits, seed, book)
    if not from_stage1 and not added:
        raise DataError(f"No query is left for stage 2 of GRPO: stage 1 always solved all {len(in_stage1)}.")
    _write(kept, ledger, report, book, rows, from_stage1 + added)


def always_solved(journal: Path) -> dict[str, str]:
    """{row_id: "16 of 16 at step 12"} of the queries whose samples all had reward 1 at their last visit."""
    files = sorted(journal.glob("step_*.parquet"))
    if not files:
        raise DataError(f"{journal} holds no rollouts of stage 1. Build it with: snakemake models/rl1")
    last_visit: dict[str, tuple[int, list[float | None]]] = {}
    for file in files:
        visit: dict[str, tuple[int, list[float | None]]] = {}
        for line in read_table(file, ROLLOUT).select(["step", "row_id", "reward"]).to_pylist():
            visit.setdefault(line["row_id"], (line["step"], []))[1].append(line["reward"])
        last_visit |= visit
    return {
        row_id: f"{len(rewards)} of {len(rewards)} at step {step}"
        for row_id, (step, rewards) in last_visit.items()
        if all(reward == 1.0 for reward in rewards)
    }


def _within_limits(candidates: list[dict[str, Any]], limits: Limits, seed: int, book: Ledger) -> list[dict[str, Any]]:
    """At most as many rows of each category as allowed, drawn by the seed; all others are dropped for `limit`."""
    drawn = sorted(candidates, key=lambda row: (seed_for(seed, "rl_set", row["row_id"]), row["row_id"]))
    taken: Counter[str] = Counter()
    chosen = []
    for row in drawn:
        limit = limits[row["category"]]
        if limit is not None and taken[row["category"]] == limit:
            book.drop(row, "limit", f"{limit} {row['category']}")
            continue
        taken[row["category"]] += 1
        book.keep(row)
        chosen.append(row)
    return chosen


def _write(kept: Path, ledger: Path, report: Path, book: Ledger, rows: list, chosen: list) -> None:
    write_rows(kept, chosen, QUERY)
    book.write(ledger)
    by_category = dict(sorted(Counter(row["category"] for row in chosen).items()))
    write_report(report, asdict(book.report(len(rows), len(chosen))) | {"kept_by_category": by_category})
