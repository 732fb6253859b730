"""What is asked of a toy that both tools build: what ran, what is recorded, what is yet to do."""

import os
import re
import signal
import subprocess
import time
from contextlib import contextmanager

import yaml

CLEAN = "Data and pipelines are up to date."
STAGES = ["model", "sum", "word-a", "word-b"]
TOOLS = {"snakemake": ("snakemake",), "dvc": ("dvc", "repro")}


def recorded(toy) -> list[str]:
    path = toy.path / "dvc.lock"
    return sorted(yaml.safe_load(path.read_text())["stages"]) if path.exists() else []


def ran(toy) -> list[str]:
    path = toy.path / "ran"
    lines = sorted(path.read_text().split()) if path.exists() else []
    path.unlink(missing_ok=True)
    return lines


def planned(toy) -> list[str]:
    """Rules that Snakemake would run."""
    found = re.findall(r"^(?:local)?rule (\w+):", toy.do("snakemake", "-n"), re.MULTILINE)
    return sorted(rule for rule in found if rule != "all")


def assert_nothing_to_do(toy) -> None:
    assert planned(toy) == []
    assert CLEAN in toy.do("dvc", "status")
    ran(toy)
    assert "Nothing to be done" in toy.do("snakemake")
    assert CLEAN in toy.do("dvc", "repro")
    assert ran(toy) == []


def built(toy) -> "object":
    toy.do("snakemake")
    assert ran(toy) == STAGES
    return toy


@contextmanager
def running(toy, *command: str, stage: str):
    """A build that is held up in the middle of a stage; what is done inside happens meanwhile."""
    toy.write(f"wait-{stage}", "")
    with open(toy.path / "said", "w") as said:
        process = subprocess.Popen(
            command, cwd=toy.path, env=toy.environment(), stdout=said, stderr=said, start_new_session=True
        )
    while not (toy.path / "ran").exists() or stage not in toy.read("ran").split():
        assert process.poll() is None, toy.read("said")
        time.sleep(0.05)
    try:
        yield process
    finally:
        (toy.path / f"wait-{stage}").unlink()
        try:
            process.wait()
        except BaseException:  # pytest's time limit
            os.killpg(process.pid, signal.SIGKILL)
            raise


def files(toy) -> dict[str, tuple[int, int]]:
    """Size and time of everything but git's own."""
    found = {}
    for folder, folders, names in os.walk(toy.path):
        folders[:] = [name for name in folders if name != ".git"]
        for name in names:
            stat = os.lstat(os.path.join(folder, name))
            found[os.path.join(folder, name)] = (stat.st_size, stat.st_mtime_ns)
    return found
