"""What lies in a file or directory, as the MD5 that DVC writes into dvc.lock.

Hashed once: the digest is kept with the file's identity, size and time of change, and a file that was touched, copied
or fetched is read again, never believed. Artifacts are links into the DVC cache; it is the file there that counts.
"""

import contextlib
import hashlib
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from pathspec import GitIgnoreSpec

from amt.errors import DataError
from amt.publish import publish_file

IGNORE_FILE = Path(".dvcignore")
"""Patterns, as in .gitignore, of what in a directory is no part of an artifact."""
ALWAYS_IGNORED = [".hg/", ".git/", ".git", ".dvc/"]
"""Patterns that DVC adds to those of IGNORE_FILE."""
SETTLED_NS = 100_000_000
"""A file changed less than this ago may change again within the resolution of its time stamp: it is read again."""


@dataclass(frozen=True)
class Content:
    """As dvc.lock describes an artifact."""

    md5: str
    size: int
    """Bytes."""
    nfiles: int | None = None
    """Files in a directory; None for a file."""

    def entry(self, path: str) -> dict:
        entry = {"path": path, "hash": "md5", "md5": self.md5, "size": self.size}
        return entry if self.nfiles is None else entry | {"nfiles": self.nfiles}


class Contents:
    """Digests of files, kept in `store` from one command to the next.

    Of a directory in the working folder, what IGNORE_FILE there names does not count, as to DVC.
    """

    def __init__(self, store: Path | None = None) -> None:
        self._store = store
        self._root = os.getcwd()
        patterns = IGNORE_FILE.read_text().splitlines() if IGNORE_FILE.exists() else []
        self._ignored = GitIgnoreSpec.from_lines([*ALWAYS_IGNORED, *patterns])
        self._known: dict[str, list] = {}
        self._new = False
        if store:
            # A store that is missing or spoilt costs time, nothing else.
            with contextlib.suppress(OSError, ValueError):
                known = json.loads(store.read_text())
                self._known = known if isinstance(known, dict) else {}

    def of(self, path: str | Path) -> Content | None:
        """None if there is nothing, or a link that leads nowhere, also within a directory.

        Raises:
            DataError: a directory has an IGNORE_FILE of its own.
        """
        path = str(path)
        try:
            if os.path.isdir(path):
                return self._directory(path)
            return Content(self._md5(path), os.stat(path).st_size)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def is_ignored(self, path: str) -> bool:
        """Whether IGNORE_FILE names a file or directory, or one that it lies in."""
        return any(self._is_ignored(".", "", path + slash) for slash in ("", "/"))

    def save(self) -> None:
        if self._store and self._new:
            with contextlib.suppress(OSError), publish_file(self._store, is_cache=True) as temporary:
                temporary.write_text(json.dumps(self._known))
            self._new = False

    def _directory(self, path: str) -> Content:
        names = sorted(self._files(path))
        # Hashing leaves the interpreter alone, and checkpoints are a few large files.
        with ThreadPoolExecutor() as pool:
            digests = list(pool.map(self._md5, (os.path.join(path, name) for name in names)))
        entries = [{"md5": digest, "relpath": name} for digest, name in zip(digests, names, strict=True)]
        listed = json.dumps(entries, sort_keys=True).encode()
        size = sum(os.stat(os.path.join(path, name)).st_size for name in names)
        return Content(hashlib.md5(listed).hexdigest() + ".dir", size, len(names))

    def _files(self, directory: str) -> list[str]:
        """Paths relative to a directory, of what belongs to the artifact."""
        inside = os.path.relpath(os.path.abspath(directory), self._root)
        found = []
        for folder, folders, files in os.walk(directory, followlinks=True):
            if IGNORE_FILE.name in files:
                raise DataError(
                    f"{folder}/{IGNORE_FILE}: patterns within an artifact have no place. Move them to the root."
                )
            below = os.path.relpath(folder, directory)
            folders[:] = [name for name in folders if not self._is_ignored(inside, below, name + "/")]
            found += [
                os.path.normpath(os.path.join(below, name))
                for name in files
                if not self._is_ignored(inside, below, name)
            ]
        return found

    def _is_ignored(self, inside: str, below: str, name: str) -> bool:
        slash = "/" if name.endswith("/") else ""
        path = os.path.normpath(os.path.join(inside, below, name))
        return not path.startswith("..") and self._ignored.match_file(path + slash)

    def _md5(self, path: str) -> str:
        real = os.path.realpath(path)
        before = os.stat(real)
        mark = [before.st_ino, before.st_size, before.st_mtime_ns, before.st_ctime_ns]
        known = self._known.get(real)
        if known and known[:-1] == mark:
            return known[-1]
        with open(real, "rb") as file:
            digest = hashlib.file_digest(file, "md5").hexdigest()
        if time.time_ns() - before.st_mtime_ns > SETTLED_NS:
            self._known[real] = [*mark, digest]
            self._new = True
        return digest
