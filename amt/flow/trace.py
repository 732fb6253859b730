"""A row's life from the published file to the checkpoint, in words."""

import json
from collections import defaultdict
from difflib import get_close_matches
from typing import Any

from amt.errors import DataError
from amt.flow.ledgers import Ledgers
from amt.flow.stages import FLOW, STAGE, position

LONGEST = 240
"""Characters of one value that are shown."""
Line = dict[str, Any]


def trace(ledgers: Ledgers, name: str) -> list[str]:
    """Lines to print.

    Args:
        name: a row_id, or the response_id of a response to it.

    Raises:
        DataError: no ledger knows it; names near it are told.
    """
    row_id, _, sample = name.partition("/")
    # "/" is followed by "0": this is the row itself and all that begins with its name and a slash.
    found = [
        line
        for line in ledgers.between(row_id, row_id + "0")
        if line["row_id"] == row_id or line["row_id"].startswith(row_id + "/")
    ]
    own, of_response = [], defaultdict(list)
    for line in sorted(found, key=lambda line: (position(line["stage"]), line["stage"])):
        number = line["row_id"].partition("/")[2]
        of_response[number].append(line) if number else own.append(line)
    if not found:
        raise DataError(_unknown(ledgers, row_id))
    if sample:
        if sample not in of_response:
            known = ", ".join(sorted(of_response, key=_as_number)) or "none"
            raise DataError(f"{row_id} has no response {sample} (it has: {known}).")
        of_response = {sample: of_response[sample]}
    return _life(ledgers, row_id, own, of_response)


def _life(ledgers: Ledgers, row_id: str, own: list[Line], of_response: dict[str, list[Line]]) -> list[str]:
    branch = position(next(stage.name for stage in FLOW if stage.unit == "responses"))
    told = [row_id]
    told += [_told(line) for line in own if position(line["stage"]) < branch]
    for number in sorted(of_response, key=_as_number):
        told += [f"  response {number}", *(f"  {_told(line)}" for line in of_response[number])]
    told += [_told(line) for line in own if position(line["stage"]) >= branch]
    kept = {line["stage"] for some in (own, *of_response.values()) for line in some if line["outcome"] != "dropped"}
    told += [
        f"  {stage.label:<18}has no ledger yet"
        for stage in FLOW
        if stage.after in kept and stage.name not in ledgers.stages
    ]
    return [*told, f"In short: {_in_short(own, of_response)}."]


def _told(line: Line) -> str:
    label = STAGE[line["stage"]].label if line["stage"] in STAGE else line["stage"]
    return f"  {label:<18}{_outcome(line)}"


def _outcome(line: Line) -> str:
    detail = _parsed(line["detail"])
    reason = (line["reason"] or "").replace("_", " ")
    match line["outcome"]:
        case "packed" | "repeated" if isinstance(detail, dict) and "packs" in detail:
            places = [f"{pack} (place {place})" for pack, place in detail["packs"]]
            if line["outcome"] == "packed":
                return f"packed into sequence {places[0]}"
            return f"taken {len(places)} times, packed into sequences {', '.join(places)}"
        case "used" if isinstance(detail, dict) and "steps" in detail:
            apart = detail.get("without_signal")
            return f"used in {_visits(detail)}" + (f"; drawn without signal in {_visits(apart)}" if apart else "")
        case "dropped" if isinstance(detail, dict) and "without_signal" in detail:
            return f"left out: {reason} in {_visits(detail['without_signal'])}"
        case "kept" | "dropped" if isinstance(detail, dict) and detail.keys() >= {"raw_row", "licence"}:
            what = f"left out: {reason}" if line["outcome"] == "dropped" else "came in"
            where = f"row {detail['raw_row']} (from 0) of data/raw/{line['source']}/"
            return f"{what}; {where}, licence {detail['licence']}"
        case "dropped":
            return f"left out: {reason}{_more(detail)}"
        case "changed":
            return f"changed: {reason}{_more(detail)}"
        case outcome:
            return f"{outcome}{_more(detail)}"


def _visits(detail: dict[str, list]) -> str:
    """Steps of training, with the mean reward there where it is known."""
    rewards = detail.get("mean_reward") or [None] * len(detail["steps"])
    visits = [
        str(step) if reward is None else f"{step} (mean reward {reward:g})"
        for step, reward in zip(detail["steps"], rewards, strict=True)
    ]
    return f"step{'s' * (len(visits) > 1)} {', '.join(visits)}"


def _parsed(detail: str | None) -> Any:
    """A detail is text, or a JSON object."""
    if detail and detail.startswith("{"):
        try:
            return json.loads(detail)
        except ValueError:
            return detail
    return detail


def _more(detail: Any) -> str:
    if detail is None:
        return ""
    if isinstance(detail, dict):
        detail = "; ".join(
            f"{key.replace('_', ' ')} {_value(value)}" for key, value in detail.items() if value is not None
        )
    return f" ({_clipped(str(detail))})"


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list) and len(value) == 2:  # of what was changed: the old, the new
        return f"{_clipped(str(value[0]))!r} → {_clipped(str(value[1]))!r}"
    return _clipped(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _clipped(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _in_short(own: list[Line], of_response: dict[str, list[Line]]) -> str:
    """Where the row ended, or what was trained on it."""
    for line in own:
        if line["outcome"] == "dropped" and position(line["stage"]) <= position("verify_math"):
            label = STAGE[line["stage"]].label if line["stage"] in STAGE else line["stage"]
            return f"left out by {label}, {line['reason'].replace('_', ' ')}"
    ends = []
    trained = [
        line["row_id"]
        for some in of_response.values()
        for line in some
        if (line["stage"], line["outcome"]) == ("sft", "used")
    ]
    if trained:
        ends.append(f"{len(trained)} of {len(of_response)} responses trained on in SFT")
    for line in own:
        if line["outcome"] == "used":
            steps = len(_parsed(line["detail"])["steps"])
            ends.append(f"used in {steps} step{'s' * (steps > 1)} of {STAGE[line['stage']].label}")
    return ", ".join(ends) or "no model was trained on it"


def _as_number(text: str) -> tuple[int, str]:
    return (int(text), "") if text.isdigit() else (10**9, text)


# --- names that nobody knows -------------------------------------------------------------------------------


def _unknown(ledgers: Ledgers, row_id: str) -> str:
    """What to say of a row_id that no ledger has, with those that are near."""
    source, colon, _ = row_id.partition(":")
    sources = {end.partition(":")[0] for part in ledgers.parts for end in (part.first, part.last)}
    known = [source] if source in sources else get_close_matches(source, sorted(sources), 1, 0.6)
    if not known:
        return f"no ledger knows {row_id}. A row is named SOURCE:DIGEST; the sources are: {', '.join(sorted(sources))}."
    tried = f"{known[0]}{colon}{row_id.partition(':')[2]}"
    files = dict.fromkeys(
        part.file for part in ledgers.parts if part.first < f"{known[0]};" and f"{known[0]}:" <= part.last
    )
    near = ledgers.ask(
        "SELECT row_id FROM ledger WHERE row_id >= ? AND row_id < ? AND stage = ? "
        "GROUP BY row_id ORDER BY levenshtein(row_id, ?), row_id LIMIT 3",
        *(f"{known[0]}:", f"{known[0]};", FLOW[0].name, tried),
        files=list(files),
    )
    return f"no ledger knows {row_id}. Near it: {', '.join(name for (name,) in near) or known[0] + ':…'}."
