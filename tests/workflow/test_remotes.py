"""Artifacts go to a remote and come back: to a server that speaks S3, on this machine's loopback."""

import socket
import subprocess
import sys
import time

import boto3
import pytest

from tests.workflow.asking import assert_nothing_to_do, ran

KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}


@pytest.fixture(scope="module")
def s3_address(tmp_path_factory):
    """Address of a moto server with an empty bucket named `artifacts`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("moto") / "log"
    with log.open("w") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], stdout=output, stderr=output
        )
    try:
        deadline = time.monotonic() + 60
        while not answers(port):
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < deadline
            time.sleep(0.1)
        address = f"http://127.0.0.1:{port}"
        client = boto3.client(
            "s3", endpoint_url=address, aws_access_key_id="test", aws_secret_access_key="test", region_name="us-east-1"
        )
        client.create_bucket(Bucket="artifacts")
        yield address
    finally:
        server.terminate()
        server.wait(30)


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_push_to_s3_and_pull_into_a_fresh_clone(toy, tmp_path, s3_address):
    toy.do("snakemake")
    toy.do("dvc", "remote", "add", "--default", "store", "s3://artifacts/toy")
    toy.do("dvc", "remote", "modify", "store", "endpointurl", s3_address)
    toy.commit()
    assert "files pushed" in toy.do("dvc", "push", **KEYS)
    clone = toy.clone(tmp_path / "clone")
    assert not (clone.path / "models/m").exists()
    assert "files fetched" in clone.do("dvc", "pull", **KEYS)
    assert clone.read("reports/sum.json") == '{"sum": 180}'
    assert_nothing_to_do(clone)
    clone.edit("params.yaml", "rate: 2", "rate: 3")
    clone.do("snakemake")
    assert ran(clone) == ["model", "sum"]
    clone.commit()
    assert "files pushed" in clone.do("dvc", "push", **KEYS)


def test_a_remote_that_does_not_answer_is_named_and_nothing_is_lost(toy):
    toy.do("snakemake")
    toy.do("dvc", "remote", "add", "--default", "store", "s3://artifacts/toy")
    toy.do("dvc", "remote", "modify", "store", "endpointurl", "http://127.0.0.1:9")  # the discard service's port
    toy.do("dvc", "remote", "modify", "store", "connect_timeout", "1")
    done = toy.call("dvc", "push", timeout=300, AWS_MAX_ATTEMPTS="1", **KEYS)
    assert done.returncode != 0
    assert "127.0.0.1:9" in done.stdout
    assert_nothing_to_do(toy)
