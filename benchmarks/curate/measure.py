"""Seconds and memory of a process and all that it starts.

The process itself says how long its work took, without import and start: the last line that it prints is a JSON object
with `seconds`. Its memory is the largest sum of PSS over the tree (pages that processes share count once), looked at
from outside every SAMPLE_S seconds.
"""

import contextlib
import json
import os
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SAMPLE_S = 0.2
PROJECT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Measured:
    """What a process said, and the most memory that its tree held at once, in bytes."""

    said: dict[str, Any]
    peak_bytes: int

    @property
    def seconds(self) -> float:
        return self.said["seconds"]


def measured(command: list[str], *, threads: int = 2) -> Measured:
    """Run a command from the project's folder.

    Args:
        threads: that libraries in it may start, where they ask the environment.

    Raises:
        RuntimeError: it failed; with the end of what it wrote.
    """
    limits = dict.fromkeys(
        ("OMP_NUM_THREADS", "RAYON_NUM_THREADS", "POLARS_MAX_THREADS", "NUMBA_NUM_THREADS"), str(threads)
    )
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            command, cwd=PROJECT, env=os.environ | limits, stdout=subprocess.PIPE, stderr=errors, text=True
        )
        with watching(process.pid) as watch:
            output, _ = process.communicate()
        if process.returncode:
            errors.seek(0)
            raise RuntimeError(f"exit status {process.returncode} of {' '.join(command)}\n{errors.read()[-4000:]}")
    return Measured(json.loads(output.splitlines()[-1]), watch.peak_bytes)


@contextlib.contextmanager
def watching(pid: int) -> Iterator["Watch"]:
    """Look at the memory of a process and its descendants until the block ends."""
    watch = Watch(pid)
    watch.start()
    try:
        yield watch
    finally:
        watch.stop()


class Watch(threading.Thread):
    def __init__(self, pid: int):
        super().__init__(daemon=True)
        self.peak_bytes = 0
        self._pid = pid
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.is_set():
            self.peak_bytes = max(self.peak_bytes, tree_pss(self._pid))
            self._ended.wait(SAMPLE_S)

    def stop(self) -> None:
        self._ended.set()
        self.join()


def tree_pss(pid: int) -> int:
    """Bytes of memory of a process and its descendants, shared pages counted once."""
    total, waiting = 0, [pid]
    while waiting:
        each = waiting.pop()
        try:
            rollup = Path(f"/proc/{each}/smaps_rollup").read_text()
            for children in Path(f"/proc/{each}/task").glob("*/children"):  # each thread has its own
                waiting += map(int, children.read_text().split())
        except (FileNotFoundError, ProcessLookupError):  # it ended meanwhile
            continue
        total += sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")) * 1024
    return total
