"""What the Snakefile asks of us, in Snakemake's main process: before it plans, before each job, and when a build ends.

Snakemake does not judge what must run: time stamps and its own records know nothing of modules, of a fresh clone, or of
what DVC did (docs/decisions/one-dag.md). `amt.build.judge` does, by the records that DVC has too.
"""

import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from snakemake.exceptions import WorkflowError
from snakemake.jobs import Reason

from amt.build.code import SourceTree
from amt.build.commit import commit
from amt.build.export import is_exported
from amt.build.judge import Judge, State, Verdict
from amt.build.pin import RECIPE_VARIABLE, Pin, Snapshot, building, pin
from amt.build.records import forget_made, write_made
from amt.build.refresh import SOURCES_STORE, write_code_file
from amt.build.restore import restore
from amt.build.stages import RECIPE, Stage, in_order, stages_of_jobs
from amt.build.why import reasons
from amt.errors import AmtError
from amt.tracking import flush

if TYPE_CHECKING:
    from snakemake.jobs import Job
    from snakemake.workflow import Workflow


def pinned_recipe(params_file: str, config: dict[str, Any]) -> str:
    """The file that the Snakefile reads its recipe from: in a job on another machine, the copy of the build's start."""
    if pinned := config.get("pinned"):
        os.environ |= Pin.at(Path(pinned)).environment
    return os.environ.get(RECIPE_VARIABLE, params_file)


def before_plan(workflow: "Workflow", params_file: str) -> None:
    """Called by the Snakefile: from here on we judge what must run, and record what ran."""
    prepare = workflow._prepare_dag

    def prepare_and_change(*args, **kwargs) -> None:
        prepare(*args, **kwargs)
        judging = workflow.executor_plugin is not None or not kwargs.get("forceall")  # else: the plan of all jobs
        if workflow.is_main_process and judging:
            build = Build(workflow, params_file)
            workflow._dag.update_needrun = build.update_needrun
            workflow._dag.check_incomplete = _nothing  # no output without a record counts, half-written or not
            if build.is_real:
                _take_lock(workflow, build)
            else:
                workflow.persistence.save_iocache = lambda: None  # of time stamps; a dry run changes no file

    workflow._prepare_dag = prepare_and_change


async def _nothing() -> None:
    pass


# --- judging in Snakemake's place -------------------------------------------------------------------------


class Build:
    """One call of Snakemake: what its jobs are as stages, and what becomes of them."""

    def __init__(self, workflow: "Workflow", params_file: str) -> None:
        self.workflow = workflow
        self.dag = workflow._dag
        self.params_file = params_file
        self.is_real = workflow.executor_plugin is not None and not (workflow.dryrun or workflow.touch)
        self.stages: dict[Job, Stage] = {}
        self.verdicts: dict[str, Verdict] = {}
        self.started: dict[str, Verdict] = {}
        """Verdicts of the jobs that run, when they started."""
        self._judge: Judge | None = None
        self._unwritten: list[tuple[Stage, dict]] = []
        """Records for which there was no room on the disk."""

    @property
    def judge(self) -> Judge:
        if self._judge is None:
            # First: what is judged from here on must be what is pinned then, or the build does not start.
            self._snapshot = Snapshot.take(self.params_file)
            self._judge = Judge(self.params_file, sources=SourceTree(Path("."), cache=SOURCES_STORE))
        return self._judge

    async def update_needrun(self, create_inventory: bool = False) -> None:
        """In place of DAG.update_needrun: fills `_needrun` and the reasons.

        Args:
            create_inventory: Snakemake's; we look at no time stamps.
        """
        dag = self.dag
        dag.update_jobids()  # commands are formatted with them
        for jobs in (dag._needrun, dag._checkpoint_jobs, dag._ready_jobs, dag._n_until_ready):
            jobs.clear()
        jobs = [job for level in dag.toposorted() for job in level if not dag.finished(job)]
        try:
            self.stages |= stages_of_jobs(jobs, self.params_file)
            self.verdicts = self._plan([self.stages[job] for job in jobs if job in self.stages])
        except AmtError as error:
            raise WorkflowError(str(error)) from None
        for job in jobs:
            self._decide(job)
        for job in dag._needrun:
            dag._n_until_ready[job] = sum(1 for other in dag._dependencies[job] if other in dag._needrun)
        dag._len = len(dag._finished | dag._needrun)

    def _plan(self, stages: list[Stage]) -> dict[str, Verdict]:
        stages = in_order(stages)
        verdicts = self.judge.plan(stages)
        restorable = [verdict for verdict in verdicts.values() if verdict.state is State.RESTORE]
        if restorable and not self.workflow.touch:
            names = ", ".join(verdict.stage.name for verdict in restorable)
            would = "" if self.is_real else "would be "
            print(f"{would}restored from the cache: {len(restorable)} stage(s): {names}", file=sys.stderr)
        if self.is_real:
            self.judge.contents.save()
            self.judge.sources.save()
        return verdicts

    def _decide(self, job: "Job") -> None:
        dag = self.dag
        reason = dag.reason(job)
        reason.clear()
        stage = self.stages.get(job)
        before = [other for other in dag._dependencies[job] if other in dag._needrun]
        if (job.rule in dag.forcerules and job not in dag.omitforce) or not dag.forcefiles.isdisjoint(job.output):
            reason.forced = True
        elif stage is None:
            reason.updated_input_run.update(path for other in before for path in dag._dependencies[job][other])
        elif self.verdicts[stage.name].state is State.RUN:
            self._explain(job, self.verdicts[stage.name])
        elif before:  # forced ones: its verdict was made without them
            reason.updated_input_run.update(path for other in before for path in dag._dependencies[job][other])
        if dag.reason(job):
            dag.reason(job).derived = False
            dag._needrun.add(job)

    def _explain(self, job: "Job", verdict: Verdict) -> None:
        reason = Explained.of(reasons(verdict, self.verdicts, self.judge))
        # What Snakemake counts and summarises by.
        reason.updated_input_run.update(verdict.waits_for)
        reason.missing_output.update(path for path, what in verdict.spoilt if what == "missing")
        if not reason:
            reason.code_changed = True
        self.dag._reason[job] = reason

    # --- while jobs run -----------------------------------------------------------------------------------

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Around a real build: one at a time, from a copy of code and recipe, each job judged again when it starts."""
        with building():
            try:
                with self._pinned(), self._fresh_export():
                    self._watch_jobs()
                    self._prepare()
                    yield
            finally:
                self._after()

    def _prepare(self) -> None:
        """Have DVC see the code that runs, and bring back what need not run."""
        for stage in self.stages.values():
            write_code_file(stage, self.judge.code(stage).text())
        restore([verdict for verdict in self.verdicts.values() if verdict.state is State.RESTORE])
        for verdict in self.verdicts.values():
            self._adopt(verdict)

    @contextlib.contextmanager
    def _pinned(self) -> Iterator[None]:
        pinned = pin(self._snapshot)
        before = {name: os.environ.get(name) for name in pinned.environment}
        os.environ |= pinned.environment
        # Jobs on other machines read the Snakefile again, with this.
        config = self.workflow.config_settings
        config.config_args = [*(config.config_args or []), f"pinned={pinned.folder}"]
        try:
            yield
        finally:
            for name, value in before.items():
                os.environ.pop(name) if value is None else os.environ.update({name: value})

    @contextlib.contextmanager
    def _fresh_export(self) -> Iterator[None]:
        """Beside the jobs, write dvc.yaml if rules or recipe have changed: what they make is recorded by it."""
        process = None
        is_recorded = self.dag._needrun or any(map(self._is_news, self.verdicts.values()))
        if self.params_file == RECIPE and is_recorded and not is_exported():
            process = subprocess.Popen([sys.executable, "-m", "amt.build", "export"], stdout=subprocess.DEVNULL)
        try:
            yield
        finally:
            if process:
                process.wait()

    def _start(self, scheduler: Any, jobs: list, executor: Any, run: Any) -> None:
        """Start jobs, but those whose inputs came out as they were: these are finished already."""
        to_run = []
        for job in jobs:
            members = list(job.jobs) if job.is_group() else [job]
            verdicts = self._look_again([self.stages[member] for member in members if member in self.stages])
            is_forced = len(verdicts) < len(members) or any(self.dag.reason(member).forced for member in members)
            if is_forced or any(verdict.state is State.RUN for verdict in verdicts):
                to_run.append(job)
                for verdict in verdicts:
                    forget_made(verdict.stage)
                    self.started[verdict.stage.name] = verdict
            else:
                self._finish_without_run(verdicts)
                scheduler._proceed(job)
        if to_run:
            run(scheduler, to_run, executor)

    def _look_again(self, stages: list[Stage]) -> list[Verdict]:
        """Verdicts with what lies there now. Settings and code are those of the build's start."""
        if not stages:
            return []
        self.judge.records = type(self.judge.records)()
        return list(self.judge.plan(in_order(stages)).values())

    def _finish_without_run(self, verdicts: list[Verdict]) -> None:
        restore([verdict for verdict in verdicts if verdict.state is State.RESTORE])
        for verdict in verdicts:
            self._adopt(verdict)
            self.started.pop(verdict.stage.name, None)  # of a try that failed
            print(f"unchanged: {verdict.stage.name} (what it is made of came out as it was)", file=sys.stderr)

    def _adopt(self, verdict: Verdict) -> None:
        """Have dvc.lock say by which record a stage is up to date, if it says otherwise."""
        if self._is_news(verdict):
            write_made(verdict.stage, verdict.record)

    def _is_news(self, verdict: Verdict) -> bool:
        return verdict.state is State.CURRENT and verdict.record != self.judge.records.last(verdict.stage)

    def _watch_jobs(self) -> None:
        """Come between Snakemake's choice of jobs and their start, and write down each that it takes for finished."""
        from snakemake.scheduling.job_scheduler import JobScheduler

        run = JobScheduler.run
        JobScheduler.run = lambda scheduler, jobs, executor=None: self._start(scheduler, jobs, executor, run)
        finish = self.dag.finish

        async def finish_and_note(job: "Job", **kwargs) -> None:
            await finish(job, **kwargs)
            for member in job.jobs if job.is_group() else [job]:
                if (stage := self.stages.get(member)) and (started := self.started.pop(stage.name, None)):
                    self._note_made(stage, started)

        self.dag.finish = finish_and_note

    def _note_made(self, stage: Stage, started: Verdict) -> None:
        # Of a job in a group, the inputs were not there when the group started.
        identity = started.identity or self.judge.verdict(stage).identity
        now = self.judge.verdict(stage).identity
        if identity is None or now != identity or self._live_code_changed(stage):
            print(f"warning: an input of {stage.name} changed while it ran; it will run again.", file=sys.stderr)
            return
        record = self.judge.record_of(stage, identity)
        try:
            write_made(stage, record)
        except OSError as error:
            print(f"warning: {stage.name} is made, but not written down yet: {error}", file=sys.stderr)
            self._unwritten.append((stage, record))
        self.judge.contents.save()

    def _live_code_changed(self, stage: Stage) -> bool:
        """Whether files of its code that it reads from the project, not from the pinned copy, are others now."""
        if not self.judge.code(stage).is_live:
            return False
        try:
            return SourceTree(Path("."), cache=SOURCES_STORE).code_of(stage.words) != self.judge.code(stage)
        except AmtError:
            return True

    # --- when the build ends ------------------------------------------------------------------------------

    def _after(self) -> None:
        """Record artifacts in DVC and wait for the last runs to reach MLflow.

        Neither can undo a build that succeeded, so a failure here is a warning with what to do about it.
        """
        try:
            for stage, record in self._unwritten:
                write_made(stage, record)
            done = commit()
            if done.in_lock:
                print(f"recorded in dvc.lock: {len(done.in_lock)} stage(s)", file=sys.stderr)
            if done.others:
                kept = f"kept in the cache: {len(done.others)} stage(s)"
                print(f"{kept}. dvc.lock is of {RECIPE}, and this built {done.others[0].params_file}", file=sys.stderr)
        except Exception as error:
            print(f"warning: the artifacts are not recorded: {type(error).__name__}: {error}", file=sys.stderr)
            print("Mend it, then record them with: amt commit", file=sys.stderr)
        for line in flush():
            print(f"warning: {line}", file=sys.stderr)


class Explained(Reason):
    """Snakemake's Reason, told in our words."""

    __slots__ = ("told",)

    @classmethod
    def of(cls, told: list[str]) -> "Explained":
        reason = cls()
        reason.told = told
        return reason

    def __str__(self) -> str:
        return "; ".join(self.told)


# --- Snakemake's own lock ---------------------------------------------------------------------------------

LOCKS = Path(".snakemake/locks")
LOCK_HOLDER = Path(".snakemake/amt-lock-holder.json")


def _take_lock(workflow: "Workflow", build: Build) -> None:
    """Hold the project while Snakemake holds its lock; take that over from a build that was killed.

    Snakemake's lock does not say who holds it, so a build that gets it writes that down beside it. The lock is taken
    over only if its holder ran on this machine and is gone.
    """
    persistence = workflow.persistence
    take = persistence.lock

    @contextlib.contextmanager
    def lock() -> Iterator[None]:
        if persistence.locked and _holder_is_dead():
            print("an earlier build was killed: going on from what it finished", file=sys.stderr)
            persistence.cleanup_locks()
            LOCKS.mkdir(exist_ok=True)  # goes with them, and is made only when Snakemake starts
        with take(), build.running():
            LOCK_HOLDER.write_text(json.dumps(_myself()))
            yield

    persistence.lock = lock


def _myself() -> dict:
    process = psutil.Process()
    return {"host": socket.gethostname(), "pid": process.pid, "started": process.create_time()}


def _holder_is_dead() -> bool:
    try:
        holder = json.loads(LOCK_HOLDER.read_text())
    except (OSError, ValueError):
        return False
    if holder["host"] != socket.gethostname():
        return False
    try:
        return psutil.Process(holder["pid"]).create_time() != holder["started"]
    except psutil.NoSuchProcess:
        return True
