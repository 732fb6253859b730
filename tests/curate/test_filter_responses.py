"""Which responses are fit to be trained on."""

import tracemalloc

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amt.curate.filter_responses import filter_responses, repeated_phrase
from amt.errors import DataError
from amt.ledger import read_report
from amt.rows import LEDGER, PERPLEXITY, QUERY, RESPONSE, canonical_json, read_rows, write_rows
from tests.curate.conftest import query

GOOD = "<think>3 and 4 make 7.</think><answer>\\boxed{7}</answer>"
LOOP = "Let me check it again. " * 3


@pytest.fixture
def run_filter(tmp_path, recipe):
    """Runs the stage on responses given as dicts of columns; returns ([reasons], kept ids, report)."""

    def run(*responses, messages=None, perplexities=None, without_perplexity=False):
        asked = query("What is 3 + 4?", "s:1", **({"messages": canonical_json(messages)} if messages else {}))
        write_rows(tmp_path / "queries.parquet", [asked], QUERY)
        standard = {"row_id": "s:1", "model": "m", "finish_reason": "stop", "tokens": 9}
        rows = [
            standard | {"response_id": f"s:1/{number}", "sample": number} | response
            for number, response in enumerate(responses)
        ]
        write_rows(tmp_path / "responses.parquet", rows, RESPONSE)
        known = perplexities or [5.0] * len(rows)
        measured = [
            {"response_id": row["response_id"], "row_id": "s:1", "perplexity": value, "tokens": 9}
            for row, value in zip(rows, known, strict=True)
        ]
        write_rows(tmp_path / "perplexity.parquet", [] if without_perplexity else measured, PERPLEXITY)
        out = {"kept": tmp_path / "kept.parquet", "ledger": tmp_path / "l.parquet", "report": tmp_path / "r.json"}
        filter_responses(
            queries=tmp_path / "queries.parquet",
            responses=tmp_path / "responses.parquet",
            perplexity=tmp_path / "perplexity.parquet",
            **out,
            settings=recipe.filter_responses,
        )
        entries = {entry["row_id"]: entry for entry in read_rows(out["ledger"], LEDGER)}
        report = read_report(out["report"])
        kept = [row["response_id"] for row in read_rows(out["kept"], RESPONSE)]
        assert report["rows_in"] == len(rows) == report["kept"] + sum(report["dropped"].values())
        assert {entry["source"] for entry in entries.values()} == {"s"}
        return [entries[row["response_id"]]["reason"] for row in rows], kept, report

    return run


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (GOOD, None),
        ("  " + GOOD.replace("</think>", "</think>\n\n") + "\n", None),
        (GOOD.replace("</think>", ""), "structure_no_think"),
        (GOOD.replace("<think>", ""), "structure_no_think"),
        (GOOD.replace("<think>", "<think><think>"), "structure_no_think"),
        ("First " + GOOD, "structure_no_think"),
        (GOOD.replace("</answer>", ""), "structure_no_answer"),
        (GOOD.replace("<answer>", ""), "structure_no_answer"),
        ("<think>a</think>b", "structure_no_answer"),
        ("<think>a</think><answer> </answer>", "structure_no_answer"),
        ("<think>a</think>b<answer>c</answer>", "structure_no_answer"),
        (GOOD + GOOD.partition("</think>")[2], "structure_no_answer"),
        (GOOD.replace("3 and", f"{LOOP} 3 and"), "repetition"),
        ("", "structure_no_think"),
    ],
)
def test_structure_and_repetition(run_filter, response, reason):
    reasons, kept, _ = run_filter({"response": response})
    assert reasons == [reason]
    assert kept == ([] if reason else ["s:1/0"])


def test_a_cut_response_is_truncated_whatever_it_looks_like(run_filter):
    cut = {"response": GOOD, "finish_reason": "length"}
    assert run_filter(cut, cut | {"response": "<think>a"})[0] == ["truncated", "truncated"]


def test_perplexity_is_judged_last(run_filter, recipe):
    limit = recipe.filter_responses.max_perplexity
    values = [limit, limit + 0.1, float("inf"), float("nan"), limit + 1]
    responses = [{"response": GOOD}] * 4 + [{"response": "<think>a</think>b"}]
    reasons, _, report = run_filter(*responses, perplexities=values)
    assert reasons == [None, "perplexity", "perplexity", "perplexity", "structure_no_answer"]
    assert report["dropped"] == {"perplexity": 3, "structure_no_answer": 1}


def test_a_conversation_ends_with_the_response(run_filter):
    turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    assert run_filter({"response": GOOD}, messages=turns)[0] == ["structure_final_turn"]
    asked = [*turns, {"role": "user", "content": "What is 3 + 4?"}]
    assert run_filter({"response": GOOD}, messages=asked)[0] == [None]


def test_a_response_without_perplexity_is_an_error_that_names_both(run_filter):
    with pytest.raises(DataError, match=r"perplexity\.parquet knows nothing of response s:1/0"):
        run_filter({"response": GOOD}, without_perplexity=True)


def test_a_null_perplexity_is_an_error_that_names_the_column(run_filter, tmp_path):
    run_filter({"response": GOOD})
    path = tmp_path / "perplexity.parquet"
    row = pq.read_table(path).to_pylist()[0] | {"perplexity": None}
    pq.write_table(pa.Table.from_pylist([row]), path)
    with pytest.raises(DataError, match=r"perplexity\.parquet: column perplexity is null in 1 of 1 rows"):
        read_rows(path, PERPLEXITY)


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("we see that it is so " * 3, "we see that it is so"),
        ("we see that it is so " * 2, None),
        ("no no no no no no no no no no no no", "no no no no"),
        ("no no no no no", None),
        ("start " + "one two three four " * 3 + "end", "one two three four"),
        ("one two three four x one two three four x one two three four", None),
        ("1 2 3 4 " * 5, None),  # a table of numbers
        ("", None),
        # Scripts without spaces, and mixed with others.
        ("让我再检查一遍这个答案。" * 3, "让我再检查一遍这个答案。"),
        ("让我再检查一遍这个答案。" * 2, None),
        ("もう一度確認します " * 3, "もう一度確認します"),
        ("ลองดูอีกครั้ง" * 3, "ลองดูอีกครั้ง"),
        ("所以 x = 3 。" * 3, "所以 x = 3 。"),
        ("哈" * 11, None),
        ("哈" * 12, "哈哈哈哈"),
        # A loop that says nothing, once it is long.
        ("0 " * 5000, "0 0 0 0"),
        ("= " * 5000, "= = = ="),
        ("hahaha" * 5000, "haha"),
        ("12 + 7 = 19 " * 500, "12 + 7 = 19"),
        ("0 " * 1000, "0 0 0 0"),
        ("0 " * 999, None),
        # Long, but no loop: a formula, a great number, a grid of numbers.
        (r"\frac{1}{2}+" * 40, None),
        ("1" + "0" * 900, None),
        ("| 0 | 0 | 1 | 0 |\n" * 100, None),
        ("".join(f"{n} {n * n} {n**3}\n" for n in range(2000)), None),
        (" ".join(f"{n}+{m}={n + m}" for n in range(60) for m in range(60)), None),
    ],
)
def test_repeated_phrase(text, phrase):
    assert repeated_phrase(text, 4, 3) == phrase


def has_repetition(words, shortest, repeats, long_run=None):
    """The definition written out: some run of p >= shortest words stands `repeats` times in a row.

    Args:
        long_run: words that it must cover with what follows of it, where that matters.
    """
    for length in range(shortest, len(words) // repeats + 1):
        running = 0
        for place in range(len(words) - length):
            running = running + 1 if words[place] == words[place + length] else 0
            if running >= max((repeats - 1) * length, (long_run or 0) - length):
                return True
    return False


@given(st.lists(st.sampled_from(["的", "一", " ab "]), max_size=24), st.integers(1, 4), st.integers(2, 4))
def test_a_letter_of_a_script_without_spaces_is_a_word(words, shortest, repeats):
    found = repeated_phrase("".join(words), shortest, repeats)
    assert (found is not None) == has_repetition(words, shortest, repeats)


@settings(max_examples=60)
@given(
    st.lists(st.sampled_from(["0", "1", "+", "="]), min_size=1, max_size=40),
    st.integers(990, 1010),
    st.lists(st.integers(2, 999).map(str), unique=True, max_size=5),
    st.integers(1, 30),
)
def test_what_has_no_letters_counts_from_a_thousand_words_on(cell, words, others, shortest):
    repeated = [cell[place % len(cell)] for place in range(words)]
    text = [*others, *repeated, *others]
    found = repeated_phrase(" ".join(text), shortest, 3)
    assert (found is not None) == has_repetition(text, shortest, 3, long_run=1000)


@given(st.lists(st.sampled_from(["a", "b", "c"]), max_size=24), st.integers(1, 4), st.integers(2, 4))
def test_repeated_phrase_agrees_with_the_definition(words, shortest, repeats):
    """Compared with the definition written out: some run of p >= shortest words stands `repeats` times in a row."""
    expected = any(
        words[start : start + length] * repeats == words[start : start + length * repeats]
        for length in range(shortest, len(words) + 1)
        for start in range(len(words) - length * repeats + 1)
    )
    assert (repeated_phrase(" ".join(words), shortest, repeats) is not None) == expected


def test_memory_does_not_grow_with_texts_and_tests(tmp_path, recipe, own_pool, monkeypatch):
    monkeypatch.setattr("amt.rows.ROW_GROUP_BYTES", 200_000)
    paths = {name: tmp_path / f"{name}.parquet" for name in ("queries", "responses", "perplexity", "kept", "ledger")}
    peaks, long = [], " ".join(f"{number} and" for number in range(800))
    for count in (10, 100, 400):  # of which the first counts what is imported on the way
        names = [f"s:{number:03}" for number in range(count)]
        asked = [query("What is 3 + 4?", name, tests=name * 1000, reference_solution="x" * 5000) for name in names]
        about = [{"response_id": f"{name}/0", "row_id": name} for name in names]
        rows = [
            line
            | {"sample": 0, "model": "m", "finish_reason": "stop", "tokens": 9}
            | {"response": GOOD.replace("make", f"{line['row_id']} make {long}")}
            for line in about
        ]
        write_rows(paths["queries"], asked, QUERY)
        write_rows(paths["responses"], rows, RESPONSE)
        write_rows(paths["perplexity"], [line | {"perplexity": 5.0, "tokens": 9} for line in about], PERPLEXITY)
        with own_pool() as pool:
            tracemalloc.start()
            filter_responses(**paths, report=tmp_path / "report.json", settings=recipe.filter_responses)
            peaks.append(tracemalloc.get_traced_memory()[1] + pool.max_memory())
            tracemalloc.stop()
        assert read_rows(paths["kept"], RESPONSE) == rows
    assert peaks[2] - peaks[1] < 300 * 1500
