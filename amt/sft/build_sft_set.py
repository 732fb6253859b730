"""The SFT set: which responses are trained on, how often, and packed into which sequences (paper 4.1).

Invariant: a sample is a whole conversation with exactly one trained span, its last response and end token.
Equal (row_id, token ids) occur only as the declared repeats of a category. Every response is in the ledger, under its
response_id: packed, or repeated, with its places (packed sequence, position), or dropped for the first of these that
applies: not_scored, low_score, special_token, over_long, same_text, beyond_max_responses, beyond_max_samples; of
queries drawn after their category was full, for the last. The report has every query.
"""

import json
import logging
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from amt.chat import Chat
from amt.errors import DataError
from amt.ledger import Ledger, write_report
from amt.params import Category, SftSet
from amt.rows import CATEGORIES, QUERY, RESPONSE, SCORE, read_shards, write_table
from amt.seeds import seed_for
from amt.sft.packing import pack

log = logging.getLogger(__name__)

SAMPLE = pa.schema(
    [
        pa.field("sample_id", pa.string(), nullable=False),  # "{response_id}#{repeat}"
        pa.field("row_id", pa.string(), nullable=False),
        pa.field("response_id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("category", pa.string(), nullable=False),
        pa.field("repeat", pa.int32(), nullable=False),  # 0 for the sample itself, 1… for its repeats
        pa.field("token_ids", pa.list_(pa.int32()), nullable=False),
        pa.field("loss_mask", pa.list_(pa.int8()), nullable=False),  # 1 where the token is a target
    ]
)

PACK = pa.schema(
    [
        pa.field("pack", pa.int32(), nullable=False),
        pa.field("position", pa.int32(), nullable=False),  # place in the pack, from 0
        pa.field("sample_id", pa.string(), nullable=False),
    ]
)

# How far the best response of a query came: the reason when none is trained on.
_STAGES = ("no_response", "not_scored", "low_score", "special_token", "over_long", "beyond_max_samples")


@dataclass(frozen=True)
class Sample:
    response_id: str
    row: dict[str, Any]
    token_ids: np.ndarray
    """[tokens] int32"""
    loss_mask: np.ndarray
    """[tokens] int8"""


def build_sft_set(
    *,
    queries: list[Path],
    responses: list[Path],
    scores: list[Path],
    queries_scored: list[Path],
    tokenizer: Path,
    samples: Path,
    packs: Path,
    ledger: Path,
    report: Path,
    settings: SftSet,
    max_tokens: int,
    system_prompt: str,
    seed: int,
) -> dict[str, Any]:
    """Choose, repeat and pack. Writes the four files and returns the report.

    Args:
        queries, responses, scores, queries_scored: one of each a shard.
        queries: Parquet of amt.rows.QUERY.
        queries_scored: verify score of each query that has one; columns row_id, verify_score and pass_rate, which is
            null where the score is a reward model's.
        max_tokens: samples longer than this are discarded, never cut.
    """
    rows = read_shards(queries, QUERY)
    offered: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for response in read_shards(responses, RESPONSE):
        offered[response["row_id"]].append(response)
    if strays := offered.keys() - {row["row_id"] for row in rows}:
        raise DataError(
            f"{_named(responses)} answers {len(strays)} queries that are not in {_named(queries)}, e.g. {min(strays)}."
        )
    score_of = {score["response_id"]: score for score in read_shards(scores, SCORE)}
    hard = {row["row_id"] for row in read_shards(queries_scored) if _is_hard(row, settings)}

    chat = Chat(tokenizer)
    book = Ledger("sft_set")
    fates: Counter[str] = Counter()
    lost: Counter[str] = Counter()
    chosen: list[Sample] = []
    mixture = _Mixture(settings)
    for row in sorted(rows, key=lambda row: (seed_for(seed, "sft_set", "mixture", row["row_id"]), row["row_id"])):
        answers = offered[row["row_id"]]
        if mixture.is_full(row["category"]):
            taken, fate_of = [], {answer["response_id"]: "beyond_max_samples" for answer in answers}
        else:
            usable, fate_of = _usable(row, answers, score_of, chat, settings, max_tokens, system_prompt)
            most = settings.max_responses if row["row_id"] in hard else 1
            taken = mixture.within(row["category"], _take(usable, most, score_of, seed, fate_of), fate_of)
        chosen += taken
        fates.update(fate_of.values())
        for response_id, fate in fate_of.items():
            if fate != "trained_on":
                book.drop({"row_id": response_id, "source": row["source"]}, fate)
        if not taken:
            lost[_furthest(fate_of)] += 1

    if not chosen:
        raise DataError(
            f"None of {fates.total()} responses can be trained on ({_counts_in_words(fates)}). "
            "Lower sft_set.min_score, raise sft_set.max_samples, or look at the reports of filter_responses and score."
        )
    chosen.sort(key=lambda sample: (sample.row["row_id"], sample.response_id))
    repeated = _repeated(chosen, settings.upsample)
    lengths = {f"{sample.response_id}#{repeat}": len(sample.token_ids) for sample, repeat in repeated}
    placed = _pack(lengths, max_tokens, seed)
    result = _report(repeated, len(placed), fates, max_tokens)
    _record_places(book, chosen, repeated, placed)
    book.report(sum(map(len, offered.values())), len(chosen))
    kept = len({sample.row["row_id"] for sample in chosen})
    assert len(rows) == kept + lost.total()
    result["queries"] = {"rows_in": len(rows), "kept": kept, "dropped": dict(sorted(lost.items()))}

    write_table(samples, _sample_table(repeated))
    write_table(packs, _pack_table(placed))
    book.write(ledger)
    write_report(report, result)
    log.info("sft_set: %d samples of %d queries in %d packs", len(repeated), result["queries"]["kept"], len(placed))
    return result


def _is_hard(query_score: dict[str, Any], settings: SftSet) -> bool:
    """Pass rates and mean rewards are numbers of two kinds: few answers are as good as a reward model can say."""
    score = query_score["verify_score"]
    below = settings.hard_below_reward if query_score["pass_rate"] is None else settings.hard_below
    return score is not None and score < below


class _Mixture:
    """Samples taken of each category. With the first query that is too much for it a category is full: what is in it
    are the first of the drawn order, and with a higher bound there would be these and more."""

    def __init__(self, settings: SftSet):
        self._settings = settings
        self._samples: Counter[str] = Counter()
        self._full: set[str] = set()

    def is_full(self, category: str) -> bool:
        return category in self._full

    def within(self, category: str, taken: list[Sample], fate_of: dict[str, str]) -> list[Sample]:
        """The samples of a query if there is room for all of them and their repeats; else none, with their fate."""
        most = self._settings.max_samples.get(category)
        samples = self._samples[category] + len(taken) * self._settings.upsample.get(category, 1)
        if most is not None and samples > most:
            self._full.add(category)
            fate_of |= {sample.response_id: "beyond_max_samples" for sample in taken}
            return []
        self._samples[category] = samples
        return taken


def _named(paths: list[Path]) -> str:
    return ", ".join(map(str, paths))


def _usable(
    row: dict[str, Any],
    responses: list[dict[str, Any]],
    score_of: dict[str, dict[str, Any]],
    chat: Chat,
    settings: SftSet,
    max_tokens: int,
    system_prompt: str,
) -> tuple[list[Sample], dict[str, str]]:
    """Samples that may be trained on, and by response_id why the others may not."""
    usable, fate_of = [], {}
    messages = json.loads(row["messages"])
    for response in sorted(responses, key=lambda response: response["sample"]):
        response_id = response["response_id"]
        score = score_of.get(response_id)
        if score is None or score["status"] != "scored":
            fate_of[response_id] = "not_scored"
            continue
        if score["reward"] < settings.min_score:
            fate_of[response_id] = "low_score"
            continue
        ids, mask = chat.sample_ids(messages, response["response"], system_prompt)
        if chat.special_ids.intersection(ids[mask.index(1) : -1]):
            fate_of[response_id] = "special_token"  # a control token in the text would teach a false end of turn
        elif len(ids) > max_tokens:
            fate_of[response_id] = "over_long"
        else:
            usable.append(Sample(response_id, row, np.asarray(ids, np.int32), np.asarray(mask, np.int8)))
    return usable, fate_of


def _take(
    usable: list[Sample], most: int, score_of: dict[str, dict[str, Any]], seed: int, fate_of: dict[str, str]
) -> list[Sample]:
    """The best-scored `most` samples of one query, ties by seed, no two alike. Records the fate of every one."""

    def order(sample: Sample) -> tuple[float, int]:
        return -score_of[sample.response_id]["reward"], seed_for(seed, "sft_set", "choose", sample.response_id)

    taken: list[Sample] = []
    seen: set[bytes] = set()
    for sample in sorted(usable, key=order):
        text = sample.token_ids.tobytes()
        if text in seen:
            fate_of[sample.response_id] = "same_text"
        elif len(taken) == most:
            fate_of[sample.response_id] = "beyond_max_responses"
        else:
            fate_of[sample.response_id] = "trained_on"
            taken.append(sample)
        seen.add(text)
    return sorted(taken, key=lambda sample: sample.response_id)


def _furthest(fate_of: dict[str, str]) -> str:
    """Why nothing of a query is trained on: the fate of the response that came furthest."""
    reached = (fate for fate in fate_of.values() if fate in _STAGES)  # same_text and the like stand beside another
    return max(reached, key=_STAGES.index, default="no_response")


def _counts_in_words(counts: Counter[str]) -> str:
    return ", ".join(f"{counts[fate]} {fate}" for fate in _STAGES if counts[fate])


def _repeated(chosen: list[Sample], upsample: dict[Category, int]) -> list[tuple[Sample, int]]:
    """(sample, repeat) of the set: each sample as often as its category is upsampled."""
    return [(sample, repeat) for sample in chosen for repeat in range(upsample.get(sample.row["category"], 1))]


def _sample_table(repeated: list[tuple[Sample, int]]) -> pa.Table:
    """In batches, because the token column of one batch cannot hold the 7e9 tokens of the paper's set."""
    batches = []
    for start in range(0, len(repeated), 4096):
        part = repeated[start : start + 4096]
        offsets = pa.array(np.cumsum([0, *(len(sample.token_ids) for sample, _ in part)]), pa.int32())
        cells = [
            [f"{sample.response_id}#{repeat}" for sample, repeat in part],
            [sample.row["row_id"] for sample, _ in part],
            [sample.response_id for sample, _ in part],
            [sample.row["source"] for sample, _ in part],
            [sample.row["category"] for sample, _ in part],
            pa.array([repeat for _, repeat in part], pa.int32()),
            pa.ListArray.from_arrays(offsets, pa.array(np.concatenate([sample.token_ids for sample, _ in part]))),
            pa.ListArray.from_arrays(offsets, pa.array(np.concatenate([sample.loss_mask for sample, _ in part]))),
        ]
        batches.append(pa.RecordBatch.from_arrays([pa.array(column) for column in cells], schema=SAMPLE))
    return pa.Table.from_batches(batches, schema=SAMPLE)


def _pack(lengths: dict[str, int], max_tokens: int, seed: int) -> list[list[str]]:
    """Sample ids by pack. Samples of equal length come in seeded order, so that a pack mixes sources."""
    order = sorted(lengths, key=lambda name: seed_for(seed, "sft_set", "pack", name))
    return [[order[index] for index in members] for members in pack([lengths[name] for name in order], max_tokens)]


def _record_places(
    book: Ledger, chosen: list[Sample], repeated: list[tuple[Sample, int]], placed: list[list[str]]
) -> None:
    place_of = {name: (number, place) for number, members in enumerate(placed) for place, name in enumerate(members)}
    places: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for sample, repeat in repeated:
        places[sample.response_id].append(place_of[f"{sample.response_id}#{repeat}"])
    for sample in chosen:
        book.pack({"row_id": sample.response_id, "source": sample.row["source"]}, places[sample.response_id])


def _pack_table(placed: list[list[str]]) -> pa.Table:
    cells = [(number, place, name) for number, members in enumerate(placed) for place, name in enumerate(members)]
    columns = [list(column) for column in zip(*cells, strict=True)]
    return pa.Table.from_arrays(
        [pa.array(column, field.type) for column, field in zip(columns, PACK, strict=True)], schema=PACK
    )


def _report(repeated: list[tuple[Sample, int]], packs: int, fates: Counter[str], max_tokens: int) -> dict[str, Any]:
    """Counts and tokens by category: the two halves of the paper's Figure 4."""
    tokens = sum(len(sample.token_ids) for sample, _ in repeated)
    by_category = {}
    for category in CATEGORIES:
        here = [(sample, repeat) for sample, repeat in repeated if sample.row["category"] == category]
        tokens_here = sum(len(sample.token_ids) for sample, _ in here)
        by_category[category] = {
            "samples": len(here),
            "distinct_samples": sum(repeat == 0 for _, repeat in here),
            "tokens": tokens_here,
            "trained_tokens": sum(int(sample.loss_mask.sum()) for sample, _ in here),
            "share_of_samples": len(here) / len(repeated),
            "share_of_tokens": tokens_here / tokens,
        }
    return {
        "stage": "sft_set",
        "categories": by_category,
        "samples": len(repeated),
        "tokens": tokens,
        "trained_tokens": sum(category["trained_tokens"] for category in by_category.values()),
        "longest": max(len(sample.token_ids) for sample, _ in repeated),
        "responses": {"offered": fates.total(), **dict(sorted(fates.items()))},
        "packs": {"packs": packs, "max_tokens": max_tokens, "full": tokens / (packs * max_tokens)},
    }
