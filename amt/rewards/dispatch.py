"""Every judgement of a response goes through here: offline scores, pass rates, GRPO and evaluation alike.

Invariant: a judgement has one of three outcomes. `scored` has a reward in [0, 1]. `invalid` says why this
query can never be scored. `error` says that the judgement could not be made: it was tried again, and it is
never a reward of 0.

Every batch also judges canaries, a right and a wrong answer for each kind of reward in it. A verifier that
gets one of them wrong, and does so when it is tried again, is broken, and all its judgements of that batch are
errors. docs/rewards.md
"""

import json
import logging
import threading
from collections import Counter, defaultdict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal, get_args

from amt import params
from amt.errors import InfrastructureError
from amt.placement import Placement
from amt.rewards.code_tests import CodeGrader
from amt.rewards.instructions import grade_instructions
from amt.rewards.math_answer import MathGrader
from amt.rewards.reward_model import HEADS, Reading, mean_reward
from amt.rewards.verdict import Status, Verdict

log = logging.getLogger(__name__)

Kind = Literal["math", "code", "instructions", "reward_model"]
Remark = Literal["clipped", "cut"]
REMARKS: tuple[Remark, ...] = get_args(Remark)
"""Of a reward model. clipped: one of its scores lay outside the declared range. cut: it did not read the middle of a
prompt or response that was too long."""
Pair = tuple[dict[str, Any], str]
"""A row of amt.rows.QUERY and the text of a response to it."""

PAUSES_S = (1.0, 5.0)
"""Before the second and the third attempt at what could not be judged."""

TOGETHER: dict[Kind, int] = {"math": 16384, "code": 1024, "instructions": 16384, "reward_model": 1024}
"""Responses judged together at most, so that a grader that is closed has not long to finish."""


@dataclass(frozen=True)
class Judgement:
    status: Status
    reward: float | None
    """In [0, 1]; None unless scored."""
    kind: Kind
    reason: str | None = None
    """Why it is invalid or an error, or what a response scored 0 failed."""
    remarks: tuple[Remark, ...] = ()


def reward_kind(query: dict[str, Any]) -> Kind:
    """Which reward judges the responses to a query [3]: a rule where there is something to check against."""
    if query["category"] in ("math", "science") and (query.get("ground_truth") or "").strip():
        return "math"
    if query["category"] == "code" and query.get("tests"):
        return "code"
    if query["category"] == "instruction_follow" and query.get("instructions"):
        return "instructions"
    return "reward_model"


def canaries() -> dict[Kind, list[tuple[dict[str, Any], str, float]]]:
    """Right and wrong (query, response) with the reward each must get, by kind; for the reward model see below."""

    def response(answer: str) -> str:
        return f"<think>t</think><answer>{answer}</answer>"

    math = {"category": "math", "ground_truth": "\\frac{\\sqrt{2}}{2}"}
    inequality = {"category": "math", "ground_truth": "x \\ge 3"}
    cases = [{"args": [[3, 1, 2]], "expected": [1, 2, 3]}]
    code = {"category": "code", "tests": json.dumps({"kind": "call", "entry_point": "f", "cases": cases})}
    wanted = {
        "instruction_id_list": ["punctuation:no_comma", "length_constraints:number_words"],
        "kwargs": [{}, {"num_words": 8, "relation": "at least"}],
    }
    instructions = {"category": "instruction_follow", "instructions": json.dumps(wanted)}
    sentence = "the sea is calm and the sky is clear today"
    return {
        "math": [
            (math, response("\\boxed{1/\\sqrt{2}}"), 1.0),
            (math, response("\\boxed{\\sqrt{2}/3}"), 0.0),
            # Left to math_verify, which must answer, too.
            (inequality, response("\\boxed{x \\geq 3}"), 1.0),
            (inequality, response("\\boxed{x > 3}"), 0.0),
        ],
        "code": [
            (code, response("\n```python\ndef f(x):\n    return sorted(x)\n```\n"), 1.0),
            (code, response("\n```python\ndef f(x):\n    return x\n```\n"), 0.0),
        ],
        "instructions": [
            (instructions, response(sentence), 1.0),
            (instructions, response(sentence.replace(" and", ",")), 0.0),
        ],
    }


READ_TWICE: Pair = (
    {"messages": json.dumps([{"role": "user", "content": "What is the capital of France?"}])},
    "<think>France is governed from Paris.</think><answer>The capital of France is Paris.</answer>",
)
READ_ONCE: Pair = (READ_TWICE[0], "")
"""Canaries of the reward model. Which score a model gives is not ours to know, nor that it prefers the first: the
stand-in does not. But one response has one score, first and last in a batch, and another than no response has."""

_SAME = 0.05
"""Share of a range that two readings of one response may differ: in bfloat16 they depend on what is read beside."""


def canary_fault(first: Reading, other: Reading, last: Reading, heads: params.Heads) -> str | None:
    """What is wrong with the server of a reward model, by what it makes of READ_TWICE, READ_ONCE and READ_TWICE."""
    if any(mean_reward(reading.scores, heads) is None for reading in (first, other, last)):
        return None  # every score of such a server is an error by itself
    for head in (getattr(heads, name) for name in HEADS):
        allowed = _SAME * (head.range[1] - head.range[0])
        if abs(first.scores[head.column] - last.scores[head.column]) > allowed:
            return f"one response has the scores {first.scores} and {last.scores} in one batch"
    return f"a response and none have the same scores {first.scores}" if first.scores == other.scores else None


class Grading:
    """A batch under way."""

    def __init__(self, size: int, parts: list[tuple[list[int], Future]]):
        self._size = size
        self._parts = parts

    def done(self) -> bool:
        return all(future.done() for _, future in self._parts)

    def result(self) -> list[Judgement]:
        """Wait for the judgement of each (query, response), in order."""
        judgements: list[Judgement | None] = [None] * self._size
        for numbers, future in self._parts:
            for number, judgement in zip(numbers, future.result(), strict=True):
                judgements[number] = judgement
        return judgements


class Grader:
    """Judges responses in batches, each kind of reward in a thread of its own. A context manager; its processes start
    with the first batch that needs them.

    Args:
        reward_model: amt.rewards.reward_model.RewardModel; None where no query needs one.
        pauses_s: seconds before each new attempt at what could not be judged.
    """

    def __init__(
        self,
        sandbox: params.Sandbox,
        score: params.Score,
        placement: Placement,
        reward_model: Callable[[list[Pair]], list[Reading]] | None = None,
        pauses_s: tuple[float, ...] = PAUSES_S,
    ):
        self._score = score
        self._reward_model = reward_model
        self._pauses_s = pauses_s
        self._math = MathGrader(workers=placement.sandbox_workers)
        self._code = CodeGrader(sandbox, placement)
        self._threads: dict[Kind, ThreadPoolExecutor] = {}
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self.counts: Counter[str] = Counter()
        """So far: "canaries", batches with a wrong one ("canaries_wrong"), judgements "again" (attempts after an error)
        and "errors"."""

    def __enter__(self) -> "Grader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the processes. What is being judged, up to TOGETHER[kind] responses, is finished; the rest is not."""
        self._closed.set()
        graders = {"math": self._math, "code": self._code}
        for kind, thread in self._threads.items():
            if kind in graders:
                # In the thread that started the processes: with it they would die unasked.
                thread.submit(graders[kind].close).result()
            thread.shutdown()
        self._threads.clear()
        if self.counts:
            log.info("rewards: %s", ", ".join(f"{name} {number}" for name, number in sorted(self.counts.items())))

    @property
    def sandbox_tier(self) -> str | None:
        """What isolates model-written code, e.g. "bubblewrap+seccomp"; None before any code was run."""
        return self._code.tier

    def grade(self, pairs: list[Pair]) -> list[Judgement]:
        """The judgement of each (query, response), in order."""
        return self.submit(pairs).result()

    def submit(self, pairs: list[Pair]) -> Grading:
        """Begin to judge. Batches of one kind of reward follow one another, those of different kinds do not wait."""
        of_kind: dict[Kind, list[int]] = defaultdict(list)
        for number, (query, _) in enumerate(pairs):
            of_kind[reward_kind(query)].append(number)
        parts = [
            (numbers, self._thread(kind).submit(self._judge, kind, [pairs[number] for number in numbers]))
            for kind, numbers in sorted(of_kind.items())
        ]
        return Grading(len(pairs), parts)

    def _count(self, name: str, number: int) -> None:
        with self._lock:
            self.counts[name] += number

    def _thread(self, kind: Kind) -> ThreadPoolExecutor:
        if kind not in self._threads:
            self._threads[kind] = ThreadPoolExecutor(1, f"rewards-{kind}")
        return self._threads[kind]

    def _judge(self, kind: Kind, pairs: list[Pair]) -> list[Judgement]:
        judgements: list[Judgement] = []
        for start in range(0, len(pairs), TOGETHER[kind]):
            if self._closed.is_set():
                raise InfrastructureError("The grader was closed before it had judged all that it was given.")
            judgements += self._with_canaries(kind, pairs[start : start + TOGETHER[kind]])
        self._count("errors", sum(judgement.status == "error" for judgement in judgements))
        return judgements

    def _with_canaries(self, kind: Kind, pairs: list[Pair]) -> list[Judgement]:
        probes = canaries().get(kind, [])
        for pause_s in (*self._pauses_s, None):
            judged = self._retried(kind, [(query, response) for query, response, _ in probes] + pairs)
            self._count("canaries", len(probes))
            wrong = [
                (*probe[1:], judgement) for probe, judgement in zip(probes, judged) if judgement.reward != probe[2]
            ]
            if not wrong:
                return judged[len(probes) :]
            response, reward, judgement = wrong[0]
            if judgement.status == "error":  # was tried again already
                return [Judgement("error", None, kind, f"no canary could be judged: {judgement.reason}")] * len(pairs)
            why = f"canary {response!r} was judged {judgement} and not {reward}: the {kind} reward is broken"
            broken = self._broken(kind, why, pairs)
            if pause_s is None or self._closed.wait(pause_s):
                break
            self._count("again", len(pairs))
        return broken

    def _broken(self, kind: Kind, why: str, pairs: list[Pair]) -> list[Judgement]:
        log.warning("rewards: %s", why)
        self._count("canaries_wrong", 1)
        return [Judgement("error", None, kind, why)] * len(pairs)

    def _retried(self, kind: Kind, pairs: list[Pair]) -> list[Judgement]:
        judged = self._once(kind, pairs)
        for pause_s in self._pauses_s:
            again = [number for number, judgement in enumerate(judged) if judgement.status == "error"]
            if not again:
                break
            log.warning("rewards: %d of %d %s: %s; again", len(again), len(pairs), kind, judged[again[0]].reason)
            self._count("again", len(again))
            if self._closed.wait(pause_s):
                break
            for number, judgement in zip(again, self._once(kind, [pairs[n] for n in again]), strict=True):
                judged[number] = judgement
        return judged

    def _once(self, kind: Kind, pairs: list[Pair]) -> list[Judgement]:
        try:
            if kind == "reward_model":
                return self._by_model(pairs)
            return [
                Judgement(v.status, float(v.passed) if v.status == "scored" else None, kind, v.reason)
                for v in self._verdicts(kind, pairs)
            ]
        except InfrastructureError as error:
            return [Judgement("error", None, kind, str(error))] * len(pairs)

    def _verdicts(self, kind: Kind, pairs: list[Pair]) -> list[Verdict]:
        if kind == "math":
            return self._math.grade([(query["ground_truth"], response) for query, response in pairs])
        if kind == "code":
            return self._code.grade([(query["tests"], response) for query, response in pairs])
        return [grade_instructions(query["instructions"], response) for query, response in pairs]

    def _by_model(self, pairs: list[Pair]) -> list[Judgement]:
        kind: Kind = "reward_model"
        if self._reward_model is None:
            return [Judgement("error", None, kind, "the query needs a reward model, and none was given")] * len(pairs)
        readings = self._reward_model([READ_TWICE, READ_ONCE, *pairs, READ_TWICE])
        if len(readings) != len(pairs) + 3:
            why = f"the reward model read {len(readings)} of {len(pairs) + 3} responses"
            return [Judgement("error", None, kind, why)] * len(pairs)
        first, other, *readings, last = readings
        self._count("canaries", 3)
        if why := canary_fault(first, other, last, self._score.heads):
            return self._broken(kind, f"{why}: the reward model's server is broken", pairs)
        judged = [self._of_reading(reading) for reading in readings]
        remarks = Counter(remark for judgement in judged for remark in judgement.remarks)
        for remark, number in sorted(remarks.items()):
            log.info("rewards: %d of %d judgements of the reward model were %s", number, len(pairs), remark)
        return judged

    def _of_reading(self, reading: Reading) -> Judgement:
        if reading.refused:
            return Judgement("invalid", None, "reward_model", reading.refused)
        found = mean_reward(reading.scores, self._score.heads)
        if found is None:
            return Judgement("error", None, "reward_model", "the reward model gave no three finite scores")
        reward, clipped = found
        remarks: tuple[Remark, ...] = (*["clipped"] * clipped, *["cut"] * reading.cut)
        return Judgement("scored", reward, "reward_model", None, remarks)
