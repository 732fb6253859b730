"""Processes that run math_verify for amt.rewards.math_answer.

One process imports math_verify and forks a worker for each socket it was given; when a worker dies it forks
the next one. A worker reads lines of JSON [its process id, gold, value] and answers each with {"equal",
"reason"}. It sets itself a timer of CPU time before each comparison, whose signal ends it: no comparison is
interrupted from within, where a library may catch it. A new worker's first line is {"hello": its process id,
"out_of_time": whether that signal ended the one before it}.
"""

import functools
import json
import logging
import math
import os
import re
import resource
import select
import signal
import socket
import sys
from collections.abc import Iterator

_MEMORY_BYTES = 2 << 30
"""Address space of a worker: 9^9^9^9 ends in MemoryError before it troubles the machine."""

_ZEROS = 3
"""Zeros before the first digit of a number, from which on 6 decimals are too few."""

_NO_POINT = re.compile(r"\\infty|∞|\\cup|\[[^\[\]()]*\)|\([^\[\]()]*\]")
"""Intervals that are no point: (0, \\infty), a union, [0,1), (0,1]."""


def main() -> None:
    cpu_seconds, descriptors = float(sys.argv[1]), [int(text) for text in sys.argv[2:]]
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    import math_verify

    logging.disable(logging.CRITICAL)  # math_verify warns at every call that its own time-outs are off
    math_verify.verify(
        math_verify.parse("$x+1$", parsing_timeout=None), math_verify.parse("$1+x$", parsing_timeout=None)
    )
    workers = {_fork(descriptor, cpu_seconds): descriptor for descriptor in descriptors}
    while True:
        ready, _, _ = select.select([0, *workers], [], [])
        for pidfd in ready:
            if pidfd == 0:  # nothing is ever written here: our parent is gone or is done with us
                sys.exit()  # the workers see their sockets close, or die with us
            ended = os.waitid(os.P_PIDFD, pidfd, os.WEXITED)
            os.close(pidfd)
            descriptor = workers.pop(pidfd)
            out_of_time = ended.si_code == os.CLD_KILLED and ended.si_status == signal.SIGPROF
            workers[_fork(descriptor, cpu_seconds, out_of_time)] = descriptor


def _fork(descriptor: int, cpu_seconds: float, out_of_time: bool = False) -> int:
    process_id = os.fork()
    if process_id:
        return os.pidfd_open(process_id)
    status = 1
    try:
        _die_with_parent()
        _work(socket.socket(fileno=descriptor), cpu_seconds, out_of_time)
        status = 0
    finally:
        os._exit(status)


def _die_with_parent() -> None:
    import ctypes

    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


def _work(connection: socket.socket, cpu_seconds: float, out_of_time: bool) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    connection.sendall(json.dumps({"hello": os.getpid(), "out_of_time": out_of_time}).encode() + b"\n")
    for line in connection.makefile("rb"):
        process_id, gold, value = json.loads(line)
        if process_id != os.getpid():
            continue
        signal.setitimer(signal.ITIMER_PROF, cpu_seconds)
        equal, reason = _compare(gold, value)
        signal.setitimer(signal.ITIMER_PROF, 0)
        connection.sendall(json.dumps({"equal": equal, "reason": reason}).encode() + b"\n")


def _compare(gold: str, value: str) -> tuple[bool, str | None]:
    from math_verify import parse, verify

    try:
        golds, options = _parsed_gold(gold)
        values = parse(f"${value}$", parsing_timeout=None)
        equal = verify(golds, values, timeout_seconds=None, **options)
    except (MemoryError, RecursionError) as error:
        return False, type(error).__name__
    if not golds:
        return False, "math_verify cannot read the ground truth, and the text differs"
    return equal, None if equal else "another value" if values else "math_verify cannot read the answer"


@functools.lru_cache(maxsize=256)
def _parsed_gold(gold: str) -> tuple[list, dict]:
    """A ground truth as math_verify reads it, once for its answers, which come one behind the other."""
    from math_verify import parse

    golds = parse(f"${gold}$", parsing_timeout=None)
    return golds, _options(gold, golds)


def _options(gold: str, golds: list) -> dict:
    """How math_verify is to compare with a ground truth.

    By default it rounds to 6 decimals, by which every number below 5e-7 equals 0 and all others like it: those need
    more. And it takes no inequality for an interval, which may be a point: a half-open one, or one that goes on for
    ever, is none.
    """
    options = {"allow_set_relation_comp": bool(_NO_POINT.search(gold))}
    if (zeros := math.ceil(-min(_magnitudes(golds), default=0.0))) > _ZEROS:
        options |= {"float_rounding": 6 + zeros, "numeric_precision": 12 + zeros}
    return options


def _magnitudes(golds: list) -> Iterator[float]:
    """Decimal logarithms of the numbers in the ground truth, and of those that are made of others, as 10^{-9} is."""
    from sympy import Basic, log, preorder_traversal

    for part in (part for gold in golds if isinstance(gold, Basic) for part in preorder_traversal(gold)):
        if getattr(part, "is_number", False) and part.is_finite and part.is_comparable and not part.is_zero:
            yield float(log(abs(part), 10).evalf())


if __name__ == "__main__":
    main()
