"""YAML 1.2, as DVC reads it, by PyYAML's parsers: DVC's own takes a second for the thousands of lines of a dvc.lock.

A setting must be the same value to whoever reads it: `1e-4` is a number in YAML 1.2 and a string in 1.1, which PyYAML
knows; `0400` is 400 and was 256, `yes` is a string and was true.
"""

from pathlib import Path
from typing import Any, TypeVar

import yaml
from ruamel.yaml.resolver import implicit_resolvers

from amt.errors import DataError

Loader = TypeVar("Loader", bound=type)


def reads_yaml12(loader: Loader) -> Loader:
    """Decorator of a class derived from a loader of PyYAML: it shall read YAML 1.2."""
    loader.yaml_implicit_resolvers = {}  # those of YAML 1.1 are not wanted
    for versions, tag, pattern, first in implicit_resolvers:
        if (1, 2) in versions:
            loader.add_implicit_resolver(tag, pattern, first)
    loader.add_constructor("tag:yaml.org,2002:int", _integer)
    return loader


def _integer(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int:
    digits = loader.construct_scalar(node).replace("_", "")
    # In YAML 1.2 a leading zero means nothing; int() itself knows the prefixes 0b, 0o and 0x.
    return int(digits, 0) if "b" in digits or "o" in digits or "x" in digits else int(digits)


@reads_yaml12
class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    pass


def load_yaml(path: str | Path) -> Any:
    """Content of a file; an empty mapping if the file is empty or missing.

    Raises:
        DataError: it is not YAML, for instance since a merge left its marks in it.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    try:
        return yaml.load(text, _Loader) or {}
    except (yaml.YAMLError, ValueError) as error:
        raise DataError(f"{path} is not YAML: {error}") from None
