"""A setting is the same value to us as to DVC."""

import pytest
from dvc.utils.serialize import YAMLFileCorruptedError, parse_yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from amt.params import read_yaml
from amt.yaml12 import load_yaml
from tests.workflow.conftest import PROJECT


@pytest.mark.parametrize("name", ["params.yaml", "recipes/am-thinking-v1-32b.yaml", "dvc.yaml"])
def test_files_of_the_project(name):
    by_dvc = parse_yaml((PROJECT / name).read_text(), name)
    assert repr(load_yaml(PROJECT / name)) == repr(read_yaml(PROJECT / name)) == repr(by_dvc)


SCALARS = st.from_regex(r"[-+]?[0-9_.eExob]{1,8}", fullmatch=True) | st.sampled_from(
    [
        "1e-4",
        "1.0e-4",
        "5e-05",
        "1_000",
        "010",
        "0o17",
        "0x1F",
        "yes",
        "on",
        "no",
        "true",
        "null",
        "~",
        "",
        "2025-01-01",
    ]
)


@given(SCALARS)
def test_scalars(tmp_path_factory, text):
    try:
        by_dvc = parse_yaml(f"key: {text}", "some.yaml")
    except (YAMLFileCorruptedError, ValueError, TypeError, IndexError):  # no recipe may hold it
        assume(False)
    path = tmp_path_factory.mktemp("yaml") / "some.yaml"
    path.write_text(f"key: {text}")
    for ours in (load_yaml(path), read_yaml(path)):
        assert ours == by_dvc
        assert type(ours["key"]) is type(by_dvc["key"])
