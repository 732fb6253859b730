"""Sandbox servers under more requests than they have slots, killed and started again at random
(`make bench-sandbox-load`).

Every submission must have exactly one verdict, that of an undisturbed run on this machine, and nothing may be left of
the servers but unfinished files in their compile cache. Exit status 1 if one is lost, judged twice or otherwise, or a
process or another file is left.
"""

import argparse
import contextlib
import ctypes
import itertools
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import psutil

from amt.sandbox.client import SandboxClient
from amt.sandbox.judging import Case, Judged, Submission, judge
from amt.sandbox.local import LocalJudge, limits_of
from amt.sandbox.runner import Compiling, Input, Sandbox
from tests.sandbox.serving import SETTINGS as SANDBOX

SETTINGS = SANDBOX.model_copy(update={"wall_seconds": 60.0})
POOL = 100
"""Different submissions; they are asked again and again."""
LARGEST_BATCH = 3
QUEUE = 1
"""Of each server: with two clients it is full now and then."""
PR_SET_CHILD_SUBREAPER = 36


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument(
        "--least", type=int, default=0, help="submissions, and one kill a server: it goes on until then"
    )
    parser.add_argument("--servers", type=int, default=2)
    parser.add_argument("--workers", type=int, default=1, help="of each server")
    parser.add_argument("--kill-every", type=float, default=10.0, help="seconds between kills of a server, on average")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    # What a killed server leaves behind becomes a child of this process, and is found.
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    pool = submissions()
    local = LocalJudge(SETTINGS, workers=args.servers * args.workers)
    expected = [told(judged) for judged in local.judge(pool)]
    local.close()
    print(f"undisturbed: {dict(Counter(outcome for outcome, *_ in expected))} of {len(pool)}", flush=True)
    with tempfile.TemporaryDirectory(prefix="amt-sandbox-load-") as folder:
        trial = Trial(pool, args.servers, args.workers, args.kill_every, args.seed, Path(folder))
        trial.run(args.seconds, args.least)
        left_files = sum(1 for _ in trial.temporary.rglob("*"))
        unfinished = sum(1 for _ in trial.cache.glob("writing-*"))
        compiled = sum(1 for _ in trial.cache.iterdir()) - unfinished - trial.compiled_before
    left_processes = left()
    # A submission that was asked again after its verdict was there would have two answers that are verdicts.
    lost, twice = trial.asked - len(trial.given), trial.counts["judged"] - len(trial.given)
    differ = [(number, verdict) for number, verdict in trial.given if verdict != expected[number % len(pool)]]
    for number, verdict in differ[:5]:
        print(f"{number}: {verdict} and not {expected[number % len(pool)]}")
    print(
        f"sandbox_load: seconds={trial.seconds:.0f} submissions={trial.asked} judged={len(trial.given)} lost={lost} "
        f"twice={twice} differ={len(differ)} kills={trial.kills} rejected={trial.counts['busy']} "
        f"errors={trial.counts['errors']} compiled={compiled} unfinished={unfinished} "
        f"left_processes={left_processes} left_files={left_files}"
    )
    return int(bool(lost or twice or differ or left_processes or left_files))


def told(judged: Judged) -> tuple:
    """What must not depend on where and when."""
    return judged.outcome, judged.reason, judged.tests, judged.tier


# --- what is judged --------------------------------------------------------------------------------------


def submissions() -> list[Submission]:
    """Of every kind some, each with a number of its own in what it prints, so that none can pass for another."""
    kinds = [right, native, called, right, wrong, called, crashing, native, exiting, printing] * 2
    kinds[-1] = looping
    return [kinds[number % len(kinds)](number) for number in range(POOL)]


def printed(code: str, *outputs: str) -> Submission:
    return Submission("python", code, tuple(Case(Input("stdin", stdin=f"{n}\n"), out) for n, out in enumerate(outputs)))


def right(number: int) -> Submission:
    return printed(f"print(int(input()) + {number})", *(f"{n + number}\n" for n in range(5)))


def wrong(number: int) -> Submission:
    return printed(f"n = int(input())\nprint(n * (n < {number // 10 % 5}))", "0", "1", "2", "3", "4")


def called(number: int) -> Submission:
    code = f"class Solution:\n    def f(self, x):\n        return {{x: (x, {number}.5)}}"
    return Submission(
        "python", code, tuple(Case(Input("call", "f", f"[{n}]"), {n: (n, number + 0.5)}) for n in range(5))
    )


def crashing(number: int) -> Submission:
    return printed(f"if int(input()):\n    raise ValueError({number})", "", "")


def native(number: int) -> Submission:
    """C++, compiled once and kept; every second is wrong."""
    code = f"#include <bits/stdc++.h>\nint main() {{ long n; std::cin >> n; std::cout << n + {number}; }}"
    cases = printed("", *(f"{n + number + (number // 10 % 2) * (n == 2)}" for n in range(4))).cases
    return Submission("cpp", code, cases)


def exiting(number: int) -> Submission:
    return printed(f"raise SystemExit({number % 100 + 1})", "")


def printing(number: int) -> Submission:
    return printed(f"while True:\n    print({number})", "")


def looping(number: int) -> Submission:
    return printed(f"while {number}:\n    pass", "")


# --- the trial -------------------------------------------------------------------------------------------


@dataclass
class Server:
    command: list[str]
    environment: dict[str, str]
    address: str = ""
    process: subprocess.Popen | None = None

    def start(self) -> None:
        """On the port that it had before."""
        port = self.address.rpartition(":")[2] or "0"
        self.process = subprocess.Popen(
            [*self.command, "--port", port], env=self.environment, stdout=subprocess.PIPE, text=True
        )
        if found := re.search(r"http://\S+\d", self.process.stdout.readline()):
            self.address = found[0]
        self.process.stdout.close()

    def kill(self, number: int = signal.SIGKILL) -> None:
        self.process.send_signal(number)
        self.process.wait()


class Trial:
    """Two clients with at least twice as many requests at once as there are slots."""

    def __init__(
        self, pool: list[Submission], servers: int, workers: int, kill_every_s: float, seed: int, folder: Path
    ):
        command = [sys.executable, "-m", "amt.sandbox", "serve", "--workers", str(workers), "--queue", str(QUEUE)]
        self.temporary, self.cache, placement = folder / "temporary", folder / "compiled", folder / "placement.yaml"
        self.temporary.mkdir()
        placement.write_text(f"compile_cache: {self.cache}\n", encoding="utf-8")
        # The precompiled header takes longer than a server may live here; programs do not.
        compiling = Compiling(SETTINGS.compile_seconds, SETTINGS.compile_memory_mb, self.cache)
        with Sandbox(limits_of(SETTINGS).of_test, workers=1, compiling=compiling) as sandbox:
            sandbox.map(judge, [native(POOL)])
        self.compiled_before = sum(1 for _ in self.cache.iterdir())
        environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
        environment |= {"TMPDIR": str(self.temporary), "AMT_PLACEMENT": str(placement)}
        self._servers = [Server(command, environment) for _ in range(servers)]
        self._pool, self._kill_every_s, self._seed = pool, kill_every_s, seed
        self._callers = 2 * servers * workers
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self.given: list[tuple[int, tuple]] = []
        """(number of the submission, verdict) as they came."""
        self.asked = self.kills = 0
        self.seconds = 0.0
        self.counts: Counter[str] = Counter()
        """Of both clients."""

    def run(self, seconds: float, least: int = 0) -> None:
        for server in self._servers:
            server.start()
        addresses = [server.address for server in self._servers]
        clients = [SandboxClient(SETTINGS, addresses, timeout_s=600.0, down_s=120.0) for _ in range(2)]
        callers = [
            threading.Thread(
                target=self._call, args=(clients[number % 2], random.Random(f"{self._seed} caller {number}"))
            )
            for number in range(self._callers)
        ]
        killers = [
            threading.Thread(target=self._kill, args=(server, random.Random(f"{self._seed} killer {number}")))
            for number, server in enumerate(self._servers)
        ]
        started = time.monotonic()
        for thread in (*callers, *killers):
            thread.start()
        self._over.wait(seconds)
        while least and (len(self.given) < least or self.kills < len(self._servers)):
            time.sleep(0.1)
        self._over.set()
        for thread in (*killers, *callers):
            thread.join()
        self.seconds = time.monotonic() - started
        for client in clients:
            self.counts.update(client.counts)
            client.close()
        # The first ends as it should, the others as they must.
        for number, server in enumerate(self._servers):
            server.kill(signal.SIGKILL if number else signal.SIGTERM)

    def _call(self, client: SandboxClient, rng: random.Random) -> None:
        while not self._over.is_set():
            with self._lock:
                numbers = [next(self._numbers) for _ in range(rng.randint(1, LARGEST_BATCH))]
                self.asked += len(numbers)
            verdicts = client.judge([self._pool[number % len(self._pool)] for number in numbers])
            with self._lock:
                for number, verdict in zip(numbers, verdicts, strict=True):
                    if verdict.outcome == "error":
                        print(f"{number}: {verdict.reason}")
                    else:
                        self.given.append((number, told(verdict)))

    def _kill(self, server: Server, rng: random.Random) -> None:
        while not self._over.wait(self._kill_every_s * rng.uniform(0.3, 1.7)):
            server.kill()
            with self._lock:
                self.kills += 1
            time.sleep(rng.uniform(0, 2))
            server.start()


def left() -> int:
    """Processes that are still there some time after all servers have ended."""
    myself = psutil.Process()
    deadline = time.monotonic() + 20
    while True:
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        remaining = len(myself.children(recursive=True))
        if not remaining or time.monotonic() > deadline:
            return remaining
        time.sleep(0.2)


if __name__ == "__main__":
    sys.exit(main())
