"""Draw the rules as a picture: a column for each file of rules, below each rule what it leads to.

An arrow is left out where a chain of others says the same.
"""

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from amt.build.stages import planned

if TYPE_CHECKING:
    from snakemake.workflow import Workflow

COLUMN, ROW = 150, 46
BOX_WIDTH, BOX_HEIGHT = 118, 26
TOP = 44
COLOURS = ["#dbe9f6", "#dcefdc", "#f3e6d3", "#efe0f0", "#fbe3e0", "#e3e3f5", "#eeeeee"]


def draw(path: Path) -> None:
    with planned() as workflow:
        files, parents = rule_graph(workflow)
    path.write_text(svg(files, parents))


def rule_graph(workflow: "Workflow") -> tuple[dict[str, str], dict[str, set[str]]]:
    """{rule: its file} in reading order, and {rule: rules whose outputs it reads}."""
    files = {rule.name: Path(str(rule.snakefile)).stem for rule in workflow.rules if rule.name != "all"}
    parents: dict[str, set[str]] = {rule: set() for rule in files}
    for job in workflow.dag.jobs:
        if job.rule.name in parents:
            parents[job.rule.name] |= {parent.rule.name for parent in workflow.dag.dependencies[job]}
    return files, parents


def svg(files: dict[str, str], parents: dict[str, set[str]]) -> str:
    columns = list(dict.fromkeys(files.values()))
    depth = {rule: _depth(rule, parents) for rule in files}
    for rule, above in parents.items():
        if not above:  # stands just above the first rule that reads it, not at the far top
            depth[rule] = min(depth[child] for child in files if rule in parents[child]) - 1
    depth = {rule: _depth(rule, parents, depth) for rule in files}
    centre: dict[str, tuple[float, float]] = {}
    for rule, file in files.items():
        centre[rule] = ((columns.index(file) + 0.5) * COLUMN, TOP + 30 + depth[rule] * ROW)
    width = len(columns) * COLUMN
    height = int(max(y for _, y in centre.values()) + BOX_HEIGHT + 10)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="13">',
        '<marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0,0L8,4L0,8z" fill="#667"/></marker>',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    ]
    for position, file in enumerate(columns):
        x = position * COLUMN
        parts.append(
            f'<rect x="{x + 4}" y="4" width="{COLUMN - 8}" height="{height - 8}" rx="8" fill="{_pale(position)}"/>'
        )
        parts.append(f'<text x="{x + COLUMN / 2}" y="26" text-anchor="middle" font-weight="bold">{escape(file)}</text>')
    for rule, above in _without_detours(parents).items():
        parts += [_arrow(centre[parent], centre[rule]) for parent in sorted(above)]
    for rule, (x, y) in centre.items():
        colour = COLOURS[columns.index(files[rule]) % len(COLOURS)]
        parts.append(
            f'<rect x="{x - BOX_WIDTH / 2}" y="{y - BOX_HEIGHT / 2}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="5" '
            f'fill="{colour}" stroke="#889"/>'
        )
        parts.append(f'<text x="{x}" y="{y + 4.5}" text-anchor="middle">{escape(rule)}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _depth(rule: str, parents: dict[str, set[str]], roots: dict[str, int] | None = None) -> int:
    """Row of a rule: below all that it reads; rules that read nothing stand in their row of `roots`, else on top."""
    if not parents[rule]:
        return roots[rule] if roots else 0
    return max(_depth(parent, parents, roots) + 1 for parent in parents[rule])


def _ancestors(rule: str, parents: dict[str, set[str]]) -> set[str]:
    return parents[rule].union(*(_ancestors(parent, parents) for parent in parents[rule]))


def _without_detours(parents: dict[str, set[str]]) -> dict[str, set[str]]:
    return {
        rule: above - set().union(*(_ancestors(parent, parents) for parent in above)) for rule, above in parents.items()
    }


def _pale(position: int) -> str:
    return "#f7f8fb" if position % 2 else "#fbfbf7"


def _arrow(start: tuple[float, float], end: tuple[float, float]) -> str:
    (x1, y1), (x2, y2) = start, end
    y1, y2 = y1 + BOX_HEIGHT / 2, y2 - BOX_HEIGHT / 2 - 1
    middle = (y1 + y2) / 2
    return (
        f'<path d="M{x1},{y1}C{x1},{middle} {x2},{middle} {x2},{y2}" fill="none" stroke="#667" marker-end="url(#tip)"/>'
    )
