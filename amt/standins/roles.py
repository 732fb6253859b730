"""What the scripted endpoint's models say. Each reads the query; none has an answer key.

A reply is a pure function of (endpoint seed, model, messages, request seed, choice), and so is the fault in
it: `fault_of` tells afterwards which of the replies were spoilt on purpose.
"""

import hashlib
import json
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from amt.standins import faults
from amt.standins.arithmetic import MATH, rephrase, solve_math
from amt.standins.chatting import ARENA_PARAPHRASES, solve_chat
from amt.standins.choices import split_options
from amt.standins.problems import core_text, solve, wrong_answer

FAULT_RATES = {
    "standin/deepseek-r1": {"wrong": 0.12, "repetition": 0.03, "missing_think": 0.03, "truncated": 0.02},
    "standin/o4-mini": {"wrong": 0.04},
    "standin/clarity-judge": {"wrong": 0.02},
    "standin/rewriter": {"wrong": 0.02},
    "standin/paraphraser": {},
    "standin/arena-judge": {"wrong": 0.02},
}
"""Share of replies that a model spoils, by kind of fault."""

TERSE = 0.2
"""Share of the teacher's replies to math that give the result without its steps. The SFT model learns both ways of
answering, and that the written steps are right more often is left for RL to find out."""
REPEATED_PHRASE = "Let me check it again."
QUERY_MARK = "\nQuery:\n"
CHOICE_MARK = "\nMultiple choice:\n"
"""Stands before a multiple-choice query that the rewriter's model is to compare with the query."""

Messages = list[dict[str, str]]


@dataclass(frozen=True)
class Reply:
    text: str
    fault: str
    """A kind of FAULT_RATES, or "ok"."""
    cut: bool = False
    """The text ends where its length limit was."""


def _stream(seed: int, model: str, messages: Messages, request_seed: int, choice: int) -> random.Random:
    said = [[message["role"], message["content"]] for message in messages]
    text = json.dumps([seed, model, said, request_seed, choice], ensure_ascii=False)
    return random.Random(hashlib.blake2b(text.encode(), digest_size=16).digest())


def fault_of(seed: int, model: str, messages: Messages, request_seed: int, choice: int = 0) -> str:
    """The kind of fault that the endpoint of this seed plants in a reply, or "ok"."""
    return _fault(model, _stream(seed, model, messages, request_seed, choice))


def _fault(model: str, rng: random.Random) -> str:
    draw = rng.random()
    for kind, rate in FAULT_RATES[model].items():
        if draw < rate:
            return kind
        draw -= rate
    return "ok"


def reply(seed: int, model: str, messages: Messages, request_seed: int, choice: int = 0) -> Reply:
    """What the model says.

    Raises:
        KeyError: there is no such model.
    """
    rng = _stream(seed, model, messages, request_seed, choice)
    fault = _fault(model, rng)
    return ROLES[model](messages, fault, rng)


def query_of(messages: Messages) -> str:
    """What is asked: the text after the last line "Query:" of the last user message, or all of it."""
    content = next((message["content"] for message in reversed(messages) if message["role"] == "user"), "")
    return f"\n{content}".rsplit(QUERY_MARK, 1)[-1].strip()


# --- models that answer ------------------------------------------------------------------------------------


def _worked_answer(query: str, wrong: bool, rng: random.Random) -> tuple[str, str, str]:
    """(working, the same in short, final answer)."""
    problem = solve(query)
    if problem is not None:
        problem = wrong_answer(problem, rng) if wrong else problem
        short = f"It is {problem.answer}." if problem.category == "math" else problem.working
        return problem.working, short, problem.final
    if faults.is_proof(query):
        return *["It holds for all numbers."] * 2, "It is true."
    return *["Something is missing here."] * 2, "I do not know."


def _teacher(messages: Messages, fault: str, rng: random.Random) -> Reply:
    working, short, final = _worked_answer(query_of(messages), fault == "wrong", rng)
    opening = "Let me see. " if rng.random() < 0.4 else ""
    working = opening + (short if rng.random() < TERSE else working)
    if fault == "repetition":
        working = " ".join([working, *[REPEATED_PHRASE] * rng.randint(4, 8)])
    if fault == "missing_think":
        return Reply(f"<think>{working}<answer>{final}</answer>", fault)
    text = f"<think>{working}</think><answer>{final}</answer>"
    if fault == "truncated":
        return Reply(text[: rng.randint(len(text) // 3, len(text) * 4 // 5)], fault, cut=True)
    return Reply(text, fault)


def _second_opinion(messages: Messages, fault: str, rng: random.Random) -> Reply:
    working, _, final = _worked_answer(query_of(messages), fault == "wrong", rng)
    wants_tags = any("<think>" in message["content"] for message in messages)
    return Reply(f"<think>{working}</think><answer>{final}</answer>" if wants_tags else f"{working}\n{final}", fault)


# --- models that judge -------------------------------------------------------------------------------------


def _clarity_judge(messages: Messages, fault: str, rng: random.Random) -> Reply:
    clear = faults.is_complete(core_text(query_of(messages))) is not (fault == "wrong")
    reason = "All that is needed is given." if clear else "A number, the question or its end is missing."
    return Reply(json.dumps({"clear": clear, "reason": reason}), fault)


def _rewriter(messages: Messages, fault: str, rng: random.Random) -> Reply:
    """Multiple choice -> fill-in, where the stem alone is a question; the answer is the right option's text. Asked to
    compare, it judges such a rewriting."""
    if CHOICE_MARK in messages[-1]["content"]:
        return _rewriting_judge(messages, fault)
    stem, options = split_options(core_text(query_of(messages)))
    problem = solve(stem) if options else None
    if problem is None or problem.options or problem.answer not in options:
        return Reply(json.dumps({"applicable": False, "query": "", "answer": ""}), "ok")
    answer = problem.answer
    if fault == "wrong":
        answer = rng.choice([option for option in options if option != answer])
    return Reply(json.dumps({"applicable": True, "query": stem, "answer": answer}), fault)


def _rewriting_judge(messages: Messages, fault: str) -> Reply:
    choice = messages[-1]["content"].partition(CHOICE_MARK)[2].rpartition(QUERY_MARK)[0]
    stem, options = split_options(core_text(choice))
    same = (bool(options) and core_text(query_of(messages)) == stem) is not (fault == "wrong")
    reason = "It asks the same without options." if same else "It asks something else, or needs the options."
    return Reply(json.dumps({"same": same, "reason": reason}), fault)


_GLOSSES = dict(
    pair.split("=")
    for pair in """the=der a=ein an=ein and=und of=von in=in to=zu for=für with=mit how=wie many=viele
    much=viel what=was are=sind is=ist has=hat have=haben now=jetzt gives=gibt then=dann more=mehr all=allen
    each=jede days=Tage day=Tag books=Bücher eggs=Eier apples=Äpfel cards=Karten stones=Steine balls=Bälle
    box=Kiste boxes=Kisten finds=findet please=bitte explain=erkläre write=schreibe two=zwei three=drei
    about=über reason=Grund child=Kind""".split()
)


def _paraphraser(messages: Messages, fault: str, rng: random.Random) -> Reply:
    """A known problem in another of its phrasings, other text as it is; "German" word by word, which is no German."""
    query = query_of(messages)
    if "into German" in messages[-1]["content"]:
        return Reply(re.sub(r"[A-Za-z]+", lambda word: _GLOSSES.get(word[0].lower(), word[0]), query), fault)
    if (problem := solve_math(query)) is not None:
        others = [index for index in range(len(MATH[problem.kind].phrasings)) if index != problem.phrasing]
        return Reply(rephrase(problem, rng.choice(others)).query, fault)
    problem = solve_chat(query)
    if problem is not None and problem.kind in ARENA_PARAPHRASES:
        return Reply(ARENA_PARAPHRASES[problem.kind].format(**problem.slots), fault)
    return Reply(query, fault)


_GAME = re.compile(
    r"<\|User Prompt\|>\n(.*?)\n+<\|The Start of Assistant A's Answer\|>\n(.*?)\n<\|The End of Assistant A's Answer\|>"
    r"\n+<\|The Start of Assistant B's Answer\|>\n(.*?)\n<\|The End of Assistant B's Answer\|>",
    re.DOTALL,
)
CLEARLY, SLIGHTLY = 1.5, 0.25
"""Differences of `quality` from which an answer is much better, or better."""


def quality(question: str, answer: str) -> float:
    """0 to 5: on topic counts double, then finished, coherent, and length up to 20 words."""
    words = re.findall(r"\w+", answer.lower())
    if not words:
        return 0.0
    problem = solve(question)
    subjects = {str(problem.slots[slot]).lower() for slot in "NTOa" if slot in problem.slots} if problem else set()
    subjects = subjects or {word for word in re.findall(r"\w+", question.lower()) if len(word) > 4}
    on_topic = len(subjects & set(words)) / len(subjects) if subjects else 1.0
    finished = answer.rstrip().endswith((".", "!", "?", '"', "```"))
    coherent = len(set(words)) / len(words) > 0.4 and not re.search(r"(\b\w+(?:\W+\w+){0,7}\W+)\1\1", answer)
    return 2 * on_topic + finished + coherent + min(len(words), 20) / 20


def _arena_judge(messages: Messages, fault: str, rng: random.Random) -> Reply:
    content = next((message["content"] for message in reversed(messages) if message["role"] == "user"), "")
    game = _GAME.search(content)
    if game is None:
        return Reply("There are no two answers to compare: [[A=B]]", "ok")
    quality_a, quality_b = quality(game[1], game[2]), quality(game[1], game[3])
    gap = quality_b - quality_a if fault == "wrong" else quality_a - quality_b
    size = ">>" if abs(gap) >= CLEARLY else ">" if abs(gap) >= SLIGHTLY else "="
    verdict = f"A{size}B" if gap >= 0 or size == "=" else f"B{size}A"
    return Reply(
        f"Topic, end and sense: A {quality_a:.2f}, B {quality_b:.2f}. My final verdict is: [[{verdict}]]", fault
    )


ROLES: dict[str, Callable[[Messages, str, random.Random], Reply]] = {
    "standin/deepseek-r1": _teacher,
    "standin/o4-mini": _second_opinion,
    "standin/clarity-judge": _clarity_judge,
    "standin/rewriter": _rewriter,
    "standin/paraphraser": _paraphraser,
    "standin/arena-judge": _arena_judge,
}


def tokens_of(text: str) -> list[str]:
    """Tokens as this endpoint counts them: words, and signs one by one, each with the space before it."""
    return re.findall(r"\s*(?:\w+|[^\w\s])|\s+$", text)


def limited(answer: Reply, max_tokens: int) -> Reply:
    """The reply cut at the length limit."""
    parts = tokens_of(answer.text)
    if len(parts) <= max_tokens:
        return answer
    return replace(answer, text="".join(parts[:max_tokens]), cut=True)
