"""The languages that submissions may be in. One more is one more entry of LANGUAGES.

Python runs in the interpreter that amt/sandbox/zygote.py is. Any other language is compiled, once per submission, to
one executable without shared libraries, by a compiler of the GNU collection: an entry says how.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Compilation:
    source: str
    """File name of the program's text."""
    compiler: str
    """Looked for on PATH."""
    package: str
    """Of Debian, that holds the compiler."""
    flags: tuple[str, ...]
    """Of the precompiled header too."""
    link: tuple[str, ...]
    """Flags after the source."""
    back_end: str
    """The program that the compiler starts to translate one file; it says where the toolchain lies."""
    header: str | None = None
    """Precompiled once, e.g. "bits/stdc++.h": programs that include it first compile several times as fast."""


@dataclass(frozen=True)
class Language:
    labels: frozenset[str]
    """Of fenced blocks, in small letters."""
    compilation: Compilation | None = None
    """None: interpreted."""


_GNU = ("-O2", "-w", "-fmax-errors=1", "-fdiagnostics-color=never", "-DONLINE_JUDGE")
_STATIC = ("-static", "-s")


def _cpp(standard: str) -> Compilation:
    return Compilation(
        "solution.cpp", "g++", "g++", (standard, *_GNU), _STATIC, back_end="cc1plus", header="bits/stdc++.h"
    )


def _c(standard: str) -> Compilation:
    return Compilation("solution.c", "gcc", "gcc", (standard, *_GNU), (*_STATIC, "-lm"), back_end="cc1")


PYTHON = "python"
# A standard that a label names is a language of its own: programs of one need not compile under another.
LANGUAGES: dict[str, Language] = {
    PYTHON: Language(frozenset({"python", "python3", "py", "py3"})),
    "cpp": Language(frozenset({"cpp", "c++", "cxx", "cc", "cplusplus", "g++", "cpp20", "c++20"}), _cpp("-std=gnu++20")),
    "cpp17": Language(frozenset({"cpp17", "c++17"}), _cpp("-std=gnu++17")),
    "cpp14": Language(frozenset({"cpp14", "c++14"}), _cpp("-std=gnu++14")),
    "cpp11": Language(frozenset({"cpp11", "c++11"}), _cpp("-std=gnu++11")),
    "c": Language(frozenset({"c", "gcc", "c17"}), _c("-std=gnu17")),
    "c11": Language(frozenset({"c11"}), _c("-std=gnu11")),
    "c99": Language(frozenset({"c99"}), _c("-std=gnu99")),
}


def language_of(label: str) -> str | None:
    """The language that a fenced block is labelled with, e.g. "cpp17" for "C++17"; None for any other."""
    return next((name for name, language in LANGUAGES.items() if label.lower() in language.labels), None)
