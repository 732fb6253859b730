"""Who is asking: a file that a process holds locked as long as it lives.

The lock is the kernel's, so a killed process leaves none behind, whatever its id is used for next.
"""

import contextlib
import fcntl
import os
import secrets
import socket
from pathlib import Path


class Owner:
    """This process, for as long as it asks."""

    def __init__(self, folder: Path):
        folder.mkdir(parents=True, exist_ok=True)
        self.name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        self._path = folder / self.name
        self._file = self._path.open("w")
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def close(self) -> None:
        self._path.unlink(missing_ok=True)
        self._file.close()


def is_gone(folder: Path, name: str) -> bool:
    """Whether an owner has ended. Its file goes then."""
    try:
        with (folder / name).open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return True
    except BlockingIOError:
        return False
    with contextlib.suppress(OSError):
        (folder / name).unlink(missing_ok=True)
    return True
