"""The client against real servers that are killed, busy, silent, broken or of another make."""

import contextlib
import json
import os
import shutil
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psutil
import pytest

from amt.placement import Placement
from amt.rewards.code_tests import CodeGrader
from amt.sandbox import client as client_module
from amt.sandbox.client import SandboxClient
from amt.sandbox.judging import Judged
from amt.sandbox.local import LocalJudge
from amt.sandbox.wire import Health, code_version, judged_body
from tests.sandbox.serving import LIMITS, MIXED, ROOT, SETTINGS, echo, server, sleeping, until, verdicts


@contextlib.contextmanager
def asking(*addresses, settings=SETTINGS, timeout_s=300.0, down_s=120.0):
    client = SandboxClient(settings, list(addresses), timeout_s=timeout_s, down_s=down_s)
    try:
        yield client
    finally:
        client.close()


@pytest.fixture(scope="module")
def pair():
    with server("--workers", "1", key="s3cret") as first, server("--workers", "1", key="s3cret") as second:
        yield first, second


@pytest.fixture
def key(monkeypatch):
    monkeypatch.setenv("AMT_SANDBOX_KEY", "s3cret")


@pytest.fixture
def nobody():
    """An address where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return f"http://127.0.0.1:{listening.getsockname()[1]}"


def passed(address):
    metrics = address.metrics()
    return metrics.get('amt_sandbox_submissions_total{language="python",outcome="passed"}', 0)


def seen(address):
    return sum(count for name, count in address.metrics().items() if name.startswith("amt_sandbox_submissions_total"))


def test_verdicts_are_those_of_a_local_run_and_all_servers_are_used(pair, key):
    submissions = [submission for group in MIXED.values() for submission in group] + [echo(n) for n in range(20)]
    local = LocalJudge(SETTINGS, workers=1)
    expected = local.judge(submissions)
    local.close()
    before = [seen(one) for one in pair]
    with asking(*(one.address for one in pair)) as client:
        assert verdicts(client.judge(submissions)) == verdicts(expected)
        assert client.counts == {"sent": len(submissions), "judged": len(submissions)}
    shares = [seen(one) - count for one, count in zip(pair, before)]
    assert sum(shares) == len(submissions)
    assert min(shares) >= 2


def test_many_threads_share_a_client_and_each_gets_its_own(pair, key):
    with asking(*(one.address for one in pair)) as client, ThreadPoolExecutor(8) as threads:
        results = [*threads.map(lambda n: client.judge([echo(n), MIXED["failed"][0], echo(n)]), range(12))]
        assert [[judged.outcome for judged in result] for result in results] == [["passed", "failed", "passed"]] * 12
        assert client.judge([]) == []


def test_the_grader_asks_the_servers_that_the_placement_names(pair, key):
    tests = json.dumps({"kind": "call", "entry_point": "f", "cases": [{"args": [2], "expected": 4}]})
    grader = CodeGrader(SETTINGS, Placement(sandbox_servers=[one.address for one in pair]))
    before = sum(map(passed, pair))
    answer = "<think>t</think><answer>\n```python\ndef f(x):\n    return x {} x\n```\n</answer>"
    verdicts = grader.grade([(tests, answer.format("*")), (tests, answer.format("-"))])
    grader.close()
    assert [(verdict.status, verdict.passed) for verdict in verdicts] == [("scored", True), ("scored", False)]
    assert grader.tier == "bubblewrap+seccomp"
    assert sum(map(passed, pair)) == before + 1


def test_a_server_that_is_killed_takes_nothing_with_it_and_is_used_again():
    with server("--workers", "1") as first, server("--workers", "1") as second:
        submissions = [echo(n) if n % 4 else MIXED["failed"][0] for n in range(200)]
        with asking(first.address, second.address) as client, ThreadPoolExecutor(1) as thread:
            until(lambda: client.judge([echo()]) and all(one.fault is None for one in client._servers))
            before = client.counts["judged"]
            result = thread.submit(client.judge, submissions)
            until(lambda: client.counts["judged"] > before + 10)
            first.kill()
            until(lambda: client.counts["lost"])
            first.start_again()
            assert [judged.outcome for judged in result.result()] == [
                "passed" if n % 4 else "failed" for n in range(200)
            ]
            until(lambda: [*map(client.judge, [[echo()]] * 10)] and passed(first))
            assert client.counts["judged"] >= before + 200


def test_one_that_is_down_ends_as_an_error_that_names_it_and_the_key(nobody):
    with asking(nobody, down_s=1.0) as client:
        (judged, _) = client.judge([echo(), echo()])
        assert (judged.outcome, judged.tests, judged.tier) == ("error", 0, "none")
        assert f"No sandbox server could judge python for 1 s:\n  {nobody}: Cannot connect" in judged.reason
        assert "sandbox_servers or sandbox_down_s in the file that AMT_PLACEMENT names" in judged.reason


def test_one_that_comes_back_in_time_judges_what_waited():
    with server("--workers", "1") as one, asking(one.address) as client, ThreadPoolExecutor(1) as thread:
        one.kill()
        result = thread.submit(client.judge, [echo(), MIXED["failed"][0]])
        until(lambda: client._servers[0].fault and "Cannot connect" in client._servers[0].fault)
        one.start_again()
        assert [judged.outcome for judged in result.result()] == ["passed", "failed"]


def test_what_a_server_cannot_judge_is_judged_elsewhere(tmp_path):
    bwrap = tmp_path / "bwrap"
    bwrap.symlink_to(shutil.which("bwrap"))
    with server("--workers", "1", PATH=f"{tmp_path}:{os.environ['PATH']}") as sick, server("--workers", "1") as well:
        with asking(sick.address, well.address) as client:
            until(lambda: {judged.outcome for judged in client.judge([echo()] * 9)} == {"passed"} and passed(sick))
            bwrap.unlink()
            for process in psutil.Process(sick.process.pid).children(recursive=True):
                process.kill()
            assert {judged.outcome for judged in client.judge([echo()] * 20)} == {"passed"}
            assert client.counts["errors"] >= 1
        with asking(sick.address, down_s=1.0) as client:
            (judged,) = client.judge([echo()])
            assert (judged.outcome, sick.address in judged.reason) == ("error", True)


def test_several_clients_share_a_server_whose_queue_is_full():
    with contextlib.ExitStack() as stack:
        one = stack.enter_context(server("--workers", "1", "--queue", "0"))
        clients = [stack.enter_context(asking(one.address)) for _ in range(3)]
        threads = stack.enter_context(ThreadPoolExecutor(3))
        results = [*threads.map(lambda client: client.judge([sleeping(0.3), echo()]), clients)]
        assert [[judged.outcome for judged in result] for result in results] == [["passed", "passed"]] * 3
        assert sum(client.counts["busy"] for client in clients) >= 2


def test_a_server_that_falls_silent_is_given_up(monkeypatch):
    monkeypatch.setattr(client_module, "CHECK_S", 0.3)
    monkeypatch.setattr(client_module, "CHECK_LIMIT_S", 2.0)
    with (
        server("--workers", "1") as first,
        server("--workers", "1") as second,
        asking(first.address, second.address) as client,
    ):
        until(lambda: client.judge([echo()]) and all(one.fault is None for one in client._servers))
        first.process.send_signal(signal.SIGSTOP)
        assert {judged.outcome for judged in client.judge([echo(n) for n in range(10)])} == {"passed"}
        assert client.counts["lost"] >= 1


def test_a_server_that_takes_too_long_is_an_error_that_names_the_key(pair, key):
    with asking(pair[0].address, timeout_s=0.5) as client:
        (judged,) = client.judge([sleeping(3)])
    assert judged.outcome == "error"
    assert "gave no verdict in 0.5 s (sandbox_timeout_s)" in judged.reason


@pytest.mark.parametrize("allowed", [False, True])
def test_no_unprotected_server_judges_where_the_recipe_forbids_it(allowed):
    settings = SETTINGS.model_copy(update={"allow_unprotected": allowed})
    with (
        server("--workers", "1", "--allow-unprotected", is_isolated=False) as one,
        asking(one.address, settings=settings, down_s=60.0 if allowed else 1.0) as client,
    ):
        (judged,) = client.judge([echo()])
    if allowed:
        assert (judged.outcome, judged.tier.startswith("unprotected")) == ("passed", True)
    else:
        assert (judged.outcome, "sandbox.allow_unprotected is false" in judged.reason) == ("error", True)


def test_no_server_of_other_code_judges(tmp_path):
    shutil.copytree(ROOT / "amt", tmp_path / "amt", ignore=shutil.ignore_patterns("__pycache__"))
    with (tmp_path / "amt" / "sandbox" / "comparison.py").open("a") as file:
        file.write("RELATIVE_TOLERANCE = 0.5\n")
    with server("--workers", "1", root=tmp_path) as one, asking(one.address, down_s=1.0) as client:
        (judged,) = client.judge([echo()])
        assert (judged.outcome, f", not {code_version()}: start it from" in judged.reason) == ("error", True)


@pytest.mark.parametrize("shown", [None, "other"])
def test_no_server_that_wants_another_key_is_asked(pair, monkeypatch, shown):
    monkeypatch.delenv("AMT_SANDBOX_KEY", raising=False)
    if shown:
        monkeypatch.setenv("AMT_SANDBOX_KEY", shown)
    with asking(pair[0].address, down_s=1.0) as client:
        (judged,) = client.judge([echo()])
        assert (judged.outcome, "set AMT_SANDBOX_KEY here" in judged.reason) == ("error", True)
        assert client.counts["sent"] == 0


def test_what_is_no_plain_data_is_told_and_not_sent(pair, key):
    submission = MIXED["passed"][2]
    odd = type(submission)("python", submission.code, (type(submission.cases[0])(submission.cases[0].given, ...),))
    with asking(pair[0].address) as client:
        (judged,) = client.judge([odd])
    assert (judged.outcome, judged.reason) == (
        "error",
        "The tests cannot be sent: an expected value holds a ellipsis, which is no plain data",
    )


def test_a_submission_that_is_too_large_is_an_error_and_harms_no_other():
    with server("--workers", "1", "--max-body-mb", "1") as one, asking(one.address) as client:
        large = type(echo())("python", "print(input(), 0)" + "#" * (2 << 20), echo().cases)
        judged = client.judge([large, echo(), large])
        assert [one.outcome for one in judged] == ["error", "passed", "error"]
        assert "--max-body-mb" in judged[0].reason


def test_closing_ends_what_waits(nobody):
    client = SandboxClient(SETTINGS, [nobody], timeout_s=300.0, down_s=300.0)
    with ThreadPoolExecutor(1) as thread:
        result = thread.submit(client.judge, [echo()])
        until(lambda: client._jobs)
        client.close()
        assert [(judged.outcome, judged.reason) for judged in result.result()] == [("error", "The client was closed.")]
    client.close()


# --- a server that misbehaves on purpose -----------------------------------------------------------------

VERDICT = Judged("passed", None, 2, 0.5, "bubblewrap+seccomp")
HEALTH = Health(
    fault=None, admits=True, tier="bubblewrap+seccomp", languages={"python": ""}, workers=1, queue=0, running=0,
    waiting=0, maximum=asdict(LIMITS), code=code_version(),
)  # fmt: skip


@pytest.fixture
def misbehaving():
    """address, what it does to requests to /judge before it behaves, and when they came."""
    faults, came = [], []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self.answer(200, HEALTH.model_dump_json().encode())

        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            came.append(time.monotonic())
            if not faults:
                self.answer(200, judged_body(VERDICT))
            elif (fault := faults.pop(0)) == "cut":
                self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
                self.close_connection = True
            elif fault == "closed":
                self.close_connection = True
            else:
                self.answer(*fault)

        def answer(self, status, body, headers=()):
            self.send_response(status)
            for name, value in (("Content-Length", len(body)), *headers):
                self.send_header(name, str(value))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        listening.daemon_threads = True
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{listening.server_port}", faults, came
        listening.shutdown()
        thread.join()


ERROR = judged_body(Judged("error", "the worker ended", 0, 0.0, "bubblewrap+seccomp"))
MORE = judged_body(VERDICT).replace(b'"passed"', b'"perhaps"')


@pytest.mark.parametrize(
    ("faults", "counted"),
    [
        (["cut", "closed", "closed"], {"lost": 3}),
        ([(503, b"stopping")] * 4, {"lost": 4}),
        ([(500, b"Internal Server Error"), (200, ERROR)], {"errors": 2}),
        ([(200, b"<html>"), (200, MORE)], {"errors": 2}),
        ([(429, b"full"), (429, b"full", [("Retry-After", "soon")])] * 3, {"busy": 6}),
    ],
)
def test_faults_are_retried_until_there_is_a_verdict(misbehaving, faults, counted):
    address, planned, came = misbehaving
    planned += faults
    with asking(address) as client:
        assert client.judge([echo()]) == [VERDICT]
        assert client.counts == {"sent": len(faults) + 1, "judged": 1} | counted
    assert len(came) == len(faults) + 1


@pytest.mark.parametrize(
    ("faults", "told"),
    [
        ([(500, b"Internal Server Error")] * 3, "in 3 attempts. The last: {} said 500: Internal Server Error"),
        ([(422, b"limits")] * 3, "in 3 attempts. The last: {} said 422: limits"),
        ([(200, ERROR)] * 3, "in 3 attempts. The last: {}: the worker ended"),
        ([(401, b"key")] * 10, "in 10 attempts. The last: {} said 401: key"),
    ],
)
def test_an_error_that_stays_is_the_outcome(misbehaving, faults, told):
    address, planned, came = misbehaving
    planned += faults
    with asking(address) as client:
        (judged,) = client.judge([echo()])
    assert (judged.outcome, judged.reason) == ("error", "It could not be judged " + told.format(address))
    assert len(came) == len(faults)


def test_a_busy_server_is_left_alone_for_as_long_as_it_asks(misbehaving):
    address, planned, came = misbehaving
    planned.append((429, b"full", [("Retry-After", "2")]))
    with asking(address) as client:
        assert client.judge([echo(), echo()]) == [VERDICT, VERDICT]
    assert len(came) == 3
    assert came[1] - came[0] >= 2.0


@pytest.mark.parametrize("asked", ["1e9", "inf", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_no_server_is_left_alone_for_ever(misbehaving, monkeypatch, asked):
    monkeypatch.setattr("amt.sandbox.client.LONGEST_PAUSE_S", 0.5)
    address, planned, came = misbehaving
    planned.append((429, b"full", [("Retry-After", asked)]))
    with asking(address) as client:
        assert client.judge([echo()]) == [VERDICT]
    assert len(came) == 2


def test_a_server_with_another_compiler_is_asked_in_other_languages_only(misbehaving, monkeypatch):
    """Verdicts are those of this machine, where it has the compiler."""
    told = HEALTH.model_copy(update={"languages": {"python": "", "cpp": "g++ 99", "c": "gcc 98"}})
    monkeypatch.setitem(globals(), "HEALTH", told)
    monkeypatch.setattr("amt.sandbox.client.compilers", lambda: {"python": "", "cpp": "g++ 12"})
    address, _, came = misbehaving
    with asking(address, down_s=0.5) as client:
        assert client.judge([echo(), replace(echo(), language="c")]) == [VERDICT] * 2
        (judged,) = client.judge([replace(echo(), language="cpp")])
    assert judged.outcome == "error"
    assert f"{address}: its compiler of cpp is 'g++ 99', the one here 'g++ 12'" in judged.reason
    assert len(came) == 2
