"""How each stage of the toy begins: it says that it runs, waits and fails as it is told, and gets its settings."""

import os
import sys
import time
from pathlib import Path

import yaml


def begin(stage):
    """Settings of a stage that has just started. `fail-STAGE` makes it fail, `wait-STAGE` holds it up."""
    with Path("ran").open("a") as ran:
        ran.write(stage + "\n")
    while Path(f"wait-{stage}").exists():
        time.sleep(0.05)
    if Path(f"fail-{stage}").exists():
        sys.exit("told to fail")
    return yaml.safe_load(Path(os.environ.get("AMT_PINNED_RECIPE", "params.yaml")).read_text())
