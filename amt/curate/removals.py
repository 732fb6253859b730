"""What decontamination removed, for a person to read: each row's matched part beside the benchmark item.

A table for tools and a page for eyes, in order of benchmark and then of how close the decision was: the doubtful ones
stand first.
"""

import json
import logging
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from amt.curate.benchmark_items import read_items
from amt.curate.normal_form import conversation_text
from amt.curate.verdicts import read_verdicts
from amt.publish import publish_file
from amt.rows import LEDGER, QUERY, batches, write_rows

log = logging.getLogger(__name__)

REMOVAL = pa.schema(
    [
        pa.field("row_id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("rule", pa.string(), nullable=False),  # benchmark_exact | _ngram | _examples | _semantic | _verdict
        pa.field("benchmark", pa.string(), nullable=False),
        pa.field("item", pa.string(), nullable=False),  # row_id of the benchmark item
        pa.field("score", pa.float64()),  # coverage or cosine; null of a verdict
        pa.field("needed", pa.float64()),  # the score from which it counts; null of a verdict
        pa.field("number_bits", pa.float64()),  # evidence of the numbers; null of a verdict
        pa.field("span", pa.string(), nullable=False),  # the part that matched; of a verdict: why
        pa.field("query", pa.string(), nullable=False),  # as compared: all turns but the system prompt
        pa.field("item_text", pa.string(), nullable=False),
    ]
)


def list_removals(
    *, queries: list[Path], ledgers: list[Path], benchmarks: list[Path], verdicts: Path, table: Path, page: Path
) -> None:
    """Write both.

    Args:
        queries: the rows that came into decontamination.
        ledgers: what became of them.
        verdicts: those on rows that did not come in are warned of.
    """
    items = {item.row_id: item.text for item in read_items(benchmarks)}
    said = read_verdicts(verdicts, set(items))
    unheard = said.cleared.keys() | said.remove.keys()
    dropped = []
    for part in (part for path in ledgers for part in batches(path, LEDGER)):
        unheard.difference_update(part["row_id"].to_pylist())
        dropped += part.filter(pc.equal(part["outcome"], "dropped")).to_pylist()
    if unheard:
        log.warning(
            "%s: %d verdicts are on rows that did not come in, such as %s: they change nothing",
            verdicts, len(unheard), min(unheard),
        )  # fmt: skip
    texts = _texts(queries, {entry["row_id"] for entry in dropped})
    removals = []
    for entry in dropped:
        detail = json.loads(entry["detail"])
        removals.append(
            {
                "row_id": entry["row_id"],
                "source": entry["source"],
                "rule": entry["reason"],
                **{name: detail.get(name) for name in ("score", "needed", "number_bits")},
                **{name: detail[name] for name in ("benchmark", "item", "span")},
                "query": texts[entry["row_id"]],
                "item_text": items[detail["item"]],
            }
        )
    write_rows(table, removals, REMOVAL)
    with publish_file(page) as temporary:
        temporary.write_text(_page(removals), encoding="utf-8")


def _texts(queries: list[Path], wanted: set[str]) -> dict[str, str]:
    names = pa.schema([QUERY.field(name) for name in ("row_id", "query", "messages")])
    chosen = pa.array(sorted(wanted), pa.string())
    parts = (part for path in queries for part in batches(path, names))
    rows = (row for part in parts for row in part.filter(pc.is_in(part["row_id"], chosen)).to_pylist())
    return {row["row_id"]: conversation_text(row) for row in rows}


def _distance(row: dict) -> float:
    """Of the score from what was needed; what is equal, or a person's word, is beyond doubt."""
    beyond_doubt = row["score"] is None or row["rule"] == "benchmark_exact"
    return 1.0 if beyond_doubt else row["score"] - row["needed"]


def _page(removals: list[dict]) -> str:
    lines = ["# Removed for being like a benchmark item", "", f"{len(removals)} rows. Doubtful ones first.", ""]
    ordered = sorted(removals, key=lambda row: (row["benchmark"], _distance(row), row["row_id"]))
    for row in ordered:
        judged = "" if row["score"] is None else f", {row['score']:.3f} where {row['needed']:.3f} is needed"
        lines += [f"## {row['row_id']} = {row['item']}", "", f"{row['rule']}{judged}", ""]
        for title, text in (("Query", row["query"]), ("Matched", row["span"]), ("Item", row["item_text"])):
            lines += [f"{title}:", "", *(f"    {line}" for line in text.strip().splitlines()), ""]
    return "\n".join(lines)
