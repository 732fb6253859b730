"""JSON in what a model says, as models write it."""

import contextlib
import json
import re
from typing import Any


def first_json(text: str) -> Any:
    """The JSON object in an answer, which may stand in a fence or after reasoning."""
    text = text.rpartition("</think>")[2]
    start = text.find("{")
    if start < 0:
        raise ValueError("the answer holds no JSON object")
    text, decoder = text[start:], json.JSONDecoder()
    with contextlib.suppress(json.JSONDecodeError, RecursionError):
        text = text[: decoder.raw_decode(text)[1]]  # what follows says nothing of how this is escaped
    try:
        found = decoder.raw_decode(_with_doubled_backslashes(text))[0]
        # Half of a character, which no file can hold, becomes a question mark.
        return json.loads(json.dumps(found, ensure_ascii=False).encode("utf-8", "replace"))
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"the answer is malformed JSON ({error})") from None


_ESCAPE = re.compile(r"\\(\\|u[0-9a-fA-F]{4}|[A-Za-z]+|.)", re.DOTALL)
# Commands that begin like the JSON escapes of a line break and a tab, before which words often stand.
_COMMANDS_IN_N_AND_T = frozenset(
    "nabla natural ncong nearrow neq newline newcommand nexists ngeq ngtr nleq nless nmid nolimits nonumber "
    "normalsize not notag notin nparallel nprec nrightarrow nsim nsubseteq nsucc nsupseteq nwarrow "
    "tag tanh tau tbinom text textbf textit textrm textsf textstyle texttt tfrac therefore theta thickapprox thicksim "
    "tilde times tiny top triangle triangledown triangleleft triangleq triangleright".split()
)
# The same, where what follows the first letter may be a word or a variable: "u = 2" on a line of its own.
_UNCERTAIN = frozenset("ne neg ni nu tan to".split())


def _with_doubled_backslashes(text: str) -> str:
    """JSON whose LaTeX has single backslashes, as models write it, with the backslashes that JSON needs.

    JSON would read \\frac as a form feed and "rac". Where no backslash must be LaTeX's the text stays as it is; where
    one must, the writer did not escape, and uncertain ones are LaTeX's too, as are the two that break a line.
    """
    if not any(_is_latex(found[1]) for found in _ESCAPE.finditer(text)):
        return text

    def doubled(found: re.Match) -> str:
        line_break = found[1] == "\\" and not text[found.end() : found.end() + 1].isalpha()
        if line_break:
            return found[0] * 2
        return f"\\{found[0]}" if _is_latex(found[1]) or found[1] in _UNCERTAIN else found[0]

    return _ESCAPE.sub(doubled, text)


def _is_latex(escaped: str) -> bool:
    """Whether what stands behind a backslash is no escape of JSON that anybody writes."""
    if len(escaped) == 1:
        return escaped not in '\\"/bfnrt'
    if re.fullmatch("u[0-9a-fA-F]{4}", escaped):
        return False
    # Backspace, form feed or a lone carriage return before a letter is not written.
    return escaped[0] not in "nt" or escaped in _COMMANDS_IN_N_AND_T
