"""Runs model-written Python, isolated, and says what it put out. It never judges: nothing expected enters.

Each worker is a process in namespaces of its own (bubblewrap): no network, no host files but a read-only
Python runtime, an empty environment, a scratch folder of limited size, emptied after every test. In it runs
amt/sandbox/zygote.py, which forks a process for each test under limits and a seccomp filter. The tier in
force is found by trying at the start, and nothing runs unprotected unless a parameter says so.

A thread of `Sandbox.map` gets a Runner: it loads a program, then runs it on one input after another.
"""

import contextlib
import functools
import json
import logging
import os
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, TypeVar

from amt.errors import InfrastructureError, MissingToolError
from amt.sandbox import seccomp

log = logging.getLogger(__name__)
T = TypeVar("T")

UNPRIVILEGED = 65_534  # nobody, on every Linux
SCRATCH_BYTES = 32 << 20
GRACE_SECONDS = 20.0
"""How much longer than a test's wall limit a worker may take to answer before it is taken for dead."""


STOP_SECONDS = 5.0


@dataclass(frozen=True)
class Limits:
    """Of one test."""

    cpu_seconds: float
    wall_seconds: float
    memory_mb: int
    output_bytes: int
    """Of standard output, and of every file."""


@dataclass(frozen=True)
class Input:
    """What a test gives to a program.

    call: the Solution method or function `entry_point` is called with `args`, a JSON array or the literal of a
    Python tuple. stdin: the program is run with `stdin`.
    """

    kind: Literal["call", "stdin"]
    entry_point: str = ""
    args: str = "[]"
    stdin: str = ""


@dataclass(frozen=True)
class Execution:
    """What became of one run."""

    ended: Literal["exited", "killed", "cpu_limit", "wall_limit", "output_limit"]
    status: int
    """Exit status, or minus the signal that ended it."""
    stdout: bytes
    stderr: str
    """Its last 2000 bytes."""
    result: bytes
    """What was written to the result descriptor: JSON of a call's typed value, or anything a program forges."""
    cpu_seconds: float


@dataclass(frozen=True)
class Isolation:
    tier: str
    command: tuple[str, ...]
    seccomp_filter: bytes
    protected: bool


class Sandbox:
    """Workers that run programs, one test at a time each. A context manager; usable from many threads."""

    def __init__(self, limits: Limits, *, workers: int, allow_unprotected: bool = False):
        self._limits = limits
        self._isolation = isolation(allow_unprotected)
        self._own = threading.local()
        self._started: list[_Worker] = []
        self._closed = False
        # A worker dies with the thread that started it (bubblewrap --die-with-parent): threads live as long as we.
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="sandbox")

    def __enter__(self) -> "Sandbox":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End all workers, and with them whatever still runs. Waits until they are gone."""
        self._closed = True
        for worker in [*self._started]:
            worker.stop()
        self._threads.shutdown(cancel_futures=True)

    @property
    def tier(self) -> str:
        """bubblewrap+seccomp, bubblewrap, or unprotected…: which isolation is in force."""
        return self._isolation.tier

    def map(self, judge: Callable[["Runner", T], object], items: Iterable[T]) -> list:
        """[judge(runner, item)] over all workers, in order."""
        return list(self._threads.map(lambda item: judge(Runner(self), item), items))

    def _run(self, code: str, given: Input) -> Execution:
        """Run one test on this thread's worker.

        Running into the wall limit or being killed may be the machine's doing: such a run is made once more, and
        the second counts, because a program can do both by itself.

        Raises:
            InfrastructureError: the worker died or went silent; the next test gets a new one.
        """
        execution = self._run_once(code, given)
        if execution.ended == "wall_limit" or (execution.ended, execution.status) == ("killed", -signal.SIGKILL):
            execution = self._run_once(code, given)
        return execution

    def _run_once(self, code: str, given: Input) -> Execution:
        if self._closed:
            raise InfrastructureError("The sandbox is closed.")
        worker = getattr(self._own, "worker", None)
        if worker is None:
            worker = self._own.worker = _Worker(self._isolation)
            self._started.append(worker)
        try:
            execution, clean = worker.run(code, given, self._limits)
        except InfrastructureError:
            self._drop(worker)
            raise
        if not clean:
            self._drop(worker)
        return execution

    def _drop(self, worker: "_Worker") -> None:
        worker.stop()
        with contextlib.suppress(ValueError):
            self._started.remove(worker)
        self._own.worker = None


class Runner:
    """Runs one program at a time, for the thread that has it."""

    def __init__(self, sandbox: Sandbox):
        self._sandbox = sandbox
        self._code = ""

    @property
    def tier(self) -> str:
        return self._sandbox.tier

    def load(self, language: str, code: str) -> str | None:
        """Take a program to be run; returns why it cannot be, which is the program's fault (it does not compile)."""
        self._code = code
        return None

    def run(self, given: Input) -> Execution:
        """One run of the program that was loaded.

        Raises:
            InfrastructureError: it could not be run.
        """
        return self._sandbox._run(self._code, given)


# --- one worker ------------------------------------------------------------------------------------------


class _Worker:
    def __init__(self, isolation: Isolation):
        self._messages = tempfile.TemporaryFile()  # noqa: SIM115
        self._scratch = None if isolation.protected else tempfile.mkdtemp(prefix="amt-sandbox-")
        self._process = subprocess.Popen(
            isolation.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._messages, env={}, cwd="/"
        )
        try:
            settings = {"uid": UNPRIVILEGED, "scratch": self._scratch or "/scratch"}
            self._send(settings, isolation.seccomp_filter)
            self.hello = self._receive(GRACE_SECONDS)[0]
        except InfrastructureError:
            self.stop()
            raise

    def run(self, code: str, given: Input, limits: Limits) -> tuple[Execution, bool]:
        self._send({"code": code, "limits": asdict(limits), **asdict(given)})
        reply, output = self._receive(limits.wall_seconds + GRACE_SECONDS)
        stdout_length, stderr_length, _ = reply["lengths"]
        if not reply["set_up"]:
            raise InfrastructureError(
                f"A test could not be set up: {output[stdout_length:].decode('utf-8', 'replace')}"
            )
        if not reply["in_time"]:
            ended = "wall_limit"
        elif reply["cpu_seconds"] > limits.cpu_seconds or (
            # The kernel's own count, by which it kills, runs a little ahead of what it reports.
            reply["status"] == -signal.SIGKILL and reply["cpu_seconds"] > 0.8 * limits.cpu_seconds
        ):
            ended = "cpu_limit"
        elif reply["output_full"]:
            ended = "output_limit"
        else:
            ended = "exited" if reply["status"] >= 0 else "killed"
        execution = Execution(
            ended=ended,
            status=reply["status"],
            stdout=output[:stdout_length],
            stderr=output[stdout_length : stdout_length + stderr_length].decode("utf-8", "replace"),
            result=output[stdout_length + stderr_length :],
            cpu_seconds=reply["cpu_seconds"],
        )
        return execution, reply["clean"]

    def stop(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()  # the worker ends, and with process 1 its whole PID namespace
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._messages.close()
        if self._scratch:
            shutil.rmtree(self._scratch, ignore_errors=True)

    def _send(self, content: dict, data: bytes = b"") -> None:
        encoded = json.dumps(content).encode()
        try:
            self._process.stdin.write(struct.pack("!II", len(encoded), len(data)) + encoded + data)
            self._process.stdin.flush()
        except BrokenPipeError:
            raise InfrastructureError(f"The sandbox worker ended: {self._last_words()}") from None

    def _receive(self, seconds: float) -> tuple[dict, bytes]:
        deadline = time.monotonic() + seconds
        object_length, bytes_length = struct.unpack("!II", self._read(8, deadline))
        content = json.loads(self._read(object_length, deadline))
        return content, self._read(bytes_length, deadline)

    def _read(self, length: int, deadline: float) -> bytes:
        descriptor = self._process.stdout.fileno()
        parts = []
        while length:
            ready, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise InfrastructureError(f"The sandbox worker gave no answer in time: {self._last_words()}")
            part = os.read(descriptor, min(length, 1 << 20))
            if not part:
                raise InfrastructureError(f"The sandbox worker ended: {self._last_words()}")
            parts.append(part)
            length -= len(part)
        return b"".join(parts)

    def _last_words(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(0.2)
        self._messages.seek(0, os.SEEK_END)
        self._messages.seek(max(0, self._messages.tell() - 2000))
        said = self._messages.read().decode("utf-8", "replace").strip() or "no message"
        return f"status {self._process.returncode}, {said}"


# --- which isolation there is ----------------------------------------------------------------------------


@functools.cache
def isolation(allow_unprotected: bool = False) -> Isolation:
    """The strongest isolation that works here, found by running a program in it.

    Raises:
        MissingToolError: there is none, and unprotected runs are not allowed.
    """
    seccomp_filter = seccomp.compiled() or b""
    suffix = "+seccomp" if seccomp_filter else ""
    bwrap = shutil.which("bwrap")
    faults = [] if bwrap else ["bwrap is not installed"]
    for options in _namespace_options() if bwrap else ():
        candidate = Isolation(f"bubblewrap{suffix}", _bubblewrap(bwrap, options), seccomp_filter, protected=True)
        fault = _fault(candidate)
        if fault is None:
            if not suffix:
                log.warning("sandbox: libseccomp is missing, a layer less. Install it: apt-get install libseccomp2")
            return candidate
        faults.append(fault)
    if not allow_unprotected:
        raise MissingToolError(
            f"Model-written code cannot be isolated here: {faults[0]}.\n"
            "Install bubblewrap: apt-get install bubblewrap (and let this user make namespaces), or set "
            "sandbox.allow_unprotected: true in params.yaml on a machine that nobody else uses."
        )
    candidate = Isolation(f"unprotected{suffix}", _unprotected(), seccomp_filter, protected=False)
    if fault := _fault(candidate):
        raise InfrastructureError(f"Programs cannot be run even unprotected: {fault}.")
    log.warning("sandbox: model-written code runs UNPROTECTED (%s)", faults[0])
    return candidate


def _fault(candidate: Isolation) -> str | None:
    """What is wrong with an isolation, or None: it must run a program, as somebody else, alone in its namespace."""
    try:
        worker = _Worker(candidate)
    except InfrastructureError as error:
        return str(error)
    try:
        limits = Limits(cpu_seconds=5, wall_seconds=20, memory_mb=256, output_bytes=10_000)
        execution, _ = worker.run("print(sum(map(int, input().split())))", Input("stdin", stdin="20 22"), limits)
        if execution.stdout != b"42\n":
            return f"a first program gave {execution}"
        if candidate.protected and (worker.hello["uid"] != UNPRIVILEGED or worker.hello["process_id"] != 1):
            return f"the worker is not on its own: {worker.hello}"
    except InfrastructureError as error:
        return str(error)
    finally:
        worker.stop()
    return None


def _namespace_options() -> list[list[str]]:
    """Ways to make namespaces, the strongest first.

    root gives up its uid for good inside (limits on processes do not bind root); an ordinary user gets a user
    namespace. Some containers forbid a fresh /proc; programs seldom need it.
    """
    user = ["--unshare-user", "--uid", str(UNPRIVILEGED), "--gid", str(UNPRIVILEGED), "--cap-drop", "ALL"]
    root = ["--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    ways = [root, user] if os.getuid() == 0 else [user]
    return [[*way, *proc] for proc in (["--proc", "/proc"], ["--dir", "/proc"]) for way in ways]


def _bubblewrap(bwrap: str, options: list[str]) -> tuple[str, ...]:
    command = [
        bwrap,
        *options,
        "--unshare-ipc",
        "--unshare-pid",
        "--unshare-net",
        "--unshare-uts",
        "--unshare-cgroup-try",
    ]
    command += ["--as-pid-1", "--die-with-parent", "--new-session", "--hostname", "sandbox"]
    command += ["--dev", "/dev", "--perms", "1777", "--size", str(SCRATCH_BYTES), "--tmpfs", "/scratch"]
    command += ["--symlink", "/scratch", "/tmp"]
    for path in ("/lib", "/lib64"):
        if os.path.islink(path):
            command += ["--symlink", os.readlink(path), path]
        elif os.path.isdir(path):
            command += ["--ro-bind", path, path]
    runtime = _runtime()
    # bubblewrap makes missing parents for the owner alone, and tests run as somebody else.
    for parent in sorted({str(parent) for path in runtime for parent in Path(path).parents} - {"/"}):
        command += ["--perms", "0755", "--dir", parent]
    for path in runtime:
        command += ["--ro-bind", path, path]
    command += ["--ro-bind", str(Path(__file__).with_name("zygote.py")), "/zygote.py"]
    command += ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/scratch", "--clearenv"]
    command += ["--setenv", "PYTHONHASHSEED", "0", "--setenv", "LD_LIBRARY_PATH", f"{sys.base_prefix}/lib", "--"]
    return (*command, _interpreter(), "-s", "-S", "-B", "/zygote.py")


def _runtime() -> list[str]:
    """Files and directories of the interpreter and the system libraries that it loads."""
    base = Path(sys.base_prefix)
    library = Path(os.__file__).parent
    system = [Path("/usr/lib64"), *Path("/usr/lib").glob("*-linux-gnu*")]
    own = [Path(_interpreter()), library, *(base / "lib").glob("libpython*.so*")]
    return [str(path) for path in dict.fromkeys([*system, *own]) if path.exists()]


def _interpreter() -> str:
    return os.path.realpath(sys.executable)


def _unprotected() -> tuple[str, ...]:
    zygote = str(Path(__file__).with_name("zygote.py"))
    return ("/usr/bin/env", "-i", "PYTHONHASHSEED=0", _interpreter(), "-s", "-S", "-B", zygote)
