"""Which rows are duplicates, and which of them stays."""

import itertools
import json
import random

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from amt.curate.fingerprint import fingerprint
from amt.curate.unique import shard_of, unique
from amt.errors import DataError
from amt.ledger import read_report
from amt.rows import LEDGER, QUERY, canonical_json, read_rows, write_rows
from tests.curate.conftest import query

LONG = (
    "A farmer keeps 12 cows, 7 goats and 30 hens on the meadow behind the old mill. Every cow gives 9 litres of milk a "
    "day, and every goat gives 2 litres. The dairy pays 3 coins a litre. How many coins does the farmer earn in a day?"
)


def in_files(folder, files, recipe, shards=2, **arguments):
    """Run fingerprint on each of some files of rows, then unique: (kept rows, {row_id: ledger entry}, report)."""
    queries = [folder / f"{number}.parquet" for number in range(len(files))]
    fingerprints = [path.with_suffix(".fingerprints") for path in queries]
    for path, prints, rows in zip(queries, fingerprints, files, strict=True):
        write_rows(path, rows, QUERY)
        fingerprint(path, prints, recipe.curate.fingerprint)
    kept, ledgers = ([folder / f"{name}{shard}.parquet" for shard in range(shards)] for name in ("kept", "ledger"))
    unique(
        queries=queries,
        fingerprints=fingerprints,
        kept=kept,
        ledgers=ledgers,
        report=folder / "report.json",
        settings=recipe.curate.unique,
        **arguments,
    )
    lines = [entry for path in ledgers for entry in read_rows(path, LEDGER)]
    entries = {entry["row_id"]: entry for entry in lines}
    staying = [row for path in kept for row in read_rows(path, QUERY)]
    # True of every run: each row has one line, stays or goes, and lies with its line in the shard of its id.
    assert sorted(entries) == sorted(row["row_id"] for rows in files for row in rows)
    assert len(lines) == len(entries)
    assert {row["row_id"] for row in staying} == {key for key in entries if entries[key]["outcome"] == "kept"}
    for shard in range(shards):
        for path in (kept[shard], ledgers[shard]):
            assert {shard_of(row["row_id"], shards) for row in read_rows(path)} <= {shard}
    report = read_report(folder / "report.json")
    assert report["rows_in"] == len(entries) == report["kept"] + sum(report["dropped"].values())
    return sorted(staying, key=lambda row: row["row_id"]), entries, report


@pytest.fixture
def run_unique(tmp_path, recipe):
    def run(*rows):
        return in_files(tmp_path, [rows[::2], rows[1::2]], recipe)

    return run


def cluster_of(tmp_path_factory, texts, recipe):
    """For each text the number of the one that stays for it."""
    rows = [query(text, f"openhermes_2_5:{number:05}") for number, text in enumerate(texts)]
    _, entries, _ = in_files(tmp_path_factory.mktemp("texts"), [rows], recipe)
    same_as = [json.loads(entries[row["row_id"]]["detail"] or "{}").get("same_as", row["row_id"]) for row in rows]
    return [int(row_id.split(":")[1]) for row_id in same_as]


@pytest.mark.parametrize(
    ("texts", "reasons"),
    [
        (["How many legs have 3 cats?", "how many legs have 3 CATS"], [None, "exact_duplicate"]),
        (["How many legs have 3 cats?", "How many legs have 4 cats?"], [None, None]),
        ([LONG, LONG.replace("old mill", "new mill")], [None, "near_duplicate"]),
        ([LONG, "Please help me. " + LONG], [None, "near_duplicate"]),
        # One number, one sign, one comparing word or one variable more is another problem.
        ([LONG, LONG.replace("9 litres", "8 litres")], [None, None]),
        ([LONG, LONG.replace("12 cows, 7 goats", "7 cows, 12 goats")], [None, None]),
        ([f"{LONG} He has more hens than goats.", f"{LONG} He has fewer hens than goats."], [None, None]),
        ([LONG, LONG.replace("the old mill", "every old mill")], [None, "near_duplicate"]),
        ([f"{LONG} Let k > 0.", f"{LONG} Let k < 0."], [None, None]),
        ([f"{LONG} Then add (2+3)*4.", f"{LONG} Then add 2+(3*4)."], [None, None]),
        ([f"{LONG} Write it as x.", f"{LONG} Write it as y."], [None, None]),
        # Sentences may change places with their numbers.
        ([LONG, ". ".join([LONG.split(". ")[place] for place in (1, 0, 2, 3)])], [None, "near_duplicate"]),
        (["", ""], [None, "exact_duplicate"]),
        (["😀", "😡"], [None, None]),
        (["三加四是多少?", "三加五是多少?"], [None, None]),
        (['"()"', '"[]"'], [None, None]),
        ([f"{LONG} Cows are new but goats are not.", f"{LONG} Cows are not new but goats are."], [None, None]),
        ([LONG, LONG.replace("? ", "?\n")], [None, "exact_duplicate"]),
    ],
)
def test_drops_copies_and_keeps_other_problems(run_unique, texts, reasons):
    rows = [query(text, f"openhermes_2_5:{number}") for number, text in enumerate(texts)]
    _, entries, _ = run_unique(*rows)
    assert [entries[row["row_id"]]["reason"] for row in rows] == reasons


STEPS = "Take the number of your house and write it on a clean sheet of paper with a soft pencil. Now {} to it. Then \
double the result. Now {} to it. What do you get in the end, when you have done all of this?"


@pytest.mark.parametrize(
    ("text", "one", "other"),
    [
        (f"{LONG} What is the {{}} of the meadow?", "area", "perimeter"),
        (f"{LONG} Of the circle give the {{}}.", "radius", "center"),
        (f"{LONG} Find the {{}} of both sets.", "union", "intersection"),
        (f"{LONG} Give the {{}} of the angle.", "sine", "cosine"),
        (f"{LONG} Take the {{}} of it.", "derivative", "integral"),
        (f"{LONG} Take the {{}} root.", "square", "cube"),
        (f"{LONG} Give the {{}} of all days.", "average", "total"),
        (f"{LONG} Fill the {{}} of the table.", "row", "column"),
        (f"{LONG} Say it in {{}}.", "percent", "permille"),
        (f"{LONG} Say it in {{}}.", "cents", "dollars"),
        (f"{LONG} A bucket weighs as many {{}}.", "kg", "mg"),
        (f"{LONG} The {{}} milk them.", "girls", "boys"),
        (f"{LONG} He sells {{}} some.", "at least", "exactly"),
        (f"{LONG} It rains on the {{}} day.", "second", "third"),
        (f"{LONG} It rains on the {{}} day.", "twentieth", "thirtieth"),
        (f"{LONG} A {{}} of it is sour.", "third", "quarter"),
        (f"{LONG} There are a {{}} of flies.", "dozen", "score"),
        (f"{LONG} There are a {{}} flies.", "billion", "trillion"),
        (f"{LONG} Then he has {{}} as many.", "triple", "quadruple"),
        (f"{LONG} See chapter {{}} of the book.", "III", "VII"),
        (f"{LONG} Arrange the letters of {{}}.", "ELLIPSE", "TARTAR"),
        (f"{LONG} Arrange the letters of {{}}.", '"ellipse"', '"tartar"'),
        (f"{LONG} Find {{}}.", "$DE$", "$DF$"),
        (f"{LONG} def {{}}(rows): ...", "inorder", "preorder"),
        (f"{LONG} Now divide {{}}.", "x by y", "y by x"),
        (rf"{LONG} Compute $\{{}}{{{{10}}}}{{{{2}}}}$.", "binom", "frac"),
        (rf"{LONG} Round $\{{}} x \rfloor$.", "lfloor", "lceil"),
        (rf"{LONG} Let $x \{{}} S$.", "in", "notin"),
        (rf"{LONG} Give $\{{}}$ of it.", "wreath", "bowtie"),  # a command that no list has
        (f"{LONG} What is 3 {{}} 5?", "and", "or"),
        (f"{LONG} A triangle is {{}}.", "isosceles", "equilateral"),
        (f"{LONG} Print the words that {{}} with a vowel.", "start", "end"),
        (f"{LONG} Print {{}}.", '"1" + "2"', "1 + 2"),
        (f"{LONG} Print {{}}.", "'1' * 3", "1 * 3"),
        ("小明有一些苹果和梨, 他的妹妹给了他{}个苹果, 他吃了一些以后还有很多, 请问他现在有多少水果?", "三", "五"),
        ("小明有一些苹果和梨, 他的妹妹的苹果比他{}, 他吃了一些以后还有很多, 请问他现在有几个水果?", "多", "少"),
        (STEPS, ("add 3", "add 5"), ("add 5", "add 3")),
    ],
)
def test_one_word_in_the_place_of_another_is_another_problem(run_unique, text, one, other):
    texts = [text.format(*([words] if isinstance(words, str) else words)) for words in (one, other)]
    # With the same words, and another that says nothing, they are one problem.
    texts.append(f"Well, {texts[0]}")
    _, entries, _ = run_unique(*[query(text, f"openhermes_2_5:{number}") for number, text in enumerate(texts)])
    assert [entries[f"openhermes_2_5:{number}"]["reason"] for number in range(3)] == [None, None, "near_duplicate"]


@pytest.mark.parametrize(("one", "other"), [("more", "fewer"), ("the maximum", "the minimum")])
def test_a_row_with_neither_word_does_not_join_two_that_are_contrary(run_unique, one, other):
    text = LONG + " Say whether it is {}, and think of it for a while before you answer me."
    kept, _, _ = run_unique(
        *[query(text.format(word), f"a:{number}") for number, word in enumerate(["enough", one, other])]
    )
    assert len(kept) == 2


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (r"$\dfrac{1}{2}$", r"$\frac{1}{2}$"),
        (r"$\left(x\right)$", "$(x)$"),
        (r"$x \leq 2$", r"$x \le 2$"),
        (r"$1, \ldots, 9$", r"$1, \dots, 9$"),
    ],
)
def test_how_latex_lays_a_formula_out_makes_no_other_problem(run_unique, one, other):
    texts = [f"{LONG} Let it be {what}." for what in (one, other)]
    _, entries, _ = run_unique(*[query(text, f"a:{number}") for number, text in enumerate(texts)])
    assert entries["a:1"]["reason"] in ("near_duplicate", "exact_duplicate")


def test_a_heavy_edit_is_found_by_its_numbers_and_not_without(run_unique):
    """Half of the shingles are shared: enough of a text with numbers, too few of one without."""
    heavy = LONG.replace("meadow behind the old mill", "grass near a large house").replace("farmer", "peasant")
    plain, changed = (regex.sub(r"\d+", "some", text) for text in (LONG, heavy))
    for one, other in ((LONG, heavy), (plain, changed)):
        pairs = [set(itertools.pairwise(regex.findall(r"\w+", text.lower()))) for text in (one, other)]
        assert 0.55 < len(pairs[0] & pairs[1]) / len(pairs[0] | pairs[1]) < 0.7
    _, entries, _ = run_unique(query(LONG, "a:1"), query(heavy, "a:2"), query(plain, "b:1"), query(changed, "b:2"))
    assert {key: entry["reason"] for key, entry in entries.items()} == {
        "a:1": None, "a:2": "near_duplicate", "b:1": None, "b:2": None
    }  # fmt: skip


@pytest.mark.parametrize(
    "texts",
    [
        [LONG, "Well, " + LONG, "Well then, " + LONG],  # what the second row knows holds for the first
        [LONG, LONG.upper(), "Well then, " + LONG],  # and so does what an equal text knows
    ],
)
def test_a_truth_that_only_another_member_knows_keeps_a_row_out(run_unique, texts):
    rows = [
        query(text, f"a:{number}", ground_truth=truth)
        for number, (text, truth) in enumerate(zip(texts, [None, "5", "6"]))
    ]
    kept, _, _ = run_unique(*rows)
    assert len(kept) == 2


def test_keeps_the_row_of_the_preferred_source_then_of_the_smallest_id(run_unique, recipe):
    preferred, second = recipe.curate.unique.source_order[:2]
    rows = [
        query("Same text.", "aaa_unlisted:1"),
        query("Same text.", f"{second}:1"),
        query("Same text.", f"{preferred}:2"),
        query("Same text.", f"{preferred}:1"),
        query(LONG, f"{second}:3"),
        query("Well, " + LONG, f"{preferred}:4"),
    ]
    kept, entries, _ = run_unique(*rows)
    assert [row["row_id"] for row in kept] == [f"{preferred}:1", f"{preferred}:4"]
    same_as = {key: json.loads(entry["detail"])["same_as"] for key, entry in entries.items() if entry["detail"]}
    assert same_as == {
        f"{second}:3": f"{preferred}:4",
        "aaa_unlisted:1": f"{preferred}:1",
        f"{second}:1": f"{preferred}:1",
        f"{preferred}:2": f"{preferred}:1",
    }


def test_conversations_that_end_alike_are_not_the_same(run_unique):
    def conversation(row_id, opening):
        turns = [("user", opening), ("assistant", "Gladly."), ("user", "Go on.")]
        return query("Go on.", row_id, messages=canonical_json([{"role": r, "content": c} for r, c in turns]))

    kept, _, report = run_unique(
        conversation("ultra_chat:1", "Tell me of rivers."),
        conversation("ultra_chat:2", "Tell me of bread."),
        conversation("ultra_chat:3", "Tell me of bread."),
    )
    assert len(kept) == 2
    assert report["dropped"] == {"exact_duplicate": 1}


def test_different_ground_truths_keep_near_duplicates_apart(run_unique):
    boys = "A team has 26 members. Only 16 came: half of the girls, and all of the boys. How many boys are on the team?"
    kept, _, _ = run_unique(
        query(boys, "a:1", ground_truth="6"),
        query(boys.replace("How many boys", "How many girls"), "b:1", ground_truth="20"),
    )
    assert len(kept) == 2


def test_a_row_without_ground_truth_does_not_join_two_that_differ(run_unique):
    kept, entries, _ = run_unique(
        query(LONG, "a:1", ground_truth="5"),
        query("Well, " + LONG, "b:1"),
        query("Well then, " + LONG, "c:1", ground_truth="6"),
    )
    assert [row["row_id"] for row in kept] == ["a:1", "c:1"]
    assert json.loads(entries["b:1"]["detail"]) == {"same_as": "a:1"}


WISH = "Write a letter about a day at the sea to an old friend of yours who has moved to the mountains and misses it. "


@pytest.mark.parametrize(
    ("column", "first", "second", "kept"),
    [
        ("instructions", ["no_comma", "sea"], ["no_comma", "sand"], 2),
        ("instructions", ["no_comma", "sea"], ["no_comma", "sea"], 1),
        ("instructions", ["no_comma", "sea"], None, 1),
        ("tests", {"cases": [{"args": [1], "expected": 2}]}, {"cases": [{"args": [1], "expected": 3}]}, 2),
        # Two datasets may try the same function with other inputs.
        ("tests", {"cases": [{"args": [1], "expected": 2}]}, {"cases": [{"args": [5], "expected": 6}]}, 1),
        ("tests", {"cases": [{"stdin": "1", "stdout": "2"}]}, {"cases": [{"stdin": "1", "stdout": "2\n"}]}, 1),
        ("tests", {"cases": [{"stdin": "1", "stdout": "2"}]}, {"code": ["assert f(1) == 3"]}, 1),
    ],
)
def test_rows_that_are_judged_differently_are_two_problems(run_unique, column, first, second, kept):
    columns = [{column: None if value is None else canonical_json(value)} for value in (first, second)]
    rows, _, _ = run_unique(
        query(f"{WISH} Name the sea.", "a:1", **columns[0]), query(f"{WISH} Name the sand.", "b:1", **columns[1])
    )
    assert len(rows) == kept


def test_equal_texts_with_other_ground_truths_are_recorded(run_unique):
    _, entries, _ = run_unique(
        query("What is 2 + 3?", "a:1", ground_truth="5"),
        query("What is 2 + 3?", "b:1", ground_truth="6"),
        query("What is 2 + 3?", "c:1", ground_truth="5 "),
    )
    assert json.loads(entries["b:1"]["detail"]) == {"same_as": "a:1", "ground_truth": "6", "kept_ground_truth": "5"}
    assert json.loads(entries["c:1"]["detail"]) == {"same_as": "a:1"}


@settings(max_examples=60)
@given(st.data())
def test_never_merges_different_numbers(recipe, tmp_path_factory, data):
    """Whatever the template, two texts in one cluster have the same numbers."""
    template = data.draw(st.sampled_from([LONG, "Compute {}.", "{} and {} and {} are three numbers of the list."]))
    numbers = st.integers(0, 30) | st.decimals(0, 30, places=1)
    slots = [part for part in template.replace("{}", "0").split() if part[0].isdigit()]
    texts = []
    for _ in range(6):
        drawn = iter([str(data.draw(numbers)) for _ in slots])
        words = [next(drawn) if word[0].isdigit() else word for word in template.replace("{}", "0").split()]
        texts.append(" ".join(words))
    texts += data.draw(st.permutations(texts))[:2]
    for number, first in enumerate(cluster_of(tmp_path_factory, texts, recipe)):
        assert _numbers(texts[number]) == _numbers(texts[first])


def test_finds_light_edits_of_real_problems_and_merges_no_number_variants(recipe, shared, tmp_path_factory):
    """On 400 problems of GSM8K: 3 % of the words changed must be found; one number changed must not."""
    rng = random.Random(7)
    lines = shared("gsm8k/train.jsonl").read_text().splitlines()[:400]
    originals = [json.loads(line)["question"] for line in lines]
    light = [_edited(text, rng) for text in originals]
    variants = [_renumbered(text, rng) for text in originals]
    texts = originals + light + variants
    cluster = cluster_of(tmp_path_factory, texts, recipe)
    found = sum(cluster[400 + number] == number for number in range(400))
    assert found >= 0.97 * 400
    assert all(cluster[800 + number] == 800 + number for number in range(400))


@settings(max_examples=40)
@given(st.data())
def test_how_rows_lie_in_files_and_shards_decides_nothing(recipe, tmp_path_factory, data):
    """Rows of a few sources, some alike: whatever the files and the shards, the same rows go for the same reason."""
    drawn = data.draw(
        st.lists(
            st.tuples(
                st.sampled_from(["a", "metamathqa", "numinamath"]),
                st.sampled_from(["", "Well, ", "Well then, "]),
                st.sampled_from([LONG, LONG.upper(), LONG.replace("9", "8"), "Short.", "short"]),
                st.sampled_from([None, "5", "6"]),
            ),
            min_size=1,
            max_size=14,
        )
    )
    rows = [
        query(opening + text, f"{source}:{number:02}", ground_truth=truth)
        for number, (source, opening, text, truth) in enumerate(drawn)
    ]
    _, together, _ = in_files(tmp_path_factory.mktemp("one"), [rows], recipe, shards=1)
    file_of = [data.draw(st.integers(0, 3)) for _ in rows]
    files = [[row for row, file in zip(rows, file_of, strict=True) if file == number] for number in range(4)]
    _, apart, _ = in_files(
        tmp_path_factory.mktemp("many"),
        files,
        recipe,
        shards=data.draw(st.integers(1, 3)),
        candidates_at_once=data.draw(st.integers(1, 8)),
    )
    assert apart == together


def test_fingerprints_of_other_rows_are_refused(tmp_path, recipe):
    write_rows(tmp_path / "queries.parquet", [query("One.", "a:1")], QUERY)
    write_rows(tmp_path / "other.parquet", [query("One.", "a:2")], QUERY)
    fingerprint(tmp_path / "other.parquet", tmp_path / "fingerprints.parquet", recipe.curate.fingerprint)
    with pytest.raises(DataError, match=r"fingerprints\.parquet .* not of the rows of .*queries\.parquet"):
        unique(
            queries=[tmp_path / "queries.parquet"],
            fingerprints=[tmp_path / "fingerprints.parquet"],
            kept=[tmp_path / "kept.parquet"],
            ledgers=[tmp_path / "ledger.parquet"],
            report=tmp_path / "report.json",
            settings=recipe.curate.unique,
        )
    assert not (tmp_path / "kept.parquet").exists()


def _edited(text, rng):
    words = text.split()
    free = [place for place, word in enumerate(words) if word.isalpha() and len(word) > 3]
    for place in rng.sample(free, max(1, len(words) * 3 // 100)):
        words[place] = "indeed"
    return " ".join(words)


def _renumbered(text, rng):
    words = text.split()
    places = [place for place, word in enumerate(words) if word.isdigit()]
    if not places:
        return f"{text} 5"
    place = rng.choice(places)
    words[place] = str(int(words[place]) + rng.randint(1, 9))
    return " ".join(words)


def _numbers(text):
    return sorted(word.strip(".,") for word in text.split() if word[0].isdigit())
