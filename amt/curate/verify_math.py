"""Check math queries and their ground truths (paper 2.2.1).

Invariant: a math row leaves this stage with one clear question, asked openly, whose ground truth several answers of the
teacher or a second model stand behind. Other categories pass unchanged; science keeps its letters.

In this order, the first that applies gives the reason:
    multiple_choice      (only with multiple_choice: drop)
    not_applicable       multiple choice that the rewriter cannot ask openly ("which of the following ...")
    proof, multi_part    see amt.curate.math_kinds
    no_usable_answer     the rewriter or the clarity judge gave no usable JSON in several attempts; `detail` says which
    no_ground_truth
    unclear              says the judge; `detail` is its reason
    truth_unresolved     the ground truth is not the teacher's one most frequent answer, and the second opinion
                         backs neither
Changed rows, with the old and the new in `detail`:
    rewritten            multiple choice asked openly; the ground truth is then the option's text
    truth_revised        the second opinion is equivalent to the teacher's most frequent answer: it becomes the
                         ground truth, as in the paper. A row may have been rewritten before.

Answers are equal when math_verify says so in either direction. Where several are the most frequent, the second
opinion is asked even if the ground truth is among them, and may back any. The paper does not say what happens when
it backs the ground truth: the row is kept.
"""

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from amt.curate.math_kinds import is_multi_part, is_multiple_choice, is_proof
from amt.endpoints.answers import ChatReply
from amt.endpoints.client import ChatClient, ChatRequest, Unusable
from amt.ledger import Ledger, write_report
from amt.params import Endpoint, Endpoints, VerifyMath
from amt.rewards.math_answer import MathGrader, clean_ground_truth, last_boxed
from amt.rows import QUERY, VOTE, canonical_json, read_rows, write_rows
from amt.seeds import seed_for

ANSWER_PROMPT = r"""Solve the problem. Reason step by step and put the final answer within \boxed{}.

Query:
"""
CLARITY_PROMPT = """You decide whether a math problem can be solved as it is written. It cannot if something that is \
needed is missing, cut off, contradictory or ambiguous, or if no question is asked. Do not solve it.
Answer with JSON only: {"clear": true or false, "reason": "a few words"}

Query:
"""
REWRITE_PROMPT = """Rewrite a multiple-choice problem as an open question that has exactly one answer, without any \
options. Change nothing else. The answer is the text of the correct option, without its letter. If the problem makes \
no sense without its options ("which of the following ..."), it is not applicable.
Answer with JSON only: {"applicable": true or false, "query": "the open question", "answer": "its answer"}
Correct option: """


@dataclass
class Checked:
    """A math row on its way through the checks."""

    row: dict[str, Any]
    original: dict[str, Any]
    dropped: tuple[str, str | None] | None = None
    revised: bool = False
    votes: list[dict[str, Any]] = field(default_factory=list)
    common: list[str] = field(default_factory=list)
    """The teacher's most frequent answers: one, or several that are equally frequent."""
    confirmed: bool = False
    """The ground truth is the one most frequent answer."""


def verify_math(
    *,
    queries: Path,
    kept: Path,
    ledger: Path,
    report: Path,
    votes: Path,
    settings: VerifyMath,
    endpoints: Endpoints,
    clients: dict[str, ChatClient],
    seed: int,
) -> None:
    """Write the rows that stay, what became of each, counts by reason, and every vote.

    Args:
        clients: of the roles teacher, second_opinion, clarity_judge and rewriter.
        seed: of the recipe.
    """
    rows = read_rows(queries, QUERY)
    checked = [Checked(row, row) for row in rows if row["category"] == "math"]
    ask = _Asking(endpoints, clients, seed)
    _rewrite_multiple_choice(checked, settings, ask)
    for item in _open(checked):
        if is_proof(item.row["query"], item.row["ground_truth"]):
            item.dropped = "proof", None
        elif is_multi_part(item.row["query"]):
            item.dropped = "multi_part", None
        elif clean_ground_truth(item.row["ground_truth"]) is None:
            item.dropped = "no_ground_truth", None
    _judge_clarity(checked, ask)
    with MathGrader() as grader:
        _vote(_open(checked), settings, ask, grader)
        _second_opinion([item for item in _open(checked) if not item.confirmed], settings, ask, grader)

    by_id = {item.row["row_id"]: item for item in checked}
    book = Ledger("verify_math")
    remaining = []
    for row in rows:
        item = by_id.get(row["row_id"])
        if item is not None and item.dropped is not None:
            book.drop(row, *item.dropped)
            continue
        if item is None or item.row is item.original:
            book.keep(row)
        else:
            book.change(row, "truth_revised" if item.revised else "rewritten", _difference(item.original, item.row))
        remaining.append(row if item is None else item.row)
    write_rows(votes, [vote for item in checked for vote in item.votes], VOTE)
    write_rows(kept, remaining, QUERY)
    book.write(ledger)
    write_report(report, book.report(len(rows), len(remaining)))


def _open(checked: list[Checked]) -> list[Checked]:
    return [item for item in checked if item.dropped is None]


class _Asking:
    """Questions about rows to the model of a role, each with a seed of its own."""

    def __init__(self, endpoints: Endpoints, clients: dict[str, ChatClient], seed: int):
        self._endpoints, self._clients, self._seed = endpoints, clients, seed

    def answers(self, role: str, asked: list[tuple[str, str, int]]) -> list[ChatReply]:
        return self._clients[role].complete([self._request(role, *question) for question in asked])

    def json(self, role: str, asked: list[tuple[str, str, int]], parse: Any) -> list[Any]:
        return self._clients[role].complete_json([self._request(role, *question) for question in asked], parse)

    def _request(self, role: str, row_id: str, text: str, sample: int) -> ChatRequest:
        endpoint: Endpoint = getattr(self._endpoints, role)
        return ChatRequest(
            messages=[{"role": "user", "content": text}],
            temperature=endpoint.temperature,
            top_p=endpoint.top_p,
            max_tokens=endpoint.max_tokens,
            seed=seed_for(self._seed, "verify_math", role, row_id, sample),
            key=f"{row_id}/{role}/{sample}",
        )


def _rewrite_multiple_choice(checked: list[Checked], settings: VerifyMath, ask: _Asking) -> None:
    choices = [item for item in checked if is_multiple_choice(item.row["query"], item.row["ground_truth"])]
    if settings.multiple_choice == "drop":
        for item in choices:
            item.dropped = "multiple_choice", None
        return
    asked = [
        (item.row["row_id"], f"{REWRITE_PROMPT}{item.row['ground_truth']}\n\nQuery:\n{item.row['query']}", 0)
        for item in choices
    ]
    for item, rewriting in zip(choices, ask.json("rewriter", asked, _read_rewriting), strict=True):
        if isinstance(rewriting, Unusable):
            item.dropped = "no_usable_answer", f"rewriter: {rewriting.fault}"
        elif rewriting is not None:
            item.row = with_query(item.row, *rewriting)
        elif settings.not_applicable == "drop":
            item.dropped = "not_applicable", None


def _judge_clarity(checked: list[Checked], ask: _Asking) -> None:
    waiting = _open(checked)
    asked = [(item.row["row_id"], CLARITY_PROMPT + item.row["query"], 0) for item in waiting]
    for item, fault in zip(waiting, ask.json("clarity_judge", asked, read_clarity), strict=True):
        if isinstance(fault, Unusable):
            item.dropped = "no_usable_answer", f"clarity_judge: {fault.fault}"
        elif fault is not None:
            item.dropped = "unclear", fault


def _vote(items: list[Checked], settings: VerifyMath, ask: _Asking, grader: MathGrader) -> None:
    """Several answers of the teacher, and whether the most frequent is the ground truth."""
    asked = [
        (item.row["row_id"], ANSWER_PROMPT + item.row["query"], sample)
        for item in items
        for sample in range(settings.answers)
    ]
    replies = iter(ask.answers("teacher", asked))
    answers = []
    for item in items:
        item.votes = [_vote_row(item, "teacher", sample, next(replies)) for sample in range(settings.answers)]
        answers.append([vote["answer"] for vote in item.votes])
    truths = [clean_ground_truth(item.row["ground_truth"]) for item in items]
    for item, classes in zip(items, answer_classes(answers, truths, grader), strict=True):
        for vote, place in zip(item.votes, classes.of_answers, strict=True):
            vote["answer_class"] = place
            vote["equals_ground_truth"] = place is not None and place == classes.of_truth
        item.common = classes.most_frequent
        item.confirmed = classes.of_truth == 0 and len(item.common) == 1


def _second_opinion(items: list[Checked], settings: VerifyMath, ask: _Asking, grader: MathGrader) -> None:
    """Where teacher and ground truth differ: revise, confirm, or leave unresolved."""
    asked = [(item.row["row_id"], ANSWER_PROMPT + item.row["query"], 0) for item in items]
    replies = ask.answers("second_opinion", asked)
    votes = [_vote_row(item, "second_opinion", 0, reply) for item, reply in zip(items, replies, strict=True)]
    backs = iter(
        grader.equivalent(
            [
                (said, vote["answer"] or "")
                for item, vote in zip(items, votes, strict=True)
                for said in (clean_ground_truth(item.row["ground_truth"]) or "", *item.common)
            ]
        )
    )
    for item, vote in zip(items, votes, strict=True):
        vote["equals_ground_truth"] = next(backs)
        backs_common = [next(backs) for _ in item.common]
        item.votes.append(vote)
        if vote["equals_ground_truth"]:
            continue
        if any(backs_common):
            item.row = item.row | {"ground_truth": vote["answer"]}
            item.revised = True
        elif settings.unresolved == "drop":
            said = {"teacher": item.common, "second_opinion": vote["answer"], "ground_truth": item.row["ground_truth"]}
            item.dropped = "truth_unresolved", canonical_json(said)


@dataclass(frozen=True)
class AnswerClasses:
    """Equal answers to one query share a number, from 0, most frequent first; None has no answer."""

    of_answers: list[int | None]
    of_truth: int | None
    """Class of the ground truth; None if nobody gave it."""
    most_frequent: list[str]
    """One answer of every class that no other is more frequent than, first given first; empty without answers."""


def answer_classes(
    answers: list[list[str | None]], truths: list[str | None], grader: MathGrader
) -> list[AnswerClasses]:
    """Classes of the answers to each query. All comparisons of all queries go to the grader at once."""
    distinct = [list(dict.fromkeys([answer for answer in given if answer is not None])) for given in answers]
    values = [
        given + ([truth] if truth is not None and truth not in given else [])
        for given, truth in zip(distinct, truths, strict=True)
    ]
    pairs = [
        (number, left, right)
        for number, known in enumerate(values)
        for left in range(len(known))
        for right in range(left + 1, len(known))
    ]
    equal = grader.equivalent([(values[number][left], values[number][right]) for number, left, right in pairs])
    leaders = [list(range(len(known))) for known in values]
    for (number, left, right), same in zip(pairs, equal, strict=True):
        if same:
            old, new = sorted((leaders[number][left], leaders[number][right]), reverse=True)
            leaders[number] = [new if leader == old else leader for leader in leaders[number]]
    return [
        _ranked(given, truth, known, leader)
        for given, truth, known, leader in zip(answers, truths, values, leaders, strict=True)
    ]


def _ranked(given: list[str | None], truth: str | None, known: list[str], leaders: list[int]) -> AnswerClasses:
    leader_of = dict(zip(known, leaders, strict=True))
    votes = Counter(leader_of[answer] for answer in given if answer is not None)
    true_leader = None if truth is None else leader_of[truth]
    ranking = sorted(votes, key=lambda leader: (-votes[leader], leader != true_leader, leader))
    place = {leader: number for number, leader in enumerate(ranking)}
    return AnswerClasses(
        [None if answer is None else place[leader_of[answer]] for answer in given],
        None if true_leader is None else place.get(true_leader),
        [known[leader] for leader in sorted(votes) if votes[leader] == max(votes.values())],
    )


def with_query(row: dict[str, Any], query: str, ground_truth: str) -> dict[str, Any]:
    """The row asking `query` in its last turn."""
    messages = json.loads(row["messages"])
    messages[-1] = messages[-1] | {"content": query}
    return row | {"query": query, "ground_truth": ground_truth, "messages": canonical_json(messages)}


def _vote_row(item: Checked, role: str, sample: int, reply: ChatReply) -> dict[str, Any]:
    complete = reply.finish_reason == "stop"
    return {
        "vote_id": f"{item.row['row_id']}/{role}/{sample}",
        "row_id": item.row["row_id"],
        "role": role,
        "sample": sample,
        "response": reply.text,
        "answer": last_boxed(reply.text.rpartition("</think>")[2]) or None if complete else None,
        "answer_class": None,
        "equals_ground_truth": False,
    }


def _difference(old: dict[str, Any], new: dict[str, Any]) -> str:
    changed = [name for name in ("query", "ground_truth") if old[name] != new[name]]
    return canonical_json({name: {"old": old[name], "new": new[name]} for name in changed})


def read_clarity(answer: Any) -> str | None:
    """Why a query is unclear, None if it is clear."""
    if not isinstance(answer, dict) or not isinstance(answer.get("clear"), bool):
        raise ValueError('expected {"clear": true or false, "reason": ...}')
    return None if answer["clear"] else str(answer.get("reason") or "no reason given")


def _read_rewriting(answer: Any) -> tuple[str, str] | None:
    """(open question, its answer), None if the query cannot be asked openly."""
    if not isinstance(answer, dict) or not isinstance(answer.get("applicable"), bool):
        raise ValueError('expected {"applicable": true or false, "query": ..., "answer": ...}')
    if not answer["applicable"]:
        return None
    query, truth = answer.get("query"), answer.get("answer")
    if not isinstance(query, str) or not query.strip() or truth is None or not str(truth).strip():
        raise ValueError("an applicable rewriting needs a query and an answer")
    return query.strip(), str(truth).strip()
