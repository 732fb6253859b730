"""Accuracies of IFEval [49]: strict and loose, by answer and by instruction.

Invariant: they are taken from the answers that were scored, as the reward takes them; by answer and strict is what the
reward is.
"""

from typing import Any

from amt.rewards.answer import answer_part
from amt.rewards.instructions import loose, read_instructions, strict


def accuracies(rows: list[dict[str, Any]], graded: list[dict[str, Any]]) -> dict[str, float]:
    """Shares in [0, 1]: prompt_strict, instruction_strict, prompt_loose, instruction_loose.

    Args:
        rows: the questions (amt.rows.QUERY).
        graded: their scored answers (GENERATION), one at least.

    Raises:
        InfrastructureError: an instruction could not be checked.
    """
    wanted = {row["row_id"]: read_instructions(row["instructions"]) for row in rows}
    shares = {}
    for mode, follows in (("strict", strict), ("loose", loose)):
        verdicts = []
        for answered in graded:
            answer = answer_part(answered["response"]) or ""
            verdicts.append([follows(instruction, answer) for instruction in wanted[answered["row_id"]]])
        shares[f"prompt_{mode}"] = sum(map(all, verdicts)) / len(verdicts)
        shares[f"instruction_{mode}"] = sum(map(sum, verdicts)) / sum(map(len, verdicts))
    return shares
