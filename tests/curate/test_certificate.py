"""What a certificate proves, and what it refuses."""

import json
import math

import pytest

from amt.curate.certificate import Rate, certify, require_certificate
from amt.curate.decontaminate import decontaminate
from amt.endpoints.client import ChatClient
from amt.errors import DataError
from amt.rows import QUERY, read_rows, write_rows
from amt.standins.benchmarks import write_standin_benchmark
from amt.standins.roles import reply
from tests.curate.conftest import query
from tests.curate.endpoint import Endpoint

KINDS = ("verbatim", "light", "heavy", "embedded", "paraphrased", "translated")
STRICT = {"cosine": 0.999, "cosine_without_numbers": 0.999}
NOT_ASKED = dict.fromkeys(KINDS, 0.0)


class Writer:
    """Writes as the stand-in does, and then has `change(task, written)` say what it answers and why it ended."""

    def __init__(self):
        self.change = lambda task, written: (written, "stop")

    def answer(self, request, task):
        return self.change(task, reply(1, request["model"], request["messages"], request["seed"]).text)


@pytest.fixture
def writer():
    writer = Writer()
    with Endpoint(writer.answer) as endpoint:
        writer.address = endpoint.address
        yield writer


@pytest.fixture
def benchmarks(recipe, tmp_path):
    """8 word problems and 8 chat questions."""
    for name in ("aime_like", "arena_like"):
        settings = recipe.benchmarks[name].model_copy(update={"questions": 8})
        write_standin_benchmark(name, settings, tmp_path / f"{name}.parquet")
    return [tmp_path / "aime_like.parquet", tmp_path / "arena_like.parquet"]


@pytest.fixture
def run_certify(recipe, writer, benchmarks, tmp_path):
    """certify() with 4 copies of each kind of each benchmark, and a ledger of `rows`; returns (content, page)."""

    def run(asked=None, settings=None, rows=(("task_mmmlu:1", "What is a lake?"),), verdicts="[]", also=()):
        settings = recipe.curate.decontaminate.model_copy(update=settings or {})
        write_rows(tmp_path / "queries.parquet", [query(text, row_id) for row_id, text in rows], QUERY)
        (tmp_path / "verdicts.yaml").write_text(verdicts)
        decontaminate(
            queries=tmp_path / "queries.parquet",
            benchmarks=benchmarks,
            verdicts=tmp_path / "verdicts.yaml",
            kept=tmp_path / "kept.parquet",
            ledger=tmp_path / "ledger.parquet",
            report=tmp_path / "report.json",
            settings=recipe.curate.decontaminate,
        )
        certify(
            benchmarks=[*benchmarks, *also],
            ledgers=[tmp_path / "ledger.parquet"],
            certificate=tmp_path / "certificate.json",
            page=tmp_path / "certificate.md",
            settings=settings,
            asked=recipe.curate.certificate.model_copy(update={"copies_per_kind": 8} | (asked or {})),
            endpoint=recipe.endpoints.paraphraser,
            client=ChatClient(writer.address, recipe.endpoints.paraphraser.model, None, tmp_path / "cache", 4),
            seed=recipe.seed,
        )
        return json.loads((tmp_path / "certificate.json").read_text()), (tmp_path / "certificate.md").read_text()

    return run


def test_the_certificate_says_what_was_found_of_each_kind_and_benchmark(run_certify, tmp_path):
    content, page = run_certify({"min_recall": NOT_ASKED})
    assert content["benchmarks"] == ["aime_like", "arena_like"]
    assert content["items"] == 16
    assert tuple(content["recall"]) == tuple(sorted(KINDS))
    for found in content["recall"].values():
        assert {name: own["of"] for name, own in found["benchmarks"].items()} == {"aime_like": 4, "arena_like": 4}
        assert found["of"] == 8
        assert found["found"] == sum(own["found"] for own in found["benchmarks"].values())
    assert content["recall"]["verbatim"]["found"] == content["recall"]["embedded"]["found"] == 8
    assert len(content["missed"]) == sum(found["of"] - found["found"] for found in content["recall"].values()) > 0
    assert "| verbatim | all | 8 | 8 | 1.000 | 0.676 to 1.000 | nothing | 0 |" in page
    assert "|  | arena_like | 4 | 4 | 1.000 | 0.510 to 1.000 |  | 0 |" in page
    assert "standin/paraphraser, a stand-in: they are no real ones" in page
    require_certificate(tmp_path / "certificate.json")


def test_a_recall_below_the_parameter_ends_the_build_with_the_figures(run_certify, tmp_path):
    with pytest.raises(
        DataError,
        match=r"paraphrased: \d of 8 copies were found .*min_recall.paraphrased is 0.95, missed for example",
    ):
        run_certify(settings=STRICT)
    assert not (tmp_path / "certificate.json").exists()
    with pytest.raises(DataError, match=r"certificate.json does not exist"):
        require_certificate(tmp_path / "certificate.json")


@pytest.mark.parametrize("blind", ["aime_like", "arena_like"])
def test_a_benchmark_that_is_not_found_ends_the_build_whatever_others_are(run_certify, writer, benchmarks, blind):
    """4 of 4 and 0 of 4 are the half that is asked for; of 0 of 4 the 95 % interval ends at z²/(4 + z²) = 0.490."""
    (path,) = (path for path in benchmarks if path.stem == blind)
    unknown = {row["query"] for row in read_rows(path, QUERY)}
    writer.change = lambda task, written: ("Why is the sky blue?" if task in unknown else written, "stop")
    with pytest.raises(DataError) as refused:
        run_certify({"min_recall": NOT_ASKED | {"paraphrased": 0.5}})
    assert f"paraphrased: 0 of 4 copies of items of {blind} were found, at best 0.490 of all" in str(refused.value)
    assert str(refused.value).count("were found") == 1


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda task, written: (task, "stop"), "repeats_item"),
        (lambda task, written: (f"**{task.upper()}**", "stop"), "repeats_item"),
        (lambda task, written: (f"The task is: {task}", "stop"), "repeats_item"),
        (lambda task, written: (f"<think>hm</think><answer>{task}</answer>", "stop"), "repeats_item"),
        (lambda task, written: (written, "length"), "cut_off"),
        (lambda task, written: (written, "content_filter"), "cut_off"),
        (lambda task, written: (f"<think>It says: {task} In other words", "stop"), "cut_off"),
        (lambda task, written: (f"<think>It says: {task}</think>", "stop"), "no_answer"),
        (lambda task, written: (f"<think>hm</think><answer>{written}", "stop"), "no_answer"),
    ],
)
def test_what_is_no_paraphrase_is_not_looked_for(run_certify, writer, change, fault):
    writer.change = change
    content, page = run_certify({"min_recall": NOT_ASKED})
    for kind in ("paraphrased", "translated"):
        found = content["recall"][kind]
        assert found["of"] == 0
        assert [own["no_copies"] for own in found["benchmarks"].values()] == [{fault: 4}] * 2
    assert f"|  | aime_like | 0 | 0 | 0.000 | 0.000 to 1.000 |  | 4 {fault} |" in page
    with pytest.raises(
        DataError, match=rf"paraphrased: of 4 replies on items of aime_like 0 can be looked for \(4 {fault}\)"
    ):
        run_certify({"min_recall": NOT_ASKED | {"paraphrased": 0.01}})


def test_half_of_a_benchmark_s_replies_are_enough_and_they_alone_are_counted(run_certify, writer, benchmarks):
    place = {row["query"]: number for path in benchmarks for number, row in enumerate(read_rows(path, QUERY))}
    asked = {"copies_per_kind": 16, "min_recall": NOT_ASKED | {"paraphrased": 0.9}}
    writer.change = lambda task, written: (task if place[task] < 4 else written, "stop")
    content, _ = run_certify(asked)
    assert content["recall"]["paraphrased"]["of"] == 8
    assert content["recall"]["paraphrased"]["benchmarks"]["arena_like"]["no_copies"] == {"repeats_item": 4}


def test_an_item_that_the_endpoint_refuses_has_no_copy(run_certify, writer, benchmarks):
    items = {row["query"]: number for number, row in enumerate(read_rows(benchmarks[0], QUERY))}
    writer.change = lambda task, written: (written, "refused" if items.get(task) == 3 else "stop")
    content, _ = run_certify({"copies_per_kind": 16, "min_recall": NOT_ASKED})
    for kind in ("paraphrased", "translated"):
        assert content["recall"][kind]["of"] == 15
        assert content["recall"][kind]["benchmarks"]["aime_like"]["no_copies"] == {"no_answer": 1}


def test_less_than_half_of_one_benchmark_s_replies_end_the_build(run_certify, writer, benchmarks):
    place = {row["query"]: number for number, row in enumerate(read_rows(benchmarks[1], QUERY))}
    writer.change = lambda task, written: (task if place.get(task, 9) < 5 else written, "stop")
    with pytest.raises(
        DataError,
        match=r"of 8 replies on items of arena_like 3 can be looked for \(5 repeats_item\).* endpoints.paraphraser",
    ):
        run_certify({"copies_per_kind": 16, "min_recall": NOT_ASKED | {"paraphrased": 0.9}})


def test_a_reasoning_endpoint_s_copy_is_its_answer_alone(run_certify, writer):
    writer.change = lambda task, written: (f"<think>The task: {task}</think>\n<answer>\n{written}\n</answer>", "stop")
    content, _ = run_certify({"min_recall": NOT_ASKED}, STRICT)
    copies = [one["copy"] for one in content["missed"] if one["kind"] == "paraphrased"]
    assert len(copies) >= 4
    assert not [copy for copy in copies if "<" in copy or copy != copy.strip()]


def test_a_benchmark_without_items_is_refused(run_certify, tmp_path):
    write_rows(tmp_path / "livecodebench.parquet", [], QUERY)
    with pytest.raises(DataError, match=r"benchmarks.livecodebench has no items.*Change its window"):
        run_certify(also=[tmp_path / "livecodebench.parquet"])


# --- false positives --------------------------------------------------------------------------------------


def clean_rows(benchmarks):
    """A row that stays, two that are removed for items 0 and 1, and one of another source that is too."""
    items = read_rows(benchmarks[0], QUERY)
    rows = [("task_mmmlu:1", "What is a lake?"), *((f"task_mmmlu:{n + 2}", items[n]["query"]) for n in range(2))]
    return [*rows, ("openhermes_2_5:1", items[2]["query"])], [item["row_id"] for item in items]


def test_rows_of_clean_sources_that_the_rules_removed_are_removed_wrongly(run_certify, benchmarks):
    rows, items = clean_rows(benchmarks)
    said = f"- {{row_id: 'task_mmmlu:3', item: '{items[1]}', verdict: remove, why: a copy after all}}\n"
    asked = {"min_recall": NOT_ASKED, "clean_sources": ["task_mmmlu", "flan"]}
    content, page = run_certify(asked | {"max_false_positives": 0.5}, rows=rows, verdicts=said)
    wrong = content["false_positives"]
    assert (wrong["found"], wrong["of"], wrong["share"], wrong["allowed"]) == (1, 2, 0.5, 0.5)
    assert [(row["row_id"], row["item"], row["rule"]) for row in content["removed_wrongly"]] == [
        ("task_mmmlu:2", items[0], "benchmark_exact")
    ]
    assert "of the rows of task_mmmlu, flan, which hold no benchmark item: 1 of 2 (0.5000" in page
    assert f"- task_mmmlu:2 for {items[0]}, benchmark_exact: {rows[1][1]}" in page
    with pytest.raises(
        DataError, match=r"1 of 2 rows of curate.certificate.clean_sources were removed \(0.5000\), .*is 0.49; for exam"
    ):
        run_certify(asked | {"max_false_positives": 0.49}, rows=rows, verdicts=said)


def test_clean_sources_without_a_row_are_refused_and_none_named_is_told(run_certify):
    with pytest.raises(DataError, match=r"no row of flan, logic_701 came into decontamination"):
        run_certify({"min_recall": NOT_ASKED, "clean_sources": ["flan", "logic_701"]})
    content, page = run_certify({"min_recall": NOT_ASKED, "clean_sources": []})
    assert content["false_positives"]["of"] == 0
    assert "False positives are not measured" in page


@pytest.mark.parametrize(("found", "of"), [(0, 10), (10, 10), (7, 10), (59, 60)])
def test_wilson_interval_holds_the_shares_that_are_1_96_deviations_away(found, of):
    """Its ends solve |p - share| = z * sqrt(p (1 - p) / n)."""
    for end in Rate(found, of).wilson():
        if 1e-9 < end < 1 - 1e-9:
            assert abs(end - found / of) == pytest.approx(1.959964 * math.sqrt(end * (1 - end) / of), rel=1e-6)
    low, high = Rate(found, of).wilson()
    assert 0 <= low <= found / of <= high <= 1
