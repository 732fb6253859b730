"""Remove queries that point outside their text (paper 2.2): URLs, and references to images; and other languages.

Invariant: a row is dropped only for something that stands in one of its messages; `detail` quotes it. Reason
`url` comes before `image`, since most image links are URLs.

A URL is a scheme, `www.`, or a domain with a path; addresses of e-mail and names such as `numpy.org` are text.
An image reference is an embedded image, or words that send the reader to a drawing ("the figure below", "the graph
shows", "as shown."); words that ask for a drawing, "figure out" and "significant figures" are none. Drawing code in
[asy] is text: unless asy_is_image says otherwise, such words then refer to that code, and the row stays. So it is
with a table or a LaTeX picture.

With `languages`, a row whose user writes in another language leaves too, reason `language`; `detail` has the language
found and the confidence in it. Below `language_confidence`, as with a few words around a formula, the row stays.
"""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import regex

from amt.curate.drawings import DRAWING
from amt.curate.language import check_known, language
from amt.ledger import Ledger, write_report
from amt.params import Clean
from amt.rows import QUERY, TableWriter, batches, canonical_json

_DOMAINS = ("com", "org", "net", "edu", "gov", "info", "io", "ai", "cn", "de", "eu", "fr", "jp", "uk", "ru")
_SHORTENERS = (
    *("amzn.to", "bit.ly", "cutt.ly", "discord.gg", "goo.gl", "is.gd", "ow.ly", "redd.it", "t.co", "t.me", "youtu.be"),
)
URL = regex.compile(
    rf"""
      \b(?:https?|ftp)://[^\s<>"')\]}}]+
    | (?<![@\w.-])www\.[\w-]+\.[\w./-]+
    | (?<![@\w./-])[a-z0-9][\w-]*(?:\.[\w-]+)*\.(?:{"|".join(_DOMAINS)})/[\w~%?&=#./-]+
    | (?<![@\w./-])(?:{"|".join(map(regex.escape, _SHORTENERS))})/[\w-]+
    """,
    regex.VERBOSE | regex.IGNORECASE,
)

_DRAWING = r"(?:(?:figure|diagram|picture|image|photo|photograph|illustration|drawing|chart|plot)s?|sketch(?:es)?)"
_SHOWN = r"(?:below|above|shown|given|provided|attached|pictured|illustrated|depicted|displayed|here)"
_SHOWS = r"(?:shows?|depicts?|illustrates?|displays?)"
# A graph is as often an object of mathematics: only one that is looked at is an image.
_LOOKED_AT = r"(?:figure|diagram|picture|image|photo|photograph|illustration|sketch|drawing|chart|graph|screenshot)"
_SHAPE = (
    r"(?:triangle|square|rectangle|quadrilateral|trapezoid|parallelogram|polygon|(?:pent|hex|oct)agon|circle|graph)"
)
EMBEDDED_IMAGE = regex.compile(
    r"""
      !\[[^\]]*\]\([^)]*\)                                        # ![text](address)
    | !\[[^\]]*\]\[[^\]]*\]
    | <img\b[^>]*\bsrc\s*=[^>]*>
    | <image(?:[_\s-]?\d+)?>
    | \\includegraphics\b
    | \bdata:image/[\w+.-]+;base64,[\w+/]{16}                     # a program may well write the beginning alone
    """,
    regex.VERBOSE | regex.IGNORECASE,
)
IMAGE_MENTION = regex.compile(
    rf"""
      \b(?:in|from|see|consider|using|refer\s+to|look\s+at)\s+(?:the|this)\s+
      (?:figure|diagram|picture|image|illustration|sketch)(?=\s*[,.:;?!]|\s+(?:at|on|to)\s+the\s+(?:left|right)|\s*$)
    | \b(?:the|this|that|these|those)\s+{_DRAWING}\s+{_SHOWN}\b
    | (?<!significant\s)\b{_DRAWING}\s+(?:(?:is|are|as)\s+)?(?:shown\s+|given\s+|pictured\s+)?(?:below|above)\b
    | \b(?:the|this)\s+(?:following|accompanying|attached|adjacent|above|below)\s+{_DRAWING}\b
    | \b(?:shown|pictured|illustrated|depicted|seen|drawn)\s+(?:in|on|by)\s+(?:the\s+|this\s+|a\s+)?
      (?:following\s+|accompanying\s+|attached\s+|adjacent\s+|above\s+)?{_DRAWING}\b
    | \bas\s+(?:shown|pictured|illustrated|depicted)\s+(?:below|above|here)\b
    | \b(?:in|see|from|refer\s+to)\s+(?:fig\.|figure)\s*\d+
    | \b(?:fig\.|figure)\s*\d+(?:\.\d+)?\s+(?:{_SHOWS}|is|below|above)\b
    | (?<!what\s)\b(?:the|this)\s+(?:[\w-]+\s+)?{_LOOKED_AT}\s+(?:below\s+|above\s+)?{_SHOWS}\b
    | \bdoes\s+(?:the|this)\s+(?:[\w-]+\s+)?{_LOOKED_AT}\s+show\b
    | \b(?:according\s+to|based\s+on|looking\s+at)\s+(?:the|this)\s+(?:following\s+|given\s+)?{_LOOKED_AT}\b
    | \b(?:in|from|of|to)\s+the\s+(?:given|adjoining)\s+(?!graph){_LOOKED_AT}\b
    | \bin\s+the\s+(?:figure|diagram)\b(?!\s+(?:of|that|you|eight|8|skat\w+)\b)
    | \b{_SHAPE}s?\s+(?:shown|pictured)\b(?!\s+(?:to|that|by)\b)
    | \bgraphs?\b[^.?!\n]{{0,80}}?\b(?:is|are)\s+(?:shown|pictured|displayed|depicted|drawn)
      \s+(?:in\s+\w+\s+)?(?:below|above|here)\b
    | \bas\s+(?:shown|pictured)(?=[,.?]|\s*$)
    | \b(?:describe|caption|interpret|analy[sz]e|explain)\s+this\s+{_LOOKED_AT}\b
    | \bI(?:['’]ve|\s+have)?\s+(?:just\s+)?(?:attached|uploaded|included)\s+(?:an?|the|this|my|some)\s+{_LOOKED_AT}s?\b
    """,
    regex.VERBOSE | regex.IGNORECASE,
)
# Code speaks of files by name and draws graphs and plots of its own.
IMAGE_FILE = regex.compile(r"(?<![\w'\"`])[\w/-]+\.(?:png|jpe?g|gif|svg|webp|bmp)\b", regex.IGNORECASE)
# A chart may be a table, and a picture drawn in LaTeX: both are text, as drawing code is.
_DRAWN_AS_TEXT = regex.compile(r"\\begin\{(?:tabular|tikzpicture)\}|^\s*\|.*\|.*\|\s*$", regex.MULTILINE)


# Every match has one of these in its text, in small letters: looking for them first is forty times as fast.
_HINTS = {
    URL: ("://", "www.", *(f".{domain}/" for domain in _DOMAINS), *(f"{name}/" for name in _SHORTENERS)),
    EMBEDDED_IMAGE: ("![", "<ima", "<img", "\\includegraphics", "data:image/"),
    DRAWING: ("[asy]",),
    IMAGE_MENTION: (
        *("fig", "diagram", "pictur", "image", "photo", "illustrat", "drawing", "chart", "plot", "sketch", "graph"),
        *("screenshot", "shown", "depicted"),
    ),
    IMAGE_FILE: (".png", ".jpg", ".jpeg", ".gif", ".svg", ".webp", ".bmp"),
}


def clean(*, queries: Path, kept: Path, ledger: Path, report: Path, settings: Clean) -> None:
    """Write the rows that stay, what became of each, and counts by reason (url, image, language).

    Raises:
        ParamsError: `languages` has a code of no language that can be told.
    """
    if settings.languages:
        check_known(settings.languages, "curate.clean.languages")
    book = Ledger("clean")
    rows_in = rows_out = 0
    with TableWriter(kept, QUERY) as remaining:
        for part in batches(queries, QUERY):
            stays = [_stays(row, settings, book) for row in part.select(_COLUMNS).to_pylist()]
            # Of an empty table, an empty list has no type of its own.
            remaining.write(part.filter(pa.array(stays, pa.bool_())))
            rows_in += len(stays)
            rows_out += sum(stays)
    book.write(ledger)
    write_report(report, book.report(rows_in, rows_out))


_COLUMNS = ["row_id", "source", "category", "messages"]


def _stays(row: dict[str, Any], settings: Clean, book: Ledger) -> bool:
    messages = json.loads(row["messages"])
    fault = outside_reference(messages, row["category"], settings) or other_language(messages, settings)
    book.keep(row) if fault is None else book.drop(row, *fault)
    return fault is None


def outside_reference(messages: list[dict[str, str]], category: str, settings: Clean) -> tuple[str, str] | None:
    """(reason, the text that gave it) of the first URL or image reference in a row's messages."""
    text = "\n".join(message["content"] for message in messages)
    folded = text.casefold()

    def search(pattern: regex.Pattern) -> regex.Match | None:
        return pattern.search(text) if any(hint in folded for hint in _HINTS[pattern]) else None

    if found := search(URL):
        return "url", found[0][:200]
    if found := search(EMBEDDED_IMAGE):
        return "image", found[0][:200]
    if drawing := search(DRAWING):
        return ("image", drawing[0][:200]) if settings.asy_is_image else None
    if (found := search(IMAGE_MENTION)) and not _DRAWN_AS_TEXT.search(text):
        return "image", found[0][:200]
    if category != "code" and (found := search(IMAGE_FILE)):
        return "image", found[0][:200]
    return None


def other_language(messages: list[dict[str, str]], settings: Clean) -> tuple[str, str] | None:
    """("language", what was found) of a row whose user surely writes in none of the languages asked for."""
    if settings.languages is None:
        return None
    asked = (message["content"] for message in messages if message["role"] == "user")
    if (found := language("\n".join(asked))) is None:
        return None
    code, confidence = found
    if code in settings.languages or confidence < settings.language_confidence:
        return None
    return "language", canonical_json({"language": code, "confidence": round(confidence, 2)})
