"""Shared by all tests."""

import contextlib
import os

import pytest

# Scripts started by tests record nothing in the project's own MLflow; tests/workflow turns it on where it is tested.
os.environ.setdefault("AMT_TRACKING", "off")


_POOLS = []
"""Kept to the end: what was allocated from one goes back to it."""


@pytest.fixture
def own_pool():
    """Of Arrow's memory, with an account of its own: `with own_pool() as pool`."""
    import pyarrow as pa

    @contextlib.contextmanager
    def own_pool():
        before = pa.default_memory_pool()
        pool = pa.proxy_memory_pool(before)
        _POOLS.append(pool)
        pa.set_memory_pool(pool)
        try:
            yield pool
        finally:
            pa.set_memory_pool(before)

    return own_pool
