"""A program ends in the sandbox as it ends in an interpreter of its own: same output, same exit status."""

import subprocess
import sys

import pytest

from amt.sandbox.execution import Input, Limits
from amt.sandbox.runner import Sandbox
from tests.sandbox.running import run_in

LIMITS = Limits(cpu_seconds=5.0, wall_seconds=20.0, memory_mb=1024, output_bytes=100_000)

PROGRAMS = {
    "prints": "print(7)",
    "closes its output": "import sys\nprint(7)\nsys.stdout.close()",
    "uses its output up": "import sys\nwith sys.stdout as f: f.write('7')",
    "closes standard error": "import sys\nprint(7)\nsys.stderr.close()",
    "wraps its output anew": "import io, sys\n"
    "sys.stdout = io.TextIOWrapper(sys.stdout.detach(), encoding='utf-8')\nprint(7)",
    "wraps its buffer": "import io, sys\nsys.stdout = io.TextIOWrapper(sys.stdout.buffer, encoding='utf-8')\nprint(7)",
    "opens its output": "import os, sys\nsys.stdout = os.fdopen(1, 'w')\nprint(7)",
    "collects, with a flush that needs its names": """
import sys
lines = []
class Fast:
    def write(self, text): lines.append(text)
    def flush(self):
        sys.__stdout__.write("".join(lines))
        lines.clear()
sys.stdout = Fast()
print(7)
""",
    "flushes at exit": "import atexit, io, sys\nreal, sys.stdout = sys.stdout, io.StringIO()\n"
    "text = sys.stdout\natexit.register(lambda: real.write(text.getvalue()))\nprint(7)",
    "has no output in the end": "import sys\nprint(7)\nsys.stdout = None",
    "deletes its output": "import sys\nprint(7)\nsys.stdout.flush()\ndel sys.stdout",
    "writes to an output without flush": "import sys\nprint(7, flush=True)\nclass A:\n"
    "    def write(self, text): pass\nsys.stdout = A()\nprint(8)",
    "has a flush that fails": "import sys\nprint(7, flush=True)\nclass A:\n    closed = False\n"
    "    def flush(self): raise ValueError\nsys.stdout = A()",
    "detaches its output": "import sys\nprint(7, flush=True)\nkept = sys.stdout.detach()",
    "has an exit handler that fails": "import atexit\nprint(7)\natexit.register(lambda: 1 / 0)",
    "has an exit handler that exits": "import atexit, sys\nprint(7)\natexit.register(sys.exit, 3)",
    "prints in a thread that it does not join": "import threading, time\n"
    "def late():\n    time.sleep(0.1)\n    print(7)\nthreading.Thread(target=late).start()",
    "prints when an object ends": "class A:\n    def __del__(self): print(7)\na = A()",
    "needs a name when an object ends": "n = 7\nclass A:\n    def __del__(self): print(n)\na = A()",
    "leaves a file on its output open": "import os\nf = os.fdopen(os.dup(1), 'w')\nf.write('7')",
    "exits with a status": "import sys\nprint(7)\nsys.exit(3)",
    "exits with a text": "import sys\nprint(7)\nsys.exit('no')",
    "raises": "print(7)\nraise KeyError",
}


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(LIMITS, workers=1) as sandbox:
        yield sandbox


@pytest.mark.parametrize("code", PROGRAMS.values(), ids=PROGRAMS.keys())
def test_a_program_ends_as_in_an_interpreter(sandbox, code):
    alone = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True)
    assert alone.stdout.strip() == b"7"
    ended = run_in(sandbox, code, Input("stdin"))
    assert (ended.stdout, ended.status) == (alone.stdout, alone.returncode), ended.stderr


def test_a_full_output_is_told(sandbox):
    assert run_in(sandbox, "print('x' * 200_000)", Input("stdin")).ended == "output_limit"
