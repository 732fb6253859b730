"""All edits."""

from benchmarks.rebuild.code import code_edits
from benchmarks.rebuild.edit import Edit
from benchmarks.rebuild.others import (
    data_edits,
    file_edits,
    harmless_edits,
    library_edits,
    place_edits,
    rule_edits,
    undone_edits,
)
from benchmarks.rebuild.settings import setting_edits, spelling_edits


def all_edits() -> list[Edit]:
    edits = [
        *setting_edits(),
        *spelling_edits(),
        *code_edits(),
        *harmless_edits(),
        *data_edits(),
        *library_edits(),
        *place_edits(),
        *file_edits(),
        *undone_edits(),
        *rule_edits(),
    ]
    assert len({edit.name for edit in edits}) == len(edits), "two edits have the same name"
    return edits
