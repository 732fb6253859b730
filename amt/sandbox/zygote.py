"""Runs inside the isolation: imports what programs import, then forks one process for each test.

Of a worker's three kinds, `python` runs programs in the interpreter that it is, `binary` executes what a compiler made,
`compiler` runs a compiler on a source.

This file stands alone (standard library only) and is started by amt.sandbox.runner, as process 1 of its own
PID namespace where there is one, so that no test can kill it. Messages are frames on its standard input and
output: the length of a JSON object and the length of the bytes behind it (two big-endian 32-bit numbers), the
object, the bytes. A program is loaded once, then run on one input after another; a test gets arguments or standard
input and never the expected value.

Each test is a real process: descriptors 0, 1 and 2 are files of its own, 3 takes the result of a call.
"""

import ast
import atexit
import builtins
import contextlib
import ctypes
import errno
import fcntl
import gc
import json
import marshal
import math
import os
import random
import resource
import select
import signal
import stat
import struct
import sys
import threading
import time
import traceback
import types

PRELUDE = """
from string import *
from re import *
from datetime import *
from collections import *
from heapq import *
from bisect import *
from copy import *
from math import *
from random import *
from statistics import *
from itertools import *
from functools import *
from operator import *
from io import *
from json import *
from builtins import *
from typing import *
import bisect, builtins, collections, copy, datetime, fractions, decimal, functools, heapq, io, itertools, json
import math, operator, os, random, re, statistics, string, sys, time, typing
"""
"""What the usual graders import before a program, so that one that relies on it runs."""

ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "TZ": "UTC", "PYTHONHASHSEED": "0"}
"""The same everywhere: what a program does must not depend on where it runs."""

RECURSION_LIMIT = 50_000
STACK_BYTES = {"python": 64 << 20, "binary": 256 << 20, "compiler": 64 << 20}
OPEN_FILES = 64
EXECUTABLE = 200
"""The descriptor of a compiled program: beyond OPEN_FILES, so the program, which it is closed for, cannot fill it."""
PROCESSES = 64  # threads included; without seccomp also the bound of a fork bomb
STDERR_TAIL = 2000


class Program:
    """What runs, as it came, and what is kept of it from one test to the next. Nothing of it is looked at here."""

    def __init__(self, content: bytes, executable: bool):
        self.content = content
        self.code = b""
        """Of a Python program: its code object, marshalled by the first test before anything of it ran."""
        self.descriptor = _sealed(content) if executable else None

    def close(self) -> None:
        if self.descriptor is not None:
            os.close(self.descriptor)


def main() -> None:
    control_in, control_out = os.dup(0), os.dup(1)
    devnull = os.open("/dev/null", os.O_RDWR)
    for descriptor in (0, 1):
        os.dup2(devnull, descriptor)
    worker, seccomp_filter = _receive(control_in)
    worker["isolated"] = os.getpid() == 1
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # process 1 ignores every signal that it has no handler for
    if os.getuid() == 0 and worker["uid"] is not None:
        os.setgroups([])
        os.setresgid(*[worker["uid"]] * 3)
        os.setresuid(*[worker["uid"]] * 3)
    pr_set_dumpable = 4
    _prctl(pr_set_dumpable, 0)  # /proc/1 and its memory are closed to the tests
    os.chdir(worker["scratch"])
    os.environ.clear()
    os.environ.update(ENVIRONMENT, HOME=worker["scratch"], TMPDIR=worker["scratch"])
    time.tzset()
    if worker["kind"] == "python":
        _import_prelude()
    gc.collect()
    gc.freeze()
    _send(control_out, {"ready": True, "uid": os.getuid(), "process_id": os.getpid()})
    program = Program(b"", executable=False)
    while True:
        request, data = _receive(control_in)
        if request["do"] == "load":
            program.close()
            program = Program(data, executable=worker["kind"] == "binary")
        else:
            reply, output = _test(worker, program, request, data, seccomp_filter, control_in)
            _send(control_out, reply, output)


def _import_prelude() -> None:
    builtins.exit = builtins.quit = sys.exit  # what the site module gives to every program
    prelude = {}
    exec(PRELUDE, prelude)
    # Beside the built-in names, not among the program's own: those alone say what it defined.
    vars(builtins).update({name: value for name, value in prelude.items() if name not in vars(builtins)})


def _receive(descriptor: int) -> tuple[dict, bytes]:
    object_length, bytes_length = struct.unpack("!II", _read_exactly(descriptor, 8))
    content = json.loads(_read_exactly(descriptor, object_length))
    return content, _read_exactly(descriptor, bytes_length)


def _read_exactly(descriptor: int, length: int) -> bytes:
    parts = []
    while length:
        part = os.read(descriptor, min(length, 1 << 20))
        if not part:
            os._exit(0)  # the runner is gone
        parts.append(part)
        length -= len(part)
    return b"".join(parts)


def _send(descriptor: int, content: dict, data: bytes = b"") -> None:
    encoded = json.dumps(content).encode()
    view = memoryview(struct.pack("!II", len(encoded), len(data)) + encoded + data)
    while view:
        view = view[os.write(descriptor, view) :]


def _prctl(option: int, *arguments: object) -> int:
    return ctypes.CDLL(None, use_errno=True).prctl(option, *arguments)


def _die_with_parent() -> None:
    """A test goes with its worker, as process 1 takes all along where it is one."""
    pr_set_pdeathsig = 1
    _prctl(pr_set_pdeathsig, signal.SIGKILL)


# --- one test, seen from outside of it --------------------------------------------------------------------


def _test(
    worker: dict, program: Program, request: dict, stdin: bytes, seccomp_filter: bytes, control_in: int
) -> tuple[dict, bytes]:
    limits = request["limits"]
    names = ("stdin", "stdout", "stderr", "result", "set_up", "code")
    flags = os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING
    files = [os.memfd_create(name, flags) for name in names]
    _write(files[0], stdin)
    os.lseek(files[0], 0, os.SEEK_SET)
    if worker["kind"] == "compiler":
        with open(request["source"], "wb") as source:
            source.write(program.content)
    started = time.monotonic()
    process_id = os.fork()
    if not process_id:
        if not worker["isolated"]:
            _die_with_parent()
            os.setsid()
        _child(worker, program, request, seccomp_filter, files)
    pidfd = os.pidfd_open(process_id)
    waiting = select.poll()
    waiting.register(pidfd, select.POLLIN)
    waiting.register(control_in, select.POLLIN | select.POLLHUP)
    ended = {number for number, _ in waiting.poll(limits["wall_seconds"] * 1000)}
    if control_in in ended:  # nothing is sent to us during a test: the runner is gone
        _kill(process_id)
        os._exit(0)
    if worker["isolated"]:
        _kill_all()
    else:
        _kill(process_id)
    _, status, usage = os.wait4(process_id, 0)
    wall_seconds = time.monotonic() - started
    os.close(pidfd)
    _reap_all()
    most = limits["output_bytes"] + 1
    stdout, stderr, result = (os.pread(number, most, 0) for number in files[1:4])
    if worker["kind"] == "compiler":
        result = _file(request["output"], most)
    if worker["kind"] == "python" and not program.code and _is_sealed(files[5]):
        program.code = os.pread(files[5], os.fstat(files[5]).st_size, 0)
    set_up = os.pread(files[4], 1, 0) == b"1"
    for number in files:
        os.close(number)
    tail = stderr[-STDERR_TAIL:]
    reply = {
        "set_up": set_up,
        "in_time": pidfd in ended,
        "status": os.waitstatus_to_exitcode(status),
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "wall_seconds": wall_seconds,
        "lengths": [len(stdout), len(tail), len(result)],
        "output_full": max(len(stdout), len(stderr), len(result)) >= limits["output_bytes"],
        "clean": _empty(worker["scratch"]),
    }
    return reply, stdout + tail + result


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


def _sealed(content: bytes) -> int:
    """A file in memory that holds this and can never be changed; its descriptor."""
    descriptor = os.memfd_create("program", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    _write(descriptor, content)
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
    return descriptor


def _is_sealed(descriptor: int) -> bool:
    return fcntl.fcntl(descriptor, fcntl.F_GET_SEALS) == _SEALS


def _file(path: str, most: int) -> bytes:
    """The first bytes of a file that a compiler wrote; nothing if it is no plain file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return b""
    with open(descriptor, "rb") as file:
        return file.read(most) if stat.S_ISREG(os.fstat(descriptor).st_mode) else b""


def _kill(process_id: int) -> None:
    """Kill a test and what it started, as far as that did not leave its session. All there is without a namespace."""
    for kill in (os.kill, os.killpg):
        with contextlib.suppress(ProcessLookupError):
            kill(process_id, signal.SIGKILL)


def _kill_all() -> None:
    """Kill whatever else lives in this PID namespace."""
    try:
        os.kill(-1, signal.SIGKILL)
    except OSError as error:
        if error.errno != errno.ESRCH:
            raise


def _reap_all() -> None:
    try:
        while os.waitpid(-1, 0 if os.getpid() == 1 else os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def _empty(folder: str) -> bool:
    """Remove what a test left behind; never follows a link. False if something cannot be removed."""
    try:
        for entry in os.scandir(folder):
            if entry.is_dir(follow_symlinks=False):
                os.chmod(entry.path, 0o700)
                if not _empty(entry.path):
                    return False
                os.rmdir(entry.path)
            else:
                os.unlink(entry.path)
    except (OSError, RecursionError):
        return False
    return True


# --- one test, seen from within ---------------------------------------------------------------------------


def _child(worker: dict, program: Program, request: dict, seccomp_filter: bytes, files: list[int]) -> None:
    kind, status = worker["kind"], 1
    try:
        if worker["ruleset"] is not None:
            _confine(worker["ruleset"])
        high = [os.dup(number) for number in files]
        if program.descriptor is not None:
            os.dup2(program.descriptor, EXECUTABLE, inheritable=False)
        for target, number in enumerate(high):
            os.dup2(number, target, inheritable=target < 4)
        os.closerange(6, EXECUTABLE)
        os.closerange(EXECUTABLE + 1, 4096)
        # Elsewhere than in namespaces the owner's own processes would count; the filter forbids new ones anyway.
        _limit(kind, request["limits"], PROCESSES if worker["isolated"] or not seccomp_filter else None)
        if seccomp_filter:
            _install(seccomp_filter)
        pr_set_dumpable = 4
        _prctl(pr_set_dumpable, 1)  # /dev/stdin leads through /proc/self
        if kind != "python":
            _execute(kind, request)
        _open_standard_streams()
        sys.setrecursionlimit(RECURSION_LIMIT)
        sys.set_int_max_str_digits(0)
        random.seed(0)
        _begin()
        status = _run(program, request)
    except BaseException:
        os.write(2, traceback.format_exc().encode())
    finally:
        os._exit(status)


def _begin() -> None:
    """From here on what goes wrong is the program's fault; it cannot take this back."""
    os.write(4, b"1")
    os.close(4)


def _execute(kind: str, request: dict) -> None:
    """Become the compiled program, or the compiler."""
    for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT):  # an interpreter ignores them, no other program
        signal.signal(number, signal.SIG_DFL)
    if kind == "compiler":
        _begin()
        os.execve(request["command"][0], request["command"], os.environ)
    os.close(3)
    _begin()
    os.execve(EXECUTABLE, ["./solution"], os.environ)


def _limit(kind: str, limits: dict, processes: int | None) -> None:
    cpu = math.ceil(limits["cpu_seconds"])
    for limit, value in (
        (resource.RLIMIT_AS, limits["memory_mb"] << 20),
        (resource.RLIMIT_FSIZE, limits["output_bytes"]),
        (resource.RLIMIT_NOFILE, OPEN_FILES),
        (resource.RLIMIT_NPROC, processes),
        (resource.RLIMIT_CORE, 1),  # 0 does not keep a crash from a program that the host has for cores; 1 does
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
    ):
        if value is None:
            continue
        hard = resource.getrlimit(limit)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(limit, (value, value))
    # A compiler's driver tells a program that ran out of time from one that was killed for want of memory.
    for limit, value, more in (
        (resource.RLIMIT_CPU, cpu, 1 if kind == "compiler" else 0),
        (resource.RLIMIT_STACK, STACK_BYTES[kind], 0),
    ):
        hard = resource.getrlimit(limit)[1]
        if hard != resource.RLIM_INFINITY:
            value, more = min(value, hard), 0
        resource.setrlimit(limit, (value, value + more if limit == resource.RLIMIT_CPU else hard))


def _install(seccomp_filter: bytes) -> None:
    class Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]

    pr_set_no_new_privs, pr_set_seccomp, mode_filter = 38, 22, 2
    program = Program(len(seccomp_filter) // 8, seccomp_filter)
    failed = _prctl(pr_set_no_new_privs, 1, 0, 0, 0) or _prctl(pr_set_seccomp, mode_filter, ctypes.byref(program))
    if failed:
        raise OSError(ctypes.get_errno(), "seccomp filter refused")


def _confine(ruleset: int) -> None:
    """Put this process under a Landlock ruleset for good."""
    pr_set_no_new_privs, landlock_restrict_self = 38, 446
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(pr_set_no_new_privs, 1, 0, 0, 0) or library.syscall(landlock_restrict_self, ruleset, 0):
        raise OSError(ctypes.get_errno(), "Landlock ruleset refused")


def _open_standard_streams() -> None:
    """New objects over descriptors 0 to 2, which are now files of this test."""
    sys.stdin = sys.__stdin__ = open(0, encoding="utf-8", errors="surrogateescape", closefd=False)  # noqa: SIM115
    sys.stdout = sys.__stdout__ = open(1, "w", encoding="utf-8", errors="surrogateescape", closefd=False)  # noqa: SIM115
    sys.stderr = sys.__stderr__ = open(2, "w", 1, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115


def _run(program: Program, request: dict) -> int:
    """Run the program to its end as an interpreter would; its exit status."""
    kind = request["kind"]
    # A main block is for programs that read standard input; behind a call it stays out.
    name = "__main__" if kind == "stdin" else "solution"
    module = types.ModuleType(name)
    module.__dict__["__builtins__"] = builtins
    sys.modules[name] = module
    sys.argv = ["solution.py"]
    result = None
    try:
        exec(_code(program), module.__dict__)
        if kind == "call":
            args = request["args"]
            arguments = json.loads(args) if args.startswith("[") else ast.literal_eval(args)
            value = _entry_point(module, request["entry_point"])(*arguments)
            result = json.dumps({"value": _typed(value, 200)})
        status = 0
    except SystemExit as exit:
        status = _exit_status(exit.code)
    except BaseException:
        status = 1
        traceback.print_exc(limit=-3)
    try:
        threading._shutdown()
        atexit._run_exitfuncs()
        module.__dict__.clear()  # files that the program left open are flushed
        gc.collect()
        for stream in (sys.stdout, sys.__stdout__):
            stream.flush()
    except BaseException:
        status = status or 120
        traceback.print_exc(limit=-3)
    if result is not None and status == 0:
        data = memoryview(result.encode())
        while data:
            data = data[os.write(3, data) :]
    return status


def _code(program: Program) -> types.CodeType:
    """The program's code object. The first test leaves it, sealed, for the others, before anything of it has run."""
    if program.code:
        code = marshal.loads(program.code)
    else:
        text = program.content.decode("utf-8", "surrogatepass")
        code = compile(text, "solution.py", "exec", dont_inherit=True)
        with contextlib.suppress(OSError, ValueError, MemoryError):  # too large to be left: each test compiles it
            _write(5, marshal.dumps(code))
            fcntl.fcntl(5, fcntl.F_ADD_SEALS, _SEALS)
    os.close(5)
    return code


def _exit_status(code: object) -> int:
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    print(code, file=sys.stderr)
    return 1


def _entry_point(module: types.ModuleType, name: str):
    """The method of an instance of Solution, or the function of that name that the program defined or imported."""
    if hasattr(module.__dict__.get("Solution"), name):
        return getattr(module.Solution(), name)
    if callable(module.__dict__.get(name)):
        return module.__dict__[name]
    raise NameError(f"the program defines no {name}")


def _typed(value: object, depth: int) -> object:
    """A value as JSON that keeps its type: [type, content]. Only plain data, taken by its built-in type."""
    if not depth:
        raise TypeError("the result is nested too deeply")
    if value is None:
        return ["none"]
    if isinstance(value, bool):
        return ["bool", value is True]
    if isinstance(value, int):
        return ["int", hex(int.__index__(value))]
    if isinstance(value, float):
        return ["float", float.hex(float.__float__(value))]
    if isinstance(value, str):
        return ["str", str.__str__(value)]
    if isinstance(value, bytes):
        return ["bytes", bytes.hex(value)]
    if isinstance(value, list):
        return ["list", [_typed(item, depth - 1) for item in list.__iter__(value)]]
    if isinstance(value, tuple):
        return ["list", [_typed(item, depth - 1) for item in tuple.__iter__(value)]]
    if isinstance(value, set | frozenset):
        return ["set", [_typed(item, depth - 1) for item in type(value).__iter__(value)]]
    if isinstance(value, dict):
        items = dict.items(value)
        return ["dict", [[_typed(key, depth - 1), _typed(item, depth - 1)] for key, item in items]]
    if isinstance(value, complex):
        return ["complex", [float.hex(value.real), float.hex(value.imag)]]
    raise TypeError(f"the result holds a {type(value).__name__}, which is no plain data")


if __name__ == "__main__":
    main()
