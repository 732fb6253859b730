"""A real server as a process of its own: verdicts, refusals, and its end."""

import asyncio
import json
import math
import os
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import httpx
import psutil
import pytest

from amt.sandbox.__main__ import parser
from amt.sandbox.local import LocalJudge
from amt.sandbox.runner import Sandbox
from amt.sandbox.server import Settings, Slots
from amt.sandbox.wire import code_version, request_body
from tests.sandbox.serving import LIMITS, MIXED, ROOT, SETTINGS, UNISOLATED, echo, server, sleeping, until, verdicts


@pytest.fixture(scope="module")
def one():
    with server("--workers", "1", "--queue", "1", "--max-memory-mb", "1024", "--max-body-mb", "1") as one:
        yield one


def test_verdicts_are_those_of_a_local_run(one):
    submissions = [submission for group in MIXED.values() for submission in group]
    local = LocalJudge(SETTINGS, workers=1)
    expected = local.judge(submissions)
    local.close()
    assert verdicts([one.judge(submission) for submission in submissions]) == verdicts(expected)
    assert [judged.outcome for judged in expected] == [outcome for outcome, group in MIXED.items() for _ in group]


def test_limits_are_those_of_the_request(one):
    submission = MIXED["failed"][6]  # prints a million bytes
    response = one.post(request_body(submission, replace(LIMITS, output_bytes=2_000_000)))
    assert response.json()["reason"] == "test 1 of 1: wrong output"


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        (b"{", 422, "this is no JSON"),
        (json.dumps({"code": 1}).encode(), 422, "code: Input should be a valid string"),
        (b" " * (1 << 20) + b"{}", 413, "larger than this server takes, 1048576 bytes (--max-body-mb)"),
        (request_body(echo(), replace(LIMITS, memory_mb=1025)), 422, "limits.memory_mb: 1025 is above this server's"),
        (request_body(echo(), replace(LIMITS, memory_mb=1025)), 422, "maximum, 1024 (--max-memory-mb)"),
        (request_body(echo(), LIMITS).replace(code_version().encode(), b"older"), 409, "the client by older"),
    ],
)
def test_what_is_refused_is_told(one, body, status, told):
    response = one.post(body)
    assert (response.status_code, told in response.json()["detail"]) == (status, True), response.text


def test_a_body_of_unknown_length_is_bounded_too(one):
    response = httpx.post(f"{one.address}/judge", content=(b" " * 65536 for _ in range(100)), timeout=60)
    assert response.status_code == 413


def filled(one, threads):
    """What the server will say of a submission that runs for a while and of one that waits for it."""
    runs = threads.submit(one.post, request_body(sleeping(15), replace(LIMITS, wall_seconds=60.0)))

    def counts(health):
        assert not runs.done()
        return health["running"], health["waiting"]

    one.wait_for(lambda health: counts(health) == (1, 0))
    waits = threads.submit(one.post, request_body(echo(), LIMITS))
    one.wait_for(lambda health: counts(health) == (1, 1))
    return [runs, waits]


def test_a_full_queue_says_when_to_come_back(one):
    with ThreadPoolExecutor(2) as threads:
        taken = filled(one, threads)
        refused = one.post(request_body(echo(), LIMITS))
        assert refused.status_code == 429
        assert 1 <= int(refused.headers["Retry-After"]) <= 30
        assert "All 1 workers are busy, and 1 submissions wait" in refused.text
        assert [future.result().json()["outcome"] for future in taken] == ["passed", "passed"]
    health = one.wait_for(lambda health: health["running"] == 0)
    assert health["waiting"] == 0
    assert one.metrics()['amt_sandbox_refused_total{reason="queue_full"}'] == 1
    assert one.judge(echo()).outcome == "passed"


def test_health_says_what_the_server_is(one):
    response = httpx.get(f"{one.address}/health", timeout=60)
    assert response.status_code == 200
    told = response.json()
    assert told["maximum"]["memory_mb"] == 1024
    del told["maximum"]
    assert told == {
        "fault": None, "admits": True, "tier": "bubblewrap+seccomp", "languages": told["languages"],
        "workers": 1, "queue": 1, "running": 0, "waiting": 0, "code": code_version(),
    }  # fmt: skip
    assert told["languages"]["python"] == ""
    first_line = subprocess.run(["g++", "--version"], capture_output=True, text=True).stdout.splitlines()[0]
    assert told["languages"]["cpp"] == told["languages"]["cpp17"] == first_line


def test_health_waits_behind_no_submission():
    """At whichever moment of two submissions' arrival it is asked."""

    async def finished_before_health(sandbox: Sandbox, moments: int) -> int:
        slots = Slots(sandbox, Settings(1, 1, LIMITS, 1 << 20, None))
        nobody_leaves = [asyncio.get_running_loop().create_future() for _ in range(2)]
        asked = [
            asyncio.create_task(slots.judge(sleeping(0.5), LIMITS, leaves, lambda: None)) for leaves in nobody_leaves
        ]
        for _ in range(moments):
            await asyncio.sleep(0)
        assert (await slots.health(admits=True)).fault is None
        finished = sum(task.done() for task in asked)
        assert [judged.outcome for judged in await asyncio.gather(*asked)] == ["passed", "passed"]
        return finished

    with Sandbox(LIMITS, workers=1) as sandbox:
        assert [asyncio.run(finished_before_health(sandbox, moments)) for moments in range(8)] == [0] * 8


def test_metrics_count_what_was_judged():
    with server("--workers", "1") as one:
        outcomes = [one.judge(submission).outcome for submission in (echo(), echo(), MIXED["failed"][0])]
        assert outcomes == ["passed", "passed", "failed"]
        metrics = one.metrics()
        assert metrics['amt_sandbox_submissions_total{language="python",outcome="passed"}'] == 2
        assert metrics['amt_sandbox_submissions_total{language="python",outcome="failed"}'] == 1
        assert metrics['amt_sandbox_tests_total{language="python"}'] == 6
        assert metrics['amt_sandbox_seconds_count{language="python"}'] == 3
        assert metrics["amt_sandbox_running"] == metrics["amt_sandbox_waiting"] == 0


def test_a_worker_that_dies_is_an_error_and_is_replaced():
    with server("--workers", "1") as one:
        assert one.judge(echo()).outcome == "passed"
        for process in psutil.Process(one.process.pid).children(recursive=True):
            process.kill()
        judged = one.judge(echo())
        assert (judged.outcome, "worker ended" in judged.reason) == ("error", True)
        assert one.judge(echo()).outcome == "passed"
        metrics = one.metrics()
        assert metrics["amt_sandbox_workers_lost_total"] == 1
        assert metrics['amt_sandbox_submissions_total{language="python",outcome="error"}'] == 1


def test_a_client_that_leaves_keeps_no_worker():
    with server("--workers", "1", "--queue", "1") as one:
        body = request_body(sleeping(0.05, times=20_000), LIMITS)
        for _ in range(2):
            with pytest.raises(httpx.ReadTimeout):  # it leaves
                httpx.post(f"{one.address}/judge", content=body, timeout=httpx.Timeout(30, read=0.5))
        one.wait_for(lambda health: health["running"] == health["waiting"] == 0)
        assert one.judge(echo()).outcome == "passed"
        metrics = one.metrics()
        assert metrics['amt_sandbox_refused_total{reason="client_gone"}'] >= 1
        assert metrics['amt_sandbox_submissions_total{language="python",outcome="passed"}'] >= 1
        assert 'amt_sandbox_submissions_total{language="python",outcome="error"}' not in metrics


def test_the_key_is_wanted_where_there_is_one():
    with server("--workers", "1", key="s3cret") as one:
        assert one.judge(echo()).outcome == "passed"
        body = request_body(echo(), LIMITS)
        for headers in ({}, {"Authorization": "Bearer other"}, {"Authorization": "Bearer \xe9".encode("latin-1")}):
            assert httpx.post(f"{one.address}/judge", content=body, headers=headers, timeout=60).status_code == 401
        health = httpx.get(f"{one.address}/health", timeout=60)
        assert (health.status_code, health.json()["admits"]) == (200, False)
        assert "s3cret" not in health.text + httpx.get(f"{one.address}/metrics", timeout=60).text


def test_it_says_so_when_programs_do_not_run_any_more(tmp_path):
    bwrap = tmp_path / "bwrap"
    bwrap.symlink_to(shutil.which("bwrap"))
    with server("--workers", "1", PATH=f"{tmp_path}:{os.environ['PATH']}") as one:
        assert one.health()["fault"] is None
        bwrap.unlink()
        bwrap.write_text("#!/bin/sh\necho no namespaces today >&2\nexit 1\n")
        bwrap.chmod(0o755)
        for process in psutil.Process(one.process.pid).children(recursive=True):
            process.kill()
        assert one.judge(echo()).outcome == "error"
        response = httpx.get(f"{one.address}/health", timeout=60)
        assert response.status_code == 503
        assert "no namespaces today" in response.json()["fault"]
        bwrap.unlink()
        bwrap.symlink_to(shutil.which("bwrap"))
        assert httpx.get(f"{one.address}/health", timeout=60).status_code == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_stop_it_ends_what_runs_and_takes_no_more(number, tmp_path):
    with server("--workers", "1", "--queue", "1", TMPDIR=str(tmp_path)) as one, ThreadPoolExecutor(2) as threads:
        asked = filled(one, threads)
        started = psutil.Process(one.process.pid).children(recursive=True)
        one.process.send_signal(number)
        responses = [future.result() for future in asked]
        assert [response.status_code for response in responses] == [200, 503]
        assert responses[0].json()["outcome"] == "passed"
        assert "stopping" in responses[1].text
        assert one.process.wait() == 0
        assert psutil.wait_procs(started, timeout=30)[1] == []
        assert [*tmp_path.iterdir()] == []


def test_a_killed_server_leaves_no_process_and_no_file(tmp_path):
    with server("--workers", "2", TMPDIR=str(tmp_path)) as one, ThreadPoolExecutor(2) as threads:
        asked = [threads.submit(one.post, request_body(sleeping(15), LIMITS)) for _ in range(2)]
        # Two workers (bubblewrap, and process 1 inside), each with a test.
        started = until(lambda: len(now := psutil.Process(one.process.pid).children(recursive=True)) >= 6 and now)
        one.kill()
        assert all(isinstance(future.exception(), httpx.TransportError) for future in asked)
        assert psutil.wait_procs(started, timeout=30)[1] == []
        assert [*tmp_path.iterdir()] == []


def test_nothing_is_served_unprotected_by_accident():
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", UNISOLATED, "serve", "--port", "0"]
    refused = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert refused.returncode == 1
    assert "apt-get install bubblewrap" in refused.stderr
    assert "--allow-unprotected" in refused.stderr
    with server("--workers", "1", "--allow-unprotected", is_isolated=False) as one:
        assert one.health()["tier"].startswith("unprotected")
        assert one.judge(echo()).tier.startswith("unprotected")


def test_a_port_that_is_taken_is_one_clear_error(one):
    command = [sys.executable, "-m", "amt.sandbox", "serve", "--port", str(one.port)]
    done = subprocess.run(command, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: [Errno 98]")


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("--port", "99999", "99999 is not 0 or more, up to 65535"),
        ("--queue", "-1", "-1 is not 0 or more"),
        ("--workers", "0", "0 is not 1 or more"),
        ("--max-cpu-seconds", "nan", "nan is not 0.1 or more"),
        ("--max-wall-seconds", "inf", "inf is not 0.1 or more, up to 1000000.0"),
        ("--port", "http", "invalid int value: 'http'"),
    ],
)
def test_an_impossible_option_is_one_clear_error(option, value, told, capsys):
    with pytest.raises(SystemExit, match="2"):
        parser().parse_args(["serve", f"{option}={value}"])
    assert f"argument {option}: {told}" in capsys.readouterr().err


def test_cpu_seconds_are_told(one):
    code = "import time\nwhile time.process_time() < 0.3:\n    pass"
    judged = one.judge(replace(echo(), code=code + "\nprint(input(), 0)"))
    assert judged.outcome == "passed"
    assert 0.4 < judged.cpu_seconds < 2.5
    assert math.isfinite(judged.cpu_seconds)
