"""The parts of a text that are embedded: itself, its prose where it has code, and windows where it is long.

A copy is often a part of a longer text, and a vector of the whole is a mean over what surrounds it; the paraphrase of a
programming task keeps its meaning and changes its code.
"""

import re
from collections.abc import Iterator

WINDOW_WORDS = 48
"""Words of a window: what half of the questions of AIME, GSM8K, MATH500 and HumanEval have, and less."""
LONG = 1.5
"""Windows from which a text is cut into windows."""
LEAST_PROSE_WORDS = 4

_FENCED = re.compile(r"```[^\n]*\n(.*?)(?:```|\Z)", re.DOTALL)
_CODE_LINE = re.compile(
    r"^(?:(?:async )?def \w+\s*\(|class \w+\s*[:(]|from [\w.]+ import |import [\w.]+|#include\s*[<\"]|public |package |"
    r"function \w+\s*\(|func \w+\s*\(|fn \w+\s*\(|(?:int|void|double|float|bool|char|string|long|vector<.*>) \w+\s*\()",
    re.MULTILINE,
)
_EXPLAINING = re.compile(
    r'"""(.*?)(?:"""|\Z)|' r"'''(.*?)(?:'''|\Z)|" r"/\*+(.*?)\*/|^\s*(?://|#(?!include))(.*?)$",
    re.DOTALL | re.MULTILINE,
)
_EXAMPLE = re.compile(
    r"^[ \t]*(?:>>>.*\n?.*|.*\w\(.*\).*(?:==?|->|=>|➞|returns?|should).*|(?:for )?examples?.{0,12}:?)$",
    re.MULTILINE | re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"(?<=[.!?:;])\s+|\n+")


def views(text: str) -> list[str]:
    """The text first, then its other views; a short text without code is its only one."""
    explained = prose(text)
    found = [text]
    if explained and explained != text.strip():
        found.append(explained)
    return [*found, *windows(text if explained == text.strip() or not explained else explained)]


def prose(text: str) -> str:
    """What a text says outside of its code, and in the docstrings and comments of its code, without examples.

    A text without code is prose; where there is too little of it, the result is empty.
    """
    fenced = [match[1] for match in _FENCED.finditer(text)]
    outside = _FENCED.sub("\n", text)
    start = _CODE_LINE.search(outside)
    if not fenced and start is None:
        return text.strip()
    code = [*fenced, outside[start.start() :]] if start else fenced
    said = [outside[: start.start()] if start else outside]
    said += [next(filter(None, match.groups()), "") for part in code for match in _EXPLAINING.finditer(part)]
    kept = " ".join(" ".join(_EXAMPLE.sub("", part).split()) for part in said).strip()
    return kept if len(kept.split()) >= LEAST_PROSE_WORDS else ""


def windows(text: str) -> Iterator[str]:
    """Runs of whole sentences of about WINDOW_WORDS words, each beginning half a window after the one before."""
    sentences = [(sentence, len(sentence.split())) for sentence in _SENTENCE_END.split(text) if sentence.strip()]
    if sum(length for _, length in sentences) < LONG * WINDOW_WORDS:
        return
    start = 0
    while start < len(sentences):
        end, total = start, 0
        while end < len(sentences) and total < WINDOW_WORDS:
            total += sentences[end][1]
            end += 1
        yield " ".join(sentence for sentence, _ in sentences[start:end])
        if end == len(sentences):
            return
        begun = 0
        while start < end and (begun < WINDOW_WORDS / 2 or begun == 0):
            begun += sentences[start][1]
            start += 1
