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

import numpy as np
import regex
from numba import njit

from amt.curate.normal_form import WITHOUT_SPACES
from amt.errors import DataError
from amt.ledger import Ledger, write_report
from amt.params import FilterResponses
from amt.rows import PERPLEXITY, QUERY, RESPONSE, read_rows, write_rows

_TAG = re.compile(r"</?(?:think|answer)>")
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
    query_of = {row["row_id"]: row for row in read_rows(queries, QUERY)}
    perplexity_of = {row["response_id"]: row["perplexity"] for row in read_rows(perplexity, PERPLEXITY)}
    rows = read_rows(responses, RESPONSE)
    book = Ledger("filter_responses")
    remaining = []
    for row in rows:
        if row["row_id"] not in query_of or row["response_id"] not in perplexity_of:
            lacking = queries if row["row_id"] not in query_of else perplexity
            raise DataError(f"{lacking} knows nothing of response {row['response_id']}. Build again: snakemake {kept}")
        query = query_of[row["row_id"]]
        entry = {"row_id": row["response_id"], "source": query["source"]}
        if json.loads(query["messages"])[-1]["role"] != "user":
            book.drop(entry, "structure_final_turn")
        elif row["finish_reason"] == "length":
            book.drop(entry, "truncated", f"{row['tokens']} tokens")
        elif row["finish_reason"] != "stop":
            book.drop(entry, "unfinished", row["finish_reason"])
        elif fault := structure_fault(row["response"]):
            book.drop(entry, fault)
        elif phrase := repeated_phrase(row["response"], settings.ngram_words, settings.ngram_repeats):
            book.drop(entry, "repetition", phrase[:200])
        elif not perplexity_of[row["response_id"]] <= settings.max_perplexity:
            book.drop(entry, "perplexity", f"{perplexity_of[row['response_id']]:.1f}")
        else:
            book.keep(entry)
            remaining.append(row)
    write_rows(kept, remaining, RESPONSE)
    book.write(ledger)
    write_report(report, book.report(len(rows), len(remaining)))


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
