"""Remove exact and near duplicates (paper 2.2), out of core: fingerprints lie in memory, texts pass through.

Invariant: near duplicates have the same formulas (so the same numbers, operators, brackets and variables) and their
numbers in the same context; comparing words may be more or fewer, but none stands in the place of its contrary; and no
two of a cluster, nor texts equal to them, contradict each other in ground truth, instructions or the result of a test.
Of every cluster one row is kept: the one whose source stands first in source_order, then the one with the smallest
row_id. How the rows lie in shards, before and after, decides nothing.

Exact: equal normal forms (amt.curate.normal_form). Near: amt.curate.clusters. A conversation counts with all its turns.

`detail` of a removed row is JSON: same_as (the row_id that stays) and, where the ground truths of equal texts differ,
ground_truth and kept_ground_truth.
"""

import contextlib
import logging
import math
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from amt.curate.clusters import Clusters, first_equal, join_near, sharing
from amt.curate.fingerprint import GROUND_TRUTH, matrix_of, texts_of
from amt.curate.same_problem import Sentence, same_work, sentences
from amt.curate.senses import WIDTH
from amt.errors import DataError
from amt.ledger import Ledger, StageReport, total, write_report
from amt.params import Unique
from amt.rows import FINGERPRINT, QUERY, ROW_GROUP_ROWS, TableWriter, batches, canonical_json, row_groups

REASONS = (None, "exact_duplicate", "near_duplicate")
CANDIDATES_AT_ONCE = 1_000_000
"""Whose signatures and comparing words are in memory, some 700 bytes each. Rows with the same formulas are looked at
together, however many they are: without numbers, signs and variables that is all prose of a corpus."""
WAITING_ROWS, WAITING_LINES, OPEN_RUNS = 4 * ROW_GROUP_ROWS, 200_000, 256
"""What all shards together hold until it is written: rows, lines of ledgers, and open files of those. More shards have
smaller row groups."""

_IDS = pa.schema([QUERY.field("row_id")])

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Corpus:
    """Fingerprints of all files. A place is a rank in the order of preference, a line where a row lies, counted through
    all files; there are N of each."""

    row_ids: pa.LargeStringArray
    """[N], by line."""
    lines: np.ndarray
    """[N] int64, by place."""
    marks: dict[str, np.ndarray]
    """[N] each, by place: exact_high, exact_low, formulas, in_order, bag, numbers."""
    truth_starts: np.ndarray
    truths: np.ndarray
    """By place, as amt.curate.clusters.Clusters takes them."""


def unique(
    *,
    queries: Sequence[Path],
    fingerprints: Sequence[Path],
    kept: Sequence[Path],
    ledgers: Sequence[Path],
    report: Path,
    settings: Unique,
    candidates_at_once: int = CANDIDATES_AT_ONCE,
) -> None:
    """Write the rows that stay, what became of each, and counts by reason (exact_duplicate, near_duplicate).

    Args:
        queries, fingerprints: as many of each, line by line the same rows.
        kept, ledgers: one of each a shard; a row's id decides about its shard.
        candidates_at_once: some so many have their signatures in memory; decides nothing else.
    """
    for path, prints in zip(queries, fingerprints, strict=True):
        check_beside(path, prints)
    corpus = read_corpus(fingerprints, settings.source_order)
    log.info("%d queries", len(corpus.lines))
    reasons, originals = duplicates(corpus, queries, fingerprints, settings, candidates_at_once)
    log.info("%d exact and %d near duplicates", (reasons == 1).sum(), (reasons == 2).sum())
    write_report(report, _write(corpus, reasons, originals, queries, kept, ledgers))


def check_beside(queries: Path, fingerprints: Path) -> None:
    ids = [[part["row_id"] for part in batches(path, _IDS)] for path in (queries, fingerprints)]
    together, beside = (
        pa.chunked_array([chunk for part in parts for chunk in part.chunks], pa.string()) for parts in ids
    )
    if not together.equals(beside):
        raise DataError(f"{fingerprints} is not of the rows of {queries}. Delete it and run snakemake again.")


def read_corpus(fingerprints: Sequence[Path], source_order: Sequence[str]) -> Corpus:
    names = ("exact_high", "exact_low", "formulas", "in_order", "bag", "numbers")
    ids: list[pa.ChunkedArray] = [pa.chunked_array([], pa.large_string())]
    columns = {name: [np.zeros(0, FINGERPRINT.field(name).type.to_pandas_dtype())] for name in names}
    counts, truths = [np.zeros(1, dtype=np.int64)], [np.zeros(0, dtype=np.uint64)]
    wanted = pa.schema([field for field in FINGERPRINT if field.name not in ("comparing", "signature")])
    for part in (part for path in fingerprints for part in batches(path, wanted)):
        ids.append(part["row_id"].cast(pa.large_string()))
        for name in names:
            columns[name].append(part[name].to_numpy())
        counts.append(pc.list_value_length(part["truths"]).to_numpy().astype(np.int64))
        truths.append(pc.list_flatten(part["truths"]).to_numpy())
    row_ids = pa.chunked_array([chunk for part in ids for chunk in part.chunks], pa.large_string()).combine_chunks()
    del ids
    lines = _by_preference(row_ids, source_order)
    marks = {name: np.concatenate(columns.pop(name))[lines] for name in names}
    starts = np.cumsum(np.concatenate(counts)) // 2
    return Corpus(row_ids, lines, marks, *_taken(starts, np.concatenate(truths).reshape(-1, 2), lines))


def _by_preference(row_ids: pa.LargeStringArray, source_order: Sequence[str]) -> np.ndarray:
    """Lines in order of preference."""
    # row_id is source:digest (amt.rows.row_id)
    sources = pc.list_element(pc.split_pattern(row_ids, ":", max_splits=1), 0)
    rank = pc.fill_null(pc.index_in(sources, pa.array(source_order, pa.large_string())), len(source_order))
    order = pc.sort_indices(
        pa.table([rank, row_ids], names=["rank", "row_id"]),
        sort_keys=[("rank", "ascending"), ("row_id", "ascending")],
    )
    return order.to_numpy().astype(np.int64)


def duplicates(
    corpus: Corpus,
    queries: Sequence[Path],
    fingerprints: Sequence[Path],
    settings: Unique,
    candidates_at_once: int,
) -> tuple[np.ndarray, np.ndarray]:
    """[N] uint8 number of the reason (0: it stays), and [N] int64 place of the row that stays instead."""
    marks = corpus.marks
    originals = first_equal(marks["exact_high"], marks["exact_low"])
    reasons = (originals != np.arange(len(originals))).astype(np.uint8)

    firsts = np.flatnonzero(reasons == 0)
    candidates = firsts[sharing(marks["formulas"][firsts])]
    truths = _of_copies(corpus, originals)
    nearest = np.arange(len(originals))
    parts = math.ceil(len(candidates) / candidates_at_once)
    for part in range(parts):  # near duplicates have the same formulas, so they are in the same part
        places = candidates[marks["formulas"][candidates] % np.uint64(parts) == part]
        if len(places):
            nearest[places] = _nearest(corpus, truths, places, queries, fingerprints, settings)
        log.info("near duplicates: part %d of %d is done", part + 1, parts)
    reasons[nearest != np.arange(len(nearest))] = 2
    # A copy of a row that goes is a copy of what stays in its place.
    return reasons, nearest[originals]


def _of_copies(corpus: Corpus, originals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Starts and truths of all places; of equal texts the first knows what any knows, the preferred one first."""
    owner = np.repeat(originals, np.diff(corpus.truth_starts))
    asked = corpus.truths[:, 0]
    order = np.lexsort((np.arange(len(owner)), asked, owner))
    is_first = np.ones(len(order), dtype=bool)
    is_first[1:] = (np.diff(owner[order]) != 0) | (np.diff(asked[order]) != 0)
    chosen = order[is_first]
    return np.searchsorted(owner[chosen], np.arange(len(originals) + 1)), corpus.truths[chosen]


def _nearest(
    corpus: Corpus,
    truths: tuple[np.ndarray, np.ndarray],
    places: np.ndarray,
    queries: Sequence[Path],
    fingerprints: Sequence[Path],
    settings: Unique,
) -> np.ndarray:
    """Of each of some places the place of the row that stays instead."""
    comparing, signatures = _comparing_and_signatures(fingerprints, corpus.lines[places])
    clusters = Clusters(*_taken(*truths, places), comparing)
    chosen = {name: corpus.marks[name][places] for name in ("formulas", "in_order", "bag", "numbers")}
    doubtful = join_near(clusters, signatures, comparing=comparing, settings=settings.near_duplicates, **chosen)
    taken_apart = _sentences(queries, corpus.lines[places], np.unique(doubtful))
    for left, right in doubtful.tolist():
        pair = np.array([[left, right]])
        if len(clusters.apart(pair)) and same_work(taken_apart[left], taken_apart[right]):
            clusters.join(pair)
    return places[clusters.firsts()]


def shard_of(row_id: str, shards: int) -> int:
    """Where a row lies after the merge: its id alone decides, so that it stays there when others come and go."""
    return zlib.crc32(row_id.encode()) % shards


def _comparing_and_signatures(fingerprints: Sequence[Path], lines: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """[N, senses.WIDTH] uint64 and [N, permutations] uint16 of these lines."""
    comparing, signatures = np.empty((len(lines), WIDTH), dtype=np.uint64), None
    for numbers, part in _parts(fingerprints, FINGERPRINT, ["comparing", "signature"], lines):
        comparing[numbers] = matrix_of(part["comparing"], np.uint64)
        found = matrix_of(part["signature"], np.uint16)
        signatures = np.empty((len(lines), found.shape[1]), dtype=np.uint16) if signatures is None else signatures
        signatures[numbers] = found
    return comparing, signatures


def _sentences(queries: Sequence[Path], lines: np.ndarray, wanted: np.ndarray) -> dict[int, list[Sentence]]:
    """{number: its sentences} of the wanted numbers of these lines."""
    found = {}
    for numbers, part in _parts(queries, QUERY, ["query", "messages"], lines[wanted]):
        found |= zip(wanted[numbers].tolist(), map(sentences, texts_of(part)), strict=True)
    return found


def _parts(
    paths: Sequence[Path], schema: pa.Schema, columns: list[str], lines: np.ndarray
) -> Iterator[tuple[np.ndarray, pa.Table]]:
    """What stands in these lines, counted through all files: (numbers of lines, their rows), a row group at a time."""
    order = np.argsort(lines, kind="stable")
    ordered = lines[order]
    wanted = pa.schema([schema.field(name) for name in columns])
    begin = 0
    for path in paths:
        for size, read in row_groups(path, wanted):
            first, last = np.searchsorted(ordered, [begin, begin + size])
            if first < last:
                yield order[first:last], read().take(ordered[first:last] - begin)
            begin += size


def _taken(starts: np.ndarray, values: np.ndarray, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Starts and values of some places of a ragged array."""
    counts = np.diff(starts)[places]
    begins = np.concatenate([[0], np.cumsum(counts)])
    return begins, values[np.repeat(starts[places] - begins[:-1], counts) + np.arange(begins[-1])]


def _write(
    corpus: Corpus,
    reasons: np.ndarray,
    originals: np.ndarray,
    queries: Sequence[Path],
    kept: Sequence[Path],
    ledgers: Sequence[Path],
) -> StageReport:
    """Pass all rows through once more; what stays goes to its shard, and every row into its shard's ledger."""
    place_of = np.empty(len(corpus.lines), dtype=np.int64)
    place_of[corpus.lines] = np.arange(len(place_of))
    answers = _other_answers(corpus, originals, queries)
    shares = {"buffer_rows": -(-WAITING_LINES // len(ledgers)), "most_runs": max(2, OPEN_RUNS // len(ledgers))}
    books = [Ledger("unique", **shares) for _ in ledgers]
    group_rows = min(ROW_GROUP_ROWS, -(-WAITING_ROWS // len(kept)))
    rows_in, rows_out = np.zeros(len(kept), dtype=np.int64), np.zeros(len(kept), dtype=np.int64)
    begin = 0
    with contextlib.ExitStack() as stack:
        writers = [stack.enter_context(TableWriter(path, QUERY, group_rows)) for path in kept]
        for rows in (part for path in queries for part in batches(path, QUERY)):
            places = place_of[begin : begin + len(rows)]
            begin += len(rows)
            ids, sources = rows["row_id"].to_pylist(), rows["source"].to_pylist()
            shards = np.array([shard_of(row_id, len(kept)) for row_id in ids])
            for shard, writer in enumerate(writers):
                staying = (reasons[places] == 0) & (shards == shard)
                writer.write(rows.filter(staying))
                rows_in[shard] += (shards == shard).sum()
                rows_out[shard] += staying.sum()
            for row_id, source, place, shard in zip(ids, sources, places, shards, strict=True):
                row = {"row_id": row_id, "source": source}
                if reason := REASONS[reasons[place]]:
                    books[shard].drop(row, reason, _detail(corpus, place, originals[place], answers))
                else:
                    books[shard].keep(row)
        for book, path in zip(books, ledgers, strict=True):
            book.write(path)
    return total(book.report(*map(int, counts)) for book, *counts in zip(books, rows_in, rows_out, strict=True))


def _other_answers(corpus: Corpus, originals: np.ndarray, queries: Sequence[Path]) -> dict[int, str]:
    """{place: ground truth} of equal texts whose ground truths differ."""
    asked = corpus.truth_starts[:-1]
    knows = np.zeros(len(originals), dtype=bool)
    has_truths = np.flatnonzero(np.diff(corpus.truth_starts))
    knows[has_truths] = corpus.truths[asked[has_truths], 0] == GROUND_TRUTH
    answer = np.zeros(len(originals), dtype=np.uint64)
    answer[knows] = corpus.truths[asked[knows], 1]
    differ = np.flatnonzero(knows & knows[originals] & (answer != answer[originals]))
    wanted = np.unique(np.concatenate([differ, originals[differ]]))
    answers = {}
    for numbers, part in _parts(queries, QUERY, ["ground_truth"], corpus.lines[wanted]):
        answers |= zip(wanted[numbers].tolist(), part["ground_truth"].to_pylist(), strict=True)
    return answers


def _detail(corpus: Corpus, place: int, original: int, answers: dict[int, str]) -> str:
    detail = {"same_as": corpus.row_ids[int(corpus.lines[original])].as_py()}
    if place in answers and original in answers and answers[place] != answers[original]:
        detail |= {"ground_truth": answers[place], "kept_ground_truth": answers[original]}
    return canonical_json(detail)
