"""What the DVC cache holds that nothing needs any more, and its removal."""

import json
from dataclasses import dataclass
from pathlib import Path

from amt.build.records import all_made, cache_folder
from amt.build.repository import repository


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


def find() -> Garbage:
    """Look through workspace, branches, tags and experiments. Changes nothing."""
    with repository() as repo:
        used = repo.used_objs(all_branches=True, all_tags=True, all_experiments=True, with_deps=False)
        needed = {item.value for ids in used.values() for item in ids}
    needed |= {out["md5"] for made in all_made() for out in made.entry["outs"]}  # of other recipes
    cache = cache_folder()
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


def _outs(run: Path) -> set[str]:
    from amt.yaml12 import load_yaml

    return {out["md5"] for out in load_yaml(run).get("outs", [])}


def remove(garbage: Garbage) -> None:
    """Remove it: entries of the run cache first, so that none ever names what is gone. Needs the build's lock."""
    for file in (*garbage.runs, *garbage.objects):
        file.chmod(0o644)
        file.unlink()
