"""Check math queries and their ground truths (paper 2.2.1).

Invariant: a math row leaves this stage with one clear question, asked openly, whose ground truth several answers of the
teacher or a second model stand behind. Other categories pass unchanged; science keeps its letters.

In this order, the first that applies gives the reason:
    multiple_choice      (only with multiple_choice: drop)
    no_ground_truth      here of multiple choice, before the rewriter is asked
    not_applicable       multiple choice that cannot be asked openly: its ground truth is several letters or that of no
                         option in the text (unasked), or the rewriter says so ("which of the following ...")
    still_multiple_choice, other_answer, other_question
                         a rewriting that was refused, in `detail`: it has options; its answer is not the option that
                         the ground truth names; or a judge, the rewriter's model, does not find the same question in it
    proof, multi_part    see amt.curate.math_kinds
    no_usable_answer     the rewriter or a judge gave no usable JSON in several attempts; `detail` says which
    no_ground_truth
    unclear              says the judge; `detail` is its reason
    truth_unresolved     the teacher's majority is not the ground truth, or there is none, and the second opinion does
                         not settle it
Changed rows, with the old and the new in `detail`:
    rewritten            multiple choice asked openly; the ground truth is then the option's text
    truth_revised        the second opinion is equivalent to the teacher's majority: it becomes the ground truth, as in
                         the paper. A row may have been rewritten before.

Answers are equal when math_verify says so in either direction. The majority is the answer that more than half of all
`curate.verify_math.answers` replies give, those without an answer among them. Where there is none, the second opinion
is asked even if the ground truth is among the answers, and may back that, but revises nothing: a reply alone is no
evidence against a ground truth. The paper does not say what happens when the second opinion backs it: the row is kept.
"""

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from amt.curate.math_kinds import is_multi_part, is_multiple_choice, is_proof, right_option
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
COMPARISON_PROMPT = """You compare a multiple-choice problem with an open question that was made of it. They are the \
same if the open question gives and asks what the problem gives and asks, and can be answered by someone who has not \
seen the options. Do not solve them.
Answer with JSON only: {"same": true or false, "reason": "a few words"}

Multiple choice:
"""


@dataclass
class Checked:
    """A math row on its way through the checks."""

    row: dict[str, Any]
    original: dict[str, Any]
    dropped: tuple[str, str | None] | None = None
    revised: bool = False
    votes: list[dict[str, Any]] = field(default_factory=list)
    majority: str | None = None
    """The answer that more than half of the teacher's replies give."""
    confirmed: bool = False
    """The ground truth is the majority."""


@dataclass(frozen=True)
class Rewriting:
    """A multiple-choice query asked openly, to be checked."""

    item: Checked
    query: str
    answer: str
    """The rewriter's."""
    option: str
    """Text of the option that the ground truth names."""

    def refuse(self, reason: str, why: str | None = None) -> None:
        said = {"query": self.query, "answer": self.answer, "option": self.option}
        self.item.dropped = reason, canonical_json(said | ({} if why is None else {"why": why}))


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
    with MathGrader() as grader:
        _rewrite_multiple_choice(checked, settings, ask, grader)
        _drop_unsuitable(checked)
        _judge_clarity(checked, ask)
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


def _drop_unsuitable(checked: list[Checked]) -> None:
    """What needs no question to be left out."""
    for item in _open(checked):
        if is_proof(item.row["query"], item.row["ground_truth"]):
            item.dropped = "proof", None
        elif is_multi_part(item.row["query"]):
            item.dropped = "multi_part", None
        elif clean_ground_truth(item.row["ground_truth"]) is None:
            item.dropped = "no_ground_truth", None


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


def _rewrite_multiple_choice(checked: list[Checked], settings: VerifyMath, ask: _Asking, grader: MathGrader) -> None:
    """Ask multiple choice openly, where a rewriting passes every check; a query that is asked has a ground truth."""
    asked: list[tuple[Checked, str]] = []
    for item in checked:
        if not is_multiple_choice(item.row["query"], item.row["ground_truth"]):
            continue
        if settings.multiple_choice == "drop":
            item.dropped = "multiple_choice", None
        elif clean_ground_truth(item.row["ground_truth"]) is None:
            item.dropped = "no_ground_truth", None
        elif (option := right_option(item.row["query"], item.row["ground_truth"])) is not None:
            asked.append((item, option))
        elif settings.not_applicable == "drop":
            item.dropped = "not_applicable", "the ground truth is no option in the text"
    rewritings = [rewriting for rewriting in _rewritings(asked, settings, ask) if _is_open(rewriting)]
    same = grader.equivalent([(rewriting.option, rewriting.answer) for rewriting in rewritings])
    for rewriting, right in zip(rewritings, same, strict=True):
        if not right:
            rewriting.refuse("other_answer")
    _compare_questions([rewriting for rewriting in rewritings if rewriting.item.dropped is None], ask)


def _rewritings(asked: list[tuple[Checked, str]], settings: VerifyMath, ask: _Asking) -> list[Rewriting]:
    questions = [
        (item.row["row_id"], f"{REWRITE_PROMPT}{item.row['ground_truth']}\n\nQuery:\n{item.row['query']}", 0)
        for item, _ in asked
    ]
    found = []
    for (item, option), said in zip(asked, ask.json("rewriter", questions, _read_rewriting), strict=True):
        if isinstance(said, Unusable):
            item.dropped = "no_usable_answer", f"rewriter: {said.fault}"
        elif said is not None:
            found.append(Rewriting(item, *said, option))
        elif settings.not_applicable == "drop":
            item.dropped = "not_applicable", None
    return found


def _is_open(rewriting: Rewriting) -> bool:
    # The old ground truth says whether small letters are labels.
    if is_multiple_choice(rewriting.query, rewriting.item.row["ground_truth"]):
        rewriting.refuse("still_multiple_choice")
        return False
    return True


def _compare_questions(rewritings: list[Rewriting], ask: _Asking) -> None:
    """Take over the rewritings in which the judge finds the same question; its answers are kept as votes are."""
    questions = [
        (of.item.row["row_id"], f"{COMPARISON_PROMPT}{of.item.row['query']}\n\nQuery:\n{of.query}", 1)
        for of in rewritings
    ]
    for rewriting, said in zip(rewritings, ask.json("rewriter", questions, _read_comparison), strict=True):
        item = rewriting.item
        if isinstance(said, Unusable):
            item.dropped = "no_usable_answer", f"judge of the rewriting: {said.fault}"
            continue
        fault, answer = said
        item.votes.append(_vote_row(item, "rewriting_judge", 0, answer))
        if fault is None:
            item.row = with_query(item.row, rewriting.query, rewriting.option)
        else:
            rewriting.refuse("other_question", fault)


def _judge_clarity(checked: list[Checked], ask: _Asking) -> None:
    waiting = _open(checked)
    asked = [(item.row["row_id"], CLARITY_PROMPT + item.row["query"], 0) for item in waiting]
    for item, fault in zip(waiting, ask.json("clarity_judge", asked, read_clarity), strict=True):
        if isinstance(fault, Unusable):
            item.dropped = "no_usable_answer", f"clarity_judge: {fault.fault}"
        elif fault is not None:
            item.dropped = "unclear", fault


def _vote(items: list[Checked], settings: VerifyMath, ask: _Asking, grader: MathGrader) -> None:
    """Several answers of the teacher, and whether the ground truth is the majority."""
    asked = [
        (item.row["row_id"], ANSWER_PROMPT + item.row["query"], sample)
        for item in items
        for sample in range(settings.answers)
    ]
    replies = iter(ask.answers("teacher", asked))
    given = []
    for item in items:
        given.append([_answer_row(item, "teacher", sample, next(replies)) for sample in range(settings.answers)])
        item.votes += given[-1]
    answers = [[vote["answer"] for vote in votes] for votes in given]
    truths = [clean_ground_truth(item.row["ground_truth"]) for item in items]
    for item, votes, classes in zip(items, given, answer_classes(answers, truths, grader), strict=True):
        for vote, place in zip(votes, classes.of_answers, strict=True):
            vote["answer_class"] = place
            vote["equals_ground_truth"] = place is not None and place == classes.of_truth
        item.majority = classes.majority
        item.confirmed = item.majority is not None and classes.of_truth == 0


def _second_opinion(items: list[Checked], settings: VerifyMath, ask: _Asking, grader: MathGrader) -> None:
    """Where the majority is not the ground truth: revise, confirm, or leave unresolved."""
    asked = [(item.row["row_id"], ANSWER_PROMPT + item.row["query"], 0) for item in items]
    replies = ask.answers("second_opinion", asked)
    votes = [_answer_row(item, "second_opinion", 0, reply) for item, reply in zip(items, replies, strict=True)]
    backs = grader.equivalent(
        [
            (said or "", vote["answer"] or "")
            for item, vote in zip(items, votes, strict=True)
            for said in (clean_ground_truth(item.row["ground_truth"]), item.majority)
        ]
    )
    for item, vote, backs_truth, backs_majority in zip(items, votes, backs[::2], backs[1::2], strict=True):
        vote["equals_ground_truth"] = backs_truth
        item.votes.append(vote)
        if backs_truth:
            continue
        if backs_majority:
            item.row = item.row | {"ground_truth": vote["answer"]}
            item.revised = True
        elif settings.unresolved == "drop":
            said = {
                "teacher": item.majority, "second_opinion": vote["answer"], "ground_truth": item.row["ground_truth"]
            }  # fmt: skip
            item.dropped = "truth_unresolved", canonical_json(said)


@dataclass(frozen=True)
class AnswerClasses:
    """Equal answers to one query share a number, from 0, most frequent first; None has no answer."""

    of_answers: list[int | None]
    of_truth: int | None
    """Class of the ground truth; None if nobody gave it."""
    majority: str | None
    """An answer of the class that more than half of all replies are in, the first given; None without such a class."""


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
        next((known[leader] for leader in ranking[:1] if 2 * votes[leader] > len(given)), None),
    )


def with_query(row: dict[str, Any], query: str, ground_truth: str) -> dict[str, Any]:
    """The row asking `query` in its last turn."""
    messages = json.loads(row["messages"])
    messages[-1] = messages[-1] | {"content": query}
    return row | {"query": query, "ground_truth": ground_truth, "messages": canonical_json(messages)}


def _answer_row(item: Checked, role: str, sample: int, reply: ChatReply) -> dict[str, Any]:
    answer = last_boxed(reply.text.rpartition("</think>")[2]) if reply.finish_reason == "stop" else None
    return _vote_row(item, role, sample, reply.text, answer or None)


def _vote_row(item: Checked, role: str, sample: int, response: str, answer: str | None = None) -> dict[str, Any]:
    return {
        "vote_id": f"{item.row['row_id']}/{role}/{sample}",
        "row_id": item.row["row_id"],
        "role": role,
        "sample": sample,
        "response": response,
        "answer": answer,
        "answer_class": None,
        "equals_ground_truth": False,
    }


def _difference(old: dict[str, Any], new: dict[str, Any]) -> str:
    changed = [name for name in ("query", "ground_truth") if old[name] != new[name]]
    return canonical_json({name: {"old": old[name], "new": new[name]} for name in changed})


def read_clarity(answer: Any) -> str | None:
    """Why a query is unclear, None if it is clear."""
    return _objection(answer, "clear")


def _read_comparison(answer: Any) -> tuple[str | None, str]:
    """(why two queries do not ask the same, None if they do; the answer as JSON)."""
    fault = _objection(answer, "same")
    return fault, canonical_json({"same": fault is None, "reason": answer.get("reason")})


def _objection(answer: Any, to: str) -> str | None:
    """A judge's reason against what stands under `to`, None if it agrees."""
    if not isinstance(answer, dict) or not isinstance(answer.get(to), bool):
        raise ValueError(f'expected {{"{to}": true or false, "reason": ...}}')
    return None if answer[to] else str(answer.get("reason") or "no reason given")


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
