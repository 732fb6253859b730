"""Math answers: what is taken out of a response, and what counts as equal. Expectations written by hand."""

import contextlib
import itertools
import re
import time
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amt.errors import InfrastructureError
from amt.rewards.math_answer import MathGrader, choice_letter, last_boxed, quick_verdict
from amt.rewards.math_form import claims, normal, objection
from amt.rewards.math_value import same_value


@pytest.fixture(scope="module")
def grader():
    with MathGrader(workers=2, cpu_seconds=1.0) as grader:
        yield grader


def response(answer: str) -> str:
    return f"<think>It may be \\boxed{{1000}}.</think>\n<answer>{answer}</answer>"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r"\boxed{5}", "5"),
        (r"\box{204}", "204"),  # the paper's AIME prompt
        (r"\fbox{7}", "7"),
        (r"\boxed 5", "5"),
        (r"so $\boxed 5$.", "5"),
        (r"\boxed{3}, no: \boxed{4}", "4"),
        (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        (r"\boxed{\{1, 2\}}", r"\{1, 2\}"),
        (r"\boxed{\left\{ x \right.}", r"\left\{ x \right."),
        (r"\boxed{\boxed{5}}", "5"),
        (r"\boxed{ 5 }", "5"),
        (r"\boxed{4} and then \boxed{5", "4"),  # the last complete one
        (r"\boxed{}", ""),
        (r"\boxedx{5}", None),
        ("5", None),
        ("", None),
    ],
)
def test_last_boxed(text, value):
    assert last_boxed(text) == value


def boxed_by_definition(text):
    """Of the complete boxes that are in no other complete one, the last; a box that holds only a box is that one."""
    boxes = []
    for place in re.finditer(r"\\boxed\{", text):
        depths = list(itertools.accumulate({"{": 1, "}": -1}.get(sign, 0) for sign in text[place.end() - 1 :]))
        if 0 in depths:
            boxes.append((place.start(), place.end(), place.end() - 1 + depths.index(0)))
    outer = [box for box in boxes if not any(start < box[0] < end for start, _, end in boxes)]
    if not outer:
        return None
    _, first, end = outer[-1]
    inside = text[first:end].strip()
    whole = re.match(r"\\boxed\{", inside)
    depths = list(itertools.accumulate({"{": 1, "}": -1}.get(sign, 0) for sign in inside))
    return boxed_by_definition(inside) if whole and depths.index(0, 6) == len(depths) - 1 else inside


@given(st.lists(st.sampled_from([r"\boxed{", "{", "}", "a", " "]), max_size=14).map("".join))
def test_the_last_box_is_that_of_the_definition(text):
    assert last_boxed(text) == boxed_by_definition(text)


@pytest.mark.parametrize(
    "answer",
    [
        r"\boxed{" * 3000 + "5" + "}" * 3000,
        r"\boxed{" * 8000,
        r"\boxed{" + "1" * 4400 + r"\%}",
        r"\boxed{" + "1" * 4400 + "e5}",
        r"\boxed{" + "1" * 1900 + r".\overline{3}}",
        r"\boxed{2^{\frac{m-n}{m-n}}}",
        r"\boxed{x" + " " * 1900 + "y}",
        r"\boxed{\text{" + " " * 1900 + "y}}",
        r"\boxed{" + "1," * 900 + "1}",
        r"\boxed{" + r"\frac{1}{" * 200 + "2" + "}" * 201,
    ],
    ids=lambda answer: answer[:20],
)
def test_no_answer_breaks_the_grader(grader, answer):
    """Each is judged, and a right answer beside it is, too; slow ones would run into pytest's own limit."""
    verdicts = grader.grade([("5", response(answer))] * 20 + [("5", response(r"\boxed{5}"))])
    assert [verdict.status for verdict in verdicts] == ["scored"] * 21
    assert verdicts[-1].passed
    assert verdicts[0].passed is (answer.count("boxed{") == 3000)


PIECES = r"""
\boxed{ \text{ \frac{ \sqrt{ \% e5 \overline{3} 1,000 1/2 3.5 x y \pi \infty ( [ ) ] } { , ; = + - ^ _ \pm \cup ½ √ 2
""".split()


@given(st.lists(st.sampled_from(PIECES), max_size=12), st.lists(st.sampled_from(PIECES), max_size=5))
def test_whatever_is_written_can_be_judged(answer, gold):
    """All that is done before math_verify is asked, which has processes of its own to break."""
    gold, answer = normal(" ".join(gold)), normal(" ".join(answer))
    assert quick_verdict(gold, answer) in (True, False, None)
    objection(gold, answer)
    assert all(same_value(gold, claim) in (True, False, None) for claim in claims(gold, answer))


@pytest.mark.parametrize(
    ("gold", "answer", "passed"),
    [
        ("204", r"\box{204}", True),
        ("4", r"\boxed{3} then \boxed{4}", True),
        ("3", r"\boxed{3} then \boxed{4}", False),
        ("1/2", r"\boxed{0.5}", True),
        (r"$\frac{1}{2}$", r"\boxed{\dfrac12}", True),
        (r"\boxed{12}", r"\boxed{12.0}", True),
        ("1,234", r"\boxed{1234}", True),
        ("-3", r"\boxed{3}", False),
        ("0", r"\boxed{-0}", True),
        ("1/3", r"\boxed{0.333}", False),
        (r"\pi", r"\boxed{3.14159}", False),
        (r"2\sqrt{2}", r"\boxed{\sqrt{8}}", True),
        ("x^2+2x+1", r"\boxed{(x+1)^2}", True),
        ("x^2+1", r"\boxed{x^2+1}", True),
        ("2^{100}", r"\boxed{2}", False),  # a bare 2^{100} is read as 2
        (r"\{1,2\}", r"\boxed{\{2,1\}}", True),
        ("(1,2)", r"\boxed{(2,1)}", False),
        ("x=5", r"\boxed{5}", True),
        ("50", r"\boxed{50\%}", True),
        ("90", r"\boxed{90^\circ}", True),
        ("Monday", r"\boxed{\text{Monday}}", True),
        ("Monday", r"\boxed{\text{Friday}}", False),
        ("B", r"\boxed{B}", True),
        ("B", r"\boxed{(B)}", True),
        ("B", r"\boxed{\text{B. } 42}", True),
        ("B", r"\boxed{C}", False),
        ("B", r"\boxed{b}", False),
        ("B", "B", True),  # a letter needs no box
        ("B", "Both are wrong.", False),
        ("3 1/2", r"\boxed{7/2}", True),
        ("3 1/2", r"\boxed{3\frac{1}{2}}", True),
        (r"3 \frac{1}{2}", r"\boxed{3.5}", True),
        ("3 1/2", r"\boxed{31/2}", False),
        ("3 1/2", r"\boxed{2.0}", False),  # math_verify reads 3 1/2 as (3+1)/2
        ("3 1/2", r"\boxed{\sqrt{4}}", False),
        ("-3 1/2", r"\boxed{-\frac{7}{2}}", True),
        ("12", r"\boxed{1 2}", False),
        (r"1\,234", r"\boxed{1234}", True),
        ("1234567", "\\boxed{1\u202f234\u202f567}", True),
        ("10000", r"\boxed{10\ 000}", True),
        ("(1,2)", r"\boxed{( 1 , 2 )}", True),
        ("x^{2} 3", r"\boxed{x^{23}}", False),
        ("5", "5", False),  # anything else does
        ("5", r"\boxed{}", False),
        ("5", r"\boxed{\frac{}}", False),
        ("5", r"\boxed{" + "(" * 1500 + "5" + ")" * 1500 + "}", False),
    ],
)
def test_verdict(grader, gold, answer, passed):
    (verdict,) = grader.grade([(gold, response(answer))])
    assert (verdict.status, verdict.passed) == ("scored", passed)


@pytest.mark.parametrize(
    "text",
    [
        r"<think>\boxed{5}</think>",
        r"<think>t</think>\boxed{5}",
        r"<think>t</think><answer>\boxed{5}",
        r"<think><answer>\boxed{5}</answer>",
        r"<answer>\boxed{5}</answer>",
        "",
    ],
)
def test_only_a_complete_answer_behind_the_thought_counts(grader, text):
    (verdict,) = grader.grade([("5", text)])
    assert (verdict.status, verdict.passed) == ("scored", False)
    assert "answer" in verdict.reason


@pytest.mark.parametrize("ground_truth", [None, "", "  ", "$$"])
def test_without_ground_truth_nothing_can_be_scored(grader, ground_truth):
    (verdict,) = grader.grade([(ground_truth, response(r"\boxed{5}"))])
    assert verdict.status == "invalid"


def test_an_answer_that_hangs_costs_nobody_else_a_verdict(grader):
    hung = [("5", response(r"\boxed{9^{9^{9^9}}}")), ("7", response(r"\boxed{9^{9^{9^{9^9}}}}"))]
    fair = [
        (f"\\frac{{{n}}}{{\\sqrt{{7}}}}", response(f"\\boxed{{\\frac{{{n}\\sqrt{{7}}}}{{7}}}}")) for n in range(1, 60)
    ]
    verdicts = grader.grade([*hung, *fair])
    assert [verdict.passed for verdict in verdicts] == [False] * 2 + [True] * 59
    assert {verdict.status for verdict in verdicts} == {"scored"}
    # The killed processes were replaced.
    assert grader.grade(fair[:1])[0].passed


def _kill_at_work(zygote, kills, verdicts):
    """End the worker, as the kernel does where memory runs out, whenever it is at a comparison that takes long."""
    killed = set()
    while len(killed) < kills and not verdicts.done():
        (worker,) = zygote.children() or [None]
        with contextlib.suppress(psutil.NoSuchProcess):
            if worker and worker not in killed and sum(worker.cpu_times()[:2]) > 0.5:
                worker.kill()
                killed.add(worker)
        time.sleep(0.02)


@pytest.mark.parametrize(("kills", "status"), [(1, "scored"), (2, "error")])
def test_a_process_killed_from_outside_is_no_verdict(kills, status):
    """Left alone, the comparison ends at its own CPU limit."""
    before = psutil.Process().children()
    with MathGrader(workers=1, cpu_seconds=2.0) as grader, ThreadPoolExecutor(1) as thread:
        grader.compare([(r"\{1, 2\}", r"\{2, 1\}")])
        (zygote,) = set(psutil.Process().children()) - set(before)
        verdicts = thread.submit(grader.compare, [("5", "9^{9^{9^9}}")])
        _kill_at_work(zygote, kills, verdicts)
        (verdict,) = verdicts.result()
    assert (verdict.status, verdict.passed) == (status, False)
    assert ("of CPU" if status == "scored" else "died, twice") in verdict.reason


def test_processes_killed_together_are_an_infrastructure_error_and_the_next_call_starts_others():
    before = psutil.Process().children()
    with MathGrader(workers=1, cpu_seconds=300.0) as grader, ThreadPoolExecutor(1) as thread:
        grader.compare([(r"\{1, 2\}", r"\{2, 1\}")])
        (zygote,) = set(psutil.Process().children()) - set(before)
        # More than a worker reads at a time: what it has not read makes its end a reset and no mere end.
        unread = [("5", f"9^{{9^{{9^{number}}}}}" + "+x" * 900) for number in range(32)]
        verdicts = thread.submit(grader.compare, unread)
        while not verdicts.done() and sum(zygote.children()[0].cpu_times()[:2]) < 0.5:
            time.sleep(0.02)
        zygote.kill()
        with pytest.raises(InfrastructureError, match="The math_verify processes"):
            verdicts.result()
        assert grader.compare([(r"\{1, 2\}", r"\{2, 1\}")])[0].passed


@pytest.mark.parametrize(
    ("a", "b", "equal"),
    [
        ("(1,2)", "1<x<2", True),
        ("0.5", r"\frac{1}{2}", True),
        ("3", "4", False),
        # A letter is one, however it is written, and is its option whatever that says.
        ("A", "(A)", True),
        ("A", "B", False),
        ("B", "B. 42", True),
        ("B", "B) 5", True),
        ("B", r"\text{(B) }42", True),
        (r"\text{B}", "$B.$", True),
        ("(B)", "B: 42", True),
        ("A", "A: yes", True),
        ("B", "42", False),
        # x and X are two variables, n and N two numbers; and a is the letter of no option.
        ("x", "X", False),
        ("A", "a", False),
        ("n", "N", False),
    ],
)
def test_votes_are_equivalent_in_any_order(grader, a, b, equal):
    assert grader.equivalent([(a, b), (b, a)]) == [equal, equal]


VALUES = st.sampled_from(
    ["B", "b", "(B)", "B.", "B. 5", "B) 5", "B: yes", r"\text{B}", r"\textbf{(B)} 5", "A", "5", "5.0", "x", "X", "x=5",
     "(1,2)", "1<x<2", r"\frac{1}{2}", "0.5", "50\\%", "yes", "Yes", r"\text{yes}", "", "B=5", "AB"]
) | st.text("ABab xX().:$\\{}15", max_size=8)  # fmt: skip


@settings(deadline=None, max_examples=300)
@given(VALUES, VALUES)
def test_equivalence_is_symmetric(grader, a, b):
    there, back = grader.equivalent([(a, b), (b, a)])
    assert there is back


def test_an_answer_that_breaks_the_processes_is_no_vote_and_stops_no_other(caplog):
    before = psutil.Process().children()
    with MathGrader(workers=1, cpu_seconds=600.0) as grader, ThreadPoolExecutor(1) as thread:
        grader.compare([(r"\{1, 2\}", r"\{2, 1\}")])
        (zygote,) = set(psutil.Process().children()) - set(before)
        equal = thread.submit(grader.equivalent, [("x+1", "1+x"), ("5", "9^{9^{9^9}}"), ("2x", "x+x")])
        _kill_at_work(zygote, 4, equal)  # twice for each of its two orders
        assert equal.result() == [True, False, True]
    assert "'5' and '9^{9^{9^9}}' count as different: the process that compared it died, twice" in caplog.text


def test_it_works_off_the_main_thread(grader):
    """math_verify's own time-outs need the main thread; swallowed, that error once scored every answer 0."""
    with ThreadPoolExecutor(1) as thread:
        (verdict,) = thread.submit(grader.grade, [("\\sqrt{12}", response(r"\boxed{2\sqrt{3}}"))]).result(60)
    assert verdict.passed


def test_whole_numbers_start_no_process():
    with MathGrader() as grader:
        before = psutil.Process().children(recursive=True)
        verdicts = grader.grade([(str(n % 50), response(f"\\boxed{{{n}}}")) for n in range(768)])
        assert sum(verdict.passed for verdict in verdicts) == 50
        assert psutil.Process().children(recursive=True) == before


@pytest.mark.parametrize(
    ("gold", "answer", "equal"),
    [
        ("007", "7", True),
        ("1,234", "5", False),
        ("1/0", "1", None),
        ("9" * 5000, "9" * 4999, None),
        ("x", "y", None),
        ("1 2", "12", None),
        ("1 2 345", "12345", None),
        ("x^2 3", "x^23", None),
        (r"3\frac{4}{2}", "5", None),
        ("12 km", "12km", True),
        ("3 141/200", "3.705", True),
    ],
)
def test_only_what_is_certain_is_decided_without_math_verify(gold, answer, equal):
    assert quick_verdict(gold, answer) is equal


def test_choice_letter():
    assert [choice_letter(text) for text in ["(C) 5", "C", "$C$", "Cat", "42", ""]] == ["C", "C", "C", None, None, None]
