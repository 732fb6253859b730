"""Reference solutions of public problems with the tests that are published beside them.

Tests become calls or standard input wherever they can. Where an assertion cannot be split, the tests run beside the
solution as one program that has to end well: good enough to judge a solution that is honest, so for these only.
"""

import ast
import base64
import gzip
import json
import pickletools
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amt.sandbox.languages import PYTHON
from amt.sources.code_cases import from_asserts, from_inputs_and_outputs, from_pytest, from_stdin

SOLUTIONS = Path(__file__).with_name("solutions")
"""Where the data have tests and no solution: written for this benchmark, by hand."""
WITHOUT_REFERENCE = {
    **dict.fromkeys((4, 7, 10, 13, 15), "several answers are right, and the tests know one"),
    11: "the problem is interactive",
    8: "no reference was written: it takes a link-cut tree",
    19: "its tests want several answers on one line in one place and on lines of their own in another",
}
"""CodeContests problems that a fixed output cannot judge, or not without much work."""


@dataclass(frozen=True)
class Reference:
    dataset: str
    name: str
    solution: str
    tests: str | None
    """As in QUERY.tests; None where nothing here can judge it."""
    why_not: str = ""
    before: str = ""
    beside: str = ""
    """What goes before and behind the solution in the program that runs: definitions, tests that cannot be split."""
    language: str = PYTHON

    def program(self, solution: str | None = None) -> str:
        """The program with its own solution or another one."""
        return f"{self.before}\n{self.solution if solution is None else solution}\n{self.beside}\n"


def read_references(data: Path) -> list[Reference]:
    readers: list[Callable[[Path], Iterator[Reference]]] = [
        _humaneval, _mbpp, _leetcode, _kodcode, _live_code_bench, _online_judge, _contests, _humaneval_cpp
    ]  # fmt: skip
    return [reference for reader in readers for reference in reader(data)]


def _lines(path: Path) -> list[dict[str, Any]]:
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def _splittable(tests: dict[str, Any] | None) -> str | None:
    """Tests whose assertions are all comparisons of a call, as JSON; None for others."""
    from amt.rewards.code_tests import BadTestsError, read_tests

    if tests is None:
        return None
    written = json.dumps(tests)
    try:
        read_tests(written)
    except BadTestsError:
        return None
    return written


NOTHING_PRINTED = json.dumps(from_stdin([("", "")]))


def _judged(dataset: str, name: str, solution: str, tests: dict | None, beside: str, before: str = "") -> Reference:
    """By calls where the tests can be split, else as one program with them."""
    if written := _splittable(tests):
        return Reference(dataset, name, solution, written)
    return Reference(dataset, name, solution, NOTHING_PRINTED, before=before, beside=beside)


# --- calls -----------------------------------------------------------------------------------------------


def _humaneval(data: Path) -> Iterator[Reference]:
    for row in _lines(data / "humaneval" / "HumanEval.jsonl.gz"):
        name = row["entry_point"]
        statements = _statements_of_check(row["test"], name)
        tests = from_asserts(statements, name) if statements else None
        beside = f"{row['test']}\ncheck({name})\n"
        yield _judged("humaneval", row["task_id"], row["prompt"] + row["canonical_solution"], tests, beside)


def _statements_of_check(test: str, name: str) -> list[str] | None:
    """The assertions of `def check(candidate)`, each about `name`; None where there is anything else."""
    (check,) = (node for node in ast.parse(test).body if isinstance(node, ast.FunctionDef) and node.name == "check")
    statements = []
    for node in check.body:
        if not isinstance(node, ast.Assert):
            return None
        if isinstance(node.test, ast.Constant):  # assert True, "This prints if …"
            continue
        for part in ast.walk(node):
            if isinstance(part, ast.Name) and part.id == "candidate":
                part.id = name
        statements.append(ast.unparse(ast.Assert(node.test)))
    return statements


def _mbpp(data: Path) -> Iterator[Reference]:
    for row in _lines(data / "code_samples" / "code_eval_mbpp.jsonl"):
        statements = row["test_list"] + row["labels"]["challenge_test_list"]
        beside = "\n".join([row["labels"]["test_setup_code"], *statements])
        yield _judged("mbpp", str(row["id"]), row["canonical_solution"], from_asserts(statements), beside)


def _leetcode(data: Path) -> Iterator[Reference]:
    nodes = (SOLUTIONS / "leetcode" / "nodes.py").read_text(encoding="utf-8")
    for number, row in enumerate(json.loads((data / "leetcode" / "leetcode_train.json").read_text(encoding="utf-8"))):
        published = row["tests"]["functional"]
        name = re.search(r"check\(Solution\(\)\.(\w+)\)", published).group(1)
        order = _parameters(row["solutions"], name)
        statements = _statements_of_check(published, name)
        positional = [_positional(statement, order) for statement in statements or []]
        tests = None if None in positional or not positional else from_asserts(positional, name)
        yield _judged("leetcode", str(number), row["solutions"], tests, published, before=nodes)


def _parameters(solution: str, name: str) -> list[str]:
    """Of the method that is tested, without self."""
    (solution_class,) = (
        node for node in ast.parse(solution).body if isinstance(node, ast.ClassDef) and node.name == "Solution"
    )
    methods = [node for node in solution_class.body if isinstance(node, ast.FunctionDef) and node.name == name]
    return [argument.arg for argument in methods[-1].args.args[1:]] if methods else []


def _positional(statement: str, order: list[str]) -> str | None:
    """`assert f(b=2, a=1) == 3` as `assert f(1, 2) == 3`; None where it is something else."""
    (node,) = ast.parse(statement).body
    call = node.test.left if isinstance(node.test, ast.Compare) else node.test
    if not isinstance(call, ast.Call) or call.args or [keyword.arg for keyword in call.keywords] != order:
        return None
    call.args, call.keywords = [keyword.value for keyword in call.keywords], []
    return ast.unparse(node)


def _kodcode(data: Path) -> Iterator[Reference]:
    for path in sorted((data / "kodcode").glob("*.json")):
        for number, row in enumerate(json.loads(path.read_text(encoding="utf-8"))):
            tests = from_pytest(row["test_code"])
            if tests is None or "pytest" in row["test_code"]:
                why_not = "its tests need pytest or a module called solution"
                yield Reference("kodcode", str(number), row["response"], _splittable(tests), why_not)
            else:
                beside = "\n".join(tests.get("code", ()))
                yield _judged("kodcode", str(number), row["response"], tests, beside)


# --- standard input --------------------------------------------------------------------------------------


def _written(dataset: str, number: int) -> str | None:
    path = SOLUTIONS / dataset / f"{number}.py"
    return path.read_text(encoding="utf-8") if path.exists() else None


def _live_code_bench(data: Path) -> Iterator[Reference]:
    for row in _lines(data / "code_samples" / "code_eval_live_code_bench_v1.jsonl"):
        pickled = zlib.decompress(base64.b64decode(row["test"]))
        texts = [text for operation, text, _ in pickletools.genops(pickled) if operation.name.endswith("BINUNICODE")]
        tests = from_inputs_and_outputs(json.loads(max(texts, key=len)))
        yield Reference("livecodebench", str(row["id"]), _written("lcb", row["id"]), json.dumps(tests))


def _online_judge(data: Path) -> Iterator[Reference]:
    for row in _lines(data / "code_samples" / "code_eval_rl_train_oj_0328_1707.jsonl"):
        name, solution, published = str(row["id"]), _written("oj", row["id"]), row["test"]
        pairs = re.findall(r"^assert check\((.*)\) == (.*)$", published, re.MULTILINE)
        if pairs:  # solve() reads standard input and prints
            cases = [(ast.literal_eval(given), ast.literal_eval(printed)) for given, printed in pairs]
            yield Reference("oj", name, solution, json.dumps(from_stdin(cases)), beside="solve()")
        else:
            statements = [ast.unparse(node) for node in ast.parse(published).body]
            yield _judged("oj", name, solution, from_asserts(statements), published)


def _contests(data: Path) -> Iterator[Reference]:
    for row in _lines(data / "code_samples" / "code_eval_code_contests.jsonl"):
        solution = _written("contests", row["id"])
        cases = [(test["input"]["stdin"], test["output"]["stdout"]) for test in json.loads(row["test"])]
        if solution is None:
            yield Reference("contests", str(row["id"]), "", None, WITHOUT_REFERENCE[row["id"]])
        else:
            yield Reference("contests", str(row["id"]), solution, json.dumps(from_stdin(cases)))


def _humaneval_cpp(data: Path) -> Iterator[Reference]:
    """A model's solutions, not published references: not each of them is right."""
    for row in _lines(data / "code_samples" / "humaneval-cpp.jsonl"):
        code = re.search(r"```cpp\s*\n(.*?)(?:```|\Z)", row["gpt_solution"], re.DOTALL).group(1)
        own_main = re.search(r"^int main\s*\(", code, re.MULTILINE)
        solution = code[: own_main.start()] if own_main else code
        tests = row["tests"].lstrip().removeprefix("}")
        yield Reference(
            "humaneval_cpp", row["name"], solution, NOTHING_PRINTED,
            before="#include <bits/stdc++.h>\n#include <assert.h>", beside=tests, language="cpp",
        )  # fmt: skip
