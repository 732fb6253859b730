"""What models and servers say, and what is made of it."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from amt.endpoints.client import Unusable
from amt.endpoints.completion import read_completion
from amt.endpoints.spending import Terms
from amt.errors import EndpointError
from tests.endpoints.asking import PRICE, client_of, name_in, request

ROOT = Path(__file__).parents[2]


def test_half_a_character_within_json_is_lost_and_the_rest_stays(client, server):
    server.says = {"a": r'{"name": "Ana \ud83d and \u00e9"}'}
    assert client.complete_json([request("a")], name_in) == ["Ana ? and é"]


def test_one_answer_that_is_no_json_stops_no_other(client, server, tmp_path):
    server.says = {"a": '{"name": "A"}', "b": "I would rather not.", "c": '```json\n{"name": null}\n```'}
    first = client.complete_json([request("a"), request("b"), request("c")], name_in)
    assert (first[0], first[2]) == ("A", None)
    assert isinstance(first[1], Unusable)
    assert "no JSON object" in first[1].fault
    assert "I would rather not." in first[1].fault
    assert server.answered["b"] == 3
    # The row's outcome is settled: the same call again costs nothing and ends the same.
    assert client.complete_json([request("a"), request("b"), request("c")], name_in) == first
    assert server.answered["b"] == 3


def test_one_question_alone_may_have_no_json_too(client, server):
    """A shard may hold a single row that is asked about."""
    server.says = {"b": "I would rather not."}
    (answer,) = client.complete_json([request("b")], name_in)
    assert isinstance(answer, Unusable)
    assert client.complete_json([request("b")], name_in) == [answer]
    assert server.answered["b"] == 3


def test_what_is_asked_again_can_be_answered_otherwise(client, server):
    """At temperature 0 another seed changes nothing."""
    server.says = {"b": '{"name": "B"}'}
    first, second = client.complete_json([request("a", temperature=0.0), request("b", temperature=0.0)], name_in)
    assert isinstance(first, Unusable)
    assert second == "B"
    asked = [body for body in server.bodies if body["messages"][0]["content"] == "a"]
    assert [(body["temperature"], body["seed"]) for body in asked] == [(0.0, 1), (0.6, 2), (0.6, 3)]
    assert [body["temperature"] for body in server.bodies if body["messages"][0]["content"] == "b"] == [0.0]


def test_a_model_that_gives_no_json_is_an_error_and_is_asked_again_by_the_next_call(client, server):
    server.says = {"c": '{"name": "C"}'}
    questions = [request("a"), request("b"), request("c")]
    with pytest.raises(
        EndpointError, match=r"no usable JSON for row a, in up to 3 attempts \(2 of 3 requests\).*echo: a"
    ):
        client.complete_json(questions, name_in)
    assert server.answered["a"] == 3
    server.says |= {"a": '{"name": "A"}', "b": '{"name": "B"}'}
    assert client.complete_json(questions, name_in) == ["A", "B", "C"]
    assert server.answered["c"] == 1


# What stands between the quotes of a model's JSON, and what it means.
LATEX = [
    # Backslashes of a model that forgets to escape.
    (r"What is $\frac{1}{2}+\theta$ and $\sqrt{2}$?", r"What is $\frac{1}{2}+\theta$ and $\sqrt{2}$?"),
    (r"\boxed{\rho}", r"\boxed{\rho}"),
    (r"$\beta \times \nabla \neq \text{m}$", r"$\beta \times \nabla \neq \text{m}$"),
    (r"$\underline{x} \cup \{1\} \, \$5$", r"$\underline{x} \cup \{1\} \, \$5$"),
    (r"$\begin{pmatrix}1 \\ 2\end{pmatrix}$", r"$\begin{pmatrix}1 \\ 2\end{pmatrix}$"),
    # Line breaks stay line breaks among them.
    (r"Let $\alpha=1$.\nFind $\nu$.\n\n$\tan x$\nto", "Let $\\alpha=1$.\nFind $\\nu$.\n\n$\\tan x$\nto"),
    # Correctly escaped answers come through as JSON has them.
    (r"What is $\\frac{1}{2}+\\theta$?\nu and v:\tnot", "What is $\\frac{1}{2}+\\theta$?\nu and v:\tnot"),
    (r"$1 \\\\ 2\\end{pmatrix}$\r\n\tto \"x\" \/ caf\u00e9", '$1 \\\\ 2\\end{pmatrix}$\r\n\tto "x" / café'),
    (r"2u = 4\nu = 2\nFind\tan\nThe end\nnot this\ntext", "2u = 4\nu = 2\nFind\tan\nThe end\nnot this\ntext"),
    (r"$\\neq$ \\\nnabla", "$\\neq$ \\\nnabla"),
    ("no backslash", "no backslash"),
]


@pytest.mark.parametrize(
    "around", ["{}", r"Here it is: {} since $\alpha$ is \(real\).", "<think>\\x</think>```json\n{}\n```"]
)
def test_latex_in_json_is_what_was_meant(client, server, around):
    questions = [request(str(number)) for number in range(len(LATEX))]
    for number, (said, _) in enumerate(LATEX):
        server.says[str(number)] = around.replace("{}", f'{{"name": "{said}"}}')
    assert client.complete_json(questions, name_in) == [meant for _, meant in LATEX]


def completion(text="fine", finish_reason="stop", usage=(3, 1)) -> bytes:
    """As a server sends it; half a character goes as JSON escapes it."""
    said = {"choices": [{"message": {"content": text}, "finish_reason": finish_reason}]}
    if usage:
        said["usage"] = dict(zip(("prompt_tokens", "completion_tokens"), usage, strict=True))
    return json.dumps(said).encode()


def test_half_a_character_is_replaced_and_the_answer_is_paid_once(client, server):
    server.raw = {"a": [completion("cut emoji \ud83d", "st\udc00op")], "b": [completion("a whole one: \U0001f600")]}
    for _ in range(2):
        first, second = client.complete([request("a"), request("b")])
        assert (first.text, first.finish_reason) == ("cut emoji \ufffd", "st\ufffdop")
        assert second.text == "a whole one: \U0001f600"
    assert client.requests_sent == 2


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 200_000,
        completion(finish_reason=5),
        completion(text=["fine"]),
        b'{"choices": [{"message": {"content": null, "reasoning": {"steps": 3}}}]}',
        b'{"choices": [{"message": {"content": "fine"}}], "usage": {"prompt_tokens": ' + b"9" * 5000 + b"}}",
    ],
    ids=["nested", "finish_reason", "content", "reasoning", "digits"],
)
def test_what_no_model_says_is_asked_again(client, server, body):
    server.raw["a"] = [body]
    assert client.complete([request("a")])[0].text == "echo: a"
    assert client.counts["retry_malformed"] == 1


@given(st.text(st.characters()), st.one_of(st.none(), st.text(st.characters(), min_size=1)))
@example("\ud83d", "\udc00")
def test_whatever_a_model_says_can_be_stored(text, reason):
    (reply, _) = read_completion(completion(text, reason).decode())
    json.dumps([reply.text, reply.finish_reason], ensure_ascii=False).encode()
    if not re.search("[\ud800-\udfff]", text):
        assert reply.text == text


@pytest.mark.parametrize("usage", [(10**20, 1), (3, 10**20), (-1, 1), ("3", 1), (3.5, 1)])
def test_a_count_that_no_answer_has_is_no_count(server, tmp_path, usage):
    server.raw["abcdefg"] = [completion("echo: abcdefg", usage=usage)]
    client = client_of(server.address, tmp_path, terms=Terms(PRICE))
    assert client.complete([request("abcdefg")])[0].text == "echo: abcdefg"
    assert client.summary()["cost"] == 3 + 5  # estimated from 7 and 13 bytes, three a token


def test_json_nested_too_deep_is_unusable_and_stops_no_other(client, server):
    server.says = {"a": '{"name":' * 100_000, "b": '{"name": "B"}'}
    first, second = client.complete_json([request("a"), request("b")], name_in)
    assert isinstance(first, Unusable)
    assert second == "B"


@pytest.mark.parametrize("field", ["reasoning", "reasoning_content"])
def test_reasoning_in_a_field_of_its_own_is_put_into_tags(field):
    def reply(content, reasoning, finish_reason="stop"):
        message = {"content": content, field: reasoning}
        return read_completion(json.dumps({"choices": [{"message": message, "finish_reason": finish_reason}]}))[0]

    assert reply("4", "2+2").text == "<think>2+2</think><answer>4</answer>"
    assert reply("<answer>4</answer>", "r").text == "<think>r</think><answer>4</answer>"
    cut = reply(None, "cut of", "length")
    assert (cut.text, cut.finish_reason) == ("<think>cut of", "length")
    assert reply("4", None).text == "4"


@pytest.mark.parametrize("reason", ["length", "content_filter", "tool_calls"])
def test_an_answer_cut_before_its_first_word_is_an_answer_and_says_why(reason):
    """Asking again would give the same until the endpoint counts as down."""
    body = {"choices": [{"message": {"role": "assistant", "content": None}, "finish_reason": reason}]}
    reply = read_completion(json.dumps(body))[0]
    assert (reply.text, reply.finish_reason) == ("", reason)


def test_a_refusal_in_a_field_of_its_own_is_the_answer():
    message = {"content": None, "refusal": "I cannot help with that."}
    body = {"choices": [{"message": message, "finish_reason": "stop"}]}
    assert read_completion(json.dumps(body))[0].text == "I cannot help with that."
