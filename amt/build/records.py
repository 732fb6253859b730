"""What was made of what: the records of dvc.lock, of DVC's run cache, and of builds that are not in dvc.lock yet.

Each has the form of an entry of dvc.lock: commands, dependencies and outputs with their digests, settings by value. A
stage that Snakemake finished is written down at once (`write_made`), so a kill loses nothing; `amt.build.commit` moves
it into dvc.lock.
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from amt.build.stages import RECIPE, Stage
from amt.contents import Contents
from amt.errors import DataError
from amt.publish import publish_file
from amt.yaml12 import load_yaml

MADE = Path(".amt/made")


@dataclass(frozen=True)
class Made:
    """A finished stage that dvc.lock does not have: it is not recorded yet, or of another recipe than RECIPE."""

    file: Path
    stage: str
    params_file: str
    entry: dict
    is_recorded: bool
    """Whether the cache has its outputs."""

    def recorded(self) -> None:
        """The cache has its outputs, and dvc.lock has this record if it describes the recipe."""
        if self.params_file == RECIPE:
            self.file.unlink()
        else:
            _write(self.file, self.stage, self.params_file, self.entry, is_recorded=True)


def write_made(stage: Stage, entry: dict) -> None:
    _write(_made_file(stage), stage.name, stage.params_file, entry, is_recorded=False)


def _write(file: Path, stage: str, params_file: str, entry: dict, *, is_recorded: bool) -> None:
    content = {"stage": stage, "params_file": params_file, "entry": entry, "is_recorded": is_recorded}
    with publish_file(file) as temporary:
        temporary.write_text(json.dumps(content))


def forget_made(stage: Stage) -> None:
    """A stage that runs again: what is known of its last run no longer describes what lies there."""
    _made_file(stage).unlink(missing_ok=True)


def _made_file(stage: Stage) -> Path:
    recipe = "" if stage.params_file == RECIPE else "@" + hashlib.md5(stage.params_file.encode()).hexdigest()[:8]
    return MADE / f"{stage.name}{recipe}.json"


def all_made() -> Iterator[Made]:
    for file in sorted(MADE.glob("*.json")):
        try:
            content = json.loads(file.read_text())
            made = Made(file, **content)
        except (ValueError, KeyError, TypeError):
            raise DataError(f"{file} is spoilt. Delete it: its stage will be judged without it.") from None
        yield made


class Records:
    """All records of a project, as they are when they are first asked for."""

    @cached_property
    def lock(self) -> dict[str, dict]:
        return load_yaml("dvc.lock").get("stages", {})

    @cached_property
    def made(self) -> dict[tuple[str, str], dict]:
        return {(made.stage, made.params_file): made.entry for made in all_made()}

    @cached_property
    def cache(self) -> Path:
        return cache_folder()

    def last(self, stage: Stage) -> dict | None:
        """What the stage was made of when it was last made here."""
        made = self.made.get((stage.name, stage.params_file))
        return made or (self.lock.get(stage.name) if stage.params_file == RECIPE else None)

    def fitting(self, stage: Stage, identity: dict) -> dict | None:
        """The record of a run that had this identity, under whatever name."""
        own = self.made.get((stage.name, stage.params_file)), self.lock.get(stage.name)
        for record in (*own, self._by_outs.get(tuple(sorted(stage.outs)))):
            if record and _same(record, identity) and _outs(record) == sorted(stage.outs):
                return record
        return self._remembered(stage, identity)

    @cached_property
    def _by_outs(self) -> dict[tuple[str, ...], dict]:
        return {tuple(_outs(record)): record for record in self.lock.values()}

    def holds(self, record: dict, contents: Contents) -> bool:
        """Whether the DVC cache has every output of a record, undamaged: DVC believes what is write-protected."""
        objects = [file for out in record["outs"] for file in cached_objects(self.cache, out["md5"])]
        return all(not is_damaged(file, contents) and file.exists() for file in objects)

    def is_kept(self, record: dict) -> bool:
        """Whether the cache has an object for every output of a record, whatever is in it."""
        return all(file.exists() for out in record["outs"] for file in cached_objects(self.cache, out["md5"]))

    def _remembered(self, stage: Stage, identity: dict) -> dict | None:
        """The newest run with this identity in DVC's run cache, as DVC itself takes it."""
        folder = self.cache / "runs" / (key := run_key(stage.outs, identity))[:2] / key
        try:
            newest = max(folder.iterdir(), key=lambda file: file.stat().st_mtime)
        except (FileNotFoundError, ValueError):
            return None
        with contextlib.suppress(DataError):  # a spoilt one tells of no run
            record = load_yaml(newest)
            if isinstance(record, dict) and {"cmd", "outs"} <= record.keys():
                return record
        return None


def _same(record: dict, identity: dict) -> bool:
    """Whether a record is of this identity. Numbers are equal if they are to Python, as they are to DVC: 1 and 1.0."""
    return (
        record["cmd"] == identity["cmd"]
        and _digests(record) == _digests(identity)
        and record.get("params", {}) == identity.get("params", {})
    )


def _digests(record: dict) -> dict[str, str]:
    return {dep["path"]: dep["md5"] for dep in record.get("deps", [])}


def _outs(record: dict) -> list[str]:
    return sorted(out["path"] for out in record["outs"])


def remember_run(stage_outs: list[str], record: dict) -> None:
    """Enter a run into DVC's run cache, as DVC does (StageCache.save), thirty times faster: JSON is YAML too."""
    key = run_key(stage_outs, record)
    plain = {name: _without_sizes(record[name]) for name in ("cmd", "deps", "params", "outs") if record.get(name)}
    value = hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()
    file = cache_folder() / "runs" / key[:2] / key / value
    if file.exists():
        os.utime(file)  # the newest is the one that counts
        return
    with publish_file(file) as temporary:
        temporary.write_text(json.dumps(record))


def remember_renamed(stages: Iterable[str]) -> None:
    """Have DVC find what dvc.lock tells of stages that have another name now, or none.

    Args:
        stages: names that dvc.yaml has.
    """
    for record in (record for name, record in Records().lock.items() if name not in set(stages)):
        remember_run(_outs(record), record)


def _without_sizes(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    return [
        {name: inner for name, inner in one.items() if name not in ("size", "nfiles")} if isinstance(one, dict) else one
        for one in value
    ]


def run_key(outs: Iterable[str], identity: dict) -> str:
    """DVC's name for a run in its run cache (StageCache)."""
    content = {
        "cmd": identity["cmd"],
        "deps": [{name: dep[name] for name in ("path", "hash", "md5")} for dep in identity["deps"]],
        "outs": sorted(outs),
    }
    if identity.get("params"):
        content["params"] = identity["params"]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def cached_objects(cache: Path, md5: str) -> Iterator[Path]:
    """Places in the cache of an artifact: of a directory, those of its list and of its files."""
    file = cache / "files" / "md5" / md5[:2] / md5[2:]
    yield file
    if md5.endswith(".dir") and file.exists():
        for entry in json.loads(file.read_text()):
            yield from cached_objects(cache, entry["md5"])


def is_damaged(file: Path, contents: Contents) -> bool:
    """Whether an object of the cache is not what its name says: somebody wrote through a link, or a disk failed."""
    content = contents.of(file)
    return content is not None and content.md5 != (file.parent.name + file.name).removesuffix(".dir")


def cache_folder() -> Path:
    """Where this project's DVC cache lies: `cache.dir` of DVC's settings at any level, else .dvc/cache."""
    return _cache_folder(os.getcwd())


def is_shared() -> bool:
    """Whether the cache lies outside the project, where others may use it too."""
    return not cache_folder().resolve().is_relative_to(Path.cwd().resolve())


@lru_cache
def _cache_folder(root: str) -> Path:
    from dvc.config import Config

    folder = os.path.join(root, ".dvc")
    return Path(Config(dvc_dir=folder)["cache"].get("dir") or os.path.join(folder, "cache"))
