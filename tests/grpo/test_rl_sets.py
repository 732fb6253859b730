"""Files in, files out: which queries each GRPO stage gets, and what the ledger says of the others."""

import pyarrow as pa
import pytest

from amt.errors import DataError
from amt.grpo.build_rl_set import build_stage1, build_stage2
from amt.grpo.pass_rates import PASS_RATE
from amt.grpo.rollouts import ROLLOUT
from amt.ledger import read_report
from amt.rows import LEDGER, QUERY, read_rows, write_rows, write_table
from tests.toy_model import digit_query


def query(name, category="math"):
    return digit_query(1) | {"row_id": f"toy:{name}", "category": category}


def rate(name, passed, samples=4, status="scored", category="math"):
    scored = status == "scored"
    return {
        "row_id": f"toy:{name}",
        "category": category,
        "status": status,
        "samples": samples if scored else 0,
        "passed": passed if scored else 0,
        "pass_rate": passed / samples if scored else None,
    }


def files(tmp_path, name):
    return {
        "kept": tmp_path / f"{name}.parquet",
        "ledger": tmp_path / f"{name}.ledger.parquet",
        "report": tmp_path / f"{name}.json",
    }


def names(path):
    return [row["row_id"].removeprefix("toy:") for row in read_rows(path, QUERY)]


def reasons(path):
    return {line["row_id"].removeprefix("toy:"): line["reason"] for line in read_rows(path, LEDGER)}


def journal(directory, step, rewards_of):
    lines = [
        {
            "step": step, "row_id": f"toy:{name}", "category": "math", "sample": sample, "seed": 1, "prompt_tokens": 1,
            "token_ids": [1], "finish_reason": "stop", "reward_kind": "math", "status": "scored",
            "reward": reward, "reason": None, "advantage": 0.0,
        }
        for name, rewards in rewards_of.items()
        for sample, reward in enumerate(rewards)
    ]  # fmt: skip
    write_table(directory / f"step_{step:04d}.parquet", pa.Table.from_pylist(lines, schema=ROLLOUT))


def test_stage_1_is_math_and_code_solved_sometimes(tmp_path):
    rows = [query(name) for name in ("never", "once", "often", "always", "broken", "long")]
    rows += [query("code", "code"), query("chat", "general_chat")]
    write_rows(tmp_path / "queries.parquet", rows, QUERY)
    rates = [rate("never", 0), rate("once", 1), rate("often", 3), rate("always", 4), rate("code", 2, category="code")]
    rates += [rate("broken", 0, status="invalid"), rate("long", 0, status="too_long")]
    write_rows(tmp_path / "rates.parquet", rates, PASS_RATE)
    out = files(tmp_path, "stage1")
    build_stage1(
        queries=[tmp_path / "queries.parquet"],
        pass_rates=tmp_path / "rates.parquet",
        limits={"math": None, "code": None},
        seed=1,
        **out,
    )
    assert names(out["kept"]) == ["code", "often", "once"]
    assert {name: reason for name, reason in reasons(out["ledger"]).items() if reason} == {
        "never": "never_solved", "always": "always_solved", "broken": "invalid", "long": "too_long",
        "chat": "other_category",
    }  # fmt: skip
    report = read_report(out["report"])
    assert (report["rows_in"], report["kept"], report["kept_by_category"]) == (8, 3, {"code": 1, "math": 2})


def test_a_limit_draws_by_the_seed_and_not_by_the_order_of_rows(tmp_path):
    rows = [query(str(number)) for number in range(40)]
    write_rows(tmp_path / "queries.parquet", rows, QUERY)
    write_rows(tmp_path / "rates.parquet", [rate(str(number), 2) for number in range(40)], PASS_RATE)
    drawn = {}
    for seed in (1, 2):
        out = files(tmp_path, f"stage1-{seed}")
        build_stage1(
            queries=[tmp_path / "queries.parquet"],
            pass_rates=tmp_path / "rates.parquet",
            limits={"math": 5},
            seed=seed,
            **out,
        )
        drawn[seed] = names(out["kept"])
        assert len(drawn[seed]) == 5
        assert read_report(out["report"])["dropped"] == {"limit": 35}
    assert drawn[1] != drawn[2]


def test_no_query_left_says_which_settings_matter(tmp_path):
    write_rows(tmp_path / "queries.parquet", [query("never")], QUERY)
    write_rows(tmp_path / "rates.parquet", [rate("never", 0)], PASS_RATE)
    with pytest.raises(DataError, match=r"pass_rates\.samples"):
        build_stage1(
            queries=[tmp_path / "queries.parquet"],
            pass_rates=tmp_path / "rates.parquet",
            limits={"math": None},
            seed=1,
            **files(tmp_path, "stage1"),
        )


def test_stage_2_is_what_stage_1_did_not_always_solve_and_more(tmp_path):
    stage1 = [query(name) for name in ("solved", "unsolved", "lost", "unseen")]
    others = [query("easy"), query("science", "science"), query("follow", "instruction_follow")]
    chats = [query(f"chat-{number}", "general_chat") for number in range(5)]
    write_rows(tmp_path / "queries.parquet", stage1 + others + chats, QUERY)
    write_rows(tmp_path / "stage1.parquet", stage1, QUERY)
    journal(tmp_path / "rollouts", 1, {"solved": [1, 0], "lost": [1, 1]})
    # The last visit counts: what was learned is gone from stage 2, what was lost again stays.
    journal(tmp_path / "rollouts", 2, {"solved": [1, 1], "unsolved": [1, 0]})
    journal(tmp_path / "rollouts", 3, {"lost": [0, 1]})
    out = files(tmp_path, "stage2")
    build_stage2(
        queries=[tmp_path / "queries.parquet"],
        stage1=tmp_path / "stage1.parquet",
        journal=tmp_path / "rollouts",
        limits={"general_chat": 2, "instruction_follow": None},
        seed=1,
        **out,
    )
    kept = names(out["kept"])
    assert [name for name in kept if not name.startswith("chat")] == ["follow", "lost", "unseen", "unsolved"]
    assert len(kept) == 6
    dropped = read_report(out["report"])["dropped"]
    assert dropped == {"always_solved": 1, "limit": 3, "not_in_stage1": 1, "other_category": 1}
    assert reasons(out["ledger"])["solved"] == "always_solved"
