"""Problems of public datasets, from files that lie beside the project; only benchmarks need them."""

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amt.errors import DataError


@dataclass(frozen=True)
class Problem:
    """A problem as its dataset states it."""

    origin: str
    category: str
    text: str
    ground_truth: str | None = None
    has_formulas: bool = False
    """Whether $ opens a formula; in word problems it is money."""


# file, origin, category, column of the text, column of the answer, whether $ opens a formula
_FILES = (
    ("math/math_train.json", "math", "math", "problem", "answer", True),
    ("math/math500.json", "math500", "math", "problem", "answer", True),
    ("aime/aime_1983_2023.json", "aime", "math", "problem", "answer", True),
    ("aime/aime24.json", "aime24", "math", "problem", "answer", True),
    ("aime/aime25.json", "aime25", "math", "problem", "answer", True),
    ("gsm8k/train.jsonl", "gsm8k", "math", "question", "answer", False),
    ("gsm8k/test.jsonl", "gsm8k_test", "math", "question", "answer", False),
    ("leetcode/leetcode_train.json", "leetcode", "code", "problem", None, False),
    ("kodcode/Verified_KodCode_prefill_200_1741214325_Complete.json", "kodcode", "code", "instruction", None, False),
    ("humaneval/HumanEval.jsonl.gz", "humaneval", "code", "prompt", None, False),
    ("code_samples/code_eval_mbpp.jsonl", "mbpp", "code", "content", None, False),
    ("code_samples/code_eval_code_contests.jsonl", "code_contests", "code", "content", None, True),
    ("code_samples/code_eval_rl_train_oj_0328_1707.jsonl", "online_judge", "code", "content", None, True),
    ("ifeval/input_data.jsonl", "ifeval", "instruction_follow", "prompt", None, False),
    ("arena_hard/question.jsonl", "arena_hard", "general_chat", "prompt", None, False),
)


def real_problems(data: Path) -> list[Problem]:
    """All problems of `data`, texts that occur twice once.

    Raises:
        DataError: the folder, or a file of it, is not there.
    """
    found: dict[str, Problem] = {}
    for name, origin, category, text, answer, has_formulas in _FILES:
        for record in _records(data / name):
            truth = None if answer is None else str(record[answer]).rpartition("#### ")[2]
            problem = Problem(origin, category, record[text].strip(), truth, has_formulas)
            found.setdefault(problem.text, problem)
    return list(found.values())


def _records(path: Path) -> Iterator[dict[str, Any]]:
    """Records of a JSON list or of JSON lines, gzipped or not."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"{path} is not there. Name the folder of real problems: --data FOLDER") from None
    text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode("utf-8")
    if path.suffix == ".json":
        yield from json.loads(text)
    else:
        yield from (json.loads(line) for line in text.splitlines() if line.strip())
