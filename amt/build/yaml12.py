"""YAML as DVC reads it (1.2), by the C parser: dvc.lock has thousands of lines, and DVC's own parser takes a second.

A setting must be the same value to both tools: `1e-4` is a number to DVC and a string to PyYAML.
"""

from pathlib import Path
from typing import Any, ClassVar

import yaml
from ruamel.yaml.resolver import implicit_resolvers

from amt.errors import DataError


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    yaml_implicit_resolvers: ClassVar[dict] = {}  # those of YAML 1.1 are not wanted


for _versions, _tag, _pattern, _first in implicit_resolvers:
    if (1, 2) in _versions:
        _Loader.add_implicit_resolver(_tag, _pattern, _first)


def _integer(loader: _Loader, node: yaml.ScalarNode) -> int:
    digits = loader.construct_scalar(node).replace("_", "")
    # In YAML 1.2 a leading zero means nothing; int() itself knows the prefixes 0b, 0o and 0x.
    return int(digits, 0) if "b" in digits or "o" in digits or "x" in digits else int(digits)


_Loader.add_constructor("tag:yaml.org,2002:int", _integer)


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
