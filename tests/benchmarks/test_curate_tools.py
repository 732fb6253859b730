"""Ours as the benchmark runs it, the any-8-gram rule, measuring, and the smallest step of the ladder."""

import re
import subprocess
import sys
import time

import pyarrow.parquet as pq
import pytest

from benchmarks.curate.measure import PROJECT, measured, watching
from benchmarks.curate.peers.any8gram import first_hit, index
from benchmarks.curate.planted import shards_of
from benchmarks.curate.scale import LADDER, Step, last_line, sizes
from benchmarks.curate.score import read_truth, score

ITEM = "How many eggs does Janet sell every day at the market near her farm?"


@pytest.mark.parametrize(
    ("text", "hit"),
    [
        (ITEM, 1),
        # Eight words of it, in other letters and spacing, in the middle of another text.
        ("Tell me: HOW many  eggs\ndoes Janet sell every day or not", 1),
        ("Tell me: how many eggs does Janet sell every week", None),  # seven
        ("", None),
        ("eggs", None),
    ],
)
def test_any_eight_words_in_a_row_are_a_hit(text, hit):
    held = index(
        ["one two three four five six seven eight nine", ITEM, "how many eggs does janet sell every day again"]
    )
    assert first_hit(text, held) == hit


def test_memory_is_that_of_the_whole_tree():
    child = "held = bytearray(150_000_000); input()"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}], check=True)"
    with (
        subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, text=True) as process,
        watching(process.pid) as watch,
    ):
        while watch.peak_bytes < 150e6:
            assert process.poll() is None
            time.sleep(0.02)
        process.communicate("\n")
    assert watch.peak_bytes < 400e6


def test_seconds_are_those_that_it_says():
    run = measured([sys.executable, "-c", "print('this line is no figure')\nprint('{\"seconds\": 0.25}')"])
    assert run.seconds == 0.25


def test_a_tool_that_fails_is_told_with_its_words():
    with pytest.raises(RuntimeError, match=r"exit status 3(?s:.*)no such thing"):
        measured([sys.executable, "-c", "import sys; print('no such thing', file=sys.stderr); sys.exit(3)"])


@pytest.fixture(scope="module")
def merged(corpus, tmp_path_factory):
    """{module: what it merged} of the small corpus."""

    def run(module):
        removed = tmp_path_factory.mktemp("removed") / "removed.parquet"
        command = [sys.executable, "-m", f"benchmarks.curate.{module}", "--removed", str(removed)]
        told = measured([*command, *map(str, shards_of(corpus))])
        assert told.seconds > 0
        assert told.peak_bytes > 10e6
        pairs = pq.read_table(removed)
        return score(zip(pairs["row_id"].to_pylist(), pairs["same_as"].to_pylist()), read_truth(corpus)).merged

    return {module: run(module) for module in ("ours.exact", "ours.near")}


def test_ours_removes_copies_and_keeps_variants(merged):
    for found in merged.values():
        assert found["exact"] == 1
        assert found["normal_case"] == found["normal_unicode"] == found["normal_punctuation"] == 1
        assert found["number"] == found["operator"] == 0
    assert merged["ours.exact"]["light"] == 0
    assert merged["ours.near"]["light"] > 0.9


def test_sizes_up_to_the_largest():
    assert sizes(10_000_000) == list(LADDER)
    assert sizes(500_000) == [100_000, 300_000, 500_000]
    assert sizes(2_000) == [2_000]


def test_the_last_line_adds_the_stages_of_the_largest_size():
    steps = [Step(10, "near", 1.0, 3.0), Step(20, "near", 2.4, 2.0), Step(20, "ngram", 4.0, 1.0)]
    assert last_line(steps, 86_400.0) == (
        "scale: rows=20 wall_s=6 peak_gb=3.00 near_s=2 near_gb=2.00 ngram_s=4 ngram_gb=1.00 embed_extrapolated_s=86400"
    )


def test_the_smallest_step_of_the_ladder(tmp_path):
    command = [sys.executable, "-m", "benchmarks.curate.scale", "--rows", "2000", "--no-embedding"]
    done = subprocess.run([*command, "--output", str(tmp_path)], cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    figures = r"scale: rows=2000 wall_s=\d+ peak_gb=\d\.\d\d( (exact|near|filters|ngram)_(s=\d+|gb=\d\.\d\d)){8}"
    assert re.fullmatch(figures, done.stdout.splitlines()[-1]), done.stdout
    assert (tmp_path / "scale.png").read_bytes().startswith(b"\x89PNG")
    assert not (tmp_path / "corpus").exists()
