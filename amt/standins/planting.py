"""Sample rows with known faults: what the laptop build collects in place of the hub.

Invariant: a planted row has one fault, every other row has none. No unplanted row has all numbers of a
benchmark question or much of its wording, and no two of them are alike; an equal text with other numbers is
another problem. Everything comes from SAMPLES_SEED.

amt/sources/samples/{source}.jsonl are written by scripts/generate_samples.py from `sample_rows`; the planted
rows are listed in planted.json beside them, whose format amt/sources/planted.py tells. Faults of responses
are not planted here: the scripted endpoint makes them, see amt.standins.endpoint.fault_of.
"""

import random
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import combinations
from typing import Any

from amt.seeds import seed_for
from amt.standins import faults, published
from amt.standins.arithmetic import MATH, draw_math, rephrase
from amt.standins.benchmarks import arena_questions, math_questions
from amt.standins.chatting import ARENA_PARAPHRASES, CHAT, draw_chat
from amt.standins.choices import (
    FOLLOWING_PHRASINGS,
    SCIENCE_PHRASINGS,
    as_multiple_choice,
    draw_following,
    draw_science,
)
from amt.standins.coding import CODE, draw_code
from amt.standins.obeying import draw_instruction
from amt.standins.phrasing import Problem
from amt.standins.problems import wrong_answer
from amt.standins.published import Draft
from amt.standins.wording import jaccard, numbers_of, runs

SAMPLES_SEED = 20250513
ALIKE = 0.5
"""Shingle similarity from which an unplanted row with the same numbers as another is drawn again."""
COVERED = 0.34
"""Share of a benchmark question's 8-word runs from which an unplanted row is drawn again."""

ROWS = {
    "openr1_math_220k": 900,
    "big_math_rl_verified": 900,
    "numinamath": 800,
    "metamathqa": 600,
    "deepmath_103k": 500,
    "aime_1983_2024": 300,
    "kodcode_v1": 250,
    "opencoder": 300,
    "verifiable_coding": 250,
    "acecode_87k": 200,
    "task_mmmlu": 400,
    "logic_701": 300,
    "nemotron_if": 400,
    "tulu3_if": 300,
    "ultra_chat": 450,
    "openhermes_2_5": 450,
    "data_ablation_full59k": 60,
    "amc_2023": 40,
    "prime_eurus2": 60,
    "deepcoder": 60,
    "livecodebench_generation": 50,
    "codeforces_cots": 50,
    "openthoughts_code": 50,
    "chemistryqa": 50,
    "nemotron_science": 60,
    "ncert_physics_11": 40,
    "ncert_physics_12": 40,
    "ncert_chemistry_11": 40,
    "ncert_chemistry_12": 40,
    "ncert_biology_11": 40,
    "ncert_biology_12": 40,
    "logiclm": 50,
    "evol": 60,
    "infinity_instruct": 60,
    "open_orca": 60,
    "tulu3_chat": 60,
    "natural_reasoning": 60,
    "flan": 60,
}
"""Rows of each source, planted ones among them."""

PLANTED = {
    "openr1_math_220k": {
        "url": 6, "image": 6, "proof": 20, "multi_part": 12, "multiple_choice": 30, "multiple_choice_fixed": 10,
        "wrong_ground_truth": 25, "unclear": 12, "benchmark_verbatim": 6, "benchmark_paraphrase": 6,
    },
    "big_math_rl_verified": {
        "exact_duplicate": 12, "near_duplicate": 12, "url": 6, "image": 6, "multi_part": 12, "multiple_choice": 30,
        "multiple_choice_fixed": 10, "wrong_ground_truth": 30, "unclear": 12, "benchmark_verbatim": 6,
        "benchmark_paraphrase": 6,
    },
    "numinamath": {
        "exact_duplicate": 12, "near_duplicate": 12, "url": 5, "image": 6, "proof": 20, "multi_part": 10,
        "wrong_ground_truth": 25, "unclear": 12, "benchmark_verbatim": 6, "benchmark_paraphrase": 6,
    },
    "metamathqa": {
        "exact_duplicate": 10, "near_duplicate": 12, "url": 4, "image": 4, "wrong_ground_truth": 20, "unclear": 10,
        "benchmark_verbatim": 4, "benchmark_paraphrase": 6,
    },
    "deepmath_103k": {"multi_part": 6, "wrong_ground_truth": 15, "unclear": 4, "benchmark_verbatim": 2},
    "aime_1983_2024": {"near_duplicate": 4, "wrong_ground_truth": 5},
    "opencoder": {"exact_duplicate": 6, "near_duplicate": 6, "url": 3},
    "verifiable_coding": {"exact_duplicate": 4, "url": 3},
    "acecode_87k": {"exact_duplicate": 4, "near_duplicate": 4},
    "task_mmmlu": {"exact_duplicate": 4, "url": 4, "image": 6},
    "logic_701": {"exact_duplicate": 2, "image": 4},
    "nemotron_if": {"url": 4, "near_duplicate": 2},
    "tulu3_if": {"exact_duplicate": 4, "url": 3},
    "ultra_chat": {"url": 4, "image": 4, "benchmark_verbatim": 4, "benchmark_paraphrase": 4},
    "openhermes_2_5": {
        "exact_duplicate": 6, "near_duplicate": 8, "url": 4, "image": 4, "benchmark_verbatim": 4,
        "benchmark_paraphrase": 4,
    },
    "data_ablation_full59k": {"exact_duplicate": 3, "wrong_ground_truth": 4},
    "prime_eurus2": {"exact_duplicate": 3},
    "deepcoder": {"near_duplicate": 2},
    "openthoughts_code": {"exact_duplicate": 3},
    "infinity_instruct": {"exact_duplicate": 5, "url": 2},
    "evol": {"url": 2},
}  # fmt: skip
"""Planted rows of each source by kind of fault."""

LEFT_AT_THE_DOOR = {
    "aime_1983_2024": ("year_2024", 30),
    "tulu3_if": ("other_subset", 15),
    "data_ablation_full59k": ("other_subject", 6),
    "prime_eurus2": ("other_subject", 8),
    "livecodebench_generation": ("evaluated", 10),
    "codeforces_cots": ("interactive", 5),
    "openthoughts_code": ("without_tests", 5),
    "nemotron_science": ("without_reasoning", 8),
    "tulu3_chat": ("other_subset", 10),
}
"""Rows that the adapter itself leaves out, and why: AIME of 2024, other subsets of Tulu 3, ..."""
LEFT_OUT = {reason for reason, _ in LEFT_AT_THE_DOOR.values()}

COPIED_FROM = {
    "big_math_rl_verified": "openr1_math_220k",
    "numinamath": "openr1_math_220k",
    "metamathqa": "big_math_rl_verified",
    "aime_1983_2024": "aime_1983_2024",
    "opencoder": "kodcode_v1",
    "verifiable_coding": "verifiable_coding",
    "acecode_87k": "kodcode_v1",
    "task_mmmlu": "task_mmmlu",
    "logic_701": "logic_701",
    "nemotron_if": "nemotron_if",
    "tulu3_if": "nemotron_if",
    "openhermes_2_5": "ultra_chat",
    "data_ablation_full59k": "numinamath",
    "prime_eurus2": "verifiable_coding",
    "deepcoder": "verifiable_coding",
    "openthoughts_code": "verifiable_coding",
    "infinity_instruct": "openhermes_2_5",
}
"""Where the originals of a source's planted duplicates stand."""

MATH_SOURCES = (*tuple(ROWS)[:6], "data_ablation_full59k", "amc_2023")
CALL_SOURCES = ("kodcode_v1", "opencoder", "acecode_87k")
STDIN_SOURCES = ("verifiable_coding", "codeforces_cots")
CODE_SOURCES = ("prime_eurus2", "deepcoder", "livecodebench_generation", "openthoughts_code")
"""Of functions and of programs."""
MULTI_TURN_SOURCES = ("ultra_chat", "openhermes_2_5", "evol", "infinity_instruct", "tulu3_chat")
CHOICE_SOURCES = ("task_mmmlu", "nemotron_science", "logiclm")
STDIN_KINDS = tuple(kind for kind, coding in CODE.items() if coding.argument is None)
CALL_KINDS = tuple(kind for kind, coding in CODE.items() if coding.argument is not None)


class Unlike:
    """Remembers the rows so far and says whether another is unlike all of them and all benchmark questions."""

    def __init__(self):
        questions = [problem.query for problem in (*math_questions(), *arena_questions())]
        self._held_out = {tuple(sorted(numbers_of(problem.query).elements())) for problem in math_questions()}
        self._by_run: dict[tuple[str, ...], list[int]] = defaultdict(list)
        self._runs_of = [runs(question, 8) for question in questions]
        for number, found in enumerate(self._runs_of):
            for run in found:
                self._by_run[run].append(number)
        self._seen: dict[tuple, list[set]] = defaultdict(list)

    def accept(self, text: str) -> bool:
        """Whether the text is unlike all others; if so it is remembered."""
        numbers = numbers_of(text)
        in_order = sorted(numbers.elements())
        if any(part in self._held_out for size in (2, 3, 4) for part in combinations(in_order, size)):
            return False
        shared: dict[int, int] = defaultdict(int)
        for run in runs(text, 8):
            for question in self._by_run.get(run, ()):
                shared[question] += 1
        if any(count / len(self._runs_of[question]) >= COVERED for question, count in shared.items()):
            return False
        shingles = runs(text, 3)
        alike = self._seen[tuple(in_order)]
        if any(jaccard(shingles, other) > ALIKE for other in alike):
            return False
        alike.append(shingles)
        return True


def sample_rows() -> tuple[dict[str, list[dict[str, Any]]], dict[str, list[dict[str, Any]]]]:
    """({source: rows as published}, {kind of fault: [entry]}) with entries as in planted.json but row ids.

    An entry has source, index, and where they apply same_as_source and same_as_index, or benchmark and question.
    """
    drafts = _all_drafts()
    rows = {source: _publish(source, drafts[source]) for source in ROWS}
    entries: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for source in ROWS:
        for draft in drafts[source]:
            if draft.fault and draft.fault not in LEFT_OUT:
                entries[draft.fault].append(_entry(draft))
    return rows, dict(sorted(entries.items()))


def _entry(draft: Draft) -> dict[str, Any]:
    entry: dict[str, Any] = {"source": draft.source, "index": draft.index}
    if draft.copy_of is not None:
        entry |= {"same_as_source": draft.copy_of.source, "same_as_index": draft.copy_of.index}
    if draft.question is not None:
        entry |= {"benchmark": draft.benchmark, "question": draft.question}
    return entry


def _all_drafts() -> dict[str, list[Draft]]:
    unlike = Unlike()
    leaks = _leaks(random.Random(seed_for(SAMPLES_SEED, "leaks")))
    drafts: dict[str, list[Draft]] = {}
    for source, count in ROWS.items():
        rng = random.Random(seed_for(SAMPLES_SEED, "rows", source))
        wanted = PLANTED.get(source, {})
        faulty = [
            draft
            for kind, number in wanted.items()
            if kind not in ("exact_duplicate", "near_duplicate")
            for draft in _faulty(source, kind, number, rng, unlike, leaks)
        ]
        copies = wanted.get("exact_duplicate", 0) + wanted.get("near_duplicate", 0)
        plain = [_plain(source, rng, unlike) for _ in range(count - len(faulty) - copies)]
        reason, number = LEFT_AT_THE_DOOR.get(source, ("", 0))
        for draft in plain[:number]:
            draft.fault = reason
        drafts[source] = plain + faulty
        originals = _originals(drafts[COPIED_FROM[source]], source, copies, rng) if copies else []
        for number, original in enumerate(originals):
            exact = number < wanted.get("exact_duplicate", 0)
            drafts[source].append(_copy(source, original, exact, rng))
        rng.shuffle(drafts[source])
        for index, draft in enumerate(drafts[source]):
            draft.index = index
    return drafts


def _originals(drafts: list[Draft], source: str, count: int, rng: random.Random) -> list[Draft]:
    """Rows without a fault that no other row copies yet; long ones, of which a light rewording stays light."""
    free = [draft for draft in drafts if draft.fault is None and not draft.copied]
    chosen = rng.sample([draft for draft in free if len(draft.problem.query.split()) >= 12], count)
    for draft in chosen:
        draft.copied = True
    return chosen


def _copy(source: str, original: Draft, exact: bool, rng: random.Random) -> Draft:
    problem = original.problem
    if not exact:
        problem = replace(problem, query=faults.reworded(problem.query, rng))
    fault = "exact_duplicate" if exact else "near_duplicate"
    return Draft(source, problem, original.claimed, fault, copy_of=original, earlier=original.earlier)


def _draw(source: str, rng: random.Random) -> Problem:
    if source in MATH_SOURCES:
        return draw_math(rng.choice(list(MATH)), rng)
    if source in CALL_SOURCES:
        return draw_code(rng.choice(CALL_KINDS), rng)
    if source in STDIN_SOURCES:
        return draw_code(rng.choice(STDIN_KINDS), rng)
    if source in CODE_SOURCES:
        return draw_code(rng.choice(list(CODE)), rng)
    if source.startswith("ncert_") or source == "chemistryqa":  # numbers to work out, and what to explain
        explains = source != "chemistryqa" and rng.random() < 0.4
        return draw_chat(rng.choice(list(CHAT)), rng) if explains else draw_math(rng.choice(list(MATH)), rng)
    if source in CHOICE_SOURCES:
        return draw_science(rng.choice(list(SCIENCE_PHRASINGS)), rng)
    if source == "logic_701":
        return draw_science(rng.choice(list(SCIENCE_PHRASINGS)), rng, rng.choice((4, 5)))
    if source in ("nemotron_if", "tulu3_if"):
        return draw_instruction(rng)
    return draw_chat(rng.choice(list(CHAT)), rng)


def _until(unlike: Unlike, draw: Callable[[], Draft]) -> Draft:
    for _ in range(20_000):
        draft = draw()
        stem = draft.problem.query.split("\nA)")[0]
        conversation = "\n".join([*(user for user, _ in draft.earlier), draft.problem.query])
        # What remains when the options go must be a problem of its own, if it is a problem at all.
        rewritable = stem != draft.problem.query and draft.fault != "multiple_choice_fixed"
        texts = [conversation, stem] if rewritable else [conversation]
        if all(unlike.accept(text) for text in texts):
            return draft
    raise ValueError(f"{draft.source}: no further row is unlike the others (last: {draft.problem.query!r})")


def _plain(source: str, rng: random.Random, unlike: Unlike) -> Draft:
    def draw() -> Draft:
        problem = _draw(source, rng)
        earlier = []
        if source in MULTI_TURN_SOURCES and rng.random() < 0.2:
            before = _draw(source, rng)
            earlier = [(before.query, before.answer)]
        return Draft(source, problem, problem.answer, earlier=earlier)

    return _until(unlike, draw)


def _faulty(
    source: str, kind: str, count: int, rng: random.Random, unlike: Unlike, leaks: dict[tuple[str, str], Iterator]
) -> list[Draft]:
    if kind.startswith("benchmark_"):
        benchmark = "math" if source in MATH_SOURCES else "arena"
        found = []
        for _ in range(count):
            number, problem = next(leaks[kind, benchmark])
            found.append(Draft(source, problem, problem.answer, kind, question=number, benchmark=benchmark))
        return found
    return [_until(unlike, lambda: _with_fault(source, kind, rng)) for _ in range(count)]


def _with_fault(source: str, kind: str, rng: random.Random) -> Draft:
    if kind == "proof":
        return Draft(source, Problem("proof", "math", faults.proof(rng), "", "It is true."), "", kind)
    if kind == "multi_part":
        query, answers = faults.multi_part(rng)
        return Draft(source, Problem("multi_part", "math", query, answers, "There are two answers."), answers, kind)
    if kind == "unclear":
        problem = faults.unclear(rng)
        return Draft(source, problem, problem.answer, kind)
    if kind == "multiple_choice":
        problem = as_multiple_choice(_draw(source, rng), rng)
        return Draft(source, problem, problem.answer, kind)
    if kind == "multiple_choice_fixed":
        problem = draw_following(rng.choice(list(FOLLOWING_PHRASINGS)), rng)
        return Draft(source, problem, problem.answer, kind)
    problem = _draw(source, rng)
    if kind == "wrong_ground_truth":
        wrong = wrong_answer(problem, rng)
        return Draft(source, replace(problem, working=wrong.working), wrong.answer, kind)
    spoil = faults.with_url if kind == "url" else faults.with_image
    return Draft(source, replace(problem, query=_around_stem(problem, spoil, rng)), problem.answer, kind)


def _around_stem(problem: Problem, spoil: Callable[[str, random.Random], str], rng: random.Random) -> str:
    """The query spoilt; options stay at the end."""
    stem, *options = problem.query.split("\nA)")
    return "\nA)".join([spoil(stem, rng), *options])


def _leaks(rng: random.Random) -> dict[tuple[str, str], Iterator[tuple[int, Problem]]]:
    """(fault, benchmark) -> (number, problem) of the leaking questions: the first ones, each leaking once."""
    verbatim = sum(wanted.get("benchmark_verbatim", 0) for source, wanted in PLANTED.items() if source in MATH_SOURCES)
    arena = sum(wanted.get("benchmark_verbatim", 0) for source, wanted in PLANTED.items() if source not in MATH_SOURCES)
    numbered = list(enumerate(math_questions()))
    chat = list(enumerate(arena_questions()))
    return {
        ("benchmark_verbatim", "math"): iter(numbered[:verbatim]),
        ("benchmark_paraphrase", "math"): ((n, _math_paraphrase(p, rng)) for n, p in numbered[verbatim:]),
        ("benchmark_verbatim", "arena"): iter(chat[:arena]),
        ("benchmark_paraphrase", "arena"): (
            (n, replace(p, query=ARENA_PARAPHRASES[p.kind].format(**p.slots))) for n, p in chat[arena:]
        ),
    }


def _math_paraphrase(problem: Problem, rng: random.Random) -> Problem:
    others = [index for index in range(len(MATH[problem.kind].phrasings)) if index != problem.phrasing]
    return rephrase(problem, rng.choice(others))


def _publish(source: str, drafts: list[Draft]) -> list[dict[str, Any]]:
    rng = random.Random(seed_for(SAMPLES_SEED, "columns", source))
    rows = [getattr(published, source)(draft, rng) for draft in drafts]
    if source == "aime_1983_2024":
        _number_aime(rows, [draft.fault == "year_2024" for draft in drafts])
    return rows


def _number_aime(rows: list[dict[str, Any]], of_2024: list[bool]) -> None:
    """Years from 1983, fifteen problems a year, two papers a year from 2000 on; 2024 where asked for."""
    papers = [(year, part) for year in range(1983, 2024) for part in ((None,) if year < 2000 else ("I", "II"))]
    places = ((year, part, number) for year, part in papers for number in range(1, 16))
    places_2024 = ((2024, part, number) for part in ("I", "II") for number in range(1, 16))
    for row, is_2024 in zip(rows, of_2024, strict=True):
        year, part, number = next(places_2024 if is_2024 else places)
        row |= {"Year": year, "Problem Number": number, "Part": part}
        row["ID"] = f"{year}-{number}" if part is None else f"{year}-{part}-{number}"
