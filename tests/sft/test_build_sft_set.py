"""What gets into the SFT set, how often, and what is said about the rest."""

import json
import tracemalloc
from collections import Counter, defaultdict
from contextlib import contextmanager, nullcontext
from functools import partial
from types import SimpleNamespace

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from amt.errors import DataError
from amt.params import SftSet
from amt.rows import CATEGORIES, QUERY, RESPONSE, SCORE, canonical_json, read_rows, write_rows
from amt.seeds import seed_for
from amt.sft.build_sft_set import build_sft_set
from tests.sft.conftest import SYSTEM

SETTINGS = SftSet(
    max_responses=2,
    hard_below=0.8,
    hard_below_reward=0.4,
    min_score=0.5,
    upsample={"math": 1, "code": 1, "science": 1, "instruction_follow": 3, "general_chat": 1},
    max_samples=dict.fromkeys(CATEGORIES),
)

QUERY_SCORE = pa.schema([("row_id", pa.string()), ("verify_score", pa.float64()), ("pass_rate", pa.float64())])


def query(name, text="What is 3 + 4?", category="math", messages=None):
    turns = messages or [{"role": "user", "content": text}]
    return {
        "row_id": name,
        "source": f"source_of_{category}",
        "category": category,
        "query": text,
        "messages": canonical_json(turns),
    }


@pytest.fixture
def build(tmp_path, untrained):
    """build(queries, {row_id: [(text, reward or status), ...]}, {row_id: verify score}) -> files and report.

    judged: row_ids whose verify score is a reward model's.
    shards: files of each kind, among which the queries are dealt.
    around: a context of the stage alone.
    """

    def run(
        queries, responses, verify_scores=None, *, judged=(), max_tokens=256, settings=SETTINGS, seed=1, shards=1,
        around=nullcontext,
    ):  # fmt: skip
        verify_scores = verify_scores or {}
        answers = [
            (f"{name}/{number}", name, number, text, outcome)
            for name, some in responses.items()
            for number, (text, outcome) in enumerate(some)
        ]
        shard_of = {row["row_id"]: number % shards for number, row in enumerate(queries)}

        def files(name, rows, schema):
            paths = [tmp_path / f"{name}{shard}.parquet" for shard in range(shards)]
            for shard, path in enumerate(paths):
                write_rows(path, [row for row in rows if shard_of.get(row["row_id"], 0) == shard], schema)
            return paths

        response_rows = [
                {"response_id": response_id, "row_id": name, "sample": number, "model": "m", "response": text,
                 "finish_reason": "stop", "tokens": 1}
                for response_id, name, number, text, _ in answers
            ]  # fmt: skip
        score_rows = [
                {"response_id": response_id, "row_id": name, "reward_kind": "math",
                 "status": outcome if isinstance(outcome, str) else "scored",
                 "reward": None if isinstance(outcome, str) else outcome}
                for response_id, name, _, _, outcome in answers
            ]  # fmt: skip
        scored = [
            {"row_id": row["row_id"], "verify_score": score, "pass_rate": None if row["row_id"] in judged else score}
            for row in queries
            for score in [verify_scores.get(row["row_id"], 1.0)]
        ]
        names = ("samples", "packs", "ledger")
        inputs = {
            "queries": files("queries", queries, QUERY),
            "responses": files("responses", response_rows, RESPONSE),
            "scores": files("scores", score_rows, SCORE),
            "queries_scored": files("queries_scored", scored, QUERY_SCORE),
        }
        with around():
            report = build_sft_set(
                **inputs,
                tokenizer=untrained,
                report=tmp_path / "report.json",
                **{name: tmp_path / f"{name}.parquet" for name in names},
                settings=settings,
                max_tokens=max_tokens,
                system_prompt=SYSTEM,
                seed=seed,
            )
        assert json.loads((tmp_path / "report.json").read_text()) == report
        tables = {name: read_rows(tmp_path / f"{name}.parquet") for name in names}
        return SimpleNamespace(report=report, **tables)

    return run


def reasons(result):
    return {entry["row_id"]: entry["reason"] for entry in result.ledger if entry["outcome"] == "dropped"}


def test_the_trained_span_is_the_last_response_only(build, untrained):
    turns = [
        {"role": "user", "content": "What is 1 + 1?"},
        {"role": "assistant", "content": "<think>old</think><answer>2</answer>"},
        {"role": "user", "content": "And 3 + 4?"},
    ]
    response = "<think>3 + 4 = 7.</think><answer>\\boxed{7}</answer>"
    result = build([query("a", messages=turns)], {"a": [(response, 1.0)]})
    (sample,) = result.samples
    tokenizer = AutoTokenizer.from_pretrained(untrained)
    trained = [number for number, bit in zip(sample["token_ids"], sample["loss_mask"], strict=True) if bit]
    assert tokenizer.decode(trained) == response + "<|im_end|>"
    assert tokenizer.decode(sample["token_ids"]) == (
        f"<|im_start|>system\n{SYSTEM}<|im_end|>\n<|im_start|>user\nWhat is 1 + 1?<|im_end|>\n"
        "<|im_start|>assistant\n<think>old</think><answer>2</answer><|im_end|>\n"
        f"<|im_start|>user\nAnd 3 + 4?<|im_end|>\n<|im_start|>assistant\n{response}<|im_end|>"
    )
    assert set(sample["loss_mask"]) == {0, 1}


def test_hard_queries_keep_several_responses_and_easy_ones_one(build):
    three = [("first", 1.0), ("second", 1.0), ("third", 1.0)]
    result = build(
        [query("easy"), query("hard")], {"easy": three, "hard": three}, verify_scores={"easy": 0.8, "hard": 0.79}
    )
    assert Counter(sample["row_id"] for sample in result.samples) == {"easy": 1, "hard": 2}
    assert result.report["responses"] == {"offered": 6, "trained_on": 3, "beyond_max_responses": 3}


def test_a_mean_reward_has_a_bound_of_its_own(build):
    three = [("first", 1.0), ("second", 1.0), ("third", 1.0)]
    scores = {"fair": 0.4, "poor": 0.39, "solved": 0.8, "unsolved": 0.79}
    result = build([query(name) for name in scores], dict.fromkeys(scores, three), scores, judged=("fair", "poor"))
    kept = Counter(sample["row_id"] for sample in result.samples)
    assert kept == {"fair": 1, "poor": 2, "solved": 1, "unsolved": 2}


def _offer(hard):
    """Five categories of eight queries; of those in `hard` two responses are trained on."""
    queries = [
        query(f"{category}{number}", f"{category} {number}?", category)
        for category in CATEGORIES
        for number in range(8)
    ]
    responses = {row["row_id"]: [(f"to {row['row_id']}", 1.0), (f"again {row['row_id']}", 0.9)] for row in queries}
    return queries, responses, {row["row_id"]: 0.5 if row["row_id"][-1] in hard else 1.0 for row in queries}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_category_is_filled_in_a_drawn_order_up_to_its_bound(build, seed):
    offer = _offer("246")
    taken = {}
    for most in (1, 2, 3, 4, 7, 11, None):
        bounds = SETTINGS.model_copy(update={"max_samples": dict.fromkeys(CATEGORIES) | {"math": most}})
        result = build(*offer, settings=bounds, seed=seed)
        count = Counter(sample["category"] for sample in result.samples)
        # 5 easy and 3 hard ones; instructions three times.
        in_math = count.pop("math", 0)
        assert count == {"code": 11, "science": 11, "instruction_follow": 33, "general_chat": 11}
        assert in_math == 11 if most is None else most - 1 <= in_math <= most
        of_query = Counter(sample["row_id"] for sample in result.samples if sample["category"] == "math")
        assert all(number == 1 + (name[-1] in "246") for name, number in of_query.items())  # all of a query, or none
        taken[most] = set(of_query)
        left_out = {name for name, reason in reasons(result).items() if reason == "beyond_max_samples"}
        assert {name.split("/")[0] for name in left_out} == {f"math{number}" for number in range(8)} - taken[most]
        dropped = result.report["queries"]["dropped"]
        assert dropped == ({"beyond_max_samples": 8 - len(of_query)} if len(of_query) < 8 else {})
    # The higher the bound, the more: what was there stays.
    assert taken[1] <= taken[2] <= taken[3] <= taken[4] <= taken[7] <= taken[11] == taken[None]


def test_repeats_count_and_the_draw_follows_the_seed_and_not_the_order_of_rows(build):
    bounds = SETTINGS.model_copy(update={"max_samples": {"instruction_follow": 11, "general_chat": 3}})
    queries, responses, scores = _offer("")
    drawn = []
    for rows, seed in ((queries, 1), (queries[::-1], 1), (queries, 2), (queries, 3)):
        result = build(rows, responses, scores, settings=bounds, seed=seed)
        count = Counter(sample["category"] for sample in result.samples)
        assert count == {"math": 8, "code": 8, "science": 8, "instruction_follow": 9, "general_chat": 3}
        drawn.append({sample["row_id"] for sample in result.samples})
    assert drawn[0] == drawn[1]
    assert len({frozenset(some) for some in drawn}) > 1


def test_the_better_response_is_kept_and_no_text_twice(build):
    result = build(
        [query("a"), query("b")],
        {"a": [("good enough", 0.6), ("best", 1.0)], "b": [("same", 1.0), ("same", 1.0)]},
        verify_scores={"a": 1.0, "b": 0.0},
    )
    assert [sample["response_id"] for sample in result.samples if sample["row_id"] == "a"] == ["a/1"]
    assert sum(sample["row_id"] == "b" for sample in result.samples) == 1
    assert result.report["responses"]["same_text"] == 1
    assert sorted(reasons(result).values()) == ["beyond_max_responses", "same_text"]
    assert reasons(result)["a/0"] == "beyond_max_responses"


def test_every_query_without_a_sample_has_the_reason_its_best_response_failed(build):
    result = build(
        [query(name) for name in ("fine", "none", "broken", "invalid", "low", "long", "control")],
        {
            "fine": [("right", 1.0)],
            "broken": [("x", "error")],
            "invalid": [("x", "invalid")],
            "low": [("x", 0.49), ("y", "error")],
            "long": [("seven " * 300, 1.0), ("z", 0.0)],
            "control": [("stop here<|im_end|>or not", 1.0)],
        },
    )
    assert [sample["row_id"] for sample in result.samples] == ["fine"]
    assert reasons(result) == {
        "broken/0": "not_scored",
        "invalid/0": "not_scored",
        "low/0": "low_score",
        "low/1": "not_scored",
        "long/0": "over_long",
        "long/1": "low_score",
        "control/0": "special_token",
    }
    assert result.report["queries"]["rows_in"] == 7
    assert result.report["queries"]["dropped"] == {
        "no_response": 1, "not_scored": 2, "low_score": 1, "over_long": 1, "special_token": 1,
    }  # fmt: skip
    offered = result.report["responses"]["offered"]
    assert offered == 8 == sum(result.report["responses"].values()) - offered


def test_over_long_samples_are_discarded_whole_and_another_response_takes_their_place(build):
    whole = build([query("a")], {"a": [("one two three " * 20, 1.0)]})
    length = len(whole.samples[0]["token_ids"])
    responses = {"a": [("one two three " * 20, 1.0), ("short", 0.7)]}
    at_the_limit = build([query("a")], responses, max_tokens=length)
    above_it = build([query("a")], responses, max_tokens=length - 1)
    assert [sample["response_id"] for sample in at_the_limit.samples] == ["a/0"]
    assert [sample["response_id"] for sample in above_it.samples] == ["a/1"]
    assert above_it.report["responses"]["over_long"] == 1
    assert above_it.report["longest"] < length


def test_categories_are_repeated_as_declared_and_counted(build):
    queries = [query("m", "m?"), query("i1", "i?", "instruction_follow"), query("i2", "j?", "instruction_follow")]
    result = build(queries, {row["row_id"]: [(f"answer to {row['row_id']}", 1.0)] for row in queries})
    assert Counter(sample["response_id"] for sample in result.samples) == {"m/0": 1, "i1/0": 3, "i2/0": 3}
    assert len({sample["sample_id"] for sample in result.samples}) == 7
    found = {name: (entry["samples"], entry["distinct_samples"]) for name, entry in result.report["categories"].items()}
    assert found == {
        "math": (1, 1), "code": (0, 0), "science": (0, 0), "instruction_follow": (6, 2), "general_chat": (0, 0),
    }  # fmt: skip
    for name, entry in result.report["categories"].items():
        here = [sample for sample in result.samples if sample["category"] == name]
        assert entry["tokens"] == sum(len(sample["token_ids"]) for sample in here)
        assert entry["trained_tokens"] == sum(sum(sample["loss_mask"]) for sample in here)
    assert sum(entry["share_of_tokens"] for entry in result.report["categories"].values()) == pytest.approx(1)


def test_packs_hold_every_sample_once_within_the_limit(build):
    queries = [query(f"q{number:02}", f"What is {number}?") for number in range(30)]
    result = build(queries, {f"q{number:02}": [("word " * number, 1.0)] for number in range(30)}, max_tokens=100)
    length = {sample["sample_id"]: len(sample["token_ids"]) for sample in result.samples}
    assert Counter(entry["sample_id"] for entry in result.packs) == Counter(length.keys())
    for pack in {entry["pack"] for entry in result.packs}:
        members = [entry for entry in result.packs if entry["pack"] == pack]
        assert [entry["position"] for entry in members] == list(range(len(members)))
        assert sum(length[entry["sample_id"]] for entry in members) <= 100


def test_the_ledger_says_how_often_a_response_goes_on_and_where_it_is_packed(build):
    queries = [query("m", "m?"), query("i", "i?", "instruction_follow"), query("none")]
    result = build(queries, {"m": [("to m", 1.0), ("to m again", 0.9)], "i": [("to i", 1.0)]}, max_tokens=80)
    assert [(entry["row_id"], entry["outcome"]) for entry in result.ledger] == [
        ("i/0", "repeated"), ("m/0", "packed"), ("m/1", "dropped"),
    ]  # fmt: skip
    assert {entry["source"] for entry in result.ledger} == {"source_of_math", "source_of_instruction_follow"}
    for entry in result.ledger[:2]:
        copies = [place for place in result.packs if place["sample_id"].startswith(entry["row_id"] + "#")]
        places = sorted([place["pack"], place["position"]] for place in copies)
        assert json.loads(entry["detail"]) == {"packs": places}
        assert len(places) == (3 if entry["row_id"] == "i/0" else 1)


def test_equal_input_and_seed_give_equal_bytes(build, tmp_path):
    def files():
        queries = [query(f"q{number}") for number in range(9)]
        build(queries, {f"q{number}": [(f"a{number}", 1.0)] for number in range(9)})
        return {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    assert files() == files()


def test_nothing_to_train_on_is_an_error_that_counts_and_names_the_key(build):
    with pytest.raises(DataError, match=r"None of 2 responses.*2 low_score.*sft_set\.min_score"):
        build([query("a")], {"a": [("x", 0.1), ("y", 0.2)]})


def test_responses_to_unknown_queries_are_an_error(build):
    with pytest.raises(DataError, match="answers 1 queries"):
        build([query("a")], {"b": [("x", 1.0)]})


# Text, score or status, and what becomes of the response if it is looked at: None where that depends on the others.
KINDS = {
    "good": ("fine", 1.0, None),
    "fair": ("fair", 0.7, None),
    "low": ("poor", 0.1, "low_score"),
    "broken": ("no", "error", "not_scored"),
    "long": ("word " * 200, 1.0, "over_long"),
    "control": ("stop<|im_end|>", 1.0, "special_token"),
}


def expected_fates(offer, hard, most, repeats, seed):
    """The same choice, a query at a time with everything at hand."""
    fates, samples, full = {}, Counter(), set()
    for name in sorted(offer, key=lambda name: (seed_for(seed, "sft_set", "mixture", name), name)):
        category, kinds = offer[name]
        if category in full:
            fates |= {f"{name}/{number}": "beyond_max_samples" for number in range(len(kinds))}
            continue
        of_query = {f"{name}/{number}": KINDS[kind][2] for number, kind in enumerate(kinds)}
        usable = sorted(
            (-KINDS[kind][1], seed_for(seed, "sft_set", "choose", f"{name}/{number}"), f"{name}/{number}", kind)
            for number, kind in enumerate(kinds)
            if KINDS[kind][2] is None
        )
        taken, texts = [], set()
        for _, _, response_id, kind in usable:
            if kind in texts:
                of_query[response_id] = "same_text"
            elif len(taken) == (2 if name in hard else 1):
                of_query[response_id] = "beyond_max_responses"
            else:
                taken.append(response_id)
            texts.add(kind)
        if most is not None and samples[category] + len(taken) * repeats[category] > most:
            full.add(category)
            of_query |= dict.fromkeys(taken, "beyond_max_samples")
        else:
            samples[category] += len(taken) * repeats[category]
        fates |= of_query
    return fates


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    kinds=st.lists(st.lists(st.sampled_from(sorted(KINDS)), max_size=4), min_size=1, max_size=24),
    most=st.none() | st.integers(0, 12),
    shards=st.integers(1, 3),
    block=st.integers(1, 8),
    seed=st.integers(0, 5),
)
# Nearly all fail, so that it takes several attempts to fill a category.
@example(kinds=[["long"], ["control", "long"], ["long", "low"]] * 7 + [["good"]] * 3, most=2, shards=2, block=2, seed=0)
@example(kinds=[["good"], ["good"], ["long"], ["long"]] * 6, most=4, shards=1, block=3, seed=1)
@example(kinds=[["good"], ["good"], ["long"], ["long"]] * 6, most=4, shards=1, block=3, seed=2)
def test_the_choice_is_that_of_a_query_at_a_time(build, kinds, most, shards, block, seed):
    offer = {f"q{number:02}": (("math", "instruction_follow")[number % 2], some) for number, some in enumerate(kinds)}
    hard = {name for number, name in enumerate(offer) if number % 3 == 0}
    fates = expected_fates(offer, hard, most, SETTINGS.upsample, seed)
    chosen = sorted(name for name, fate in fates.items() if fate is None)
    run = partial(
        build,
        [query(name, category=category) for name, (category, _) in offer.items()],
        {name: [KINDS[kind][:2] for kind in some] for name, (_, some) in offer.items()},
        dict.fromkeys(hard, 0.0),
        settings=SETTINGS.model_copy(update={"max_samples": dict.fromkeys(CATEGORIES, most)}),
        seed=seed,
        shards=shards,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("amt.sft.offer._BLOCK_RESPONSES", block)
        if not chosen:
            with pytest.raises(DataError, match=f"None of {len(fates)} responses"):
                run()
            return
        result = run()
    assert reasons(result) == {name: fate for name, fate in fates.items() if fate}
    repeats = {name: SETTINGS.upsample[offer[name.split("/")[0]][0]] for name in chosen}
    assert [sample["sample_id"] for sample in result.samples] == [
        f"{name}#{repeat}" for name in chosen for repeat in range(repeats[name])
    ]
    texts = defaultdict(set)
    for sample in result.samples:
        name, number = sample["response_id"].split("/")
        texts[offer[name][1][int(number)]].add((tuple(sample["token_ids"]), tuple(sample["loss_mask"])))
    assert all(len(some) == 1 for some in texts.values())  # all ask the same: each has the tokens of its own text
    assert len(set.union(*texts.values())) == len(texts)


def test_memory_grows_by_hundreds_of_bytes_a_sample_whatever_texts_and_tests_weigh(build, own_pool, monkeypatch):
    monkeypatch.setattr("amt.rows.ROW_GROUP_BYTES", 400_000)
    monkeypatch.setattr("amt.sft.offer._BLOCK_RESPONSES", 16)
    monkeypatch.setattr("amt.sft.build_sft_set._PART_TOKENS", 20_000)
    peaks = []

    @contextmanager
    def measured():
        with own_pool() as pool:
            tracemalloc.start()
            yield
            peaks.append(tracemalloc.get_traced_memory()[1] + pool.max_memory())
            tracemalloc.stop()

    for count in (10, 100, 400):  # of which the first counts what is imported on the way
        queries = [query(f"q{number:03}") | {"tests": f"{number}" * 5_000} for number in range(count)]
        responses = {row["row_id"]: [(row["row_id"] + " 7" * 2000, 1.0)] for row in queries}
        result = build(queries, responses, max_tokens=10_000, around=measured)
        assert result.report["samples"] == count
        assert result.report["tokens"] > count * 2000
    assert peaks[2] - peaks[1] < 300 * 1000
