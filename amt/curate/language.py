"""The language of a query, read off its words alone.

Formulas, code and drawings are left out first: they are of no language, and detectors take them for one. What remains
of "Compute $2^3$" is one word, for which the detector's confidence is low; who decides must ask for it.
"""

from functools import lru_cache

import regex

from amt.errors import ParamsError

LONGEST_TEXT = 20_000
"""Characters that are looked at."""
LONGEST_PROSE = 1_000
"""Characters of words that are judged: more change no verdict."""
NO_VERDICT = {"pcm", "zxx"}
"""Nigerian Pidgin, which terse English is taken for, and "no language"."""
_NO_PROSE = regex.compile(
    r"""
      ```.*?(?:```|\Z) | `[^`\n]+` | \[asy\].*?(?:\[/asy\]|\Z)
    | \$\$.*?\$\$ | \\\[.*?\\\] | \\\(.*?\\\)
    | \$(?:(?!\b\p{L}{3,}\s+\p{L}{2,}\s)[^$])*\$    # with words between them, they are dollars
    | \\begin\{(\w+\*?)\}.*?\\end\{\1\}
    | \\[a-zA-Z]+ | <[^<>\n]{1,200}> | (?:https?://|www\.)\S+
    """,
    regex.VERBOSE | regex.DOTALL | regex.IGNORECASE,
)
# Latin letters beside digits, operators or brackets are variables and names of programs. Other scripts may do without
# spaces.
_WORDS = regex.compile(
    r"(?<![^\s\p{P}]|[_\[{])[\p{Latin}\p{M}]+(?:['’‑-][\p{Latin}\p{M}]+)*(?![^\s\p{P}]|[_\[{(])"
    r"|[[\p{L}\p{M}]--[\p{Latin}]]+",
    regex.V1,
)


def prose(text: str) -> str:
    """The words of a text, without formulas, code, drawings, markup and addresses."""
    return " ".join(_WORDS.findall(_NO_PROSE.sub(" ", text[:LONGEST_TEXT])))[:LONGEST_PROSE]


def language(text: str) -> tuple[str, float] | None:
    """(ISO 639 code, confidence from 0 to 1) of the most likely language; None where there are no words,
    or none that tell."""
    words = prose(text)
    if not words:
        return None
    code, confidence = _identifier().classify(words)
    return None if code in NO_VERDICT else (code, float(confidence))


def check_known(codes: list[str], key: str) -> None:
    """Raises: ParamsError: a code under `key` is of no language that can be told."""
    known = sorted(set(_identifier().labels) - NO_VERDICT)
    if unknown := [code for code in codes if code not in known]:
        raise ParamsError(f"{key}: {', '.join(unknown)} cannot be told. What can be told: {', '.join(known)}.")


@lru_cache
def _identifier():
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
