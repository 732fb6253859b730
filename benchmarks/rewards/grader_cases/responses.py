"""Where in a response the program is, and tests that judge nothing."""

import json

from benchmarks.rewards.grader_cases.case import SQUARE, SUM, GraderCase, answered, asserts, call, stdin

GOOD, BAD = "def f(x):\n    return x * x", "def f(x):\n    return x"
SUM_CODE = "input()\nprint(sum(map(int, input().split())))"


def answer(text: str) -> str:
    return f"<think>t</think><answer>{text}</answer>"


def block(code: str, label: str = "python") -> str:
    return f"```{label}\n{code}\n```\n"


BLOCKS = (
    ("the label py", block(GOOD, "py"), "right"),
    ("the label py3", block(GOOD, "py3"), "right"),
    ("the label Python", block(GOOD, "Python"), "right"),
    ("the label PYTHON3", block(GOOD, "PYTHON3"), "right"),
    ("a label with attributes", block(GOOD, 'python title="a.py"'), "right"),
    ("no label", block(GOOD, ""), "right"),
    ("the last of several blocks", block(BAD) + "Better:\n" + block(GOOD), "right"),
    ("a wrong block last", block(GOOD) + "Or:\n" + block(BAD), "wrong"),
    ("output shown in a block without a label", block(GOOD) + "It gives\n" + block("9", ""), "right"),
    ("an unclosed block behind a complete one", block(GOOD) + f"```python\n{BAD}\n", "right"),
    ("tildes", f"~~~python\n{GOOD}\n~~~\n", "right"),
    ("four backticks around three", f"````python\n{GOOD}\ns = '''\n```\n'''\n````\n", "right"),
    ("a block with CRLF", block(GOOD).replace("\n", "\r\n"), "right"),
    ("an unclosed block", f"```python\n{GOOD}\n", "wrong"),
    ("no block", GOOD, "wrong"),
    ("inline code", f"`{GOOD}`", "wrong"),
    ("a block in another language", block(GOOD, "rust"), "wrong"),
    ("an empty block", block(""), "wrong"),
    ("an indented fence", f"  ```python\n{GOOD}\n  ```\n", "right"),
)

PARTS = (
    ("a program in the thought only", f"<think>{block(GOOD)}</think><answer>see above</answer>", "wrong"),
    ("a program behind the answer", f"<think>t</think><answer>none</answer>\n{block(GOOD)}", "wrong"),
    ("a response without a thought", block(GOOD), "wrong"),
    ("a cut response", f"<think>t</think><answer>{block(GOOD)}", "wrong"),
    ("two answers", answer(block(BAD)) + answer(block(GOOD)), "wrong"),
    ("an empty response", "", "wrong"),
    ("a wrong program in the thought", f"<think>{block(BAD)}</think><answer>{block(GOOD)}</answer>", "right"),
)

NO_TESTS = (
    ("call without cases", call()),
    ("stdin without cases", stdin()),
    ("asserts without code", asserts()),
    ("asserts of a comment", asserts("# nothing")),
    ("no text at all", ""),
    ("JSON of no known shape", "[]"),
    ("cut JSON", SQUARE[:-5]),
    ("an unknown kind", '{"kind": "other", "cases": [1]}'),
    ("arguments that are no list", '{"kind": "call", "entry_point": "f", "cases": [{"args": 3, "expected": 1}]}'),
    ("nothing expected", '{"kind": "call", "entry_point": "f", "cases": [{"args": [3]}]}'),
    (
        "one case of two without what is expected",
        json.dumps({"kind": "stdin", "cases": [{"stdin": "", "stdout": "1"}, {"stdin": ""}]}),
    ),
    ("an entry point that is code", '{"kind": "call", "entry_point": "f(", "cases": [{"args": [3], "expected": 1}]}'),
    ("a number as expected output", '{"kind": "stdin", "cases": [{"stdin": "", "stdout": 5}]}'),
    ("an assertion that does not parse", asserts("assert f(3) ==")),
    ("an assertion beside one that can be forged", asserts("assert f(3) == 9", "assert abs(f(3) - 9) < 1")),
    ("an assertion with another function of the program", asserts("assert f(3) == g(3)")),
    ("an assertion that is not equal", asserts("assert f(3) != 8")),
    ("an assertion in a function", asserts("def test():\n    assert f(3) == 9\ntest()")),
    ("a statement before the assertion", asserts("x = 3\nassert f(x) == 9")),
    ("an assertion of a constant", asserts("assert True")),
)

RESPONSES = (
    *(
        GraderCase(name, SQUARE, answer(f"\n{text}"), verdict, "no complete" if verdict == "wrong" else "")
        if name not in ("a wrong block last", "an empty block")
        else GraderCase(name, SQUARE, answer(f"\n{text}"), verdict)
        for name, text, verdict in BLOCKS
    ),
    *(GraderCase(name, SQUARE, response, verdict) for name, response, verdict in PARTS),
    *(GraderCase(name, tests, answered(GOOD), "invalid", "tests") for name, tests in NO_TESTS),
    GraderCase(
        "another language's block behind the program",
        SUM,
        answer("\n" + block(SUM_CODE) + block("SELECT 1", "sql")),
        "right",
    ),
)
