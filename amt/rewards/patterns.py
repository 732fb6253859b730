"""Matches of a regular expression that stands in data, in model-written text, without hanging.

Python's `re` backtracks: `(a+)+b` on forty times "a" takes hours, and nothing within the process stops it. A pattern
that repeats or chooses is therefore matched in a process of its own, with the same `re`, and a timer of CPU time ends
it. All others take time in proportion to the text and are matched here.
"""

import json
import re
import signal
import subprocess
import sys

from amt.errors import InfrastructureError

CPU_SECONDS = 1.0
"""For one pattern on one text; ordinary ones take microseconds."""
WALL_SECONDS = 60.0
"""A process that had not even this CPU time by then says something of the machine, not of the pattern."""

_BACKTRACKS = re.compile(r"[*+?{|(]")
_MATCHER = """
import json, re, resource, signal, sys
seconds, pattern, flags, text = json.load(sys.stdin)
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
signal.setitimer(signal.ITIMER_PROF, seconds)
print(sum(1 for _ in re.finditer(pattern, text, flags)))
"""


class TooSlowError(Exception):
    """A pattern's matches were not found within CPU_SECONDS."""


def count_matches(keyword: str, text: str, *, before: str = "", after: str = "", flags: int = 0) -> int:
    """How often before + keyword + after matches, without overlaps. What is no regular expression is taken literally.

    Raises:
        TooSlowError: the keyword backtracks too much on this text.
        InfrastructureError: the process that matches it failed, which says nothing of the text.
    """
    literal = False
    try:
        pattern = re.compile(before + keyword + after, flags)
    except (re.error, OverflowError, RecursionError):
        literal = True
        pattern = re.compile(before + re.escape(keyword) + after, flags)
    if literal or not _BACKTRACKS.search(keyword):
        return sum(1 for _ in pattern.finditer(text))
    return _count_elsewhere(pattern.pattern, flags, text)


def _count_elsewhere(pattern: str, flags: int, text: str) -> int:
    given = json.dumps([CPU_SECONDS, pattern, int(flags), text])
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-W", "ignore", "-c", _MATCHER],
            input=given, capture_output=True, text=True, timeout=WALL_SECONDS, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InfrastructureError(f"The pattern {pattern!r} was not matched: {error}.") from None
    if done.returncode == -signal.SIGPROF:
        raise TooSlowError(f"the pattern {pattern!r} took more than {CPU_SECONDS:g} s of CPU")
    if done.returncode != 0:
        why = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise InfrastructureError(f"The pattern {pattern!r} was not matched: {why}.")
    return int(done.stdout)
