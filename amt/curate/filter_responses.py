"""Remove low-quality responses (paper 2.3): by structure, consecutive repetition and perplexity.

Invariant: what stays is one complete <think>…</think><answer>…</answer> that ends its conversation. The ledger has
one line a response, under its response_id. The first reason that applies counts:

    structure_final_turn   the query's messages do not end with the user's turn, so the response is not the final one
    truncated              the endpoint stopped at its token limit
    unfinished             it stopped for another reason, e.g. content_filter, or gave no answer: refused, unanswered
    structure_no_think     not exactly one complete <think> part, at the beginning
    structure_no_answer    not exactly one complete <answer> part behind it, or an empty one
    repetition             a phrase of at least ngram_words words occurs ngram_repeats times in a row, or a loop
                           of anything is long
    perplexity             above max_perplexity, or not a number
"""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import regex
from numba import njit

from amt.curate.normal_form import WITHOUT_SPACES
from amt.errors import DataError
from amt.ledger import Ledger, write_report
from amt.params import FilterResponses
from amt.rows import PERPLEXITY, QUERY, RESPONSE, TableWriter, batches, read_rows

_TAG = re.compile(r"</?(?:think|answer)>")
_ASKED = pa.schema([QUERY.field(name) for name in ("row_id", "source", "messages")])
_WORD = regex.compile(rf"[{WITHOUT_SPACES}]|[^\s{WITHOUT_SPACES}]+")


def filter_responses(
    *,
    queries: Path,
    responses: Path,
    perplexity: Path,
    kept: Path,
    ledger: Path,
    report: Path,
    settings: FilterResponses,
) -> None:
    """Write the responses that stay, what became of each, and counts by reason."""
    # Of a query its last turn only: the messages and tests of a shard may be more than memory has room for.
    query_of = {
        row["row_id"]: (row["source"], json.loads(row["messages"])[-1]["role"])
        for part in batches(queries, _ASKED)
        for row in part.to_pylist()
    }
    perplexity_of = {row["response_id"]: row["perplexity"] for row in read_rows(perplexity, PERPLEXITY)}
    book = Ledger("filter_responses")
    rows_in = rows_out = 0
    with TableWriter(kept, RESPONSE) as remaining:
        for part in batches(responses, RESPONSE):
            stays = []
            for row in part.to_pylist():
                if row["row_id"] not in query_of or row["response_id"] not in perplexity_of:
                    lacking = queries if row["row_id"] not in query_of else perplexity
                    raise DataError(
                        f"{lacking} knows nothing of response {row['response_id']}. Build again: snakemake {kept}"
                    )
                source, last_role = query_of[row["row_id"]]
                fault = _fault(row, last_role, perplexity_of[row["response_id"]], settings)
                entry = {"row_id": row["response_id"], "source": source}
                book.keep(entry) if fault is None else book.drop(entry, *fault)
                stays.append(fault is None)
            # Of an empty table, an empty list has no type of its own.
            remaining.write(part.filter(pa.array(stays, pa.bool_())))
            rows_in += len(stays)
            rows_out += sum(stays)
    book.write(ledger)
    write_report(report, book.report(rows_in, rows_out))


def _fault(
    row: dict[str, Any], last_role: str, perplexity: float, settings: FilterResponses
) -> tuple[str, str | None] | None:
    """(reason, detail) for which a response is dropped, or None."""
    if last_role != "user":
        return "structure_final_turn", None
    if row["finish_reason"] == "length":
        return "truncated", f"{row['tokens']} tokens"
    if row["finish_reason"] != "stop":
        return "unfinished", row["finish_reason"]
    if fault := structure_fault(row["response"]):
        return fault, None
    if phrase := repeated_phrase(row["response"], settings.ngram_words, settings.ngram_repeats):
        return "repetition", phrase[:200]
    if not perplexity <= settings.max_perplexity:
        return "perplexity", f"{perplexity:.1f}"
    return None


def structure_fault(response: str) -> str | None:
    """structure_no_think, structure_no_answer, or None for one complete part of each, in this order."""
    text = response.strip()
    if not text.startswith("<think>") or text.count("<think>") != 1 or text.count("</think>") != 1:
        return "structure_no_think"
    _, _, behind = text.partition("</think>")
    if behind.count("<answer>") != 1 or behind.count("</answer>") != 1 or not behind.rstrip().endswith("</answer>"):
        return "structure_no_answer"
    before, _, answer = behind.partition("<answer>")
    return "structure_no_answer" if before.strip() or not answer.removesuffix("</answer>").strip() else None


def repeated_phrase(text: str, shortest: int, repeats: int) -> str | None:
    """The shortest phrase of at least `shortest` words that occurs `repeats` times in a row, or None.

    Of scripts without spaces a letter is a word. Rows of numbers and signs, as in tables and sequences, are no phrases:
    one needs a word with a letter. But what goes on over LONG_RUN words is a loop whatever it is made of.
    """
    spaced = _TAG.sub(r" \g<0> ", text)
    spans, is_said = _words(spaced)
    number_of: dict[str, int] = {}
    words = np.array([number_of.setdefault(spaced[slice(*span)], len(number_of)) for span in spans], dtype=np.int64)
    first, length = _repetition(words, np.cumsum([0, *is_said]), shortest, repeats, LONG_RUN)
    if length == 0:
        return None
    return " ".join(spaced[spans[first][0] : spans[first + length - 1][1]].split())


LONG_RUN = 1000
"""Words of a repetition from which it counts whatever it says: no table of equal rows is as long."""
LONGEST_WORD = 100
"""Characters of the longest word; longer ones (a laugh without end, a formula) are looked through by character, and
these are no words with a letter."""


def _words(text: str) -> tuple[list[tuple[int, int]], list[bool]]:
    """(first character, end) of each word, and whether it has a letter."""
    spans, is_said = [], []
    for found in _WORD.finditer(text):
        start, end = found.span()
        if end - start > LONGEST_WORD:
            spans += [(place, place + 1) for place in range(start, end)]
            is_said += [False] * (end - start)
        else:
            spans.append((start, end))
            is_said.append(any(map(str.isalpha, found[0])))
    return spans, is_said


@njit(cache=True)
def _repetition(words, said_before, shortest, repeats, long_run):
    """(first word, words of the phrase) of the shortest repetition that counts, (0, 0) if there is none.

    A phrase of p words repeats where (repeats - 1) * p words running equal the one p places behind them. Such a run
    passes a multiple of p, so that it is enough to look around those: few comparisons for each p.

    Args:
        said_before: [words + 1] words with a letter before each place.
    """
    for length in range(shortest, len(words) // repeats + 1):
        place = 0
        while place + length < len(words):
            first, end = place, place
            while first > 0 and words[first - 1] == words[first - 1 + length]:
                first -= 1
            while end + length < len(words) and words[end] == words[end + length]:
                end += 1
            if end - first >= (repeats - 1) * length and (
                said_before[first + length] > said_before[first] or end - first + length >= long_run
            ):
                return first, length
            place += length * max(1, (end - place) // length)
    return 0, 0
