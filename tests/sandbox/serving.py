"""Servers of the sandbox as processes of their own, and submissions for them."""

import contextlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

from amt import params
from amt.sandbox.judging import Case, Judged, Submission
from amt.sandbox.local import limits_of
from amt.sandbox.runner import Input
from amt.sandbox.wire import read_judged, request_body

ROOT = Path(__file__).parents[2]
SETTINGS = params.Sandbox(
    cpu_seconds=1.0,
    wall_seconds=20.0,
    memory_mb=256,
    output_bytes=100_000,
    compile_seconds=120.0,
    compile_memory_mb=1024,
    allow_unprotected=False,
)
LIMITS = limits_of(SETTINGS)
# A connection each, so that none is one of a server that was killed meanwhile.
HTTP = httpx.Client(timeout=120, trust_env=False, limits=httpx.Limits(max_keepalive_connections=0))


def stdin_cases(*pairs: tuple[str, str]) -> tuple[Case, ...]:
    return tuple(Case(Input("stdin", stdin=given), expected) for given, expected in pairs)


def echo(number: int = 0) -> Submission:
    return Submission("python", f"print(input(), {number})", stdin_cases(("a", f"a {number}"), ("b", f"b {number}")))


def sleeping(seconds: float, times: int = 1) -> Submission:
    return Submission("python", f"import time\ntime.sleep({seconds})", stdin_cases(*[("", "")] * times))


CPP_SUM = "#include <bits/stdc++.h>\nint main() { long a, b; std::cin >> a >> b; std::cout << a + b; }"
CALL = Input("call", "f", "[1]")
MIXED = {
    "passed": [
        echo(),
        Submission("cpp", CPP_SUM, stdin_cases(("1 2", "3"), ("2 3", "5\n"))),
        Submission("python", "def f(x):\n    return (x, [2.0000000001], {3})", (Case(CALL, (1, [2.0], {3})),)),
        Submission("python", "def f(x):\n    return x << 999", (Case(CALL, 1 << 999),)),
        Submission("python", "def f(x):\n    return float('inf')", (Case(CALL, float("inf")),)),
        Submission("python", "def f(x):\n    return b'\\xff'", (Case(CALL, [b"\x00", b"\xff"], "among"),)),
    ],
    "failed": [
        Submission("python", "print(input())", stdin_cases(("a", "a"), ("b", "c"), ("d", "d"))),
        Submission("cpp", "int main() { return 3; }", stdin_cases(("", ""))),
        Submission("cpp", "int main() { return x; }", stdin_cases(("", ""))),
        Submission("python", "def f(x):\n    return 1", (Case(CALL, True),)),
        Submission("python", "while True:\n    pass", stdin_cases(("", ""))),
        Submission("python", "import os\nos.kill(os.getpid(), 11)", stdin_cases(("", ""))),
        Submission("python", "print('x' * 10**6)", stdin_cases(("", ""))),
        Submission("python", "1 +", stdin_cases(("", ""))),
        Submission("python", "raise SystemExit(3)", stdin_cases(("", ""))),
    ],
}


def verdicts(judged: list[Judged]) -> list[tuple]:
    """What must not depend on where or when it was judged."""
    return [(one.outcome, one.reason, one.tests, one.tier) for one in judged]


@dataclass
class Server:
    process: subprocess.Popen
    address: str
    arguments: list[str]
    environment: dict[str, str]
    key: str | None = None
    others: list[subprocess.Popen] = field(default_factory=list)

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    def post(self, body: bytes) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        return HTTP.post(f"{self.address}/judge", content=body, headers=headers)

    def judge(self, submission: Submission) -> Judged:
        response = self.post(request_body(submission, LIMITS))
        assert response.status_code == 200, response.text
        return read_judged(response.content)

    def health(self) -> dict:
        return HTTP.get(f"{self.address}/health").json()

    def metrics(self) -> dict[str, float]:
        lines = HTTP.get(f"{self.address}/metrics").text.splitlines()
        return {name: float(value) for name, _, value in (x.rpartition(" ") for x in lines if not x.startswith("#"))}

    def wait_for(self, is_so: Callable[[dict], bool]) -> dict:
        return until(lambda: (health := self.health()) and is_so(health) and health)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def start_again(self) -> None:
        self.others.append(self.process)
        self.process, _ = _started([*self.arguments, "--port", str(self.port)], self.environment)


UNISOLATED = """
import errno, os, sys
import pyseccomp
os.environ["PATH"] = "/nowhere"  # no bubblewrap
old_kernel = pyseccomp.SyscallFilter(defaction=pyseccomp.ALLOW)
old_kernel.add_rule(pyseccomp.ERRNO(errno.ENOSYS), 444)  # no Landlock
old_kernel.load()
from amt.sandbox.__main__ import main
main()
"""
"""`amt sandbox` where nothing isolates."""


def until(is_so: Callable[[], object]) -> object:
    """The first true value; pytest's time limit is the only one."""
    while not (value := is_so()):
        time.sleep(0.02)
    return value


def _started(
    arguments: list[str], environment: dict[str, str], program: tuple[str, ...] = ("-m", "amt.build", "sandbox")
) -> tuple[subprocess.Popen, str]:
    process = subprocess.Popen(
        [sys.executable, *program, "serve", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        cwd="/",
    )
    said = process.stdout.readline()
    process.stdout.close()
    address = re.search(r"http://\S+\d", said)
    return process, address[0] if address else ""


@contextlib.contextmanager
def server(
    *arguments: str, key: str | None = None, root: Path = ROOT, is_isolated: bool = True, **environment: str
) -> Iterator[Server]:
    """`amt sandbox serve` at a free port; ends with everything that it started."""
    environment = os.environ | {"PYTHONPATH": str(root)} | environment
    if key:
        environment["AMT_SANDBOX_KEY"] = key
    program = ("-m", "amt.build", "sandbox") if is_isolated else ("-c", UNISOLATED)
    process, address = _started([*arguments, "--port", "0"], environment, program)
    assert address, f"it ended with {process.wait()}"
    one = Server(process, address, [*arguments], environment, key)
    try:
        yield one
    finally:
        for process in [*one.others, one.process]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
            process.wait()
