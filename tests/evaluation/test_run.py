"""Grading and summary of hand-made generations; the summaries are worked out by hand."""

import json

import pytest

from amt.errors import DataError, InfrastructureError, MissingToolError
from amt.evaluation.benchmarks import Questions, load_questions, question_messages
from amt.evaluation.run import context_length, grade, summarise
from amt.evaluation.sft_curve import checkpoints, length_and_stop
from amt.params import Benchmark, load
from amt.placement import Placement
from amt.rollout.server import Generation, Request
from amt.rows import QUERY, write_rows

RECIPE = load("params.yaml")


def _benchmark(kind="math", samples=2):
    return Benchmark(
        kind=kind, origin="standin", hub_id=None, hub_config=None, revision=None, window=None, questions=2,
        samples=samples, prompt_suffix="", evaluate=True,
    )  # fmt: skip


def _question(row_id, ground_truth="4", **cells):
    query = f"Question {row_id}"
    messages = json.dumps([{"role": "user", "content": query}])
    empty = dict.fromkeys(QUERY.names)
    return {
        **empty, "row_id": row_id, "source": "aime_like", "category": "math", "query": query, "messages": messages,
        "ground_truth": ground_truth, **cells,
    }  # fmt: skip


def _answer(row_id, sample, answer="4", tokens=10, finish_reason="stop", **judgement):
    return {
        "benchmark": "aime_like", "row_id": row_id, "sample": sample, "seed": 1,
        "response": f"<think>x</think><answer>\\boxed{{{answer}}}</answer>", "tokens": tokens,
        "finish_reason": finish_reason, **judgement,
    }  # fmt: skip


def _scored(row_id, sample, reward, **cells):
    return _answer(row_id, sample, status="scored", reward=reward, reason=None, **cells)


QUESTIONS = Questions("aime_like", _benchmark(), [_question("a"), _question("b")])


def test_summary_by_hand():
    rows = [
        _scored("a", 0, 1.0, tokens=10),
        _scored("a", 1, 0.0, tokens=30, finish_reason="length"),
        _scored("b", 0, 0.0, tokens=20),
        _answer("b", 1, tokens=20, status="error", reward=None, reason="worker died"),
    ]
    scores = summarise("sft", rows, [QUESTIONS], 0.95)
    summary = scores["benchmarks"]["aime_like"]
    assert summary["pass_at_1"] == 0.25  # a: 1/2; b: 0 of the one sample that was judged
    assert summary["by_question"] == [["a", 0.5], ["b", 0.0]]
    assert summary["statuses"] == {"scored": 3, "invalid": 0, "error": 1}
    assert summary["reasons"] == {"worker died": 1}
    assert (summary["mean_tokens"], summary["stop_ratio"]) == (20.0, 0.75)
    assert summary["standard_error"] == pytest.approx(0.25)  # means 1/2 and 0: variance 1/8, over 2 questions
    json.dumps(scores)


def test_a_missing_sample_is_an_error_and_not_a_wrong_answer():
    rows = [_scored("a", 0, 1.0), _scored("a", 1, 1.0), _scored("b", 0, 1.0)]
    with pytest.raises(DataError, match=r"2 questions x 2 samples make 4 generations, found 3"):
        summarise("sft", rows, [QUESTIONS], 0.95)


def test_a_sample_counted_twice_does_not_fill_a_gap():
    rows = [_scored("a", 0, 1.0), _scored("a", 1, 1.0), _scored("b", 0, 1.0), _scored("b", 0, 1.0)]
    with pytest.raises(DataError, match="found 4"):
        summarise("sft", rows, [QUESTIONS], 0.95)


@pytest.mark.parametrize(("status", "error"), [("error", InfrastructureError), ("invalid", DataError)])
def test_a_question_of_which_nothing_could_be_judged_stops_the_evaluation(status, error):
    blank = [_answer("b", n, status=status, reward=None, reason="why") for n in (0, 1)]
    with pytest.raises(error, match="1 of 2 questions could be judged"):
        summarise("sft", [_scored("a", 0, 1.0), _scored("a", 1, 1.0), *blank], [QUESTIONS], 0.95)


def test_unreadable_verdicts_of_an_arena_are_counted():
    arena = Questions("arena_like", _benchmark("arena", samples=1), QUESTIONS.rows)
    rows = [
        _scored("a", 0, 0.75) | {"benchmark": "arena_like", "games": 4},
        _answer("b", 0, status="invalid", reward=None, reason="2 of 2 verdicts unreadable")
        | {"benchmark": "arena_like"},
    ]
    summary = summarise("sft", rows, [arena], 0.95)["benchmarks"]["arena_like"]
    assert (summary["pass_at_1"], summary["questions"], summary["questions_scored"]) == (0.75, 2, 1)
    assert summary["statuses"]["invalid"] == 1
    rows[0]["reason"] = "1 of 2 verdicts unreadable"  # scored by the other
    summary = summarise("sft", rows, [arena], 0.95)["benchmarks"]["arena_like"]
    assert summary["reasons"] == {"1 of 2 verdicts unreadable": 1, "2 of 2 verdicts unreadable": 1}


def test_the_games_of_all_answers_to_an_arena_are_pooled():
    """As Arena-Hard does: six games won by clear verdicts and two lost make 6/8, where the answers' mean is 1/2."""
    arena = Questions("arena_like", _benchmark("arena", samples=1), QUESTIONS.rows)
    rows = [
        _scored("a", 0, 1.0) | {"benchmark": "arena_like", "games": 6},
        _scored("b", 0, 0.0) | {"benchmark": "arena_like", "games": 2},
    ]
    summary = summarise("sft", rows, [arena], 0.95)["benchmarks"]["arena_like"]
    assert summary["pass_at_1"] == 0.75
    # Of a ratio of sums, linearised: residuals 6 - 6 * 0.75 and 0 - 2 * 0.75 games, over a mean of 4 games:
    # 3/8 and -3/8, variance 9/32, over 2 questions.
    assert summary["standard_error"] == pytest.approx(0.375)


def test_math_is_graded_against_the_ground_truth():
    questions = Questions("aime_like", _benchmark(), [_question("a", "1/2"), _question("b", "7")])
    rows = [_answer("b", 1, "7"), _answer("a", 0, "0.5"), _answer("a", 1, "2"), _answer("b", 0, "8")]
    graded = grade(
        rows, [questions], sandbox=RECIPE.sandbox, score=RECIPE.score, placement=Placement(), judge=None,
        judge_settings=RECIPE.endpoints.arena_judge, recipe_seed=1,
    )  # fmt: skip
    found = [(row["row_id"], row["sample"], row["status"], row["reward"]) for row in graded]
    assert found == [("a", 0, "scored", 1.0), ("a", 1, "scored", 0.0), ("b", 0, "scored", 0.0), ("b", 1, "scored", 1.0)]


PROGRAM = "<think>x</think><answer>\n```python\nprint(5)\n```\n</answer>"
TESTS = json.dumps({"kind": "stdin", "cases": [{"stdin": "", "stdout": "4"}]})


@pytest.fixture
def grade_code():
    question = _question("a", None, category="code", tests=TESTS)
    rows = [_answer("a", sample) | {"response": PROGRAM} for sample in range(2)]

    def run(**sandbox):
        return grade(
            rows, [Questions("aime_like", _benchmark("code"), [question])],
            sandbox=RECIPE.sandbox.model_copy(update=sandbox), score=RECIPE.score, placement=Placement(), judge=None,
            judge_settings=RECIPE.endpoints.arena_judge, recipe_seed=1,
        )  # fmt: skip

    return run


def test_without_a_sandbox_no_program_is_wrong(grade_code, no_sandbox):
    with pytest.raises(MissingToolError, match="bwrap is not installed"):
        grade_code()


def test_a_sandbox_that_judges_wrongly_stops_the_evaluation(grade_code):
    """It lets no result out: every program would be wrong. Its canary is not judged as it must be."""
    assert [row["reward"] for row in grade_code()] == [0.0, 0.0]
    with pytest.raises(InfrastructureError, match=r"2 of 2 responses could not be judged.*the code reward is broken"):
        grade_code(output_bytes=1)


def test_the_suffix_goes_to_the_last_user_turn():
    turns = [
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "two"},
        {"role": "user", "content": "three"},
    ]
    row = {"messages": json.dumps(turns)}
    assert question_messages(row, "") == turns
    assert question_messages(row, r"in \box{}.") == [*turns[:2], {"role": "user", "content": "three\nin \\box{}."}]


def _followed(*names):
    return json.dumps({"instruction_id_list": list(names), "kwargs": [{}] * len(names)})


def test_ifeval_by_prompt_and_by_instruction_strict_and_loose():
    """Three prompts with four instructions: strictly one prompt and two instructions, loosely two and three."""
    asked = [
        _question("a", category="instruction_follow", instructions=_followed("punctuation:no_comma")),
        _question("b", category="instruction_follow", instructions=_followed("startend:quotation")),
        _question(
            "c", category="instruction_follow",
            instructions=_followed("punctuation:no_comma", "detectable_format:json_format"),
        ),
    ]  # fmt: skip
    questions = Questions("ifeval", _benchmark("instructions", samples=1), asked)
    said = {"a": "No commas.", "b": 'Sure:\n"all of it"', "c": "No commas but no JSON."}
    rows = [
        _answer(row_id, 0) | {"benchmark": "ifeval", "response": f"<think>a, b</think><answer>{answer}</answer>"}
        for row_id, answer in said.items()
    ]
    graded = grade(
        rows, [questions], sandbox=RECIPE.sandbox, score=RECIPE.score, placement=Placement(), judge=None,
        judge_settings=RECIPE.endpoints.arena_judge, recipe_seed=1,
    )  # fmt: skip
    summary = summarise("sft", graded, [questions], 0.95)["benchmarks"]["ifeval"]
    assert summary["pass_at_1"] == pytest.approx(1 / 3)
    assert summary["instructions"] == {
        "prompt_strict": pytest.approx(1 / 3),
        "instruction_strict": 0.5,
        "prompt_loose": pytest.approx(2 / 3),
        "instruction_loose": 0.75,
    }


def test_instructions_of_a_benchmark_are_checked_before_a_model_is_asked(tmp_path):
    file = tmp_path / "ifeval.parquet"
    write_rows(file, [_question("a", instructions=_followed("punctuation:no_colon"))], QUERY)
    with pytest.raises(
        DataError, match="question a cannot be checked: unknown instruction type 'punctuation:no_colon'"
    ):
        load_questions([file], {"ifeval": _benchmark("instructions")})


def test_benchmark_files_are_checked(tmp_path):
    declared = {"aime_like": _benchmark(), "arena_like": _benchmark("arena")}
    file = tmp_path / "arena_like.parquet"
    write_rows(file, [_question("a", reference_solution="base"), _question("b")], QUERY)
    with pytest.raises(DataError, match="1 of 2 questions have no baseline answer"):
        load_questions([file], declared)
    stray = tmp_path / "other.parquet"
    write_rows(stray, [_question("a")], QUERY)
    with pytest.raises(DataError, match="other is not under benchmarks"):
        load_questions([stray], declared)
    empty = tmp_path / "aime_like.parquet"
    write_rows(empty, [], QUERY)
    with pytest.raises(DataError, match="holds no question"):
        load_questions([empty], declared)


def test_context_of_the_model_is_checked_before_a_server_starts(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"max_position_embeddings": 100}))
    assert context_length(tmp_path, [Request([1] * 40, 1, 60), Request([1] * 10, 1, 60)]) == 100
    with pytest.raises(DataError, match=r"prompt of 41 tokens .* evaluation.max_tokens .* at most 59"):
        context_length(tmp_path, [Request([1] * 41, 1, 60)])


def test_checkpoints_come_in_order_of_training(tmp_path):
    for name in ("step_000900", "step_001000", "step_000005", "step_x", ".step_000007.partial-1"):
        (tmp_path / "checkpoints" / name).mkdir(parents=True)
    assert [step for step, _ in checkpoints(tmp_path)] == [5, 900, 1000]
    with pytest.raises(DataError, match="holds no step_"):
        checkpoints(tmp_path / "none")


def test_length_and_stop_ratio():
    generations = [
        Generation([1, 2, 3], [0.0] * 3, "stop"),
        Generation([1] * 9, [0.0] * 9, "length"),
        Generation([1, 2, 3], [0.0] * 3, "stop"),
    ]
    assert length_and_stop(generations) == {"mean_tokens": 5.0, "stop_ratio": pytest.approx(2 / 3)}
