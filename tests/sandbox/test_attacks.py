"""What a hostile program must not be able to do: every attack of tests/sandbox/attacks.py, as root and as an ordinary
user, and again where nothing protects, to show that it would do it.

Without bubblewrap these tests fail with the command that installs it, and so do those in C++ without g++.
"""

import os
import re
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from amt.sandbox.execution import Input
from amt.sandbox.runner import Sandbox
from tests.sandbox import ordinary_user
from tests.sandbox.attack import Attack
from tests.sandbox.attacks import ATTACKS, CALLER, LIMITS, blocked, made_by
from tests.sandbox.running import once, run_in
from tests.sandbox.unprotected import why_harmless

pytestmark = pytest.mark.timeout(1800)  # all attacks are made for the first test

NAMES = [attack.name for attack in ATTACKS]
CONTROLLED = {attack.name: attack for attack in ATTACKS if attack.control != "none"}
UNCONTROLLED = [attack for attack in ATTACKS if attack.control == "none"]
PAGE = Path(__file__).parents[2] / "docs/sandbox.md"
PROBE = Input("stdin", stdin="ping\n")
HONEST = "print(input())"


@pytest.fixture(scope="module", params=["root", "ordinary user"])
def got_through(request):
    """{attack: how it got through, or None}, after all were made by this user."""
    root = os.getuid() == 0
    if request.param == "root":
        if not root:
            pytest.skip("root's part of this is tested as root")
        return _all_attacks(CALLER, expected_root=True)
    if root and (reason := ordinary_user.why_not()):
        pytest.skip(f"root cannot start an ordinary user's process here: {reason}")
    return _all_attacks(ordinary_user.python(*CALLER[1:]), expected_root=False)


def _all_attacks(command: list[str], expected_root: bool) -> dict[str, str | None]:
    made = made_by(command)
    assert (made.user == 0) == expected_root
    assert made.tier == "bubblewrap+seccomp"
    return made.found


@pytest.mark.parametrize("name", NAMES)
def test_attack_is_blocked(got_through, name):
    assert got_through[name] is None


@pytest.fixture(scope="module")
def harmless():
    """{attack: None if it works where nothing protects, else what it said}."""
    possible = [a for a in CONTROLLED.values() if a.control == "anyone" or os.getuid() == 0]
    with ThreadPoolExecutor(4) as threads:
        return {a.name: said for a, said in zip(possible, threads.map(why_harmless, possible))}


@pytest.mark.parametrize("name", CONTROLLED)
def test_attack_works_where_nothing_protects(harmless, name):
    if name not in harmless:
        pytest.skip("works for root only")
    assert harmless[name] is None


def test_the_table_is_what_it_says():
    assert len(set(NAMES)) == len(NAMES)
    assert all(attack.why_no_control for attack in UNCONTROLLED)
    assert not any(attack.why_no_control for attack in CONTROLLED.values())


def test_the_page_counts_them_rightly():
    rows = re.findall(r"^\| ([a-z ]+) \| (\d+) \| (\d+) \|$", PAGE.read_text(), re.MULTILINE)
    count = Counter((attack.family, attack.language) for attack in ATTACKS)
    count += Counter(("all", attack.language) for attack in ATTACKS)
    assert {(name, language): int(n) for name, *both in rows for language, n in zip(("python", "cpp"), both)} == {
        (name, language): count[name, language] for name, _ in count for language in ("python", "cpp")
    }


def test_a_proof_is_seen():
    """An attack that gets through is told from one that is blocked: here, where its proof is allowed."""
    with Sandbox(LIMITS, workers=1) as sandbox:
        assert not blocked(sandbox, Attack("x", "x", "python", "print('got', 'through')"))
        assert not blocked(sandbox, Attack("x", "x", "python", "import time", then="print('got', 'through')"))
        assert blocked(sandbox, Attack("x", "x", "python", "print('got'); raise OSError"))


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(LIMITS, workers=1) as sandbox:
        yield sandbox


def test_a_program_cannot_make_its_test_an_infrastructure_error(sandbox):
    """An error would be tried again, and then stop the build: no program may cause one."""
    for code in ("import os\nos._exit(255)", "import os\nos.closerange(0, 100)", "import ctypes\nctypes.string_at(0)"):
        assert run_in(sandbox, code, PROBE).ended in ("exited", "killed")


def test_workers_end_with_the_sandbox():
    before = {process.pid for process in psutil.Process().children(recursive=True)}
    with Sandbox(LIMITS, workers=2) as sandbox:
        barrier = threading.Barrier(2)  # both workers get one

        def together(runner, _):
            barrier.wait(60)
            return once(HONEST, PROBE)(runner, None)

        assert [execution.stdout for execution in sandbox.map(together, [1, 2])] == [b"ping\n"] * 2
        started = {process.pid for process in psutil.Process().children(recursive=True)} - before
        assert len(started) >= 2
    assert not any(psutil.pid_exists(process_id) for process_id in started)
