"""A fifth of the requests fails, the process is killed twice, and the endpoint's own account is what is asked."""

import pytest

from benchmarks.endpoints.server import FAULTS
from benchmarks.endpoints.trial import trial


def test_every_question_is_answered_once_and_billed_once_by_an_endpoint_that_honours_keys(tmp_path):
    outcome = trial(tmp_path, queries=400, share=0.2, kills=2, concurrency=16, honours_keys=True)
    assert all(outcome.faults[fault] for fault in FAULTS)
    assert (outcome.answered, outcome.lost, outcome.twice) == (400, 0, 0)
    assert outcome.stored_asked == 0
    assert outcome.billed_twice == 0


@pytest.mark.parametrize(("kills", "most", "timeout_s"), [(0, 0, 15.0), (2, 2 * 16, 1.0)])
def test_what_was_delivered_is_asked_again_only_where_a_kill_came_before_it_was_stored(
    tmp_path, kills, most, timeout_s
):
    """An endpoint that knows no keys: nothing but the client keeps it from delivering twice. Where nothing may be, it
    has the time for a machine that stands still: what came too late was delivered, and is rightly asked again."""
    outcome = trial(
        tmp_path, queries=300, share=0.2, kills=kills, concurrency=16, honours_keys=False, timeout_s=timeout_s, seed=2
    )
    assert (outcome.answered, outcome.lost, outcome.twice) == (300, 0, 0)
    assert outcome.stored_asked == 0
    assert outcome.delivered_twice <= most
    # It bills what was cut, late or garbled, and the client says so of each.
    assert 0 < outcome.billed_twice <= outcome.perhaps_billed
