"""A command in normal form does what it did: bash itself is asked."""

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amt.build.command import normal

PIECES = ["a", "b c", "'d  e'", '"f  \'g"', '"h \\" i"', "\\ ", "\\\\", "#x", "y#z", "'#'", "' \n '", "$0"]
GAPS = [" ", "   ", "\t", " \\\n    ", "\\\n", "\n    ", "\n\n", " # a 'note\n", "; "]


def arguments(command: str) -> bytes:
    """What each line hands on, as bash takes it apart."""
    script = f"show() {{ printf '<%s>' \"$@\"; echo; }}\nshow {command}"
    return subprocess.run(["bash", "-c", script], capture_output=True, timeout=30).stdout


@settings(max_examples=150)
@given(st.lists(st.tuples(st.sampled_from(PIECES), st.sampled_from(GAPS)), min_size=1, max_size=8))
def test_the_normal_form_means_the_same_to_bash(pieces):
    command = "first " + "".join(piece + gap.replace("\n    ", "\nshow ") for piece, gap in pieces)
    assert arguments(normal(command, [])) == arguments(command)
    assert normal(normal(command, []), []) == normal(command, [])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a b", "  a \\\n    b\n"),
        ("a b", "a\t b  # why"),
        ("a\nb", "\n  a\n\n  # why\n  b\n"),
        ("a 'b  c'", "a   'b  c'"),
        ("a b", "a b 2>logs/x.log"),
        ("a b", "a b > logs/x.log 2>&1"),
        ("a b", "a b &>> logs/x.log"),
        ("a && b", "a 2> logs/x.log && b 2>> logs/x.log"),
    ],
)
def test_layout_comments_and_logs_are_no_part_of_it(one, other):
    assert normal(one, ["logs/x.log"]) == normal(other, ["logs/x.log"])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a 'b c'", "a 'b  c'"),
        ('a "b c"', 'a "b  c"'),
        ("a; b", "a\nb; c"),
        ("a '# b'", "a '#'"),
        ("a $(echo 'b  c')", "a $(echo 'b c')"),
        ("cat <<X\n a\nX", "cat <<X\na\nX"),
        ("a logs/x.log", "a"),
        ("a 2>logs/y.log", "a"),
    ],
)
def test_what_a_command_does_is_part_of_it(one, other):
    assert normal(one, ["logs/x.log"]) != normal(other, ["logs/x.log"])
