"""Bring artifacts back from the DVC cache, without a run."""

from amt.build.judge import Verdict
from amt.build.records import write_made
from amt.build.repository import of_record, repository


def restore(verdicts: list[Verdict]) -> None:
    """Put the recorded outputs of each stage in their places, as links into the cache.

    Raises:
        BuildError: another command of DVC holds the project.
    """
    if not verdicts:
        return
    with repository() as repo:
        for verdict in verdicts:
            of_record(repo, verdict.record).checkout(force=True)
            write_made(verdict.stage, verdict.record)
