"""Bring artifacts back from the DVC cache, without a run."""

from amt.build.judge import Verdict
from amt.build.records import write_made
from amt.build.repository import declared, repository


def restore(verdicts: list[Verdict]) -> None:
    """Put the recorded outputs of each stage in their places, as links into the cache."""
    if not verdicts:
        return
    from dvc.stage.loader import StageLoader

    with repository() as repo:
        entries = declared(repo)
        for verdict in verdicts:
            entry = entries[verdict.stage.name]
            StageLoader.fill_from_lock(entry, verdict.record)
            entry.checkout(force=True)
            write_made(verdict.stage, verdict.record)
