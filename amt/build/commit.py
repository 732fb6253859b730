"""Move what finished (`amt.build.records.Made`) into the DVC cache, its run cache, and dvc.lock.

Done when a build by Snakemake ends, well or badly, and, after a kill, before the next command of either tool: in one
process, once, under DVC's lock. Only what a finished job left is recorded: an output that is no longer what the job
left there is not, and is named. Files move into the cache and leave links behind.

dvc.lock has the records of the recipe that dvc.yaml describes; those of other recipes are kept beside it
(`Made.is_recorded`), and their artifacts come back from the cache in the same way.
"""

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from amt.build.answers import keep_answers
from amt.build.judge import STORE
from amt.build.records import Made, Records, all_made, remember_run, write_made
from amt.build.repository import PATIENCE_SECONDS, declared, of_record, repository
from amt.build.stages import RECIPE, described
from amt.contents import Contents
from amt.errors import AmtError

if TYPE_CHECKING:
    from dvc.repo import Repo
    from dvc.stage import PipelineStage

log = logging.getLogger(__name__)


@dataclass
class Committed:
    recorded: list[Made] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    """Why a stage is not recorded, a line each."""

    outdated: list[str] = field(default_factory=list)
    """Stages that dvc.yaml has otherwise, for their rule was changed, or not at all: what they made is in the cache."""

    @property
    def in_lock(self) -> list[str]:
        """Names of the stages that dvc.lock has now."""
        return [made.stage for made in self.recorded if made.params_file == RECIPE and made.stage not in self.outdated]

    @property
    def others(self) -> list[Made]:
        """Of other recipes."""
        return [made for made in self.recorded if made.params_file != RECIPE]


def commit(patience: float = PATIENCE_SECONDS) -> Committed:
    """Record all that finished, and keep the answers of endpoints that it paid for.

    Needs a current dvc.yaml (`amt.build.refresh`).

    Args:
        patience: seconds to wait for another command of DVC.

    Raises:
        BuildError: another command of DVC holds the project.
    """
    done = _record(patience)
    try:
        keep_answers(patience)
    except (AmtError, OSError) as error:  # they lie in their database, and the next command tries again
        log.warning("the answers of endpoints are not kept by DVC yet: %s", error)
    return done


def _record(patience: float) -> Committed:
    done = Committed()
    waiting = [made for made in all_made() if not made.is_recorded]
    if not waiting:
        return done
    contents = Contents(STORE / "contents.json")
    with repository(patience) as repo:
        entries = declared(repo)
        locked = []
        for made in waiting:
            entry = entries.get(made.stage)
            if spoilt := _spoilt(made.entry, contents):
                done.refused.append(f"{made.stage}: {spoilt} is not what it left there; it will run again")
                made.file.unlink()
                continue
            _keep(repo, made.entry)
            done.recorded.append(made)
            if made.params_file != RECIPE:
                continue
            if entry and _describes(entry, made.entry):
                _fill(entry, made.entry)
                locked.append(entry)
            else:
                done.outdated.append(made.stage)
        if locked:
            locked[0].dvcfile.dump_stages(locked, update_pipeline=False)
    for made in done.recorded:
        made.recorded()
    # What moved into the cache is the same file there.
    for made in done.recorded:
        for out in made.entry["outs"]:
            contents.of(out["path"])
    contents.save()
    for line in done.refused:
        log.warning("not recorded: %s", line)
    for name in done.outdated:
        log.warning("%s did not run as dvc.yaml describes it now: what it made is kept in the cache", name)
    return done


def refill() -> None:
    """Have artifacts recorded anew that lie here as dvc.lock says, and are not in the cache: it was deleted, or
    `cache.dir` names another. DVC would make them again."""
    records, contents = Records(), Contents(STORE / "contents.json")
    stages = {stage.name: stage for stage in described()}
    for name, record in records.lock.items():
        if name in stages and not records.is_kept(record) and not _spoilt(record, contents):
            write_made(stages[name], record)


def _describes(entry: "PipelineStage", record: dict) -> bool:
    outs = {str(out.def_path) for out in entry.outs}
    deps = {str(dep.def_path) for dep in entry.deps if not hasattr(dep, "params")}
    return (
        entry.cmd == record["cmd"]
        and outs == {out["path"] for out in record["outs"]}
        and deps == {dep["path"] for dep in record["deps"]}
    )


def _spoilt(record: dict, contents: Contents) -> str | None:
    for out in record["outs"]:
        content = contents.of(out["path"])
        if content is None or content.md5 != out["md5"]:
            return out["path"]
    return None


def _keep(repo: "Repo", record: dict) -> None:
    """Move its outputs into the cache, and remember the run, as `dvc repro` does."""
    stage = of_record(repo, record)
    stage.save_outs()
    stage.commit()
    remember_run([out["path"] for out in record["outs"]], record)


def _fill(entry: "PipelineStage", record: dict) -> None:
    from dvc.stage.loader import StageLoader

    StageLoader.fill_from_lock(entry, record)
    entry.md5 = entry.compute_md5()
