"""Build what a recipe describes, with progress, and say at the end what came out (`make run`).

Runs `snakemake --cores all`, whose full output goes to logs/snakemake.log. On a terminal the last line follows the
running jobs; elsewhere a line tells of each job that ends, and of those that take long.
"""

import argparse
import contextlib
import ctypes
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from amt.errors import AmtError, MissingToolError
from amt.params import Recipe, load

LOG = Path("logs/snakemake.log")
PR_SET_CHILD_SUBREAPER = 36
HEARTBEAT_SECONDS = 30
SAMPLE_SECONDS = 1.0


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m scripts.run", description=__doc__.splitlines()[0])
    parser.add_argument("--params", type=Path, default=Path("params.yaml"), metavar="FILE", help="the recipe")
    parser.add_argument("snakemake", nargs=argparse.REMAINDER, help="more arguments of snakemake, after --")
    args = parser.parse_args()
    try:
        recipe = load(args.params)
        check_machine(recipe)
    except AmtError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    command = ["snakemake", "--cores", "all", "--nocolor", *[word for word in args.snakemake if word != "--"]]
    if args.params != Path("params.yaml"):
        command += ["--config", f"params={args.params}"]
    print(f"recipe {recipe.name} ({args.params}), {os.cpu_count()} cores; full output in {LOG}", flush=True)
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    started = time.monotonic()
    status, progress, peak_bytes = build(command)
    wall = time.monotonic() - started
    if progress.interrupted:
        print(f"interrupted after {wall:.0f} s; `make run` goes on from here.", file=sys.stderr)
        sys.exit(130)
    if status:
        explain_failure(progress)
        sys.exit(status)
    conclude(progress, wall, peak_bytes)


def check_machine(recipe: Recipe) -> None:
    """Raise MissingToolError for what the build would miss only after minutes."""
    from amt.placement import placement
    from amt.sandbox.runner import isolation

    if not placement().sandbox_servers:
        isolation(recipe.sandbox.allow_unprotected)
    free = shutil.disk_usage(".").free / 1e9
    if free < 3:
        raise MissingToolError(f"{free:.1f} GB of disk are free here; the laptop recipe writes about 2 GB.")


# --- the build and what is seen of it --------------------------------------------------------------------


@dataclass
class Job:
    rule: str
    wildcards: str = ""
    log: str = ""
    started: float = 0.0

    @property
    def name(self) -> str:
        return f"{self.rule} {self.wildcards}".strip()


@dataclass
class Progress:
    """What snakemake's output says so far."""

    total: int = 0
    done: int = 0
    running: dict[str, Job] = field(default_factory=dict)
    failed: list[Job] = field(default_factory=list)
    nothing_to_do: bool = False
    interrupted: bool = False
    notes: list[str] = field(default_factory=list)
    _job: Job | None = None
    _failing: bool = False

    def read(self, line: str, now: float) -> str | None:
        """Take in one line of snakemake's output; return what to tell the user, if anything."""
        if found := re.match(r"(?:local)?(?:rule|checkpoint) (\w+):", line):
            self._job, self._failing = Job(found[1], started=now), False
        elif found := re.match(r"Error in (?:group|rule) (\w+)", line):
            self._job, self._failing = Job(found[1]), True
        elif found := re.match(r"\s+log: (\S+)", line):
            if self._job:
                self._job.log = found[1].rstrip(",")
                if self._failing:
                    self.failed.append(self._job)
                    return f"failed  {self._job.name}"
        elif found := re.match(r"\s+jobid: (\d+)", line):
            if self._failing:
                self.running.pop(found[1], None)
            elif self._job and self._job.rule != "all":
                self.running[found[1]] = self._job
        elif found := re.match(r"\s+wildcards: (.+)", line):
            if self._job:
                self._job.wildcards = ", ".join(part.partition("=")[2] for part in found[1].split(", "))
        elif found := re.match(r"Finished jobid: (\d+)", line):
            job = self.running.pop(found[1], None)
            if job:
                self.done += 1
                return f"done    {job.name:<34} {now - job.started:6.1f} s"
        elif found := re.match(r"total\s+(\d+)", line):
            self.total = int(found[1]) - 1  # rule all makes nothing
        elif line.startswith("Nothing to be done"):
            self.nothing_to_do = True
        elif line.startswith(
            (
                "warning:",
                "WARNING",
                "an earlier build was killed",
                "restored from the cache",
                "recorded in dvc.lock",
                "not recorded",
                "Mend it",
            )
        ):
            self.notes.append(line.strip())
        return None


def build(command: list[str]) -> tuple[int, Progress, int]:
    """Run snakemake to its end; returns its exit status, what was seen, and the peak memory in bytes."""
    LOG.parent.mkdir(exist_ok=True)
    # Processes that outlive the job that started them stay below us, where the memory count finds them.
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    progress = Progress()
    screen = Screen(progress)
    memory = PeakMemory()
    # A shell starts its background jobs with SIGINT ignored, and snakemake would inherit that: it could not be stopped.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with LOG.open("w") as log:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
        )

        def stop(*_) -> None:
            progress.interrupted = True
            interrupt(process.pid)

        signal.signal(signal.SIGTERM, stop)
        with screen, memory:
            while True:
                try:
                    for line in process.stdout:
                        log.write(line)
                        log.flush()
                        if told := progress.read(line, time.monotonic()):
                            screen.tell(told)
                    status = process.wait()
                    break
                except KeyboardInterrupt:
                    # The terminal sent it to snakemake too, which ends its jobs and removes what they left.
                    progress.interrupted = True
                    screen.tell("interrupted: waiting for the running jobs to end")
    return status, progress, memory.peak_bytes


def interrupt(snakemake: int) -> None:
    """Send SIGINT as a terminal does at Ctrl-C: to snakemake and to its jobs, for whose end it otherwise waits."""
    group = os.getpgid(snakemake)
    for process in [*psutil.Process(snakemake).children(recursive=True), psutil.Process(snakemake)]:
        with contextlib.suppress(ProcessLookupError, psutil.NoSuchProcess):
            if os.getpgid(process.pid) == group:
                process.send_signal(signal.SIGINT)


class Screen:
    """Prints progress; on a terminal it keeps a last line that follows the running jobs."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.started = time.monotonic()
        self.is_terminal = sys.stdout.isatty()
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._last_sign = time.monotonic()

    def __enter__(self) -> "Screen":
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._over.set()
        self._thread.join()
        if self.is_terminal:
            self._write("\r\x1b[K")

    def tell(self, text: str) -> None:
        with self._lock:
            self._last_sign = time.monotonic()
            clear = "\r\x1b[K" if self.is_terminal else ""
            self._write(f"{clear}{self._head()} {text}\n")

    def _head(self) -> str:
        seconds = int(time.monotonic() - self.started)
        return f"{seconds // 60:3d}:{seconds % 60:02d} [{self.progress.done:3d}/{self.progress.total}]"

    def _follow(self) -> None:
        while not self._over.wait(1.0):
            with self._lock:
                running = sorted(self.progress.running.values(), key=lambda job: job.started)
                if self.is_terminal:
                    self._write("\r\x1b[K" + f"{self._head()} {'; '.join(map(self._state, running))}"[: self._width()])
                elif running and time.monotonic() - self._last_sign > HEARTBEAT_SECONDS:
                    self._last_sign = time.monotonic()
                    for job in running:
                        self._write(f"{self._head()} running {self._state(job)}\n")

    def _state(self, job: Job) -> str:
        said = last_line(Path(job.log)) if job.log else ""
        return f"{job.name} {time.monotonic() - job.started:.0f} s" + (f": {said[:80]}" if said else "")

    def _width(self) -> int:
        return shutil.get_terminal_size().columns - 1

    def _write(self, text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()


class PeakMemory:
    """Largest sum, over all processes of the build, of their proportional set size, sampled once a second.

    Proportional: a page that n processes share counts 1/n in each, so the sum counts it once.
    """

    def __init__(self) -> None:
        self.peak_bytes = 0
        self._over = threading.Event()

    def __enter__(self) -> "PeakMemory":
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._over.set()
        self._thread.join()

    def _sample(self) -> None:
        myself = psutil.Process()
        while not self._over.wait(SAMPLE_SECONDS):
            processes = [myself, *myself.children(recursive=True)]
            self.peak_bytes = max(self.peak_bytes, sum(map(proportional_set_size, processes)))


def proportional_set_size(process: psutil.Process) -> int:
    try:
        content = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
    except OSError:
        return 0  # ended meanwhile
    found = re.search(r"^Pss:\s+(\d+) kB", content, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def last_line(path: Path) -> str:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 4096))
            lines = re.split(r"[\r\n]+", file.read().decode(errors="replace").rstrip())
    except OSError:
        return ""
    return lines[-1].strip()


# --- the end ---------------------------------------------------------------------------------------------


def explain_failure(progress: Progress) -> None:
    for job in progress.failed:
        print(f"\nrule {job.name} failed. {job.log} ends with:", file=sys.stderr)
        try:
            lines = Path(job.log).read_text(errors="replace").splitlines()
        except OSError as error:
            lines = [str(error)]
        # A message to the user stands at the end after "error:"; of a traceback the end tells most.
        for line in lines[-25:]:
            print(f"  {line}", file=sys.stderr)
    if not progress.failed:
        print(f"\nsnakemake failed. {LOG} ends with:", file=sys.stderr)
        for line in LOG.read_text(errors="replace").splitlines()[-25:]:
            print(f"  {line}", file=sys.stderr)
    print("\nWhat was finished is kept; after mending it, `make run` goes on from there.", file=sys.stderr)


def conclude(progress: Progress, wall: float, peak_bytes: int) -> None:
    for note in progress.notes:
        print(note)
    if progress.nothing_to_do:
        print("Nothing to be done: everything is up to date.")
    print("report: reports/index.html")
    print("runs:   .venv/bin/mlflow ui")
    metrics = json.loads(Path("reports/metrics.json").read_text())
    print(closing_line(metrics, wall, peak_bytes), flush=True)


def closing_line(metrics: dict, wall: float, peak_bytes: int) -> str:
    rates = " ".join(f"{model}={metrics['pass_at_1'][model]:.4f}" for model in ("base", "sft", "rl1", "rl2"))
    low, high = metrics["ci95"]
    return (
        f"run: wall_s={wall:.0f} peak_gb={peak_bytes / 1e9:.2f} "
        f"rows_in={metrics['rows_in']} rows_sft={metrics['rows_sft']} {rates} "
        f"gain={metrics['gain']:.4f} ci95=[{low:.4f},{high:.4f}]"
    )


if __name__ == "__main__":
    main()
