"""Draw the rows that are labelled: which row of which file, and in which part.

    python -m benchmarks.detectors.draw ../shared/data

The random part is drawn evenly from all rows: it estimates what the detectors do to data as it comes. In it most kinds
are rare, so the enriched part adds, for each kind, rows that hold a word or a label that the kind cannot do without
(and far more rows besides). These patterns are wider than any detector and independent of them: a detector that
changes does not change the draw.

What it prints is the beginning of labels.jsonl, without the labels. Equal data give equal draws.
"""

import argparse
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path

FILES = {
    "math_train": ("math/math_train.json", "problem"),
    "math500": ("math/math500.json", "problem"),
    "aime": ("aime/aime_1983_2023.json", "problem"),
    "aime24": ("aime/aime24.json", "problem"),
    "aime25": ("aime/aime25.json", "problem"),
    "gsm8k_train": ("gsm8k/train.jsonl", "question"),
    "gsm8k_test": ("gsm8k/test.jsonl", "question"),
    "leetcode": ("leetcode/leetcode_train.json", "problem"),
    "arena_hard": ("arena_hard/question.jsonl", "prompt"),
    "ifeval": ("ifeval/input_data.jsonl", "prompt"),
}
"""Short name of a file: its path in the folder of data, and the column with the text."""
CODE = {"leetcode"}
"""Statements of programming tasks: only images are looked for in them."""
CHAT = {"arena_hard", "ifeval"}
"""What people ask a chat model. Competitions and school books have almost no proofs and sub-questions; people do."""
ROUNDS = {"tuned": (20251126, 1.0), "held_out": (20251127, 0.3)}
"""Seed of each round, and the share of the counts below that it draws. Rules were corrected by the first alone; the
second was labelled after that, and none was changed for it."""
RANDOM_ROWS = 240
_ASY = re.compile(r"\[asy\].*?\[/asy\]", re.DOTALL | re.IGNORECASE)
_POINTS_AT = (
    r"figures?|diagrams?|pictures?|images?|photo\w*|illustrat\w+|sketch|drawings?|charts?|plots?|graphs?|screenshots?"
)
ENRICHED = {
    "image": [
        (rf"\b(?:{_POINTS_AT})\b.{{0,40}}\b(?:below|above|shown?|shows|follow\w*|here|given)\b", 45),
        (rf"\b(?:in|see|from|this|these|following|to)\s+(?:\w+\s+)?(?:{_POINTS_AT})\b", 45),
        (r"\b(?:as shown|shown|pictured|depicted|illustrated)\b", 35),
        (rf"\b(?:{_POINTS_AT})\b|!\[|<img|\.(?:png|jpg|gif)\b", 30),
    ],
    "multiple_choice": [
        (r"\([A-E]\).*\([A-E]\)|^\W*[A-E][).:].*^\W*[A-E][).:]|\{\(?[A-E]\)?\}.*\{\(?[A-E]\)?\}", 40),
        (
            r"following (?:\w+ )?(?:statements?|choices?|options?|is|are|must|can|could|numbers?|functions?)|which of",
            35,
        ),
    ],
    "proof": [(r"\bpro(?:ve|of)\b|\b(?:show|demonstrate|verify|justify|explain) (?:that|why|how)\b|\bdisprove\b", 45)],
    "multi_part": [
        (r"\((?:a|i|1)\).*\((?:b|ii|2)\)|^\W*(?:a|i|1)[.)].*^\W*(?:b|ii|2)[.)]|part (?:a|1|i)\b", 45),
        (r"\?.*\?", 25),
        (r"\b(?:find|compute|determine|what)\b.*[.;,] (?:and |then |also )+(?:find|compute|determine|what)\b", 15),
    ],
    "unclear": [(r"\A[^?]*\Z(?<![.!])", 25), (r"\A.{0,60}\Z", 20)],
    "chat": [
        (
            r"\b(?:calculate|equations?|probabilit\w+|integral|theorem|derivative|matrix|polynomial|solve for|annuity"
            r"|how (?:much|many)|velocity|triangle|integers?|factorial|logarithm|moles?|proposition|algebra\w*"
            r"|geometry)\b",
            70,
        )
    ],
}
"""Patterns of each kind, and how many rows each adds. A row that was drawn before is not drawn again."""
UNDRAWN = (
    rf"\A(?!.*\[asy\]).*(?:\b(?:{_POINTS_AT})\b.{{0,40}}\b(?:below|above|shown?|shows|here|given)\b"
    rf"|\b(?:in|see|this|these|following)\s+(?:\w+\s+)?(?:figure|diagram|picture|image|photo|chart)s?\b"
    rf"|\b(?:as shown|shown|pictured|depicted|illustrated)\b)"
)
"""Points at something, and nothing is drawn: 45 such rows more in the second round. Most rows that point have drawing
code, and those of the first round used up the rest."""
UNDRAWN_ROWS = 45


def read_texts(data: Path) -> dict[tuple[str, int], str]:
    """{(short name of the file, index): text} of all rows; indices count from 0."""
    return {
        (name, index): row[column]
        for name, (path, column) in FILES.items()
        for index, row in enumerate(read_objects(data / path))
    }


def read_objects(path: Path) -> list[dict]:
    """Rows of a file that is one JSON list, or one object a line."""
    text = path.read_text(encoding="utf-8")
    return json.loads(text) if text.startswith("[") else [json.loads(line) for line in text.splitlines() if line]


def draw(texts: dict[tuple[str, int], str]) -> Iterator[tuple[str, int, str, str]]:
    """(file, index, round, part) of each drawn row; the enriched part is named by its kind."""
    drawn: set[tuple[str, int]] = set()
    for name, (seed, share) in ROUNDS.items():
        for key, part in _draw_round(texts, drawn, seed, share):
            drawn.add(key)
            yield *key, name, part


def _draw_round(
    texts: dict[tuple[str, int], str], drawn: set[tuple[str, int]], seed: int, share: float
) -> Iterator[tuple[tuple[str, int], str]]:
    keys = [key for key in sorted(texts) if key not in drawn]
    for key in random.Random(f"{seed}/random").sample(keys, round(RANDOM_ROWS * share)):
        yield key, "random"
    for kind, patterns in ENRICHED.items():
        for number, (pattern, rows) in enumerate(patterns):
            holds = re.compile(pattern, re.DOTALL | re.IGNORECASE | re.MULTILINE).search
            found = [
                key
                for key in keys
                if key not in drawn and _may_be(kind, key[0]) and holds(_without_drawings(texts[key]))
            ]
            for key in random.Random(f"{seed}/{kind}/{number}").sample(found, min(round(rows * share), len(found))):
                yield key, kind
    if share < 1:
        undrawn = re.compile(UNDRAWN, re.DOTALL | re.IGNORECASE).search
        found = [key for key in keys if key not in drawn and undrawn(texts[key])]
        for key in random.Random(f"{seed}/undrawn").sample(found, UNDRAWN_ROWS):
            yield key, "image"


def _may_be(kind: str, file: str) -> bool:
    return file in CHAT if kind == "chat" else kind == "image" or file not in CODE


def _without_drawings(text: str) -> str:
    return _ASY.sub(" ", text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with the files of FILES")
    for file, index, name, part in draw(read_texts(parser.parse_args().data)):
        print(json.dumps({"file": file, "index": index, "round": name, "part": part}))


if __name__ == "__main__":
    main()
