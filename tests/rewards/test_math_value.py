"""Values of closed forms: told apart or found equal at once, and never against exact arithmetic."""

import string
from fractions import Fraction

import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from amt.rewards.math_value import same_value


@pytest.mark.parametrize(
    ("gold", "answer", "same"),
    [
        (r"\frac{1}{2}", r"\dfrac{2}{4}", True),
        ("1/2", r"\frac{1}{2}", True),
        (r"2\sqrt{3}", r"\sqrt{12}", True),
        (r"\sqrt{2}", r"\sqrt{3}", False),
        (r"\frac{-1+\sqrt{5}}{4}", r"\frac{\sqrt{5}-1}{4}", True),
        (r"6\pi", r"\pi \cdot 6", True),
        (r"6\pi", r"6", False),
        ("2^{10}", "1024", True),
        ("x^2+2x+1", "(x+1)^2", True),
        ("x^2+2x+1", "(x-1)^2", False),
        ("ab", "ba", True),
        ("3-i", "-i+3", True),
        ("i^2", "-1", True),
        (r"\left( 3, \frac{\pi}{2} \right)", r"(3,\frac{\pi}{2})", True),
        ("(1,2)", "(2,1)", False),
        ("[1,2)", "[1,3)", False),
        ("14400", "14401.5", False),
        # Left to math_verify: what a sign means, how near is near, what may be two things at once.
        ("(1,2)", "[1,2]", None),
        ("(1,2)", "(1,2,3)", False),
        ("5", "5x", None),
        ("5", "6x", False),
        ("x^2", "3x+1", False),
        ("2x", "2t", None),
        ("2pi", r"2\pi", None),
        ("e", "2.718", None),
        (r"\sqrt{x^2}", "x+1", False),
        # Units.
        ("12", r"12\text{ units}", True),
        ("12", r"13\text{ units}", False),
        ("12", r"12\mathrm{~cm}^{2}", None),
        ("12", r"12\text{ cm}^2", True),
        (r"12\text{ cm}", "12", True),
        (r"12\text{ cm}", r"12\text{ m}", None),
        (r"1\text{ m}", r"100\text{ cm}", None),
        ("5", r"5\text{ million}", None),
        ("1/2", r"50\text{ percent}", None),
        # Two readings.
        ("3,400", r"\frac{1}{3}", False),
        ("3,400", "3400", None),
        ("3,400", "(3,400)", None),
        ("3,14", "3.14", None),
        ("3,14", "3.15", False),
        (r"24{,}000", "24000", True),
        (r"50\%", "1/2", None),
        (r"50\%", "1/3", False),
        ("203_7", "101", None),
        ("203_7", "203", None),
        ("203_7", "204", False),
        # Lists, sets, intervals, matrices, words.
        ("1,2", "2,1", None),
        ("1,2", "1,2", True),
        ("1,2", "1,3", False),
        ("17,44", "-17,44", False),
        ("5", "5,5", None),
        ("5", "6,6", False),
        (r"75^\circ, 75^\circ", "75", None),
        (r"75^\circ, 75^\circ", "15", False),
        ("5", "(5,5)", False),
        ("5", "3,5", False),
        (r"\{1,2\}", r"\{1, 2\}", True),
        (r"\{1,2\}", r"\{2,1\}", None),
        (r"\{1,2\}", r"\{2,3\}", False),
        (r"\{1,2\}", "2", False),
        (r"(-\infty,2)", r"(-\infty, 2)", True),
        (r"(-\infty,2)", r"(\infty,2)", False),
        (r"(2,\infty)", r"(2,+\infty)", True),
        (r"(2,\infty)", "7", False),
        (r"(-\infty,2) \cup (3,4)", "7", False),
        (r"(-\infty,2) \cup (3,4)", "(1,2,3)", False),
        (r"(3,4) \cup (-\infty,2)", r"(-\infty,2) \cup (3,4)", True),
        (r"[1,2) \cup [2,3)", r"[1,3)", None),
        (r"[1,2) \cup (2,3)", r"[1,3)", False),
        (r"(0,\sqrt{2}) \cup [\frac{2}{\sqrt{2}},3)", "(0,3)", None),
        (r"[-\infty,2) \cup (3,4)", r"(-\infty,2) \cup (3,4)", None),
        (r"(-\infty,2) \cup (3,4)", r"(-\infty,2) \cup (3,5)", False),
        (r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}", r"\begin{pmatrix} 1 \\ \frac{4}{2} \end{pmatrix}", True),
        (r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}", r"\begin{pmatrix} 1 \\ 3 \end{pmatrix}", False),
        (r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}", r"\begin{pmatrix} 1 & 2 \end{pmatrix}", None),
        (r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}", "(1,2)", None),
        (r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}", "2", False),
        (r"\begin{pmatrix} 5 \end{pmatrix}", "5", None),
        (r"\begin{pmatrix} \det A \\ 1 \end{pmatrix}", r"\begin{pmatrix} \det B \\ 2 \end{pmatrix}", None),
        (r"\begin{pmatrix} \det A \\ 1 \end{pmatrix}", "1", False),
        (r"\frac{x^2-1}{x-1}", "x+1", True),
        (r"\begin{vmatrix} 1 & 2 \\ 3 & 4 \end{vmatrix}", "-2", None),
        (r"\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}", r"\begin{pmatrix} 1 \\ 3 \end{pmatrix}", False),
        (
            r"\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}",
            r"\begin{pmatrix} 1 & 2 & 3 \\ 3 & 4 & 5 \end{pmatrix}",
            False,
        ),
        (r"\text{Monday}", r"\frac{1}{4}", False),
        (r"\text{Monday}", r"\text{Tuesday}", None),
        ("n", r"\text{n}", None),
        ("1/3", "0.3333333", None),
        ("0.5", "1/2", None),
        ("1/2x", "x/2", None),
        (r"3\frac{1}{2}", "3.5", None),
        ("1 000", "1000", None),
        (r"\sqrt{x^2}", "x", None),
        (r"\sin(x)", r"\cos(x)", False),
        (r"\sin^2 x", r"1-\cos^2 x", None),
        (r"\sin 5x \cos x", r"\cos x \sin 5x", None),
        (r"2 \sin x", r"\sin 2 x", False),
        (r"\sin x/2", r"\sin x", None),
        (r"\sin^{-1} x", "x", None),
        (r"\tan 45^\circ", "7", None),
        (r"\ln x^2", r"2 \ln x", None),
        (r"\ln 2", "7", False),
        (r"\log 2", "7", None),
        (r"\cos^2\alpha", r"\cos^3\alpha", False),
        (r"\theta", r"\alpha", None),
        ("12^{1/7}", "22^{1/7}", False),
        ("2^{1/2}", r"\sqrt{2}", None),
        ("3^x - 2^x", "4^x - 2^x", False),
        ("(-8)^{1/3}", "5", None),
        ("e^{2x}", "7", None),
        (r"e^{\ln x}+e", "x+e", None),
        (r"\frac{1}{x-1}", "7", False),
        ("-(ab+ac)", "-a(b+c)", True),
        ("-(ab+ac)", "7", False),
        ("xi", "7", None),
        ("5", "12 mod 7", None),
        ("3x(3x+1)", "9x^2+3x", True),
        ("30^\\circ.", "40", False),
        ("-10201_3", "-100", None),
        ("-10201_3", "101", False),
        ("1:2", "1/2", None),
        ("1:2", "1/3", False),
        (r"\text{B}", "2x", False),
        (r"\text{x}", "2x", None),
        # Equations and curves.
        ("k=6", "-k=6", False),
        ("k=6", "2k=12", None),
        (r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}", "x+y=7", False),
        ("x+y=1", "2x+2y=2", None),
        ("x+y=1", "x+y=2", False),
        ("x + y = 1", "y=1-x", None),
        ("x+y=1", "a+b=1", None),
        ("x=0", "x^2=0", None),
        (r"y=\frac{1}{x}", "xy=1", None),
        (r"y=\sqrt{x}", "y^2=x", None),
        ("x^2+y^2=4", "7", False),
        ("x=5", "2x=10", None),
        ("5", "2x=10", False),
        ("10", "2x=10", None),
        ("y=2x+3", "y=2x+4", False),
        ("y=2x+3", "y-2x=3", None),
        # Two signs, two values.
        (r"\pm 5", "5", False),
        (r"\pm 5", "5,-5", None),
        (r"1 \pm \sqrt{19}", r"2 \pm \sqrt{19}", False),
        (r"2 \text{ or } 12", "12,2", None),
        (r"2 \text{ or } 12", "12,3", False),
        ("f(2)", "2f", None),
        (r"60^\circ", r"60^{\circ}", True),
        (r"60^\circ", "60", True),
        (r"60^\circ", r"\frac{63}{64}", False),
        (r"\frac43", r"\frac{4}{3}", True),
        (r"\frac{\sqrt6}2", r"\frac{\sqrt{6}}{2}", True),
        (r"\frac{1}23", r"\frac{1}{2}", None),
        (r"\sqrt[3]{8}", "2", True),
        (r"\sqrt[3]{8}", "3", False),
        (r"\sqrt[3]{-8}", "3", None),
        ("2^{100}", "3^{100}", False),
        ("-2^{49}", r"\frac{1}{8}", False),
        ("1", "10^{20}+1-10^{20}", None),
        (r"14\frac{6}{7}", r"14\frac{6}{7}", True),
        (r"14\frac{6}{7}", r"\frac{104}{7}", None),
        (r"14\frac{6}{7}", "13", False),
        (r"\$1{,}000", "1000", True),
        ("1000", r"\$1,021", False),
        ("5", "٥", None),
        (r"20\sqrt3", r"20\sqrt{3}", True),
        (r"\sqrt23", r"\sqrt{2} \cdot 3", None),
        (r"96,\!569", "96569", True),
        ("-45/2", "(0,4)", False),
        ("(1,2)", "1,2", None),
        (r"-\frac{\sqrt{3}}{2}", r"x = -\frac{\sqrt{3}}{2}", True),
        ("1.75", r"\displaystyle 1.75", True),
        ("0.3", "x = 0.3", True),
        ("5", "x = 5", True),
        ("5", "x = 6", False),
        ("5", "x = y = 5", None),
        ("5", "5 = x", None),
        (r"12", r"\$12", True),
        ("x=5", "5", True),
        ("x=5", "y=5", None),
        ("y=2x", "2x", None),
        ("2x", "y=2x", True),
        (r"50\%", "50", None),
        ("2^{100}", "2^{100}+1", None),
        ("1000000000000000", "1000000000000001", None),
        ("0.0000001", "0.0000002", None),
        ("9^{9^{9}}", "7", None),
        ("1/0", "1", None),
        (r"\frac{1}{x-x}", "x", None),
        ("", "1", None),
        ("(" * 60, "1", None),
    ],
)
def test_same_value(gold, answer, same):
    assert same_value(gold, answer) is same


NUMBERS = st.integers(0, 30).map(lambda number: (str(number), Fraction(number)))


def combined(parts):
    """(LaTeX, exact value) of two parts under an operator; a quotient by 0 keeps its first part."""
    (left, a), (right, b), operator = parts
    if operator == "frac":
        return (rf"\frac{{{left}}}{{{right}}}", a / b) if b else (left, a)
    return rf"({left}){operator}({right})", {"+": a + b, "-": a - b, r"\cdot": a * b}[operator]


EXPRESSIONS = st.recursive(
    NUMBERS,
    lambda inner: st.tuples(inner, inner, st.sampled_from(["+", "-", r"\cdot", "frac"])).map(combined),
    max_leaves=6,
)


def written(value: Fraction) -> str:
    return f"{'-' * (value < 0)}\\frac{{{abs(value.numerator)}}}{{{value.denominator}}}"


@given(EXPRESSIONS)
def test_an_expression_is_never_unlike_its_exact_value(expression):
    text, value = expression
    assert same_value(text, written(value)) is not False
    assert same_value(written(value), text) is not False


@given(EXPRESSIONS, EXPRESSIONS)
def test_verdicts_agree_with_exact_arithmetic(one, other):
    verdict = same_value(one[0], other[0])
    assert verdict is None or verdict is (one[1] == other[1])


PARTS = st.lists(st.one_of(st.integers(-3, 3).map(Fraction), st.fractions(-2, 2, max_denominator=3)), max_size=4)
FORMS = ["({})", "[{})", "{}", r"\{{{}\}}"]


@given(PARTS.filter(lambda parts: len(parts) > 1), PARTS.filter(len), st.sampled_from(FORMS), st.sampled_from(FORMS))
def test_of_several_values_all_count(one, other, form, other_form):
    """Tuples and intervals by place, lists and sets by what is in them, and a single value is none of these."""
    verdict = same_value(form.format(",".join(map(written, one))), other_form.format(",".join(map(written, other))))
    if verdict is True:
        assert one == other
        assert form == other_form
    if verdict is False:
        in_order = form[0] in "([" and other_form[0] in "(["
        assert one != other if in_order or len(other) == 1 else set(one) != set(other)


INTERVALS = st.lists(st.tuples(st.sampled_from("(["), st.integers(0, 6), st.integers(1, 3), st.sampled_from(")]")),
                     min_size=2, max_size=3)  # fmt: skip


@given(INTERVALS, INTERVALS)
def test_unions_are_the_points_in_them(one, other):
    def has(union, point):
        return any(
            left < point < left + width
            or (point == left and opening == "[")
            or (point == left + width and closing == "]")
            for opening, left, width, closing in union
        )

    texts = [r"\cup".join(f"{opening}{left},{left + width}{closing}" for opening, left, width, closing in union)
             for union in (one, other)]  # fmt: skip
    same = all(has(one, half / 2) == has(other, half / 2) for half in range(-1, 22))
    verdict = same_value(*texts)
    assert verdict is None or verdict is same
    assert same_value(texts[0], texts[0]) is True


def matrix(rows):
    return r"\begin{pmatrix}" + r" \\ ".join(" & ".join(map(str, row)) for row in rows) + r"\end{pmatrix}"


MATRICES = st.integers(1, 3).flatmap(
    lambda columns: st.lists(st.lists(st.integers(0, 2), min_size=columns, max_size=columns), min_size=1, max_size=3)
)


@given(MATRICES, MATRICES)
def test_matrices_are_the_same_cell_by_cell(one, other):
    verdict = same_value(matrix(one), matrix(other))
    assert verdict is None or verdict is (one == other)


TERMS = st.lists(st.tuples(st.integers(-3, 3), st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=3)


@given(TERMS, TERMS)
def test_polynomials_differ_only_if_they_do(one, other):
    """SymPy expands both. That 2x and 2t may be meant alike is left open, and so is 5m for 5."""
    texts = ["+".join(f"({a})x^{{{b}}}y^{{{c}}}" for a, b, c in terms) for terms in (one, other)]
    x, y = sympy.symbols("x y")
    values = [sympy.expand(sum(a * x**b * y**c for a, b, c in terms)) for terms in (one, other)]
    verdict = same_value(*texts)
    assert verdict is None or verdict is (values[0] == values[1])


@given(TERMS, TERMS, st.integers(1, 3))
def test_equations_differ_only_if_neither_is_a_multiple_of_the_other(one, other, factor):
    texts = ["+".join(f"({a})x^{{{b}}}y^{{{c}}}" for a, b, c in terms) for terms in (one, other)]
    x, y = sympy.symbols("x y")
    left, right = (sympy.expand(sum(a * x**b * y**c for a, b, c in terms)) for terms in (one, other))
    scaled = f"{factor}({texts[1]})={factor}"
    if same_value(f"{texts[0]}=1", scaled) is False:
        assert left != right
    assert same_value(f"{texts[1]}=1", scaled) is not False


@given(st.text(alphabet=r"0123456789xi+-*/^(){}[],. \fracsqt%&_=", max_size=40), st.text(max_size=10))
def test_any_text_has_a_verdict(gold, answer):
    assert same_value(gold, answer) in (True, False, None)
    assert same_value(gold, gold) is not False


@pytest.mark.parametrize("letter", string.ascii_letters)
def test_every_letter_is_read(letter):
    assert same_value(f"2{letter}+1", f"1+{letter}+{letter}") is True
