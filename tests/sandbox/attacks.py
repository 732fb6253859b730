"""All attacks on the sandbox, and whether one is blocked. `python -m tests.sandbox.attacks` runs them.

The tables: tests/sandbox/hostile_*.py. An attack counts as blocked when its proof is missing, when it made no
infrastructure error (that would stop a build) and when the worker then runs an honest program in an empty folder.
"""

import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from amt.errors import InfrastructureError
from amt.sandbox.execution import Input, Limits
from amt.sandbox.judging import Submission, judge
from amt.sandbox.runner import Compiling, Runner, Sandbox
from tests.sandbox.attack import SECRET, Attack, Surroundings, surroundings
from tests.sandbox.hostile_answers import ANSWERS
from tests.sandbox.hostile_cpp import CPP_ATTACKS
from tests.sandbox.hostile_kernel import KERNEL, OTHERS
from tests.sandbox.hostile_python import PYTHON

ATTACKS: list[Attack] = [*PYTHON, *KERNEL, *OTHERS, *ANSWERS, *CPP_ATTACKS]

LIMITS = Limits(cpu_seconds=1.0, wall_seconds=4.0, memory_mb=256, output_bytes=1_000_000)
WORKERS = 3
"""Many attacks wait until the clock ends them."""

HONEST = {
    "python": """
import os
assert os.listdir(".") == []
print(sum(map(int, input().split())))
""",
    "cpp": """
#include <bits/stdc++.h>
int main() {
    long a, b;
    if (std::filesystem::is_empty(".") && std::cin >> a >> b) std::cout << a + b << "\\n";
}
""",
}


BOMB_SECONDS = 10.0
"""What a source may take that wants to keep the compiler busy; all others have the time that a slow machine needs."""


def compiling(cache: str) -> Compiling:
    return Compiling(cpu_seconds=120.0, memory_mb=1024, cache=Path(cache))


def blocked(sandbox: Sandbox, attack: Attack) -> bool:
    return what_got_through(sandbox, attack) is None


def what_got_through(sandbox: Sandbox, attack: Attack) -> str | None:
    """How an attack succeeded, or None."""
    os.environ["AMT_SECRET"] = SECRET
    with surroundings() as around:
        return sandbox.map(lambda runner, attack: _attempt(sandbox, runner, attack, around), [attack])[0]


def _attempt(sandbox: Sandbox, runner: Runner, attack: Attack, around: Surroundings) -> str | None:
    hasty = Runner(sandbox, compiling=replace(sandbox.compiling, cpu_seconds=BOMB_SECONDS))  # on the same workers
    try:
        if attack.kind == "verdict":
            if attack.before:
                right = judge(runner, Submission(attack.language, attack.before, attack.cases))
                if right.outcome != "passed":
                    return f"the right program before it: {right.outcome}, {right.reason}"
            judged = judge(runner, Submission(attack.language, around.fill(attack.code), attack.cases))
            found = None if judged.outcome == "failed" else f"{judged.outcome}: {judged.reason}"
        else:
            found = _run(hasty if attack.kind == "compile" else runner, attack, around, attack.code)
        if not found and attack.then:
            found = _run(runner, attack, around, attack.then)
        # Not out of the cache where a compiler was the victim.
        again = f"// {os.urandom(8).hex()}\n" if attack.kind == "compile" else ""
        if fault := runner.load(attack.language, HONEST[attack.language] + again):
            return f"spoiled the next compilation: {fault}"
        after = runner.run(Input("stdin", stdin="20 22"))
    except InfrastructureError as error:
        return f"infrastructure error: {error}"
    if found or after.stdout != b"42\n":
        return found or f"spoiled the next run: {after}"
    return around.proof_in()


def _run(runner: Runner, attack: Attack, around: Surroundings, code: str) -> str | None:
    if fault := runner.load(attack.language, around.fill(code)):
        return around.proof_in(fault)
    run = runner.run(Input("stdin", stdin="ping\n"))
    if max(len(run.stdout), len(run.result)) > LIMITS.output_bytes + 1:
        return f"put out {len(run.stdout)} and {len(run.result)} bytes"
    return around.proof_in(run.stdout, run.stderr, run.result)


CALLER = [sys.executable, "-m", "tests.sandbox.attacks"]
"""The command that makes all attacks as the user who calls."""


class Made(NamedTuple):
    user: int
    tier: str
    found: dict[str, str | None]
    """How each attack got through, or None."""


def made_by(command: list[str]) -> Made:
    """What came of all attacks, made by a process of their own: as CALLER, or as ordinary_user.python starts it."""
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    (user, tier), *found = map(json.loads, done.stdout.splitlines())
    return Made(user, tier, dict(found))


def main() -> None:
    """One JSON line per attack: [name, how it got through or null]. First the uid and the tier."""
    attacks = [attack for attack in ATTACKS if attack.name in sys.argv[1:]] or ATTACKS
    with (
        tempfile.TemporaryDirectory() as cache,
        Sandbox(LIMITS, workers=WORKERS, compiling=compiling(cache)) as sandbox,
        ThreadPoolExecutor(WORKERS) as threads,
    ):
        print(json.dumps([os.getuid(), sandbox.tier]))
        found = threads.map(lambda attack: what_got_through(sandbox, attack), attacks)
        for attack, how in zip(attacks, found):
            print(json.dumps([attack.name, how]), flush=True)


if __name__ == "__main__":
    main()
