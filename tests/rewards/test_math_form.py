r"""Verdicts on math answers, each written by hand in math_pairs.tsv, and what math_verify is fooled by.

Where a verdict is still wrong it stands in REMAINING, which docs/rewards.md lists.
"""

import csv
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amt.rewards.math_answer import MathGrader
from amt.rewards.math_form import claims, normal, notation_verdict, objection
from amt.rewards.math_letters import letters_verdict
from amt.rewards.math_units import last_factor_kept

PAIRS = Path(__file__).parent / "math_pairs.tsv"
LABELLED = Path(__file__).parents[3] / "shared/data/math_verify/model_outputs.csv"

REMAINING = {
    # Paid though wrong: math_verify takes x and X for one variable.
    ("2x", r"\boxed{2X}"): True,
    # Not paid though right.
    (r"\infty", r"\boxed{\text{infinity}}"): False,
    ("5", r"\boxed{\text{The answer is }5}"): False,
    ("6", r"\boxed{6\phantom{7}}"): False,
    (r"e^{i\pi}", r"\boxed{-1}"): False,
}


@pytest.fixture(scope="module")
def grader():
    with MathGrader(workers=2) as grader:
        yield grader


def response(answer: str) -> str:
    return f"<think>\\boxed{{1000}}</think><answer>{answer}</answer>"


def test_every_verdict_is_the_one_written_by_hand(grader):
    with PAIRS.open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    assert len(rows) > 500
    pairs = [(row["ground truth"], row["answer"]) for row in rows]
    expected = [row["verdict"] == "right" for row in rows]
    verdicts = grader.grade([(gold, response(answer)) for gold, answer in pairs])
    assert {verdict.status for verdict in verdicts} == {"scored"}
    wrong = {pair: verdict.passed for pair, verdict, right in zip(pairs, verdicts, expected) if verdict.passed != right}
    assert wrong == REMAINING


OPERATORS = r"""
\neq \ne \neg \lnot \sim \approx \cong \equiv \doteq \propto \to \rightarrow \Rightarrow \implies \iff \mapsto \lor
\land \vee \wedge \cup \cap \setminus \subset \in \notin \ni \mid \nmid \parallel \perp \prec \le \ge < > \ll \gg \cdot
\times \div * / ^ _ + - \pm \mp \circ \bullet \star \oplus \otimes \odot : ; , . ! ? | || & # @ " ` \\ \quad \, \text{}
\hspace{1em} \newline \par \ldots \cdots ... \because \therefore \vdash \models \mod \bmod \pmod \% $ \$ \triangleq :=
== === != <> => -> ~= = \text{then} \text{becomes} \text{or} \mathrm{or} \text{oder} \text{vs.} \text{or\ rather}
\text{instead\ of} \text{to} \hline \over \atop \choose \vert \backslash \frac \sqrt \stackrel{?}{=} \overset{?}{=}
""".split()
VALUES = [("6", "7"), (r"\sqrt{6}", r"\sqrt{7}"), ("(1,6)", "(1,7)"), ("6.5", "7.5"), (r"\frac{6}{5}", r"\frac{7}{5}")]
SHAPES = ["{wrong} {op} {right}", "{wrong}{op}{right}", "{wrong} ({op} {right})", "{right} ({op} {wrong})",
          "{right} {op} {wrong}", "{right}{op}{wrong}", "{wrong}{op}{{{right}}}"]  # fmt: skip


def test_a_right_value_beside_a_wrong_one_is_never_paid(grader):
    r"""7 \Rightarrow 6, \sqrt{6} \text{to} \sqrt{7}, 7 (\cdot 6): whatever stands between the two."""
    pairs = [
        (right, shape.format(wrong=wrong, right=right, op=op).replace("\\ ", " "))
        for right, wrong in VALUES
        for op in OPERATORS
        for shape in SHAPES
    ]
    verdicts = grader.grade([(gold, response(f"\\boxed{{{answer}}}")) for gold, answer in pairs])
    paid = {pair for pair, verdict in zip(pairs, verdicts) if verdict.passed}
    # The digits after an underscore are a base, which the question has named.
    assert paid == {("6", "6 _ 7"), ("6", "6_7")}


@settings(deadline=None, max_examples=200)
@given(st.text(r"\{}()[]|<>=+-*/^_,.:;!?%$&#~'0123 xAor", max_size=40), st.text(r"\{}()=+-/^_,.%0123 xA", max_size=12))
def test_no_text_breaks_the_form(answer, gold):
    gold, answer = normal(gold), normal(answer)
    plain = answer.strip(" .,;:$")
    assert objection(plain, plain) is None or "$" in plain
    assert notation_verdict(gold, answer) in (True, False, None)
    assert letters_verdict(gold, answer) in (True, False, None)
    assert last_factor_kept(answer).removesuffix("^{1}") in answer
    assert all(isinstance(claim, str) for claim in claims(gold, answer))
    objection(gold, answer)


@settings(deadline=None)
@given(st.fractions(min_value=0, max_value=1000, max_denominator=2000))
def test_a_repeating_decimal_is_its_fraction(number):
    """Long division by hand: the digits before a remainder comes again, and those from there on."""
    whole, remainder = divmod(number.numerator, number.denominator)
    seen, digits = {}, ""
    while remainder and remainder not in seen:
        seen[remainder] = len(digits)
        digit, remainder = divmod(10 * remainder, number.denominator)
        digits += str(digit)
    if not remainder or len(digits) > 50:
        return
    start = seen[remainder]
    written = f"{whole}.{digits[:start]}\\overline{{{digits[start:]}}}"
    assert normal(written) == f"\\frac{{{number.numerator}}}{{{number.denominator}}}"


@pytest.mark.parametrize(
    ("value", "normalised"),
    [
        (r"\dfrac12", r"\frac{1}{2}"),
        (r"\frac1{2}", r"\frac{1}{2}"),
        ("3.2e5", "320000"),
        ("1e-3", r"\frac{1}{1000}"),
        ("2e", "2e"),
        ("（１，２）", "(1,2)"),
        (r"\textcolor{red}{5}", "{5}"),
        (r"\varnothing", r"\emptyset"),
    ],
)
def test_normal(value, normalised):
    assert normal(value) == normalised


@pytest.mark.parametrize(
    "answer", ["1" * 2000, "a" * 2000, "1" + "a" * 1998 + "!", "(" * 2000, "\\" * 2000, "1 " * 900]
)
def test_no_answer_of_full_length_is_slow(answer):
    """Each rule reads an answer a few times: within pytest's own limit means not cubic in its length."""
    objection("5", answer)
    claims("5", answer)


@pytest.mark.skipif(not LABELLED.exists(), reason=f"{LABELLED} is not there: it lies beside the project")
def test_labels_of_math_verify_itself(grader):
    """Its example outputs, with the gold beside them: the value between the last dollar signs is what it extracts."""
    with LABELLED.open(newline="") as file:
        rows = [(row["gold"].strip().strip("$"), row["answer"].strip()) for row in csv.DictReader(file)]
    values = [(gold, answer.rstrip("$").rpartition("$")[2]) for gold, answer in rows]
    assert len(values) == 6
    assert all(verdict.passed for verdict in grader.compare(values))
    golds = [gold for gold, _ in values]
    crossed = grader.compare([(gold, value) for gold, value in zip(golds, [*golds[1:], golds[0]])])
    assert not any(verdict.passed for verdict in crossed)
