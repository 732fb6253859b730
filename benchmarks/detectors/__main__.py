"""Precision and recall of the detectors of amt.curate on rows labelled by hand; see LABELLING.md.

    python -m benchmarks.detectors [--data ../shared/data] [--recipe params.yaml]

Image is asked of all rows, the other kinds of those about mathematics, as the build does, multiple choice before proof
and sub-questions. What is unclear is decided by no rule but by the model that the recipe names as clarity judge. The
laptop recipe's is a stand-in that knows the stand-ins' own problems and calls all others unclear: a figure for a real
judge needs a recipe and a placement that name one.
"""

import argparse
import json
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amt.curate.clean import outside_reference
from amt.curate.math_kinds import is_multi_part, is_multiple_choice, is_proof
from amt.curate.verify_math import CLARITY_PROMPT, read_clarity
from amt.endpoints.client import ChatRequest, Unusable
from amt.params import Clean, Recipe, load
from benchmarks.detectors.draw import CODE, FILES, read_objects
from scripts.endpoint_for import endpoint_clients

LABELS = Path(__file__).with_name("labels.jsonl")
KINDS = ("proof", "multi_part", "multiple_choice", "image", "unclear")
Z_95 = 1.959964
ONE_ANSWER = ("math_train", "math500", "aime", "aime24", "aime25", "gsm8k_train", "gsm8k_test")
"""Files whose rows all have one short answer: a proof or several questions found there is a false alarm."""
STANDIN = (
    ": a script that knows the stand-ins' own problems and calls the rest unclear. Its figures say nothing of a judge."
)


@dataclass(frozen=True)
class Counts:
    right: int
    """Found, and so labelled."""
    wrong: int
    """Found, but not so labelled."""
    missed: int

    @property
    def precision(self) -> float:
        return self.right / (self.right + self.wrong) if self.right + self.wrong else math.nan

    @property
    def recall(self) -> float:
        return self.right / (self.right + self.missed) if self.right + self.missed else math.nan


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """95 % interval of a proportion (Wilson 1927); (0, 1) where nothing was tried."""
    if not trials:
        return 0.0, 1.0
    share, spread = successes / trials, Z_95**2 / trials
    middle = (share + spread / 2) / (1 + spread)
    half = math.sqrt(share * (1 - share) * spread + spread**2 / 4) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)


def read_labels() -> list[dict[str, Any]]:
    return [json.loads(line) for line in LABELS.read_text(encoding="utf-8").splitlines()]


def labelled_rows(data: Path) -> Iterator[dict[str, Any]]:
    """Labels, each with its row's text and ground truth (None where the data have none)."""
    files = {name: read_objects(data / path) for name, (path, _) in FILES.items()}
    for label in read_labels():
        row = files[label["file"]][label["index"]]
        yield label | {"text": row[FILES[label["file"]][1]], "ground_truth": _ground_truth(row)}


def _ground_truth(row: dict[str, Any]) -> str | None:
    answer = row.get("answer")
    # GSM8K's answers are solutions that end in "#### 42".
    return None if answer is None else str(answer).rpartition("####")[2].strip()


def false_alarms(data: Path) -> str:
    rows = proofs = several = 0
    for name in ONE_ANSWER:
        path, column = FILES[name]
        for row in read_objects(data / path):
            text, truth = row[column], _ground_truth(row)
            chosen = is_multiple_choice(text, truth)
            rows += 1
            proofs += not chosen and is_proof(text, truth)
            several += not chosen and is_multi_part(text)
    return f"false alarms in {rows} problems with one answer: proof={proofs} multi_part={several}"


def found(row: dict[str, Any], settings: Clean) -> dict[str, bool]:
    """{kind: whether its rule finds the row}, of the kinds that are asked of it and decided by rules."""
    category = "code" if row["file"] in CODE else "math" if row["math"] else "general_chat"
    fault = outside_reference([{"role": "user", "content": row["text"]}], category, settings)
    kinds = {"image": fault is not None and fault[0] == "image"}
    if row["math"]:
        chosen = is_multiple_choice(row["text"], row["ground_truth"])
        kinds["multiple_choice"] = chosen
        kinds["proof"] = not chosen and is_proof(row["text"], row["ground_truth"])
        kinds["multi_part"] = not chosen and is_multi_part(row["text"])
    return kinds


def judged_unclear(rows: list[dict[str, Any]], recipe: Recipe) -> list[bool]:
    """What the recipe's clarity judge says of each row; an answer that is no JSON is no verdict, so not unclear."""
    endpoint = recipe.endpoints.clarity_judge
    requests = [
        ChatRequest(
            messages=[{"role": "user", "content": CLARITY_PROMPT + row["text"]}],
            temperature=endpoint.temperature,
            top_p=endpoint.top_p,
            max_tokens=endpoint.max_tokens,
            seed=recipe.seed,
            key=f"{row['file']}:{row['index']}",
        )
        for row in rows
    ]
    with endpoint_clients(recipe, "clarity_judge") as clients:
        verdicts = clients["clarity_judge"].complete_json(requests, read_clarity)
    return [verdict is not None and not isinstance(verdict, Unusable) for verdict in verdicts]


def count(rows: list[dict[str, Any]], kind: str) -> Counts:
    asked = [(row["found"][kind], row[kind]) for row in rows if kind in row["found"]]
    return Counts(asked.count((True, True)), asked.count((True, False)), asked.count((False, True)))


def table(rows: list[dict[str, Any]]) -> Iterator[str]:
    groups = {
        "random": [row for row in rows if row["part"] == "random"],
        "enriched, tuned": [row for row in rows if row["part"] != "random" and row["round"] == "tuned"],
        "enriched, held out": [row for row in rows if row["part"] != "random" and row["round"] == "held_out"],
        "held out": [row for row in rows if row["round"] == "held_out"],
        "all": rows,
    }
    for kind in KINDS:
        for name, group in groups.items():
            counts = count(group, kind)
            asked = sum(kind in row["found"] for row in group)
            precision = _share(counts.right, counts.right + counts.wrong)
            recall = _share(counts.right, counts.right + counts.missed)
            yield f"{kind:16}{name:20}rows={asked:<4} precision {precision:32} recall {recall}"


def _share(successes: int, trials: int) -> str:
    low, high = wilson(successes, trials)
    return f"{successes}/{trials} [{low:.3f}, {high:.3f}]"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.detectors", description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of real rows")
    parser.add_argument("--recipe", type=Path, default=Path("params.yaml"), help="names the clarity judge")
    args = parser.parse_args()
    if not args.data.is_dir():
        print(f"error: {args.data} is not there. Name the folder of real rows with --data.", file=sys.stderr)
        return 1
    recipe = load(args.recipe)
    rows = list(labelled_rows(args.data))
    for row in rows:
        row["found"] = found(row, recipe.curate.clean)
    mathematics = [row for row in rows if row["math"]]
    for row, unclear in zip(mathematics, judged_unclear(mathematics, recipe), strict=True):
        row["found"]["unclear"] = unclear
    print("\n".join(table(rows)))
    for row in rows:
        for kind, says in row["found"].items():
            if says != row[kind] and kind != "unclear":
                print(f"{'false' if says else 'missed'} {kind}: {row['file']}:{row['index']} ({row['round']})")
    print(false_alarms(args.data))
    judge = recipe.endpoints.clarity_judge.model
    print(f"unclear is what {judge} says{STANDIN if judge.startswith('standin/') else ''}")
    totals = {kind: count(rows, kind) for kind in KINDS}
    names = {"unclear": "unclear_standin"} if judge.startswith("standin/") else {}
    figures = " ".join(
        f"{names.get(kind, kind)}={counts.precision:.3f}/{counts.recall:.3f}" for kind, counts in totals.items()
    )
    print(f"detectors: rows={len(rows)} {figures}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
