"""Where the peers' environment lies, and whether it is that of requirements.txt."""

import hashlib
from pathlib import Path

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
PEERS = Path(__file__).resolve().parents[3] / ".venv-peers"
STAMP = PEERS / "peers-lock"


def is_current() -> bool:
    return STAMP.is_file() and STAMP.read_text() == hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
