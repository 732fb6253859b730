"""Proof that decontamination finds copies of the declared benchmarks, and takes few other texts for copies.

Invariant: the certificate is written only if every recall and the false positives are within the recipe's bounds; a
build whose decontamination does not work stops here, before any endpoint is paid for the rows.

Recall is measured on copies of items of every declared benchmark, edited (amt.curate.copies) and written by a model
(amt.curate.paraphrases). The bound holds for all copies of a kind together. Of one benchmark there may be too few to
tell, so there the bound must lie below the upper end of the recall's interval: a benchmark that is not found is seen.

False positives are measured on this build's own rows of the sources that the recipe names as clean: whatever the rules
removed of them is removed wrongly.
"""

import json
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from amt.curate.benchmark_items import Item, read_items
from amt.curate.copies import EDITS, Copy, draw_items, edited_copies
from amt.curate.match import Match, Matcher
from amt.curate.paraphrases import ASKED, write_copies
from amt.endpoints.client import ChatClient
from amt.errors import DataError
from amt.ledger import read_report, write_report
from amt.params import COPY_KINDS, Certificate, Decontaminate, Endpoint
from amt.publish import publish_file
from amt.rows import LEDGER, batches

LEAST_USABLE = 0.5
"""Share of a benchmark's paraphrases that must be ones, or they are too few to say anything of it."""
BY_VERDICT = "benchmark_verdict"
Z_95 = 1.959964
"""Standard normal deviate of a 95 % interval."""


@dataclass(frozen=True)
class Rate:
    found: int
    of: int

    @property
    def share(self) -> float:
        return self.found / self.of if self.of else 0.0

    def wilson(self) -> tuple[float, float]:
        """95 % interval of the share (Wilson)."""
        if not self.of:
            return 0.0, 1.0
        square = Z_95**2
        middle = (self.share + square / (2 * self.of)) / (1 + square / self.of)
        half = (
            Z_95 / (1 + square / self.of) * (self.share * (1 - self.share) / self.of + square / (4 * self.of**2)) ** 0.5
        )
        low = middle - half if self.found else 0.0
        return low, middle + half if self.found < self.of else 1.0

    def as_json(self) -> dict[str, Any]:
        low, high = self.wilson()
        return {
            "found": self.found,
            "of": self.of,
            "share": round(self.share, 4),
            "low": round(low, 4),
            "high": round(high, 4),
        }


@dataclass(frozen=True)
class Recall:
    """Of one kind of copies."""

    needed: float
    benchmarks: dict[str, Rate]
    faults: dict[str, Counter[str]]
    """By benchmark: replies that are no copies, by why."""

    @property
    def whole(self) -> Rate:
        return Rate(
            sum(rate.found for rate in self.benchmarks.values()), sum(rate.of for rate in self.benchmarks.values())
        )

    def as_json(self) -> dict[str, Any]:
        by_benchmark = {
            name: rate.as_json() | {"no_copies": dict(self.faults[name])} for name, rate in self.benchmarks.items()
        }
        return self.whole.as_json() | {"needed": self.needed, "benchmarks": by_benchmark}


def certify(
    *,
    benchmarks: list[Path],
    ledgers: list[Path],
    certificate: Path,
    page: Path,
    settings: Decontaminate,
    asked: Certificate,
    endpoint: Endpoint,
    client: ChatClient,
    seed: int,
    threads: int = 1,
) -> None:
    """Write the certificate, and a page that says the same to a reader.

    Args:
        ledgers: of decontamination, all shards.
        endpoint: of the role paraphraser, which `client` asks.
        threads: of the embedding model; no part of the result.

    Raises:
        DataError: a recall is below, or the false positives above, what the recipe asks for, or there is nothing to
            tell by.
    """
    items = read_items(benchmarks)
    _require_items(benchmarks, items)
    wrong, clean = _removed_wrongly(ledgers, asked.clean_sources)
    chosen = draw_items(items, asked.copies_per_kind, seed)
    planted = {kind: edited_copies(kind, chosen, seed) for kind in EDITS}
    planted |= {kind: write_copies(kind, chosen, endpoint, client, seed) for kind in ASKED}
    matcher = Matcher(items, settings, threads)
    recall, missed = {}, []
    for kind in COPY_KINDS:
        usable = [copy for copy in planted[kind] if copy.fault is None]
        matches = matcher.match([copy.text for copy in usable])
        recall[kind] = _recall(planted[kind], usable, matches, asked.min_recall[kind])
        missed += [
            {"kind": kind, "item": copy.item.row_id, "copy": copy.text}
            for copy, match in zip(usable, matches, strict=True)
            if match is None
        ]
    false_positives = Rate(len(wrong), clean)
    _refuse(recall, false_positives, missed, wrong, asked)
    result = {
        "benchmarks": sorted({item.benchmark for item in items}),
        "items": len(items),
        "recall": {kind: found.as_json() for kind, found in recall.items()},
        "false_positives": false_positives.as_json()
        | {"allowed": asked.max_false_positives, "clean_sources": asked.clean_sources},
        "paraphraser": endpoint.model,
        "missed": missed,
        "removed_wrongly": wrong,
    }
    write_report(certificate, result)
    with publish_file(page) as temporary:
        temporary.write_text(_page(result), encoding="utf-8")


def require_certificate(path: Path) -> None:
    """
    Raises:
        DataError: there is no certificate of decontamination.
    """
    if not read_report(path).get("recall"):
        raise DataError(f"{path} is no certificate of decontamination. Delete it and run snakemake again.")


def _require_items(benchmarks: list[Path], items: list[Item]) -> None:
    if empty := sorted({path.stem for path in benchmarks} - {item.benchmark for item in items}):
        raise DataError(
            f"benchmarks.{empty[0]} has no items, so nothing can be removed for being like one. Change its window, "
            "revision or questions, or delete it."
        )


def _removed_wrongly(ledgers: list[Path], clean_sources: list[str]) -> tuple[list[dict[str, Any]], int]:
    """(rows of clean sources that the rules removed, clean rows in all); what a person removed is in neither."""
    wrong, clean = [], 0
    for part in (part for path in ledgers for part in batches(path, LEDGER)):
        own = part.filter(pc.is_in(part["source"], pa.array(clean_sources, pa.string())))
        own = own.filter(pc.fill_null(pc.not_equal(own["reason"], BY_VERDICT), True))
        clean += len(own)
        for entry in own.filter(pc.equal(own["outcome"], "dropped")).to_pylist():
            detail = json.loads(entry["detail"])
            wrong.append(
                {"row_id": entry["row_id"], "rule": entry["reason"], "item": detail["item"], "span": detail["span"]}
            )
    return sorted(wrong, key=lambda row: row["row_id"]), clean


def _recall(planted: list[Copy], usable: list[Copy], matches: list[Match | None], needed: float) -> Recall:
    found: dict[str, list[bool]] = {copy.item.benchmark: [] for copy in planted}
    for copy, match in zip(usable, matches, strict=True):
        found[copy.item.benchmark].append(match is not None)
    faults: dict[str, Counter[str]] = defaultdict(Counter)
    for copy in planted:
        if copy.fault is not None:
            faults[copy.item.benchmark][copy.fault] += 1
    return Recall(needed, {name: Rate(sum(own), len(own)) for name, own in sorted(found.items())}, faults)


def _refuse(
    recall: dict[str, Recall],
    false_positives: Rate,
    missed: list[dict[str, Any]],
    wrong: list[dict[str, Any]],
    asked: Certificate,
) -> None:
    faults = [fault for kind, found in recall.items() for fault in _recall_faults(kind, found, missed)]
    if asked.clean_sources and not false_positives.of:
        faults.append(
            f"no row of {', '.join(asked.clean_sources)} came into decontamination, so false positives cannot be "
            "told: name sources of this build in curate.certificate.clean_sources"
        )
    if false_positives.share > asked.max_false_positives:
        faults.append(
            f"{false_positives.found} of {false_positives.of} rows of curate.certificate.clean_sources were removed "
            f"({false_positives.share:.4f}), curate.certificate.max_false_positives is {asked.max_false_positives}; "
            f"for example {wrong[0]['row_id']} as {wrong[0]['item']}: {wrong[0]['span']!r}. Where a row is a copy "
            "after all, say remove in verdicts.yaml; where it is none, keep"
        )
    if faults:
        raise DataError(
            "Decontamination is not certified.\n  " + "\n  ".join(faults) + "\nChange curate.decontaminate (lower "
            "cosines find more, higher ones remove less), or what curate.certificate asks for."
        )


def _recall_faults(kind: str, recall: Recall, missed: list[dict[str, Any]]) -> list[str]:
    """Of what nothing is asked, nothing is refused."""
    if not recall.needed:
        return []
    faults = []
    key = f"curate.certificate.min_recall.{kind} is {recall.needed}"
    for name, rate in recall.benchmarks.items():
        written = rate.of + recall.faults[name].total()
        if rate.of < LEAST_USABLE * written:
            why = ", ".join(f"{count} {fault}" for fault, count in sorted(recall.faults[name].items()))
            faults.append(
                f"{kind}: of {written} replies on items of {name} {rate.of} can be looked for ({why}), and half are "
                "needed: change endpoints.paraphraser (cut_off: its max_tokens; repeats_item: its model)"
            )
        elif (high := rate.wilson()[1]) < recall.needed:
            faults.append(
                f"{kind}: {rate.found} of {rate.of} copies of items of {name} were found, at best {high:.3f} of all; "
                f"{key}"
            )
    whole = recall.whole
    if whole.of and whole.share < recall.needed:
        example = next(one for one in missed if one["kind"] == kind)
        faults.append(
            f"{kind}: {whole.found} of {whole.of} copies were found ({whole.share:.3f}), {key}, missed for example "
            f"{example['item']}: {example['copy'][:200]!r}"
        )
    return faults


def _page(result: dict[str, Any]) -> str:
    lines = [
        "# Certificate of decontamination",
        "",
        f"Benchmarks: {', '.join(result['benchmarks'])}; {result['items']} items.",
        "",
        "| copies | of items of | found | of | recall | 95 % interval | needed | no copies |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for kind, recall in result["recall"].items():
        parts = recall["benchmarks"]
        needed = recall["needed"] or "nothing"
        lines.append(_line(kind, "all", recall, needed, sum(sum(one["no_copies"].values()) for one in parts.values())))
        for name, own in parts.items():
            why = ", ".join(f"{count} {fault}" for fault, count in sorted(own["no_copies"].items()))
            lines.append(_line("", name, own, "", why or 0))
    by_standin = result["paraphraser"].startswith("standin/")
    writer = f"{result['paraphraser']}, a stand-in: they are no real ones" if by_standin else result["paraphraser"]
    lines += [
        "",
        "Needed: of all copies; of one benchmark the interval must reach it.",
        "",
        f"Paraphrases and translations were written by {writer}. No copies: replies that were cut off, have no answer, "
        "or repeat the item; they are not looked for.",
        "",
    ]
    if nothing := [kind for kind, recall in result["recall"].items() if not recall["needed"]]:
        lines += [f"Nothing is asked of copies that are {', '.join(nothing)}: nothing is proven of them.", ""]
    lines += [_said_of_false_positives(result["false_positives"]), ""]
    for title, listed in (("Removed wrongly", result["removed_wrongly"]), ("Missed", result["missed"])):
        if listed:
            lines += [f"## {title}", "", *map(_listed, listed), ""]
    return "\n".join(lines)


def _line(kind: str, benchmark: str, rate: dict[str, Any], needed: Any, no_copies: Any) -> str:
    interval = f"{rate['low']:.3f} to {rate['high']:.3f}"
    cells = (kind, benchmark, rate["found"], rate["of"], f"{rate['share']:.3f}", interval, needed, no_copies)
    return f"| {' | '.join(map(str, cells))} |"


def _said_of_false_positives(wrong: dict[str, Any]) -> str:
    if not wrong["clean_sources"]:
        return "False positives are not measured: curate.certificate.clean_sources names no source."
    return (
        f"Removed wrongly, of the rows of {', '.join(wrong['clean_sources'])}, which hold no benchmark item: "
        f"{wrong['found']} of {wrong['of']} ({wrong['share']:.4f}, 95 % interval {wrong['low']:.4f} to "
        f"{wrong['high']:.4f}), at most {wrong['allowed']}."
    )


def _listed(one: dict[str, Any]) -> str:
    if "copy" in one:
        return f"- {one['kind']} of {one['item']}: {' '.join(one['copy'].split())}"
    return f"- {one['row_id']} for {one['item']}, {one['rule']}: {' '.join(one['span'].split())}"
