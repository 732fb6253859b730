"""The control of an attack: the same code where nothing protects. An attack that does nothing there shows nothing.

A program runs as a child of a process that stands for the worker. A wrong answer goes to a grader as careless as
those that are widely used (`CARELESS_CALL`).
"""

import atexit
import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from tests.sandbox.attack import CPP, SECRET, Attack, surroundings

GXX = ("-O2", "-std=gnu++20", "-w")

_one_at_a_time = threading.Lock()

PARENT = """
import os, subprocess, sys
for number in (3, 7):
    os.dup2(os.open("/dev/null", os.O_WRONLY), number)
sys.exit(subprocess.run(sys.argv[1:], cwd="work", pass_fds=(3, 7)).returncode)
"""

ONE_AFTER_THE_OTHER = """
import os, sys
here, programs = os.getcwd(), [open(name).read() for name in sys.argv[1:]]
for program in programs:
    os.chdir(here)
    exec(program, {"__name__": "__main__"})
"""


CARELESS_CALL = """
import json, sys
text = open("../cases.json").read()
tests = json.loads(text)
module = {"__name__": "solution"}
exec(open(sys.argv[1]).read(), module)
for test in tests:
    assert module["f"](*test["args"]) == test["expected"]
"""
"""Asserts beside the program, in its process, and a pass for exit status 0."""


def why_harmless(attack: Attack) -> str | None:
    """What an attack said that does nothing where nothing protects; None if it works."""
    with surroundings() as around:
        (around.folder / "work").mkdir(mode=0o777)
        code = around.fill(attack.code)
        if attack.tame[0]:
            assert attack.tame[0] in code
            code = code.replace(*attack.tame)
        if attack.kind == "verdict":
            return _why_failed(attack, around.folder, code)
        start = _python if attack.language == "python" else _cpp
        command, said = start(around.folder, code, attack.then)
        said += _ended(around.folder, command, "ping\n").stdout.decode("utf-8", "replace")
        return None if around.proof_in(said) else f"no proof: {said[-2000:]}"


def _ended(folder: Path, command: list[str], stdin: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", PARENT, *command],
        input=stdin.encode(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=folder,
        env={"AMT_SECRET": SECRET, "PATH": os.environ["PATH"]},
        timeout=600,
    )


def _python(folder: Path, code: str, then: str) -> tuple[list[str], str]:
    names = ["first.py", "then.py"] if then else ["first.py"]
    for name, text in zip(names, (code, then)):
        (folder / name).write_text(text)
    return [sys.executable, "-s", "-c", ONE_AFTER_THE_OTHER, *(str(folder / name) for name in names)], ""


def _cpp(folder: Path, code: str, then: str) -> tuple[list[str], str]:
    """What runs it, and what the compiler said."""
    built, said = [], ""
    for name, text in (("first", code), ("then", then)):
        if text:
            said += _compiled(folder, name, text)
            built.append(str(folder / name))
    return ["/bin/sh", "-c", "; ".join(built)], said


def _compiled(folder: Path, name: str, text: str) -> str:
    text = text.replace(CPP, f'#include "{_header()}"\n')
    (folder / f"{name}.cpp").write_text(text)
    command = ["g++", *GXX, f"{name}.cpp", "-o", name]
    environment = {**os.environ, "AMT_SECRET": SECRET}
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment, timeout=600)
    return done.stderr


def _header() -> str:
    """What all C++ attacks include, precompiled."""
    with _one_at_a_time:
        return _make_header()


@functools.cache
def _make_header() -> str:
    folder = tempfile.mkdtemp(prefix="amt-attacks-")
    atexit.register(shutil.rmtree, folder)
    (Path(folder) / "all.hpp").write_text(CPP)
    subprocess.run(["g++", *GXX, "-x", "c++-header", "all.hpp"], cwd=folder, check=True)
    return f"{folder}/all.hpp"


def _why_failed(attack: Attack, folder: Path, code: str) -> str | None:
    """None if a grader like those that were fooled passes it: by the exit status, and of lines only those printed."""
    cases = [{"args": json.loads(c.given.args), "expected": c.expected} for c in attack.cases]
    (folder / "cases.json").write_text(json.dumps(cases))
    if attack.cases[0].given.kind == "call":
        (folder / "first.py").write_text(code)
        ended = _ended(folder, [sys.executable, "-c", CARELESS_CALL, str(folder / "first.py")], "")
        passed = ended.returncode == 0
    else:
        start = _python if attack.language == "python" else _cpp
        command, _ = start(folder, attack.before, code) if attack.before else start(folder, code, "")
        both = 2 if attack.before else 1
        ended = _ended(folder, command, both * attack.cases[0].given.stdin)
        printed, expected = ended.stdout.decode().split(), both * str(attack.cases[0].expected).split()
        passed = printed == expected if both == 2 else all(p == e for p, e in zip(printed, expected))
    return None if passed else f"status {ended.returncode}: {ended.stdout[-2000:].decode('utf-8', 'replace')}"
