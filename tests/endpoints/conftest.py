import pytest

from tests.endpoints.asking import client_of
from tests.endpoints.server import Server


@pytest.fixture
def server():
    server = Server()
    yield server
    server.close()


@pytest.fixture
def client(server, tmp_path):
    return client_of(server.address, tmp_path)
