"""What the DVC cache holds that nothing needs any more, and its removal."""

import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from amt.build.pin import build_lock, experiments
from amt.build.records import all_made, cache_folder, is_shared
from amt.build.repository import inside, repository
from amt.build.stages import BuildError
from amt.errors import DataError
from amt.yaml12 import load_yaml


@dataclass(frozen=True)
class Garbage:
    objects: dict[Path, int]
    """Files in the cache that neither what lies here, nor a branch, a tag or an experiment names: bytes of each."""
    runs: list[Path]
    """Entries of the run cache whose outputs would be gone with them."""

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(self.objects.values())


@contextlib.contextmanager
def held(projects: Sequence[Path] = ()) -> Iterator[None]:
    """Hold this project and those: while one builds or records, what it has just made is needed and nobody says so.

    Raises:
        BuildError: a build runs in one.
    """
    with contextlib.ExitStack() as stack:
        for root in sorted({Path.cwd(), *projects}):
            if not (root / ".dvc").is_dir():
                raise BuildError(f"--projects: {root} is no project of DVC.")
            with inside(root):
                stack.enter_context(build_lock())
        yield


def find(projects: Sequence[Path] = ()) -> Garbage:
    """Look through workspace, branches, tags and experiments. Changes nothing. Call it where they are `held`.

    Args:
        projects: that use this cache. This one always does.

    Raises:
        BuildError: an experiment runs somewhere else; others may use this cache, and are not named; or a project that
            is named uses another.
    """
    cache = cache_folder()
    if is_shared() and not projects:
        raise BuildError(
            f"the cache {cache} lies outside this project: other projects may use it. Name all that do: "
            "`--projects DIR ...`; if there is none, `--projects .`."
        )
    needed: set[str] = set()
    for root in sorted({Path.cwd(), *projects}):
        with inside(root):
            if cache_folder().resolve() != cache.resolve():
                raise BuildError(f"--projects: {root} has another cache: {cache_folder()}.")
            if running := experiments():
                raise BuildError(f"an experiment runs in {root / running[0]}: wait for it, or stop it.")
            needed |= _needed()
    for md5 in [md5 for md5 in needed if md5 and md5.endswith(".dir")]:
        listing = cache / "files" / "md5" / md5[:2] / md5[2:]
        if listing.exists():
            needed |= {entry["md5"] for entry in json.loads(listing.read_text())}
    objects = {
        file: file.stat().st_size
        for file in (cache / "files" / "md5").glob("??/*")
        if file.parent.name + file.name not in needed
    }
    gone = {file.parent.name + file.name for file in objects}
    return Garbage(objects, [run for run in (cache / "runs").glob("??/*/*") if _outs(run) & gone])


def _needed() -> set[str]:
    """Digests of what the project in the working folder needs."""
    with repository() as repo:
        used = repo.used_objs(all_branches=True, all_tags=True, all_experiments=True, with_deps=False)
        needed = {item.value for ids in used.values() for item in ids}
    return needed | {out["md5"] for made in all_made() for out in made.entry["outs"]}  # of other recipes


def _outs(run: Path) -> set[str]:
    try:
        return {out["md5"] for out in load_yaml(run).get("outs", [])}
    except (AttributeError, DataError, KeyError, TypeError):  # spoilt: it tells of no run
        return set()


def remove(garbage: Garbage) -> None:
    """Remove it: entries of the run cache first, so that none ever names what is gone. Call it where all is `held`."""
    for file in (*garbage.runs, *garbage.objects):
        file.chmod(0o644)
        file.unlink()
