"""What decontamination finds and what it takes wrongly, on real problems.

    python -m benchmarks.curate.decontaminate

Benchmarks: GSM8K test, MATH500, AIME 2024 and 2025, HumanEval, Arena-Hard. Copies of their items:

    paraphrase   paraphrases.jsonl, written by hand. Thresholds were set on `tuning`; of `held_out` the misses were read
                 once. `ordinary` are what a model gives when asked to rephrase a question and keep its names and
                 numbers; `free` share no wording with the item and change names at will. Both were written without
                 knowledge of the rules; 100 of the free ones were read for the rule `examples`
    rephrased    HumanEval with its solutions in other Python, in JavaScript and in C (llm-decontaminator)
    translated   translations.jsonl, into German by hand; no setting was set by them
    verbatim, light, heavy, embedded   amt.curate.copies, COPIES items drawn by a seed

False positives: removals among all training problems of the folder, less those that leaks.jsonl lists as real copies,
each with its reason.
"""

import argparse
import gzip
import json
import random
import time
from collections import defaultdict
from pathlib import Path

from amt.curate.benchmark_items import Item
from amt.curate.copies import EDITS
from amt.curate.match import Match, Matcher
from amt.curate.ngram_index import NgramIndex, hashed_words
from amt.params import load
from amt.seeds import seed_for

HERE = Path(__file__).parent
COPIES = 1000
SEED = 20250513


def read_benchmarks(data: Path) -> list[Item]:
    texts = {
        "gsm8k": [row["question"] for row in _lines(data / "gsm8k/test.jsonl")],
        "math500": [row["problem"] for row in json.loads((data / "math/math500.json").read_text())],
        "aime24": [row["problem"] for row in json.loads((data / "aime/aime24.json").read_text())],
        "aime25": [row["problem"] for row in json.loads((data / "aime/aime25.json").read_text())],
        "humaneval": [row["prompt"] for row in _lines(data / "humaneval/HumanEval.jsonl.gz")],
        "arena_hard": [row["prompt"] for row in _lines(data / "arena_hard/question.jsonl")],
    }
    return [
        Item(name, f"{name}:{number}", text, name == "humaneval")
        for name, found in texts.items()
        for number, text in enumerate(found)
    ]


def read_training(data: Path) -> dict[str, str]:
    """{id: problem} of everything in the folder that a model may be trained on."""
    texts = {
        "math_train": [row["problem"] for row in json.loads((data / "math/math_train.json").read_text())],
        "gsm8k_train": [row["question"] for row in _lines(data / "gsm8k/train.jsonl")],
        "aime_1983_2023": [row["problem"] for row in json.loads((data / "aime/aime_1983_2023.json").read_text())],
        "leetcode": [row["problem"] for row in json.loads((data / "leetcode/leetcode_train.json").read_text())],
        "kodcode": [
            row["instruction"] for path in (data / "kodcode").glob("*.json") for row in json.loads(path.read_text())
        ],
        "ifeval": [row["prompt"] for row in _lines(data / "ifeval/input_data.jsonl")],
    }
    return {f"{name}:{number}": text for name, found in texts.items() for number, text in enumerate(found)}


def _lines(path: Path) -> list[dict]:
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as lines:
        return [json.loads(line) for line in lines]


def copies(items: list[Item], data: Path) -> dict[str, list[tuple[Item, str]]]:
    """{kind: [(item, its copy)]}"""
    by_id = {item.row_id: item for item in items}
    planted = defaultdict(list)
    for row in _lines(HERE / "paraphrases.jsonl"):
        item = by_id[f"{row['benchmark']}:{row['index']}"]
        planted[f"paraphrase_{row['part']}"].append((item, row["paraphrase"]))
    for row in _lines(HERE / "translations.jsonl"):
        planted["translated"].append((by_id[f"{row['benchmark']}:{row['index']}"], row["translation"]))
    for language in ("python", "js", "c"):
        rephrased = _lines(data / f"rephrased/humaneval_{language}.jsonl")
        planted[f"rephrased_{language}"] = [
            (by_id[f"humaneval:{number}"], row["text"]) for number, row in enumerate(rephrased)
        ]
    for kind, edit in EDITS.items():
        rng = random.Random(seed_for(SEED, "bench", kind))
        chosen = rng.sample(items, COPIES)
        planted[kind] = [(item, edit(item.text, rng)) for item in chosen]
    return planted


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.curate.decontaminate", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of real data sets")
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--show", type=Path, help="written: misses and removals, to be read")
    parser.add_argument("--no-training", action="store_true", help="recall only, in a minute")
    args = parser.parse_args()
    if not args.data.is_dir():
        print(f"decon: skipped, {args.data} is no folder (name it: --data)")
        return
    items = read_benchmarks(args.data)
    matcher = Matcher(items, load(args.params).curate.decontaminate, args.threads)
    result, shown = measure_recall(matcher, copies(items, args.data))
    if not args.no_training:
        training = read_training(args.data)
        found, lines = measure_false_positives(matcher, training)
        result |= found | measure_speed(items, list(training.values()), matcher, args.threads)
        shown += lines
    if args.show:
        args.show.write_text("\n".join(shown) + "\n")
    print("decon: " + " ".join(f"{key}={value}" for key, value in result.items()))


def measure(data: Path, threads: int = 2) -> dict[str, float]:
    """What `make bench-curate` tells of decontamination; of the paraphrases, the ordinary ones."""
    items = read_benchmarks(data)
    matcher = Matcher(items, load(HERE.parents[1] / "params.yaml").curate.decontaminate, threads)
    recall, _ = measure_recall(matcher, copies(items, data))
    training = read_training(data)
    removals, _ = measure_false_positives(matcher, training)
    speed = measure_speed(items, list(training.values()), matcher, threads)
    told = {
        "decon_paraphrase": recall["paraphrase_ordinary"],  # the others are printed with it
        "decon_light": recall["light"],
        "decon_embedded": recall["embedded"],
        "decon_fp": removals["fp"],
        "embed_qps": speed["embed_qps"],
    }
    return {name: float(value) for name, value in told.items()}


def measure_recall(matcher: Matcher, planted: dict[str, list[tuple[Item, str]]]) -> tuple[dict[str, str], list[str]]:
    result, shown = {}, []
    for kind, pairs in planted.items():
        matches = matcher.match([text for _, text in pairs])
        result[kind] = f"{sum(map(bool, matches)) / len(pairs):.3f}"
        per_benchmark = defaultdict(list)
        for (item, text), match in zip(pairs, matches, strict=True):
            per_benchmark[item.benchmark].append(match is not None)
            if match is None:
                shown.append(f"MISSED {kind} {item.row_id}\n  {text!r}\n  {item.text!r}")
        counts = ", ".join(f"{name} {sum(found)}/{len(found)}" for name, found in per_benchmark.items())
        print(f"{kind}: {result[kind]} ({counts})")
    return result, shown


def measure_false_positives(matcher: Matcher, training: dict[str, str]) -> tuple[dict[str, str], list[str]]:
    leaks = {(row["row"], row["item"]) for row in _lines(HERE / "leaks.jsonl")}
    matches = dict(zip(training, matcher.match(list(training.values())), strict=True))
    removed = {row: match for row, match in matches.items() if match}
    wrong = {row: match for row, match in removed.items() if (row, match.item.row_id) not in leaks}
    for rule in ("exact", "ngram", "examples", "semantic"):
        print(f"removed by {rule}: {sum(match.rule == rule for match in removed.values())}, "
              f"wrongly {sum(match.rule == rule for match in wrong.values())}")  # fmt: skip
    shown = [_shown(row, training[row], match, row in wrong) for row, match in removed.items()]
    return {
        "removed": str(len(removed)),
        "true": str(len(removed) - len(wrong)),
        "fp": f"{len(wrong) / len(training):.4f}",
        "rows": str(len(training)),
    }, shown


def _shown(row: str, text: str, match: Match, wrong: bool) -> str:
    judged = f"{match.rule} {match.score:.3f} needed {match.needed:.3f} bits {match.number_bits:.1f}"
    head = f"{'WRONG' if wrong else 'LEAK'} {row} = {match.item.row_id} {judged}"
    return f"{head}\n  {text[:400]!r}\n  {match.item.text[:400]!r}"


def measure_speed(items: list[Item], texts: list[str], matcher: Matcher, threads: int) -> dict[str, str]:
    from amt.curate.embedding import PACKAGED, SentenceEncoder, fast_encoder

    index = NgramIndex(hashed_words([item.text for item in items]), 8)
    hashed = hashed_words(texts)
    started = time.perf_counter()
    for _ in range(3):
        index.covered(hashed, 0.5)
    ngram = 3 * len(texts) / (time.perf_counter() - started)
    encoder = fast_encoder(PACKAGED, threads=threads) or SentenceEncoder(PACKAGED, threads=threads)
    sample = random.Random(SEED).sample(texts, 2000)
    encoder.embed(sample[:64])
    started = time.perf_counter()
    encoder.embed(sample)
    return {"ngram_qps": f"{ngram:.0f}", "embed_qps": f"{len(sample) / (time.perf_counter() - started):.0f}"}


if __name__ == "__main__":
    main()
