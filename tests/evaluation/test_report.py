"""The page and the metrics of small hand-made inputs (conftest.py); expected numbers are worked out by hand."""

import json
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser

import pyarrow as pa
import pytest

from amt.errors import DataError
from amt.evaluation.paper import FIGURE_4
from amt.evaluation.report import samples_and_tokens, standins, write_all
from amt.params import load
from amt.rows import ledger_of, read_rows, write_rows, write_table

SOURCES = 38


class Page(HTMLParser):
    """Text, tables as lists of rows of cells, and everything that the page loads from elsewhere."""

    def __init__(self, html):
        super().__init__()
        self.text, self.tables, self.loaded, self.images, self._in_cell = "", [], [], 0, False
        self.feed(html)
        self.text = " ".join(self.text.split())

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
            self._in_cell = True
        elif tag == "img":
            self.images += attrs["src"].startswith("data:image/svg+xml;base64,")
        for name in ("src", "href"):
            target = attrs.get(name, "#")
            if not target.startswith(("#", "data:")):
                self.loaded.append(target)

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self._in_cell = False

    def handle_data(self, data):
        self.text += " " + data
        if self._in_cell:
            self.tables[-1][-1][-1] = " ".join(f"{self.tables[-1][-1][-1]} {data}".split())

    def table(self, *header):
        """Rows of the table whose header begins so."""
        (found,) = [table for table in self.tables if tuple(table[0][: len(header)]) == header]
        return found[1:]


def _write(inputs, recipe, out):
    wrong = [{"row_id": "openr1_math_220k:2/1"}, {"row_id": "openr1_math_220k:3/0"}, {"row_id": "openr1_math_220k:3/1"}]
    return write_all(
        inputs,
        recipe,
        planted_responses={"response_wrong": wrong},
        teacher_habit="It skips steps",
        page=out / "index.html",
        metrics=out / "metrics.json",
        figures=out / "figures",
    )


@pytest.fixture(scope="module")
def report(report_inputs, laptop, tmp_path_factory):
    out = tmp_path_factory.mktemp("reports")
    metrics = _write(report_inputs, laptop, out)
    return Page((out / "index.html").read_text()), metrics, out


def test_metrics(report):
    _, metrics, out = report
    assert json.loads((out / "metrics.json").read_text()) == metrics
    assert metrics["rows_in"] == 5 + 3 * (SOURCES - 1)
    assert metrics["rows_sft"] == 3
    assert metrics["pass_at_1"] == {"base": 0.0625, "sft": 0.5, "rl1": 0.625, "rl2": 0.8125}
    # Gains of the four questions: 1/4, 1/2, 1/4, 1/4; t with 3 degrees of freedom is 3.1824.
    assert metrics["gain"] == 0.3125
    assert metrics["ci95"] == pytest.approx([0.3125 - 3.1824 * 0.0625, 0.3125 + 3.1824 * 0.0625], abs=1e-5)
    assert metrics["not_judged"]["rl2"] == 3
    assert metrics["win_rate"] == {"arena_like": {"base": 0.125, "sft": 0.375, "rl1": 0.5, "rl2": 0.75}}


def test_headline(report):
    page, _, _ = report
    assert "raised the fine-tuned model's pass@1 by +31.2 points" in page.text.replace("’", "'")
    assert "+11.4 to +51.1" in page.text


def test_page_stands_alone(report):
    page, _, out = report
    assert page.loaded == []
    assert page.images == len(list((out / "figures").glob("*.svg"))) == 8


def test_rows_of_every_stage(report):
    page, _, _ = report
    rows = {row[0]: row[1:] for row in page.table("Stage", "In")}
    total = 4 + 3 * (SOURCES - 1)
    assert rows["collect"] == [str(total + 1), str(total - 1), "2", "no ground truth 2", ""]
    assert rows["clean"] == [str(total - 1), str(total - 3), "2", "url 2", ""]
    assert rows["unique"] == [str(total - 3), str(total - 4), "1", "exact duplicate 1", ""]
    assert rows["verify math"] == [str(total - 4), str(total - 4), "0", "", "ground truth revised 1"]
    assert rows["filter responses (responses)"][:4] == [str(total - 4), str(total - 5), "1", "repetition 1"]


def test_rows_of_every_source(report):
    page, _, _ = report
    rows = {row[0]: row[1:] for row in page.table("Source", "Published")}
    # Published, collect, clean, unique, decontaminate, verify math, SFT samples.
    assert rows["openr1_math_220k"] == ["5", "4", "2", "2", "2", "2", "2"]
    assert rows["big_math_rl_verified"] == ["3", "2", "2", "2", "2", "2", "1"]
    total = 4 + 3 * (SOURCES - 1)
    assert rows["all"] == [*map(str, (total + 1, total - 1, total - 3, total - 4, total - 4, total - 4)), "3"]


def test_found_against_planted(report):
    page, metrics, _ = report
    assert page.table("Fault", "Planted") == [
        ["url", "3", "1", "1", "1", "50.0 %", "1"],
        # Of the wrong responses one is scored 0, one is scored 1, and one never reached the score.
        ["response wrong", "3", "1", "1", "1", "50.0 %", "0"],
    ]
    assert metrics["found"] == {"url": {"planted": 3, "found": 1}, "response_wrong": {"planted": 3, "found": 1}}


def test_scores_of_responses(report):
    page, _, _ = report
    assert page.table("Judged by", "Responses") == [
        ["math", "2", "50.0 %", "0", "0"],
        ["reward model", "1", "0.0 %", "0", "0"],
    ]


def test_rl_curves_in_numbers(report):
    page, _, _ = report
    rows = {row[0]: row[1:] for row in page.table("", "RL stage 1: first")}
    # Stage 1: 0.4 + n/100 over 24 steps, stage 2: 0.55 + n/100 over 16; means of the first and last five.
    assert rows["Mean reward"] == ["43.0 %", "62.0 %", "58.0 %", "69.0 %"]
    assert rows["Reward: math"] == ["25.0 %", "25.0 %", "–", "–"]
    assert rows["Steps"] == ["24 (ended by max steps)", "16 (ended by max steps)"]
    assert rows["Queries in the set"] == ["37", "29"]


def test_mixture(report):
    page, _, _ = report
    rows = {row[0]: row[1:] for row in page.table("Category", "Samples")}
    # Ours, then those of Figure 4.
    assert rows["math"] == ["2", "66.7", "8", "80.0", "1,008,900", "35.5", "3,063,300,000", "41.8"]
    assert rows["general chat"] == ["1", "33.3", "2", "20.0", "1,088,500", "38.3", "1,646,700,000", "22.5"]
    assert rows["code"] == ["0", "0.0", "0", "0.0", "465,400", "16.4", "2,261,900,000", "30.9"]


def test_figure_4_adds_up():
    """2,842.6K samples and 7,328M tokens; the shares printed there follow from the counts."""
    samples = sum(part.samples for part in FIGURE_4.values())
    tokens = sum(part.tokens for part in FIGURE_4.values())
    assert (samples, tokens) == (2_842_600, 7_328_000_000)
    shares = {
        name: (round(100 * part.samples / samples, 1), round(100 * part.tokens / tokens, 1))
        for name, part in FIGURE_4.items()
    }
    assert shares == {
        "math": (35.5, 41.8),
        "code": (16.4, 30.9),
        "science": (4.3, 2.2),
        "instruction_follow": (5.5, 2.6),
        "general_chat": (38.3, 22.5),
    }


def test_every_standin_is_named(report, laptop):
    page, _, _ = report
    rows = page.table("Part", "In this build")
    parts = [row[0] for row in rows]
    assert f"{len(rows)} parts of this build are stand-ins" in page.text
    assert parts[:2] == ["base model", "reward model"]
    assert sum(part.startswith("endpoint:") for part in parts) == 6
    assert f"{SOURCES} of {SOURCES} datasets" in parts
    assert {"benchmark aime_like", "benchmark arena_like"} <= set(parts)
    for source in laptop.sources:
        assert any(source in row[1] for row in rows)


def test_the_papers_recipe_has_no_standins():
    assert standins(load("recipes/am-thinking-v1-32b.yaml")) == []


def test_evaluation_and_gains(report):
    page, _, _ = report
    rows = page.table("Benchmark", "Model")
    assert [row[1] for row in rows] == ["base", "SFT", "RL stage 1", "RL stage 2"] * 2
    assert rows[3][2] == "81.2"
    assert rows[7][-1] == "3"
    assert "unreadable verdict: base 0, SFT 0, RL stage 1 0, RL stage 2 4." in page.text
    gains = page.table("Benchmark", "From")
    assert gains[0][1:5] == ["SFT", "RL stage 2", "+31.2", "+11.4 … +51.1"]
    assert gains[1][1:4] == ["base", "SFT", "+43.8"]


def test_the_papers_scores_stand_beside_ours(report_inputs, laptop, tmp_path):
    paper = load("recipes/am-thinking-v1-32b.yaml").published
    published = paper.model_copy(update={"scores": {"aime_like": 0.853}})
    _write(report_inputs, laptop.model_copy(update={"published": published}), tmp_path)
    page = Page((tmp_path / "index.html").read_text())
    assert page.table("Benchmark", "Model")[4][1:3] == ["AM-Thinking-v1 (paper)", "85.3"]


def test_equal_inputs_give_equal_bytes(report, report_inputs, laptop, tmp_path):
    _, _, out = report
    _write(report_inputs, laptop, tmp_path)
    assert (tmp_path / "index.html").read_bytes() == (out / "index.html").read_bytes()


def test_a_row_that_is_lost_between_two_stages_fails_the_report(report_inputs, laptop, tmp_path):
    (path,) = (path for path in report_inputs.ledgers if path.parent.name == "clean")
    entries = read_rows(path)
    write_rows(tmp_path / "ledger.parquet", entries[:5] + entries[6:], ledger_of("clean"))
    ledgers = [tmp_path / "ledger.parquet" if other == path else other for other in report_inputs.ledgers]
    lost = re.escape(entries[5]["row_id"])
    with pytest.raises(DataError, match=rf"clean: 1 row kept by queries did not come in, e\.g\. {lost}"):
        _write(replace(report_inputs, ledgers=ledgers), laptop, tmp_path / "out")
    without = [other for other in ledgers if other.parent != tmp_path]
    with pytest.raises(DataError, match=r"no ledger among .* is of clean"):
        _write(replace(report_inputs, ledgers=without), laptop, tmp_path / "out")
    assert not list(tmp_path.rglob("index.html"))


def test_a_model_without_scores_or_journal_is_named(report_inputs, laptop, tmp_path):
    with pytest.raises(DataError, match="No scores of rl2"):
        _write(replace(report_inputs, scores=report_inputs.scores[:3]), laptop, tmp_path)
    broken = tmp_path / "rl1"
    shutil.copytree(report_inputs.rl1, broken)
    (broken / "metrics.jsonl").write_text('{"step": 1, "reward": 0.5}\n')
    with pytest.raises(DataError, match=r"rl1/metrics.jsonl lacks .* \(it has: step, reward\)"):
        _write(replace(report_inputs, rl1=broken), laptop, tmp_path)
    assert not (tmp_path / "index.html").exists()


def test_the_sft_set_is_counted_a_part_at_a_time(tmp_path, own_pool):
    lengths = [number % 7 for number in range(30_000)]
    categories = ["math" if number % 3 else "code" for number in range(30_000)]
    token_ids = [[5] * length for length in lengths]
    columns = {"category": categories, "token_ids": token_ids, "loss_mask": ["x" * 500] * 30_000}
    write_table(tmp_path / "samples.parquet", pa.table(columns))
    with own_pool() as pool:
        samples, tokens = samples_and_tokens(tmp_path / "samples.parquet")
    assert samples == {"math": 20_000, "code": 10_000}
    assert tokens == {
        name: sum(length for length, category in zip(lengths, categories) if category == name) for name in samples
    }
    assert pool.max_memory() < 30_000 * 500 / 5
