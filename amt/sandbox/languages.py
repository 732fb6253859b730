"""The languages that submissions may be in. One more is one more line of LANGUAGES."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Language:
    labels: frozenset[str]
    """Of fenced blocks, in small letters."""


PYTHON = "python"
LANGUAGES: dict[str, Language] = {
    PYTHON: Language(frozenset({"python", "python3", "py", "py3"})),
}


def language_of(label: str) -> str | None:
    """The language that a fenced block is labelled with, e.g. "python" for "py3"; None for any other."""
    return next((name for name, language in LANGUAGES.items() if label.lower() in language.labels), None)
