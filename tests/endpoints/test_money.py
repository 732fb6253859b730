"""What is spent, and what was perhaps billed, against the budget."""

import os
import re
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from amt.endpoints.answers import Answers
from amt.endpoints.spending import ONE, BudgetError, Terms
from amt.errors import EndpointError
from tests.endpoints.asking import PRICE, WORST, client_of, request

ROOT = Path(__file__).parents[2]


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


@pytest.mark.parametrize(
    ("fault", "tried"),
    [
        ("hang", 1),  # computed, and too late
        ("cut", 1),
        ("malformed", 1),
        ("empty", 1),  # whole, of no use, and without a count
        ("gateway 502", 1),  # what is behind the gateway may have computed it
        ("500", 4),  # the server's own word that it did not
        ("429", 4),
    ],
)
def test_what_was_perhaps_billed_counts_against_the_budget_at_its_worst(server, tmp_path, fault, tried):
    server.always["0"] = fault
    timeout_s = 0.3 if fault == "hang" else 20.0
    client = client_of(server.address, tmp_path, timeout_s=timeout_s, terms=Terms(PRICE, (WORST + 10) * ONE))
    with pytest.raises(EndpointError) as ended:
        client.complete([request("0")])
    assert server.tried["0"] == tried
    summary = client.summary()
    assert (summary["cost"], summary["perhaps"]) == (0, WORST if tried == 1 else 0)
    assert isinstance(ended.value, BudgetError) is (tried == 1)
    if tried == 1:
        assert "up to 50.00 USD more were perhaps billed" in str(ended.value)
        with pytest.raises(BudgetError):  # nor by a later run
            client_of(server.address, tmp_path, terms=Terms(PRICE, (WORST + 10) * ONE)).complete([request("0")])
        assert server.tried["0"] == tried
        server.always.clear()
        client_of(server.address, tmp_path, terms=Terms(PRICE, 2 * WORST * ONE)).complete([request("0")])


def test_a_request_that_reached_nobody_costs_nothing(tmp_path):
    client = client_of("http://127.0.0.1:9/v1", tmp_path, terms=Terms(PRICE, WORST * ONE))  # nobody listens there
    with pytest.raises(EndpointError, match="in 4 attempts"):
        client.complete([request("0")])
    assert (client.summary()["cost"], client.summary()["perhaps"]) == (0, 0)


def test_an_answer_whose_tokens_are_not_counted_is_perhaps_billed_at_its_worst(server, tmp_path):
    """What a model thinks in hidden is billed, and nothing but the count tells it."""
    server.counts_tokens = False
    client = client_of(server.address, tmp_path, terms=Terms(PRICE, (WORST + 10) * ONE))
    client.complete([request("0")])
    assert client.summary()["cost"] + client.summary()["perhaps"] == WORST
    with pytest.raises(BudgetError):
        client.complete([request("1")])


def test_what_an_interrupt_cuts_off_was_perhaps_billed(server, tmp_path):
    server.always["0"] = "hang"
    script = (
        "from amt.endpoints.spending import Terms\nfrom tests.endpoints.asking import PRICE, client_of, request\n"
        f"client_of({server.address!r}, {str(tmp_path)!r}, terms=Terms(PRICE)).complete([request('0')])\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script], env=os.environ | {"PYTHONPATH": str(ROOT)})
    while not server.tried["0"]:
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)  # a second one does not wait
    process.wait()
    with Answers(tmp_path) as answers:
        assert [(row.cut, row.perhaps) for row in answers.spending()] == [(1, WORST * ONE)]


def test_what_is_in_flight_is_told_on_the_log_with_retries_and_cost(server, tmp_path, caplog):
    caplog.set_level("INFO")
    server.faults["a"] = ["429", "malformed"]
    client = client_of(server.address, tmp_path, terms=Terms(PRICE))
    client.complete([request("a"), request("b")])
    client.complete([request("a"), request("b"), request("c")])
    assert "teacher some/model: 2/2, 0 cached, 2 retries, 8.00 USD" in caplog.text
    assert (
        "2 of 2 answered, 2 of them now; 6 tokens in, 2 out, 8.00 USD (perhaps 50.00 USD more); retries: 1 busy, 1 "
        in (caplog.text)
    )
    assert "3 of 3 answered, 1 of them now; 3 tokens in, 1 out, 4.00 USD; retries: none" in caplog.text


def test_a_terminal_shows_a_bar(server, tmp_path):
    script = (
        "from amt.endpoints.spending import Terms\nfrom tests.endpoints.asking import PRICE, client_of, request\n"
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
