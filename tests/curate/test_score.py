"""Scores of responses and queries: files in, files out."""

import json

import pytest

from amt import params
from amt.curate.score import needs_reward_model, score
from amt.errors import DataError, InfrastructureError, MissingToolError
from amt.placement import Placement
from amt.rewards.dispatch import Grader
from amt.rewards.reward_model import HEADS, Reading
from amt.rows import LEDGER, QUERY, RESPONSE, SCORE, read_rows, write_rows
from tests.sandbox.serving import SETTINGS as SANDBOX

HEAD = {"range": (-2.0, 2.0)}
SCORE_SETTINGS = params.Score(
    heads={name: HEAD | {"column": column} for column, name in enumerate(HEADS)}, too_long="cut_response"
)


def query(row_id, category, **columns):
    blank = {"origin": None, "ground_truth": None, "tests": None, "instructions": None}
    blank |= {"starter_code": None, "reference_solution": None}
    source = {"row_id": row_id, "source": "s", "category": category, "query": "q"}
    return source | {"messages": json.dumps([{"role": "user", "content": "q"}])} | blank | columns


def answers(row_id, *texts):
    return [
        {
            "response_id": f"{row_id}/{sample}",
            "row_id": row_id,
            "sample": sample,
            "model": "m",
            "response": f"<think>t</think><answer>{text}</answer>",
            "finish_reason": "stop",
            "tokens": 5,
        }
        for sample, text in enumerate(texts)
    ]


@pytest.fixture
def run_score(tmp_path):
    def run(queries, responses, reward_model=None):
        write_rows(tmp_path / "queries.parquet", queries, QUERY)
        write_rows(tmp_path / "responses.parquet", responses, RESPONSE)
        out = {name: tmp_path / "out" / f"{name}.parquet" for name in ("scores", "queries_scored")}
        with Grader(SANDBOX, SCORE_SETTINGS, Placement(), reward_model, pauses_s=(0.0, 0.0)) as grader:
            report = score(
                queries=tmp_path / "queries.parquet",
                responses=tmp_path / "responses.parquet",
                grader=grader,
                ledger=tmp_path / "out" / "ledger.parquet",
                report=tmp_path / "out" / "report.json",
                **out,
            )
        scores = {row["response_id"]: row for row in read_rows(out["scores"], SCORE)}
        return scores, {row["row_id"]: row for row in read_rows(out["queries_scored"])}, report

    run.folder = tmp_path
    return run


def _read(text):
    if "kind" in text:
        return Reading([1.0, 1.0, 1.0], cut=True)
    if "rude" in text:
        return Reading([-9.0, 0.0, -1.0])  # 0, 1/2 and 1/4
    return Reading([len(text) / 100] * 3)


def test_scores_responses_and_queries(run_score):
    tests = json.dumps({"kind": "stdin", "cases": [{"stdin": "2", "stdout": "4"}]})
    queries = [
        query("s:math", "math", ground_truth="5"),
        query("s:code", "code", tests=tests),
        query("s:broken", "code", tests="{}"),
        query("s:chat", "general_chat"),
        query("s:silent", "math", ground_truth="5"),
    ]
    responses = [
        *answers("s:math", r"\boxed{5}", r"\boxed{6}", r"\boxed{5.0}", "5"),
        *answers("s:code", "\n```python\nprint(int(input()) * 2)\n```\n", "\n```python\nprint(2)\n```\n"),
        *answers("s:broken", "\n```python\n```\n"),
        *answers("s:chat", "kind", "rude"),
    ]
    scores, by_query, report = run_score(queries, responses, lambda pairs: [_read(text) for _, text in pairs])

    rewards = {name: row["reward"] for name, row in scores.items()}
    assert rewards == {
        "s:math/0": 1.0,
        "s:math/1": 0.0,
        "s:math/2": 1.0,
        "s:math/3": 0.0,
        "s:code/0": 1.0,
        "s:code/1": 0.0,
        "s:broken/0": None,
        "s:chat/0": 0.75,
        "s:chat/1": 0.25,
    }
    assert scores["s:broken/0"]["status"] == "invalid"
    columns = ("responses", "scored", "pass_rate", "mean_reward", "verify_score")
    assert {name: tuple(row[column] for column in columns) for name, row in by_query.items()} == {
        "s:math": (4, 4, 0.5, 0.5, 0.5),
        "s:code": (2, 2, 0.5, 0.5, 0.5),
        "s:broken": (1, 0, None, None, None),
        "s:chat": (2, 2, None, 0.5, 0.5),
        "s:silent": (0, 0, None, None, None),
    }
    ledger = {entry["row_id"]: entry for entry in read_rows(run_score.folder / "out" / "ledger.parquet", LEDGER)}
    assert ledger.keys() == scores.keys()
    assert {(entry["stage"], entry["source"], entry["outcome"]) for entry in ledger.values()} == {
        ("score", "s", "kept")
    }
    assert json.loads(ledger["s:chat/0"]["detail"]) == {
        "reward_kind": "reward_model", "status": "scored", "reward": 0.75, "reason": None,
    }  # fmt: skip
    assert json.loads(ledger["s:broken/0"]["detail"])["status"] == "invalid"
    assert report["kinds"]["code"]["status"] == {"invalid": 1, "scored": 2}
    assert report["kinds"]["math"]["not_passed"] == {"another value": 1, "no \\boxed{} in the answer": 1}
    assert (report["kinds"]["reward_model"]["clipped"], report["kinds"]["reward_model"]["cut"]) == (1, 1)
    assert report["queries"] == {"all": 5, "with_responses": 4, "scored": 3}
    assert report["sandbox_tier"] == "bubblewrap+seccomp"


def test_what_cannot_be_judged_fails_the_stage_and_writes_nothing(run_score):
    def down(pairs):
        raise InfrastructureError("connection refused")

    with pytest.raises(InfrastructureError, match=r"2 of 3 .*2 of reward_model.*connection refused"):
        run_score(
            [query("s:a", "general_chat"), query("s:b", "math", ground_truth="1")],
            [*answers("s:a", "x", "y"), *answers("s:b", "z")],
            down,
        )
    assert not (run_score.folder / "out").exists()


def test_without_a_sandbox_no_program_is_wrong(run_score, no_sandbox):
    tests = json.dumps({"kind": "stdin", "cases": [{"stdin": "2", "stdout": "4"}]})
    with pytest.raises(MissingToolError, match="bwrap is not installed"):
        run_score(
            [query("s:code", "code", tests=tests)],
            answers("s:code", "\n```python\nprint(4)\n```\n", "\n```python\nprint(5)\n```\n"),
        )
    assert not (run_score.folder / "out").exists()


def test_a_response_to_nothing_is_named(run_score):
    with pytest.raises(DataError, match="answers 1 queries"):
        run_score([query("s:a", "math", ground_truth="1")], answers("s:lost", "x"))


def test_only_answered_queries_ask_for_a_reward_model(run_score):
    queries = [query("s:a", "math", ground_truth="1"), query("s:b", "general_chat")]
    run_score(queries, answers("s:a", "x"))
    paths = run_score.folder / "queries.parquet", run_score.folder / "responses.parquet"
    assert not needs_reward_model(*paths)
    write_rows(paths[1], answers("s:b", "x"), RESPONSE)
    assert needs_reward_model(*paths)
