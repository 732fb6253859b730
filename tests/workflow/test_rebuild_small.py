"""A few edits of every kind of `make bench-rebuild`: both tools run what an edit asks for, and nothing else."""

import re
import subprocess
import sys

import pytest

from tests.workflow.conftest import PROJECT

pytestmark = pytest.mark.timeout(900)


def test_edits_of_every_kind_rebuild_what_they_must_and_nothing_else():
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.rebuild", "--sample", "12"], cwd=PROJECT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    figures = re.fullmatch(
        r"rebuild: edits=(\d+) stale=0 needless=0 disagree=0 noop_s=\d+\.\d why_s=\d+\.\d restore_s=\d+\.\d",
        done.stdout.splitlines()[-1],
    )
    assert figures, done.stdout
    assert int(figures[1]) >= 10
