"""A rule's shell command as both tools run it: in one spelling, and without where its messages go."""

import re
import shlex

PREFIX = "set -euo pipefail; "
"""So Snakemake runs a command, and so DVC is made to (amt.build.dvc_hooks): else `a; b` would fail under one only."""
NESTED = re.compile(r"<<|`|\$\(|\$'")
"""Quotes within quotes, or text that is no command: then the layout stays as it is."""
PIECE = re.compile(
    r"""(?P<kept>\\[^\n]|'[^']*'|"(?:\\.|[^"\\])*")|(?P<joined>\\\n)|(?P<gap>\s+)|(?P<comment>\#[^\n]*)""", re.DOTALL
)


def normal(command: str, logs: list[str]) -> str:
    """The command without its layout, its comments and its redirections into logs, which go to the terminal under DVC.
    Blanks within quotes stay, and lines stay lines.

    Args:
        logs: paths of the rule's logs.
    """
    text = command.strip() if NESTED.search(command) else _without_layout(command)
    for log in logs:
        path = re.escape(shlex.quote(log))
        into = rf"(?:\d|&)?>>?\s*{path}(?:\s+2>&1)?|(?:2>&1\s*)?\|&?\s*tee\s+(?:-a\s+|--append\s+)?{path}"
        text = re.sub(rf"\s*(?:{into})(?=\s|$|[;&|)])", "", text)
    return text


def _without_layout(command: str) -> str:
    found, gap, position = [], "", 0
    while position < len(command):
        piece = PIECE.match(command, position)
        kind = piece.lastgroup if piece else "kept"
        text = piece[0] if piece else command[position]
        if kind == "comment" and found and not gap:  # within a word
            kind, text = "kept", "#"
        if kind == "gap":
            gap = "\n" if "\n" in gap + text else " "
        elif kind == "kept":
            found += [gap, text] if found else [text]
            gap = ""
        position += len(text)
    return "".join(found)
