"""What the sandbox needs, what it says where that is missing, and that nothing outlives its owner."""

import contextlib
import platform
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import psutil
import pytest

from amt.sandbox.judging import Case, Submission, judge
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


NO_DESCRIPTOR_LEFT = """
import resource
from amt.sandbox.judging import Case, Submission, judge
from amt.sandbox.runner import Input, Limits, Sandbox
submission = Submission("python", "print(7)", (Case(Input("stdin"), "7"),))
with Sandbox(Limits(cpu_seconds=1.0, wall_seconds=60.0, memory_mb=256, output_bytes=10_000), workers=1) as sandbox:
    most, bound = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, bound))
    print(sandbox.map(judge, [submission])[0].outcome)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, bound))
    print(sandbox.map(judge, [submission])[0].outcome)
"""


def test_a_worker_that_cannot_be_started_is_an_infrastructure_error():
    done = subprocess.run([sys.executable, "-c", NO_DESCRIPTOR_LEFT], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("error\npassed\n", "")


UNHURRIED = {
    "python": "import time\nwhile time.process_time() < 2:\n    pass\nprint(7)",
    "c": '#include <stdio.h>\n#include <time.h>\nint main(void) { while (clock() < 2000000) ; puts("7"); }',
}


@pytest.mark.parametrize("language", UNHURRIED)
@pytest.mark.parametrize(("kills", "outcome"), [(1, "passed"), (2, "error")])
def test_a_run_killed_from_outside_is_made_once_more(kills, outcome, language):
    """As the kernel does where memory runs out. Twice is an infrastructure error: no program can kill itself so."""
    before = psutil.Process().children(recursive=True)
    submission = Submission(language, UNHURRIED[language], (Case(Input("stdin"), "7"),))
    with Sandbox(replace(LIMITS, cpu_seconds=4.0), workers=1) as sandbox, ThreadPoolExecutor(1) as thread:
        assert sandbox.map(judge, [replace(submission, code="int main(void) { return 1; }")])[0].outcome == "failed"
        assert sandbox.map(judge, [submission])[0].outcome == "passed"  # compiled, and its workers are there
        workers = set(psutil.Process().children(recursive=True)) - set(before)
        result = thread.submit(sandbox.map, judge, [submission])
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
        (judged,) = result.result(60)
    assert killed == kills
    assert judged.outcome == outcome
    assert ("was killed from outside" in (judged.reason or "")) == (outcome == "error")


CALLS = """
import ctypes, os, resource, signal, fcntl, threading, time
call = ctypes.CDLL(None, use_errno=True).syscall
me, high = os.getpid(), ctypes.c_long(1 << 32 | 9)
class Event(ctypes.Structure):
    _fields_ = [("value", ctypes.c_void_p), ("signal", ctypes.c_int), ("others", ctypes.c_int * 13)]
def timer():
    event, timer = Event(None, 9), ctypes.c_int()
    ending = (ctypes.c_long * 4)(0, 0, 0, 1)
    call(222, 0, ctypes.byref(event), ctypes.byref(timer)) or call(223, timer, 0, ending, None)
def owned():
    ends = os.pipe()
    fcntl.fcntl(ends[0], fcntl.F_SETOWN, me)
    fcntl.fcntl(ends[0], fcntl.F_SETSIG, 9)
    fcntl.fcntl(ends[0], fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
    os.write(ends[1], b"x")
def limit():
    resource.setrlimit(resource.RLIMIT_CPU, (1, 1))
    while time.process_time() < 1.2:
        pass
def old_limit():
    call(160, 0, (ctypes.c_long * 2)(1, 1))
    while time.process_time() < 1.2:
        pass
"""
"""Numbers are those of x86_64."""
SUICIDES = {
    "kill": "os.kill(me, 9)",
    "kill the group": "os.kill(0, 9)",
    "kill with high bits": "call(62, me, high)",
    "tkill": "call(200, me, 9)",
    "tgkill": "signal.pthread_kill(threading.get_ident(), 9)",
    "rt_sigqueueinfo": "call(129, me, 9, (ctypes.c_int * 32)(9, 0, -1))",
    "rt_tgsigqueueinfo": "call(297, me, me, 9, (ctypes.c_int * 32)(9, 0, -1))",
    "a timer": "timer()",
    "the owner of a pipe": "owned()",
    "a limit on CPU time": "limit()",
    "a limit by the older call": "old_limit()",
}


@pytest.mark.skipif(platform.machine() != "x86_64", reason="calls by their numbers on x86_64")
@pytest.mark.parametrize("name", SUICIDES)
def test_no_program_can_kill_itself_as_the_kernel_does(name):
    code = f"{CALLS}\ntry:\n    {SUICIDES[name]}\nexcept (OSError, ValueError):\n    pass\ntime.sleep(0.1)\nprint(7)"
    plain = subprocess.run([sys.executable, "-c", code], capture_output=True, start_new_session=True)
    assert plain.returncode == -signal.SIGKILL, plain.stderr
    with Sandbox(replace(LIMITS, cpu_seconds=3.0), workers=1) as sandbox:
        execution = run_in(sandbox, code, Input("stdin"))
    assert (execution.ended, execution.stdout) == ("exited", b"7\n"), execution


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
grader.compare([(r"\\arctan(x)", r"\\arcsin(x)")])
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
