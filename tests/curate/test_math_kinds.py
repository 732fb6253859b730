"""Multiple choice, proofs and sub-questions, told apart from texts that look like them."""

import re
import resource
import subprocess
import sys

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from amt.curate.math_kinds import is_multi_part, is_multiple_choice, is_proof, options, right_option

AREA = "What is the area of a square of side 3?"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (f"{AREA}\nA) 6\nB) 9\nC) 12\nD) 15", ["6", "9", "12", "15"]),
        (f"{AREA} (A) 6 (B) 9 (C) 12", ["6", "9", "12"]),
        (f"{AREA}\nA. 6\nB. 9", ["6", "9"]),
        (rf"{AREA} $\textbf{{(A)}}\ 6 \qquad \textbf{{(B)}}\ 9 \qquad \textbf{{(C)}}\ 12$", 3),
        ("Is it true?\n(A) True\n(B) False", ["True", "False"]),
        (AREA, []),
        ("Triangle (A), (B), (C) and the points are given. Find the angle.", []),
        ("In triangle ABC, A. is the vertex and AB = BC. Find AC.", []),
        ("(a) Find x. (b) Find y. (c) Find z.", []),
        ('How long is AB?\n[asy]\nlabel("(A) 1"); label("(B) 2"); label("(C) 3");\n[/asy]', []),
    ],
)
def test_options(query, found):
    texts = options(query)
    assert (len(texts) if isinstance(found, int) else texts) == found


def test_small_letters_are_options_where_the_ground_truth_is_one():
    query = "What is 2 + 3? a) 4 b) 5 c) 6"
    assert options(query, "b") == ["4", "5", "6"]
    assert options(query, "5") == []


@pytest.mark.parametrize(
    ("query", "chosen"),
    [
        (f"{AREA} (A) 6 (B) 9 (C) 12", True),
        # Options that are drawn, or that have no labels in the text.
        (
            'Which is the graph of f(x) - 1?\n[asy]\nlabel("A");\n[/asy]\nEnter the letter of the graph of f(x) - 1.',
            True,
        ),
        ("Which must be true?\n$a < b$\n$b < c$\nEnter your answer as a list of those options.", True),
        ("1. $a < b$\n2. $b < c$\nEnter the labels of the statements that must hold.", True),
        (AREA, False),
        ("Write a word with the letters of the word PROOF. How many are there?", False),
        ("In how many ways can he give a letter of the alphabet to each of 5 boxes?", False),
        ("The boss gives the secretary a letter to type. How many orders are there?", False),
    ],
)
def test_multiple_choice_offers_options_or_asks_for_labels(query, chosen):
    assert is_multiple_choice(query) is chosen


@pytest.mark.parametrize(
    ("query", "ground_truth", "proof"),
    [
        ("Prove that the square root of 2 is irrational.", None, True),
        ("Show that n(n+1) is even for every n.", "", True),
        ("Let x > 0. Prove that x + 1/x >= 2.", "proof", True),
        ("Give a proof of the theorem of Pythagoras.", None, True),
        ("Prove that x is rational and find x.", "1/2", False),
        ("It has been proven that 17 is prime. What is 17 + 2?", "19", False),
        ("Let n be odd; verify that 8 divides n^2 - 1.", None, True),
        ("Describe how to proof the inequality of Cauchy.", None, True),
        # Somebody else shows it.
        ("In what year will the census show that there are less than 10?", "2009", False),
        ("Our results show that radio waves have no effect. Rewrite this.", None, False),
        ("Which improved recipe needs 3 eggs?", "cake", False),
    ],
)
def test_proofs(query, ground_truth, proof):
    assert is_proof(query, ground_truth) is proof


@pytest.mark.parametrize(
    ("query", "several"),
    [
        ("Tom has 3 pens. (a) How many legs? (b) How many eyes?", True),
        ("Let f(x) = x^2.\n1. Find f(2).\n2. Find f(3).", True),
        ("(i) Compute 2+2. (ii) Compute 3+3.", True),
        ("Part A: Find x. Part B: Find y.", True),
        ("Let f(x) = x^2 - a. (1) If a = 1, find the roots; (2) if f(2) = 0, determine a.", True),
        ("A loan has 40 payments.\n a. What is its value in 6 years?\n b. What is its value now?", True),
        ("What are the solutions of 8 x^2 = 8? If x is the length of a segment, what is x?", True),
        ("How old is Tom? And how old is Ann?", True),
        # Who asks first stands in the story, and the other sentence asks for nothing.
        ('Jon asks, "What is c?" Steve says, "Who knows?" What is the sum of both values of c?', False),
        ("A zoo has 21 penguins and twice as many bears? How many animals are there?", False),
        ("A die is thrown. a) Write down the outcomes. b) What are the odds of a six", True),
        # Numbered conditions are no questions, whatever verbs stand in them; nor is the one that follows the last.
        ("A number n satisfies: (1) n is a prime; (2) n is less than 20 and more than 17. Find n.", False),
        ("Find n. (i) When divided by 2, it does leave 1. (ii) Its digits are all equal, and it can be halved.", False),
        ("The least n is sought. a) It is odd. b) It leaves 2 when divided by 3. What is its square?", False),
        ("A number satisfies: (1) it has two digits; (2) its digits add to 9; (3) it ends in 5. Find it.", False),
        ("The function f(a) + f(b) = 3. Find f(a).", False),
        ("How many apples are there? They are red.", False),
        ("Find the sum of the roots of x^2 - 3x + 2 = 0.", False),
    ],
)
def test_multi_part(query, several):
    assert is_multi_part(query) is several


@pytest.mark.parametrize(
    ("query", "truth", "text"),
    [
        (f"{AREA}\nA) 6\nB) 9\nC) 12", "B", "9"),
        (f"{AREA}\nA) 6\nB) 9\nC) 12", r"\text{(C)}", "12"),
        (f"{AREA}\nA) 6\nB) 9\nC) 12", "B) 9", "9"),
        (f"{AREA}\nA) 6\nB) 9\nC) 12", "9", "9"),
        (f"{AREA}\nA) 6\nB) 9\nC) 12", "D", None),
        (f"{AREA}\nA) 6\nB) 9\nC) 12", "A, B", None),
        (f"{AREA}\nA) 6\nB) 9\nC) 12", r"\text{A and C}", None),
        (f"{AREA} a) 6 b) 9 c) 12", "b", "9"),
        # Which variable is it? The small letter is an option's text before it is another option's label.
        ("What is unknown?\nA) b\nB) c\nC) a", "a", "a"),
        ("Enter the letter of the graph that rises.", "B", None),
        # What sets options in a row is no part of them.
        (rf"{AREA} $\textbf{{(A)}}\ 6 \qquad \textbf{{(B)}}\ \sqrt{{81}} \qquad\textbf{{(C)}}\ 12$", "B", r"\sqrt{81}"),
        (
            rf"{AREA} $\textbf{{(A)}}\ 6 \qquad \textbf{{(B)}}\ 9 \qquad\textbf{{(C)}}\ \frac{{1}}{{2}}$",
            "C",
            r"\frac{1}{2}",
        ),
        (rf"{AREA} \[\mathrm{{(A) \ }}6 \qquad \mathrm{{(B) \ }}9 \qquad \mathrm{{(C) \ }}12\]", "C", "12"),
        (f"{AREA}\n(A) $6$\n(B) $9$ or $3^2$\n(C) $12$\n\nEnter the letter of the area.", "C", "$12$"),
        (f"{AREA}\n(A) $6$\n(B) $9$ or $3^2$\n(C) $12$\n\nEnter the letter of the area.", "B", "$9$ or $3^2$"),
    ],
)
def test_the_option_that_a_ground_truth_names(query, truth, text):
    assert right_option(query, truth) == text


# As one pattern says it that looks for the beginning too, at every place of the text.
TWO_QUESTIONS = re.compile(
    r"(?:^|(?<=[.?!:;])\s+)\W*(?:(?:and|then|also)\b\W*)?(?:(?:if|when|given|suppose)\b[^?\n\"“”]{1,200}?,?\s)?"
    r"(?:what|how|which|when|where|who)\b[^?\n\"“”]{5,300}?\?",
    re.IGNORECASE | re.MULTILINE,
)
SIGNS = st.text(' .?!:;,-$"\n', max_size=4)
WORDS = st.sampled_from(
    [
        "What is the value?",
        "how many are there? ",
        "If x is 3, what is y?",
        "when",
        "who comes",
        "and",
        "Then",
        "x",
        "given",
    ]
)


@settings(max_examples=500)
@given(st.lists(st.tuples(SIGNS, WORDS), min_size=1, max_size=6), SIGNS)
def test_two_sentences_that_ask_make_several_questions(parts, end):
    text = "".join(signs + words for signs, words in parts) + end
    assume(not re.search(r"\s\W*\?", text))  # there it ends a question and stands before the next one, which overlap
    assert is_multi_part(text) is (len(TWO_QUESTIONS.findall(text)) >= 2)


LONG_RUNS = """
import sys
from amt.curate.math_kinds import is_multi_part, is_multiple_choice, is_proof, right_option
for run in (" ", "? ", ". ", "\\n", "* ", "\\n*", "\\\\ ", ", ", "- - . ", "}", "\\\\qquad "):
    long = run * 100_000
    for text in (f"A.{long}x", f"A) 1 B) {long}2 C) 3", f"What is x? Find y. (a) {long}x (b) z"):
        is_multi_part(text), is_proof(text, "1"), is_multiple_choice(text, "A"), right_option(text, "C")
"""


def test_long_runs_of_signs_cost_no_more_than_other_text():
    """33 queries of 100,000 to 700,000 characters: some seconds of CPU time where each place is looked at a few times,
    many minutes for one of them where a run is read again from each of its places."""
    limit = 120

    def limited():
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))

    subprocess.run([sys.executable, "-c", LONG_RUNS], check=True, preexec_fn=limited)
