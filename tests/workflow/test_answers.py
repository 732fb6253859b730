"""Answers of endpoints are kept by DVC and shared: with clones, with experiments, over branches."""

import re
import shutil

import pytest

from tests.workflow.asking import CLEAN, assert_nothing_to_do
from tests.workflow.conftest import PROJECT

RULE = '''

rule ask:
    output:
        said="data/said.txt",
    log:
        "logs/ask.log",
    params:
        **reads("rate"),
    shell:
        """
        python -m scripts.ask \\
            --said {output.said:q} \\
            2>{log:q}
        """
'''
SCRIPT = """
import argparse
import os
from pathlib import Path

import yaml

from amt.endpoints.client import ChatClient, ChatRequest
from amt.placement import endpoint_cache

parser = argparse.ArgumentParser()
parser.add_argument("--said", type=Path)
said = parser.parse_args().said
rate = yaml.safe_load(Path("params.yaml").read_text())["rate"]
client = ChatClient(os.environ["ASKED"], "some/model", None, endpoint_cache(), 4, role="teacher", backoff_base_s=0.01)
requests = [
    ChatRequest([{"role": "user", "content": f"question {number}"}], 0.6, 0.95, 16, 1, f"row {number}")
    for number in range(10 * rate)
]
said.parent.mkdir(exist_ok=True)
said.write_text("".join(reply.text + chr(10) for reply in client.complete(requests)))
Path("ran").open("a").write("ask ")
"""


@pytest.fixture
def asking(toy, server, monkeypatch):
    """A toy with a stage that asks ten questions times the rate, 2."""
    monkeypatch.setenv("ASKED", server.address)
    toy.write(
        "Snakefile",
        toy.read("Snakefile").replace('"reports/sum.json",', '"reports/sum.json", "data/said.txt",', 1) + RULE,
    )
    toy.write("scripts/ask.py", SCRIPT)
    ignored = [line for line in (PROJECT / ".gitignore").read_text().splitlines() if line.startswith("/cache/")]
    toy.write(".gitignore", toy.read(".gitignore") + "\n".join([*ignored, "/said\n"]))
    toy.do("python", "-m", "amt.build", "export")
    toy.commit()
    return toy


def segments(toy) -> list[str]:
    return sorted(file.name for file in (toy.path / "cache/endpoints/answers").glob("*"))


def test_a_clone_that_pulls_asks_nothing_that_was_paid_for(asking, server, tmp_path):
    asking.do("snakemake")
    assert server.answered.total() == 20
    assert_nothing_to_do(asking)
    assert len(segments(asking)) == 1
    asking.do("dvc", "remote", "add", "--default", "store", str(tmp_path / "store"))
    asking.commit()
    asking.do("dvc", "push")
    clone = asking.clone(tmp_path / "clone")
    clone.do("dvc", "pull")
    assert segments(clone) == segments(asking)
    said = clone.read("data/said.txt")
    clone.edit("params.yaml", "rate: 2", "rate: 3")  # ten more questions
    clone.do("dvc", "repro")
    assert server.answered.total() == 30
    assert clone.read("data/said.txt").startswith(said)
    assert_nothing_to_do(clone)
    # Only the new answers are in a new segment.
    assert set(segments(asking)) < set(segments(clone))
    assert len(segments(clone)) == 2


def test_new_answers_of_a_clone_that_has_not_pulled_the_old_ones_take_none_away(asking, server, tmp_path):
    asking.do("snakemake")
    asking.do("dvc", "remote", "add", "--default", "store", str(tmp_path / "store"))
    asking.commit()
    asking.do("dvc", "push")
    clone = asking.clone(tmp_path / "clone")
    clone.edit("scripts/ask.py", 'f"question', 'f"another question')
    clone.do("snakemake")
    assert server.answered.total() == 40
    clone.do("dvc", "pull", "cache/endpoints/answers")
    assert set(segments(asking)) < set(segments(clone))
    assert len(segments(clone)) == 2


def test_experiments_in_folders_of_their_own_share_the_answers(asking, server):
    asking.do("snakemake")
    asking.commit()
    asking.do("dvc", "exp", "run", "--temp", "--set-param", "rate=3")
    assert server.answered.total() == 30
    asking.do("dvc", "exp", "run", "--temp", "--set-param", "rate=4")
    assert server.answered.total() == 40
    asking.edit("params.yaml", "rate: 2", "rate: 4")
    asking.do("snakemake")
    assert server.answered.total() == 40
    assert CLEAN in asking.do("dvc", "status")


def test_answers_outlive_garbage_collection_and_a_lost_database_and_a_damaged_segment_is_named(asking, server):
    asking.do("snakemake")
    asking.commit()
    asking.do("amt", "gc", "--yes")
    (name,) = segments(asking)
    shutil.rmtree(asking.path / "cache")
    asking.do("git", "checkout", "--", ".")
    asking.do("dvc", "checkout")
    kept = asking.path / "cache/endpoints/answers" / name
    content = kept.read_bytes()
    kept.unlink()
    kept.write_bytes(content[:100] + bytes([content[100] ^ 1]) + content[101:])
    asking.edit("params.yaml", "rate: 2", "rate: 1")
    assert asking.call("snakemake").returncode == 1
    assert re.search(rf"{name}, answers of endpoints that DVC keeps, .*dvc pull", asking.read("logs/ask.log"))
    kept.unlink()
    asking.do("dvc", "checkout")
    asking.do("snakemake")
    assert server.answered.total() == 20


def test_a_folder_beside_the_project_is_no_part_of_it(asking, server):
    """However it is written."""
    asking.write("where.yaml", "endpoint_cache: ../shared\n")
    asking.do("snakemake", AMT_PLACEMENT="where.yaml")
    assert server.answered.total() == 20
    assert (asking.path.parent / "shared" / "answers.sqlite").exists()
    assert not (asking.path.parent / "shared" / "answers").exists()
    assert not list(asking.path.rglob("answers.dvc"))


def test_what_was_spent_is_told(asking):
    assert "nothing was asked yet" in asking.do("amt", "spending")
    asking.write("where.yaml", "endpoint_budget: 5\nendpoint_currency: EUR\n")
    asking.do("snakemake")
    said = asking.do("amt", "spending", AMT_PLACEMENT="where.yaml").splitlines()
    assert said[1].split() == ["teacher", "some/model", "20", "0", "0", "60", "20", "not", "known", "-"]
    assert said[-1] == "left of endpoint_budget: 5.00 EUR"
