"""What we ask of DVC: to see the code and the rules as they are, and to run from a copy of them.

DVC has no place for plugins, so these are laid into it when it is imported (amt.build.startup). They add nothing to
what it judges by: dvc.yaml, params.yaml and the code files are plain files. They see to it that these are current
before it looks, and that a run is recorded with what it was made of.
"""

import contextlib
import os
import time
from collections.abc import Iterator
from functools import wraps
from importlib import import_module
from pathlib import Path
from typing import Any

from amt.build.pin import RECIPE_VARIABLE, Snapshot, build_lock, pin
from amt.build.refresh import is_exported, source_tree, write_code_files
from amt.build.repository import is_ours as own_use_now
from amt.build.stages import BuildError, described
from amt.contents import SETTLED_NS
from amt.errors import AmtError

MARK = "# Generated from rules"
"""How dvc.yaml of such a project begins."""


def install() -> None:
    """Lay our hooks into DVC. Called once, when `dvc.repo` is imported."""
    from dvc.dependency.param import ParamsDependency
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    opened = Repo.__init__

    @wraps(opened)
    def open_refreshed(self: Repo, root_dir: str | None = None, *args: Any, **kwargs: Any) -> None:
        if not (kwargs.get("fs") or kwargs.get("rev") or kwargs.get("url") or any(args)):
            try:
                with contextlib.suppress(DvcException):  # not a project: the call itself will say so
                    refresh_project(Path(Repo.find_root(root_dir)))
            except AmtError as error:
                raise DvcException(str(error)) from error
        opened(self, root_dir, *args, **kwargs)

    Repo.__init__ = open_refreshed

    module = import_module("dvc.repo.reproduce")
    reproduce = module._reproduce

    @wraps(reproduce)
    def reproduce_pinned(stages: list, *args: Any, **kwargs: Any) -> list:
        root = Path(stages[0].repo.root_dir) if stages else None
        if kwargs.get("dry") or root is None or not is_ours(root):
            return reproduce(stages, *args, **kwargs)
        try:
            with inside(root), pinned():
                return reproduce(stages, *args, **kwargs)
        except AmtError as error:
            raise DvcException(str(error)) from error

    module._reproduce = reproduce_pinned

    read_params = ParamsDependency.read_params

    @wraps(read_params)
    def read_params_pinned(self: ParamsDependency, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Settings are those of the build's start, whatever happens to the file meanwhile."""
        own = self.fs_path
        if _pinned_root is None or own != str(_pinned_root / "params.yaml"):
            return read_params(self, *args, **kwargs)
        self.fs_path = os.environ[RECIPE_VARIABLE]
        try:
            return read_params(self, *args, **kwargs)
        finally:
            self.fs_path = own

    ParamsDependency.read_params = read_params_pinned
    _read_each_recipe_once()


def _read_each_recipe_once() -> None:
    """DVC parses params.yaml anew for every stage, 30 ms each: seconds where a recipe has fifty stages."""
    module = import_module("dvc.dependency.param")
    load = module.load_path
    read: dict[tuple, Any] = {}

    @wraps(load)
    def load_once(path: str, fs: Any, **kwargs: Any) -> Any:
        if getattr(fs, "protocol", None) != "local" or kwargs or not os.path.isfile(path):
            return load(path, fs, **kwargs)
        stat = os.stat(path)
        mark = (path, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
        if mark not in read or time.time_ns() - stat.st_ctime_ns < SETTLED_NS:
            read[mark] = load(path, fs)
        return read[mark]

    module.load_path = load_once


_pinned_root: Path | None = None


def is_ours(root: Path) -> bool:
    try:
        with (root / "dvc.yaml").open() as file:
            return file.readline().startswith(MARK)
    except OSError:
        return False


def refresh_project(root: Path) -> None:
    """Bring what DVC reads up to date, and record what a killed build by Snakemake finished.

    Raises:
        AmtError: the rules, the recipe or a module are faulty.
    """
    if own_use_now() or not is_ours(root):
        return
    from amt.build.commit import commit
    from amt.build.pin import is_building
    from amt.build.refresh import refresh

    with inside(root):
        refresh()
        if not is_building():
            commit()


@contextlib.contextmanager
def pinned() -> Iterator[None]:
    """Hold the project, and run from a copy of its code and recipe.

    Raises:
        BuildError: another build runs here, or something was edited since DVC read dvc.yaml.
    """
    global _pinned_root
    with build_lock():
        snapshot = Snapshot.take("params.yaml")
        if not is_exported():
            raise BuildError("params.yaml or a rule was edited while the build was planned: start it again.")
        write_code_files(described(), source_tree())
        environment = pin(snapshot).environment
        if (
            ".dvc" in Path.cwd().parts
        ):  # an experiment in a folder of its own (--temp, --queue), which goes when it ends
            project = Path(*Path.cwd().parts[: Path.cwd().parts.index(".dvc")])
            environment["AMT_TRACKING_ROOT"] = str(project)
        before = {name: os.environ.get(name) for name in environment}
        os.environ |= environment
        _pinned_root = Path.cwd()
        try:
            yield
        finally:
            _pinned_root = None
            for name, value in before.items():
                os.environ.pop(name) if value is None else os.environ.update({name: value})


@contextlib.contextmanager
def inside(root: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(root)
    try:
        yield
    finally:
        os.chdir(before)
