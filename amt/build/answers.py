"""Have DVC keep the answers of endpoints, so that `dvc push` and `dvc pull` carry them to other clones.

They lie in segments beside their database (`amt.endpoints.segments`), in a folder that one `.dvc` file names: commit it
with your code, as dvc.lock. A segment never changes, so DVC stores and sends the new ones only. What the file named
before stays named, here or not: a clone that has not pulled them loses nothing.
"""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from amt.build.repository import PATIENCE_SECONDS, repository
from amt.build.stages import BuildError
from amt.endpoints.answers import DATABASE
from amt.endpoints.segments import FOLDER, mark_kept, write_out
from amt.placement import endpoint_cache

if TYPE_CHECKING:
    from dvc.repo import Repo

log = logging.getLogger(__name__)


def keep_answers(patience: float = PATIENCE_SECONDS) -> int:
    """Call it under the build's lock. Returns how many new segments DVC has now.

    Raises:
        BuildError: another command of DVC holds the project, or DVC cannot add them.
    """
    cache = endpoint_cache().resolve()
    if not cache.is_relative_to(here := Path.cwd()):  # of an experiment, or for several projects
        return 0
    segments = write_out(cache / DATABASE)
    if not segments:
        return 0
    folder = (cache / FOLDER).relative_to(here)
    with repository(patience) as repo:
        _add(repo, folder, segments)
    mark_kept(cache / DATABASE, segments)
    log.warning("kept by DVC: new answers of endpoints; commit %s.dvc with your code", folder)
    return len(segments)


def _add(repo: "Repo", folder: Path, segments: list[Path]) -> None:
    """As `dvc add SEGMENT ...` does, under our own lock."""
    from dvc.exceptions import DvcException
    from dvc.repo.add import get_or_create_stage

    try:
        entry = get_or_create_stage(repo, str(folder)).stage
        for segment in segments:
            entry.add_outs(str(segment))
        entry.dump()
    except DvcException as error:
        cause = f": {error.__cause__}" if error.__cause__ else ""
        raise BuildError(f"DVC cannot add {folder}: {error}{cause}") from error
