"""A small form of `make bench-sandbox-load`."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_nothing_is_lost_or_left_when_servers_are_killed_under_load():
    command = [sys.executable, "-m", "benchmarks.sandbox_load", "--seconds", "8", "--least", "20"]
    command += ["--kill-every", "2.5"]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    name, _, fields = done.stdout.splitlines()[-1].partition(": ")
    assert name == "sandbox_load"
    count = {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", fields)}
    assert count["submissions"] == count["judged"] >= 20
    assert count["kills"] >= 2
    for must_be_none in ("lost", "twice", "differ", "left_processes", "left_files"):
        assert count[must_be_none] == 0
