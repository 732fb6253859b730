"""Runs inside the isolation: imports what programs import, then forks one process for each test.

Of a worker's three kinds, `python` runs programs in the interpreter that it is, `binary` executes what a compiler made,
`compiler` runs a compiler on a source.

This file stands alone (standard library only) and is started by amt.sandbox.runner, as process 1 of its own
PID namespace where there is one, so that no test can kill it. Messages on its standard input are frames: the length
of a JSON object and the length of the bytes behind it (two big-endian 32-bit numbers), the object, the bytes. A
program is loaded once, then run on one input after another; a test gets arguments or standard input and never the
expected value. The answer is a REPLY, then what was put out.

Each test is a real process: descriptors 0, 1 and 2 are files of its own, 3 takes the result of a call.

Invariant: whatever was in the memory of this process, every later program can read. So no program, nothing that one is
given and nothing that it puts out enters it: those go from pipe to file and from file to pipe within the kernel
(splice, sendfile), and only the test's own process reads them. The JSON objects say the same for every program.
"""

import ast
import atexit
import builtins
import contextlib
import ctypes
import errno
import fcntl
import gc
import io
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
import weakref
from collections.abc import Callable

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


REPLY = struct.Struct("!???i?dQQQ")
"""set up, in time, output limit reached, exit status or minus the signal, clean, CPU seconds, then the lengths in bytes
of standard output, the end of standard error and the result, which follow."""


class Program:
    """What runs, in files: as it came and, of a Python program, its code object, marshalled by the first test before
    anything of it ran. They are sealed: no test can change them."""

    def __init__(self, content: int):
        fcntl.fcntl(content, fcntl.F_ADD_SEALS, _SEALS)
        self.content = content
        self.code: int | None = None

    def keep(self, code: int) -> None:
        """What a test left as code object, if it did."""
        if fcntl.fcntl(code, fcntl.F_GET_SEALS) == _SEALS:
            self.code = code
        else:
            os.close(code)

    def close(self) -> None:
        os.close(self.content)
        if self.code is not None:
            os.close(self.code)


def main() -> None:
    control_in, control_out = os.dup(0), os.dup(1)
    devnull = os.open("/dev/null", os.O_RDWR)
    for descriptor in (0, 1):
        os.dup2(devnull, descriptor)
    worker, length = _receive(control_in)
    worker["filter"] = _read_exactly(control_in, length)
    worker["isolated"] = os.getpid() == 1
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # process 1 ignores every signal that it has no handler for
    if os.getuid() == 0 and worker["uid"] is not None:
        os.setgroups([])
        os.setresgid(*[worker["uid"]] * 3)
        os.setresuid(*[worker["uid"]] * 3)
    pr_set_dumpable = 4
    _prctl(pr_set_dumpable, 0)  # /proc/1 and its memory are closed to the tests
    worker["empty"] = os.stat(worker["scratch"]).st_size
    os.chdir(worker["scratch"])
    os.environ.clear()
    os.environ.update(ENVIRONMENT, HOME=worker["scratch"], TMPDIR=worker["scratch"])
    time.tzset()
    if worker["kind"] == "python":
        _import_prelude()
    gc.collect()
    gc.freeze()
    _send(control_out, {"ready": True, "uid": os.getuid(), "process_id": os.getpid()})
    program = Program(_file_in_memory("program"))
    while True:
        request, length = _receive(control_in)
        given = _take(control_in, length)
        if request["do"] == "load":
            program.close()
            program = Program(given)
        else:
            _test(worker, program, request, given, control_in, control_out)


def _import_prelude() -> None:
    builtins.exit = builtins.quit = sys.exit  # what the site module gives to every program
    prelude = {}
    exec(PRELUDE, prelude)
    # Beside the built-in names, not among the program's own: those alone say what it defined.
    vars(builtins).update({name: value for name, value in prelude.items() if name not in vars(builtins)})


def _receive(descriptor: int) -> tuple[dict, int]:
    """The object of a frame, and how many bytes follow."""
    object_length, bytes_length = struct.unpack("!II", _read_exactly(descriptor, 8))
    return json.loads(_read_exactly(descriptor, object_length)), bytes_length


def _read_exactly(descriptor: int, length: int) -> bytes:
    parts = []
    while length:
        part = os.read(descriptor, min(length, 1 << 20))
        if not part:
            os._exit(0)  # the runner is gone
        parts.append(part)
        length -= len(part)
    return b"".join(parts)


def _send(descriptor: int, content: dict) -> None:
    encoded = json.dumps(content).encode()
    _write(descriptor, struct.pack("!II", len(encoded), 0) + encoded)


def _file_in_memory(name: str) -> int:
    return os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)


def _take(control_in: int, length: int) -> int:
    """A new file with the bytes of a frame."""
    descriptor = _file_in_memory("given")
    while length:
        moved = os.splice(control_in, descriptor, length)
        if not moved:
            os._exit(0)  # the runner is gone
        length -= moved
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def _copy(target: int, source: int, offset: int, length: int) -> None:
    """Put these bytes of a file into a pipe or another file."""
    while length:
        moved = os.sendfile(target, source, offset, length)
        if not moved:
            raise OSError(f"{length} bytes are missing at {offset} of what was put out")
        offset, length = offset + moved, length - moved


def _prctl(option: int, *arguments: object) -> int:
    return ctypes.CDLL(None, use_errno=True).prctl(option, *arguments)


def _die_with_parent() -> None:
    """A test goes with its worker, as process 1 takes all along where it is one."""
    pr_set_pdeathsig = 1
    _prctl(pr_set_pdeathsig, signal.SIGKILL)


# --- one test, seen from outside of it --------------------------------------------------------------------


def _test(worker: dict, program: Program, request: dict, given: int, control_in: int, control_out: int) -> None:
    limits = request["limits"]
    stdout, stderr, result, set_up = outputs = [
        _file_in_memory(name) for name in ("stdout", "stderr", "result", "set_up")
    ]
    code = _file_in_memory("code") if program.code is None else program.code
    if worker["kind"] == "compiler":
        with open(request["source"], "wb") as source:
            _copy(source.fileno(), program.content, 0, os.fstat(program.content).st_size)
    process_id = os.fork()
    if not process_id:
        if not worker["isolated"]:
            _die_with_parent()
            os.setsid()
        _child(worker, request, [given, *outputs, code, program.content])
    os.close(given)
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
    os.close(pidfd)
    _reap_all()
    if code != program.code:
        program.keep(code)
    if worker["kind"] == "compiler":
        os.close(result)
        result = _plain_file(request["output"])
    most = limits["output_bytes"] + 1
    lengths = [min(os.fstat(number).st_size, most) for number in (stdout, stderr, result)]
    output_full = max(lengths) >= limits["output_bytes"]
    tail = max(0, lengths[1] - STDERR_TAIL)
    lengths[1] -= tail
    cpu_seconds = usage.ru_utime + usage.ru_stime
    reply = bytearray(REPLY.size)
    REPLY.pack_into(
        *(reply, 0, os.fstat(set_up).st_size > 0, pidfd in ended, output_full),
        *(os.waitstatus_to_exitcode(status), _empty(worker), cpu_seconds, *lengths),
    )
    _write(control_out, reply)
    reply[:] = bytes(len(reply))  # not even how much it was stays here
    for number, offset, length in zip((stdout, stderr, result), (0, tail, 0), lengths):
        _copy(control_out, number, offset, length)
    for number in (stdout, stderr, result, set_up):
        os.close(number)


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


def _plain_file(path: str) -> int:
    """A file that a compiler wrote, opened; an empty one if there is none or it is no plain file."""
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            return descriptor
        os.close(descriptor)
    return _file_in_memory("nothing")


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


def _empty(worker: dict) -> bool:
    """Remove what a test left behind. False if something cannot be removed."""
    # The size of a folder of a tmpfs grows with every entry. Names too are bytes of the program's: only a process that
    # ends sees them.
    if worker["isolated"] and os.stat(worker["scratch"]).st_size == worker["empty"]:
        return True
    process_id = os.fork()
    if not process_id:
        try:
            if not worker["isolated"]:
                _die_with_parent()
            os._exit(0 if _emptied(worker["scratch"]) else 1)
        finally:
            os._exit(1)
    return os.waitpid(process_id, 0)[1] == 0


def _emptied(folder: str) -> bool:
    """Remove all that is in a folder; never follows a link. False if something cannot be removed."""
    try:
        for entry in os.scandir(folder):
            if entry.is_dir(follow_symlinks=False):
                os.chmod(entry.path, 0o700)
                if not _emptied(entry.path):
                    return False
                os.rmdir(entry.path)
            else:
                os.unlink(entry.path)
    except (OSError, RecursionError):
        return False
    return True


# --- one test, seen from within ---------------------------------------------------------------------------


def _child(worker: dict, request: dict, files: list[int]) -> None:
    """Files: what is given, standard output and error, the result, set_up, code object, program."""
    kind, seccomp_filter, status = worker["kind"], worker["filter"], 1
    try:
        if worker["ruleset"] is not None:
            _confine(worker["ruleset"])
        high = [os.dup(number) for number in files]
        if kind == "binary":
            os.dup2(files[-1], EXECUTABLE, inheritable=False)
        for target, number in enumerate(high):
            os.dup2(number, target, inheritable=target < 4)
        os.closerange(len(files), EXECUTABLE)
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
        status = _run(request)
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
        environment = {**os.environ, "LC_ALL": "C"}  # messages in ASCII, as they are looked through
        os.execve(request["command"][0], request["command"], environment)
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


def _run(request: dict) -> int:
    """Run the program to its end as an interpreter would; its exit status."""
    # A main block is for programs that read standard input; behind a call it stays out.
    name = "__main__" if request["kind"] == "stdin" else "solution"
    sys.modules[name] = types.ModuleType(name)
    vars(sys.modules[name])["__builtins__"] = builtins
    sys.argv = ["solution.py"]
    result = b""
    try:
        result = _result(sys.modules[name], request["kind"])
        status = 0
    except SystemExit as exit:
        status = _exit_status(exit.code)
    except BaseException:
        status = 1
        traceback.print_exc(limit=-3)
    if not _finalized(name):
        status = status or 120
    if status == 0:
        _write(3, result)
    return status


def _result(module: types.ModuleType, kind: str) -> bytes:
    """Run the program, and call what is to be called: JSON of the typed value, else nothing."""
    code = _code()
    if kind == "stdin":
        exec(code, module.__dict__)
        return b""
    entry_point, args = json.loads(_content(0))
    os.ftruncate(0, 0)
    exec(code, module.__dict__)
    arguments = json.loads(args) if args.startswith("[") else ast.literal_eval(args)
    value = _entry_point(module, entry_point)(*arguments)
    return json.dumps({"value": _typed(value, 200)}).encode()


def _finalized(name: str) -> bool:
    """End the program's module as Py_FinalizeEx does, in its order; whether what was printed could be written."""
    for step in (threading._shutdown, atexit._run_exitfuncs):
        _succeeds(step)
    # A flush of the program's own may need its names yet.
    streams = [getattr(sys, name, None) for name in ("stdout", "stderr")]
    written = [
        _succeeds(lambda one=stream: one.flush()) for stream in streams if stream is not None and not _is_closed(stream)
    ]
    del streams
    # Objects end and files that it left open are flushed: first with the module's names, then without.
    module = weakref.ref(sys.modules.pop(name, None) or types.ModuleType(name))
    gc.collect()
    if module() is not None:
        module().__dict__.clear()
        gc.collect()
    for stream in (getattr(sys, "stdout", None), sys.__stdout__):
        if isinstance(stream, io.IOBase):  # ends too, and whether that fails nobody asks
            with contextlib.suppress(BaseException):
                stream.flush()
    return all(written)


def _succeeds(step: Callable[[], object]) -> bool:
    """What goes wrong is printed, and the end goes on."""
    try:
        step()
        return True
    except BaseException:
        with contextlib.suppress(BaseException):
            traceback.print_exc(limit=-3)
        return False


def _is_closed(stream: object) -> bool:
    with contextlib.suppress(BaseException):
        return bool(stream.closed)
    return False


def _code() -> types.CodeType:
    """The program's code object. The first test leaves it, sealed, for the others, before anything of it has run."""
    try:
        if marshalled := _content(5):
            return marshal.loads(marshalled)
        text = _content(6).decode("utf-8", "surrogatepass")
        code = compile(text, "solution.py", "exec", dont_inherit=True)
        with contextlib.suppress(OSError, ValueError, MemoryError):  # too large to be left: each test compiles it
            _write(5, marshal.dumps(code))
            fcntl.fcntl(5, fcntl.F_ADD_SEALS, _SEALS)
        return code
    finally:
        os.closerange(5, 7)


def _content(descriptor: int) -> bytes:
    return os.pread(descriptor, os.fstat(descriptor).st_size, 0)


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
