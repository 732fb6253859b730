"""Questions to a faulty endpoint by a process that is killed, and what became of each by the endpoint's own account.

What can be promised: an answer that the client has stored is never asked for again, and without kills none that came
whole. What was on its way at a kill, at most `concurrency` answers, is asked again, as is what was cut, late or
garbled. An endpoint that honours Idempotency-Key bills it once nevertheless. One that ignores it bills it twice, and
what the client then can do is to count it: it says of at least as many requests that they were perhaps billed.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from amt.endpoints.answers import DATABASE, Answers
from amt.endpoints.client import ChatClient
from benchmarks.endpoints.ask import requests_for
from benchmarks.endpoints.server import FAULTS, answer_to

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Outcome:
    queries: int
    kills: int
    faults: Counter[str]
    """By kind."""
    answered: int
    """Questions with their own answer in the result."""
    lost: int
    twice: int
    """Lines of the result beyond one a question."""
    stored_asked: int
    """Requests for what was stored already when the process was killed."""
    billed_twice: int
    """Answers computed beyond one a question."""
    perhaps_billed: int
    """Requests of which the client says that they were perhaps billed, and brought no answer."""
    delivered_twice: int
    """Whole answers sent beyond one a question."""
    seconds: float


def trial(
    folder: Path,
    *,
    queries: int,
    share: float,
    kills: int,
    concurrency: int,
    honours_keys: bool,
    timeout_s: float = 1.0,
    seed: int = 1,
) -> Outcome:
    """
    Args:
        share: of requests that fail.
        kills: SIGKILLs, evenly spread over the answers.
    """
    account, said, cache = folder / "account.jsonl", folder / "said.jsonl", folder / "cache"
    stored_asked = 0
    started = time.monotonic()
    with endpoint(account, share, seed, honours_keys, hang_s=timeout_s * 3) as address:
        command = [
            sys.executable, "-m", "benchmarks.endpoints.ask", "--address", address, "--cache", str(cache),
            "--said", str(said), "--queries", str(queries), "--concurrency", str(concurrency),
            "--timeout-s", str(timeout_s),
        ]  # fmt: skip
        stored: Counter[str] = Counter()  # {question: requests for it when it was known to be stored}
        for kill in range(1, kills + 1):
            _killed(command, folder, account, queries * kill // (kills + 1))
            asked = noted(account)["asked"]
            stored |= {question: asked[question] for question in _stored(address, cache, queries)}
        with (folder / "log").open("a") as log:
            subprocess.run(command, cwd=ROOT, env=_environment(), stderr=log, check=True)
    notes = noted(account)
    stored_asked = sum(notes["asked"][question] - count for question, count in stored.items())
    lines = [json.loads(line) for line in said.read_text().splitlines()]
    right = {answer_to(f"question {number}") for number in range(queries)}
    return Outcome(
        queries=queries,
        kills=kills,
        faults=Counter({fault: notes[fault].total() for fault in FAULTS}),
        answered=len(right & set(lines)),
        lost=len(right - set(lines)),
        twice=len(lines) - len(set(lines)),
        stored_asked=stored_asked,
        billed_twice=notes["billed"].total() - len(notes["billed"]),
        perhaps_billed=_perhaps_billed(cache),
        delivered_twice=notes["delivered"].total() - len(notes["delivered"]),
        seconds=time.monotonic() - started,
    )


def _killed(command: list[str], folder: Path, account: Path, after: int) -> None:
    """Start it, and kill it when the endpoint has delivered that many answers in all."""
    with (folder / "log").open("a") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=_environment(), stderr=log)
    try:
        while noted(account)["delivered"].total() < after:
            if process.poll() is not None:
                raise RuntimeError(f"it ended before the kill: {(folder / 'log').read_text()[-2000:]}")
            time.sleep(0.02)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def _stored(address: str, cache: Path, queries: int) -> list[str]:
    """Questions whose answer is in the database, read as SQLite has it after the kill."""
    import sqlite3

    client = ChatClient(address, "some/model", None, cache, 1)
    digests = {client.digest(request): request.messages[-1]["content"] for request in requests_for(queries)}
    with contextlib.closing(sqlite3.connect(cache / DATABASE)) as database:
        return [digests[digest] for (digest,) in database.execute("SELECT digest FROM replies")]


def _perhaps_billed(cache: Path) -> int:
    with Answers(cache) as answers:
        return sum(row.cut for row in answers.spending())


def noted(account: Path) -> dict[str, Counter[str]]:
    """{what: {question: times}} of the endpoint's account."""
    found: dict[str, Counter[str]] = {what: Counter() for what in ("asked", "billed", "delivered", *FAULTS)}
    text = account.read_text() if account.exists() else ""
    for line in text[: text.rfind("\n") + 1].splitlines():
        note = json.loads(line)
        found[note["what"]][note["question"]] += 1
    return found


@contextlib.contextmanager
def endpoint(
    account: Path, share: float, seed: int, honours_keys: bool, hang_s: float = 3.0, delay_s: float = 0.01
) -> Iterator[str]:
    """Address of a server in a process of its own."""
    command = [
        sys.executable, "-m", "benchmarks.endpoints.server", "--account", str(account), "--faults", str(share),
        "--seed", str(seed), "--hang-s", str(hang_s), "--delay-s", str(delay_s),
    ]  # fmt: skip
    process = subprocess.Popen(
        [*command, *(["--honours-keys"] if honours_keys else [])], cwd=ROOT, env=_environment(),
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def _environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))}
