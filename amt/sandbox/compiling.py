"""Compiles submissions, inside the sandbox, once each.

A compiler sees its own toolchain and the source, no other file of the host. What it makes, or why it could not, is kept
in a folder, keyed by all that decides it: the toolchain, the command, the limits, the source. An entry is written
beside its place and renamed, and holds its own digest: one cut short by anything counts as missing. The folder is
bounded; what was not used for longest goes first. So does the precompiled header, one per toolchain and flags.
"""

import contextlib
import functools
import hashlib
import json
import logging
import os
import re
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from amt.errors import InfrastructureError
from amt.sandbox.execution import Execution, Limits
from amt.sandbox.isolation import Binds
from amt.sandbox.languages import LANGUAGES, Compilation

log = logging.getLogger(__name__)

PROGRAM_BYTES = 64 << 20
"""Most that an executable may have."""
WALL_FACTOR = 4
"""Time by the clock that a compilation may take, in CPU time limits."""
CACHE_BYTES = 2 << 30
UNFINISHED_S = 3600
"""Age at which a file that is being written is taken for that of a writer that was killed."""
HEADER_LIMITS = Limits(cpu_seconds=120, wall_seconds=600, memory_mb=4096, output_bytes=240 << 20)
"""Of precompiling a header: nothing of it was written by a model."""
HEADERS = "/headers"
FOR_MEMORY = (
    "as the kernel does where memory runs out. Give the machine more, or fewer workers (sandbox_workers in the file "
    "that AMT_PLACEMENT names, --workers of a server)."
)

Compile = Callable[[str, Binds, bytes, tuple[str, ...], str, str, Limits], Execution]
"""(name of the worker, what it sees, source, command, source file, output file, limits) → what became of it."""


@dataclass(frozen=True)
class Toolchain:
    driver: str
    version: str
    """The first line of what the driver says of itself."""
    binds: Binds
    parts: tuple[tuple[str, int, int], ...]
    """Files that tell one version from another, as they were found: `_version` of each."""
    identity: str
    """Changes with the version of any part."""
    header: str | None
    """The file of the header that is precompiled."""

    def check(self) -> None:
        """
        Raises:
            InfrastructureError: it is no longer what was found. What failed meanwhile need not be the program's fault.
        """
        for part in self.parts:
            try:
                is_same = _version(part[0]) == part
            except OSError:
                is_same = False
            if not is_same:
                raise InfrastructureError(
                    f"{part[0]} was removed or changed while {self.driver} was in use: start again."
                )


def toolchain(compilation: Compilation) -> Toolchain | None:
    """The compiler on this machine, None if it is not installed.

    Raises:
        InfrastructureError: it is there and does not work.
    """
    return _toolchain(replace(compilation, flags=(), link=()))


@functools.cache
def _toolchain(compilation: Compilation) -> Toolchain | None:
    driver = shutil.which(compilation.compiler)
    if driver is None:
        return None
    ask = functools.partial(_ask, driver)
    parts = [ask(f"-print-prog-name={name}") for name in (compilation.back_end, "collect2", "as", "ld")]
    parts = [driver, *(shutil.which(part) or part for part in parts)]
    libraries = [ask(f"-print-file-name={name}") for name in ("libc.a", "libgcc.a", "libstdc++.a", "crt1.o")]
    if missing := [path for path in (*parts, *libraries[:2], libraries[3]) if not os.path.isabs(path)]:
        raise InfrastructureError(
            f"{driver} lacks {', '.join(missing)}. Install all of it: apt-get install {compilation.package}"
        )
    version = ask("--version")
    language = "c++" if compilation.source.endswith("pp") else "c"
    searched = ask("-E", "-v", "-x", language, os.devnull).partition("search starts here:\n#include")[2]
    headers = [line.strip() for line in searched.splitlines() if line.startswith(" /")]
    headers = [path for path in headers if path != "/usr/local/include"]  # what somebody put there is no toolchain
    folders = {os.path.realpath(path) for path in headers} | {
        os.path.dirname(os.path.realpath(path)) for path in (*parts[1:3], *libraries) if os.path.isabs(path)
    }
    folders = {path for path in folders if not any(path.startswith(f"{other}/") for other in folders)}
    found = [os.path.join(folder, compilation.header) for folder in headers] if compilation.header else []
    header = next(filter(os.path.isfile, found), None)
    watched = [*parts, *libraries, *([header] if header else [])]
    versions = tuple(_version(path) for path in watched if os.path.isabs(path))
    return Toolchain(
        driver=driver,
        binds=tuple((path, path) for path in sorted(folders | {parts[0], *parts[3:]})),
        parts=versions,
        version=version.partition("\n")[0],
        identity=_digest([version, versions]),
        header=header,
    )


def compilers() -> dict[str, str]:
    """The languages that can be judged on this machine, with the version of its compiler; "" where none is needed.

    Raises:
        InfrastructureError: a compiler is there and does not work.
    """
    found = {name: one.compilation and toolchain(one.compilation) for name, one in LANGUAGES.items()}
    return {
        name: tools.version if tools else ""
        for name, tools in found.items()
        if tools or LANGUAGES[name].compilation is None
    }


def _ask(driver: str, *question: str) -> str:
    environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}
    try:
        done = subprocess.run([driver, *question], capture_output=True, text=True, env=environment, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InfrastructureError(f"{driver} does not work: {error}") from None
    if done.returncode:
        raise InfrastructureError(f"{driver} {' '.join(question)}: status {done.returncode}, {done.stderr[-300:]}")
    return (done.stdout + (done.stderr if "-v" in question else "")).strip()


def _version(path: str) -> tuple[str, int, int]:
    facts = os.stat(path)
    return path, facts.st_size, facts.st_mtime_ns


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


_OUT_OF_TIME = re.compile(r"error: CPU time limit exceeded signal terminated program")


class Fault(str):
    """Why a program does not compile. It is the program's."""


class Compiler:
    """Usable from many threads."""

    def __init__(self, compile: Compile, limits: Limits, cache: Path, *, apart: bool):
        self._compile = compile
        self._limits = replace(limits, output_bytes=PROGRAM_BYTES)
        self._cache = Cache(cache)
        self._apart = apart
        """Files can be shown to a compiler at another place than theirs."""
        self._lock = threading.Lock()
        self._binds: dict[str, Binds] = {}
        """Of languages whose compiler has proved to work."""

    def program(self, language: str, code: str) -> bytes | Fault:
        """The executable.

        Raises:
            InfrastructureError: the compiler is missing or does not work.
        """
        compilation = LANGUAGES[language].compilation
        tools = toolchain(compilation)
        if tools is None:
            raise InfrastructureError(
                f"{compilation.compiler} is not installed: programs in {language} cannot be judged here.\n"
                f"Install it: apt-get install {compilation.package}"
            )
        with self._lock:  # the first program waits until its compiler has proved to work, and with it all others
            binds = self._binds.get(language)
            # Workers that run keep a precompiled header that others removed from the cache; a new one finds none.
            if binds is None or not all(os.path.exists(path) for path, _ in binds):
                tools.check()
                binds = self._binds[language] = self._prepare(language, compilation, tools)
        return self._program(language, compilation, tools, binds, code)

    def _program(
        self, language: str, compilation: Compilation, tools: Toolchain, binds: Binds, code: str
    ) -> bytes | Fault:
        include = ("-I", HEADERS) if any(inside.startswith(HEADERS) for _, inside in binds) else ()
        command = (tools.driver, *compilation.flags, *include, "-o", "solution", compilation.source, *compilation.link)
        source = code.encode("utf-8", "surrogatepass")
        key = _digest([tools.identity, command, asdict(self._limits), hashlib.sha256(source).hexdigest()])
        kept = self._cache.get(key)
        if kept is not None:
            return kept[1:] if kept[:1] == b"P" else Fault(kept[1:].decode())
        execution = self._compile(language, binds, source, command, compilation.source, "solution", self._limits)
        tools.check()
        if include and _blames_header(execution):  # damaged, perhaps: whether the program is at fault shows without it
            return self._program(f"{language} without header", compilation, tools, tools.binds, code)
        if _is_killed(compilation, execution):
            raise InfrastructureError(f"A process of {tools.driver} was killed, {FOR_MEMORY}")
        if execution.ended == "exited" and execution.status == 0 and execution.result:
            self._cache.put(key, b"P", execution.result)
            return execution.result
        fault = Fault(f"does not compile: {_reason(execution)}")
        if _ended(execution) not in ("cpu_limit", "wall_limit", "killed"):  # on a machine that is busy today, perhaps
            self._cache.put(key, b"F", fault.encode())
        return fault

    def _prepare(self, language: str, compilation: Compilation, tools: Toolchain) -> Binds:
        """What a compiler sees, once it has compiled a program that is right."""
        binds = tools.binds
        if tools.header and self._apart and (header := self._header(language, compilation, tools)):
            inside = f"{HEADERS}/{compilation.header}"
            # The precompiled one is read once: at a second #include the compiler opens the file that it is named after.
            binds = (*binds, (tools.header, inside), (str(header), f"{inside}.gch"))
        include = f"#include <{compilation.header}>\n" if compilation.header else ""
        first = self._program(language, compilation, tools, binds, f"{include}int main() {{ return 0; }}\n")
        if isinstance(first, Fault):
            raise InfrastructureError(
                f"{tools.driver} does not compile a first program in the sandbox: {first}.\n"
                f"Install all of it: apt-get install {compilation.package}; or raise sandbox.compile_seconds "
                f"({self._limits.cpu_seconds:g}) or sandbox.compile_memory_mb ({self._limits.memory_mb})."
            )
        return binds

    def _header(self, language: str, compilation: Compilation, tools: Toolchain) -> Path | None:
        """The precompiled header's file; None if it cannot be made, which costs time and nothing else."""
        path = self._cache.folder / _digest([tools.identity, compilation.flags, compilation.header])
        if not path.exists():
            source = f"#include <{compilation.header}>\n".encode()
            command = (tools.driver, *compilation.flags, "-x", "c++-header", "header", "-o", "header.gch")
            name = f"{language} header"
            made = self._compile(name, tools.binds, source, command, "header", "header.gch", HEADER_LIMITS)
            if made.status or not made.result:
                log.warning("sandbox: <%s> cannot be precompiled: %s", compilation.header, _reason(made))
                return None
            # Readable by whom the compiler runs as; no digest is looked at when it is used, so it must be whole.
            self._cache.write(path, made.result, mode=0o644, sync=True)
        with contextlib.suppress(FileNotFoundError):
            os.utime(path)
        return path if path.exists() else None


def _blames_header(execution: Execution) -> bool:
    return bool(execution.status) and bool(re.search(f"{HEADERS}/|PCH|precompiled header", execution.stderr))


def _ended(execution: Execution) -> str:
    """Also of a process of the driver's, whose limit ends it before all of them together are beyond theirs."""
    return "cpu_limit" if execution.status and _OUT_OF_TIME.search(execution.stderr) else execution.ended


def _reason(execution: Execution) -> str:
    if (ended := _ended(execution)) != "exited":
        return ended
    said = [line.strip() for line in execution.stderr.splitlines() if line.strip()]
    errors = [line for line in said if re.search(r"\berror\b|undefined reference", line)]
    return (errors or said or [f"exit status {execution.status}"])[0][:200]


def _is_killed(compilation: Compilation, execution: Execution) -> bool:
    """Whether the driver says that a process of its was killed, which neither compiler nor program can do. It says
    nothing else then; messages on a program name a file and a line, even where the program chooses their words."""
    told = rf"{re.escape(compilation.compiler)}: fatal error: Killed signal terminated program \S+\s+"
    return re.fullmatch(rf"{told}compilation terminated\.\s*", execution.stderr) is not None


class Cache:
    """Files in a folder, each with its digest in front. Failing to use it costs a compilation, and is no error."""

    def __init__(self, folder: Path, most_bytes: int = CACHE_BYTES):
        self.folder = folder
        self._most_bytes = most_bytes

    def get(self, key: str) -> bytes | None:
        path = self.folder / key
        try:
            content = path.read_bytes()
            os.utime(path)
        except OSError:  # usually not there; a folder that cannot be used is reported where it is written
            return None
        digest, payload = content[:32], content[32:]
        return payload if hashlib.sha256(payload).digest() == digest else None

    def put(self, key: str, kind: bytes, content: bytes) -> None:
        payload = kind + content
        self.write(self.folder / key, hashlib.sha256(payload).digest() + payload)

    def write(self, path: Path, content: bytes, mode: int = 0o600, sync: bool = False) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with tempfile.NamedTemporaryFile(dir=self.folder, prefix="writing-", delete=False) as file:
                try:
                    file.write(content)
                    file.flush()
                    os.chmod(file.fileno(), mode)
                    if sync:
                        os.fsync(file.fileno())
                    file.close()
                    os.replace(file.name, path)
                except BaseException:
                    os.unlink(file.name)
                    raise
            self._shrink()
        except OSError as error:
            log.warning("sandbox: %s keeps no compiled program: %s", self.folder, error)

    def _shrink(self) -> None:
        """Remove what killed writers left, and what was not used for longest until the folder keeps its bound."""
        found, long_ago = [], time.time_ns() - UNFINISHED_S * 10**9
        for entry in os.scandir(self.folder):
            with contextlib.suppress(FileNotFoundError):  # another process removes too
                facts = entry.stat(follow_symlinks=False)
                if entry.name.startswith("writing-") and facts.st_mtime_ns < long_ago:
                    os.unlink(entry.path)
                    continue
                found.append((facts.st_mtime_ns, facts.st_size, entry.path))
        total = sum(size for _, size, _ in found)
        for _, size, path in sorted(found):
            if total <= self._most_bytes:
                break
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            total -= size
