"""Every stage's kept rows are exactly the rows of the next.

A ledger's own counts are asserted by its stage. What no stage can see is whether the rows that it was given are those
that the stage before it kept: a shard that was left out, a file of another build. Here they are compared, by count and
by a digest of the ids that does not depend on their order.
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
    after: str
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
        DataError: a stage of FLOW has no ledger, or rows were lost or appeared between two of them.
    """
    if missing := [stage.name for stage in FLOW if stage.name not in ledgers.stages]:
        raise DataError(f"no ledger among {len(ledgers.files)} files is of {', '.join(missing)}. Run: snakemake")
    if found := breaks(ledgers):
        listed = "\n  ".join(map(str, found))
        raise DataError(f"rows were lost, or appeared, between stages:\n  {listed}\nDelete data/ and run snakemake.")


def breaks(ledgers: Ledgers) -> list[Break]:
    """Where the chain is broken, in the order of FLOW, among the stages that have a ledger."""
    digest_of = {
        stage: {"in": (rows, of_rows), "kept": (kept, of_kept)}
        for stage, rows, of_rows, kept, of_kept in ledgers.ask(
            "SELECT stage, count(*), sum(hash(row_id)), count(*) FILTER (outcome <> 'dropped'), "
            "sum(hash(row_id)) FILTER (outcome <> 'dropped') FROM ledger GROUP BY stage"
        )
    }
    found = []
    for stage in FLOW:
        if stage.after is None or not {stage.name, stage.after} <= digest_of.keys():
            continue
        if _expands(stage):
            came_in = ledgers.ask(
                "SELECT count(*), sum(hash(query)) FROM "
                "(SELECT DISTINCT split_part(row_id, '/', 1) AS query FROM ledger WHERE stage = ?)",
                stage.name,
            )[0]
        else:
            came_in = digest_of[stage.name]["in"]
        if came_in != digest_of[stage.after]["kept"] or (_expands(stage) and _twice(ledgers, stage)[0]):
            found.append(_break(ledgers, stage))
    return found


def _expands(stage: FlowStage) -> bool:
    """Its rows are responses to those that come in."""
    return stage.after is not None and STAGE[stage.after].unit != stage.unit


def _break(ledgers: Ledgers, stage: FlowStage) -> Break:
    name = "split_part(row_id, '/', 1)" if _expands(stage) else "row_id"
    kept = "SELECT row_id FROM ledger WHERE stage = ? AND outcome <> 'dropped'"
    came_in = f"SELECT {name} FROM ledger WHERE stage = ?"
    count = "SELECT count(*), list(row_id ORDER BY row_id)[:?] FROM ({} EXCEPT {}) AS found(row_id)"
    ((lost, lost_ids),) = ledgers.ask(count.format(kept, came_in), EXAMPLES, stage.after, stage.name)
    ((appeared, new_ids),) = ledgers.ask(count.format(came_in, kept), EXAMPLES, stage.name, stage.after)
    twice, twice_ids = _twice(ledgers, stage)
    examples = [*(lost_ids or []), *(new_ids or []), *twice_ids]
    return Break(stage.name, stage.after, lost, appeared, twice, tuple(examples[:EXAMPLES]))


def _twice(ledgers: Ledgers, stage: FlowStage) -> tuple[int, list[str]]:
    question = "SELECT row_id FROM ledger WHERE stage = ? GROUP BY row_id HAVING count(*) > 1 ORDER BY row_id"
    names = [name for (name,) in ledgers.ask(question, stage.name)]
    return len(names), names[:EXAMPLES]
