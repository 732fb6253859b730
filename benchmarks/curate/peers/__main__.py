"""Make .venv-peers from requirements.txt, or leave it alone when it is current."""

import hashlib
import subprocess
import sys

from benchmarks.curate.peers.environment import PEERS, REQUIREMENTS, STAMP, is_current


def main() -> int:
    if is_current():
        return 0
    print(f"installing {REQUIREMENTS} into {PEERS}", flush=True)
    python = str(PEERS / "bin" / "python")
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(PEERS)], check=True)
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"]
    if subprocess.run([*install, str(REQUIREMENTS)]).returncode:
        print(f"error: pip could not install {REQUIREMENTS}; the peers need a package index", file=sys.stderr)
        return 1
    STAMP.write_text(hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest())
    return 0


if __name__ == "__main__":
    sys.exit(main())
