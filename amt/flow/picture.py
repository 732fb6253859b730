"""Funnels: where rows went, by stage or by group of sources. Each function takes counts and draws one figure."""

from collections import Counter
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator, PercentFormatter

from amt.drawing import INK, QUIET
from amt.flow.funnel import Fates, StageCount, fates
from amt.flow.stages import STAGE

KEPT = "#2f6db3"
# Told apart in print as well: light and dark in turn.
REASONS = (
    "#c9485b", "#f2b8a0", "#e58a2b", "#f6d990", "#8a63b8", "#d3bfe6", "#23774d", "#a9d5b5", "#7a5c3e", "#d8c3a5",
    "#3f8f9b", "#b5dde3",
)  # fmt: skip
OTHER = "#c3cad1"
LONGEST = 64
"""Characters of the reasons beside a bar."""


def stage_funnel(stages: Sequence[StageCount]) -> Figure:
    """A bar for each stage: rows kept (blue), and left out by reason, with the reasons in words."""
    figure = Figure(figsize=(9.6, 0.5 * len(stages) + 0.8))
    axes = figure.add_subplot()
    widest = max(stage.rows_in for stage in stages)
    for row, stage in enumerate(stages):
        axes.barh(row, stage.kept, color=KEPT, height=0.62)
        left = stage.kept
        for number, (_, rows) in enumerate(stage.dropped.most_common()):
            axes.barh(row, rows, left=left, color=REASONS[number % len(REASONS)], height=0.62)
            left += rows
        gone = f"  (−{stage.dropped.total():,})" if stage.dropped else ""
        axes.text(stage.rows_in + widest * 0.01, row - 0.14, f"{stage.kept:,}{gone}", va="center")
        told = ", ".join(f"{reason.replace('_', ' ')} {rows:,}" for reason, rows in stage.dropped.most_common())
        told = told if len(told) <= LONGEST else told[: LONGEST - 1] + "…"
        axes.text(stage.rows_in + widest * 0.01, row + 0.24, told, va="center", fontsize=7, color=QUIET)
    labels = [stage.label + (" (responses)" if stage.unit == "responses" else "") for stage in stages]
    axes.set(yticks=range(len(stages)), yticklabels=labels, xlim=(0, widest * 1.5), ylim=(len(stages) - 0.4, -0.6))
    axes.grid(axis="y", visible=False)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    return figure


def group_funnel(groups: Mapping[str, Mapping[str, StageCount]]) -> Figure:
    """A bar of full width for each group of sources: what became of its rows until ways part, by stage and reason.

    The most frequent reasons have colours of their own.
    """
    of_group = {name: fates(stages) for name, stages in groups.items()}
    total: Counter[tuple[str, str]] = Counter()
    for one in of_group.values():
        total.update(one.dropped)
    colour_of = {fate: colour for (fate, _), colour in zip(total.most_common(), REASONS)}
    keys = len(colour_of) + 1 + (len(total) > len(REASONS))
    rows_of_key = -(-keys // 3)
    figure = Figure(figsize=(9.6, 0.25 * len(groups) + 0.9 + 0.22 * rows_of_key))
    axes = figure.add_subplot()
    for row, one in enumerate(of_group.values()):
        _bar(axes, row, one, list(colour_of), colour_of)
    axes.set(yticks=range(len(of_group)), yticklabels=list(of_group), xlim=(0, 1.22))
    axes.set_ylim(len(of_group) - 0.4, -0.6)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1])
    axes.xaxis.set_major_formatter(PercentFormatter(1))
    axes.grid(axis="y", visible=False)
    key = [Patch(color=KEPT, label=f"kept {sum(one.kept for one in of_group.values()):,}")]
    key += [Patch(color=colour, label=f"{_named(fate)} {total[fate]:,}") for fate, colour in colour_of.items()]
    if rest := total.total() - sum(total[fate] for fate in colour_of):
        key.append(Patch(color=OTHER, label=f"other reasons {rest:,}"))
    figure.legend(handles=key, loc="outside lower center", ncols=3, fontsize=8)
    return figure


def _bar(axes: Axes, row: int, one: Fates, order: Sequence[tuple[str, str]], colour_of: Mapping) -> None:
    whole = max(1, one.rows_in)
    axes.barh(row, one.kept / whole, color=KEPT, height=0.74)
    left = one.kept
    # In one order for all bars, so that equal reasons lie below each other.
    for fate in order:
        axes.barh(row, one.dropped.get(fate, 0) / whole, left=left / whole, color=colour_of[fate], height=0.74)
        left += one.dropped.get(fate, 0)
    axes.barh(row, (one.rows_in - left) / whole, left=left / whole, color=OTHER, height=0.74)
    axes.text(1.01, row, f"{one.kept:,} of {one.rows_in:,}", va="center", fontsize=8, color=INK)


def _named(fate: tuple[str, str]) -> str:
    stage, reason = fate
    return f"{STAGE[stage].label}: {reason.replace('_', ' ')}"
