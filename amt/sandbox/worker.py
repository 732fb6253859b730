"""One worker: a process that amt/sandbox/zygote.py runs in, seen from outside of its isolation."""

import contextlib
import json
import os
import select
import signal
import struct
import subprocess
import tempfile
import time
from dataclasses import asdict
from typing import Any

from amt.errors import InfrastructureError
from amt.sandbox.execution import Execution, Input, Limits
from amt.sandbox.zygote import REPLY

GRACE_SECONDS = 20.0
"""How much longer than a test's wall limit a worker may take to answer before it is taken for dead."""
STOP_SECONDS = 5.0


class Worker:
    """
    Args:
        command: starts the zygote.
        settings: for the zygote: kind, scratch (a folder), uid (None: stay who it is), ruleset (None: no Landlock).
        own_scratch: the scratch folder is one of the host, to be removed in the end.
    """

    def __init__(
        self, command: tuple[str, ...], settings: dict[str, Any], seccomp_filter: bytes, own_scratch: bool = False
    ):
        self._scratch = settings["scratch"] if own_scratch else None
        self._loaded: object = None
        self._messages = None
        try:
            self._messages = tempfile.TemporaryFile()  # noqa: SIM115
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._messages,
                env={},
                cwd="/",
                pass_fds=[settings["ruleset"]] if settings["ruleset"] is not None else [],
            )
        except OSError:  # no process, no descriptor or no space more
            self._discard()
            raise
        try:
            self._send(settings, seccomp_filter)
            self.hello = self._receive_hello()
        except InfrastructureError:
            self.stop()
            raise

    def load(self, program: bytes) -> None:
        """Take a program to run from now on. The same object again costs nothing."""
        if self._loaded is not program:
            self._loaded = program
            self._send({"do": "load"}, program)

    def run(self, given: Input, limits: Limits) -> tuple[Execution, bool]:
        """One run of the program, and whether the worker is as before."""
        # Of what is given nothing but its kind is in the request; see the zygote's invariant.
        data = json.dumps([given.entry_point, given.args]) if given.kind == "call" else given.stdin
        return self._run({"kind": given.kind}, data.encode("utf-8", "surrogatepass"), limits)

    def compile(self, command: tuple[str, ...], source: str, output: str, limits: Limits) -> tuple[Execution, bool]:
        """Run a compiler on the program, which it finds in the file `source`; the result is what it wrote to `output`,
        both in the worker's scratch folder, where it starts."""
        return self._run({"command": command, "source": source, "output": output}, b"", limits)

    def _run(self, arguments: dict[str, Any], given: bytes, limits: Limits) -> tuple[Execution, bool]:
        self._send({"do": "run", "limits": asdict(limits), **arguments}, given)
        deadline = time.monotonic() + limits.wall_seconds + GRACE_SECONDS
        reply = REPLY.unpack(self._read(REPLY.size, deadline))
        set_up, in_time, output_full, status, clean, cpu_seconds, *lengths = reply
        stdout, stderr, result = (self._read(length, deadline) for length in lengths)
        if not set_up:
            raise InfrastructureError(f"A test could not be set up: {stderr.decode('utf-8', 'replace')}")
        if not in_time:
            ended = "wall_limit"
        elif cpu_seconds > limits.cpu_seconds or (
            # The kernel's own count, by which it kills, runs a little ahead of what it reports.
            status == -signal.SIGKILL and cpu_seconds > 0.8 * limits.cpu_seconds
        ):
            ended = "cpu_limit"
        elif output_full:
            ended = "output_limit"
        else:
            ended = "exited" if status >= 0 else "killed"
        execution = Execution(
            ended=ended,
            status=status,
            stdout=stdout,
            stderr=stderr.decode("utf-8", "replace"),
            result=result,
            cpu_seconds=cpu_seconds,
        )
        return execution, clean

    def stop(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()  # the worker ends, and with process 1 its whole PID namespace
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._discard()

    def _discard(self) -> None:
        if self._messages:
            self._messages.close()
        if self._scratch:
            # Not by recursion of ours: a program may have made folders in folders beyond any depth.
            with contextlib.suppress(OSError):  # no process more
                subprocess.run(["/bin/rm", "-rf", "--", self._scratch], stderr=subprocess.DEVNULL)

    def _send(self, content: dict, data: bytes = b"") -> None:
        encoded = json.dumps(content).encode()
        try:
            self._process.stdin.write(struct.pack("!II", len(encoded), len(data)) + encoded + data)
            self._process.stdin.flush()
        except BrokenPipeError:
            raise InfrastructureError(f"The sandbox worker ended: {self._last_words()}") from None

    def _receive_hello(self) -> dict:
        deadline = time.monotonic() + GRACE_SECONDS
        length, _ = struct.unpack("!II", self._read(8, deadline))
        return json.loads(self._read(length, deadline))

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
