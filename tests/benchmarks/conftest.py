"""Where real data lies, and a small planted corpus."""

from pathlib import Path

import pytest

from benchmarks.curate.planted import write_corpus

DATA = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture(scope="session")
def real_data() -> Path:
    if not DATA.exists():
        pytest.skip(f"{DATA} is not there: real data for this test lies beside the project")
    return DATA


@pytest.fixture(scope="session")
def corpus(tmp_path_factory) -> Path:
    """4,000 rows, all of generated problems."""
    folder = tmp_path_factory.mktemp("planted")
    write_corpus(folder, 4_000, seed=3, data=None)
    return folder
