"""Shared by all tests."""

import contextlib
import os

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes says how busy the machine is, not whether the code is right. Settings of a test's own that
# suppress a health check name `too_slow` too: theirs replace these.
settings.register_profile("any_machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any_machine")

# Scripts started by tests record nothing in the project's own MLflow; tests/workflow turns it on where it is tested.
os.environ.setdefault("AMT_TRACKING", "off")


LONGEST = ("test_mini_build.py", "test_rebuild_small.py", "test_attacks.py")
"""Of a file each worker takes all tests: the files of some minutes come first, so that none ends alone."""


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.path.name not in LONGEST)


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


@pytest.fixture
def server():
    """An endpoint that misbehaves on purpose."""
    from tests.endpoints.server import Server

    server = Server()
    yield server
    server.close()


@pytest.fixture
def no_sandbox(monkeypatch, tmp_path):
    """A machine without bubblewrap."""
    from amt.sandbox.runner import isolation

    isolation.cache_clear()
    monkeypatch.setenv("PATH", str(tmp_path))
    yield
    isolation.cache_clear()
