"""The figures of the report. Each function takes plain numbers and draws one of them."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from amt.drawing import CATEGORY_COLOURS, INK, QUIET

MODEL_COLOURS = {"base": "#9aa5b1", "sft": "#2f6db3", "rl1": "#e58a2b", "rl2": "#2f9466"}
PAPER = "#c3cad1"


def pass_at_1(scores: Mapping[str, Mapping[str, Any]], benchmark: str) -> Figure:
    """Score of every model with its interval."""
    figure = Figure(figsize=(7.2, 0.55 * len(scores) + 0.8))
    axes = figure.add_subplot()
    names = list(scores)
    for row, name in enumerate(names):
        mean, interval = scores[name]["pass_at_1"], scores[name]["interval"]
        axes.barh(row, mean, color=MODEL_COLOURS.get(name, INK), height=0.62)
        if interval:
            axes.plot(interval, [row, row], color=INK, linewidth=1.3, marker="|", markersize=9)
        axes.text(max(mean, (interval or [0, mean])[1]) + 0.012, row, f"{100 * mean:.1f}", va="center", weight="bold")
    axes.set(yticks=range(len(names)), yticklabels=names, xlim=(0, 1), xlabel=f"pass@1 on {benchmark}")
    axes.invert_yaxis()
    axes.xaxis.set_major_formatter(PercentFormatter(1))
    axes.grid(axis="y", visible=False)
    return figure


def mixture(categories: Mapping[str, Mapping[str, float]]) -> Figure:
    """Shares of the SFT set by category beside the paper's: samples left, tokens right (the paper's Figure 4).

    Args:
        categories: {category: {"samples", "tokens", "published_samples", "published_tokens"}}: counts.
    """
    figure = Figure(figsize=(7.2, 3.2))
    grid = figure.subplots(1, 2, sharey=True)
    told = []
    for axes, (key, title) in zip(grid, (("samples", "Samples"), ("tokens", "Tokens"))):
        total, published = (sum(counts[name] for counts in categories.values()) for name in (key, f"published_{key}"))
        for row, (name, counts) in enumerate(categories.items()):
            ours, theirs = counts[key] / max(1, total), counts[f"published_{key}"] / published
            axes.barh(row - 0.19, ours, height=0.36, color=CATEGORY_COLOURS[name])
            axes.barh(row + 0.19, theirs, height=0.36, color=PAPER)
            for place, share, ink in ((row - 0.19, ours, INK), (row + 0.19, theirs, QUIET)):
                axes.text(share + 0.01, place, f"{100 * share:.1f} %", va="center", fontsize=8, color=ink)
        axes.set(title=f"{title}: {total:,}", xlim=(0, 1))
        told.append(f"{published / 1e6:,.2f} million {key}")
        axes.xaxis.set_major_formatter(PercentFormatter(1))
        axes.grid(axis="y", visible=False)
    grid[0].set(yticks=range(len(categories)), yticklabels=[name.replace("_", " ") for name in categories])
    grid[0].invert_yaxis()
    figure.supxlabel(f"coloured: this build; grey: the paper, {', '.join(told)}", fontsize=8.5, color=QUIET)
    return figure


def sft_training(steps: Sequence[Mapping[str, float]]) -> Figure:
    """Loss and learning rate by optimizer step."""
    figure = Figure(figsize=(7.2, 2.5))
    loss, rate = figure.subplots(1, 2)
    numbers = [entry["step"] for entry in steps]
    values = [entry["loss"] for entry in steps]
    loss.plot(numbers, values, color=MODEL_COLOURS["sft"], alpha=0.3, linewidth=1)
    loss.plot(numbers, smoothed(values, max(1, len(values) // 20)), color=MODEL_COLOURS["sft"])
    loss.set(title="Training loss", xlabel="step")
    rate.plot(numbers, [entry["lr"] for entry in steps], color=MODEL_COLOURS["sft"])
    rate.set(title="Learning rate", xlabel="step", ylim=(0, None))
    rate.ticklabel_format(axis="y", style="sci", scilimits=(-2, 2))
    return figure


def sft_curve(points: Sequence[Mapping[str, float]]) -> Figure:
    """Generation length and stop ratio over the checkpoints (the paper's Figure 8)."""
    figure = Figure(figsize=(7.2, 2.5))
    for axes, key, title in zip(
        figure.subplots(1, 2),
        ("mean_tokens", "stop_ratio"),
        ("Average generation length (tokens)", "Average stop ratio"),
    ):
        axes.plot(
            [point["step"] for point in points],
            [point[key] for point in points],
            color=MODEL_COLOURS["sft"],
            marker="o",
            markersize=4,
        )
        axes.set(title=title, xlabel="step (0: base model)", ylim=(0, None))
        if key == "stop_ratio":
            axes.set_ylim(0, 1.05)
            axes.yaxis.set_major_formatter(PercentFormatter(1))
    return figure


def grpo(stages: Mapping[str, Sequence[Mapping[str, float]]], panels: Sequence[tuple[str, str, bool]]) -> Figure:
    """Curves of both stages one after the other.

    Args:
        stages: {"rl1": [metrics of a step, ...], "rl2": [...]}.
        panels: (key of the metrics, title, whether it is a share).
    """
    rows = (len(panels) + 1) // 2
    figure = Figure(figsize=(7.2, 2.3 * rows))
    grid = figure.subplots(rows, 2, squeeze=False)
    for axes, (key, title, is_share) in zip(grid.flat, panels):
        offset = 0
        for name, entries in stages.items():
            numbers = [offset + index + 1 for index in range(len(entries))]
            values = [entry[key] for entry in entries]
            axes.plot(numbers, values, color=MODEL_COLOURS[name], alpha=0.3, linewidth=1)
            axes.plot(numbers, smoothed(values, 5), color=MODEL_COLOURS[name], label=f"stage {name[-1]}")
            offset += len(entries)
        axes.set(title=title, xlabel="step")
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        if is_share:
            axes.yaxis.set_major_formatter(PercentFormatter(1))
    grid.flat[0].legend(loc="best")
    for axes in list(grid.flat)[len(panels) :]:
        axes.set_axis_off()
    return figure


def smoothed(values: Sequence[float], window: int) -> list[float]:
    """Mean of each value with up to window − 1 before it."""
    return [
        sum(values[max(0, end - window) : end]) / len(values[max(0, end - window) : end])
        for end in range(1, len(values) + 1)
    ]


def win_rates(scores: Mapping[str, Mapping[str, Any]], benchmark: str) -> Figure:
    """Win rate of every model with its interval; the dashed line is a draw with the baseline."""
    figure = pass_at_1(scores, benchmark)
    axes: Axes = figure.axes[0]
    axes.set_xlabel(f"win rate on {benchmark}")
    axes.axvline(0.5, color=QUIET, linestyle="--", linewidth=1)
    return figure
