"""Remove low-quality responses (paper 2.3): by structure, consecutive repetition and perplexity.

Invariant: what stays is one complete <think>…</think><answer>…</answer> that ends its conversation. The ledger has
one line a response, under its response_id. The first reason that applies counts:

    structure_final_turn   the query's messages do not end with the user's turn, so the response is not the final one
    truncated              the endpoint stopped at its token limit
    unfinished             it stopped for another reason, e.g. content_filter, or gave no answer: refused, unanswered
    structure_no_think     not exactly one complete <think> part, at the beginning
    structure_no_answer    not exactly one complete <answer> part behind it, or an empty one
    repetition             a phrase of at least ngram_words words occurs ngram_repeats times in a row
    perplexity             above max_perplexity, or not a number
"""

import json
import re
from pathlib import Path

import numpy as np

from amt.errors import DataError
from amt.ledger import Ledger, write_report
from amt.params import FilterResponses
from amt.rows import PERPLEXITY, QUERY, RESPONSE, read_rows, write_rows

_TAG = re.compile(r"</?(?:think|answer)>")


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
    """The first phrase of at least `shortest` words that occurs `repeats` times in a row, or None.

    A phrase of p words repeats where (repeats - 1) * p words running equal the one p places before: one pass for
    each p up to 1/repeats of the text. Rows of numbers, as in tables and sequences, are no phrases: one needs a letter.
    """
    spoken = _TAG.sub(r" \g<0> ", text).split()
    number_of = {word: number for number, word in enumerate(dict.fromkeys(spoken))}
    words = np.array([number_of[word] for word in spoken], dtype=np.int32)
    for length in range(shortest, len(words) // repeats + 1):
        same = np.concatenate([[0], (words[length:] == words[:-length]).astype(np.int32), [0]])
        edges = np.diff(same)
        starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
        for start in starts[ends - starts >= (repeats - 1) * length]:
            phrase = " ".join(spoken[start : start + length])
            if any(character.isalpha() for character in phrase):
                return phrase
    return None
