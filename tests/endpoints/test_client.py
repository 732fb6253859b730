"""The client against a real HTTP server that misbehaves on purpose."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import namedtuple
from email.utils import formatdate
from pathlib import Path

import pytest

from amt.errors import DataError, EndpointError
from amt.transport import proxy_of
from tests.endpoints.asking import client_of, request

ROOT = Path(__file__).parents[2]


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


@pytest.mark.parametrize("wished", ["0", "Wed, 21 Oct 2015 07:28:00 GMT", "-5", "soon", "0.2"])
def test_a_wish_to_be_asked_again_at_once_takes_no_pause_away(server, tmp_path, caplog, wished):
    """The pause grows however an endpoint wishes: else all attempts are gone in a moment."""
    caplog.set_level("INFO")
    questions = [str(number) for number in range(30)]
    server.faults = {name: [f"retry-after {wished}"] for name in questions}
    client_of(server.address, tmp_path, backoff_base_s=0.4).complete([request(name) for name in questions])
    pauses = [float(pause) for pause in re.findall(r"next in ([0-9.]+) s", caplog.text)]
    assert len(pauses) == 30
    least = 0.2 if wished == "0.2" else 0.0
    assert all(least <= pause <= least + 0.4 for pause in pauses)
    # Uniform between them: that 30 of them were all below a quarter has a chance of 1e-18.
    assert max(pauses) > least + 0.1
    assert len(set(pauses)) > 1


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
    server.faults["9"] = ["401"]
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
        "from tests.endpoints.asking import client_of, request\n"
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
    sent = [int(process.communicate()[0]) for process in started]
    assert sum(sent) == 200
    assert server.answered.total() == 200
    assert server.most_at_once <= 8  # the limit of the address, not of a process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_lets_what_is_in_flight_end_and_says_how_to_go_on(server, tmp_path, number):
    """However long that takes."""
    server.delay_s = 0.3
    script = (
        "import logging, sys\nlogging.basicConfig(level=logging.INFO)\n"
        "from amt.endpoints import asking\nasking.GRACE_S = 500.0\n"
        "from tests.endpoints.asking import client_of, request\n"
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
    said = process.communicate()[1]
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


def test_where_the_disk_is_full_what_is_in_flight_is_still_stored(client, server, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**12, 0, 0 if server.tried else 10**12))
    server.delays["0"], server.delay_s = 0.1, 0.5
    with pytest.raises(DataError, match=r"0\.0 MB are free"):
        client.complete([request(str(number)) for number in range(50)])
    assert server.answered.total() == 8  # as many as may be in flight
    again = client_of("http://127.0.0.1:9/v1", tmp_path)
    assert len(again.complete([request(name) for name in server.answered])) == 8


def test_an_idempotency_key_names_the_question_and_changes_after_several_answers_of_no_use(server, tmp_path):
    server.faults["a"] = ["500", "cut", "malformed", "malformed", "malformed", "malformed"]
    client_of(server.address, tmp_path, attempts=8).complete([request("a"), request("b")])
    keys = [
        headers["Idempotency-Key"]
        for headers, body in zip(server.headers, server.bodies, strict=True)
        if body["messages"][-1]["content"] == "a"
    ]
    # What was garbled on its way may come whole, and unbilled, under the same name.
    assert keys == [keys[0]] * 6 + [f"{keys[0]}-1"]
    assert len({headers["Idempotency-Key"] for headers in server.headers}) == 3


def test_the_idempotency_key_follows_the_body(client, server):
    server.takes_no = {"max_tokens": NO_MAX_TOKENS}
    client.complete([request("a")])
    first, second = server.headers
    assert first["Idempotency-Key"] != second["Idempotency-Key"]
    server.takes_no = {}
    server.faults["b"] = ["500"]
    client.complete([request("b")])
    _, _, third, fourth = server.headers
    assert third["Idempotency-Key"] == fourth["Idempotency-Key"]


def test_an_endpoint_that_checks_keys_against_bodies_is_content(client, server):
    server.checks_keys = True
    server.takes_no = {"max_tokens": NO_MAX_TOKENS}
    assert client.complete([request("a")])[0].text == "echo: a"
    assert len(server.bodies) == 2


def test_a_proxy_of_the_environment_is_used_but_not_for_this_machine(monkeypatch):
    monkeypatch.setenv("https_proxy", "http://proxy.internal:3128")
    monkeypatch.setenv("no_proxy", "r1.internal")
    assert proxy_of("https://api.example.com/v1/chat/completions") == "http://proxy.internal:3128"
    for address in (
        "http://api.example.com/v1",
        "https://r1.internal/v1",
        "https://127.0.0.1:9/v1",
        "https://[::1]/v1",
    ):
        assert proxy_of(address) is None


def test_a_corrupt_cache_is_named(server, tmp_path):
    (tmp_path / "answers.sqlite").write_bytes(b"this is no database " * 100)
    with pytest.raises(DataError, match=r"answers\.sqlite.*move it away"):
        client_of(server.address, tmp_path).complete([request("a")])


def test_a_pause_of_a_day_is_cut_short_and_the_log_says_so(server, tmp_path, caplog):
    caplog.set_level("INFO")
    server.faults["a"] = ["retry-after 86400"]
    start = time.monotonic()
    client_of(server.address, tmp_path, retry_after_cap_s=0.5).complete([request("a")])
    assert 0.5 <= time.monotonic() - start < 1000
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
