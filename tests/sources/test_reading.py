"""Rows of the hub and of files: what is read of them, and what is said of those that cannot be."""

import gzip
import json
import tracemalloc
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amt.errors import SourceError
from amt.params import Source
from amt.rewards.instructions import CHECKS, grade_instructions
from amt.rows import QUERY, read_rows
from amt.sources.catalogue import DATASETS
from amt.sources.collect import write_hub_rows, write_queries, write_raw
from amt.sources.reading import json_rows

QUESTION = "What is 1 + 1?"
TURNS = [{"role": "user", "content": QUESTION}]
CHAT = {"prompt": "p", "prompt_id": "1", "messages": TURNS}
MATH = {"problem": QUESTION, "answer": "two", "source": "gsm8k"}
CODE = {
    "problem": "Old",
    "solutions": ["x"],
    "tests": json.dumps([{"input": "1", "output": "2", "testtype": "stdin"}]),
    "starter_code": "",
    "metadata": {"func_name": None},
}


def _source(origin, limit=None):
    revision, path = ("a1b2c3d4e5" * 4, None) if origin == "hub" else (None, "mine")
    return Source(origin=origin, revision=revision, path=path, limit=limit, shards=1)


def _lines(path: Path, *rows) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def _raw(tmp_path, name, place, limit=None):
    write_raw(name, _source("local", limit), tmp_path / "rows.parquet", place)
    return read_rows(tmp_path / "rows.parquet")


def _fails(tmp_path, name, place, match):
    with pytest.raises(SourceError, match=match) as raised:
        _raw(tmp_path, name, place)
    assert "network" not in str(raised.value)
    assert not (tmp_path / "rows.parquet").exists()


# --- columns ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("origin", ["hub", "local"])
def test_of_parquet_only_the_needed_columns_are_read(tmp_path, origin):
    """The pages of the others are spoilt here: whoever reads them fails."""
    folder = tmp_path / "published"
    folder.mkdir()
    rows = [MATH | {"problem": f"What is {number} + 1?", "domain": "x" * 50} for number in range(3000)]
    file = folder / "train.parquet"
    pq.write_table(pa.Table.from_pylist(rows), file, row_group_size=1000, compression="none")
    content = bytearray(file.read_bytes())
    for group in range(3):
        chunk = pq.read_metadata(file).row_group(group).column(3)
        assert chunk.path_in_schema == "domain"
        begin = chunk.dictionary_page_offset or chunk.data_page_offset
        content[begin : begin + chunk.total_compressed_size] = b"\xff" * chunk.total_compressed_size
    file.write_bytes(content)
    with pytest.raises(OSError, match="page header"):
        pq.read_table(file)
    if origin == "hub":
        described = replace(DATASETS["big_math_rl_verified"], hub_id=str(folder))
        assert write_hub_rows(described, _source("hub"), tmp_path / "rows.parquet") == 3000
    else:
        _raw(tmp_path, "big_math_rl_verified", folder)
    found = pq.read_table(tmp_path / "rows.parquet")
    assert found.column_names == ["problem", "source", "answer"]
    assert found["problem"].to_pylist() == [row["problem"] for row in rows]


@pytest.mark.parametrize("form", ["jsonl", "parquet", "csv"])
def test_a_file_that_lacks_a_column_is_named_with_it(tmp_path, form):
    folder = tmp_path / "mine"
    folder.mkdir()
    for name, row in (("a", MATH), ("b", {"problem": QUESTION, "final": "two", "source": "gsm8k"})):
        table = pa.Table.from_pylist([row])
        if form == "jsonl":
            _lines(folder / f"{name}.jsonl", row)
        elif form == "parquet":
            pq.write_table(table, folder / f"{name}.parquet")
        else:
            table.to_pandas().to_csv(folder / f"{name}.csv", index=False)
    match = rf"source big_math_rl_verified: .*b\.{form} lacks column answer \(it has: problem, final, source\)"
    _fails(tmp_path, "big_math_rl_verified", folder, match)


RENAMED = {
    "ultra_chat": (
        CHAT | {"messages": [{"from": "human", "value": "Hi"}]},
        r"column messages of .* lacks content, role and has also from, value \(it has: from, value; the adapter knows:",
    ),
    "kodcode_v1": (
        {
            **dict.fromkeys(("question_id", "question", "test", "subset", "solution"), "x"),
            "test_info": [{"name": "inc", "declaration": "def inc(x):"}],
        },
        r"column test_info of .* lacks function_declaration, function_name and has also declaration, name \(",
    ),
    "verifiable_coding": (
        {
            **dict.fromkeys(("source", "problem_statement", "gold_standard_solution", "problem_id"), "x"),
            "verification_info": {
                "language": "python",
                "test_cases": [{"type": "stdin_stdout", "stdin": "1", "output": "2"}],
            },
        },
        r"column verification_info\.test_cases of .* lacks input and has also stdin \(it has: output, stdin, type;",
    ),
    "nemotron_if": (
        {
            "input": TURNS,
            "args": {"instruction_id_list": ["x:y"], "kwargs": [{"num_rhymes": 3}]},
            "category": "if",
            "license": "odc-by",
        },
        r"column args\.kwargs of .* has also num_rhymes \(it has: num_rhymes; the adapter knows: num_words, ",
    ),
}


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
@pytest.mark.parametrize("name", RENAMED)
def test_renamed_fields_within_a_column_are_an_error(tmp_path, name, form):
    row, match = RENAMED[name]
    place = tmp_path / f"a.{form}"
    if form == "jsonl":
        _lines(place, row, row)
    else:
        pq.write_table(pa.Table.from_pylist([row, row]), place)
    _fails(tmp_path, name, place, rf"source {name}: {match}")


def test_a_field_that_comes_late_is_an_error_too(tmp_path):
    """Nothing but the rows themselves says which fields JSON lines have."""
    late = CHAT | {"messages": [TURNS[0] | {"image": "cat.png"}]}
    place = _lines(tmp_path / "a.jsonl", *[CHAT] * 2500, late)
    _fails(tmp_path, "ultra_chat", place, r"column messages of .*a\.jsonl has also image \(")


def test_fields_without_a_value_are_no_other_fields(tmp_path):
    """As `datasets` writes JSON: every row has the fields of all."""
    rows = [CHAT | {"messages": [TURNS[0] | {"image": None}]}, CHAT | {"messages": []}, CHAT | {"messages": None}]
    assert _raw(tmp_path, "ultra_chat", _lines(tmp_path / "a.jsonl", *rows))[0]["messages"] == TURNS


ARGUMENTS = {
    "keywords:existence": ({"keywords": ["one"]}, "one"),
    "keywords:frequency": ({"keyword": "one", "frequency": 2, "relation": "at least"}, "one one"),
    "keywords:forbidden_words": ({"forbidden_words": ["two"]}, "one"),
    "keywords:letter_frequency": ({"letter": "o", "let_frequency": 2, "let_relation": "less than"}, "one"),
    "language:response_language": ({"language": "en"}, "This is how the people of this town speak to each other."),
    "length_constraints:number_sentences": ({"num_sentences": 2, "relation": "less than"}, "One."),
    "length_constraints:number_paragraphs": ({"num_paragraphs": 2}, "a\n***\nb"),
    "length_constraints:number_words": ({"num_words": 3, "relation": "less than"}, "a b"),
    "length_constraints:nth_paragraph_first_word": (
        {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "two"},
        "one\n\ntwo",
    ),
    "detectable_content:number_placeholders": ({"num_placeholders": 1}, "[name]"),
    "detectable_content:postscript": ({"postscript_marker": "P.S."}, "a\nP.S. b"),
    "detectable_format:number_bullet_lists": ({"num_bullets": 1}, "* a"),
    "detectable_format:number_highlighted_sections": ({"num_highlights": 1}, "*a*"),
    "detectable_format:multiple_sections": ({"section_spliter": "PART", "num_sections": 1}, "PART 1"),
    "combination:repeat_prompt": ({"prompt_to_repeat": "Say it."}, "Say it. It."),
    "startend:end_checker": ({"end_phrase": "Bye."}, "Well. Bye."),
    "change_case:capital_word_frequency": ({"capital_frequency": 1, "capital_relation": "at least"}, "ONE"),
    "detectable_format:constrained_response": ({}, "My answer is yes."),
    "detectable_format:json_format": ({}, "{}"),
    "detectable_format:title": ({}, "<<One>>"),
    "combination:two_responses": ({}, "a******b"),
    "startend:quotation": ({}, '"a"'),
    "change_case:english_capital": ({}, "THIS IS HOW THE PEOPLE OF THIS TOWN SPEAK TO EACH OTHER."),
    "change_case:english_lowercase": ({}, "this is how the people of this town speak to each other."),
    "punctuation:no_comma": ({}, "a b"),
}


def test_every_instruction_that_can_be_checked_comes_in_with_its_arguments(tmp_path):
    assert ARGUMENTS.keys() == CHECKS.keys()
    rows = [
        {
            "input": [{"role": "user", "content": f"Follow {name}."}],
            "args": {"instruction_id_list": [name], "kwargs": [kwargs]},
            "category": "if",
            "license": "odc-by",
        }
        for name, (kwargs, _) in ARGUMENTS.items()
    ]
    _raw(tmp_path, "nemotron_if", _lines(tmp_path / "a.jsonl", *rows))
    write_queries("nemotron_if", tmp_path / "rows.parquet", tmp_path / "q.parquet", tmp_path / "l.parquet")
    found = {row["query"]: row["instructions"] for row in read_rows(tmp_path / "q.parquet", QUERY)}
    for name, (kwargs, answer) in ARGUMENTS.items():
        instructions = found[f"Follow {name}."]
        assert json.loads(instructions)["kwargs"] == [kwargs]
        verdict = grade_instructions(instructions, f"<think>x</think><answer>{answer}</answer>")
        assert (verdict.status, verdict.passed) == ("scored", True), (name, verdict.reason)


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet"])
def test_memory_does_not_grow_with_heavy_rows(tmp_path, monkeypatch, form):
    """Of 400 rows of 100,000 characters, batches take what 2 MB allow: all of them have 40."""
    monkeypatch.setattr("amt.rows.ROW_GROUP_BYTES", 2_000_000)
    rows = [MATH | {"problem": f"{number}+" * 20_000 + "1?"} for number in range(1000, 1400)]
    place = tmp_path / f"a.{form}"
    if form == "jsonl":
        _lines(place, *rows)
    elif form == "csv":
        pa.Table.from_pylist(rows).to_pandas().to_csv(place, index=False)
    else:
        pq.write_table(pa.Table.from_pylist(rows), place)
    paths = [tmp_path / name for name in ("rows.parquet", "q.parquet", "l.parquet")]
    peaks = []
    for stage in (
        lambda: write_raw("big_math_rl_verified", _source("local"), paths[0], place),
        lambda: write_queries("big_math_rl_verified", *paths),
    ):
        tracemalloc.start()
        stage()
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert max(peaks) < 30e6  # of CSV, 100 rows are read at once
    assert [row["problem"] for row in read_rows(paths[0])] == [row["problem"] for row in rows]
    assert [row["query"] for row in read_rows(paths[1], QUERY)] == [row["problem"] for row in rows]


# --- folders ------------------------------------------------------------------------------------------------


def _deepcoder(folder: Path, *files: str) -> Path:
    for file in files:
        _lines(folder / f"{file}.jsonl", CODE | {"problem": file})
    return folder


def test_of_a_copy_of_a_repository_only_our_configurations_and_split_are_read(tmp_path):
    """Its split test is the evaluation set."""
    files = ("primeintellect/train", "taco/train", "lcbv5/train", "lcbv5/test", "codeforces/test", "codeforces/train")
    folder = _deepcoder(tmp_path / "mine", *files)
    ours = ["lcbv5/train", "primeintellect/train", "taco/train"]
    assert sorted(row["problem"] for row in _raw(tmp_path, "deepcoder", folder)) == ours
    # The same where its card says which files are what, whatever they are called.
    configs = {"primeintellect": "a", "taco": "b", "lcbv5": "c", "codeforces": "d"}
    folder = _deepcoder(tmp_path / "card", *(f"{file}{split}" for file in "abcd" for split in (1, 2)))
    card = "".join(
        f"\n- config_name: {config}\n  data_files:\n  - split: train\n    path: {file}1.jsonl\n"
        f"  - split: test\n    path: {file}2.jsonl"
        for config, file in configs.items()
    )
    (folder / "README.md").write_text(f"---\nconfigs:{card}\n---\n# Card\n")
    assert [row["problem"] for row in _raw(tmp_path, "deepcoder", folder)] == ["a1", "b1", "c1"]


@pytest.mark.parametrize(
    ("name", "row", "files", "read"),
    [
        (
            "ultra_chat",
            CHAT,
            [
                "data/train_sft-00000-of-00002",
                "data/train_sft-00001-of-00002",
                "data/test_sft-00000-of-00001",
                "data/train_gen-00000-of-00001",
            ],
            2,
        ),
        ("ultra_chat", CHAT, ["mine", "more", "eval"], 2),
        ("ultra_chat", CHAT, ["testimonials", "training_notes"], 2),
        ("big_math_rl_verified", MATH, ["train", "test"], 1),
    ],
)
def test_files_that_bear_the_name_of_another_split_are_not_read(tmp_path, name, row, files, read):
    for file in files:
        _lines(tmp_path / "mine" / f"{file}.jsonl", row)
    assert len(_raw(tmp_path, name, tmp_path / "mine")) == read


def test_a_folder_with_nothing_but_other_splits_says_so(tmp_path):
    folder = _deepcoder(tmp_path / "mine", "lcbv5/test")
    match = r"sources\.deepcoder\.path: .*mine holds no file .*split train: lcbv5/test\.jsonl belong to other parts"
    _fails(tmp_path, "deepcoder", folder, match)


def test_what_lies_beside_the_rows_is_not_taken_for_rows(tmp_path):
    _lines(tmp_path / "mine" / "a.jsonl", CHAT)
    (tmp_path / "mine" / "dataset_infos.json").write_text('{"default": {"x": 1}}')
    (tmp_path / "mine" / ".cache").mkdir()
    (tmp_path / "mine" / ".cache" / "a.json").write_text("{}")
    assert len(_raw(tmp_path, "ultra_chat", tmp_path / "mine")) == 1


def test_files_of_several_forms_lie_side_by_side(tmp_path):
    folder = tmp_path / "mine"
    _lines(folder / "a.jsonl", MATH | {"problem": "a"})
    (folder / "b.csv").write_text("problem,answer,source\nb,007,gsm8k\n")
    (folder / "c.tsv").write_text("problem\tanswer\tsource\nc\ttwo\tgsm8k\n")
    (folder / "d.json").write_text(json.dumps([MATH | {"problem": "d"}], indent=1))
    pq.write_table(pa.Table.from_pylist([MATH | {"problem": "e"}]), folder / "e.parquet")
    found = _raw(tmp_path, "big_math_rl_verified", folder)
    assert [row["problem"] for row in found] == list("abcde")
    assert found[1]["answer"] == "007"
    assert [row["problem"] for row in _raw(tmp_path, "big_math_rl_verified", folder, limit=3)] == list("abc")


ENDINGS = ["jsonl", "JSONL", "ndjson", "json", "jsonl.gz", "ndjson.GZ", "json.gz", "Parquet", "CSV", "Tsv"]


@pytest.mark.parametrize("as_folder", [False, True])
@pytest.mark.parametrize("ending", ENDINGS)
def test_files_are_read_by_their_ending(tmp_path, ending, as_folder):
    """Of a folder, with names of splits before it."""
    for split, number in (("train", "007"), ("test", "008")):
        file = tmp_path / "mine" / f"{split}-00000-of-00001.{ending}"
        table = pa.Table.from_pylist([MATH | {"answer": number}])
        file.parent.mkdir(exist_ok=True)
        if ending == "Parquet":
            pq.write_table(table, file)
        elif ending in ("CSV", "Tsv"):
            table.to_pandas().to_csv(file, index=False, sep="," if ending == "CSV" else "\t")
        else:
            content = (json.dumps(MATH | {"answer": number}) + "\n").encode()
            file.write_bytes(gzip.compress(content) if ending.lower().endswith("gz") else content)
    place = tmp_path / "mine" if as_folder else tmp_path / "mine" / f"train-00000-of-00001.{ending}"
    assert [row["answer"] for row in _raw(tmp_path, "big_math_rl_verified", place)] == ["007"]


@pytest.mark.parametrize("as_folder", [False, True])
@pytest.mark.parametrize("file", ["a.txt", "a.jsonl.xz", "a.parquet.gz", "a.csv.gz", "a.gz", "jsonl", "a."])
def test_a_file_of_an_ending_that_is_not_read_is_told_which_are(tmp_path, file, as_folder):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / file).write_text("x")
    match = (
        r"sources\.ultra_chat\.path: .* form that can be read "
        r"\(\.jsonl, \.ndjson, \.json, \.jsonl\.gz, \.ndjson\.gz, \.json\.gz, \.parquet, \.csv, \.tsv\)"
    )
    _fails(tmp_path, "ultra_chat", tmp_path / "mine" if as_folder else tmp_path / "mine" / file, match)


# --- JSON -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", r"a\.json holds no rows"),
        (b"[]", r"a\.json holds no rows"),
        (b'[{"conversations": [', r"a\.json element 1 is not JSON \(Expecting value"),
        (b'[{"prompt": "p"}, {"a" 7}, ' + b"{}," * 100 + b"{}]", r"a\.json element 2 is not JSON \(Expecting ':'"),
        (b'[{"prompt": "p"}', r"a\.json element 2 is not JSON"),
        (b'[{"prompt": "p"}, 7]', r"a\.json element 2 is a int, not a JSON object"),
        (b'[{"prompt": "\xff"}]', r"a\.json is not JSON at element 1 or after it \(.*codec"),
        (b'\n{"prompt": "p"}\n\n{"prompt\n', r"a\.json line 4 is not JSON"),
        (b"{" + b'"a":[' * 100_000, r"a\.json line 1 is not JSON"),
    ],
)
def test_broken_json_is_named_with_its_place(tmp_path, content, match):
    (tmp_path / "a.json").write_bytes(content)
    _fails(tmp_path, "openhermes_2_5", tmp_path / "a.json", match)


@pytest.mark.parametrize("spoil", [lambda packed: packed[:-30], lambda packed: packed[:30] + b"\xff" * 30, bytes.hex])
def test_a_packed_file_that_is_cut_short_or_spoilt_is_named(tmp_path, spoil):
    lines = "".join(json.dumps(CHAT | {"prompt_id": str(number)}) + "\n" for number in range(300))
    spoilt = spoil(gzip.compress(lines.encode()))
    (tmp_path / "a.jsonl.gz").write_bytes(spoilt if isinstance(spoilt, bytes) else spoilt.encode())
    match = r"a\.jsonl\.gz cannot be read: .*sources\.ultra_chat\.path"
    _fails(tmp_path, "ultra_chat", tmp_path / "a.jsonl.gz", match)


@pytest.mark.parametrize("name", ["a.parquet", "a.csv"])
def test_a_file_of_another_form_is_named(tmp_path, name):
    (tmp_path / name).write_bytes(b"")
    _fails(tmp_path, "openhermes_2_5", tmp_path / name, rf"{name} cannot be read: .*sources\.openhermes_2_5\.path")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=9,
)


@given(
    rows=st.lists(st.dictionaries(st.text(max_size=4), VALUES, max_size=4), max_size=6),
    ascii_only=st.booleans(),
    layout=st.sampled_from(["lines", "array", "indented", "gzip", "byte order mark"]),
)
def test_lines_and_arrays_are_read_as_they_were_written(tmp_path_factory, rows, ascii_only, layout):
    file = tmp_path_factory.mktemp("json") / ("a.jsonl.gz" if layout == "gzip" else "a.jsonl")
    if layout in ("array", "indented"):
        text = json.dumps(rows, ensure_ascii=ascii_only, indent=2 if layout == "indented" else None)
    else:
        text = "".join(json.dumps(row, ensure_ascii=ascii_only) + "\n\n" for row in rows)
    content = text.encode("utf-8-sig" if layout == "byte order mark" else "utf-8", "surrogatepass")
    file.write_bytes(gzip.compress(content) if layout == "gzip" else content)
    assert list(json_rows(file)) == rows


@pytest.mark.parametrize("spaces", [None, 1])
def test_an_array_is_read_across_every_border_of_its_blocks(tmp_path, spaces):
    """Blocks have 2^20 characters: the border passes through the whole of the second row."""
    second = {"text": 'ä"\\\n\U0001f600\u2028', "number": -12.5e-7, "flags": [True, None, False], "in": {"a": [{}, []]}}
    length = len(json.dumps(second, indent=spaces)) + 20
    for place in range(0, length):
        rows = [{"text": "x" * (2**20 - 20 - place)}, second, {"text": "last"}]
        (tmp_path / "a.json").write_text(json.dumps(rows, indent=spaces))
        assert list(json_rows(tmp_path / "a.json")) == rows


@pytest.mark.parametrize("origin", ["hub", "local"])
def test_memory_does_not_hold_an_array(tmp_path, origin):
    """OpenHermes is published as one array of 1.9 GB."""
    folder = tmp_path / "published"
    folder.mkdir()
    turns = [{"from": "human", "value": "x " * 5000}, {"from": "gpt", "value": "y"}]
    row = {"conversations": turns, "system_prompt": None, "id": None, "source": "s"}
    (folder / "openhermes2_5.json").write_text("[" + ",".join([json.dumps(row)] * 8000) + "]")
    described = replace(DATASETS["openhermes_2_5"], hub_id=str(folder))
    tracemalloc.start()
    if origin == "hub":
        assert write_hub_rows(described, _source("hub"), tmp_path / "rows.parquet") == 8000
    else:
        assert write_raw("openhermes_2_5", _source("local"), tmp_path / "rows.parquet", folder) == 8000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 45e6  # a batch of 1000 rows is 10 MB, the file 81 MB
