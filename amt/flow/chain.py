"""Every stage's kept rows are exactly the rows of the next.

A ledger's own counts are asserted by its stage. What no stage can see is whether the rows that it was given are those
that the stage before it kept: a shard that was left out, a file of another build. Here they are compared, by count and
by a digest of the ids that does not depend on their order; and no stage has a row twice, in two of its files.
"""

from dataclasses import dataclass

from amt.errors import DataError
from amt.flow.ledgers import Ledgers
from amt.flow.stages import FLOW, STAGE, FlowStage

EXAMPLES = 3


@dataclass(frozen=True)
class Break:
    """Rows that do not fit between a stage and the one whose rows it takes."""

    stage: str
    after: str | None
    lost: int
    """Kept by `after`, and not in the stage's ledger."""
    appeared: int
    """In the stage's ledger, and not kept by `after`."""
    twice: int
    """In more than one line of the stage."""
    examples: tuple[str, ...]

    def __str__(self) -> str:
        counts = {
            f"kept by {self.after} did not come in": self.lost,
            f"came in that {self.after} did not keep": self.appeared,
            "came in more than once": self.twice,
        }
        told = ", ".join(f"{count:,} row{'s' * (count > 1)} {what}" for what, count in counts.items() if count)
        return f"{self.stage}: {told}, e.g. {', '.join(self.examples)}"


def check_chain(ledgers: Ledgers) -> None:
    """
    Raises:
        DataError: a stage of FLOW has no ledger or a row twice, or rows were lost or appeared between two.
    """
    if missing := [stage.name for stage in FLOW if stage.name not in ledgers.stages]:
        raise DataError(f"no ledger among {len(ledgers.files)} files is of {', '.join(missing)}. Run: snakemake")
    if found := breaks(ledgers):
        listed = "\n  ".join(map(str, found))
        raise DataError(f"rows were lost, or appeared, between stages:\n  {listed}\nDelete data/ and run snakemake.")


def breaks(ledgers: Ledgers) -> list[Break]:
    """Where the chain is broken, in the order of FLOW, among the stages that have a ledger."""
    of_stage = {stage.name: _counted(ledgers, stage) for stage in FLOW if stage.name in ledgers.stages}
    found = []
    for stage in FLOW:
        if stage.name not in of_stage:
            continue
        here, before = of_stage[stage.name], of_stage.get(stage.after)
        if here.lines != here.different or (before and here.came_in != before.kept):
            found.append(_break(ledgers, stage))
    return [one for one in found if one.lost or one.appeared or one.twice]


@dataclass(frozen=True)
class _Counted:
    """Of one stage; (how many, sum of their hashes) of ids. Where two of them differ, so do the ids, or one id is there
    twice: that is looked up then."""

    lines: int
    different: int
    """Hashes among the lines."""
    came_in: tuple[int, int | None]
    kept: tuple[int, int | None]


def _counted(ledgers: Ledgers, stage: FlowStage) -> _Counted:
    files = ledgers.files_of(stage.name)
    ((lines, different, digest, kept, digest_of_kept),) = ledgers.ask(
        "SELECT count(*), count(DISTINCT hash(row_id)), sum(hash(row_id)), count(*) FILTER (outcome <> 'dropped'), "
        "sum(hash(row_id)) FILTER (outcome <> 'dropped') FROM ledger",
        files=files,
    )
    came_in = lines, digest
    if _expands(stage):
        (came_in,) = ledgers.ask(
            "SELECT count(*), sum(hash(query)) FROM (SELECT DISTINCT split_part(row_id, '/', 1) AS query FROM ledger)",
            files=files,
        )
    return _Counted(lines, different, came_in, (kept, digest_of_kept))


def _expands(stage: FlowStage) -> bool:
    """Its rows are responses to those that come in."""
    return stage.after is not None and STAGE[stage.after].unit != stage.unit


def _break(ledgers: Ledgers, stage: FlowStage) -> Break:
    lost, appeared = (0, []), (0, [])
    if stage.after in ledgers.stages:
        name = "split_part(row_id, '/', 1)" if _expands(stage) else "row_id"
        kept = "SELECT row_id FROM ledger WHERE stage = ? AND outcome <> 'dropped'"
        came_in = f"SELECT {name} FROM ledger WHERE stage = ?"
        count = "SELECT count(*), list(row_id ORDER BY row_id)[:?] FROM ({} EXCEPT {}) AS found(row_id)"
        (lost,) = ledgers.ask(count.format(kept, came_in), EXAMPLES, stage.after, stage.name)
        (appeared,) = ledgers.ask(count.format(came_in, kept), EXAMPLES, stage.name, stage.after)
    twice = _twice(ledgers, stage)
    examples = [name for _, names in (lost, appeared, twice) for name in names or []]
    return Break(stage.name, stage.after, lost[0], appeared[0], twice[0], tuple(examples[:EXAMPLES]))


def _twice(ledgers: Ledgers, stage: FlowStage) -> tuple[int, list[str]]:
    question = "SELECT row_id FROM ledger GROUP BY row_id HAVING count(*) > 1 ORDER BY row_id"
    names = [name for (name,) in ledgers.ask(question, files=ledgers.files_of(stage.name))]
    return len(names), names[:EXAMPLES]
