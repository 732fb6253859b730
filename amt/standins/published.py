"""Sample rows in the published schema of each dataset: every column, of the right type, with its traps.

A writer gets a Draft (what the row asks and what it claims) and a random stream for the columns that decide
nothing (ids, difficulties, dates).
"""

import base64
import json
import pickle
import random
import zlib
from dataclasses import dataclass, field
from typing import Any

from amt.standins.choices import LETTERS, split_options
from amt.standins.phrasing import Problem


@dataclass
class Draft:
    """One row before it takes its dataset's form."""

    source: str
    problem: Problem
    """Its query is the text that is published."""
    claimed: str
    """The answer that the dataset states: wrong where that is the planted fault."""
    fault: str | None = None
    copy_of: "Draft | None" = None
    copied: bool = False
    """Another row is a copy of this one."""
    question: int | None = None
    """Number of the benchmark question that leaks."""
    benchmark: str | None = None
    earlier: list[tuple[str, str]] = field(default_factory=list)
    """Earlier turns of a conversation: (user, assistant)."""
    index: int = -1


def _id(rng: random.Random, digits: int = 32) -> str:
    return f"{rng.getrandbits(4 * digits):0{digits}x}"


def _uuid(rng: random.Random) -> str:
    digits = _id(rng)
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _turns(draft: Draft, reply: str) -> list[dict[str, str]]:
    turns = []
    for user, assistant in [*draft.earlier, (draft.problem.query, reply)]:
        turns += [{"content": user, "role": "user"}, {"content": assistant, "role": "assistant"}]
    return turns


def _is_proof(draft: Draft) -> bool:
    return draft.fault == "proof"


def _solution(draft: Draft) -> str:
    """A worked solution that ends in the claimed answer; a proof has no answer."""
    if _is_proof(draft):
        return "This is true for all numbers. That was to be shown."
    return rf"{draft.problem.working} The answer is \boxed{{{draft.claimed}}}."


# --- mathematics -------------------------------------------------------------------------------------------

ASKING_FOR_A_BOX = r" Please reason step by step, and put your final answer within \boxed{}."


def openr1_math_220k(draft: Draft, rng: random.Random) -> dict[str, Any]:
    generations = [f"<think>\n{draft.problem.working}\n</think>\n\n{_solution(draft)}"] * rng.choice((1, 2))
    right = draft.fault != "wrong_ground_truth"
    kind = "proof" if _is_proof(draft) else "MCQ" if draft.problem.options else "math-word-problem"
    return {
        "problem": draft.problem.query,
        "solution": _solution(draft),
        "answer": "proof" if _is_proof(draft) else draft.claimed,
        "problem_type": rng.choice(("Algebra", "Number Theory", "Other")),
        "question_type": kind,
        "source": rng.choice(("olympiads", "cn_contest", "amc_aime")),
        "uuid": _uuid(rng),
        "is_reasoning_complete": [True] * len(generations),
        "generations": generations,
        "correctness_math_verify": [right] * len(generations),
        "correctness_llama": rng.choice((None, [right] * len(generations))),
        "finish_reasons": rng.choice((None, ["stop"] * len(generations))),
        "correctness_count": len(generations) if right else 0,
        "messages": _turns(draft, generations[0]),
    }


def big_math_rl_verified(draft: Draft, rng: random.Random) -> dict[str, Any]:
    suffix = ASKING_FOR_A_BOX if rng.random() < 0.1 else ""
    return {
        "problem": draft.problem.query + suffix,
        "answer": draft.claimed,
        "source": rng.choice(("orca_math", "cn_k12", "gsm8k")),
        "domain": [rng.choice(("Mathematics -> Algebra -> Prealgebra", "Mathematics -> Number Theory"))],
        "llama8b_solve_rate": rng.choice((None, round(rng.random(), 6))),
    }


def numinamath(draft: Draft, rng: random.Random) -> dict[str, Any]:
    return {
        "source": rng.choice(("orca_math", "cn_k12", "synthetic_math", "olympiads")),
        "problem": draft.problem.query,
        "solution": _solution(draft),
        "messages": _turns(draft, _solution(draft)),
    }


def metamathqa(draft: Draft, rng: random.Random) -> dict[str, Any]:
    return {
        "type": rng.choice(("GSM_Rephrased", "GSM_AnsAug", "MATH_Rephrased")),
        "query": draft.problem.query,
        "original_question": draft.problem.query,
        "response": f"{draft.problem.working}\n#### {draft.claimed}\nThe answer is: {draft.claimed}",
    }


def deepmath_103k(draft: Draft, rng: random.Random) -> dict[str, Any]:
    response = f"<think>\n{draft.problem.working}\n</think>\n{_solution(draft)}"
    return {
        "question": draft.problem.query,
        "final_answer": draft.claimed,
        "difficulty": float(rng.randint(1, 9)),
        "topic": rng.choice(("Mathematics -> Algebra -> Prealgebra", "Mathematics -> Applied Mathematics")),
        **{f"r1_solution_{number}": response for number in (1, 2, 3)},
    }


def aime_1983_2024(draft: Draft, rng: random.Random) -> dict[str, Any]:
    """ID, year and number are given to the rows in their order, see planting.number_aime."""
    return {
        "ID": "",
        "Year": 0,
        "Problem Number": 0,
        "Question": draft.problem.query,
        "Answer": draft.claimed,
        "Part": None,
    }


def data_ablation_full59k(draft: Draft, rng: random.Random) -> dict[str, Any]:
    """Its solution is a final answer in some rows, a whole solution in others."""
    return {
        "solution": draft.claimed if rng.random() < 0.5 else _solution(draft),
        "question": draft.problem.query,
        "cot_type": "science" if draft.fault == "other_subject" else "math",
        "source_type": rng.choice(("qq8933/AIME_1983_2024", "AI-MO/NuminaMath-CoT/olympiads", "Hothan/OlympiadBench")),
        "metadata": json.dumps({"level": rng.randint(1, 5)}),
        "cot": None,
        "thinking_trajectories": [draft.problem.working],
        "attempt": _solution(draft),
    }


def amc_2023(draft: Draft, rng: random.Random) -> dict[str, Any]:
    return {
        "id": draft.index,
        "problem": draft.problem.query,
        "answer": float(draft.claimed),
        "url": f"https://artofproblemsolving.com/wiki/index.php/2023_AMC_12A_Problems/Problem_{draft.index % 25 + 1}",
    }


# --- code --------------------------------------------------------------------------------------------------


def _asserts(problem: Problem) -> list[str]:
    tests = problem.tests or {}
    name = tests["entry_point"]
    return [f"assert {name}({', '.join(map(repr, case['args']))}) == {case['expected']!r}" for case in tests["cases"]]


def kodcode_v1(draft: Draft, rng: random.Random) -> dict[str, Any]:
    problem = draft.problem
    name = problem.tests["entry_point"]
    functions = [
        f"def test_{name}_{number}():\n    {statement}" for number, statement in enumerate(_asserts(problem), start=1)
    ]
    head = problem.answer.splitlines()[0]
    passed = rng.randint(1, 10)
    return {
        "version": "v1.0",
        "style": "instruct",
        "subset": rng.choice(("Prefill", "Algorithm", "Evol")),
        "question_id": f"Prefill_{_id(rng, 8)}_I",
        "question": problem.query,
        "solution": problem.answer,
        "test": "\n\n".join([f"from solution import {name}", *functions]) + "\n",
        "test_info": [
            {
                "docstring": "",
                "function_declaration": head,
                "function_name": name,
                "parameter_list": head[head.index("(") : head.index(")") + 1],
            }
        ],
        "gpt_pass_sequence": [1] * passed + [0] * (10 - passed),
        "gpt_pass_trial_num": passed,
        "gpt_difficulty": "easy" if passed > 6 else "medium" if passed > 3 else "hard",
        "gpt_pass_percentage": passed / 10,
        "trials": {"trial_gpt4o_0": problem.answer},
        "chosen_trial": "gpt4o_0",
        "metadata": {"original_instruction": problem.query},
        "benchmark_similarity": round(0.3 * rng.random(), 4),
        "benchmark_instruction": "Write a function that adds two numbers.",
        "benchmark_task_id": f"HumanEval/{rng.randint(0, 163)}",
        "filter_reason": None,
    }


def opencoder(draft: Draft, rng: random.Random) -> dict[str, Any]:
    problem = draft.problem
    statements = _asserts(problem)[:3]
    if rng.random() < 0.05:
        # Not a call compared with a literal: it stays an assert.
        statements[-1] = statements[-1].replace(" == ", " in [") + "]"
    return {
        "seq_id": rng.getrandbits(40),
        "instruction": problem.query,
        "output": problem.final,
        "code": problem.answer,
        "entry_point": problem.tests["entry_point"],
        "testcase": statements,
    }


def verifiable_coding(draft: Draft, rng: random.Random) -> dict[str, Any]:
    problem = draft.problem
    return {
        "source": rng.choice(("apps", "taco", "code_contests")),
        "task_type": "verifiable_code",
        "in_source_id": str(rng.randint(1, 99999)),
        "problem_statement": problem.query,
        "gold_standard_solution": problem.answer,
        "problem_id": f"vfc_{_id(rng, 6)}",
        "metadata": {
            "difficulty": rng.choice(("easy", "medium", None)),
            "memory_limit": rng.choice(("256 megabytes", None)),
            "memory_limit_bytes": rng.choice((256_000_000, None)),
            "problem_url": None,
            "time_limit": rng.choice(("1 second", None)),
        },
        "verification_info": {
            "language": "python",
            "test_cases": [
                {"fn_name": None, "input": case["stdin"], "output": case["stdout"], "type": "stdin_stdout"}
                for case in problem.tests["cases"]
            ],
        },
    }


def acecode_87k(draft: Draft, rng: random.Random) -> dict[str, Any]:
    problem = draft.problem
    rate = round(rng.random(), 2)
    return {
        "id": f"oss_{rng.getrandbits(32)}",
        "source": rng.choice(("oss", "evol", "stack_python_fns")),
        "question": problem.query,
        "test_cases": _asserts(problem),
        "inferences": [
            {
                "completion": problem.final if rng.random() < rate else "```python\npass\n```",
                "completion_id": number,
                "model_name": "qwen_coder_2.5_7b_instruct",
                "pass_rate": rate,
            }
            for number in range(2)
        ],
        "context_messages": [[{"content": problem.query, "role": "user"}]],
    }


def _inputs_and_outputs(problem: Problem, rng: random.Random) -> dict[str, Any]:
    """As APPS and TACO write them: a result in a list of its own or not; arguments as lists or as lines of JSON."""
    tests = problem.tests
    if tests["kind"] == "stdin":
        return {"inputs": [case["stdin"] for case in tests["cases"]], "outputs": [c["stdout"] for c in tests["cases"]]}
    as_text, in_lists = rng.random() < 0.5, rng.random() < 0.5
    results = [[case["expected"]] if in_lists else case["expected"] for case in tests["cases"]]
    return {
        "fn_name": tests["entry_point"],
        "inputs": ["\n".join(map(json.dumps, case["args"])) if as_text else case["args"] for case in tests["cases"]],
        "outputs": list(map(json.dumps, results)) if as_text else results,
    }


def _cases(problem: Problem) -> list[dict[str, Any]]:
    """As LiveCodeBench writes them."""
    if problem.tests["kind"] == "stdin":
        cases = [(case["stdin"], case["stdout"]) for case in problem.tests["cases"]]
        return [{"input": given, "output": expected, "testtype": "stdin"} for given, expected in cases]
    return [
        {
            "input": "\n".join(map(json.dumps, case["args"])),
            "output": json.dumps(case["expected"]),
            "testtype": "functional",
        }
        for case in problem.tests["cases"]
    ]


ASKING_FOR_CODE = (
    "\n\nWrite Python code to solve the problem. Present the code in \n```python\nYour code\n```\nat the end."
)


def prime_eurus2(draft: Draft, rng: random.Random) -> dict[str, Any]:
    is_math = draft.fault == "other_subject"
    tests = json.dumps(_inputs_and_outputs(draft.problem, rng))
    return {
        "data_source": "numina_olympiads" if is_math else rng.choice(("apps", "taco", "codecontests", "codeforces")),
        "prompt": [
            {"content": "When tackling complex reasoning tasks, you have access to these actions: ASSESS, ADVANCE.",
             "role": "system"},
            {"content": draft.problem.query + ASKING_FOR_CODE, "role": "user"},
        ],
        "ability": "math" if is_math else "code",
        "reward_model": {"ground_truth": draft.problem.answer if is_math else tests, "style": "rule"},
        "extra_info": {"index": draft.index, "split": "train"},
    }  # fmt: skip


def deepcoder(draft: Draft, rng: random.Random) -> dict[str, Any]:
    """Its configurations publish tests in two forms, and only one of them the name of the function apart."""
    problem = draft.problem
    is_taco = rng.random() < 0.4
    return {
        "problem": problem.query,
        "solutions": [f"```python\n{problem.answer}\n```"] if rng.random() < 0.8 else None,
        "tests": json.dumps(_inputs_and_outputs(problem, rng) if is_taco else _cases(problem)),
        "starter_code": None if is_taco else problem.starter_code or "",
        "metadata": None if is_taco else {"func_name": problem.tests.get("entry_point")},
    }


def livecodebench_generation(draft: Draft, rng: random.Random) -> dict[str, Any]:
    problem = draft.problem
    cases = _cases(problem)
    private = json.dumps(cases[1:])
    day = f"2025-01-{rng.randint(1, 28):02d}" if draft.fault == "evaluated" else f"2024-0{rng.randint(1, 9)}-11"
    return {
        "question_title": problem.kind,
        "question_content": problem.query,
        "platform": rng.choice(("atcoder", "leetcode", "codeforces")),
        "question_id": f"abc{draft.index:03d}_a",
        "contest_id": f"abc{draft.index:03d}",
        "contest_date": f"{day}T00:00:00",
        "starter_code": problem.starter_code or "",
        "difficulty": "easy",
        "public_test_cases": json.dumps(cases[:1]),
        "private_test_cases": private
        if rng.random() < 0.3
        else base64.b64encode(zlib.compress(pickle.dumps(private, protocol=4))).decode(),
        "metadata": json.dumps({"func_name": problem.tests["entry_point"]} if problem.starter_code else {}),
    }


def codeforces_cots(draft: Draft, rng: random.Random) -> dict[str, Any]:
    problem = draft.problem
    year = 2025 if draft.fault == "evaluated" else rng.randint(2011, 2023)
    contest = str(rng.randint(100, 1900))
    return {
        "id": f"{contest}/{rng.choice('ABC')}{draft.index}",
        "aliases": None,
        "contest_id": contest,
        "contest_name": f"Codeforces Round {contest}",
        "contest_type": rng.choice(("CF", "ICPC")),
        "contest_start": (year - 1970) * 31_557_600 + 86_400 * rng.randint(1, 300),
        "contest_start_year": year,
        "index": "A",
        "time_limit": 2.0,
        "memory_limit": 256.0,
        "title": problem.kind,
        "description": problem.query,
        "input_format": "One line.",
        "output_format": "One line.",
        "interaction_format": "The judge answers each line." if draft.fault == "interactive" else None,
        "note": None,
        "examples": [{"input": case["stdin"], "output": case["stdout"]} for case in problem.tests["cases"]],
        "editorial": None,
        "prompt": problem.query,
        "generation": f"<think>\n{problem.working}\n</think>\n{problem.final}",
        "finish_reason": rng.choice(("stop", "length")),
        "api_metadata": {"completion_tokens": rng.randint(50, 9000), "prompt_tokens": rng.randint(50, 900)},
        "messages": _turns(draft, problem.final),
    }


def openthoughts_code(draft: Draft, rng: random.Random) -> dict[str, Any]:
    problem = draft.problem
    tests = None if draft.fault == "without_tests" else json.dumps(_inputs_and_outputs(problem, rng))
    return {
        "problem": problem.query,
        "deepseek_reasoning": problem.working,
        "deepseek_solution": problem.final,
        "ground_truth_solution": problem.answer,
        "domain": "code",
        "source": rng.choice(("apps", "taco", "code_contests")),
        "test_cases": tests,
        "starter_code": problem.starter_code,
        "num_tokens": rng.randint(100, 9000),
        "messages": _turns(draft, problem.final),
        "prompt": problem.query,
        "final_reasoning_trace": problem.working,
    }


# --- science -----------------------------------------------------------------------------------------------


def task_mmmlu(draft: Draft, rng: random.Random) -> dict[str, Any]:
    subject = rng.choice(("685_mmmlu_answer_generation_physics", "686_mmmlu_answer_generation_logic"))
    stem, options = split_options(draft.problem.query)
    inline = " ".join(f"({letter}){option}" for letter, option in zip(LETTERS, options, strict=False))
    return {
        "task_name": f"task{subject}",
        "id": f"task{subject[:3]}-{_id(rng)}",
        "definition": "You are given a question. Choose the right option and answer with its letter only.",
        "inputs": f"{stem} {inline}",
        "targets": draft.claimed,
    }


def logic_701(draft: Draft, rng: random.Random) -> dict[str, Any]:
    stem, options = split_options(draft.problem.query)
    filled = [*options, *[""] * (5 - len(options))]
    return {
        "topic": rng.choice(("orderings", "sequences", "quantities")),
        "problem_statement": stem,
        "solution": draft.problem.working,
        **{f"answer_option_{number}": option for number, option in enumerate(filled, start=1)},
        "correct_option_number": LETTERS.index(draft.claimed) + 1,
    }


def chemistryqa(draft: Draft, rng: random.Random) -> dict[str, Any]:
    return {
        "question": draft.problem.query,
        "answer": draft.claimed,
        "target_var_json": json.dumps([{"id": "t", "type": "number", "unit": ""}]),
        "answer_json": json.dumps([{"value": draft.claimed}]),
        "condition_json": "[]",
        "url": f"https://socratic.org/questions/{_id(rng, 12)}",
    }


def nemotron_science(draft: Draft, rng: random.Random) -> dict[str, Any]:
    thinks = draft.fault != "without_reasoning"
    solved = rf"The answer is \boxed{{{draft.claimed}}}."
    return {
        "input": [{"content": draft.problem.query, "role": "user"}],
        "output": f"<think>\n{draft.problem.working}\n</think>\n{solved}" if thinks else solved,
        "category": "science",
        "license": rng.choice(("CC BY 4.0", "ODC-BY")),
        "reasoning": "on" if thinks else "off",
        "generator": rng.choice(("DeepSeek-R1", "Qwen2.5-72B-Instruct")),
        "used_in_training": rng.choice(("Ultra", "no")),
        "version": "v1",
        "system_prompt": f"detailed thinking {'on' if thinks else 'off'}",
    }


def _school_book(subject: str, grade: int):
    def row(draft: Draft, rng: random.Random) -> dict[str, Any]:
        return {
            "Topic": rng.choice(("Motion", "Measurement", "Cells", "Bonds")),
            "Explanation": draft.problem.working,
            "Question": draft.problem.query,
            "Answer": draft.claimed,
            "Difficulty": rng.choice(("Easy", "Medium", "Hard")),
            "StudentLevel": rng.choice(("Beginner", "Intermediate")),
            "Question Type": rng.choice(("Numerical", "Conceptual")),
            "Question Complexity": rng.choice(("Low", "High")),
            "Prerequisites": "None",
            "Estimated Time": f"{rng.randint(1, 9)} minutes",
            "subject": subject,
            "grade": grade,
        }

    return row


ncert_physics_11, ncert_physics_12 = _school_book("Physics", 11), _school_book("Physics", 12)
ncert_chemistry_11, ncert_chemistry_12 = _school_book("Chemistry", 11), _school_book("Chemistry", 12)
ncert_biology_11, ncert_biology_12 = _school_book("Biology", 11), _school_book("Biology", 12)


def logiclm(draft: Draft, rng: random.Random) -> dict[str, Any]:
    return {"question": draft.problem.query, "answer": draft.claimed}


# --- instruction following ---------------------------------------------------------------------------------

_ALL_KWARGS = (
    "relation",
    "num_words",
    "num_sentences",
    "num_bullets",
    "keywords",
    "forbidden_words",
    "end_phrase",
    "num_paragraphs",
    "postscript_marker",
    "prompt_to_repeat",
    "keyword",
    "frequency",
    "letter",
    "let_frequency",
    "let_relation",
    "language",
    "nth_paragraph",
    "first_word",
    "num_placeholders",
    "num_highlights",
    "section_spliter",
    "num_sections",
    "capital_frequency",
    "capital_relation",
)
TULU3_IF_SOURCE = "ai2-adapt-dev/personahub_ifdata_manual_seed_v3_29980"
TULU3_OTHER_SOURCE = "ai2-adapt-dev/tulu_v3.9_wildchat_100k"


def nemotron_if(draft: Draft, rng: random.Random) -> dict[str, Any]:
    instructions = draft.problem.instructions
    return {
        "input": [{"content": draft.problem.query, "role": "user"}],
        "args": {
            "instruction_id_list": instructions["instruction_id_list"],
            "kwargs": [{name: given.get(name) for name in _ALL_KWARGS} for given in instructions["kwargs"]],
        },
        "category": "instruction_following",
        "license": "odc-by",
        "reasoning": "off",
        "used_in_training": rng.choice(("yes", "no")),
        "version": "v1",
        "system_prompt": "detailed thinking off",
    }


def tulu3_if(draft: Draft, rng: random.Random) -> dict[str, Any]:
    source = TULU3_OTHER_SOURCE if draft.fault == "other_subset" else TULU3_IF_SOURCE
    return {"id": f"personahub_{_id(rng, 24)}", "messages": _turns(draft, draft.problem.answer), "source": source}


# --- chat --------------------------------------------------------------------------------------------------


def ultra_chat(draft: Draft, rng: random.Random) -> dict[str, Any]:
    turns = _turns(draft, draft.claimed)
    return {"prompt": turns[0]["content"], "prompt_id": _id(rng, 64), "messages": turns}


def openhermes_2_5(draft: Draft, rng: random.Random) -> dict[str, Any]:
    speakers = {"user": "human", "assistant": "gpt"}
    conversations = [
        {"from": speakers[turn["role"]], "value": turn["content"], "weight": None if turn["role"] == "user" else 1.0}
        for turn in _turns(draft, draft.claimed)
    ]
    return {
        "custom_instruction": rng.choice((None, False)),
        "topic": None,
        "model_name": rng.choice((None, "gpt-4")),
        "model": None,
        "skip_prompt_formatting": rng.choice((None, False)),
        "category": rng.choice((None, "general")),
        "conversations": conversations,
        "views": None,
        "language": None,
        "id": None if rng.random() < 0.9 else _uuid(rng),
        "title": None,
        "idx": None,
        "hash": None,
        "avatarUrl": None,
        "system_prompt": rng.choice((None, None, None, "You are a friendly assistant.")),
        "source": rng.choice(("airoboros2.2", "EvolInstruct_70k", "glaive-code-assist")),
    }


def _sharegpt(draft: Draft) -> list[dict[str, str]]:
    speakers = {"user": "human", "assistant": "gpt"}
    return [{"from": speakers[turn["role"]], "value": turn["content"]} for turn in _turns(draft, draft.claimed)]


def evol(draft: Draft, rng: random.Random) -> dict[str, Any]:
    return {"idx": _id(rng, 12), "conversations": _sharegpt(draft)}


def infinity_instruct(draft: Draft, rng: random.Random) -> dict[str, Any]:
    ability = {"ability_en": ["text generation"], "cate_ability_en": ["natural language processing"]}
    return {
        "id": rng.getrandbits(30),
        "conversations": _sharegpt(draft),
        "label": rng.choice((None, {**ability, "ability_zh": ["文本生成"], "cate_ability_zh": ["自然语言处理"]})),
        "langdetect": "en",
        "source": rng.choice(("OpenHermes-2.5", "flan", "Subjective")),
    }


def open_orca(draft: Draft, rng: random.Random) -> dict[str, Any]:
    return {
        "id": f"{rng.choice(('flan', 't0', 'niv', 'cot'))}.{rng.randint(1, 2_000_000)}",
        "system_prompt": rng.choice(("", "You are a helpful assistant.")),
        "question": draft.problem.query,
        "response": draft.claimed,
    }


def tulu3_chat(draft: Draft, rng: random.Random) -> dict[str, Any]:
    other = rng.choice(("allenai/tulu_v3.9_personahub_math_interm_algebra_20k", TULU3_IF_SOURCE))
    source = other if draft.fault == "other_subset" else TULU3_OTHER_SOURCE
    return {"id": f"wildchat_{_id(rng, 24)}", "messages": _turns(draft, draft.claimed), "source": source}


def natural_reasoning(draft: Draft, rng: random.Random) -> dict[str, Any]:
    return {
        "question": draft.problem.query,
        "reference_answer": rng.choice((draft.claimed, "")),
        "responses": [{"response_model": "Llama3.3-70B-Instruct", "response": draft.claimed}],
    }


def flan(draft: Draft, rng: random.Random) -> dict[str, Any]:
    return {
        "inputs": draft.problem.query,
        "targets": draft.claimed,
        "task": rng.choice(("wiki_dialog_inpaint", "cot_gsm8k", "aeslc_1.0.0")),
    }


def as_line(row: dict[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False) + "\n"
