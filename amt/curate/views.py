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
    r"^(?:(?:async )?def \w+\s*\(|class \w+\s*[:({]|from [\w.]+ import (?:\(|[\w*]+(?: as \w+)?(?:,|;?$))|"
    r"import [\w.]+(?: as \w+)?(?:,.*)?;?$|#include\s*[<\"]|package [\w.]+;?$|"
    r"function \w+\s*\(|func \w+\s*\(|fn \w+\s*\(|"
    r"public (?:static |final |abstract )*(?:class|interface|[\w<>\[\]]+ \w+\s*\()|"
    r"(?:int|void|double|float|bool|char|string|long|vector<.*>) \w+\s*\()",
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
_PARAGRAPHS = re.compile(r"(\n[ \t]*\n)")
_SAID = re.compile(r"[^\W\d_][^\n;{}]*\s[^;{}]*[.?!:。？！]")
"""A paragraph of sentences: it begins with a letter at the margin, ends as sentences do, and has no braces."""
_SENTENCE_END = re.compile(r"(?<=[.!?:;])\s+|(?<=[。！？；])\s*|\n+")
_WITHOUT_SPACES = re.compile(r"[぀-ヿ㐀-鿿฀-๿]")
CHARACTERS_A_WORD = 2
"""In scripts that put no spaces between words."""


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
    if not fenced and _CODE_LINE.search(outside) is None:
        return text.strip()
    said, code = _told_apart(outside)
    parts = [said]
    parts += [
        next(filter(None, match.groups()), "") for part in (*fenced, code) for match in _EXPLAINING.finditer(part)
    ]
    kept = " ".join(" ".join(_EXAMPLE.sub("", part).split()) for part in parts).strip()
    return kept if len(kept.split()) >= LEAST_PROSE_WORDS else ""


def _told_apart(text: str) -> tuple[str, str]:
    """What is said and what is code of a text without fences: code goes from a line of it to the next paragraph of
    sentences."""
    said, code, within = [], [], False
    for part in _PARAGRAPHS.split(text):
        start = _CODE_LINE.search(part)
        if start is not None:
            (code if within else said).append(part[: start.start()])
            code.append(part[start.start() :])
            within = True
        else:
            within = within and not (part.strip() and _SAID.fullmatch(part.rstrip()))
            (code if within else said).append(part)
    return "".join(said), "".join(code)


def windows(text: str) -> Iterator[str]:
    """Runs of whole sentences of about WINDOW_WORDS words, each beginning half a window after the one before."""
    sentences = [piece for sentence in _SENTENCE_END.split(text) if sentence.strip() for piece in _pieces(sentence)]
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


def _pieces(sentence: str) -> Iterator[tuple[str, int]]:
    """The sentence and its number of words; one that is longer than a window, in halves of windows."""
    words = sentence.split()
    length = len(words) + len(_WITHOUT_SPACES.findall(sentence)) // CHARACTERS_A_WORD
    if len(words) <= WINDOW_WORDS:
        yield sentence, length
        return
    half = WINDOW_WORDS // 2
    for start in range(0, len(words), half):
        piece = words[start : start + half]
        yield " ".join(piece), len(piece)
