"""The tier for machines where namespaces are denied: Landlock and seccomp, as root and as an ordinary user.

Each run is a process of its own without bubblewrap on its PATH. It needs an interpreter and a checkout that other users
may read.
"""

import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sandbox.attacks import ATTACKS
from tests.sandbox.test_cpp import BOMBS

SEEN = {"many files"}
"""What this tier lets through, as its description says: whether a host file exists, and how much is written in all."""

SCRIPT = """
import json, os, sys, tempfile
from pathlib import Path
os.environ["PATH"] = "/nowhere"
os.environ["AMT_SECRET"] = "s3cret"
from amt.sandbox.compiling import toolchain
from amt.sandbox.judging import Case, Submission, judge
from amt.sandbox.runner import Compiling, Input, Limits, Sandbox
from tests.sandbox.running import run_in
given = json.load(sys.stdin)
with tempfile.TemporaryDirectory() as cache:
    compiling = Compiling(120.0, 512, Path(cache))  # without a precompiled header
    with Sandbox(Limits(1.0, 5.0, 256, 1_000_000), workers=1, compiling=compiling) as sandbox:
        os.environ["PATH"] = "/usr/bin:/bin"
        attacks = {name: repr(run_in(sandbox, code, Input("stdin", stdin="ping"))) for name, code in given["attacks"]}
        cases = (Case(Input("stdin", stdin="20 22"), "42"), Case(Input("stdin", stdin="1 2"), "3"))
        submissions = [Submission(language, code, cases) for language, code in given["programs"]]
        judged = [[one.outcome, one.reason, one.tier] for one in sandbox.map(judge, submissions)]
print(json.dumps({"attacks": attacks, "judged": judged}))
"""


@pytest.fixture(scope="module", params=["root", "ordinary"])
def run(request):
    """Runs SCRIPT on attacks and programs as this user."""
    own = os.path.realpath(sys.executable)
    interpreter = next(filter(open_to_all, [own, f"/usr/bin/python3.{sys.version_info.minor}"]), None)
    root = os.getuid() == 0
    if request.param == "root" and not root:
        pytest.skip("root's part of this is tested as root")
    if root and (interpreter is None or not open_to_all(__file__)):
        pytest.skip(f"other users may not read {own} or this checkout, and there is no other interpreter")

    def run(attacks, programs):
        command = [interpreter if root else own, "-B", "-c", SCRIPT]
        if root and request.param == "ordinary":
            command = [shutil.which("setpriv"), "--reuid", "60001", "--regid", "60001", "--clear-groups", *command]
        path = [os.getcwd(), *(path for path in sys.path if path.endswith("site-packages"))]
        done = subprocess.run(
            command,
            input=json.dumps({"attacks": attacks, "programs": programs}),
            capture_output=True,
            text=True,
            env={"PYTHONPATH": os.pathsep.join(path), "PATH": os.environ["PATH"], "HOME": "/nowhere"},
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def open_to_all(path):
    """Whether any user may read it."""
    path = Path(path).resolve()
    return path.exists() and all(
        folder.stat().st_mode & (stat.S_IXOTH if folder.is_dir() else stat.S_IROTH) for folder in (path, *path.parents)
    )


def stands_alone(attack):
    """Whether it is one program that needs nothing of the host's to be there. The clock is the same in every tier."""
    one = attack.kind == "run" and attack.language == "python" and not attack.then
    return one and "@" not in attack.code and attack.family != "time"


ADD = "#include <iostream>\nint main() { int a, b; std::cin >> a >> b; std::cout << a + b; }"

MORE = {
    "metadata of a file": "import os\nos.chmod('/usr/bin/env', 0o755)",
    "metadata by a newer call": "import ctypes\nfile = b'/usr/bin/env'\n"
    "assert ctypes.CDLL(None).syscall(452, -100, file, 0o755, 0) == 0",
    "times of the runtime": "import os\nos.utime(os.__file__)",
    "times of an open file": "import os\nwith open(os.__file__) as f:\n    os.utime(f.fileno())",
    "listing the host": "import os\nos.listdir('/')",
    "a file of the host": "open('/etc/hostname').read()",
    "the folder beside": "open('/tmp/x', 'w')",
    "a signal to the worker": "import os\nos.kill(os.getppid(), 0)",
    "a thread's signal": "import ctypes, os\nassert ctypes.CDLL(None).syscall(234, os.getppid(), os.getppid(), 0) == 0",
    "cores of the worker": "import os\nos.sched_setaffinity(os.getppid(), {0})",
    "memory of the worker": "import os\nopen(f'/proc/{os.getppid()}/mem', 'rb').read(1)",
    "environment of the worker": "import os\nopen(f'/proc/{os.getppid()}/environ', 'rb').read(1)",
}  # fmt: skip


def test_attacks_are_blocked_and_the_tier_is_said(run):
    attacks = [(name, f"{code}\nprint('got ' + 'through', flush=True)") for name, code in MORE.items()]
    attacks += [(attack.name, attack.code) for attack in ATTACKS if stands_alone(attack)]
    programs = [
        ("python", "print(sum(map(int, open('/dev/stdin').read().split())))"),
        ("python", "import os\nassert not os.listdir('.')\nopen('x', 'w')\nprint(sum(map(int, input().split())))"),
        ("python", "print(42)"),
        ("cpp", ADD),
        ("cpp", ADD.replace("a + b", "a - b")),
        ("c", '#include <stdio.h>\nint main(void) { int a, b; scanf("%d%d", &a, &b); printf("%d", a + b); }'),
        *[("cpp", BOMBS[name]) for name in ("/etc/passwd", "the test file", "/dev/zero", "file by the assembler")],
    ]  # fmt: skip
    found = run(attacks, programs)
    assert {name for name, execution in found["attacks"].items() if "got through" in execution} <= SEEN
    outcomes = [outcome for outcome, _, _ in found["judged"]]
    assert outcomes == ["passed", "passed", "failed", "passed", "failed", "passed", *["failed"] * 4], found["judged"]
    assert {tier for _, _, tier in found["judged"]} == {"landlock+seccomp"}
    assert all("does not compile" in reason for _, reason, _ in found["judged"][-4:])
