"""Create .venv from requirements/cpu.txt, or leave it alone when it is current. Standard library only.

torch comes first and by pip: its CPU build lies on an index of its own, and where pip does not know that, the CUDA
build serves (requirements/README.md). The rest comes by uv, without resolving: the lock is complete. A stamp in .venv
holds the digest of the lock, so that a second call costs nothing.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
LOCK = PROJECT / "requirements" / "cpu.txt"
VENV = PROJECT / ".venv"
STAMP = VENV / "amt-lock"
HOOKS = PROJECT / "amt" / "build" / "startup.py"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--torch-index", help="address of PyTorch's index of CPU wheels")
    args = parser.parse_args()
    lock = LOCK.read_text()
    digest = hashlib.sha256(lock.encode() + HOOKS.read_bytes()).hexdigest()
    if STAMP.is_file() and STAMP.read_text().strip() == digest:
        return
    check_machine()
    python = str(VENV / "bin" / "python")
    if not Path(python).exists() or subprocess.run([python, "-m", "pip", "--version"], capture_output=True).returncode:
        print("creating .venv", flush=True)
        call(sys.executable, "-m", "venv", "--clear", str(VENV))
    STAMP.unlink(missing_ok=True)
    install_torch(python, pinned(lock, "torch"), args.torch_index)
    call(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", f"uv=={pinned(lock, 'uv')}")
    install_rest(python)
    call(
        python,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--no-build-isolation",
        "--editable",
        str(PROJECT),
    )
    install_hooks(python)
    STAMP.write_text(digest + "\n")
    print("environment ready: .venv", flush=True)


def check_machine() -> None:
    if sys.version_info[:2] != (3, 11):
        fail(
            f"this is Python {sys.version.split()[0]}; the locked versions are those of Python 3.11. "
            "Install it (Debian 12: apt-get install python3.11 python3.11-venv) or name it:\n"
            "    make env PYTHON=/path/to/python3.11"
        )
    try:
        import ensurepip  # noqa: F401
    except ImportError:
        fail("Python has no ensurepip, which creates environments. Install it: apt-get install python3.11-venv")
    if shutil.which("git") is None:
        fail("git is missing: DVC and the tests need it. Install it: apt-get install git")
    gigabytes = shutil.disk_usage(PROJECT).free / 1e9
    if gigabytes < 8:
        fail(f"{gigabytes:.1f} GB are free on the disk of {PROJECT}; the environment needs 8 GB while it is installed.")


def install_torch(python: str, version: str, index: str | None) -> None:
    present = subprocess.run(
        [python, "-c", "import importlib.metadata as m; print(m.version('torch'))"], capture_output=True, text=True
    ).stdout.strip()
    if present == f"{version}+cpu" or (present == version and not index):
        return
    command = [python, "-m", "pip", "install", "--disable-pip-version-check", f"torch=={version}"]
    if index:
        command += ["--extra-index-url", index]
    # A dry run names the file that pip would take, without fetching it where the index serves metadata.
    plan = subprocess.run(
        [*command, "--no-deps", "--quiet", "--dry-run", "--ignore-installed", "--report", "-"],
        capture_output=True,
        text=True,
    )
    if plan.returncode:
        fail(f"pip finds no torch {version}:\n{plan.stderr.strip()}")
    (chosen,) = (item["metadata"]["version"] for item in json.loads(plan.stdout)["install"])
    if chosen == f"{version}+cpu":
        print(f"installing torch {version} (CPU build)", flush=True)
        call(*command, "--no-deps", "--force-reinstall", "--quiet")
        return
    if index:
        fail(f"{index} has no CPU build of torch {version}: pip would take {chosen} of another index.")
    print(
        f"installing torch {chosen} (CUDA build, the only one that pip finds here: it works without a GPU, but takes "
        "4 GB more.\nFor the CPU build: make env TORCH_INDEX=ADDRESS, with the address that the install selector on "
        "pytorch.org shows for Linux, Pip, CPU)",
        flush=True,
    )
    call(*command, "--quiet")  # with the CUDA libraries, which it loads at import


def install_rest(python: str) -> None:
    print("installing the other packages of requirements/cpu.txt (about 3 GB)", flush=True)
    uv = str(VENV / "bin" / "uv")
    command = ["pip", "install", "--no-deps", "--requirement", str(LOCK)]
    # Compiled once: where PYTHONDONTWRITEBYTECODE is set, every process would compile vLLM and torch again (5 s each).
    if subprocess.run([uv, *command, "--compile-bytecode", "--quiet", "--python", python]).returncode:
        # pip reads settings that uv does not: mirrors and folders of wheels in pip's configuration.
        print("uv could not install them; trying pip, which takes some minutes", flush=True)
        call(python, "-m", *command, "--quiet", "--disable-pip-version-check")


def install_hooks(python: str) -> None:
    """DVC asks amt before it looks at the project (amt/build/startup.py says how)."""
    site = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], capture_output=True, text=True
    ).stdout.strip()
    shutil.copy(HOOKS, Path(site) / "_amt_startup.py")
    (Path(site) / "_amt_startup.pth").write_text("import _amt_startup\n")


def pinned(lock: str, package: str) -> str:
    return re.search(rf"^{package}==(\S+)$", lock, re.MULTILINE).group(1)


def call(*command: str) -> None:
    status = subprocess.run(command).returncode
    if status:
        fail(f"exit status {status} of: {' '.join(command)}")


def fail(message: str) -> None:
    print(f"error: {message}", file=sys.stderr)
    sys.exit(1)


if __name__ == "__main__":
    os.chdir(PROJECT)
    main()
