"""What there is to choose from for the SFT set: queries, their responses and scores, and what becomes of each.

All that decides on the choice, but for the texts, is held in arrays, one entry a query or a response: the rows of the
paper's set are more than memory has room for. Texts are read a block of responses at a time.

Letters of shapes: Q queries, R responses; both count the rows of all files.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from amt.errors import DataError
from amt.params import SftSet
from amt.rows import QUERY, RESPONSE, SCORE, read_table, row_groups

# How far the best response of a query came: the reason when none is trained on.
STAGES = ("no_response", "not_scored", "low_score", "special_token", "over_long", "beyond_max_samples")
# What becomes of a response, by its number in arrays.
FATES = (*STAGES, "same_text", "beyond_max_responses", "trained_on")
NOT_SCORED, LOW_SCORE, BEYOND, TRAINED_ON = map(
    FATES.index, ("not_scored", "low_score", "beyond_max_samples", "trained_on")
)

_BLOCK_RESPONSES = 1024
"""Responses whose texts lie in memory at once, or those of one query."""
_QUERY_SCORE = pa.schema([("row_id", pa.string()), ("verify_score", pa.float64()), ("pass_rate", pa.float64())])


def columns(schema: pa.Schema, *names: str) -> pa.Schema:
    return pa.schema([schema.field(name) for name in names])


class Shards:
    """Rows of a table that lies in several files, by their line, counted through all files."""

    def __init__(self, paths: list[Path], tables: list[pa.Table]):
        self._paths = paths
        self._begins = np.cumsum([0, *map(len, tables)])

    def __str__(self) -> str:
        return ", ".join(map(str, self._paths))

    def at(self, lines: np.ndarray, schema: pa.Schema) -> dict[int, dict[str, Any]]:
        """{line: its row}, of which the columns of the schema. Lines that stand together are quick to read."""
        lines = np.unique(lines)
        rows: dict[int, dict[str, Any]] = {}
        for path, begin, end in zip(self._paths, self._begins[:-1], self._begins[1:], strict=True):
            if np.searchsorted(lines, begin) == np.searchsorted(lines, end):
                continue
            for size, read in row_groups(path, schema):
                here = lines[slice(*np.searchsorted(lines, [begin, begin + size]))]
                if len(here):
                    rows |= zip(here.tolist(), read().take(here - begin).to_pylist(), strict=True)
                begin += size
        return rows


@dataclass(frozen=True)
class Offer:
    """All that decides on the choice but for the tokens."""

    query_rows: Shards
    response_rows: Shards
    queries: pa.Table
    """[Q] row_id, source, category"""
    hard_Q: np.ndarray
    response_ids: pa.ChunkedArray
    """[R]"""
    query_R: np.ndarray
    """line of its query"""
    reward_R: np.ndarray
    """nan where it was not scored"""
    fate_R: np.ndarray
    """number in FATES; of those that can be trained on, BEYOND until they are looked at"""
    able_R: np.ndarray
    """whether the score is good enough"""


def read_offer(
    queries: list[Path], responses: list[Path], scores: list[Path], queries_scored: list[Path], settings: SftSet
) -> Offer:
    tables = [read_table(path, columns(QUERY, "row_id", "source", "category")) for path in queries]
    query_rows, asked = Shards(queries, tables), pa.concat_tables(tables)
    tables = [read_table(path, columns(RESPONSE, "response_id", "row_id")) for path in responses]
    response_rows, offered = Shards(responses, tables), pa.concat_tables(tables)
    query_R = pc.index_in(offered["row_id"], asked["row_id"])
    if query_R.null_count:
        strays = set(offered["row_id"].filter(pc.is_null(query_R)).to_pylist())
        raise DataError(
            f"{response_rows} answers {len(strays)} queries that are not in {query_rows}, e.g. {min(strays)}."
        )
    judged = pa.concat_tables(
        read_table(path, columns(SCORE, "response_id", "status", "reward")).filter(pc.field("status") == "scored")
        for path in scores
    )
    reward_R = judged["reward"].take(pc.index_in(offered["response_id"], judged["response_id"])).to_numpy()
    scored = pa.concat_tables(read_table(path, _QUERY_SCORE) for path in queries_scored)
    hard = scored["row_id"].filter(pa.array(_is_hard(scored, settings)))
    return Offer(
        query_rows=query_rows,
        response_rows=response_rows,
        queries=asked,
        hard_Q=pc.is_in(asked["row_id"], hard).to_numpy(),
        response_ids=offered["response_id"],
        query_R=query_R.to_numpy(),
        reward_R=reward_R,
        fate_R=np.select([np.isnan(reward_R), reward_R < settings.min_score], [NOT_SCORED, LOW_SCORE], BEYOND).astype(
            np.int8
        ),
        able_R=reward_R >= settings.min_score,
    )


def _is_hard(scored: pa.Table, settings: SftSet) -> np.ndarray:
    """Pass rates and mean rewards are numbers of two kinds: few answers are as good as a reward model can say."""
    by_model = pc.is_null(scored["pass_rate"]).to_numpy()
    return scored["verify_score"].to_numpy() < np.where(by_model, settings.hard_below_reward, settings.hard_below)


def blocks(offer: Offer, queries: np.ndarray) -> Iterator[np.ndarray]:
    """Lines of the responses of these queries that are scored well enough: all of a query together, else in order."""
    wanted_Q = np.zeros(len(offer.queries), bool)
    wanted_Q[queries] = True
    lines = np.flatnonzero(offer.able_R & wanted_Q[offer.query_R])
    first_Q = np.full(len(offer.queries), len(offer.query_R))
    np.minimum.at(first_Q, offer.query_R[lines], lines)
    lines = lines[np.argsort(first_Q[offer.query_R[lines]], kind="stable")]
    ends = np.append(np.flatnonzero(np.diff(offer.query_R[lines])) + 1, len(lines))
    cuts = np.unique(ends[np.searchsorted(ends, np.arange(_BLOCK_RESPONSES, len(lines), _BLOCK_RESPONSES))])
    yield from (block for block in np.split(lines, cuts) if len(block))


def query_counts(offer: Offer) -> dict[str, Any]:
    """Why nothing of a query is trained on: the fate of the response that came furthest."""
    furthest_Q = np.zeros(len(offer.queries), np.int8)
    # same_text and the like stand beside another.
    np.maximum.at(furthest_Q, offer.query_R, np.where(offer.fate_R < len(STAGES), offer.fate_R, 0))
    kept_Q = np.zeros(len(offer.queries), bool)
    kept_Q[offer.query_R[offer.fate_R == TRAINED_ON]] = True
    counts = np.bincount(furthest_Q[~kept_Q], minlength=len(STAGES)).tolist()
    lost = {stage: count for stage, count in zip(STAGES, counts, strict=True) if count}
    return {"rows_in": len(kept_Q), "kept": int(kept_Q.sum()), "dropped": dict(sorted(lost.items()))}


def counts_in_words(counts: Counter[str]) -> str:
    return ", ".join(f"{counts[fate]} {fate}" for fate in STAGES if counts[fate])
