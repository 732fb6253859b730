"""What we ask of DVC: to see the code and the rules as they are, and to run from a copy of them.

DVC has no place for plugins, so these are laid into it when it is imported (amt.build.startup). They add nothing to
what it judges by: dvc.yaml, params.yaml and the code files are plain files. They see to it that these are current
before it looks, and that a run is recorded with what it was made of.
"""

import atexit
import contextlib
import logging
import os
import re
import shutil
import time
from collections.abc import Iterator
from functools import lru_cache, wraps
from importlib import import_module
from pathlib import Path
from typing import Any

from amt.build.command import PREFIX
from amt.build.export import is_exported
from amt.build.judge import STORE
from amt.build.pin import RECIPE_VARIABLE, Snapshot, build_lock, building, pin
from amt.build.records import is_damaged
from amt.build.refresh import refresh, source_tree, write_code_files
from amt.build.repository import inside
from amt.build.repository import is_ours as own_use_now
from amt.build.stages import RECIPE, BuildError, Stage, described
from amt.contents import SETTLED_NS, Contents
from amt.errors import AmtError

MARK = "amt.build.hooks"
"""What the Snakefile of such a project imports."""
log = logging.getLogger(__name__)


PAGE = ".html"
"""Pages are copies, not links: a browser would follow the link to the cache's nameless file and show it as text."""
_installed = False
_root: Path | None = None
"""The project that DVC opened last, if it is one of ours."""
_fault: str | None = None
"""What could not be brought up to date when DVC opened the project."""


def install() -> None:
    """Lay our hooks into DVC: called when `dvc.repo` is imported, and before we use it ourselves."""
    global _installed
    if not _installed:
        _installed = True
        _refresh_when_opened()
        _run_pinned()
        _run_as_snakemake_does()
        _refuse_changed_inputs()
        _read_pinned_settings()
        _read_each_recipe_once()
        _keep_indices_open()
        _look_at_protected_objects()
        _copy_pages()


def _refresh_when_opened() -> None:
    from dvc.repo import Repo

    opened = Repo.__init__

    @wraps(opened)
    def open_refreshed(self: Repo, root_dir: str | None = None, *args: Any, **kwargs: Any) -> None:
        if not (kwargs.get("fs") or kwargs.get("rev") or kwargs.get("url") or any(args)):
            _refresh_above(root_dir)
        opened(self, root_dir, *args, **kwargs)

    Repo.__init__ = open_refreshed


def _refresh_above(folder: str | None) -> None:
    """A fault keeps nobody from `dvc pull`: it is told, its stages count as changed, and nothing runs (`pinned`)."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    global _fault, _root
    try:
        root = Path(Repo.find_root(folder))
    except DvcException:  # not a project: the call itself will say so
        return
    _root = root if is_ours(root) else None
    if _root is None or own_use_now():
        return
    try:
        _fault = refresh_project(root)
    except (AmtError, OSError) as error:
        _fault = str(error)
    if _fault:
        log.warning("warning: %s", _fault)


def _run_pinned() -> None:
    from dvc.exceptions import DvcException

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
            raise DvcException(str(error)) from None

    module._reproduce = reproduce_pinned


def _run_as_snakemake_does() -> None:
    """DVC would hand each line of a command to the user's shell: `a; b` and `a | b` could fail under one tool only."""
    module = import_module("dvc.stage.run")
    lines, executable, arguments = module._enforce_cmd_list, module.get_executable, module._make_cmd

    @wraps(lines)
    def whole(command: Any) -> list[str]:
        return [command] if _root else lines(command)

    @wraps(executable)
    def bash() -> str | None:
        return (shutil.which("bash") if _root else None) or executable()

    @wraps(arguments)
    def strict(executable: str | None, command: str) -> Any:
        return arguments(executable, PREFIX + command if _root and executable.endswith("bash") else command)

    module._enforce_cmd_list, module.get_executable, module._make_cmd = whole, bash, strict


def _refuse_changed_inputs() -> None:
    """DVC takes the digests of inputs when a stage has ended. One that changed meanwhile is not what it was made of."""
    from dvc.exceptions import DvcException
    from dvc.stage import Stage

    run_stage = Stage._run_stage

    @wraps(run_stage)
    def run_and_compare(self: Stage, dry: bool, force: bool, **kwargs: Any) -> None:
        if dry or _pinned_root is None:
            return run_stage(self, dry, force, **kwargs)
        for out in self.outs:  # as Snakemake does
            os.makedirs(os.path.dirname(out.fs_path), exist_ok=True)
        before = _made_of(self)
        run_stage(self, dry, force, **kwargs)
        if changed := [path for path, digest in _made_of(self).items() if before[path] != digest]:
            raise DvcException(
                f"{changed[0]} changed while {self.name} ran: its outputs are not recorded. Run it again."
            )

    Stage._run_stage = run_and_compare


def _made_of(entry: Any) -> dict[str, str | None]:
    """Digests of what a stage reads: its inputs, and its code as far as that is not pinned."""
    digests = {
        dep.def_path: dep.get_hash().value if dep.exists else None for dep in entry.deps if not hasattr(dep, "params")
    }
    if stage := _live.get(entry.name):
        digests[stage.code_file] = source_tree().code_of(stage.words).text()
    return digests


def _read_pinned_settings() -> None:
    """Settings are those of the build's start, whatever happens to the file meanwhile."""
    from dvc.dependency.param import ParamsDependency

    read_params = ParamsDependency.read_params

    @wraps(read_params)
    def read_params_pinned(self: ParamsDependency, *args: Any, **kwargs: Any) -> dict[str, Any]:
        own = self.fs_path
        if _pinned_root is None or own != str(_pinned_root / RECIPE):
            return read_params(self, *args, **kwargs)
        self.fs_path = os.environ[RECIPE_VARIABLE]
        try:
            return read_params(self, *args, **kwargs)
        finally:
            self.fs_path = own

    ParamsDependency.read_params = read_params_pinned


def _look_at_protected_objects() -> None:
    """DVC believes an object of its cache that is write-protected. Somebody may have written through a link to it."""
    from dvc_data.hashfile.db.local import LocalHashFileDB
    from dvc_objects.errors import ObjectFormatError

    check = LocalHashFileDB.check

    @wraps(check)
    def check_content(self: LocalHashFileDB, oid: str, check_hash: bool = True, *args: Any, **kwargs: Any) -> Any:
        file = Path(self.oid_to_path(oid))
        if _root and check_hash and self.is_protected(file) and is_damaged(file, _contents_of(_root)):
            log.warning("%s was damaged in the DVC cache, and is not used.", oid)
            file.unlink()
            raise ObjectFormatError(f"{file} is damaged")
        return check(self, oid, check_hash, *args, **kwargs)

    LocalHashFileDB.check = check_content


@lru_cache
def _contents_of(root: Path) -> Contents:
    contents = Contents(root / STORE / "contents.json")
    atexit.register(contents.save)
    return contents


def _copy_pages() -> None:
    from dvc.output import Output
    from dvc.repo import Repo

    checkout, checkout_all = Output._checkout, Repo.checkout

    def copy(out: Output) -> None:
        if out.fs_path.endswith(PAGE) and os.path.islink(out.fs_path):
            out.cache.unprotect(out.fs_path)

    @wraps(checkout)
    def checkout_copied(self: Output, *args: Any, **kwargs: Any) -> Any:
        modified = checkout(self, *args, **kwargs)
        copy(self)
        return modified

    @wraps(checkout_all)
    def checkout_all_copied(self: Repo, *args: Any, **kwargs: Any) -> Any:  # `dvc pull` too
        done = checkout_all(self, *args, **kwargs)
        for out in self.index.outs:
            copy(out)
        return done

    Output._checkout, Repo.checkout = checkout_copied, checkout_all_copied


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


def _keep_indices_open() -> None:
    """For every output that it saves, DVC parses Git's index anew, to see that Git has none of it, and opens its list
    of links anew: 6 ms each."""
    from dvc_data.hashfile.state import State
    from scmrepo.git.backend.dulwich import DulwichBackend

    read: dict[tuple, frozenset[str]] = {}

    def is_tracked(self: DulwichBackend, path: str) -> bool:
        try:
            stat = os.stat(self.repo.index_path())
        except FileNotFoundError:
            return False
        mark = (self.repo.index_path(), stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
        if mark not in read or time.time_ns() - stat.st_ctime_ns < SETTLED_NS:
            files = [os.fsdecode(file) for file in self.repo.open_index()]
            read[mark] = frozenset(files).union(*map(_folders_of, files))
        return os.path.relpath(path, self.root_dir) in read[mark]

    def set_link(self: State, path: str, inode: int, mtime: str) -> None:
        self.links[os.path.relpath(path, self.root_dir)] = (inode, mtime)

    DulwichBackend.is_tracked, State.set_link = is_tracked, set_link


def _folders_of(path: str) -> list[str]:
    return [path[: match.start()] for match in re.finditer("/", path)]


_pinned_root: Path | None = None
_live: dict[str, Stage] = {}
"""Stages of which some code is read from the project while they run, not from the pinned copy."""


def is_ours(root: Path) -> bool:
    try:
        return MARK in (root / "Snakefile").read_text()
    except OSError:
        return False


def refresh_project(root: Path) -> str | None:
    """Bring what DVC reads up to date, and record what a killed build by Snakemake finished.

    Returns what could not be brought up to date.
    """
    from amt.build.commit import commit, refill

    with inside(root):
        fault = refresh()
        with contextlib.suppress(BuildError), build_lock():  # held by a build or a command of DVC: the next one will
            refill()
            commit(patience=0)
    return fault


@contextlib.contextmanager
def pinned() -> Iterator[None]:
    """Hold the project, and run from a copy of its code and recipe.

    Raises:
        BuildError: another build runs here, something is faulty, or was edited since DVC read dvc.yaml.
    """
    global _live, _pinned_root
    if _fault:
        raise BuildError(f"nothing can be built: {_fault}")
    with building():
        snapshot = Snapshot.take(RECIPE)
        if not is_exported():
            raise BuildError(f"{RECIPE} or a rule was edited while the build was planned: start it again.")
        stages, sources = described(), source_tree()
        if faults := write_code_files(stages, sources):
            raise BuildError(faults[0])
        _live = {stage.name: stage for stage in stages if sources.code_of(stage.words).is_live}
        environment = pin(snapshot).environment
        if ".dvc" in (parts := Path.cwd().parts):  # an experiment in a folder of its own, which goes when it ends
            environment["AMT_TRACKING_ROOT"] = str(Path(*parts[: parts.index(".dvc")]))
        before = {name: os.environ.get(name) for name in environment}
        os.environ |= environment
        _pinned_root = Path.cwd()
        try:
            yield
        finally:
            _pinned_root = None
            for name, value in before.items():
                os.environ.pop(name) if value is None else os.environ.update({name: value})
