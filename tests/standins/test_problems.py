"""Problems: what `solve` reads is what `draw` drew, and answers are right by another way of working them out."""

import contextlib
import io
import json
import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amt.rewards.instructions import grade_instructions
from amt.standins import faults
from amt.standins.arithmetic import MATH, draw_math, rephrase
from amt.standins.chatting import ARENA, draw_chat
from amt.standins.choices import FOLLOWING_PHRASINGS, as_multiple_choice, draw_following, split_options
from amt.standins.problems import LEAD_INS, TAILS, draw, kinds, solve, wrong_answer

SEEDS = st.integers(0, 2**31)


@pytest.mark.parametrize(("category", "kind"), kinds())
@settings(max_examples=25)
@given(seed=SEEDS)
def test_solve_reads_what_was_drawn(category, kind, seed):
    drawn = draw(category, kind, random.Random(seed))
    solved = solve(drawn.query)
    assert solved is not None
    assert (solved.category, solved.kind) == (drawn.category, drawn.kind)
    assert solved.response == drawn.response
    assert (solved.tests, solved.instructions, solved.options) == (drawn.tests, drawn.instructions, drawn.options)
    assert len(drawn.query.split()) <= 35


@settings(max_examples=50)
@given(seed=SEEDS, kind=st.sampled_from(sorted(ARENA)))
def test_arena_questions_are_read_too(seed, kind):
    drawn = draw_chat(kind, random.Random(seed))
    assert solve(drawn.query).answer == drawn.answer


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        ("Tom has 12 apples. Mia gives Tom 17 more. How many apples does Tom have now?", "29"),
        ("Ben has 52 pens. Ben gives 35 of them to Ana. How many pens does Ben have left?", "17"),
        ("Ida is 41 years old and pays 6 coins for each of 7 eggs. How many coins does Ida pay?", "42"),
        (
            "Max, who is 33 years old, shares 56 cups among 8 friends. How many cups does each friend get?",
            "7",
        ),
        ("With 47 coins Ben buys 8 books, and each costs 5 coins. How many coins does Ben have left?", "7"),
        ("Eva has 3 boxes with 9 balls in each box and 14 more balls. How many balls does Eva have in all?", "41"),
        ("At first Leo has 44 cards. Sam takes 29 of them. Then Leo finds 11. How many cards does Leo have now?", "26"),
        ("Which number comes next: 26, 31, 36, 41?\nA) 41\nB) 49\nC) 36\nD) 46", "D"),
        ("How many days are in 22 weeks? (A)156 (B)152 (C)149 (D)154", "D"),
        ("Which of the following numbers is even?\nA) 31\nB) 48\nC) 55\nD) 77", "B"),
    ],
)
def test_known_answers(query, answer):
    assert solve(query).answer == answer


@pytest.mark.parametrize(
    "query",
    [
        "",
        "Tom has some apples. Mia gives Tom 17 more. How many apples does Tom have now?",
        "Tom has 12 apples. Mia gives Tom 17 more.",
        "Tom has 12 apples. Mia gives Ben 17 more. How many apples does Tom have now?",  # another person
        "Max, who is 33 years old, shares 57 cups among 8 friends. How many cups does each friend get?",
        "Max, who is 33 years old, shares 57 cups among 0 friends. How many cups does each friend get?",
        "Which number comes next: 26, 31, 37, 41?\nA) 41\nB) 49\nC) 36\nD) 46",
        "Which of the following numbers is even?\nA) 31\nB) 48\nC) 56\nD) 77",  # two are
        "How many days are in 22 weeks? (A)156 (B)152 (C)149 (D)155",  # none is right
        "Write about rivers. Sing it.",
    ],
)
def test_what_cannot_be_answered_is_not_answered(query):
    assert solve(query) is None


@pytest.mark.parametrize(("category", "kind"), [pair for pair in kinds() if pair[0] == "code"])
def test_programs_pass_their_tests_and_wrong_ones_do_not(category, kind):
    rng = random.Random(5)
    for _ in range(10):
        problem = draw(category, kind, rng)
        assert all(_case_results(problem.answer, problem.tests))
        assert not all(_case_results(wrong_answer(problem, rng).answer, problem.tests))
        json.dumps(problem.tests)


def _case_results(code, tests):
    if tests["kind"] == "call":
        names: dict = {}
        exec(code, names)
        return [names[tests["entry_point"]](*case["args"]) == case["expected"] for case in tests["cases"]]
    results = []
    for case in tests["cases"]:
        printed, lines = io.StringIO(), iter(case["stdin"].splitlines())
        with contextlib.redirect_stdout(printed):
            exec(code, {"input": lambda lines=lines: next(lines)})
        results.append(printed.getvalue() == case["stdout"])
    return results


# Written apart from the generator, after the definitions of IFEval.
_OBEYS = {
    "length_constraints:number_words": lambda text, num_words, relation: len(re.findall(r"\w+", text)) >= num_words,
    "punctuation:no_comma": lambda text: "," not in text,
    "change_case:english_lowercase": lambda text: text == text.lower(),
    "keywords:existence": lambda text, keywords: all(re.search(rf"\b{word}\b", text, re.I) for word in keywords),
    "keywords:forbidden_words": lambda text, forbidden_words: (
        not any(re.search(rf"\b{word}\b", text, re.I) for word in forbidden_words)
    ),
    "startend:end_checker": lambda text, end_phrase: text.strip().strip('"').lower().endswith(end_phrase.lower()),
    "startend:quotation": lambda text: len(text) > 1 and text[0] == text[-1] == '"',
    "detectable_format:number_bullet_lists": lambda text, num_bullets: (
        len(re.findall(r"^\s*\*[^*].*$", text, re.M)) + len(re.findall(r"^\s*-.*$", text, re.M)) == num_bullets
    ),
}


@settings(max_examples=300)
@given(seed=SEEDS)
def test_the_teachers_text_obeys_every_instruction(seed):
    problem = draw("instruction_follow", "instructions", random.Random(seed))
    pairs = zip(problem.instructions["instruction_id_list"], problem.instructions["kwargs"], strict=True)
    for instruction, kwargs in pairs:
        assert _OBEYS[instruction](problem.answer, **kwargs), (instruction, kwargs, problem.answer)
    assert len(problem.answer.split()) <= 40


def test_the_projects_own_grader_passes_the_teacher_and_fails_wrong_answers():
    for seed in range(80):
        problem = draw("instruction_follow", "instructions", random.Random(seed))
        instructions = json.dumps(problem.instructions)
        assert grade_instructions(instructions, problem.response).passed, problem.query
        wrong = wrong_answer(problem, random.Random(seed))
        assert not grade_instructions(instructions, wrong.response).passed, problem.query


@settings(max_examples=100)
@given(seed=SEEDS, kind=st.sampled_from(sorted(MATH)))
def test_a_paraphrase_has_the_same_answer_and_another_text(seed, kind):
    problem = draw_math(kind, random.Random(seed))
    for phrasing in range(len(MATH[kind].phrasings)):
        other = rephrase(problem, phrasing)
        assert other.answer == problem.answer
        assert (other.query == problem.query) == (phrasing == problem.phrasing)


@settings(max_examples=100)
@given(seed=SEEDS, kind=st.sampled_from(sorted(MATH)))
def test_polite_words_and_suffixes_change_no_answer(seed, kind):
    problem = draw_math(kind, random.Random(seed))
    suffix = "Let's think step by step and output the final answer within \\box{}."
    for text in (
        f"{LEAD_INS[0]} {problem.query} {TAILS[0]}",
        f"{problem.query}\n{suffix}",
        faults.reworded(problem.query, random.Random(seed)),
    ):
        assert solve(text).answer == problem.answer
        assert faults.is_complete(text)


@settings(max_examples=100)
@given(seed=SEEDS, kind=st.sampled_from(sorted(MATH)), following=st.sampled_from(sorted(FOLLOWING_PHRASINGS)))
def test_options_hold_the_answer_once(seed, kind, following):
    rng = random.Random(seed)
    for problem in (as_multiple_choice(draw_math(kind, rng), rng), draw_following(following, rng)):
        stem, options = split_options(problem.query)
        assert options == problem.options
        assert len(set(options)) == 4
        assert solve(problem.query).answer == problem.answer
        assert stem
        assert "\n" not in stem


@pytest.mark.parametrize(("category", "kind"), [pair for pair in kinds() if pair[0] in ("math", "science")])
def test_wrong_answers_are_wrong(category, kind):
    rng = random.Random(11)
    for _ in range(20):
        problem = draw(category, kind, rng)
        wrong = wrong_answer(problem, rng)
        assert wrong.answer != problem.answer
        assert wrong.query == problem.query
        assert re.fullmatch(r"<think>.+</think><answer>\\boxed\{[^{}]+\}</answer>", wrong.response)


@settings(max_examples=200)
@given(seed=SEEDS)
def test_faulty_queries_are_what_they_claim(seed):
    rng = random.Random(seed)
    assert not faults.is_complete(faults.unclear(rng).query)
    proof, (parts, _) = faults.proof(rng), faults.multi_part(rng)
    assert faults.is_proof(proof)
    assert faults.is_multi_part(parts)
    assert faults.is_complete(proof)
    assert faults.is_complete(parts)
