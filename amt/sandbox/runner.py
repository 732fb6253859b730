"""Runs model-written programs, isolated, and says what they put out. It never judges: nothing expected enters.

Each worker is a process in an isolation of its own (amt.sandbox.isolation). In it runs amt/sandbox/zygote.py, which
forks a process for each test under limits and a seccomp filter, and empties the scratch folder after each.

A thread of `Sandbox.map` gets a Runner: it loads a program, then runs it on one input after another. The thread has a
worker of each kind that it has needed: one for Python, one for executables, one for each language's compiler.
"""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from amt.errors import InfrastructureError
from amt.sandbox.compiling import FOR_MEMORY, PROGRAM_BYTES, WALL_FACTOR, Compiler, Fault, compilers
from amt.sandbox.execution import Execution, Input, Limits
from amt.sandbox.isolation import Binds, isolation
from amt.sandbox.languages import LANGUAGES
from amt.sandbox.seccomp import Kind
from amt.sandbox.worker import Worker

T = TypeVar("T")
Run = Callable[[Worker], tuple[Execution, bool]]


@dataclass(frozen=True)
class Compiling:
    cpu_seconds: float
    """Of one compilation."""
    memory_mb: int
    """Address space of each of the compiler's processes, in 2**20 bytes."""
    cache: Path
    """Folder of what was compiled; shared by any number of processes."""


@dataclass(frozen=True)
class SubmissionLimits(Limits):
    """Of each of its tests, and of its compilation: all that decides a verdict beside program and tests."""

    compile_seconds: float
    compile_memory_mb: int

    @property
    def of_test(self) -> Limits:
        return Limits(self.cpu_seconds, self.wall_seconds, self.memory_mb, self.output_bytes)


COMPILING = Compiling(cpu_seconds=10.0, memory_mb=1024, cache=Path("~/.cache/amt/compiled").expanduser())


class Sandbox:
    """Workers that run programs, one test at a time each. A context manager; usable from many threads."""

    def __init__(
        self, limits: Limits, *, workers: int, allow_unprotected: bool = False, compiling: Compiling = COMPILING
    ):
        self.limits, self.compiling = limits, compiling
        self._isolation = isolation(allow_unprotected)
        self._compilers: dict[tuple[float, int], Compiler] = {}
        self._lock = threading.Lock()
        self.workers_lost = 0
        """How many were given up because they died, went silent or could not be cleaned."""
        self._own = threading.local()
        self._started: list[Worker] = []
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
        """Which isolation is in force; see amt.sandbox.isolation."""
        return self._isolation.tier

    @property
    def languages(self) -> tuple[str, ...]:
        """Those of amt.sandbox.languages whose compilers are installed here."""
        return tuple(compilers())

    def map(self, judge: Callable[["Runner", T], object], items: Iterable[T]) -> list:
        """[judge(runner, item)] over all workers, in order."""
        return list(self._threads.map(lambda item: judge(Runner(self), item), items))

    def submit(self, judge: Callable[["Runner"], T], limits: SubmissionLimits) -> "Future[T]":
        """judge(runner) on the next free worker, under limits of its own."""
        compiling = replace(self.compiling, cpu_seconds=limits.compile_seconds, memory_mb=limits.compile_memory_mb)
        return self._threads.submit(lambda: judge(Runner(self, limits.of_test, compiling)))

    def _compiler(self, compiling: Compiling) -> Compiler:
        key = (compiling.cpu_seconds, compiling.memory_mb)
        with self._lock:
            if key not in self._compilers:
                wall_seconds = WALL_FACTOR * compiling.cpu_seconds
                limits = Limits(compiling.cpu_seconds, wall_seconds, compiling.memory_mb, PROGRAM_BYTES)
                apart = bool(self._isolation.bubblewrap)
                self._compilers[key] = Compiler(self._compile, limits, compiling.cache, apart=apart)
            return self._compilers[key]

    def _test(self, kind: Kind, program: bytes, given: Input, limits: Limits) -> Execution:
        def run(worker: Worker) -> tuple[Execution, bool]:
            worker.load(program)
            return worker.run(given, limits)

        return self._run(kind, kind, (), run)

    def _compile(
        self,
        name: str,
        binds: Binds,
        text: bytes,
        command: tuple[str, ...],
        source: str,
        output: str,
        limits: Limits,
    ) -> Execution:
        def run(worker: Worker) -> tuple[Execution, bool]:
            worker.load(text)
            return worker.compile(command, source, output, limits)

        return self._run(f"{name} compiler", "compiler", binds, run)

    def _run(self, name: str, kind: Kind, binds: Binds, run: Run) -> Execution:
        """Run something on this thread's worker of that name.

        Running into the wall limit or being killed may be the machine's doing: such a run is made once more. The second
        wall limit counts, because a program can do that by itself. It cannot send SIGKILL, under the filter.

        Raises:
            InfrastructureError: the worker died or went silent, the next test gets a new one; or it was killed twice.
        """
        execution = self._run_once(name, kind, binds, run)
        if execution.ended == "wall_limit" or _is_killed(execution):
            execution = self._run_once(name, kind, binds, run)
        if _is_killed(execution) and (kind == "compiler" or self._isolation.filters[kind]):
            raise InfrastructureError(f"A run was killed from outside, and so was the next, {FOR_MEMORY}")
        return execution

    def _run_once(self, name: str, kind: Kind, binds: Binds, run: Run) -> Execution:
        if self._closed:
            raise InfrastructureError("The sandbox is closed.")
        own = vars(self._own)
        worker = own.get(name)
        if worker is None:
            try:
                worker = own[name] = self._isolation.start(kind, binds)
            except OSError as error:  # no descriptor more, no space for its scratch folder
                raise InfrastructureError(f"A sandbox worker cannot be started: {error}") from None
            self._started.append(worker)
        try:
            execution, clean = run(worker)
        except InfrastructureError:
            self._drop(name)
            raise
        if not clean:
            self._drop(name)
        return execution

    def _drop(self, name: str) -> None:
        self.workers_lost += 1
        worker = vars(self._own).pop(name)
        worker.stop()
        with contextlib.suppress(ValueError):
            self._started.remove(worker)


def _is_killed(execution: Execution) -> bool:
    return (execution.ended, execution.status) == ("killed", -signal.SIGKILL)


class Runner:
    """Runs one program at a time, for the thread that has it."""

    def __init__(self, sandbox: Sandbox, limits: Limits | None = None, compiling: Compiling | None = None):
        self._sandbox = sandbox
        self._limits = limits or sandbox.limits
        self._compiling = compiling or sandbox.compiling
        self._kind: Kind = "python"
        self._program = b""

    @property
    def tier(self) -> str:
        return self._sandbox.tier

    def load(self, language: str, code: str) -> str | None:
        """Take a program to be run; returns why it cannot be, which is the program's fault (it does not compile).

        Raises:
            InfrastructureError: it could not be compiled here.
        """
        if LANGUAGES[language].compilation is None:
            self._kind, self._program = "python", code.encode("utf-8", "surrogatepass")
            return None
        program = self._sandbox._compiler(self._compiling).program(language, code)
        if isinstance(program, Fault):
            return program
        self._kind, self._program = "binary", program
        return None

    def run(self, given: Input) -> Execution:
        """One run of the program that was loaded.

        Raises:
            InfrastructureError: it could not be run.
        """
        return self._sandbox._test(self._kind, self._program, given, self._limits)
