"""Drawings within a problem: Asymptote code between [asy] and [/asy], as MATH and AIME have it.

A copy often comes without them, and their coordinates say nothing of what is asked.
"""

import regex

DRAWING = regex.compile(r"\[asy\].*?\[/asy\]", regex.DOTALL | regex.IGNORECASE)


def without_drawings(text: str) -> str:
    """The text with a blank for each drawing; a text that is nothing but drawings stays as it is."""
    said = DRAWING.sub(" ", text)
    return said if said.strip() else text
