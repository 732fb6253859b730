"""What goes to a server and comes back is what was sent, whatever its types."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amt.sandbox.judging import Case, Judged, Submission
from amt.sandbox.runner import Input, SubmissionLimits
from amt.sandbox.wire import (
    MalformedError,
    code_version,
    judged_body,
    read_judged,
    read_request,
    request_body,
    typed,
    untyped,
)

LIMITS = SubmissionLimits(1.5, 6.0, 256, 100_000, compile_seconds=10.0, compile_memory_mb=1024)
ANY_TEXT = st.text(st.characters())  # surrogates too
HASHABLE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | ANY_TEXT | st.binary()
    | st.complex_numbers(allow_nan=False),
    lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
VALUES = st.recursive(
    HASHABLE,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.sets(HASHABLE, max_size=4)
        | st.dictionaries(HASHABLE, inner, max_size=4)
    ),
    max_leaves=12,
)


def exact(value):
    """As text that tells 1 from 1.0 and True, 0.0 from -0.0, and a tuple from a list: `==` does not."""
    if isinstance(value, set | frozenset):
        return type(value).__name__, sorted(map(str, map(exact, value)))
    if isinstance(value, dict):
        return "dict", [(exact(key), exact(item)) for key, item in value.items()]
    if isinstance(value, list | tuple):
        return type(value).__name__, [exact(item) for item in value]
    return type(value).__name__, hex(value) if isinstance(value, int) else repr(value)


@given(VALUES)
def test_every_value_comes_back_as_it_was(value):
    assert exact(untyped(json.loads(json.dumps(typed(value))))) == exact(value)


@pytest.mark.parametrize(
    "value",
    [
        *(math.inf, -math.inf, -0.0, 5e-324, 1 << 99999, -(1 << 9999)),
        *({(1, (2,)): {3, (4, b"\xff")}}, 1j, True, "\ud83d\ude00"),
    ],
    ids=["inf", "-inf", "-0.0", "tiny", "huge", "-huge", "keys", "complex", "true", "two surrogates"],
)
def test_values_that_json_has_no_word_for(value):
    submission = Submission("python", "", (Case(Input("call", "f"), value),))
    read, _, _ = read_request(request_body(submission, LIMITS))
    assert exact(read.cases[0].expected) == exact(value)


def test_not_a_number_stays_one():
    assert math.isnan(untyped(typed(math.nan)))


CASES = st.builds(Case, st.builds(Input, st.just("stdin"), st.just(""), st.just("[]"), ANY_TEXT), ANY_TEXT) | st.builds(
    Case, st.builds(Input, st.just("call"), ANY_TEXT, ANY_TEXT), VALUES, st.sampled_from(["equal", "truth"])
)


@given(
    st.builds(Submission, st.just("python"), ANY_TEXT, st.lists(CASES, min_size=1, max_size=4).map(tuple)),
    st.builds(
        SubmissionLimits,
        st.floats(0.001, 1e6) | st.integers(1, 9),
        st.floats(0.001, 1e6),
        st.integers(1, 1 << 40),
        st.integers(1, 1 << 40),
        st.floats(0.001, 1e6),
        st.integers(1, 1 << 40),
    ),
)
def test_a_submission_comes_back_as_it_was(submission, limits):
    read, read_limits, version = read_request(request_body(submission, limits))
    assert (read, read_limits, version) == (submission, limits, code_version())


@given(
    st.builds(
        Judged,
        st.sampled_from(["passed", "failed", "error"]),
        st.none() | ANY_TEXT,
        st.integers(0, 1 << 30),
        st.floats(0, 1e9),
        ANY_TEXT,
    )
)
def test_a_judgement_comes_back_as_it_was(judged):
    assert read_judged(judged_body(judged)) == judged


def good():
    case = {"given": {"kind": "call", "entry_point": "f", "args": "[1]", "stdin": ""}, "expected": ["int", "0x1"]}
    limits = {"cpu_seconds": 1, "wall_seconds": 2.0, "memory_mb": 256, "output_bytes": 1000}
    limits |= {"compile_seconds": 10, "compile_memory_mb": 512}
    content = {"code_version": "x", "language": "python", "code": "", "limits": limits}
    return content | {"cases": [case | {"compare": "equal"}]}


def test_the_form_that_others_may_write_by_hand_is_read():
    submission, limits, version = read_request(json.dumps(good()).encode())
    assert submission == Submission("python", "", (Case(Input("call", "f", "[1]"), 1),))
    assert (limits, version) == (SubmissionLimits(1, 2.0, 256, 1000, 10, 512), "x")


def test_a_limit_may_be_an_integer_beyond_any_float():
    """A server compares it with its own bounds."""
    assert read_request(json.dumps(change(["limits", "memory_mb"], 10**400)).encode())[1].memory_mb == 10**400


def change(path, value):
    content = good()
    inner = content
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return content


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (change(["language"], "cobol"), "language: 'cobol' is none of"),
        (change(["cases"], []), "cases: List should have at least 1 item"),
        (change(["more"], 1), "more: Extra inputs are not permitted"),
        (change(["code"], None), "code: Input should be a valid string"),
        (change(["limits", "memory_mb"], "much"), "limits.memory_mb: Input should be a valid integer"),
        (change(["limits", "memory"], 256), "limits: Value error, there is no memory"),
        (change(["cases", 0, "given", "stdin "], ""), "cases.0.given: Value error, there is no stdin "),
        (change(["limits", "cpu_seconds"], 0), "limits.cpu_seconds: 0.0 is no limit"),
        (change(["limits", "wall_seconds"], math.inf), "limits.wall_seconds: inf is no limit"),
        (change(["limits", "wall_seconds"], math.nan), "limits.wall_seconds: nan is no limit"),
        (change(["cases", 0, "compare"], "almost"), "cases.0.compare: Input should be 'equal', 'among' or 'truth'"),
        (change(["cases", 0, "compare"], "among"), "cases.0.expected: one of a list is asked for, and this is a int"),
        (change(["cases", 0, "given", "kind"], "stdin"), "cases.0.expected: standard output is text, not int"),
        (change(["cases", 0, "given", "kind"], "shell"), "cases.0.given.kind: Input should be 'call' or 'stdin'"),
        (change(["cases", 0, "expected"], 1), "no typed value: 1 is none"),
        (change(["cases", 0, "expected"], ["int", "x"]), "no typed value: invalid literal"),
        (change(["cases", 0, "expected"], ["int", 1]), "no typed value"),
        (change(["cases", 0, "expected"], ["float", "0x1p999999"]), "no typed value"),
        (change(["cases", 0, "expected"], ["set", [["list", []]]]), "no typed value: unhashable type"),
        (change(["cases", 0, "expected"], ["dict", [["int", "0x1"]]]), "no typed value"),
        ([], "the whole: "),
        (None, "the whole: "),
    ],
)
def test_what_is_malformed_is_told(content, told):
    with pytest.raises(MalformedError) as error:
        read_request(json.dumps(content).encode())
    assert told in str(error.value)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000, b'{"a": NaN'])
def test_what_is_no_json_is_told(body):
    with pytest.raises(MalformedError, match="this is no JSON"):
        read_request(body)


def nested(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


def test_a_value_nested_beyond_measure_is_told():
    deep = ["int", "0x1"]
    for _ in range(300):
        deep = ["list", [deep]]
    with pytest.raises(MalformedError, match="nested more than 200 deep"):
        read_request(json.dumps(change(["cases", 0, "expected"], deep)).encode())
    with pytest.raises(TypeError, match="nested more than 200 deep"):
        typed(nested(210))


@pytest.mark.parametrize("value", [object(), ..., range(3), type("Text", (str,), {})("x")])
def test_what_is_no_plain_data_is_not_sent(value):
    with pytest.raises(TypeError, match="no plain data"):
        typed([value])


@pytest.mark.parametrize("body", [b"null", b"{}", b'{"outcome": "passed"}', b"<html>"])
def test_what_is_no_judgement_is_told(body):
    with pytest.raises(MalformedError):
        read_judged(body)
