"""Code of paper section 2.1. A row whose tests cannot be used is left out: nothing could verify it."""

import json
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa

from amt.errors import SourceError
from amt.sources.code_cases import (
    from_asserts,
    from_cases,
    from_inputs_and_outputs,
    from_pytest,
    from_stdin,
    private_cases,
)
from amt.sources.conversations import last_question, strip_prompt_suffix
from amt.sources.dataset import TEXT, TEXTS, TURNS, Dataset, LeftOut, Unified

_WITHOUT_TESTS = LeftOut("no_usable_tests")


def _json(text: str | None) -> Any:
    """None where there is no text, or no JSON."""
    try:
        return json.loads(text or "null")
    except (ValueError, RecursionError):
        return None


def _kodcode(row: dict[str, Any]) -> Unified | LeftOut:
    declared = (row["test_info"] or [{}])[0]
    tests = from_pytest(row["test"], declared.get("function_name"))
    if tests is None:
        return _WITHOUT_TESTS
    return Unified(
        query=strip_prompt_suffix(row["question"]),
        published_id=row["question_id"],
        origin=row["subset"],
        tests=tests,
        starter_code=declared.get("function_declaration"),
        reference_solution=row["solution"],
    )


KODCODE_V1 = Dataset(
    name="kodcode_v1",
    category="code",
    hub_id="KodCode/KodCode-V1",
    config="default",
    split="train",
    licence="cc-by-nc-4.0",
    columns=pa.schema(
        [
            ("version", TEXT),
            ("style", TEXT),
            ("subset", TEXT),
            ("question_id", TEXT),
            ("question", TEXT),
            ("solution", TEXT),
            ("test", TEXT),
            (
                "test_info",
                pa.list_(
                    pa.struct(
                        [
                            ("docstring", TEXT),
                            ("function_declaration", TEXT),
                            ("function_name", TEXT),
                            ("parameter_list", TEXT),
                        ]
                    )
                ),
            ),
            ("gpt_pass_sequence", pa.list_(pa.int64())),
            ("gpt_pass_trial_num", pa.int64()),
            ("gpt_difficulty", TEXT),
            ("gpt_pass_percentage", pa.float64()),
            ("trials", pa.struct([("trial_gpt4o_0", TEXT)])),
            ("chosen_trial", TEXT),
            ("metadata", pa.struct([("original_instruction", TEXT)])),
            ("benchmark_similarity", pa.float64()),
            ("benchmark_instruction", TEXT),
            ("benchmark_task_id", TEXT),
            ("filter_reason", TEXT),
        ]
    ),
    needs=("question_id", "question", "test", "test_info", "subset", "solution"),
    optional=("test_info.docstring", "test_info.parameter_list"),
    unify=_kodcode,
)


def _opencoder(row: dict[str, Any]) -> Unified | LeftOut:
    tests = from_asserts(row["testcase"], row["entry_point"])
    if tests is None:
        return _WITHOUT_TESTS
    return Unified(
        query=strip_prompt_suffix(row["instruction"]),
        published_id=row["seq_id"],
        tests=tests,
        reference_solution=row["code"],
    )


OPENCODER = Dataset(
    name="opencoder",
    category="code",
    hub_id="OpenCoder-LLM/opc-sft-stage2",
    config="educational_instruct",
    split="train",
    licence="mit",
    columns=pa.schema(
        [
            ("seq_id", pa.int64()),
            ("instruction", TEXT),
            ("output", TEXT),
            ("code", TEXT),
            ("entry_point", TEXT),
            ("testcase", TEXTS),
        ]
    ),
    needs=("seq_id", "instruction", "code", "entry_point", "testcase"),
    unify=_opencoder,
)


def _verifiable_coding(row: dict[str, Any]) -> Unified | LeftOut:
    verification = row["verification_info"] or {}
    if verification.get("language") != "python":
        return LeftOut("other_language")
    cases = verification.get("test_cases") or []
    if any(case is None or case["type"] != "stdin_stdout" for case in cases):
        return _WITHOUT_TESTS
    tests = from_stdin([(case["input"], case["output"]) for case in cases])
    if tests is None:
        return _WITHOUT_TESTS
    return Unified(
        query=strip_prompt_suffix(row["problem_statement"]),
        published_id=row["problem_id"],
        origin=row["source"],
        tests=tests,
        reference_solution=row["gold_standard_solution"],
    )


VERIFIABLE_CODING = Dataset(
    name="verifiable_coding",
    category="code",
    hub_id="open-r1/verifiable-coding-problems-python",
    config="default",
    split="train",
    licence="not declared",
    columns=pa.schema(
        [
            ("source", TEXT),
            ("task_type", TEXT),
            ("in_source_id", TEXT),
            ("problem_statement", TEXT),
            ("gold_standard_solution", TEXT),
            ("problem_id", TEXT),
            (
                "metadata",
                pa.struct(
                    [
                        ("difficulty", TEXT),
                        ("memory_limit", TEXT),
                        ("memory_limit_bytes", pa.int64()),
                        ("problem_url", TEXT),
                        ("time_limit", TEXT),
                    ]
                ),
            ),
            (
                "verification_info",
                pa.struct(
                    [
                        ("language", TEXT),
                        (
                            "test_cases",
                            pa.list_(pa.struct([("fn_name", TEXT), ("input", TEXT), ("output", TEXT), ("type", TEXT)])),
                        ),
                    ]
                ),
            ),
        ]
    ),
    needs=("source", "problem_statement", "gold_standard_solution", "problem_id", "verification_info"),
    optional=("verification_info.test_cases.fn_name",),
    unify=_verifiable_coding,
)


def _acecode(row: dict[str, Any]) -> Unified | LeftOut:
    tests = from_asserts(row["test_cases"])
    if tests is None:
        return _WITHOUT_TESTS
    # `inferences` are a weak model's answers: never a reference solution.
    return Unified(
        query=strip_prompt_suffix(row["question"]), published_id=row["id"], origin=row["source"], tests=tests
    )


ACECODE_87K = Dataset(
    name="acecode_87k",
    category="code",
    hub_id="TIGER-Lab/AceCode-87K",
    config="default",
    split="train",
    licence="mit",
    columns=pa.schema(
        [
            ("id", TEXT),
            ("source", TEXT),
            ("question", TEXT),
            ("test_cases", TEXTS),
            (
                "inferences",
                pa.list_(
                    pa.struct(
                        [
                            ("completion", TEXT),
                            ("completion_id", pa.int64()),
                            ("model_name", TEXT),
                            ("pass_rate", pa.float64()),
                        ]
                    )
                ),
            ),
            ("context_messages", pa.list_(TURNS)),
        ]
    ),
    needs=("id", "source", "question", "test_cases"),
    unify=_acecode,
)


def _prime(row: dict[str, Any]) -> Unified | LeftOut:
    if row["ability"] != "code":
        return LeftOut("other_subject")
    tests = from_inputs_and_outputs(_json((row["reward_model"] or {}).get("ground_truth")))
    if tests is None:
        return _WITHOUT_TESTS
    # The system prompt asks for a chain of ASSESS, ADVANCE and other actions: not ours.
    return Unified(
        query=last_question(row["prompt"]),
        published_id=(row["extra_info"] or {}).get("index"),
        origin=row["data_source"],
        tests=tests,
    )


PRIME_EURUS2 = Dataset(
    name="prime_eurus2",
    category="code",
    hub_id="PRIME-RL/Eurus-2-RL-Data",
    config="default",
    split="train",
    licence="mit",
    columns=pa.schema(
        [
            ("data_source", TEXT),
            ("prompt", TURNS),
            ("ability", TEXT),
            ("reward_model", pa.struct([("ground_truth", TEXT), ("style", TEXT)])),
            ("extra_info", pa.struct([("index", pa.int64()), ("split", TEXT)])),
        ]
    ),
    needs=("data_source", "prompt", "ability", "reward_model", "extra_info"),
    optional=("reward_model.style", "extra_info.split"),
    unify=_prime,
)


def _deepcoder(row: dict[str, Any]) -> Unified | LeftOut:
    published = _json(row["tests"])
    if isinstance(published, dict):
        tests = from_inputs_and_outputs(published)
    else:
        tests = from_cases(published, (row["metadata"] or {}).get("func_name"))
    if tests is None:
        return _WITHOUT_TESTS
    return Unified(
        query=strip_prompt_suffix(row["problem"]),
        tests=tests,
        starter_code=row["starter_code"] or None,
        reference_solution=(row["solutions"] or [None])[0],
    )


# Its configuration lcbv5 is LiveCodeBench up to July 2024; of its split test, which is the evaluation set, nothing.
DEEPCODER = Dataset(
    name="deepcoder",
    category="code",
    hub_id="agentica-org/DeepCoder-Preview-Dataset",
    config="primeintellect+taco+lcbv5",
    split="train",
    licence="mit",
    columns=pa.schema(
        [
            ("problem", TEXT),
            ("solutions", TEXTS),
            ("tests", TEXT),
            ("starter_code", TEXT),
            ("metadata", pa.struct([("func_name", TEXT)])),
        ]
    ),
    needs=("problem", "solutions", "tests", "starter_code", "metadata"),
    optional=("solutions", "starter_code", "metadata"),
    unify=_deepcoder,
)


def _livecodebench_day(row: dict[str, Any]) -> date | None:
    try:
        return date.fromisoformat((row["contest_date"] or "")[:10])
    except ValueError:
        return None


def _livecodebench(row: dict[str, Any]) -> Unified | LeftOut:
    public, metadata = _json(row["public_test_cases"]) or [], _json(row["metadata"]) or {}
    if not isinstance(public, list) or not isinstance(metadata, dict):
        return _WITHOUT_TESTS
    try:
        private = private_cases(row["private_test_cases"]) if row["private_test_cases"] else []
    except SourceError:
        return LeftOut("unreadable_tests")
    tests = from_cases(public + private, metadata.get("func_name"))
    if tests is None:
        return _WITHOUT_TESTS
    return Unified(
        query=strip_prompt_suffix(row["question_content"]),
        published_id=row["question_id"],
        origin=row["platform"],
        tests=tests,
        starter_code=row["starter_code"] or None,
    )


LIVECODEBENCH_GENERATION = Dataset(
    name="livecodebench_generation",
    category="code",
    hub_id="livecodebench/code_generation_lite",
    config=None,
    split="test",
    licence="cc",
    columns=pa.schema(
        [
            ("question_title", TEXT),
            ("question_content", TEXT),
            ("platform", TEXT),
            ("question_id", TEXT),
            ("contest_id", TEXT),
            ("contest_date", TEXT),
            ("starter_code", TEXT),
            ("difficulty", TEXT),
            ("public_test_cases", TEXT),
            ("private_test_cases", TEXT),
            ("metadata", TEXT),
        ]
    ),
    needs=(
        "question_content",
        "platform",
        "question_id",
        "contest_date",
        "starter_code",
        "public_test_cases",
        "private_test_cases",
        "metadata",
    ),
    unify=_livecodebench,
    contest_day=_livecodebench_day,
    # release_v5; its loading script is refused by datasets from version 4 on.
    files=("test.jsonl", "test2.jsonl", "test3.jsonl", "test4.jsonl", "test5.jsonl"),
)


def _codeforces_day(row: dict[str, Any]) -> date | None:
    try:
        return None if row["contest_start"] is None else datetime.fromtimestamp(row["contest_start"], UTC).date()
    except (ValueError, OverflowError, OSError):  # no time of our calendar
        return None


def _codeforces(row: dict[str, Any]) -> Unified | LeftOut:
    if row["interaction_format"]:
        return LeftOut("interactive")
    tests = from_stdin([(case["input"], case["output"]) for case in row["examples"] or []])
    if tests is None:
        return _WITHOUT_TESTS
    return Unified(
        query=strip_prompt_suffix(row["prompt"]), published_id=row["id"], origin=row["contest_type"], tests=tests
    )


# Several rows have one problem, each with another generation: `unique` keeps one.
CODEFORCES_COTS = Dataset(
    name="codeforces_cots",
    category="code",
    hub_id="open-r1/codeforces-cots",
    config="solutions_decontaminated",
    split="train",
    licence="cc-by-4.0",
    columns=pa.schema(
        [
            ("id", TEXT),
            ("aliases", TEXTS),
            ("contest_id", TEXT),
            ("contest_name", TEXT),
            ("contest_type", TEXT),
            ("contest_start", pa.int64()),
            ("contest_start_year", pa.int64()),
            ("index", TEXT),
            ("time_limit", pa.float64()),
            ("memory_limit", pa.float64()),
            ("title", TEXT),
            ("description", TEXT),
            ("input_format", TEXT),
            ("output_format", TEXT),
            ("interaction_format", TEXT),
            ("note", TEXT),
            ("examples", pa.list_(pa.struct([("input", TEXT), ("output", TEXT)]))),
            ("editorial", TEXT),
            ("prompt", TEXT),
            ("generation", TEXT),
            ("finish_reason", TEXT),
            ("api_metadata", pa.struct([("completion_tokens", pa.int64()), ("prompt_tokens", pa.int64())])),
            ("messages", TURNS),
        ]
    ),
    needs=("id", "contest_type", "contest_start", "interaction_format", "examples", "prompt"),
    unify=_codeforces,
    contest_day=_codeforces_day,
)


def _openthoughts(row: dict[str, Any]) -> Unified | LeftOut:
    published = _json(row["test_cases"])
    tests = from_inputs_and_outputs(published) if isinstance(published, dict) else None
    if tests is None:
        return _WITHOUT_TESTS
    return Unified(
        query=strip_prompt_suffix(row["problem"]),
        origin=row["source"],
        tests=tests,
        starter_code=row["starter_code"] or None,
        reference_solution=row["ground_truth_solution"],
    )


OPENTHOUGHTS_CODE = Dataset(
    name="openthoughts_code",
    category="code",
    hub_id="open-r1/OpenThoughts-114k-Code_decontaminated",
    config="default",
    split="train",
    licence="apache-2.0",
    columns=pa.schema(
        [
            ("problem", TEXT),
            ("deepseek_reasoning", TEXT),
            ("deepseek_solution", TEXT),
            ("ground_truth_solution", TEXT),
            ("domain", TEXT),
            ("source", TEXT),
            ("test_cases", TEXT),
            ("starter_code", TEXT),
            ("num_tokens", pa.int64()),
            ("messages", TURNS),
            ("prompt", TEXT),
            ("final_reasoning_trace", TEXT),
        ]
    ),
    needs=("problem", "source", "test_cases", "starter_code", "ground_truth_solution"),
    unify=_openthoughts,
)
