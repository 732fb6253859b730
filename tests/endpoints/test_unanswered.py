"""Questions to which an endpoint gives no answer, while others have theirs."""

from pathlib import Path

import pytest

from amt.endpoints.client import ChatClient, Unusable
from amt.errors import EndpointError
from tests.endpoints.asking import client_of, name_in, request

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("fault", "how", "tries"),
    [
        ("400", "refused", 1),
        ("413", "refused", 1),
        ("422", "refused", 1),
        ("503", "unanswered", 4),
        ("cut", "unanswered", 4),
    ],
)
def test_one_question_that_is_never_answered_stops_no_other(client, server, tmp_path, caplog, fault, how, tries):
    server.always["20"] = fault
    questions = [request(str(number)) for number in range(50)]
    replies = client.complete(questions)
    assert [reply.text for reply in replies] == [f"echo: {number}" if number != 20 else "" for number in range(50)]
    assert [reply.finish_reason for reply in replies] == ["stop"] * 20 + [how] + ["stop"] * 29
    assert server.tried["20"] == tries
    assert client.summary()["unanswered"] == 1
    assert "row 20" in caplog.text
    assert "1 of 50 questions stay without an answer" in caplog.text
    # Not again in this run.
    assert client.complete(questions) == replies
    assert server.tried["20"] == tries
    # But in the next, which has nothing else left to ask.
    again = client_of(server.address, tmp_path)
    assert again.complete(questions) == replies
    assert server.tried["20"] == 2 * tries
    del server.always["20"]
    assert client_of(server.address, tmp_path).complete(questions)[20].text == "echo: 20"


@pytest.mark.parametrize("concurrency", [1, 8])
def test_where_the_first_is_refused_the_others_are_asked(server, tmp_path, concurrency):
    server.always["0"] = "400"
    client = ChatClient(server.address, "some/model", None, tmp_path, concurrency)
    replies = client.complete([request(str(number)) for number in range(20)])
    assert [reply.finish_reason for reply in replies] == ["refused"] + ["stop"] * 19


@pytest.mark.parametrize(("refused", "ends"), [(5, False), (6, True)])
def test_more_than_a_twentieth_without_an_answer_is_no_fault_of_theirs(client, server, refused, ends):
    server.always = {str(number): "400" for number in range(0, refused * 10, 10)}
    questions = [request(str(number)) for number in range(100)]
    if ends:
        with pytest.raises(
            EndpointError, match=r"the server says 400.* 6 of 100 questions have no answer; 5% may have"
        ):
            client.complete(questions)
    else:
        assert sum(reply.finish_reason == "refused" for reply in client.complete(questions)) == 5


@pytest.mark.parametrize("status", ["400", "503"])
def test_an_endpoint_that_answers_nobody_is_found_out_early(server, tmp_path, status):
    server.always = {str(number): status for number in range(2000)}
    client = client_of(server.address, tmp_path, attempts=2)
    with pytest.raises(EndpointError, match=rf"{status} .*16 of 2000 questions have no answer"):
        client.complete([request(str(number)) for number in range(2000)])
    assert len(server.tried) <= 16 + 8  # those in flight when it was found out


@pytest.mark.parametrize("fault", ["429", "401"])
def test_what_is_no_question_s_fault_is_never_put_down_to_one(client, server, fault):
    client.complete([request(str(number)) for number in range(50)])
    server.always["50"] = fault
    with pytest.raises(EndpointError, match="row 50"):
        client.complete([request(str(number)) for number in range(51)])


def test_a_question_without_an_answer_has_no_json_and_is_not_asked_with_another_seed(client, server):
    server.always["a"] = "400"
    server.says = {"b": '{"name": "B"}'}
    first, second = client.complete_json([request("a"), request("b")], name_in)
    assert first == Unusable("the endpoint gave no answer (refused)")
    assert second == "B"
    assert server.tried["a"] == 1
