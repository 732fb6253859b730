"""Remove queries that are items of an evaluation set (paper 2.2: exact matching and semantic deduplication).

Invariant: a row is removed for being like one benchmark item, by a rule of amt.curate.match or by a person's verdict,
and the removal says which: reason benchmark_exact, benchmark_ngram, benchmark_examples, benchmark_semantic or
benchmark_verdict, `detail` JSON of benchmark, item (its row_id), score, needed (the score from which it counts),
number_bits and span (what matched; of a verdict: why). A person's "keep" clears a row of one item.
"""

from pathlib import Path
from typing import Any

from amt.curate.benchmark_items import read_items
from amt.curate.match import Match, Matcher
from amt.curate.normal_form import conversation_text
from amt.curate.verdicts import read_verdicts
from amt.ledger import Ledger, write_report
from amt.params import Decontaminate
from amt.rows import QUERY, canonical_json, read_rows, write_rows

LONGEST_SPAN = 300
"""Characters of a matched span that are kept."""


def decontaminate(
    *,
    queries: Path,
    benchmarks: list[Path],
    verdicts: Path,
    kept: Path,
    ledger: Path,
    report: Path,
    settings: Decontaminate,
    threads: int = 1,
) -> None:
    """Write the rows that stay, what became of each, and counts by reason.

    Args:
        verdicts: YAML, see amt.curate.verdicts.
        threads: of the embedding model; no part of the result.

    Raises:
        DataError: the verdicts are malformed or name an unknown item.
    """
    rows = read_rows(queries, QUERY)
    items = read_items(benchmarks)
    said = read_verdicts(verdicts, {item.row_id for item in items})
    texts = [conversation_text(row) for row in rows]
    matches = Matcher(items, settings, threads).match(texts, [said.cleared.get(row["row_id"], ()) for row in rows])

    book = Ledger("decontaminate")
    remaining = []
    for row, match in zip(rows, matches, strict=True):
        if (verdict := said.remove.get(row["row_id"])) is not None:
            benchmark = next(item.benchmark for item in items if item.row_id == verdict.item)
            detail = {"benchmark": benchmark, "item": verdict.item, "span": verdict.why}
            book.drop(row, "benchmark_verdict", canonical_json(detail))
        elif match is not None:
            book.drop(row, f"benchmark_{match.rule}", canonical_json(_detail(match)))
        else:
            book.keep(row)
            remaining.append(row)
    write_rows(kept, remaining, QUERY)
    book.write(ledger)
    write_report(report, book.report(len(rows), len(remaining)))


def _detail(match: Match) -> dict[str, Any]:
    return {
        "benchmark": match.item.benchmark,
        "item": match.item.row_id,
        "score": round(match.score, 4),
        "needed": round(match.needed, 4),
        "number_bits": round(match.number_bits, 1),
        "span": match.span[:LONGEST_SPAN],
    }
