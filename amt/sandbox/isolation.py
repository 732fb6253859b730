"""Which isolation there is on this machine, found by trying: a worker is started in it, and must be alone.

The best is namespaces of its own (bubblewrap): no network, no host files but a read-only runtime, an empty
environment, a scratch folder of limited size. Where namespaces are denied, Landlock refuses files, TCP and signals and
seccomp the rest; then process numbers and the existence of host files are seen, and only each file's size is bounded,
not the scratch folder's. Nothing runs unprotected unless a parameter says so.
"""

import functools
import itertools
import logging
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from amt.errors import InfrastructureError, MissingToolError
from amt.sandbox import landlock, seccomp
from amt.sandbox.execution import Input, Limits
from amt.sandbox.seccomp import Kind
from amt.sandbox.worker import Worker

log = logging.getLogger(__name__)

Binds = tuple[tuple[str, str], ...]
"""(file or folder of the host, where it is seen), read-only."""
UNPRIVILEGED = 65_534  # nobody, on every Linux
_OWN_USERS = range(61_184, 65_520)  # where systemd too takes users for a while from
_worker_numbers = itertools.count(os.getpid() * 64)  # other processes have workers too
_LINKER = ("/lib", "/lib64", "/etc/ld.so.cache")
"""What programs with shared libraries, such as a compiler, are started by."""
SCRATCH_BYTES: dict[Kind, int] = {"python": 32 << 20, "binary": 32 << 20, "compiler": 256 << 20}


@dataclass(frozen=True)
class Isolation:
    tier: str
    """bubblewrap+seccomp, bubblewrap, landlock+seccomp, or unprotected…"""
    filters: dict[Kind, bytes] = field(repr=False)
    """Seccomp programs; empty ones where libseccomp is missing."""
    bubblewrap: tuple[str, ...] = ()
    """bwrap and how it makes namespaces here."""
    landlock: bool = False

    def start(self, kind: Kind, binds: Binds = ()) -> Worker:
        """A new worker that also sees these files or folders.

        Raises:
            InfrastructureError: it does not come up.
        """
        settings = {"kind": kind, "uid": self._user(), "ruleset": None, "scratch": "/scratch"}
        if self.bubblewrap:
            return Worker(self._in_namespaces(kind, binds), settings, self.filters[kind])
        settings["scratch"] = scratch = tempfile.mkdtemp(prefix="amt-sandbox-")
        if not self.landlock:
            return Worker(_on_the_host(), {**settings, "uid": None}, self.filters[kind], own_scratch=True)
        if os.getuid() == 0:
            os.chown(scratch, settings["uid"], -1)
        readable = [*_runtime(), *_LINKER, *(path for path, _ in binds), "/dev/urandom", "/dev/zero", "/dev/random"]
        settings["ruleset"] = landlock.ruleset(filter(os.path.exists, readable), [scratch, "/dev/null"])
        try:
            return Worker(_on_the_host(), settings, self.filters[kind], own_scratch=True)
        finally:
            os.close(settings["ruleset"])

    def _user(self) -> int:
        """Whom programs run as. Limits on processes count those of one user in one user namespace, so workers that
        share a namespace are users of their own: else many workers' programs would run out of threads together."""
        if "--unshare-user" in self.bubblewrap:
            return UNPRIVILEGED
        return _OWN_USERS[next(_worker_numbers) % len(_OWN_USERS)]

    def _in_namespaces(self, kind: Kind, binds: Binds) -> tuple[str, ...]:
        command = [*self.bubblewrap, "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts"]
        command += ["--unshare-cgroup-try", "--as-pid-1", "--die-with-parent", "--new-session"]
        command += ["--hostname", "sandbox", "--dev", "/dev"]
        command += ["--perms", "1777", "--size", str(SCRATCH_BYTES[kind]), "--tmpfs", "/scratch"]
        command += ["--symlink", "/scratch", "/tmp"]
        for path in ("/lib", "/lib64"):
            if os.path.islink(path):
                command += ["--symlink", os.readlink(path), path]
            elif os.path.isdir(path):
                command += ["--ro-bind", path, path]
        zygote = str(Path(__file__).with_name("zygote.py"))
        binds = (*((path, path) for path in _runtime()), *binds, (zygote, "/zygote.py"))
        # bubblewrap makes missing parents for the owner alone, and tests run as somebody else.
        for parent in sorted({str(parent) for _, path in binds for parent in Path(path).parents} - {"/"}):
            command += ["--perms", "0755", "--dir", parent]
        for path, inside in binds:
            command += ["--ro-bind", path, inside]
        command += ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/scratch", "--clearenv"]
        for name, value in _ENVIRONMENT.items():
            command += ["--setenv", name, value]
        return (*command, "--", *_zygote("/zygote.py"))


@functools.cache
def isolation(allow_unprotected: bool = False) -> Isolation:
    """The strongest isolation that works here, found by running programs in it.

    Raises:
        MissingToolError: there is none, and unprotected runs are not allowed.
    """
    filters = {kind: seccomp.compiled(kind) or b"" for kind in seccomp.KINDS}
    suffix = "+seccomp" if all(filters.values()) else ""
    bwrap = shutil.which("bwrap")
    faults = [] if bwrap else ["bwrap is not installed"]
    for options in _namespace_options() if bwrap else ():
        candidate = Isolation(f"bubblewrap{suffix}", filters, (bwrap, *options))
        fault = _fault(candidate)
        if fault is None:
            if not suffix:
                log.warning("sandbox: libseccomp is missing, a layer less. Install it: apt-get install libseccomp2")
            return candidate
        faults.append(fault)
    found = _landlock() if suffix else "without libseccomp Landlock is not enough"
    if isinstance(found, Isolation):
        log.warning("sandbox: no namespaces (%s); programs are confined by Landlock, a weaker tier", faults[0])
        return found
    if not allow_unprotected:
        raise MissingToolError(
            f"Model-written code cannot be isolated here: {faults[0]}. Nor otherwise: {found}.\n"
            "Install bubblewrap: apt-get install bubblewrap (and let this user make namespaces), or set "
            "sandbox.allow_unprotected: true in params.yaml on a machine that nobody else uses."
        )
    candidate = Isolation(f"unprotected{suffix}", filters)
    if fault := _fault(candidate):
        raise InfrastructureError(f"Programs cannot be run even unprotected: {fault}.")
    log.warning("sandbox: model-written code runs UNPROTECTED (%s)", faults[0])
    return candidate


def _landlock() -> Isolation | str:
    """The tier for where namespaces are denied, or why there is none. It counts only if it refuses what it should."""
    if landlock.abi() < landlock.SIGNALS_ABI:
        return (
            f"the kernel's Landlock has version {landlock.abi()}, and signals are confined from {landlock.SIGNALS_ABI}"
        )
    filters = {kind: seccomp.compiled(kind, apart=False) or b"" for kind in seccomp.KINDS}
    candidate = Isolation("landlock+seccomp", filters, landlock=True)
    return _fault(candidate) or candidate


TRIALS = """
import os, socket
def refused(f, *args):
    try:
        f(*args)
    except OSError:
        return True
    return False
path, process_id = input().split()
print(refused(open, path), refused(open, path, "a"), refused(os.listdir, "/"), refused(os.chmod, path, 0o600),
    refused(os.kill, int(process_id), 0), refused(os.kill, os.getppid(), 0), refused(socket.socket),
    refused(os.fork), os.getuid() != 0)
"""
"""A file that everybody may read and write, and a process of the same user, seen from a test: all of it must fail."""


def _fault(candidate: Isolation) -> str | None:
    """What is wrong with an isolation, or None: it must run a program; a protecting one, as somebody else and alone, or
    with host files, signals, sockets and processes refused."""
    try:
        worker = candidate.start("python")
    except (InfrastructureError, OSError) as error:
        return str(error)
    try:
        limits = Limits(cpu_seconds=5, wall_seconds=20, memory_mb=256, output_bytes=10_000)
        worker.load(b"print(sum(map(int, input().split())))")
        execution, _ = worker.run(Input("stdin", stdin="20 22"), limits)
        if execution.stdout != b"42\n":
            return f"a first program gave {execution}"
        if candidate.bubblewrap and (worker.hello["uid"] == 0 or worker.hello["process_id"] != 1):
            return f"the worker is not on its own: {worker.hello}"
        if candidate.landlock:
            with tempfile.NamedTemporaryFile() as file:
                os.chmod(file.name, 0o666)
                worker.load(TRIALS.encode())
                execution, _ = worker.run(Input("stdin", stdin=f"{file.name} {os.getpid()}"), limits)
            if execution.stdout.split() != [b"True"] * 9:
                return f"Landlock and seccomp do not refuse all that they should: {execution}"
    except InfrastructureError as error:
        return str(error)
    finally:
        worker.stop()
    return None


def _namespace_options() -> list[list[str]]:
    """Ways to make namespaces, the strongest first.

    root gives up its uid for good inside (limits on processes do not bind root); an ordinary user gets a user
    namespace. Some containers forbid a fresh /proc; programs seldom need it.
    """
    user = ["--unshare-user", "--uid", str(UNPRIVILEGED), "--gid", str(UNPRIVILEGED), "--cap-drop", "ALL"]
    root = ["--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    ways = [root, user] if os.getuid() == 0 else [user]
    return [[*way, *proc] for proc in (["--proc", "/proc"], ["--dir", "/proc"]) for way in ways]


def _runtime() -> list[str]:
    """Files and directories of the interpreter, the system libraries that it loads, and the locale of programs."""
    base = Path(sys.base_prefix)
    library = Path(os.__file__).parent
    system = [Path("/usr/lib64"), *Path("/usr/lib").glob("*-linux-gnu*"), Path("/usr/lib/locale/C.utf8")]
    own = [Path(_interpreter()), library, *(base / "lib").glob("libpython*.so*")]
    return [str(path) for path in dict.fromkeys([*system, *own]) if path.exists()]


def _interpreter() -> str:
    return os.path.realpath(sys.executable)


_ENVIRONMENT = {"PYTHONHASHSEED": "0", "LANG": "C.UTF-8", "LD_LIBRARY_PATH": f"{sys.base_prefix}/lib"}
"""Of the interpreter; programs get that of the zygote."""


def _zygote(path: str) -> tuple[str, ...]:
    return (_interpreter(), "-s", "-S", "-B", path)


def _on_the_host() -> tuple[str, ...]:
    environment = [f"{name}={value}" for name, value in _ENVIRONMENT.items()]
    return ("/usr/bin/env", "-i", *environment, *_zygote(str(Path(__file__).with_name("zygote.py"))))
