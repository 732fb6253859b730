"""The evaluation sets of paper section 5.1.1 from the hub, in the schema of all queries.

hub_id and kind say how a set is read: `math` has a problem and an answer, `code` is LiveCodeBench (JSONL files,
release and window), `arena` is Arena-Hard (questions and the baseline model's answers), `instructions` is IFEval.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from amt.errors import SourceError
from amt.params import Benchmark, Window
from amt.rows import QUERY, canonical_json, row_id, write_rows
from amt.sources.code_cases import from_cases, private_cases
from amt.sources.reading import hub_errors, json_rows

ARENA_QUESTIONS = "data/arena-hard-v0.1/question.jsonl"
ARENA_BASELINE = "data/arena-hard-v0.1/model_answer/gpt-4-0314.jsonl"
LIVECODEBENCH_FILES = {
    f"release_v{number}": ["test.jsonl", *(f"test{part}.jsonl" for part in range(2, number + 1))]
    for number in range(1, 7)
}
_LIVECODEBENCH_FIELDS = ("question_id", "question_content", "contest_date", "starter_code", "public_test_cases",
                         "private_test_cases", "metadata")  # fmt: skip


def write_hub_benchmark(name: str, settings: Benchmark, path: Path) -> None:
    """Read the set at its pinned revision and write its questions.

    Raises:
        SourceError: no revision, no network, or the set lacks what is needed.
    """
    if settings.revision is None or settings.hub_id is None:
        raise SourceError(
            f"benchmarks.{name} has origin hub but no hub_id or revision: a score must not depend on the day. "
            f"Set benchmarks.{name}.revision to a commit of {settings.hub_id or 'the dataset'}, of which "
            f"`git ls-remote https://huggingface.co/datasets/{settings.hub_id or 'ID'} HEAD` prints the newest."
        )
    read: dict[str, Callable[[str, Benchmark], list[dict[str, Any]]]] = {
        "math": _math_rows,
        "code": _livecodebench_rows,
        "arena": _arena_rows,
        "instructions": _ifeval_rows,
    }
    rows = read[settings.kind](name, settings)
    if settings.questions is not None:
        rows = rows[: settings.questions]
    if not rows:
        raise SourceError(f"benchmarks.{name}: no question of {settings.hub_id} is left at {settings.revision}.")
    write_rows(path, rows, QUERY)


def question_row(name: str, category: str, published_id: Any, query: str, **fields: Any) -> dict[str, Any]:
    """A row of amt.rows.QUERY; fields that are not given are null."""
    empty = dict.fromkeys(QUERY.names)
    return empty | {
        "row_id": row_id(name, published_id),
        "source": name,
        "category": category,
        "origin": str(published_id),
        "query": query,
        "messages": canonical_json([{"role": "user", "content": query}]),
        **fields,
    }


# --- mathematics -------------------------------------------------------------------------------------------


def _math_rows(name: str, settings: Benchmark) -> list[dict[str, Any]]:
    return math_questions(name, settings.hub_id, _hub_rows(name, settings))


def math_questions(name: str, hub_id: str, published: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of {problem, answer, id or unique_id}; an answer such as "033" keeps its form."""
    rows = []
    for number, row in enumerate(published):
        _check_columns(name, hub_id, row, ("problem", "answer"))
        published_id = row.get("id", row.get("unique_id", number))
        answer = str(row["answer"]).strip()
        rows.append(question_row(name, "math", published_id, row["problem"].strip(), ground_truth=answer))
    return rows


# --- code --------------------------------------------------------------------------------------------------


def livecodebench_question(name: str, row: dict[str, Any]) -> dict[str, Any]:
    """One published row; call cases where the metadata name a function, else stdin cases.

    `query` is what was published, by which copies of it are found; `messages` is how a model is asked.
    """
    where = f"benchmarks.{name}: the test cases of question {row['question_id']} cannot be read"
    try:
        cases = json.loads(row["public_test_cases"]) + private_cases(row["private_test_cases"])
        entry_point = json.loads(row["metadata"] or "{}").get("func_name")
    except (SourceError, ValueError, TypeError, AttributeError) as error:
        raise SourceError(f"{where} ({error}).") from None
    tests = from_cases(cases, entry_point)
    if tests is None:
        raise SourceError(f"{where}.")
    return question_row(
        name,
        "code",
        row["question_id"],
        row["question_content"],
        messages=canonical_json([{"role": "user", "content": _livecodebench_prompt(row, entry_point)}]),
        tests=canonical_json(tests),
        starter_code=row["starter_code"] or None,
    )


def _livecodebench_prompt(row: dict[str, Any], entry_point: str | None) -> str:
    """The question, what to write, and a code block to fill in [5.1.3]: what LiveCodeBench's own prompt says."""
    if entry_point:
        wanted = f"Solve it by completing this code; `{entry_point}` is what will be called. Give all of the code"
        code = row["starter_code"]
    else:
        wanted = (
            "Solve it with a Python program that reads the input from stdin and writes the answer to stdout, and that "
            "runs as it is, without the sample inputs in it. Give the program"
        )
        code = "# the program"
    return f"{row['question_content']}\n\n{wanted} in one code block like this:\n\n```python\n{code}\n```"


def livecodebench_questions(
    name: str, file: str, published: Iterable[dict[str, Any]], window: Window | None
) -> Iterator[dict[str, Any]]:
    """The rows of one file that were published within the window."""
    for row in published:
        if missing := [field for field in _LIVECODEBENCH_FIELDS if field not in row]:
            raise SourceError(f"benchmarks.{name}: {file} lacks {', '.join(missing)} (it has: {', '.join(row)}).")
        day = str(row["contest_date"])[:10]
        if window is None or str(window.first) <= day <= str(window.last):
            yield livecodebench_question(name, row)


def _livecodebench_rows(name: str, settings: Benchmark) -> list[dict[str, Any]]:
    release = settings.hub_config or "release_v5"
    if release not in LIVECODEBENCH_FILES:
        known = ", ".join(LIVECODEBENCH_FILES)
        raise SourceError(f"benchmarks.{name}.hub_config is {release!r}; LiveCodeBench has {known}.")
    return [
        question
        for file in LIVECODEBENCH_FILES[release]
        for question in livecodebench_questions(name, file, _hub_lines(name, settings, file), settings.window)
    ]


# --- arena -------------------------------------------------------------------------------------------------


def arena_questions(name: str, questions: list[dict[str, Any]], baseline: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Questions with the baseline's answer; both the layouts before and after April 2025 are read."""
    answers = {}
    for said in baseline:
        if "messages" in said:
            answers[said["uid"]] = said["messages"][-1]["content"]["answer"]
        else:
            answers[said["question_id"]] = said["choices"][0]["turns"][0]["content"]
    rows = []
    for question in questions:
        uid = question.get("uid") or question["question_id"]
        prompt = question["prompt"] if "prompt" in question else question["turns"][0]["content"]
        if uid not in answers:
            raise SourceError(f"benchmarks.{name}: question {uid} has no baseline answer in {ARENA_BASELINE}.")
        rows.append(question_row(name, "general_chat", uid, prompt, reference_solution=answers[uid]))
    return rows


def _arena_rows(name: str, settings: Benchmark) -> list[dict[str, Any]]:
    questions = list(_hub_lines(name, settings, ARENA_QUESTIONS))
    return arena_questions(name, questions, list(_hub_lines(name, settings, ARENA_BASELINE)))


# --- instructions ------------------------------------------------------------------------------------------


def ifeval_questions(name: str, hub_id: str, published: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of {key, prompt, instruction_id_list, kwargs}; arguments that are null are left out."""
    rows = []
    for row in published:
        _check_columns(name, hub_id, row, ("key", "prompt", "instruction_id_list", "kwargs"))
        given = [{key: value for key, value in (kwargs or {}).items() if value is not None} for kwargs in row["kwargs"]]
        instructions = canonical_json({"instruction_id_list": row["instruction_id_list"], "kwargs": given})
        rows.append(question_row(name, "instruction_follow", row["key"], row["prompt"], instructions=instructions))
    return rows


def _ifeval_rows(name: str, settings: Benchmark) -> list[dict[str, Any]]:
    return ifeval_questions(name, settings.hub_id, _hub_rows(name, settings))


# --- the hub -----------------------------------------------------------------------------------------------


def _hub_rows(name: str, settings: Benchmark) -> list[dict[str, Any]]:
    """All rows of the split train, or of test where there is no other."""
    import datasets

    try:
        splits = datasets.load_dataset(settings.hub_id, settings.hub_config, revision=settings.revision)
    except hub_errors() as error:
        raise _unreadable(name, settings, error) from error
    if not (found := [split for split in ("train", "test") if split in splits]):
        raise SourceError(
            f"benchmarks.{name}: {settings.hub_id} has neither a split train nor test (it has: {', '.join(splits)})."
        )
    return list(splits[found[0]])


def _check_columns(name: str, hub_id: str, row: dict[str, Any], needed: tuple[str, ...]) -> None:
    if missing := [column for column in needed if column not in row]:
        raise SourceError(f"benchmarks.{name}: {hub_id} lacks column {', '.join(missing)} (it has: {', '.join(row)}).")


def _hub_lines(name: str, settings: Benchmark, file: str) -> Iterator[dict[str, Any]]:
    from huggingface_hub import hf_hub_download

    try:
        local = hf_hub_download(settings.hub_id, file, repo_type="dataset", revision=settings.revision)
    except hub_errors() as error:
        raise _unreadable(name, settings, error) from error
    yield from json_rows(local)


def _unreadable(name: str, settings: Benchmark, error: Exception) -> SourceError:
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return SourceError(
        f"benchmarks.{name}: {settings.hub_id} cannot be read at {settings.revision}: {reason}. Check the network, "
        f"HF_TOKEN where the dataset is gated, and benchmarks.{name}.revision in params.yaml."
    )
