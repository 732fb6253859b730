"""The SFT set: which responses are trained on, how often, and packed into which sequences (paper 4.1).

Invariant: a sample is a whole conversation with exactly one trained span, its last response and end token.
Equal (row_id, token ids) occur only as the declared repeats of a category. Every response is in the ledger, under its
response_id: packed, or repeated, with its places (packed sequence, position), or dropped for the first of these that
applies: not_scored, low_score, special_token, over_long, same_text, beyond_max_responses, beyond_max_samples; of
queries drawn after their category was full, for the last. The report has every query.

The paper's set has 7e9 tokens, more than memory has room for. What decides is held in arrays, one entry a query or a
response; texts are read a block at a time, and token ids wait in a file without a name until they are written.

Letters of shapes: Q queries, R responses, C chosen responses, N samples (the chosen ones and their repeats).
"""

import itertools
import json
import logging
import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from amt.chat import Chat
from amt.errors import DataError
from amt.ledger import Ledger, write_report
from amt.params import SftSet
from amt.placement import placement
from amt.rows import CATEGORIES, QUERY, RESPONSE, TableWriter, write_table
from amt.seeds import seed_for
from amt.sft.offer import BEYOND, FATES, TRAINED_ON, Offer, blocks, columns, counts_in_words, query_counts, read_offer
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

_PART_ROWS, _PART_TOKENS = 4096, 2**22
"""Samples whose tokens lie in memory at once when they are written."""


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
    offer = read_offer(queries, responses, scores, queries_scored, settings)
    with _Tokens(len(offer.query_R)) as tokens:
        trial = _Trial(offer, tokens, Chat(tokenizer), settings, max_tokens, system_prompt, seed)
        _fill_categories(trial)
        fates = Counter({FATES[fate]: int(count) for fate, count in enumerate(np.bincount(offer.fate_R)) if count})
        if TRAINED_ON not in offer.fate_R:
            raise DataError(
                f"None of {fates.total()} responses can be trained on ({counts_in_words(fates)}). "
                "Lower sft_set.min_score, raise sft_set.max_samples, or look at the reports of filter_responses and "
                "score."
            )
        chosen = _chosen(offer, tokens, settings)
        packed_N = _pack(chosen, max_tokens, seed)
        result = _report(chosen, int(packed_N[0].max()) + 1, fates, max_tokens)
        result["queries"] = query_counts(offer)
        book = Ledger("sft_set")
        _record(book, offer, chosen, packed_N)
        book.report(len(offer.fate_R), len(chosen.number_C))

        _write_samples(samples, chosen, tokens)
    write_table(packs, _pack_table(chosen, packed_N))
    book.write(ledger)
    write_report(report, result)
    log.info(
        "sft_set: %d samples of %d queries in %d packs",
        result["samples"], result["queries"]["kept"], result["packs"]["packs"],
    )  # fmt: skip
    return result


class _Tokens:
    """Token ids of responses, in a file without a name, so that a kill at any moment leaves nothing of it."""

    def __init__(self, responses: int):
        self._offset_R = np.zeros(responses, np.int64)
        self.length_R = np.zeros(responses, np.int32)
        self.prompt_R = np.zeros(responses, np.int32)
        """tokens before the trained span"""
        scratch = Path(placement().scratch)
        scratch.mkdir(parents=True, exist_ok=True)
        self._file = tempfile.TemporaryFile(dir=scratch)  # noqa: SIM115

    def __enter__(self) -> "_Tokens":
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def put(self, sample: "_Sample") -> None:
        self._offset_R[sample.number] = self._file.tell()
        self.length_R[sample.number] = len(sample.token_ids)
        self.prompt_R[sample.number] = sample.prompt
        self._file.write(sample.token_ids.tobytes())

    def get(self, numbers: np.ndarray) -> list[np.ndarray]:
        self._file.flush()
        places = zip(self.length_R[numbers].tolist(), self._offset_R[numbers].tolist(), strict=True)
        return [np.frombuffer(os.pread(self._file.fileno(), 4 * length, offset), np.int32) for length, offset in places]


@dataclass(frozen=True)
class _Sample:
    number: int
    """line of the response"""
    response_id: str
    token_ids: np.ndarray
    """[tokens] int32"""
    prompt: int
    """tokens before the trained span, which is the rest"""


@dataclass(frozen=True)
class _Trial:
    """Finds out what of the offer can be trained on."""

    offer: Offer
    tokens: _Tokens
    chat: Chat
    settings: SftSet
    max_tokens: int
    system_prompt: str
    seed: int

    def look_at(self, queries: np.ndarray) -> None:
        """Choose among the responses of each of these queries: sets their fates, and keeps the tokens of the taken."""
        for lines in blocks(self.offer, queries):
            texts = self.offer.response_rows.at(lines, columns(RESPONSE, "response_id", "sample", "response"))
            of_query = self.offer.query_R[lines]
            messages = self.offer.query_rows.at(of_query, columns(QUERY, "messages"))
            for query, some in itertools.groupby(zip(of_query.tolist(), lines.tolist(), strict=True), lambda of: of[0]):
                answers = sorted(((line, texts[line]) for _, line in some), key=lambda answer: answer[1]["sample"])
                usable = self._usable(json.loads(messages[query]["messages"]), answers)
                for sample in self._take(usable, self.settings.max_responses if self.offer.hard_Q[query] else 1):
                    self.tokens.put(sample)

    def _usable(self, messages: list[dict[str, str]], answers: list[tuple[int, dict[str, Any]]]) -> list[_Sample]:
        """Samples that may be trained on. Records why the others may not."""
        usable = []
        for number, answer in answers:
            ids, mask = self.chat.sample_ids(messages, answer["response"], self.system_prompt)
            prompt = mask.index(1)
            if self.chat.special_ids.intersection(ids[prompt:-1]):
                self._set(number, "special_token")  # a control token in the text would teach a false end of turn
            elif len(ids) > self.max_tokens:
                self._set(number, "over_long")
            else:
                usable.append(_Sample(number, answer["response_id"], np.asarray(ids, np.int32), prompt))
        return usable

    def _take(self, usable: list[_Sample], most: int) -> list[_Sample]:
        """The best-scored `most` samples of one query, ties by seed, no two alike. Records the fate of every one."""

        def order(sample: _Sample) -> tuple[float, int]:
            return -self.offer.reward_R[sample.number], seed_for(self.seed, "sft_set", "choose", sample.response_id)

        taken: list[_Sample] = []
        seen: set[bytes] = set()
        for sample in sorted(usable, key=order):
            text = sample.token_ids.tobytes()
            if text in seen:
                self._set(sample.number, "same_text")
            elif len(taken) == most:
                self._set(sample.number, "beyond_max_responses")
            else:
                self._set(sample.number, "trained_on")
                taken.append(sample)
            seen.add(text)
        return taken

    def _set(self, number: int, fate: str) -> None:
        self.offer.fate_R[number] = FATES.index(fate)


def _fill_categories(trial: _Trial) -> None:
    """Look at queries in the drawn order until their category is full; those behind have the fate of the last.

    With the first query that is too much for it a category is full: what is in it are the first of the drawn order,
    and with a higher bound there would be these and more.
    """
    offer, settings = trial.offer, trial.settings
    able_Q = np.bincount(offer.query_R[offer.able_R], minlength=len(offer.queries))
    possible_Q = np.minimum(able_Q, np.where(offer.hard_Q, settings.max_responses, 1))
    left = _drawn(offer, trial.seed)
    room = {category: settings.max_samples.get(category) for category in left}
    for attempt in itertools.count():
        asked = {
            category: _needed(queries, possible_Q * _repeats(settings, category), room[category], attempt)
            for category, queries in left.items()
        }
        if not any(map(len, asked.values())):
            return
        trial.look_at(np.concatenate(list(asked.values())))
        taken_Q = np.bincount(offer.query_R[offer.fate_R == TRAINED_ON], minlength=len(offer.queries))
        for category, queries in asked.items():
            left[category] = left[category][len(queries) :]
            if room[category] is None or not len(queries):
                continue
            samples = np.cumsum(taken_Q[queries]) * _repeats(settings, category)
            fitting = int(np.searchsorted(samples, room[category], side="right"))
            if fitting == len(queries):
                room[category] -= int(samples[-1])
            else:
                _close(offer, queries[fitting], np.append(queries[fitting + 1 :], left[category]))
                left[category] = left[category][:0]


def _drawn(offer: Offer, seed: int) -> dict[str, np.ndarray]:
    """Lines of the queries of each category, in the order in which they are taken."""
    row_ids = offer.queries["row_id"]
    seeds = [
        seed_for(seed, "sft_set", "mixture", name)
        for lines in _pieces(len(row_ids))
        for name in row_ids.take(lines).to_pylist()
    ]
    table = pa.table([pa.array(seeds, pa.int64()), row_ids], ["seed", "row_id"])
    order = pc.sort_indices(table, [("seed", "ascending"), ("row_id", "ascending")]).to_numpy()
    category_Q = offer.queries["category"]
    return {
        category: order[pc.equal(category_Q, category).to_numpy()[order]]
        for category in pc.unique(category_Q).to_pylist()
    }


def _repeats(settings: SftSet, category: str) -> int:
    """Samples of each chosen response."""
    return settings.upsample.get(category, 1)


def _needed(queries: np.ndarray, possible_Q: np.ndarray, room: int | None, attempt: int) -> np.ndarray:
    """As many as fill the room if all that is possible of each is taken. What they lacked is made up for in further
    attempts, each of which reads all files again: hence twice as many each time."""
    if room is None:
        return queries
    return queries[: 1 + np.searchsorted(np.cumsum(possible_Q[queries]), max(room, 1) << attempt, side="right")]


def _close(offer: Offer, first: int, behind: np.ndarray) -> None:
    """A category is full: nothing is taken of the first query that does not fit, and those behind count as unseen."""
    offer.fate_R[(offer.query_R == first) & (offer.fate_R == TRAINED_ON)] = BEYOND
    unseen_Q = np.zeros(len(offer.queries), bool)
    unseen_Q[behind] = True
    offer.fate_R[unseen_Q[offer.query_R]] = BEYOND


@dataclass(frozen=True)
class _Chosen:
    """What is trained on, in the order of the set."""

    table: pa.Table
    """[C] row_id, response_id, source, category"""
    number_C: np.ndarray
    """line of the response"""
    of_N: np.ndarray
    """place in the table"""
    repeat_N: np.ndarray
    length_N: np.ndarray
    trained_N: np.ndarray
    """tokens that are targets"""

    def names(self, samples: np.ndarray) -> list[str]:
        ids = self.table["response_id"].take(self.of_N[samples]).to_pylist()
        return [f"{name}#{repeat}" for name, repeat in zip(ids, self.repeat_N[samples].tolist(), strict=True)]


def _chosen(offer: Offer, tokens: _Tokens, settings: SftSet) -> _Chosen:
    numbers = np.flatnonzero(offer.fate_R == TRAINED_ON)
    table = offer.queries.take(offer.query_R[numbers]).append_column("response_id", offer.response_ids.take(numbers))
    order = pc.sort_indices(table, [("row_id", "ascending"), ("response_id", "ascending")])
    table, number_C = table.take(order), numbers[order.to_numpy()]
    repeats_C = np.array([_repeats(settings, category) for category in table["category"].to_pylist()])
    of_N = np.repeat(np.arange(len(number_C)), repeats_C)
    length_C, prompt_C = tokens.length_R[number_C], tokens.prompt_R[number_C]
    return _Chosen(
        table=table,
        number_C=number_C,
        of_N=of_N,
        repeat_N=np.arange(len(of_N)) - np.repeat(np.cumsum(repeats_C) - repeats_C, repeats_C),
        length_N=length_C[of_N],
        trained_N=(length_C - prompt_C)[of_N],
    )


def _pieces(count: int, size: int = _PART_ROWS) -> Iterator[np.ndarray]:
    yield from (np.arange(start, min(start + size, count)) for start in range(0, count, size))


def _pack(chosen: _Chosen, max_tokens: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """([N] pack, [N] place in it). Samples of equal length come in seeded order, so that a pack mixes sources."""
    count = len(chosen.of_N)
    seeds = [seed_for(seed, "sft_set", "pack", name) for piece in _pieces(count) for name in chosen.names(piece)]
    order = np.argsort(np.array(seeds), kind="stable")
    pack_N, position_N = np.empty(count, np.int32), np.empty(count, np.int32)
    for number, members in enumerate(pack(chosen.length_N[order].tolist(), max_tokens)):
        pack_N[order[members]], position_N[order[members]] = number, np.arange(len(members))
    return pack_N, position_N


def _record(book: Ledger, offer: Offer, chosen: _Chosen, packed_N: tuple[np.ndarray, np.ndarray]) -> None:
    for lines in _pieces(len(offer.fate_R)):
        names = offer.response_ids.take(lines).to_pylist()
        sources = offer.queries["source"].take(offer.query_R[lines]).to_pylist()
        for name, source, fate in zip(names, sources, offer.fate_R[lines].tolist(), strict=True):
            if fate != TRAINED_ON:
                book.drop({"row_id": name, "source": source}, FATES[fate])
    begins = np.append(np.flatnonzero(chosen.repeat_N == 0), len(chosen.of_N))
    for piece in _pieces(len(chosen.number_C)):
        rows = chosen.table.take(piece).to_pylist()
        for row, begin, end in zip(rows, begins[piece].tolist(), begins[piece + 1].tolist(), strict=True):
            places = zip(*(array[begin:end].tolist() for array in packed_N), strict=True)
            book.pack({"row_id": row["response_id"], "source": row["source"]}, places)


def _write_samples(path: Path, chosen: _Chosen, tokens: _Tokens) -> None:
    # In parts that also end where the tokens of the next would be too many.
    with TableWriter(path, SAMPLE) as writer:
        for piece in _pieces(len(chosen.of_N)):
            tokens_before = np.cumsum(chosen.length_N[piece]) // _PART_TOKENS
            for part in np.split(piece, np.flatnonzero(np.diff(tokens_before)) + 1):
                writer.write(_sample_table(chosen, tokens, part))


def _sample_table(chosen: _Chosen, tokens: _Tokens, part: np.ndarray) -> pa.Table:
    rows = chosen.table.take(chosen.of_N[part])
    offsets = pa.array(np.cumsum([0, *chosen.length_N[part]]), pa.int32())
    bits = np.tile(np.array([0, 1], np.int8), len(part))
    trained = chosen.trained_N[part]
    loss_mask = np.repeat(bits, np.stack([chosen.length_N[part] - trained, trained], axis=1).ravel())
    token_ids = np.concatenate(tokens.get(chosen.number_C[chosen.of_N[part]]))
    cells = {
        "sample_id": chosen.names(part),
        "repeat": pa.array(chosen.repeat_N[part], pa.int32()),
        "token_ids": pa.ListArray.from_arrays(offsets, pa.array(token_ids)),
        "loss_mask": pa.ListArray.from_arrays(offsets, pa.array(loss_mask)),
    }
    columns = [cells[name] if name in cells else rows[name].combine_chunks() for name in SAMPLE.names]
    return pa.table(columns, schema=SAMPLE)


def _pack_table(chosen: _Chosen, packed_N: tuple[np.ndarray, np.ndarray]) -> pa.Table:
    pack_N, position_N = packed_N
    order = np.lexsort((position_N, pack_N))
    return pa.table([pack_N[order], position_N[order], chosen.names(order)], schema=PACK)


def _report(chosen: _Chosen, packs: int, fates: Counter[str], max_tokens: int) -> dict[str, Any]:
    """Counts and tokens by category: the two halves of the paper's Figure 4."""
    tokens = int(chosen.length_N.sum(dtype=np.int64))
    by_category = {}
    for category in CATEGORIES:
        here_N = pc.equal(chosen.table["category"], category).to_numpy()[chosen.of_N]
        tokens_here = int(chosen.length_N[here_N].sum(dtype=np.int64))
        by_category[category] = {
            "samples": int(here_N.sum()),
            "distinct_samples": int((chosen.repeat_N[here_N] == 0).sum()),
            "tokens": tokens_here,
            "trained_tokens": int(chosen.trained_N[here_N].sum(dtype=np.int64)),
            "share_of_samples": int(here_N.sum()) / len(chosen.of_N),
            "share_of_tokens": tokens_here / tokens,
        }
    return {
        "stage": "sft_set",
        "categories": by_category,
        "samples": len(chosen.of_N),
        "tokens": tokens,
        "trained_tokens": sum(category["trained_tokens"] for category in by_category.values()),
        "longest": int(chosen.length_N.max()),
        "responses": {"offered": fates.total(), **dict(sorted(fates.items()))},
        "packs": {"packs": packs, "max_tokens": max_tokens, "full": tokens / (packs * max_tokens)},
    }
