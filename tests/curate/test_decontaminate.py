"""What is an item of an evaluation set, and what only looks like one."""

import json
import random
import re

import pytest

from amt.curate.benchmark_items import Item
from amt.curate.decontaminate import decontaminate
from amt.curate.match import Matcher
from amt.curate.removals import REMOVAL, list_removals
from amt.errors import DataError
from amt.rows import QUERY, read_rows, write_rows
from tests.curate.conftest import query

ITEM = (
    "Natalia sold 48 clips to her friends in April, and she sold 24 clips in May. How many clips did she sell in all?"
)
PARAPHRASE = (
    "In April 48 of Natalia's friends bought clips from her. In May she sold 24 more. What is the total of clips sold?"
)
CHAT_ITEM = "Write a short story about a dragon who is afraid of the dark and finds a friend in a small village."
CHAT_PARAPHRASE = "Write a short story of a dragon that fears the dark but finds a friend in some small village."


@pytest.fixture
def run_decontaminate(run_stage_on, recipe, tmp_path):
    def run(rows, items, verdicts="[]", category="general_chat", **changes):
        path = tmp_path / "aime_like.parquet"
        asked = [query(text, f"aime_like:{number:03}", category=category) for number, text in enumerate(items)]
        write_rows(path, asked, QUERY)
        (tmp_path / "verdicts.yaml").write_text(verdicts)
        settings = recipe.curate.decontaminate.model_copy(update=changes)
        return run_stage_on(
            decontaminate, rows, benchmarks=[path], verdicts=tmp_path / "verdicts.yaml", settings=settings
        )

    return run


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (ITEM, "benchmark_exact"),
        (ITEM.upper().replace(" ", "  "), "benchmark_exact"),
        # Inside another text, and with a word changed.
        (f"Here is my homework for Monday. {ITEM} Please explain every step, my teacher is strict.", "benchmark_ngram"),
        (ITEM.replace("her friends", "his friends"), "benchmark_ngram"),
        (ITEM.replace("48", "forty-eight"), "benchmark_ngram"),  # a number spelt otherwise
        (PARAPHRASE, "benchmark_semantic"),
        (PARAPHRASE.replace("48", "forty-eight"), "benchmark_semantic"),
        # The template alone, with other numbers, or with one of them: another problem.
        (ITEM.replace("48", "47"), None),
        (ITEM.replace("48", "47").replace("24", "23"), None),
        (PARAPHRASE.replace("48", "9"), None),
        # Its numbers alone.
        ("A train with 48 seats and 24 windows goes to the sea.", None),
        (CHAT_ITEM, "benchmark_exact"),
        (CHAT_ITEM.replace("a short story", "me a short tale"), "benchmark_semantic"),
        # Numbers of its own do not clear a query of an item that has none.
        (f"{CHAT_ITEM} Use at least 100 words.", "benchmark_ngram"),
        (f"{CHAT_PARAPHRASE} Use 90 words.", "benchmark_semantic"),
        ("Write a story about a cat who likes the dark.", None),
    ],
)
def test_removes_items_and_nothing_that_only_shares_template_or_numbers(run_decontaminate, text, reason):
    _, entries, _ = run_decontaminate([query(text, "s:1")], [ITEM, CHAT_ITEM])
    assert entries["s:1"]["reason"] == reason


def test_every_removal_says_what_it_matched(run_decontaminate):
    wrapped = f"Here is my homework for Monday. {ITEM} Please explain every step."
    _, entries, _ = run_decontaminate([query(wrapped, "s:1"), query(PARAPHRASE, "s:2")], [CHAT_ITEM, ITEM])
    ngram, semantic = (json.loads(entries[key]["detail"]) for key in ("s:1", "s:2"))
    assert {found["item"] for found in (ngram, semantic)} == {"aime_like:001"}
    assert ngram["benchmark"] == "aime_like"
    assert ngram["score"] == 1.0
    assert ngram["span"].startswith("natalia sold 48 clips")
    assert ngram["span"].endswith("did she sell in all")
    assert semantic["needed"] <= semantic["score"] < 1
    assert semantic["span"] == PARAPHRASE
    assert semantic["number_bits"] > 0


def test_a_paraphrase_inside_of_a_long_text_is_found_and_its_window_named(run_decontaminate):
    lecture = " ".join(f"Remark {word} deals with the history of the market town." for word in "abcdefghijkl")
    _, entries, _ = run_decontaminate([query(f"{lecture} {PARAPHRASE} {lecture}", "s:1")], [ITEM])
    assert entries["s:1"]["reason"] == "benchmark_semantic"
    assert "In April 48 of" in json.loads(entries["s:1"]["detail"])["span"]


DRAWING = '[asy] pair A = (0,0), B = (70,16); draw(A--B); label("$A$", A, S); [/asy]'
DRAWN = f"Rectangles ABCD and EFGH share a side, AB = 107 and FG = 17. What is the length of CE? {DRAWING}"


@pytest.mark.parametrize(
    "text",
    [
        DRAWN.replace(DRAWING, ""),
        f"Solve this for my homework, please. {DRAWN.replace(DRAWING, '')} Thank you!",
        DRAWN.replace("(70,16)", "(12,91)"),
    ],
)
def test_a_copy_without_the_items_drawing_or_with_another_is_found(run_decontaminate, text):
    _, entries, _ = run_decontaminate([query(text, "s:1")], [DRAWN])
    assert entries["s:1"]["outcome"] == "dropped"


TASK = '''def eat(number, need, remaining):
    """You are a hungry rabbit. Return the eaten carrots and what is left.
    eat(5, 6, 10) -> [11, 4]
    eat(4, 8, 9) -> [12, 1]
    """'''
HAMSTER = """Write a C program. A small animal has had some seeds and wants more; there is a store of them.
int feed(int had, int wants, int store); // feed(5, 6, 10) is {11, 4}, feed(4, 8, 9) is {12, 1}"""


def test_a_task_in_other_words_and_another_language_is_known_by_its_examples(run_decontaminate):
    rows = [query(HAMSTER, "s:1"), query(HAMSTER.replace("11, 4", "10, 3").replace("8, 9", "7, 7"), "s:2")]
    _, entries, _ = run_decontaminate(rows, [TASK], category="code")
    assert [entries[key]["reason"] for key in ("s:1", "s:2")] == ["benchmark_examples", None]
    assert json.loads(entries["s:1"]["detail"])["span"] == "5 6 10 11 4 4 8 9 12 1"


def test_numbers_in_a_row_are_no_examples_of_a_question_that_is_no_task(run_decontaminate):
    rows = [query("5 6 10 11 4 4 8 9 12 1", "s:1")]
    _, entries, _ = run_decontaminate(rows, [TASK], category="general_chat")
    assert entries["s:1"]["reason"] != "benchmark_examples"


def test_an_item_is_found_beside_a_shorter_one_that_the_text_covers_more(run_decontaminate):
    """The numbers of the shorter one are others; that must not hide the longer one."""
    opening = "A farmer has a red barn, a blue house and a very old green tractor with 7 wheels."
    rest = (
        "He sells 53 hens on Monday and buys 29 geese on Friday at the market of the town. How many birds came or went?"
    )
    row = f"{opening} {rest}".replace("Friday", "Sunday").replace("came or went", "did he trade")
    items = [f"{opening} 12 in all?", f"{opening} {rest}"]
    _, entries, _ = run_decontaminate([query(row, "s:1")], items, cosine=0.999, cosine_without_numbers=0.999)
    assert (entries["s:1"]["reason"], json.loads(entries["s:1"]["detail"])["item"]) == (
        "benchmark_ngram",
        "aime_like:001",
    )


def test_how_many_bits_of_numbers_are_enough_is_a_setting(run_decontaminate):
    """48 and 24 are 10.17 bits: with more than that asked for, more similarity is needed."""
    rows = [query(PARAPHRASE, "s:1")]
    _, few, _ = run_decontaminate(rows, [ITEM], number_bits=8.0)
    _, many, _ = run_decontaminate(rows, [ITEM], number_bits=20.0)
    needed = [json.loads(entries["s:1"]["detail"])["needed"] for entries in (few, many)]
    assert needed == pytest.approx([0.70, 0.83 - 0.13 * 10.17 / 20], abs=0.001)


def test_rows_are_judged_one_by_one(run_decontaminate):
    """Whatever stands beside a row, it has the same fate and detail."""
    rows = [query(text, f"s:{number}") for number, text in enumerate([ITEM, PARAPHRASE, "Hello!", f"Well: {ITEM}"])]
    _, together, _ = run_decontaminate(rows, [ITEM, CHAT_ITEM])
    for row in rows:
        _, alone, _ = run_decontaminate([row], [ITEM, CHAT_ITEM])
        assert alone[row["row_id"]] == together[row["row_id"]]


def test_a_score_has_the_same_bits_in_any_company(recipe):
    texts = [PARAPHRASE, *(f"{'Please. ' * times}{PARAPHRASE}" for times in range(1, 40))]
    matcher = Matcher([Item("gsm8k", "gsm8k:0", ITEM, False)], recipe.curate.decontaminate)
    together = matcher.match(texts)
    assert sum(match is not None and match.rule == "semantic" for match in together) > 20
    assert [matcher.match([text])[0] for text in texts] == together


def test_many_views_are_compared_in_pieces(recipe, monkeypatch):
    texts = ["Some words. " * 200 + f"{'Please. ' * times}{PARAPHRASE}" for times in range(5)]
    items = [Item("gsm8k", "gsm8k:0", ITEM, False), Item("aime", "aime:0", "", False)]
    matcher = Matcher(items, recipe.curate.decontaminate)
    together = matcher.match(texts)
    monkeypatch.setattr("amt.curate.match.BATCH", 3)
    assert matcher.match(texts) == together
    assert all(match is not None and match.rule == "semantic" for match in together)


# --- a person's verdicts ----------------------------------------------------------------------------------


def verdict(row_id, item, said, why="read it"):
    return f"- {{row_id: '{row_id}', item: '{item}', verdict: {said}, why: {why}}}\n"


def test_a_verdict_keeps_and_removes(run_decontaminate):
    rows = [query(PARAPHRASE, "s:1"), query("What is a clip?", "s:2"), query(CHAT_PARAPHRASE, "s:3")]
    said = verdict("s:1", "aime_like:000", "keep") + verdict("s:2", "aime_like:001", "remove", "a part of it")
    _, entries, _ = run_decontaminate(rows, [ITEM, CHAT_ITEM], said)
    assert {key: entry["reason"] for key, entry in entries.items()} == {
        "s:1": None,
        "s:2": "benchmark_verdict",
        "s:3": "benchmark_semantic",
    }
    detail = json.loads(entries["s:2"]["detail"])
    assert detail == {"benchmark": "aime_like", "item": "aime_like:001", "span": "a part of it"}


def test_a_row_cleared_of_one_item_is_still_compared_with_the_others(run_decontaminate):
    cleared = verdict("s:1", "aime_like:000", "keep")
    _, entries, _ = run_decontaminate([query(PARAPHRASE, "s:1")], [ITEM, f"{ITEM} Explain."], cleared)
    assert json.loads(entries["s:1"]["detail"])["item"] == "aime_like:001"


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (verdict("s:1", "aime_like:007", "keep"), r"verdicts.yaml: 1 of 1 verdicts name an item .* aime_like:007"),
        (verdict("s:1", "aime_like:000", "maybe"), r"(?s)verdicts.yaml is no list of verdicts .*'keep' or 'remove'"),
        ("- {row_id: 's:1'}", r"(?s)verdicts.yaml is no list of verdicts .*item"),
        ("keep: everything", r"verdicts.yaml is no list of verdicts"),
        ("[", r"verdicts.yaml is no list of verdicts"),
        (
            verdict("s:1", "aime_like:000", "keep") + verdict("s:1", "aime_like:000", "remove"),
            r"several verdicts on s:1",
        ),
    ],
)
def test_verdicts_that_mean_nothing_are_refused(run_decontaminate, said, message):
    with pytest.raises(DataError, match=message):
        run_decontaminate([query(ITEM, "s:1")], [ITEM], said)


def test_a_verdict_on_a_row_that_came_in_no_shard_is_told(run_decontaminate, tmp_path, caplog):
    run_decontaminate([query(ITEM, "s:1")], [ITEM], verdict("s:9", "aime_like:000", "keep"))
    list_removals(**_files(tmp_path))
    assert "1 verdicts are on rows that did not come in, such as s:9" in caplog.text


def test_removals_stand_side_by_side_with_the_items(run_decontaminate, tmp_path):
    rows = [query(ITEM, "s:1"), query(PARAPHRASE, "s:2"), query("Hello!", "s:3")]
    run_decontaminate(rows, [ITEM], verdict("s:3", "aime_like:000", "remove", "why not"))
    list_removals(**_files(tmp_path))
    table, page = tmp_path / "removals.parquet", tmp_path / "removals.md"
    removals = {row["row_id"]: row for row in read_rows(table, REMOVAL)}
    assert {key: row["rule"] for key, row in removals.items()} == {
        "s:1": "benchmark_exact",
        "s:2": "benchmark_semantic",
        "s:3": "benchmark_verdict",
    }
    assert removals["s:2"]["query"] == PARAPHRASE
    assert all(row["item_text"] == ITEM for row in removals.values())
    text = page.read_text()
    assert text.index("## s:2 = aime_like:000") < text.index("## s:1 = aime_like:000")  # the doubtful one first
    assert "why not" in text


def test_a_removal_shows_the_whole_conversation_that_was_compared(run_decontaminate, tmp_path):
    """The item stands in an earlier turn; the system prompt is not compared."""
    turns = [("system", "Be brief."), ("user", ITEM), ("assistant", "72."), ("user", "Why?")]
    messages = json.dumps([{"role": role, "content": content} for role, content in turns])
    run_decontaminate([query("Why?", "s:1", messages=messages)], [ITEM])
    list_removals(**_files(tmp_path))
    (removal,) = read_rows(tmp_path / "removals.parquet", REMOVAL)
    assert removal["query"] == f"{ITEM}\n72.\nWhy?"
    said = (tmp_path / "removals.md").read_text().partition("Query:")[2].partition("Matched:")[0]
    assert said.split() == f"{ITEM} 72. Why?".split()


# --- on real problems -------------------------------------------------------------------------------------


def test_without_evaluation_sets_nothing_is_removed(run_decontaminate):
    _, _, report = run_decontaminate([query(ITEM, "s:1")], [])
    assert report["kept"] == 1


def test_real_problems_that_are_not_in_the_benchmark_stay(run_decontaminate, shared):
    """30 training problems of GSM8K against 60 test problems: leaks are found, the rest is left alone."""
    train = [json.loads(line)["question"] for line in shared("gsm8k/train.jsonl").read_text().splitlines()[:30]]
    test = [json.loads(line)["question"] for line in shared("gsm8k/test.jsonl").read_text().splitlines()[:60]]
    leaks = [_lightly(text, number) for number, text in enumerate(test[:10])]
    rows = [query(text, f"train:{number:03}") for number, text in enumerate(train)]
    rows += [query(text, f"leak:{number:03}") for number, text in enumerate(leaks)]
    _, entries, _ = run_decontaminate(rows, test)
    found = {key for key, entry in entries.items() if entry["outcome"] == "dropped"}
    assert sum(key.startswith("leak") for key in found) == 10
    assert not [key for key in found if key.startswith("train")]


def test_verbatim_copies_of_real_items_are_found_however_their_numbers_are_written(run_decontaminate, shared):
    r"""AIME 2024 with \frac12 for \frac{1}{2}, and without its first sentence where two thirds of the words stay."""
    items = [item["problem"] for item in json.loads(shared("aime/aime24.json").read_text())]
    respelt = [re.sub(r"\\frac\{(\d)\}\{(\d)\}", r"\\frac\1\2", text) for text in items]
    cut = [text.split(". ", 1)[-1] for text in items]
    cut = [part for part, text in zip(cut, items, strict=True) if 2 / 3 <= len(part.split()) / len(text.split()) < 1]
    assert len(cut) >= 8
    rows = [query(f"Solve this: {text}", f"s:{number:03}") for number, text in enumerate([*respelt, *cut])]
    _, entries, _ = run_decontaminate(rows, items)
    assert [key for key, entry in entries.items() if entry["outcome"] == "kept"] == []


def test_real_paraphrases_of_code_problems(run_decontaminate, shared):
    """llm-decontaminator's rephrased HumanEval: other names, other numbers."""
    items = [json.loads(line)["text"] for line in shared("rephrased/HumanEval.jsonl").read_text().splitlines()[:12]]
    rephrased = [
        json.loads(line)["text"] for line in shared("rephrased/humaneval_python.jsonl").read_text().splitlines()[:12]
    ]
    rows = [query(text, f"rephrased:{number:03}", category="code") for number, text in enumerate(rephrased)]
    _, entries, _ = run_decontaminate(rows, items, category="code")
    found = {key: json.loads(entry["detail"])["item"] for key, entry in entries.items() if entry["reason"]}
    right = sum(item.split(":")[1] == key.split(":")[1] for key, item in found.items())
    assert right >= 0.75 * len(items)
    assert right == len(found)


def _lightly(text, seed):
    rng = random.Random(seed)
    words = text.split()
    free = [place for place, word in enumerate(words) if word.isalpha() and len(word) > 3]
    words[rng.choice(free)] = "indeed"
    return f"Please solve this. {' '.join(words)}"


def _files(folder):
    return {
        "queries": [folder / "queries.parquet"],
        "ledgers": [folder / "decontaminate" / "ledger.parquet"],
        "benchmarks": [folder / "aime_like.parquet"],
        "verdicts": folder / "verdicts.yaml",
        "table": folder / "removals.parquet",
        "page": folder / "removals.md",
    }
