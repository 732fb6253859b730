"""Pass rates of a toy model on a real server."""

import pyarrow.parquet as pq

from amt.grpo.pass_rates import PASS_RATE, measured_queries, pass_rates
from amt.params import MeasuredQueries, PassRates, load
from amt.placement import Placement
from amt.rows import LEDGER, QUERY, canonical_json, read_rows, write_rows
from tests.toy_model import digit_query, write_toy_model

ALL = MeasuredQueries(math=None, code=None)


def test_measures_at_most_the_declared_number_whatever_the_order_of_the_rows():
    rows = [digit_query(digit) | {"row_id": f"toy:{digit}"} for digit in range(8)]
    rows += [row | {"row_id": row["row_id"] + "-code", "category": "code"} for row in rows[:3]]
    settings = PassRates(queries=MeasuredQueries(math=5, code=None), samples=1, temperature=1.0, max_tokens=8)
    chosen = measured_queries(rows, settings, seed=1)
    assert [row["category"] for row in chosen] == ["math"] * 5 + ["code"] * 3
    assert measured_queries(rows[::-1], settings, seed=1) == chosen
    assert measured_queries(rows, settings, seed=2) != chosen


def test_counts_what_the_journal_holds_and_says_what_has_no_rate(tmp_path):
    long = " ".join(["say-1"] * 300)
    rows = [
        digit_query(3),
        digit_query(4),
        digit_query(5) | {"row_id": "toy:unanswerable", "ground_truth": None},
        digit_query(6) | {"row_id": "toy:long", "messages": canonical_json([{"role": "user", "content": long}])},
        digit_query(7) | {"row_id": "toy:chat", "category": "general_chat"},
    ]
    write_rows(tmp_path / "queries.parquet", rows, QUERY)
    recipe = load("params.yaml")
    pass_rates(
        queries=[tmp_path / "queries.parquet"],
        model=write_toy_model(tmp_path / "model"),
        pass_rates=tmp_path / "rates.parquet",
        rollouts=tmp_path / "rollouts.parquet",
        ledger=tmp_path / "ledger.parquet",
        settings=PassRates(queries=ALL, samples=64, temperature=1.0, max_tokens=2),
        system_prompt="",
        sandbox=recipe.sandbox,
        score=recipe.score,
        seed=1,
        placement=Placement(rollout_sequences=64),
        server_log=tmp_path / "server.log",
    )
    found = {row["row_id"]: row for row in read_rows(tmp_path / "rates.parquet", PASS_RATE)}
    assert {name: row["status"] for name, row in found.items()} == {
        "toy:3-0": "scored", "toy:4-0": "scored", "toy:unanswerable": "invalid", "toy:long": "too_long",
    }  # fmt: skip
    assert found["toy:long"]["pass_rate"] is None
    ledger = {line["row_id"]: (line["outcome"], line["reason"], line["detail"])
              for line in read_rows(tmp_path / "ledger.parquet", LEDGER)}  # fmt: skip
    assert ledger.pop("toy:3-0") == ("kept", None, f"{found['toy:3-0']['passed']} of 64 passed")
    assert ledger.pop("toy:4-0")[0] == "kept"
    assert ledger == {
        "toy:unanswerable": ("dropped", "invalid", None),
        "toy:long": ("dropped", "too_long", None),
        "toy:chat": ("dropped", "other_category", "general_chat"),
    }
    journal = pq.read_table(tmp_path / "rollouts.parquet").to_pylist()
    for digit in (3, 4):
        # Right is a response with one answer token, that digit's; tokens 4 + 13 + digit.
        responses = [row["token_ids"] for row in journal if row["row_id"] == f"toy:{digit}-0"]
        answers = [[token for token in response if token >= 17] for response in responses]
        passed = answers.count([17 + digit])
        row = found[f"toy:{digit}-0"]
        assert (row["samples"], row["passed"], row["pass_rate"]) == (64, passed, passed / 64)
    assert 0 < sum(row["passed"] for row in found.values()) < 128
