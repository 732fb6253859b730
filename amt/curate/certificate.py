"""Proof that decontamination finds copies of the declared benchmarks, and takes few other texts for copies.

Invariant: the certificate is written only if every recall and the false positives are within the recipe's bounds; a
build whose decontamination does not work stops here, before any endpoint is paid for the rows.

Recall is measured on copies of items drawn from all declared benchmarks: edited ones (amt.curate.copies), paraphrases
and translations, which a model writes (endpoints.paraphraser). The known-clean sample are the items themselves: each is
compared with the items of the other half, and since a benchmark asks nothing twice, what is found is found wrongly.
"""

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amt.curate.benchmark_items import Item, read_items
from amt.curate.copies import EDITS
from amt.curate.match import Matcher
from amt.endpoints.asking import REFUSED, UNANSWERED
from amt.endpoints.client import ChatClient, ChatRequest
from amt.errors import DataError
from amt.ledger import read_report, write_report
from amt.params import COPY_KINDS, Certificate, Decontaminate, Endpoint
from amt.publish import publish_file
from amt.seeds import seed_for

ASKED = {
    "paraphrased": """Say the following task in your own words, as another author would: another order of the facts, \
other sentences. Keep every number and what is asked. Answer with the task alone.

Query:
""",
    "translated": """Translate the following task into German. Keep every number and what is asked. Answer with the \
task alone.

Query:
""",
}
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


def certify(
    *,
    benchmarks: list[Path],
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
        endpoint: of the role paraphraser, which `client` asks.
        threads: of the embedding model; no part of the result.

    Raises:
        DataError: a recall is below, or the false positives above, what the recipe asks for.
    """
    items = read_items(benchmarks)
    planted = _plant(items, asked, endpoint, client, seed)
    matcher = Matcher(items, settings, threads)
    recall = {}
    missed = []
    for kind in COPY_KINDS:
        copies = planted[kind]
        matches = matcher.match([text for _, text in copies])
        recall[kind] = Rate(sum(match is not None for match in matches), len(copies))
        missed += [
            {"kind": kind, "item": item.row_id, "copy": text}
            for (item, text), match in zip(copies, matches, strict=True)
            if match is None
        ]
    wrong = _confused(items, settings, threads)
    result = {
        "benchmarks": sorted({item.benchmark for item in items}),
        "items": len(items),
        "recall": {kind: rate.as_json() | {"needed": asked.min_recall[kind]} for kind, rate in recall.items()},
        "false_positives": Rate(len(wrong), len(items)).as_json() | {"allowed": asked.max_false_positives},
        "paraphraser": endpoint.model,
        "missed": missed,
        "confused": wrong,
    }
    _refuse(recall, Rate(len(wrong), len(items)), missed, asked)
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


def _plant(
    items: list[Item], asked: Certificate, endpoint: Endpoint, client: ChatClient, seed: int
) -> dict[str, list[tuple[Item, str]]]:
    """{kind: [(item, its copy)]}"""
    rng = random.Random(seed_for(seed, "certificate", "items"))
    chosen = sorted(rng.sample(items, min(asked.copies_per_kind, len(items))), key=lambda item: item.row_id)
    planted = {
        kind: [
            (item, edit(item.text, random.Random(seed_for(seed, "certificate", kind, item.row_id)))) for item in chosen
        ]
        for kind, edit in EDITS.items()
    }
    for kind, prompt in ASKED.items():
        replies = client.complete(
            [
                ChatRequest(
                    messages=[{"role": "user", "content": prompt + item.text}],
                    temperature=endpoint.temperature,
                    top_p=endpoint.top_p,
                    max_tokens=endpoint.max_tokens,
                    seed=seed_for(seed, "certificate", kind, item.row_id),
                    key=f"{item.row_id}/paraphraser/{kind}",
                )
                for item in chosen
            ]
        )
        planted[kind] = [
            (item, reply.text.rpartition("</think>")[2].strip())
            for item, reply in zip(chosen, replies, strict=True)
            if reply.finish_reason not in (REFUSED, UNANSWERED)  # no copy was written
        ]
    return planted


def _confused(items: list[Item], settings: Decontaminate, threads: int) -> list[dict[str, Any]]:
    """Items of one half that are taken for one of the other."""
    halves = items[::2], items[1::2]
    wrong = []
    for known, tried in (halves, halves[::-1]):
        matches = Matcher(known, settings, threads).match([item.text for item in tried])
        for item, match in zip(tried, matches, strict=True):
            if match is not None:
                wrong.append(
                    {"item": item.row_id, "taken_for": match.item.row_id, "rule": match.rule, "text": item.text}
                )
    return wrong


def _refuse(recall: dict[str, Rate], wrong: Rate, missed: list[dict[str, Any]], asked: Certificate) -> None:
    faults = [
        f"{kind}: {rate.found} of {rate.of} copies were found ({rate.share:.3f}), "
        f"curate.certificate.min_recall.{kind} is {asked.min_recall[kind]}"
        + next(
            (f", missed for example {one['item']}: {one['copy'][:200]!r}" for one in missed if one["kind"] == kind), ""
        )
        for kind, rate in recall.items()
        if rate.of and rate.share < asked.min_recall[kind]
    ]
    if wrong.share > asked.max_false_positives:
        faults.append(
            f"{wrong.found} of {wrong.of} benchmark items were taken for a copy of another one ({wrong.share:.3f}), "
            f"curate.certificate.max_false_positives is {asked.max_false_positives}"
        )
    if faults:
        raise DataError(
            "Decontamination is not certified.\n  " + "\n  ".join(faults) + "\nChange curate.decontaminate (lower "
            "cosines find more, higher ones confuse less), or what curate.certificate asks for."
        )


def _page(result: dict[str, Any]) -> str:
    by_standin = result["paraphraser"].startswith("standin/")
    lines = [
        "# Certificate of decontamination",
        "",
        f"Benchmarks: {', '.join(result['benchmarks'])}; {result['items']} items.",
        "",
        "| copies | found | of | recall | 95 % interval | needed |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for kind, rate in result["recall"].items():
        lines.append(
            f"| {kind} | {rate['found']} | {rate['of']} | {rate['share']:.3f} "
            f"| {rate['low']:.3f} to {rate['high']:.3f} | {rate['needed']} |"
        )
    wrong = result["false_positives"]
    writer = f"{result['paraphraser']}, a stand-in: they are no real ones" if by_standin else result["paraphraser"]
    lines += [
        "",
        f"Taken for a copy of another item: {wrong['found']} of {wrong['of']} ({wrong['share']:.4f}, 95 % interval "
        f"{wrong['low']:.4f} to {wrong['high']:.4f}), at most {wrong['allowed']}.",
        "",
        f"Paraphrases and translations were written by {writer}.",
        "",
    ]
    if result["missed"]:
        lines += ["## Missed", ""]
        lines += [f"- {one['kind']} of {one['item']}: {' '.join(one['copy'].split())}" for one in result["missed"]]
        lines.append("")
    return "\n".join(lines)
