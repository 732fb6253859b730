"""Small hand-made inputs of the report, laid out as the stages write them."""

import json
from pathlib import Path

import pyarrow as pa
import pytest

from amt.evaluation.report import GRPO_PANELS, Inputs
from amt.ledger import write_report
from amt.params import load
from amt.rows import SCORE, ledger_of, write_rows, write_table

ROOT = Path(__file__).parents[2]


def entry(stage, row_id, outcome="kept", reason=None):
    source = row_id.split(":")[0]
    return {"row_id": row_id, "source": source, "stage": stage, "outcome": outcome, "reason": reason, "detail": None}


def score(by_question, kind="math", **cells):
    values = [value for _, value in by_question]
    return {
        "kind": kind, "questions": len(values), "questions_scored": len(values), "samples_per_question": 8,
        "pass_at_1": sum(values) / len(values), "interval": [0.1, 0.9], "standard_error": 0.2, "sampling_error": 0.1,
        "question_error": 0.17, "mean_tokens": 40.0, "stop_ratio": 0.5, "reasons": {},
        "statuses": {"scored": 8 * len(values), "invalid": 0, "error": 0}, "by_question": by_question, **cells,
    }  # fmt: skip


def questions(*values):
    return [[f"aime_like:{number}", value] for number, value in enumerate(values)]


@pytest.fixture(scope="session")
def laptop():
    return load(ROOT / "params.yaml")


@pytest.fixture(scope="session")
def report_inputs(tmp_path_factory, laptop):
    return write_inputs(tmp_path_factory.mktemp("build"), laptop)


def write_inputs(folder: Path, recipe) -> Inputs:
    """Three rows of each source but the first, which has five; see the ledgers for what became of them."""
    scores = {
        "base": [score(questions(0.0, 0.0, 0.0, 0.25)), score(questions(0.0, 0.25), "arena")],
        "sft": [score(questions(0.25, 0.5, 0.5, 0.75)), score(questions(0.5, 0.25), "arena")],
        "rl1": [score(questions(0.5, 0.5, 0.75, 0.75)), score(questions(0.5, 0.5), "arena")],
        "rl2": [
            score(questions(0.5, 1.0, 0.75, 1.0)),
            score(
                questions(0.5, 1.0),
                "arena",
                statuses={"scored": 2, "invalid": 3, "error": 0},
                reasons={"unreadable": 4},
            ),
        ],
    }
    for model, (math, arena) in scores.items():
        content = {"model": model, "confidence": 0.95, "benchmarks": {"aime_like": math, "arena_like": arena}}
        write_report(folder / f"eval/{model}/scores.json", content)
    points = [
        {"step": 0, "mean_tokens": 190.0, "stop_ratio": 0.02},
        {"step": 100, "mean_tokens": 60.0, "stop_ratio": 0.9},
        {"step": 200, "mean_tokens": 45.0, "stop_ratio": 0.99},
    ]
    curve = folder / "eval/sft_curve.json"
    write_report(
        curve,
        {"benchmark": "aime_like", "questions": 48, "samples_per_question": 1, "max_tokens": 192, "points": points},
    )

    first, *others = recipe.sources
    reports = []
    for source in recipe.sources:
        rows = 5 if source == first else 3
        dropped = {"no_ground_truth": 1} if source in (first, others[0]) else {}
        planted = {"url": [{"source": source, "index": 0, "row_id": f"{source}:0"}]}
        report = {
            "stage": "queries",
            "source": source,
            "rows_in": rows,
            "kept": rows - sum(dropped.values()),
            "dropped": dropped,
        }
        reports.append(folder / f"data/queries/{source}.report.json")
        write_report(reports[-1], report | {"planted": planted if source in (first, others[0], others[1]) else {}})
    for number, kept in ((1, 37), (2, 29)):
        reports.append(folder / f"data/rl/stage{number}.report.json")
        write_report(reports[-1], {"stage": f"rl_set_{number}", "rows_in": 60, "kept": kept, "dropped": {}})

    rows = [f"{source}:{number}" for source in recipe.sources for number in range(4 if source == first else 3)]
    # The planted URL of the second source is gone before clean.
    gone, again = f"{others[0]}:0", f"{others[2]}:0"
    rows.remove(gone)
    collected = [entry("queries", row) for row in rows]
    collected += [entry("queries", row, "dropped", "no_ground_truth") for row in (f"{first}:9", gone)]
    # Found is the first source's; the third's is missed; one ordinary row of the first source has a URL too.
    flagged = {f"{first}:0", f"{first}:1"}
    clean = [entry("clean", row, *(("dropped", "url") if row in flagged else ())) for row in rows]
    left = [row for row in rows if row not in flagged]
    unique = [entry("unique", row, *(("dropped", "exact_duplicate") if row == again else ())) for row in left]
    left.remove(again)
    verified = [
        entry("verify_math", row, "changed", "ground_truth_revised")
        if row == f"{first}:2"
        else entry("verify_math", row)
        for row in left
    ]
    responses = [entry("filter_responses", f"{row}/0", *(("dropped", "repetition") if i == 0 else ()))
                 for i, row in enumerate(left)]  # fmt: skip
    went_on = [line["row_id"] for line in responses if line["outcome"] == "kept"]
    trained, solvable = went_on[:2], left[:3]
    sft_set = [entry("sft_set", row, *(("packed",) if row in trained else ("dropped", "low_score"))) for row in went_on]
    rl_sets = {
        number: [
            entry(f"rl_set_{number}", row, *(() if row in solvable else ("dropped", "never_solved"))) for row in left
        ]
        for number in (1, 2)
    }
    ledgers = {
        "data/queries": collected,
        "data/curated/clean": clean,
        "data/curated/unique": unique,
        "data/curated/decontaminated": [entry("decontaminate", row) for row in left],
        "data/curated/verified": verified,
        "data/responses/filtered": responses,
        "data/responses/scored": [entry("score", row) for row in went_on],
        "data/sft": sft_set,
        "data/rl/pass_rates": [entry("pass_rates", row) for row in left],
        "data/rl/stage1": rl_sets[1],
        "data/rl/stage2": rl_sets[2],
    }
    models = {
        "models/sft": [entry("sft", row, "used") for row in trained],
        "models/rl1": [entry("grpo_1", row, "used") for row in solvable],
        "models/rl2": [entry("grpo_2", row, "used") for row in solvable],
    }
    for place, entries in (ledgers | models).items():
        write_rows(folder / place / "ledger.parquet", entries, ledger_of(entries[0]["stage"]))

    verdicts = folder / "data/responses/scored/scores.parquet"
    rewards = {f"{left[0]}/1": ("math", 0.0), f"{left[1]}/0": ("math", 1.0), f"{left[2]}/0": ("reward_model", 0.0)}
    write_rows(
        verdicts,
        [
            {
                "response_id": name,
                "row_id": name.split("/")[0],
                "reward_kind": kind,
                "status": "scored",
                "reward": reward,
            }
            for name, (kind, reward) in rewards.items()
        ],
        SCORE,
    )
    samples = folder / "data/sft/samples.parquet"
    cells = [
        {"source": first, "category": "math", "token_ids": [1, 2, 3]},
        {"source": first, "category": "math", "token_ids": [1, 2, 3, 4, 5]},
        {"source": others[0], "category": "general_chat", "token_ids": [1, 2]},
    ]
    write_table(samples, pa.Table.from_pylist(cells))
    _journal(folder / "models/sft", [{"step": n, "loss": 3.0 / n, "lr": 2e-3 / n} for n in range(1, 201)])
    for model, steps, reward in (("rl1", 24, 0.4), ("rl2", 16, 0.55)):
        keys = [key for key, _, _ in GRPO_PANELS]
        lines = [{"step": n} | dict.fromkeys(keys, reward + 0.01 * n) for n in range(1, steps + 1)]
        lines[-1]["reward/general_chat" if model == "rl2" else "reward/math"] = 0.25
        _journal(folder / f"models/{model}", lines)
        write_report(folder / f"models/{model}/report.json", {"stage": model, "ended": "max_steps"})
    return Inputs(
        scores=[folder / f"eval/{model}/scores.json" for model in scores],
        curve=curve,
        stage_reports=reports,
        ledgers=[folder / place / "ledger.parquet" for place in ledgers],
        response_scores=[verdicts],
        samples=samples,
        sft=folder / "models/sft",
        rl1=folder / "models/rl1",
        rl2=folder / "models/rl2",
    )


def _journal(folder: Path, lines: list[dict]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
