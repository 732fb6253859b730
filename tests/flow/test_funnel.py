"""Counts, tables and pictures of where rows went."""

import json
from collections import Counter

import pytest
from matplotlib.figure import Figure

from amt.drawing import save
from amt.errors import DataError
from amt.flow.funnel import category_of_source, count, fates, group_table, stage_table
from amt.flow.picture import group_funnel, stage_funnel
from tests.flow.conftest import LINES


def test_counts_of_every_source_and_stage_are_those_of_the_lines(ledgers):
    expected: Counter = Counter()
    for lines in LINES.values():
        for stage, name, outcome, reason, _ in lines:
            source = name.partition(":")[0]
            expected[source, stage, "in"] += 1
            expected[source, stage, "kept"] += outcome != "dropped"
            expected[source, stage, outcome if outcome in ("dropped", "changed") else "", reason] += 1
    for source, stages in count(ledgers).of_source.items():
        for stage, one in stages.items():
            assert one.rows_in == expected[source, stage, "in"]
            assert one.kept == expected[source, stage, "kept"]
            assert one.rows_in == one.kept + one.dropped.total()
            for reasons, outcome in ((one.dropped, "dropped"), (one.changed, "changed")):
                for reason, rows in reasons.items():
                    assert rows == expected.pop((source, stage, outcome, reason))
    assert not [key for key in expected if key[2] in ("dropped", "changed")]


def test_the_table_of_stages(ledgers):
    assert stage_table(count(ledgers).by_stage()) == [
        "stage                         in  kept  left out  reasons",
        "collect                        9     8         1  no ground truth 1",
        "clean                          8     7         1  url 1",
        "unique                         7     6         1  exact duplicate 1",
        "decontaminate                  6     5         1  benchmark exact 1",
        "verify math                    5     4         1  unclear 1, (changed: truth revised 1)",
        "filter responses (responses)   7     6         1  truncated 1",
        "score (responses)              6     6         0",
        "SFT set (responses)            6     3         3  low score 3",
        "SFT (responses)                3     3         0",
        "pass rates                     4     1         3  other category 2, too long 1",
        "RL set 1                       4     1         3  other category 2, too long 1",
        "RL stage 1                     1     1         0",
        "RL set 2                       4     2         2  always solved 1, not in stage1 1",
        "RL stage 2                     2     1         1  no signal 1",
    ]


def test_the_table_of_sources(ledgers):
    assert group_table("source", count(ledgers).of_source) == [
        "source  rows  collect  clean  unique  decontaminate  verify math  SFT responses  RL stage 1  RL stage 2  "
        "left out most for",
        "chats      2        2      2       2              2            2              1           –           1",
        "sums       7        6      5       4              3            2              2           1           –  "
        "no ground truth 1",
        "all        9        8      7       6              5            4              3           1           1  "
        "no ground truth 1",
    ]


def test_sources_are_grouped_by_the_category_that_collect_reported(project, ledgers):
    for source, category in (("sums", "math"), ("chats", "general_chat")):
        report = {"stage": "queries", "source": source, "kept_by_category": {category: 2}}
        (project / f"data/queries/{source}.report.json").write_text(json.dumps(report))
    groups = count(ledgers).grouped(category_of_source(project))
    assert {group: stages["queries"].rows_in for group, stages in groups.items()} == {"general_chat": 2, "math": 7}
    assert group_table("category", groups)[2].split()[:3] == ["math", "7", "6"]
    (project / "data/queries/sums.report.json").write_text('{"source": "sums"}')
    with pytest.raises(DataError, match=r"sums\.report\.json is no report of collect"):
        category_of_source(project)


def test_every_row_that_came_in_has_one_fate(ledgers):
    sums = fates(count(ledgers).of_source["sums"])
    assert (sums.rows_in, sums.kept) == (7, 2)
    assert sums.dropped == {
        ("queries", "no_ground_truth"): 1, ("unique", "exact_duplicate"): 1, ("clean", "url"): 1,
        ("decontaminate", "benchmark_exact"): 1, ("verify_math", "unclear"): 1,
    }  # fmt: skip


def _widths(figure: Figure) -> dict[int, list[float]]:
    """Of the parts of each bar, by the bar's place."""
    found: dict[int, list[float]] = {}
    for patch in figure.axes[0].patches:
        found.setdefault(round(patch.get_y() + patch.get_height() / 2), []).append(patch.get_width())
    return found


def test_bars_of_the_picture_are_the_rows(ledgers):
    stages = count(ledgers).by_stage()
    widths = _widths(stage_funnel(stages))
    assert [sum(widths[place]) for place in range(len(stages))] == [stage.rows_in for stage in stages]
    assert [widths[place][0] for place in range(len(stages))] == [stage.kept for stage in stages]
    sources = _widths(group_funnel(count(ledgers).of_source))
    assert [sources[place][0] for place in (0, 1)] == [1.0, pytest.approx(2 / 7)]
    assert all(sum(parts) == pytest.approx(1) for parts in sources.values())


@pytest.mark.parametrize("ending", ["svg", "png"])
def test_equal_counts_are_equal_bytes(ledgers, tmp_path, ending):
    counts = count(ledgers)
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
        save(tmp_path / folder / f"funnel.{ending}", lambda: group_funnel(counts.of_source))
    first, second = (tmp_path / folder / f"funnel.{ending}" for folder in ("first", "second"))
    assert first.read_bytes() == second.read_bytes()
    assert first.stat().st_size > 1000
