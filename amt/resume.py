"""What a killed training run leaves behind, and how the next one goes on from there.

Invariant: the directory belongs to one result. Its name is the digest of everything that the result depends on, so
a run with other inputs or settings never finds it; what was written after the last saved state is taken back
before the run goes on. Nothing in it tells of time or machine: equal results are equal bytes.
"""

import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amt.errors import DataError
from amt.publish import publish_directory, publish_file
from amt.rows import canonical_json

MARK = ".snakemake_timestamp"
"""Snakemake's own mark in directory outputs; not part of an artifact."""


@dataclass(frozen=True)
class ResumableRun:
    """Finished steps, the state to go on from, and what will be the output."""

    directory: Path

    @classmethod
    def of(cls, scratch: str | Path, stage: str, *, inputs: list[Path], settings: Any) -> "ResumableRun":
        """The run that makes this result; its directory is made if this is its first start.

        Args:
            inputs: files and directories, by content.
            settings: all else that the result depends on, as JSON values.
        """
        run = cls(Path(scratch) / stage / _digest(inputs, settings))
        run.model.mkdir(parents=True, exist_ok=True)
        return run

    @property
    def model(self) -> Path:
        """Becomes the output directory."""
        return self.directory / "model"

    @property
    def metrics(self) -> Path:
        """A line of JSON for each step, in order."""
        return self.model / "metrics.jsonl"

    def journal(self, step: int) -> Path:
        """Place for the rollouts of a step."""
        return self.model / "rollouts" / f"step_{step:04d}.parquet"

    def state(self, step: int) -> Path:
        return self.directory / f"state_{step:08d}"

    def saved_step(self) -> int:
        """Steps done when the newest state was saved; 0 without one."""
        return max((int(path.name.removeprefix("state_")) for path in self.directory.glob("state_*")), default=0)

    def forget_states_but(self, step: int) -> None:
        for path in self.directory.glob("state_*"):
            if path != self.state(step):
                shutil.rmtree(path)

    def record(self, metrics: dict[str, Any]) -> None:
        """Append the metrics of a step, its number under "step"."""
        with self.metrics.open("a") as file:
            file.write(json.dumps(metrics) + "\n")

    def rewind(self, step: int) -> list[dict[str, Any]]:
        """Take back what was written after `step`; the metrics of the steps that stay.

        Raises:
            DataError: the metrics of some steps are missing.
        """
        lines = self.metrics.read_text().splitlines() if self.metrics.exists() else []
        # A kill can leave half a line at the end.
        kept = [line for line in map(_parsed, lines) if line and line["step"] <= step]
        if len(kept) != step:
            raise DataError(f"{self.metrics} has {len(kept)} of {step} steps. Delete {self.directory} and run again.")
        with publish_file(self.metrics) as temporary:
            temporary.write_text("".join(json.dumps(line) + "\n" for line in kept))
        for file in self.journal(0).parent.glob("step_*.parquet"):
            if file > self.journal(step):
                file.unlink()
        return kept

    def publish(self, output: Path) -> None:
        """Make the model the output, and end."""
        with publish_directory(output) as temporary:
            # Linked, not moved: a kill in the middle leaves the run whole.
            shutil.copytree(self.model, temporary, copy_function=_link, dirs_exist_ok=True)
        shutil.rmtree(self.directory)


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        return json.loads(line)
    except json.JSONDecodeError:
        return None


def _digest(inputs: list[Path], settings: Any) -> str:
    digest = hashlib.blake2b(canonical_json(settings).encode(), digest_size=16)
    for source in inputs:
        files = sorted(path for path in source.rglob("*") if _counts(path)) if source.is_dir() else [source]
        for file in files:
            name = file.relative_to(source) if source.is_dir() else file.name
            digest.update(f"\0{name}\0".encode())
            with file.open("rb") as content:
                digest.update(hashlib.file_digest(content, "blake2b").digest())
    return digest.hexdigest()


def _counts(path: Path) -> bool:
    return path.is_file() and path.name != MARK


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # scratch on another file system
        shutil.copy2(source, target)
