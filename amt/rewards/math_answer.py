r"""Math answers against a ground truth [3.1.1].

The last boxed value of the answer part is compared: as text, as a whole number, as the letter of a
multiple-choice question, and only where that does not decide by math_verify, in processes of their own
(amt.rewards.math_worker) that are killed when a comparison takes too long. Invariant: an answer that hangs
math_verify costs its own time limit and nobody else's verdict.

"\boxed" below stands for \boxed, \fbox and the \box of the paper's AIME prompt.
"""

import contextlib
import json
import logging
import os
import re
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

from amt.errors import InfrastructureError
from amt.rewards.answer import NO_ANSWER, answer_part
from amt.rewards.math_form import claims, normal, notation_verdict, objection, without_currency
from amt.rewards.math_letters import letters_verdict
from amt.rewards.math_units import last_factor_kept
from amt.rewards.math_value import same_value
from amt.rewards.verdict import PASSED, Verdict, failed

log = logging.getLogger(__name__)

_BOX = re.compile(r"\\(?:boxed|fbox|box)(?![A-Za-z])\s*")
_SPACE = re.compile(r"\s*")
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
_BARE = re.compile(r"[^\s{}$]+")  # the 5 of "\boxed 5"
_NUMBER = re.compile(r"([+-]?)(?:(\d{1,3}(?:,\d{3})+|\d*\.?\d+)|(\d+)/(\d+)|(\d*)\\frac\{(\d+)\}\{(\d+)\})", re.ASCII)
_LONGEST_NUMBER = 200
_CHOICE = re.compile(r"\(?([A-Z])(?:\)|[.:]|$)")  # B, (B), B. 42, B) 42
_OTHER_CHOICE = re.compile(r"\(([A-Z])\)|(?<![A-Za-z])([A-Z])[.:)](?=\s*\S)|\b[Oo]r\s+(?:\w+\s+)?\(?([A-Z])\)?\W*$")
_ONLY_CHOICE = re.compile(r"\(?[A-Z]\)?[.:]?")
_SPACING = re.compile(r"(?:\\[,;:!]|\\ |\\(?:left|right|displaystyle|textstyle)(?![A-Za-z])|\s|~|\$)+")
_GAP = r"(?:\\[,;: ]|[\s~])"
_BEGINS = r"(?<![0-9.,/^_])(?<![0-9][\s~])(?<![0-9]\\[,;: ])"
_THOUSANDS = re.compile(rf"{_BEGINS}[0-9]{{1,3}}(?:{_GAP}[0-9]{{3}})+(?![0-9]|/|{_GAP}[0-9])")
_MIXED = re.compile(rf"{_BEGINS}([0-9]+){_GAP}+([0-9]+)/([0-9]+)(?![0-9/])")
_IDLE_SPACE = re.compile(r"(?<!\d) | (?!\d)", re.ASCII)
_WRAPPED = re.compile(r"\\(?:text|textbf|mathrm|mathbf)\s*\{([^{}]*)\}")
_NEAR = Fraction(1, 10**5)
"""math_verify rounds to 6 decimals."""
_LONGEST = 2000
"""Characters of an answer beyond which math_verify is not asked: no ground truth is near that long."""
_READ_TOGETHER = 256
"""Pairs that are read before math_verify is given those of them that only it can decide."""


def last_boxed(text: str) -> str | None:
    r"""Content of the last complete \boxed{…} of a text, or None.

    Braces nest, `\{` and `\}` do not count as braces, and `\boxed 5` holds the next word. A box that holds
    nothing but a box is unwrapped.
    """
    closing = _closing_braces(text)
    start = end = None  # of the content
    position = 0
    while box := _BOX.search(text, position):
        position = box.end()
        if position in closing:
            start, end = position + 1, closing[position]
            position = end + 1
        elif not text.startswith("{", position) and (bare := _BARE.match(text, position)):
            start, end = position, position + len(bare.group().rstrip(".,;"))
            position = bare.end()
    if start is None:
        return None
    while (inner := _BOX.match(text, _skip_space(text, start), end)) and inner.end() in closing:
        if text[closing[inner.end()] + 1 : end].strip():
            break
        start, end = inner.end() + 1, closing[inner.end()]
    return text[start:end].strip()


def _skip_space(text: str, position: int) -> int:
    return _SPACE.match(text, position).end()


def _closing_braces(text: str) -> dict[int, int]:
    """{place of each brace that is closed: place where it is}."""
    opened, closing = [], {}
    for brace in _BRACE.finditer(text):
        if brace.group() == "{":
            opened.append(brace.start())
        elif brace.group() == "}" and opened:
            closing[opened.pop()] = brace.start()
    return closing


def quick_verdict(gold: str, answer: str) -> bool | None:
    """Whether two values are equal as text or as numbers; None where only math_verify can tell."""
    if (verdict := letters_verdict(gold, answer)) is not None:
        return verdict
    gold, answer = _plain(gold), _plain(answer)
    if gold == answer:
        return bool(gold)
    if not answer or not gold:
        return False
    if (verdict := notation_verdict(gold, answer)) is not None:
        return verdict
    gold_number, answer_number = _number(gold), _number(answer)
    if gold_number is None or answer_number is None:
        return None
    if gold_number == answer_number:
        return True
    if sorted(gold.split(",")) == sorted(answer.split(",")):
        return None  # 100,200 may be a pair, which equals 200,100
    return None if "." in gold + answer and abs(gold_number - answer_number) < _NEAR else False


def _plain(value: str) -> str:
    """The value without what only sets it: of the spaces only those between two digits stay, which part numbers."""
    value = _SPACING.sub(" ", _join_digits(value)).replace("\\dfrac", "\\frac").replace("\\tfrac", "\\frac")
    return _IDLE_SPACE.sub("", value).removesuffix(".")


def _join_digits(value: str) -> str:
    r"""1\,234 as 1234 and 3 1/2 as 3\frac{1}{2}: math_verify reads the one as 235 and the other as 2."""

    def mixed(match: re.Match) -> str:
        whole, numerator, denominator = match.groups()
        return f"{whole}\\frac{{{numerator}}}{{{denominator}}}" if int(numerator) < int(denominator) else match.group()

    value = _THOUSANDS.sub(lambda match: re.sub(r"[^0-9]", "", match.group()), value)
    return _MIXED.sub(mixed, value) if len(value) <= _LONGEST_NUMBER else value


def _number(value: str) -> Fraction | None:
    """The exact value of a plain whole number, decimal, fraction or mixed number."""
    match = _NUMBER.fullmatch(value) if len(value) <= _LONGEST_NUMBER else None
    if match is None:
        return None
    sign, number, above, below, whole, frac_above, frac_below = match.groups()
    if number is not None:
        size = Fraction(number.replace(",", ""))
    else:
        numerator, denominator = int(above or frac_above), int(below or frac_below)
        if not denominator or (whole and numerator >= denominator):  # 3\frac{4}{2} is no mixed number
            return None
        size = int(whole or 0) + Fraction(numerator, denominator)
    return -size if sign == "-" else size


def choice_letter(text: str) -> str | None:
    r"""The letter that an answer to a multiple-choice question names: B, (B), \text{B}, "B. 42".

    None where it names another one, too: "(A) (B)", "A. B.", "A. Or B".
    """
    text = _WRAPPED.sub(r"\1", text).replace("$", "").strip()
    match = _CHOICE.match(text)
    if match is None or any({*others} - {"", match.group(1)} for others in _OTHER_CHOICE.findall(text)):
        return None
    return match.group(1)


def _is_letter(value: str) -> bool:
    r"""Whether a value is the letter of an option and no more: B, (B), \text{B}, "B."."""
    return bool(_ONLY_CHOICE.fullmatch(_WRAPPED.sub(r"\1", value).replace("$", "").strip()))


def clean_ground_truth(ground_truth: str | None) -> str | None:
    r"""The value of a ground truth: out of its \boxed{…} and dollar signs; None if there is none."""
    text = (ground_truth or "").strip()
    boxed = last_boxed(text)
    return (text if boxed is None else boxed).strip().strip("$").strip() or None


class MathGrader:
    """Compares math answers; holds the worker processes. Use as a context manager, from one thread at a time.

    Args:
        workers: processes that run math_verify.
        cpu_seconds: CPU time of one comparison; beyond it the answer counts as different.
        wall_seconds: wall time after which a comparison is given up and tried once more: far above cpu_seconds,
            because a machine may be loaded.
    """

    def __init__(self, workers: int = 2, cpu_seconds: float = 1.0, wall_seconds: float = 120.0):
        self._pool = _Pool(workers, cpu_seconds, wall_seconds)
        self.asked = 0
        """Comparisons that math_verify had to make so far."""

    def __enter__(self) -> "MathGrader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._pool.close()

    def grade(self, pairs: list[tuple[str | None, str]]) -> list[Verdict]:
        """Verdict for each (ground truth, response)."""
        verdicts: list[Verdict | None] = [None] * len(pairs)
        open_pairs: dict[tuple[str, str], list[int]] = {}
        for number, (ground_truth, response) in enumerate(pairs):
            gold = clean_ground_truth(ground_truth)
            if gold is None:
                verdicts[number] = Verdict("invalid", reason="the query has no ground truth")
                continue
            answer = answer_part(response)
            if answer is None:
                verdicts[number] = failed(NO_ANSWER)
                continue
            value = last_boxed(answer)
            if _is_letter(gold):
                letter = choice_letter(answer if value is None else value)
                verdicts[number] = PASSED if letter == choice_letter(gold) else failed("another letter")
            elif value is None:
                verdicts[number] = failed("no \\boxed{} in the answer")
            else:
                open_pairs.setdefault((gold, value), []).append(number)
        for pair, verdict in zip(open_pairs, self.compare(list(open_pairs))):
            for number in open_pairs[pair]:
                verdicts[number] = verdict
        return verdicts

    def compare(self, pairs: list[tuple[str, str]]) -> list[Verdict]:
        """Verdict for each (gold value, value). Not symmetric: gold 1<x<2 accepts (1,2), gold (1,2) not 1<x<2."""
        verdicts: list[Verdict | None] = [None] * len(pairs)
        asked: dict[tuple[str, str], list[int]] = {}
        decided: dict[tuple[str, str], Verdict] = {}
        with self._pool.comparing() as open_pairs:  # which math_verify compares while those that follow are read here
            for first in range(0, len(pairs), _READ_TOGETHER):
                left = []
                for number, (gold, value) in enumerate(pairs[first : first + _READ_TOGETHER], first):
                    verdicts[number], claimed = _by_form(gold, value)
                    for pair in claimed:
                        if pair not in asked:
                            same = same_value(*pair)
                            if same is None:
                                left.append(pair)
                            else:
                                decided[pair] = PASSED if same else failed("another value")
                        asked.setdefault(pair, []).append(number)
                # By ground truth, which a worker reads once for those that come one behind the other.
                open_pairs.add(sorted(left))
                self.asked += len(left)
        for pair, verdict in (decided | open_pairs.verdicts).items():
            for number in asked[pair]:
                if verdicts[number] in (None, PASSED):  # every claim must be right
                    verdicts[number] = verdict
        return verdicts

    def equivalent(self, pairs: list[tuple[str, str]]) -> list[bool]:
        """Whether two values stand for the same answer, in either order: either may be the gold one.

        Where one is a letter and no more, the letters decide. A pair whose comparison failed twice is different: a
        vote that breaks the processes must not stop the rest, and counts for nothing.
        """
        letters = [(choice_letter(a), choice_letter(b)) if _is_letter(a) or _is_letter(b) else None for a, b in pairs]
        compared = [pair for pair, letter in zip(pairs, letters) if letter is None]
        both_ways = self.compare([pair for a, b in compared for pair in ((a, b), (b, a))])
        for pair, verdict in zip((pair for pair in compared for _ in range(2)), both_ways):
            if verdict.status != "scored":
                shown = " and ".join(repr(value[:100]) for value in pair)
                log.warning("%s count as different: %s", shown, verdict.reason)
        equal = iter([a.passed or b.passed for a, b in zip(both_ways[::2], both_ways[1::2])])
        return [next(equal) if letter is None else letter[0] == letter[1] for letter in letters]


def _by_form(gold: str, value: str) -> tuple[Verdict | None, list[tuple[str, str]]]:
    """The verdict where text or form decide it; else the pairs of (gold, claim) whose values must be the same."""
    if max(len(gold), len(value)) > _LONGEST:
        return (PASSED if gold == value else failed(f"longer than {_LONGEST} characters")), []
    gold, value = (_join_digits(normal(side)) for side in (gold, value))
    value = without_currency(gold, value)
    quick = quick_verdict(gold, value)
    if quick is not None:
        return (PASSED if quick else failed("another value")), []
    if reason := objection(gold, value):
        return failed(reason), []
    return None, [(gold, claim) for claim in claims(gold, value)]


# --- processes -------------------------------------------------------------------------------------------

_BATCH = 32
"""Comparisons given to a worker at a time: enough that it never waits for the next line."""


@dataclass
class _Worker:
    process_id: int | None = None  # of the forked process that computes; None until it says hello
    given: deque[int] = field(default_factory=deque)  # numbers of the pairs it has, in order
    since: float = 0.0  # when it began the first of them
    buffer: bytes = b""


class _Pool:
    """Worker processes forked from one that has math_verify imported, so that a kill costs a fork."""

    def __init__(self, workers: int, cpu_seconds: float, wall_seconds: float):
        self._number = workers
        self.cpu_seconds = cpu_seconds
        self.wall_seconds = wall_seconds
        self.sockets: list[socket.socket] = []
        self.workers: list[_Worker] = []
        self._lock = threading.Lock()
        self._zygote: subprocess.Popen | None = None

    def start(self) -> None:
        """Start the processes without waiting for their imports; a no-op when they run."""
        if self._zygote is not None and self._zygote.poll() is None:
            return
        self.close()
        ours, theirs = zip(*(socket.socketpair() for _ in range(self._number)))
        descriptors = [end.fileno() for end in theirs]
        self._zygote = subprocess.Popen(
            [sys.executable, "-m", "amt.rewards.math_worker", str(self.cpu_seconds), *map(str, descriptors)],
            stdin=subprocess.PIPE,  # its end tells the processes that we are gone
            stdout=subprocess.DEVNULL,
            pass_fds=descriptors,
            cwd=os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))),
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        for end in theirs:
            end.close()
        self.sockets = list(ours)
        self.workers = [_Worker() for _ in ours]

    def status(self) -> int:
        """Exit status of processes that have ended."""
        return self._zygote.wait()

    def close(self) -> None:
        for end in self.sockets:
            end.close()
        self.sockets = []
        if self._zygote is not None:
            self._zygote.stdin.close()
            try:
                self._zygote.wait(5)
            except subprocess.TimeoutExpired:
                self._zygote.kill()
                self._zygote.wait()
            self._zygote = None

    @contextlib.contextmanager
    def comparing(self) -> Iterator["_Comparisons"]:
        """Comparisons to add to; at the end all of them have their verdicts.

        Raises:
            InfrastructureError: the processes cannot be used.
        """
        with self._lock:
            try:
                with selectors.DefaultSelector() as selector:
                    comparisons = _Comparisons(self, selector)
                    yield comparisons
                    comparisons.finish()
            except OSError as error:  # their ends are closed, or none can be started
                self.close()
                raise InfrastructureError(f"The math_verify processes cannot be used: {error}") from None
            except BaseException:  # what they still write is of these pairs, and of none that come later
                self.close()
                raise


class _Comparisons:
    """What one caller has math_verify compare. The processes work while the caller does something else."""

    def __init__(self, pool: _Pool, selector: selectors.BaseSelector):
        self._pool, self._selector = pool, selector
        self._pairs: list[tuple[str, str]] = []
        self._waiting: deque[int] = deque()
        self._tries: list[int] = []
        self._left = 0
        self._results: list[Verdict | None] = []

    @property
    def verdicts(self) -> dict[tuple[str, str], Verdict]:
        return dict(zip(self._pairs, self._results))

    def add(self, pairs: list[tuple[str, str]]) -> None:
        """More pairs, none of which was added before. Returns at once."""
        if pairs and not self._pairs:
            self._pool.start()
            for number, end in enumerate(self._pool.sockets):
                self._selector.register(end, selectors.EVENT_READ, number)
        self._waiting.extend(range(len(self._pairs), len(self._pairs) + len(pairs)))
        self._pairs += pairs
        self._tries += [0] * len(pairs)
        self._results += [None] * len(pairs)
        self._left += len(pairs)
        if self._left:
            self._step(0)

    def finish(self) -> None:
        while self._left:
            self._step(0.5)

    def _step(self, timeout: float) -> None:
        for number in range(len(self._pool.workers)):
            self._give(number)
        for key, _ in self._selector.select(timeout):
            data = key.fileobj.recv(1 << 16)
            if not data:
                raise InfrastructureError(f"The math_verify processes ended with status {self._pool.status()}.")
            worker = self._pool.workers[key.data]
            *lines, worker.buffer = (worker.buffer + data).split(b"\n")
            for line in lines:
                self._take(worker, json.loads(line))
            self._give(key.data)
        self._give_up_slow_ones()

    def _give(self, number: int) -> None:
        worker = self._pool.workers[number]
        if worker.process_id is None or not self._waiting or len(worker.given) > _BATCH // 2:
            return
        fair = -(-len(self._waiting) // len(self._pool.workers))
        batch = [self._waiting.popleft() for _ in range(min(_BATCH - len(worker.given), fair))]
        if not worker.given:
            worker.since = time.monotonic()
        worker.given.extend(batch)
        # A line names the process that it is for: one that reaches the successor of a dead process is skipped
        # there, and given again here after the successor's hello.
        asked = [[worker.process_id, *map(last_factor_kept, self._pairs[index])] for index in batch]
        self._pool.sockets[number].sendall("".join(json.dumps(line) + "\n" for line in asked).encode())

    def _take(self, worker: _Worker, message: dict) -> None:
        """Enter one message of a worker."""
        if "hello" in message:  # a fresh process: the one before it died over the first pair that it had
            if worker.given:
                if message["out_of_time"]:
                    why = f"comparison took more than {self._pool.cpu_seconds:g} s of CPU"
                    self._enter(worker.given.popleft(), failed(why))
                else:  # the machine may have killed it: that is no verdict
                    self._undecided(worker, "the process that compared it died")
                self._give_back(worker)
            worker.process_id = message["hello"]
        elif worker.process_id is not None:  # not the last word of one that was given up
            self._enter(worker.given.popleft(), Verdict("scored", message["equal"], message["reason"]))
        worker.since = time.monotonic()

    def _enter(self, index: int, verdict: Verdict) -> None:
        self._results[index] = verdict
        self._left -= 1

    def _undecided(self, worker: _Worker, why: str) -> None:
        """Put off the pair that a worker was at, and give it up the second time."""
        index = worker.given.popleft()
        self._tries[index] += 1
        if self._tries[index] == 2:
            self._enter(index, Verdict("error", reason=f"{why}, twice"))
        else:
            self._waiting.append(index)

    def _give_back(self, worker: _Worker) -> None:
        self._waiting.extendleft(reversed(worker.given))
        worker.given.clear()

    def _give_up_slow_ones(self) -> None:
        """Kill workers beyond the wall limit. CPU time ends endless comparisons; this ends those that hang."""
        for worker in self._pool.workers:
            if worker.given and time.monotonic() - worker.since > self._pool.wall_seconds:
                self._undecided(worker, f"no verdict in {self._pool.wall_seconds:g} s")
                self._give_back(worker)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(worker.process_id, signal.SIGKILL)
                worker.process_id = None
