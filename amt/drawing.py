"""How every figure of ours looks, and how it is written.

Equal numbers give equal bytes: no dates, fixed ids.
"""

from collections.abc import Callable
from pathlib import Path

import matplotlib

matplotlib.use("svg")

from matplotlib.figure import Figure

CATEGORY_COLOURS = {
    "math": "#2f6db3",
    "code": "#e58a2b",
    "science": "#8a63b8",
    "instruction_follow": "#c9485b",
    "general_chat": "#2f9466",
}
INK, QUIET, GRID = "#1f2933", "#66727f", "#e4e8ec"

STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "text.color": INK,
    "axes.edgecolor": "#c3cad1",
    "axes.labelcolor": QUIET,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "figure.constrained_layout.use": True,
}


FORMATS = {".svg": {"Date": None, "Creator": None}, ".png": {"Software": None}}
"""Endings of files that can be written, and what must not be written into them."""


def save(path: Path, draw: Callable[[], Figure]) -> None:
    """Draw in our style and write an SVG or PNG, by the ending of the path, one of FORMATS."""
    with matplotlib.rc_context({**STYLE, "svg.hashsalt": path.name}):
        draw().savefig(path, format=path.suffix[1:], dpi=150, metadata=FORMATS[path.suffix])
