"""A small flow whose ledgers are written by hand, some of them in several files."""

from pathlib import Path

import pytest

from amt.flow.ledgers import Ledgers, find_ledgers
from amt.rows import canonical_json, ledger_of, write_rows

# Rows 1 to 6 of "sums", 1 and 2 of "chats"; what is kept by each stage can be followed by eye.
ALL = [*(f"sums:{number}" for number in range(1, 7)), "chats:1", "chats:2"]


def came_from(raw_row):
    return canonical_json({"licence": "mit", "raw_row": raw_row})


LINES = {
    "data/queries/sums.ledger.parquet": [
        *(("queries", name, "kept", None, came_from(int(name[-1]))) for name in ALL[:6]),
        ("queries", "sums:7", "dropped", "no_ground_truth", came_from(0)),
    ],
    "data/queries/chats.ledger.parquet": [("queries", name, "kept", None, None) for name in ALL[6:]],
    "data/curated/clean/ledger/00.parquet": [
        ("clean", "sums:1", "kept", None, None), ("clean", "chats:2", "kept", None, None),
        ("clean", "sums:6", "dropped", "url", "https://x.org/a"),
    ],
    "data/curated/clean/ledger/01.parquet": [
        ("clean", name, "kept", None, None) for name in ("sums:2", "sums:3", "sums:4", "sums:5", "chats:1")
    ],
    "data/curated/unique/ledger.parquet": [
        *(("unique", name, "kept", None, None) for name in ALL if name not in ("sums:2", "sums:6")),
        ("unique", "sums:2", "dropped", "exact_duplicate", '{"same_as":"sums:1"}'),
    ],
    "data/curated/decontaminated/ledger.parquet": [
        *(("decontaminate", name, "kept", None, None) for name in ("sums:1", "sums:3", "sums:4", "chats:1", "chats:2")),
        ("decontaminate", "sums:5", "dropped", "benchmark_exact", '{"benchmark":"aime","item":"aime:9","score":1.0}'),
    ],
    "data/curated/verified/ledger.parquet": [
        ("verify_math", "sums:1", "changed", "truth_revised", '{"ground_truth":["4","5"]}'),
        ("verify_math", "sums:3", "kept", None, None), ("verify_math", "chats:1", "kept", None, None),
        ("verify_math", "chats:2", "kept", None, None),
        ("verify_math", "sums:4", "dropped", "unclear", "no question"),
    ],
    "data/responses/filtered/ledger.parquet": [
        *(("filter_responses", f"{name}/{sample}", "kept", None, None)
          for name in ("sums:1", "sums:3", "chats:1") for sample in (0, 1)),
        ("filter_responses", "chats:2/0", "dropped", "truncated", "256 tokens"),
    ],
    "data/responses/scored/ledger.parquet": [
        ("score", f"{name}/{sample}", "kept", None, '{"reason":null,"reward":0.5,"status":"scored"}')
        for name in ("sums:1", "sums:3", "chats:1") for sample in (0, 1)
    ],
    "data/sft/ledger.parquet": [
        ("sft_set", "sums:1/0", "packed", None, '{"packs":[[3,1]]}'),
        ("sft_set", "sums:1/1", "repeated", None, '{"packs":[[0,0],[2,4]]}'),
        ("sft_set", "chats:1/0", "packed", None, '{"packs":[[1,0]]}'),
        *(("sft_set", name, "dropped", "low_score", None) for name in ("sums:3/0", "sums:3/1", "chats:1/1")),
    ],
    "models/sft/ledger.parquet": [
        ("sft", "sums:1/0", "used", None, '{"steps":[2,5]}'), ("sft", "sums:1/1", "used", None, '{"steps":[1,3,4]}'),
        ("sft", "chats:1/0", "used", None, '{"steps":[1]}'),
    ],
    "data/rl/pass_rates.ledger.parquet": [
        ("pass_rates", "sums:1", "kept", None, "2 of 4 passed"),
        ("pass_rates", "sums:3", "dropped", "too_long", None),
        *(("pass_rates", name, "dropped", "other_category", "general_chat") for name in ("chats:1", "chats:2")),
    ],
    "data/rl/stage1.ledger.parquet": [
        ("rl_set_1", "sums:1", "kept", None, None), ("rl_set_1", "sums:3", "dropped", "too_long", None),
        *(("rl_set_1", name, "dropped", "other_category", "general_chat") for name in ("chats:1", "chats:2")),
    ],
    "models/rl1/ledger.parquet": [
        ("grpo_1", "sums:1", "used", None,
         '{"mean_reward":[0.5,null],"steps":[1,4],"without_signal":{"mean_reward":[0,1],"steps":[2,6]}}'),
    ],
    "data/rl/stage2.ledger.parquet": [
        ("rl_set_2", "sums:1", "dropped", "always_solved", "8 of 8 at step 4"),
        ("rl_set_2", "sums:3", "dropped", "not_in_stage1", None),
        ("rl_set_2", "chats:1", "kept", None, None), ("rl_set_2", "chats:2", "kept", None, None),
    ],
    "models/rl2/ledger.parquet": [
        ("grpo_2", "chats:1", "used", None, '{"mean_reward":[0.25],"steps":[7]}'),
        ("grpo_2", "chats:2", "dropped", "no_signal", '{"without_signal":{"mean_reward":[1.0],"steps":[3]}}'),
    ],
}  # fmt: skip
"""{file: [(stage, row_id, outcome, reason, detail)]}"""


def write(path: Path, lines: list[tuple], stage: str | None = None) -> None:
    """A ledger; its stage is needed where it has no line."""
    rows = [
        {"row_id": name, "source": name.partition(":")[0], "stage": of, "outcome": outcome, "reason": reason,
         "detail": detail}
        for of, name, outcome, reason, detail in lines
    ]  # fmt: skip
    write_rows(path, rows, ledger_of(stage or rows[0]["stage"]))


@pytest.fixture
def project(tmp_path) -> Path:
    for name, lines in LINES.items():
        write(tmp_path / name, lines)
    return tmp_path


@pytest.fixture
def ledgers(project) -> Ledgers:
    return Ledgers(find_ledgers(project))
