"""Starts Python as a user without any right, from a test that root runs.

The interpreter and the project may lie where nobody else may go (in root's home, say), and copies would take their
time: both are shown to the child in a mount namespace of its own, under a folder that it may enter.
"""

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

USER = "60001"

ENTER = """
set -e
mount -t tmpfs -o mode=755 none "$1"
cd "$1"
shift
mkdir python project packages
mount --bind "$1" python
mount --bind "$2" project
mount --bind "$3" packages
interpreter=$PWD/python/$4
shift 4
cd project
export PYTHONPATH="$PWD:${PWD%/project}/packages" LD_LIBRARY_PATH="${PWD%/project}/python/lib"
exec setpriv --reuid "$USER_ID" --regid "$USER_ID" --clear-groups "$interpreter" -s -B "$@"
"""


def why_not() -> str | None:
    """Why root cannot start an ordinary user's process here, or None."""
    try:
        done = subprocess.run(["unshare", "--mount", "setpriv", "--version"], capture_output=True, text=True)
    except FileNotFoundError as error:
        return str(error)
    return done.stderr.strip() if done.returncode else None


@contextlib.contextmanager
def python(*arguments: str) -> Iterator[list[str]]:
    """The command that runs `python ARGUMENTS` in the project's folder: as an ordinary user if this is root."""
    if os.getuid():
        yield [sys.executable, *arguments]
        return
    interpreter = Path(os.path.realpath(sys.executable)).relative_to(sys.base_prefix)
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        places = [folder, sys.base_prefix, os.getcwd(), packages, str(interpreter)]
        environment = ["env", "-i", f"PATH={os.environ['PATH']}", f"USER_ID={USER}", "HOME=/nowhere"]
        command = ["unshare", "--mount", "--propagation", "private", *environment, "sh", "-c", ENTER, "sh"]
        yield [*command, *places, *arguments]
