"""Starts Python as a user without any right, from a test that root runs.

The interpreter and the project may lie where nobody else may go (in root's home, say), and copies would take their
time: both are shown to the child in a mount namespace of its own, under /mnt. (Not under /tmp: in the sandbox that is
the scratch folder.)
"""

import os
import subprocess
import sys
from pathlib import Path

USER = "60001"

ENTER = """
set -e
mount -t tmpfs -o mode=755 none /mnt
cd /mnt
mkdir python project packages
mount --bind "$1" python
mount --bind "$2" project
mount --bind "$3" packages
interpreter=$PWD/python/$4
shift 4
cd project
export PYTHONPATH=/mnt/project:/mnt/packages LD_LIBRARY_PATH=/mnt/python/lib
exec setpriv --reuid "$USER_ID" --regid "$USER_ID" --clear-groups "$interpreter" -s -B "$@"
"""


def why_not() -> str | None:
    """Why root cannot start an ordinary user's process here, or None."""
    try:
        done = subprocess.run(["unshare", "--mount", "setpriv", "--version"], capture_output=True, text=True)
    except FileNotFoundError as error:
        return str(error)
    return done.stderr.strip() if done.returncode else None


def python(*arguments: str) -> list[str]:
    """The command that runs `python ARGUMENTS` in the project's folder: as an ordinary user if this is root."""
    if os.getuid():
        return [sys.executable, *arguments]
    interpreter = Path(os.path.realpath(sys.executable)).relative_to(sys.base_prefix)
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    places = [sys.base_prefix, os.getcwd(), packages, str(interpreter)]
    environment = ["env", "-i", f"PATH={os.environ['PATH']}", f"USER_ID={USER}", "HOME=/nowhere"]
    command = ["unshare", "--mount", "--propagation", "private", *environment, "sh", "-c", ENTER, "sh"]
    return [*command, *places, *arguments]
