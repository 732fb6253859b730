"""Move what finished (`amt.build.records.Made`) into dvc.lock and the DVC cache, so that `dvc status` agrees.

Done when a build by Snakemake ends, well or badly, and, after a kill, before the next command of either tool: in one
process, once, under DVC's lock. Only what a finished job left is recorded: an output that is no longer what the job
left there is not, and is named. Files move into the cache and leave links behind.
"""

import logging
from typing import TYPE_CHECKING

from amt.build.judge import STORE
from amt.build.records import RECIPE, Made, all_made, cache_folder, cached_objects, is_damaged, remember_run
from amt.build.repository import declared, repository
from amt.contents import Contents

if TYPE_CHECKING:
    from dvc.stage import PipelineStage

log = logging.getLogger(__name__)


def commit() -> list[str]:
    """Record all that finished. Returns the names of the stages.

    Needs a current dvc.yaml (`amt.build.refresh`): a stage that it does not describe is named and left for later.
    """
    waiting = [made for made in all_made() if made.params_file == RECIPE]
    if not waiting:
        return []
    contents = Contents(STORE / "contents.json")
    recorded: list[tuple[Made, PipelineStage]] = []
    with repository() as repo:
        entries = declared(repo)
        for made in waiting:
            entry = entries.get(made.stage)
            if entry is None or not _describes(entry, made.entry):
                log.warning(
                    "dvc.yaml does not describe %s as it was run. Run `make dvc.yaml`, `amt commit`.", made.stage
                )
            elif spoilt := _spoilt(made.entry, contents):
                log.warning("not recorded: %s, since %s is not what it left there.", made.stage, spoilt)
                made.file.unlink()
            else:
                _remove_damaged(made.entry, contents)
                _record(entry, made.entry)
                recorded.append((made, entry))
        if recorded:
            recorded[0][1].dvcfile.dump_stages([entry for _, entry in recorded], update_pipeline=False)
    for made, _ in recorded:
        made.file.unlink()
    # What moved into the cache is the same file there.
    for made, _ in recorded:
        for out in made.entry["outs"]:
            contents.of(out["path"])
    contents.save()
    return [made.stage for made, _ in recorded]


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


def _remove_damaged(record: dict, contents: Contents) -> None:
    """DVC would keep an object that is there, whatever is in it."""
    for out in record["outs"]:
        for file in list(cached_objects(cache_folder(), out["md5"])):
            if is_damaged(file, contents):
                log.warning("%s was damaged in the DVC cache; it is written anew.", out["path"])
                file.unlink()


def _record(entry: "PipelineStage", record: dict) -> None:
    from dvc.stage.loader import StageLoader

    StageLoader.fill_from_lock(entry, record)
    entry.save_outs()
    entry.commit()
    entry.md5 = entry.compute_md5()
    if all(out.use_cache for out in entry.outs):  # as `dvc repro` does
        remember_run([str(out.def_path) for out in entry.outs], record)
