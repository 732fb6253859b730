"""The ledger against a dictionary that holds everything, whatever is spilled and merged on the way."""

import os
import signal
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amt.ledger import Ledger
from amt.rows import LEDGER, ROW_GROUP_ROWS, read_rows, read_table

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def scratch(tmp_path, monkeypatch):
    """Where runs are spilled."""
    monkeypatch.chdir(tmp_path)
    return tmp_path / "scratch"


def row(name: str) -> dict:
    return {"row_id": name, "source": name.split(":")[0]}


def record(book: Ledger, name: str, outcome: str, number: int) -> None:
    if outcome == "kept":
        book.keep(row(name))
    elif outcome == "dropped":
        book.drop(row(name), f"reason_{number % 3}", f"because {number}")
    elif outcome == "changed":
        book.change(row(name), f"change_{number % 2}")
    elif outcome == "packed":
        book.pack(row(name), [(number, 0)])
    elif outcome == "repeated":
        book.pack(row(name), [(number + 1, 2), (number, 1)])
    else:
        book.use(row(name), [number, number + 5], mean_reward=[0.5, None])


def line(name: str, outcome: str, number: int) -> dict:
    reason, detail = {
        "kept": (None, None),
        "dropped": (f"reason_{number % 3}", f"because {number}"),
        "changed": (f"change_{number % 2}", None),
        "packed": (None, f'{{"packs":[[{number},0]]}}'),
        "repeated": (None, f'{{"packs":[[{number},1],[{number + 1},2]]}}'),
        "used": (None, f'{{"mean_reward":[0.5,null],"steps":[{number},{number + 5}]}}'),
    }[outcome]
    cells = {"row_id": name, "source": name.split(":")[0], "stage": "test"}
    return cells | {"outcome": outcome, "reason": reason, "detail": detail}


OUTCOMES = st.sampled_from(["kept", "dropped", "changed", "packed", "repeated", "used"])
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=6)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.dictionaries(NAMES, OUTCOMES, max_size=80), st.integers(1, 9), st.integers(2, 4))
def test_it_holds_what_was_recorded_sorted_and_counted(tmp_path, outcomes, buffer_rows, most_runs):
    book = Ledger("test", buffer_rows=buffer_rows, most_runs=most_runs)
    expected, dropped, changed = [], {}, {}
    for number, (name, outcome) in enumerate(outcomes.items()):
        record(book, name, outcome, number)
        expected.append(line(name, outcome, number))
        counts = {"dropped": dropped, "changed": changed}.get(outcome)
        if counts is not None:
            counts[expected[-1]["reason"]] = counts.get(expected[-1]["reason"], 0) + 1
    kept = len(outcomes) - sum(dropped.values())
    report = book.report(len(outcomes), kept)
    assert (report.rows_in, report.kept, report.dropped, report.changed) == (len(outcomes), kept, dropped, changed)
    book.write(tmp_path / "ledger.parquet")
    assert read_rows(tmp_path / "ledger.parquet", LEDGER) == sorted(expected, key=lambda line: line["row_id"])


def test_equal_content_is_equal_bytes_however_it_came_and_was_spilled(tmp_path, scratch):
    names = [f"source_{number % 7}:{number:06}" for number in range(2 * ROW_GROUP_ROWS + 100)]
    files = []
    for number, (order, buffer_rows) in enumerate(((names, 10**6), (names[::-1], 3000), (names[::3], 2000))):
        order = list(dict.fromkeys([*order, *names]))
        book = Ledger("test", buffer_rows=buffer_rows, most_runs=4)
        for name in order:
            record(book, name, "dropped", int(name[-6:]))
        files.append(tmp_path / f"{number}.parquet")
        book.write(files[-1])
    assert scratch.exists()
    assert len({file.read_bytes() for file in files}) == 1
    metadata = pq.read_metadata(files[0])
    assert [metadata.row_group(number).num_rows for number in range(3)] == [ROW_GROUP_ROWS, ROW_GROUP_ROWS, 100]


@pytest.mark.parametrize("buffer_rows", [1, 2, 3, 100])
@pytest.mark.parametrize("again", ["a:1", "b:2", "c:9"])
def test_a_row_recorded_twice_fails_the_stage_and_leaves_no_file(tmp_path, buffer_rows, again):
    book = Ledger("test", buffer_rows=buffer_rows)
    for name in ("c:9", "a:1", "b:2"):
        book.keep(row(name))
    book.drop(row(again), "late")
    with pytest.raises(ValueError, match=f"test: row {again} was recorded twice"):
        book.write(tmp_path / "out" / "ledger.parquet")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(("rows_in", "rows_out"), [(4, 2), (2, 2), (3, 3), (3, 1)])
def test_counts_that_do_not_add_up_fail_the_stage(rows_in, rows_out):
    book = Ledger("test")
    book.keep(row("a:1"))
    book.change(row("a:2"), "rewritten")
    book.drop(row("a:3"), "url")
    assert book.report(3, 2).dropped == {"url": 1}
    with pytest.raises(ValueError, match=f"test: {rows_in} rows in, {rows_out} out, .* 2 kept and 1 dropped"):
        book.report(rows_in, rows_out)


PEAK = """
import sys, tracemalloc
import pyarrow as pa
from amt.ledger import Ledger

def make(rows, buffer_rows, path):
    book = Ledger("test", buffer_rows=buffer_rows, most_runs=4)
    for number in range(rows):
        row = {"row_id": f"source:{number * 7919 % rows:09}", "source": "source"}
        book.drop(row, "reason", f"a detail of some length, {number}")
    book.write(path)

rows, buffer_rows, path = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
make(100, 10, path)  # what is imported on the way does not count
pool = pa.proxy_memory_pool(pa.default_memory_pool())
pa.set_memory_pool(pool)
tracemalloc.start()
make(rows, buffer_rows, path)
print(tracemalloc.get_traced_memory()[1] + pool.max_memory(), flush=True)
"""


@pytest.fixture
def peak_bytes(tmp_path):
    """Of a ledger while it is made, by a process of its own, since threads of other tests allocate too: Python's
    objects and Arrow's buffers, which Python does not see."""

    def peak_bytes(rows: int, buffer_rows: int) -> int:
        command = [sys.executable, "-c", PEAK, str(rows), str(buffer_rows), str(tmp_path / f"{rows}.parquet")]
        return int(subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout)

    return peak_bytes


def test_memory_does_not_grow_with_the_rows(tmp_path, peak_bytes):
    # 12 and 48 runs of 4,096 lines, of which four make a larger one: in the end three are merged, of 16,384 or 65,536.
    few, many = (peak_bytes(rows, 4_096) for rows in (50_000, 200_000))
    assert read_table(tmp_path / "200000.parquet").num_rows == 200_000
    assert many < 1.3 * few
    assert peak_bytes(200_000, 1_000_000) > 2 * many  # so growth would be seen


def test_lines_that_wait_take_a_hundred_bytes_each(own_pool):
    """Beside their texts, of 53 characters here."""
    with own_pool() as pool:
        tracemalloc.start()
        book = Ledger("test")
        for number in range(90_000):
            book.drop(row(f"source:{number:09}"), "reason", f"the detail {number:06}")
        taken = tracemalloc.get_traced_memory()[0] + pool.bytes_allocated()
        tracemalloc.stop()
    assert taken < 90_000 * (53 + 100)


SPILLING = """
import sys, time
from amt.ledger import Ledger
book = Ledger("test", buffer_rows=10)
for number in range(1000):
    book.keep({"row_id": f"s:{number}", "source": "s"})
if sys.argv[1] == "raise":
    raise RuntimeError("the stage failed")
print("spilled", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("end", ["raise", "kill"])
def test_a_stage_that_fails_or_is_killed_leaves_nothing(tmp_path, scratch, end):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", SPILLING, end], cwd=tmp_path, env=environment, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True,
    ) as process:  # fmt: skip
        if end == "kill":
            assert process.stdout.readline() == "spilled\n"
            process.send_signal(signal.SIGKILL)
        assert process.wait(60) != 0
    assert scratch.is_dir()
    assert list(scratch.iterdir()) == []
    assert [path.name for path in tmp_path.iterdir()] == ["scratch"]
