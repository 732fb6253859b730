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

import regex

from amt.curate.language import check_known, language
from amt.ledger import Ledger, write_report
from amt.params import Clean
from amt.rows import QUERY, canonical_json, read_rows, write_rows

URL = regex.compile(
    r"""
      \b(?:https?|ftp)://[^\s<>"')\]}]+
    | (?<![@\w.-])www\.[\w-]+\.[\w./-]+
    | (?<![@\w./-])[a-z0-9][\w-]*(?:\.[\w-]+)*\.(?:com|org|net|edu|gov|info|io|ai|cn|de|eu|fr|jp|uk|ru)/[\w~%?&=#./-]+
    | (?<![@\w./-])(?:amzn\.to|bit\.ly|cutt\.ly|discord\.gg|goo\.gl|is\.gd|ow\.ly|redd\.it|t\.co|t\.me|youtu\.be)/[\w-]+
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
ASY = regex.compile(r"\[asy\].*?\[/asy\]", regex.DOTALL | regex.IGNORECASE)


def clean(*, queries: Path, kept: Path, ledger: Path, report: Path, settings: Clean) -> None:
    """Write the rows that stay, what became of each, and counts by reason (url, image, language).

    Raises:
        ParamsError: `languages` has a code of no language that can be told.
    """
    if settings.languages:
        check_known(settings.languages, "curate.clean.languages")
    rows = read_rows(queries, QUERY)
    book = Ledger("clean")
    remaining = []
    for row in rows:
        fault = outside_reference(row, settings) or other_language(row, settings)
        if fault is None:
            book.keep(row)
            remaining.append(row)
        else:
            book.drop(row, *fault)
    write_rows(kept, remaining, QUERY)
    book.write(ledger)
    write_report(report, book.report(len(rows), len(remaining)))


def outside_reference(row: dict[str, Any], settings: Clean) -> tuple[str, str] | None:
    """(reason, the text that gave it) of the first URL or image reference in a row's messages."""
    text = "\n".join(message["content"] for message in json.loads(row["messages"]))
    if found := URL.search(text):
        return "url", found[0][:200]
    if found := EMBEDDED_IMAGE.search(text):
        return "image", found[0][:200]
    if drawing := ASY.search(text):
        return ("image", drawing[0][:200]) if settings.asy_is_image else None
    if (found := IMAGE_MENTION.search(text)) and not _DRAWN_AS_TEXT.search(text):
        return "image", found[0][:200]
    if row["category"] != "code" and (found := IMAGE_FILE.search(text)):
        return "image", found[0][:200]
    return None


def other_language(row: dict[str, Any], settings: Clean) -> tuple[str, str] | None:
    """("language", what was found) of a row whose user surely writes in none of the languages asked for."""
    if settings.languages is None:
        return None
    asked = (message["content"] for message in json.loads(row["messages"]) if message["role"] == "user")
    if (found := language("\n".join(asked))) is None:
        return None
    code, confidence = found
    if code in settings.languages or confidence < settings.language_confidence:
        return None
    return "language", canonical_json({"language": code, "confidence": round(confidence, 2)})
