import pytest

from tests.endpoints.asking import client_of


@pytest.fixture
def client(server, tmp_path):
    return client_of(server.address, tmp_path)
