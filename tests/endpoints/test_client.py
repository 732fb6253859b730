"""The client against a real HTTP server that misbehaves on purpose."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import termios
import time
from email.utils import formatdate
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from amt.endpoints.client import ChatClient, ChatRequest, Unusable
from amt.endpoints.completion import read_completion
from amt.endpoints.spending import ONE, BudgetError, Price, Terms
from amt.errors import DataError, EndpointError
from tests.endpoints.server import Server

ROOT = Path(__file__).parents[2]


@pytest.fixture
def server():
    server = Server()
    yield server
    server.close()


@pytest.fixture
def client(server, tmp_path):
    return client_of(server.address, tmp_path)


def client_of(address, cache, **options):
    standard = {"attempts": 4, "timeout_s": 20.0, "backoff_base_s": 0.01, "role": "teacher"}
    return ChatClient(address, "some/model", "secret", cache, 8, **standard | options)


def request(question, seed=1, **changes):
    standard = {"temperature": 0.6, "top_p": 0.95, "max_tokens": 16, "seed": seed, "key": f"row {question}"}
    return ChatRequest(messages=[{"role": "user", "content": question}], **standard | changes)


def test_answers_come_in_order_and_tokens_are_counted(client):
    replies = client.complete([request(str(number), seed=number) for number in range(40)])
    assert [reply.text for reply in replies] == [f"echo: {number}" for number in range(40)]
    assert client.completion_tokens == sum(range(40))
    assert client.prompt_tokens == 120


def test_the_key_is_sent_and_requests_in_flight_are_limited(client, server):
    server.delay_s = 0.02
    client.complete([request(str(number)) for number in range(40)])
    assert {headers["Authorization"] for headers in server.headers} == {"Bearer secret"}
    assert {headers["path"] for headers in server.headers} == {"/v1/chat/completions"}
    assert 2 <= server.most_at_once <= 8


@pytest.mark.parametrize("fault", ["500", "503", "429", "408", "cut", "malformed", "empty", "retry-after 0"])
def test_passing_faults_are_retried(client, server, fault):
    server.faults["a"] = [fault, fault]
    assert client.complete([request("a")])[0].text == "echo: a"
    assert server.tried["a"] == 3


def test_a_slow_answer_is_asked_again(server, tmp_path):
    server.faults["a"] = ["hang"]
    client = client_of(server.address, tmp_path, timeout_s=0.5)
    assert client.complete([request("a")])[0].text == "echo: a"


@pytest.mark.parametrize("as_date", [False, True])
def test_retry_after_is_obeyed(client, server, as_date):
    server.faults["a"] = [f"retry-after {formatdate(time.time() + 2, usegmt=True) if as_date else 1}"]
    start = time.monotonic()
    client.complete([request("a")])
    # A date has whole seconds, so that it may be 1 s ahead instead of 2.
    assert time.monotonic() - start >= 0.95


@pytest.mark.parametrize("status", [400, 401, 404])
def test_a_refusal_is_fatal_at_once_and_quotes_the_server(client, server, status):
    server.faults["a"] = [str(status)]
    with pytest.raises(EndpointError, match=f"refuses row a: {status} .*the server says {status}.*AMT_TEACHER_API_KEY"):
        client.complete([request("a")])
    assert server.tried["a"] == 1


def test_a_dead_endpoint_names_address_attempts_and_key(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    with pytest.raises(EndpointError) as caught:
        client_of(address, tmp_path).complete([request("a")])
    for part in (address, "4 attempts", "row a", "AMT_PLACEMENT", "endpoints.teacher"):
        assert part in str(caught.value)
    assert "secret" not in str(caught.value)


def test_what_was_answered_is_not_asked_again(client, server, tmp_path):
    questions = [request(str(number)) for number in range(10)]
    first = client.complete(questions)
    again = client_of("http://127.0.0.1:9/v1", tmp_path)  # nobody listens there
    assert again.complete(questions) == first
    assert (again.requests_sent, again.answered_from_cache) == (0, 10)
    assert server.answered.total() == 10


@pytest.mark.parametrize(
    "changed",
    [
        request("b"),
        request("a", seed=2),
        request("a", temperature=0.7),
        request("a", top_p=1.0),
        request("a", max_tokens=17),
    ],
)
def test_all_that_decides_an_answer_is_part_of_its_key(client, server, changed):
    client.complete([request("a")])
    client.complete([changed])
    assert client.requests_sent == 2


def test_model_and_identity_are_part_of_the_key_and_the_name_of_a_request_is_not(server, tmp_path):
    client_of(server.address, tmp_path).complete([request("a")])
    other = client_of(server.address, tmp_path, identity="version 2")
    other.complete([request("a")])
    renamed = client_of(server.address, tmp_path)
    renamed.complete([request("a", key="another row")])
    assert (other.requests_sent, renamed.requests_sent) == (1, 0)


def test_equal_requests_are_sent_once(client):
    replies = client.complete([request("a")] * 5)
    assert len(replies) == 5
    assert client.requests_sent == 1


def test_answers_before_a_failure_are_kept(client, server):
    server.faults["9"] = ["400"]
    server.delay_s = 0.01
    with pytest.raises(EndpointError):
        client.complete([request(str(number)) for number in range(10)])
    server.tried.clear()
    client.complete([request(str(number)) for number in range(10)])
    assert server.answered["0"] == 1
    assert server.tried["0"] == 0


def test_two_processes_share_the_work_and_pay_for_each_answer_once(server, tmp_path):
    server.delay_s = 0.02
    script = (
        "from tests.endpoints.test_client import client_of, request\n"
        f"client = client_of({server.address!r}, {str(tmp_path / 'cache')!r})\n"
        "replies = client.complete([request(str(number)) for number in range(200)])\n"
        "assert [reply.text for reply in replies] == [f'echo: {number}' for number in range(200)]\n"
        "print(client.requests_sent)\n"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    started = [
        subprocess.Popen([sys.executable, "-c", script], env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    sent = [int(process.communicate(timeout=60)[0]) for process in started]
    assert sum(sent) == 200
    assert server.answered.total() == 200
    assert server.most_at_once <= 8  # the limit of the address, not of a process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_lets_what_is_in_flight_end_and_says_how_to_go_on(server, tmp_path, number):
    server.delay_s = 0.3
    script = (
        "import logging, sys\nlogging.basicConfig(level=logging.INFO)\n"
        "from tests.endpoints.test_client import client_of, request\n"
        f"client_of({server.address!r}, {str(tmp_path / 'cache')!r}).complete("
        "[request(str(number)) for number in range(200)])\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script], env=os.environ | {"PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE, text=True
    )
    while server.answered.total() < 12:
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(number)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == {signal.SIGINT: -signal.SIGINT, signal.SIGTERM: 128 + signal.SIGTERM}[number]
    assert f"{server.answered.total()} of 200 questions have their answer; it is kept" in said
    before = server.answered.total()
    client = client_of(server.address, tmp_path / "cache")
    server.delay_s = 0
    client.complete([request(str(number)) for number in range(200)])
    assert client.answered_from_cache == before
    assert server.answered.total() == 200


def test_after_a_refusal_what_is_in_flight_is_still_stored(client, server, tmp_path):
    server.faults["0"] = ["401"]
    server.delays["0"], server.delay_s = 0.1, 0.5  # the others have been asked when it is refused
    with pytest.raises(EndpointError, match="refuses row 0"):
        client.complete([request(str(number)) for number in range(50)])
    assert 1 <= server.answered.total() <= 7
    answered = list(server.answered)
    again = client_of("http://127.0.0.1:9/v1", tmp_path)
    assert len(again.complete([request(name) for name in answered])) == len(answered)


def test_an_idempotency_key_names_the_question_and_changes_after_an_answer_of_no_use(client, server):
    server.faults["a"] = ["500", "cut", "malformed"]
    client.complete([request("a"), request("b")])
    keys = [
        headers["Idempotency-Key"]
        for headers, body in zip(server.headers, server.bodies, strict=True)
        if body["messages"][-1]["content"] == "a"
    ]
    assert keys[0] == keys[1] == keys[2]
    assert keys[3] == f"{keys[0]}-1"
    assert len({headers["Idempotency-Key"] for headers in server.headers}) == 3


# --- money ------------------------------------------------------------------------------------------------------

PRICE = Price.per_million(1e6, 1e6)  # a token, one unit of currency
# The messages of request("0") in JSON are 34 bytes, and its answer has 16 tokens at most.
WORST = 50


@pytest.mark.parametrize(
    ("budget", "answered"),
    [
        (WORST - 1, 0),
        (WORST, 1),  # 4 are spent then: 3 of the prompt, 1 of the answer
        (WORST + 4, 2),
        (WORST + 4 * 9, 10),
    ],
)
def test_a_budget_is_spent_as_far_as_it_surely_lasts_and_a_higher_one_goes_on(server, tmp_path, budget, answered):
    questions = [request(str(number)) for number in range(10)]
    client = client_of(server.address, tmp_path, terms=Terms(PRICE, budget * ONE))
    if answered < 10:
        spent = f"{4 * answered:,.2f} USD of {budget:,.2f} USD are spent"
        with pytest.raises(BudgetError, match=rf"{re.escape(spent)}.*{10 - answered} questions.*endpoint_budget in"):
            client.complete(questions)
    else:
        client.complete(questions)
    assert server.answered.total() == answered
    assert client.summary()["cost"] == 4 * answered
    client_of(server.address, tmp_path, terms=Terms(PRICE, 1000 * ONE)).complete(questions)
    assert server.answered.total() == 10


def test_answers_of_no_use_that_were_billed_count_against_the_budget(server, tmp_path):
    server.faults["0"] = ["useless"] * 3
    terms = Terms(PRICE, (WORST + 10) * ONE)  # each of no use is billed 7: a third try is not surely covered
    with pytest.raises(BudgetError, match=r"14\.00 USD of 60\.00 USD"):
        client_of(server.address, tmp_path, terms=terms).complete([request("0")])
    assert server.tried["0"] == 2


def test_what_is_in_flight_is_told_on_the_log_with_retries_and_cost(server, tmp_path, caplog):
    caplog.set_level("INFO")
    server.faults["a"] = ["429", "malformed"]
    client = client_of(server.address, tmp_path, terms=Terms(PRICE))
    client.complete([request("a"), request("b")])
    client.complete([request("a"), request("b"), request("c")])
    assert "teacher some/model: 2/2, 0 cached, 2 retries, 8.00 USD" in caplog.text
    assert "2 of 2 answered, 2 of them now; 6 tokens in, 2 out, 8.00 USD; retries: 1 busy, 1 malformed" in caplog.text
    assert "3 of 3 answered, 1 of them now; 3 tokens in, 1 out, 4.00 USD; retries: none" in caplog.text


def test_a_terminal_shows_a_bar(server, tmp_path):
    script = (
        "from tests.endpoints.test_client import PRICE, Terms, client_of, request\n"
        f"client = client_of({server.address!r}, {str(tmp_path)!r}, terms=Terms(PRICE))\n"
        "client.complete([request('a')])\nclient.complete([request('a'), request('b')])\n"
    )
    screen, terminal = os.openpty()
    termios.tcsetwinsize(terminal, (24, 120))
    try:
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        subprocess.run([sys.executable, "-c", script], env=environment, stderr=terminal, check=True)
        shown = os.read(screen, 10_000).decode()
    finally:
        os.close(screen)
        os.close(terminal)
    last = shown.replace("\n", "\r").strip("\r").split("\r")[-1]
    assert last.startswith("teacher some/model: 100%")
    assert "2/2" in last
    assert "1 cached, 0 retries, 4.00 USD" in last


def test_tokens_that_an_endpoint_does_not_count_are_estimated_and_that_is_said(server, tmp_path, caplog):
    server.counts_tokens = False
    client = client_of(server.address, tmp_path, terms=Terms(PRICE))
    (reply,) = client.complete([request("abcdefg")])
    assert (reply.prompt_tokens, reply.completion_tokens) == (0, 0)  # as the endpoint says
    assert client.summary()["cost"] == 3 + 5  # 7 and 13 bytes, three a token
    assert "1 answers came without a token count" in caplog.text


def test_a_corrupt_cache_is_named(server, tmp_path):
    (tmp_path / "answers.sqlite").write_bytes(b"this is no database " * 100)
    with pytest.raises(DataError, match=r"answers\.sqlite.*move it away"):
        client_of(server.address, tmp_path).complete([request("a")])


def test_a_pause_of_a_day_is_cut_short_and_the_log_says_so(server, tmp_path, caplog):
    caplog.set_level("INFO")
    server.faults["a"] = ["retry-after 86400"]
    start = time.monotonic()
    client_of(server.address, tmp_path, retry_after_cap_s=0.5).complete([request("a")])
    assert 0.5 <= time.monotonic() - start < 10
    assert "Retry-After: 86400" in caplog.text
    assert "next in 0.5 s" in caplog.text


NO_MAX_TOKENS = (
    "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
)
NO_TOP_P = "Unsupported parameter: 'top_p' is not supported with this model."
NO_TEMPERATURE = (
    "Unsupported value: 'temperature' does not support 0.6 with this model. Only the default (1) value is supported."
)


def test_a_model_of_openai_s_o_series_is_asked_in_its_own_way(client, server):
    server.takes_no = {"max_tokens": NO_MAX_TOKENS, "top_p": NO_TOP_P}
    questions = [request(str(number), top_p=1.0) for number in range(20)]
    assert [reply.text for reply in client.complete(questions)] == [f"echo: {number}" for number in range(20)]
    assert server.bodies[-1] == {
        "model": "some/model",
        "messages": [{"role": "user", "content": server.bodies[-1]["messages"][0]["content"]}],
        "temperature": 0.6,
        "max_completion_tokens": 16,
        "seed": 1,
    }
    # Learned once: no further request is refused.
    asked = len(server.bodies)
    client.complete([request("later", top_p=1.0)])
    assert len(server.bodies) == asked + 1


def test_the_name_of_a_parameter_on_the_wire_is_no_part_of_the_key(client, server, tmp_path):
    client.complete([request("a")])
    server.takes_no = {"max_tokens": NO_MAX_TOKENS}
    client.complete([request("b")])
    again = client_of(server.address, tmp_path)
    again.complete([request("a"), request("b")])
    assert again.requests_sent == 0


@pytest.mark.parametrize(("name", "said"), [("temperature", NO_TEMPERATURE), ("top_p", NO_TOP_P)])
def test_a_setting_that_the_model_does_not_take_is_never_left_out_in_silence(client, server, name, said):
    server.takes_no = {name: said}
    with pytest.raises(EndpointError, match=rf"Unsupported .*'{name}'.*endpoints\.teacher in params\.yaml"):
        client.complete([request("a")])
    assert len(server.bodies) == 1


def name_in(answer):
    if "name" not in answer:
        raise ValueError("expected a name")
    return answer["name"]


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


def test_a_model_that_gives_no_json_is_an_error_and_is_asked_again_by_the_next_call(client, server):
    server.says = {"c": '{"name": "C"}'}
    questions = [request("a"), request("b"), request("c")]
    with pytest.raises(EndpointError, match=r"no usable JSON for row a in 3 attempts \(2 of 3 requests\).*echo: a"):
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
