"""What an attack is, and the part of this machine that it is after."""

import contextlib
import os
import socket
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from amt.sandbox.judging import Case

SECRET = "amt_secret_7c1f"
"""Stands in the environment of whoever grades and in a file beside the sandbox."""

PROOF = "got through"
"""Printed by an attack that did what it must not; put together when it runs, so that quoted source is no proof."""

PYTHON_PROOF = "\nprint('got', 'through', flush=True)\n"

CPP = """
#include <bits/stdc++.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <netinet/in.h>
#include <arpa/inet.h>
#include <ucontext.h>
#include <unistd.h>
using namespace std;
extern char** environ;
void proof() { cout << "got" " through" << endl; }
"""


@dataclass(frozen=True)
class Attack:
    """run: a program that proves by PROOF or SECRET in its output that it did something. compile: the same, or the
    compiler itself is the victim, or tells. verdict: a wrong program that is to pass its cases."""

    name: str
    family: str
    language: Literal["python", "cpp"]
    code: str
    """@DIR@, @SECRET@, @VICTIM@: a folder outside, a file to read, a file to write; @PORT@, @ABSTRACT@: listeners;
    @PYTHON@: the interpreter."""
    kind: Literal["run", "compile", "verdict"] = "run"
    then: str = ""
    """Run after it, as another submission: this one has the proof that something was left."""
    cases: tuple[Case, ...] = ()
    before: str = ""
    """Of a verdict: a right program, judged on the same cases before it."""
    control: Literal["anyone", "root", "none"] = "anyone"
    """Who can show that it works where nothing protects."""
    why_no_control: str = ""
    tame: tuple[str, str] = ("", "")
    """For the control: what in the code is replaced, and by what, so that it does no harm."""


@dataclass(frozen=True)
class Surroundings:
    """A folder with a secret and a file that must stay as it is, and two listeners, on the host's side."""

    folder: Path
    names: dict[str, str]

    def fill(self, code: str) -> str:
        for name, value in self.names.items():
            code = code.replace(name, value)
        return code

    def proof_in(self, *outputs: bytes | str) -> str | None:
        """What shows that an attack got through, or None."""
        text = "\n".join(o.decode("utf-8", "replace") if isinstance(o, bytes) else o for o in outputs)
        for proof in (PROOF, SECRET, "root:x:0:", "/etc/passwd:1"):
            if proof in text:
                return f"printed {proof!r}"
        victim = self.folder / "victim"
        if not victim.exists() or victim.read_text() != "kept" or victim.stat().st_mode & 0o777 != 0o666:
            return "changed a file outside"
        return None


@contextlib.contextmanager
def surroundings() -> Iterator[Surroundings]:
    abstract = f"amt-attack-{os.getpid()}-{os.urandom(4).hex()}"
    with (
        tempfile.TemporaryDirectory() as name,
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.socket(socket.AF_UNIX) as unix,
    ):
        folder = Path(name)
        folder.chmod(0o777)
        (folder / "tests.json").write_text(SECRET)
        (folder / "victim").write_text("kept")
        (folder / "victim").chmod(0o666)
        unix.bind(f"\0{abstract}")
        unix.listen()
        names = {
            "@DIR@": name,
            "@SECRET@": f"{name}/tests.json",
            "@VICTIM@": f"{name}/victim",
            "@PORT@": str(server.getsockname()[1]),
            "@ABSTRACT@": abstract,
            "@PYTHON@": os.path.realpath(sys.executable),
        }
        yield Surroundings(folder, names)
