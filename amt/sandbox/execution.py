"""What one run of a program is given, under which limits, and what became of it."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Limits:
    """Of one test, or of one compilation."""

    cpu_seconds: float
    wall_seconds: float
    memory_mb: int
    """Address space, in 2**20 bytes; its stack is part of it."""
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
    """Of a call: what was written to the result descriptor, JSON of the typed value or anything a program forges.
    Of a compilation: the executable."""
    cpu_seconds: float
