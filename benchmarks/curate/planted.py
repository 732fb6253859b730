"""A corpus of real and generated problems with planted copies, edits and variants, and the truth about it.

    shards/00000.parquet …   rows of amt.rows.QUERY, row groups of 20,480 rows, in the order of their row_id
    truth/00000.parquet …    row_id, kind, original (its row_id), for the planted rows of the shard of that number

Every row is a function of (seed, rows, its place), so shards are made side by side and each in its own memory, of 10
million rows as well as of a thousand. Half of what is planted stems from real problems, as long as there are any. Rows
that stem from one another lie anywhere in the corpus.

Planted rows carry no ground truth: only the text tells who belongs to whom.
"""

import math
import random
import shutil
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property, lru_cache, partial
from multiprocessing import get_context
from pathlib import Path

import pyarrow as pa

from amt.rows import QUERY, canonical_json, write_table
from amt.seeds import seed_for
from benchmarks.curate.edits import KINDS
from benchmarks.curate.generated import crowded_prompt, gathered, generated_chat, generated_problem, spread
from benchmarks.curate.real import Problem, real_problems

TRUTH = pa.schema([pa.field(name, pa.string(), nullable=False) for name in ("row_id", "kind", "original")])
LARGEST_SHARD = 122_880  # more lines than a ledger buffers
REAL_SHARE = 0.15  # at most
# Of corpora without real problems: with nothing but word problems, whose numbers tell them apart, no tool would have
# many texts to compare. Of Arena-Hard .39 have no numbers, and .54 share theirs with another row.
CHAT_SHARE, CROWDED_SHARE = 0.25, 0.05
TRIES = 64  # problems that are looked at for one that allows an edit


@dataclass(frozen=True)
class Corpus:
    """Places 0 … rows - 1 hold the entries in a spread order: real and generated problems, chats, crowded prompts, then
    each planted kind, which stems from the problems."""

    rows: int
    seed: int
    problems: list[Problem] = field(repr=False, default_factory=list)

    @cached_property
    def counts(self) -> dict[str, int]:
        return {kind: math.ceil(share * self.rows) for kind, (_, share) in KINDS.items()}

    @cached_property
    def planted(self) -> int:
        return sum(self.counts.values())

    @cached_property
    def real(self) -> int:
        return min(len(self.problems), int(REAL_SHARE * self.rows))

    @cached_property
    def generated(self) -> int:
        return self.rows - self.real - self.chats - self.crowded - self.planted

    @cached_property
    def chats(self) -> int:
        return 0 if self.problems else int(CHAT_SHARE * self.rows)

    @cached_property
    def crowded(self) -> int:
        return 0 if self.problems else int(CROWDED_SHARE * self.rows)

    @cached_property
    def shards(self) -> int:
        """An even number of equal size, so that two processes have as much to do."""
        return 2 * math.ceil(self.rows / LARGEST_SHARD / 2)

    def row(self, place: int) -> tuple[Problem, tuple[str, str] | None]:
        """The problem at a place; of a planted one its kind and the row_id of the original."""
        entry = gathered(place, self.rows, self.seed)
        planted = entry - (self.rows - self.planted)
        if planted < 0:
            return self._original(entry), None
        kind, number = self._kind(planted)
        for attempt in range(TRIES):
            entry = self._candidate(planted, attempt)
            original = self._original(entry)
            rng = random.Random(seed_for(self.seed, "planted", planted, attempt))
            text = KINDS[kind][0](original, rng)
            if text is not None and (kind == "exact" or text != original.text):
                changed = Problem(original.origin, original.category, text)
                return changed, (kind, row_id(spread(entry, self.rows, self.seed)))
        raise AssertionError(f"none of {TRIES} problems allows {kind} number {number}")

    def _kind(self, planted: int) -> tuple[str, int]:
        for kind, count in self.counts.items():
            if planted < count:
                return kind, planted
            planted -= count
        raise IndexError(planted)

    def _original(self, entry: int) -> Problem:
        if entry < self.real:
            return self.problems[spread(entry, len(self.problems), self.seed)]
        entry -= self.real
        if entry < self.generated:
            text = generated_problem(entry, self.seed)
            return Problem("generated", "math", text, has_formulas="$" in text)
        entry -= self.generated
        if entry < self.chats:
            return Problem("chat", "general_chat", generated_chat(entry, self.seed))
        return Problem("crowded", "general_chat", crowded_prompt(entry - self.chats, self.seed))

    def _candidate(self, planted: int, attempt: int) -> int:
        """An entry to try, a real one for every other planted row; no two begin with the same, if possible."""
        half, generated_turn = divmod(planted, 2)
        step = half + attempt * (self.planted // 2 + 1)
        if self.real and (generated_turn + attempt // (TRIES // 2)) % 2 == 0:
            return spread(step % self.real, self.real, self.seed + 1)
        return self.real + spread(step % self.generated, self.generated, self.seed + 1)


def row_id(place: int) -> str:
    """In the order of places, as tables are sorted."""
    return f"planted:{place:016x}"


def write_corpus(folder: Path, rows: int, seed: int, data: Path | None, processes: int = 2) -> None:
    """Write the shards and their truth, instead of what the folder held.

    Args:
        data: folder of real problems; None makes a corpus of generated ones only.
    """
    shutil.rmtree(folder, ignore_errors=True)
    write = partial(_write_shard, folder, rows, seed, data)
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        list(pool.map(write, range(_corpus(rows, seed, data).shards)))


def shards_of(folder: Path) -> list[Path]:
    return sorted((folder / "shards").glob("*.parquet"))


@lru_cache(maxsize=1)
def _corpus(rows: int, seed: int, data: Path | None) -> Corpus:
    return Corpus(rows, seed, real_problems(data) if data else [])


def _write_shard(folder: Path, rows: int, seed: int, data: Path | None, shard: int) -> None:
    corpus = _corpus(rows, seed, data)
    places = range(shard * corpus.rows // corpus.shards, (shard + 1) * corpus.rows // corpus.shards)
    columns: dict[str, list] = {name: [] for name in QUERY.names}
    truth: dict[str, list[str]] = {name: [] for name in TRUTH.names}
    for place in places:
        problem, planted = corpus.row(place)
        values = {
            "row_id": row_id(place),
            "source": "planted",
            "category": problem.category,
            "origin": problem.origin,
            "query": problem.text,
            "messages": canonical_json([{"role": "user", "content": problem.text}]),
            "ground_truth": problem.ground_truth,
        }
        for name, column in columns.items():
            column.append(values.get(name))
        if planted:
            for name, value in zip(TRUTH.names, (values["row_id"], *planted)):
                truth[name].append(value)
    write_table(folder / "shards" / f"{shard:05d}.parquet", pa.table(columns, schema=QUERY))
    write_table(folder / "truth" / f"{shard:05d}.parquet", pa.table(truth, schema=TRUTH))
