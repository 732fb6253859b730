"""What the sandbox needs, what it says where that is missing, and that nothing outlives its owner."""

import contextlib
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from amt.sandbox.runner import Input, Limits, Sandbox
from tests.sandbox.running import run_in

LIMITS = Limits(cpu_seconds=1.0, wall_seconds=60.0, memory_mb=256, output_bytes=10_000)


WITHOUT = """
import errno, os, sys
import pyseccomp
os.environ["PATH"] = "/nowhere"  # no bubblewrap
old_kernel = pyseccomp.SyscallFilter(defaction=pyseccomp.ALLOW)
old_kernel.add_rule(pyseccomp.ERRNO(errno.ENOSYS), 444)  # no Landlock
old_kernel.load()
from amt.errors import MissingToolError
from amt.sandbox.runner import Input, Limits, Sandbox
from tests.sandbox.running import run_in
LIMITS = Limits(cpu_seconds=1.0, wall_seconds=60.0, memory_mb=256, output_bytes=10_000)
"""

NOT_ALLOWED = """
try:
    Sandbox(LIMITS, workers=1)
except MissingToolError as error:
    print(error)
"""

ALLOWED = """
with Sandbox(LIMITS, workers=1, allow_unprotected=True) as sandbox:
    print(sandbox.tier)
    code = "import os\\nopen('x', 'w').write('x')\\nprint(os.listdir('.'), input(), os.getcwd())"
    for _ in range(2):  # the scratch folder is emptied here too
        scratch = run_in(sandbox, code, Input("stdin", stdin="y")).stdout.decode()
        print(scratch, end="")
print(os.path.exists(scratch.split()[-1]))
"""


def where_nothing_protects(code):
    done = subprocess.run([sys.executable, "-c", WITHOUT + code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_nothing_runs_unprotected_by_accident():
    why, remedy = where_nothing_protects(NOT_ALLOWED)
    assert "bwrap is not installed" in why
    assert "Landlock has version 0" in why
    assert "apt-get install bubblewrap" in remedy
    assert "sandbox.allow_unprotected" in remedy


def test_unprotected_runs_are_asked_for_and_say_so():
    tier, first, second, left = where_nothing_protects(ALLOWED)
    assert tier == "unprotected+seccomp"
    assert first == second
    assert first.startswith("['x'] y ")
    assert left == "False"


@pytest.mark.parametrize(("kills", "ended"), [(1, "exited"), (2, "killed")])
def test_a_run_killed_from_outside_is_made_once_more(kills, ended):
    """As the kernel does where memory runs out. Twice is a program that kills itself, for all we can know."""
    before = psutil.Process().children(recursive=True)
    code = "import time\nwhile time.process_time() < 0.7:\n    pass\nprint(7)"
    with Sandbox(LIMITS, workers=1) as sandbox, ThreadPoolExecutor(1) as thread:
        run_in(sandbox, "", Input("stdin"))
        workers = set(psutil.Process().children(recursive=True)) - set(before)
        result = thread.submit(run_in, sandbox, code, Input("stdin"))
        killed = 0
        while killed < kills and not result.done():
            for process in set(psutil.Process().children(recursive=True)) - workers - set(before):
                with contextlib.suppress(psutil.NoSuchProcess):
                    if process.cpu_times().user < 0.2:  # it may not have been set up yet
                        continue
                    process.kill()
                    killed += 1
                    process.wait(10)
            time.sleep(0.02)
        execution = result.result(60)
    assert killed == kills
    assert (execution.ended, execution.stdout) == (ended, b"7\n" if ended == "exited" else b"")


SANDBOX_OWNER = """
import psutil
from amt.sandbox.runner import Input, Limits, Sandbox
from tests.sandbox.running import run_in
sandbox = Sandbox(Limits(1.0, 60.0, 256, 1000), workers=1)
run_in(sandbox, "print(1)", Input("stdin"))
print(*[child.pid for child in psutil.Process().children(recursive=True)], flush=True)
run_in(sandbox, "import time; time.sleep(50)", Input("stdin"))
"""

MATH_OWNER = """
import psutil
from amt.rewards.math_answer import MathGrader
grader = MathGrader(cpu_seconds=50.0)
grader.compare([(r"\\sin(x)", r"\\cos(x)")])
print(*[child.pid for child in psutil.Process().children(recursive=True)], flush=True)
grader.compare([("5", "9^{9^{9^9}}")])
"""


@pytest.mark.parametrize("code", [SANDBOX_OWNER, MATH_OWNER], ids=["sandbox", "math"])
def test_no_process_outlives_a_killed_owner(code):
    owner = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    children = [psutil.Process(int(number)) for number in owner.stdout.readline().split()]
    assert len(children) >= 2
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    owner.stdout.close()
    _, alive = psutil.wait_procs(children, timeout=20)
    assert alive == []
