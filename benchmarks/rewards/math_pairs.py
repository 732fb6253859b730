"""Ground truths and responses of real problems, for measuring how fast math answers are compared.

Golds are the answers of MATH, GSM8K and AIME. Of a gold come responses that are right as it is written, right in
another spelling, or wrong: the answer of another problem, or one near by. Some have no box, some hang math_verify. No
pair of (gold, boxed value) comes twice, so nothing is answered because it was asked before. Everything hangs on the
seed alone.
"""

import json
import random
import re
from collections.abc import Iterator
from pathlib import Path

SHARES = {"as written": 0.5, "another spelling": 0.1, "wrong": 0.35, "no box": 0.05}
"""Of responses asked for. Golds such as 2 are many and their pairs few, so "as written" runs out: wrong ones take the
place of the rest. The mix that came out is printed."""
HANGING = ("9^{9^{9^{9}}}", "10^{10^{10}}!", "\\sum_{k=1}^{10^{12}} \\frac{1}{k^{k}}")
"""Values that math_verify does not come to an end with, or only after long."""


def read_golds(data: Path) -> list[tuple[str, str]]:
    """(problem, answer) of MATH, GSM8K and AIME."""
    golds = []
    for name in ("math/math_train.json", "math/math500.json", "aime/aime_1983_2023.json", "aime/aime25.json"):
        for row in json.loads((data / name).read_text(encoding="utf-8")):
            golds.append((row["problem"], row["answer"]))
    for name in ("gsm8k/train.jsonl", "gsm8k/test.jsonl"):
        for line in (data / name).read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            golds.append((row["question"], row["answer"].rpartition("####")[2].strip()))
    return [(problem, str(answer)) for problem, answer in golds if answer not in (None, "")]


def spellings(gold: str) -> Iterator[str]:
    """The same value, written otherwise."""
    if re.fullmatch(r"-?\d+", gold):
        yield from (f"{gold}.0", f" {gold} ", f"x = {gold}", f"\\${gold}", f"{gold}\\text{{ units}}", f"{gold}.")
        if len(gold.lstrip("-")) > 3:
            yield f"{int(gold):,}"
        return
    if fraction := re.fullmatch(r"(-?)\\frac\{(\d+)\}\{(\d+)\}", gold):
        sign, upper, lower = fraction.groups()
        yield f"{sign}{upper}/{lower}"
        yield f"{sign}\\dfrac{{{upper}}}{{{lower}}}"
        yield f"\\frac{{{sign}{2 * int(upper)}}}{{{2 * int(lower)}}}"
    yield gold.replace("\\frac", "\\dfrac").replace("\\left", "").replace("\\right", "")
    yield re.sub(r"([+=,])", r" \1 ", gold)
    yield f"\\displaystyle {gold}"
    if "=" not in gold:
        yield f"x = {gold}"
    elif re.match(r"\s*[A-Za-z]\s*=", gold):
        yield gold.partition("=")[2].strip()


def wrong_values(gold: str, others: list[str], random_order: random.Random) -> Iterator[str]:
    """Values of the same kind: of other problems, or near by. A few may be right by chance; no matter for speed."""
    if re.fullmatch(r"-?\d+", gold):
        yield str(int(gold) + random_order.randint(1, 9))
        yield str(2 * int(gold) + 1)
        yield f"{int(gold) + 1}.5"
        return
    yield random_order.choice(others)
    yield re.sub(r"\d", lambda digit: str((int(digit[0]) + 1) % 10), gold, count=1)
    if not gold.startswith(("-", "(", "[", "\\left", "\\begin", "\\text")):
        yield f"-{gold}"


def math_pairs(data: Path, count: int, seed: int = 1) -> list[tuple[str, str, str]]:
    """(ground truth, response, kind), in a random order."""
    random_order = random.Random(seed)
    golds = read_golds(data)
    others = [gold for _, gold in golds if not re.fullmatch(r"-?\d+", gold)]
    seen: set[tuple[str, str]] = set()
    pairs: list[tuple[str, str, str]] = []
    while len(pairs) < count - len(HANGING):
        problem, gold = random_order.choice(golds)
        kind = random_order.choices(list(SHARES), weights=list(SHARES.values()))[0]
        if kind == "no box":
            pairs.append((gold, _response(problem, f"The answer is {gold}."), kind))
            continue
        if kind == "as written" and (gold, gold) in seen:
            kind = "wrong"
        if kind == "as written":
            values = [gold]
        else:
            values = spellings(gold) if kind == "another spelling" else wrong_values(gold, others, random_order)
        fresh = [value for value in values if (gold, value) not in seen and (value != gold or kind == "as written")]
        if fresh:
            value = random_order.choice(fresh)
            seen.add((gold, value))
            pairs.append((gold, _response(problem, f"So the answer is\n\\[\\boxed{{{value}}}\\]"), kind))
    pairs += [("7", _response("Find it.", f"\\boxed{{{value}}}"), "hanging") for value in HANGING]
    random_order.shuffle(pairs)
    return pairs


def _response(problem: str, answer: str) -> str:
    return f"<think>\nThe question is: {problem}\nLet me see.\n</think>\n<answer>\n{answer}\n</answer>"
