"""The scripted endpoint over HTTP: protocol, determinism, fault rates, and that it reads what it is asked."""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from amt.curate.verify_math import COMPARISON_PROMPT
from amt.errors import EndpointError
from amt.standins import endpoint, faults
from amt.standins.arithmetic import draw_math
from amt.standins.benchmarks import arena_questions, baseline_answer
from amt.standins.choices import as_multiple_choice, draw_following
from amt.standins.endpoint import scripted_endpoint
from amt.standins.problems import draw, draw_many, kinds, solve
from amt.standins.roles import FAULT_RATES, REPEATED_PHRASE, TERSE, fault_of, quality, reply

SEED = 7
TEACHER = "standin/deepseek-r1"
QUERY = "Tom has 12 apples. Mia gives Tom 17 more. How many apples does Tom have now?"


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    log = tmp_path_factory.mktemp("endpoint") / "endpoint.log"
    with scripted_endpoint(SEED, log) as address, httpx.Client(base_url=address, timeout=30) as opened:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/v1", address)
        yield opened


def _ask(client, query=QUERY, model=TEACHER, **changed):
    body = {"model": model, "messages": [{"role": "user", "content": query}], "seed": 1} | changed
    answer = client.post("/chat/completions", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def _said(answer):
    return answer["choices"][0]["message"]["content"]


def _ok_seed(model, messages):
    return next(seed for seed in range(100) if fault_of(SEED, model, messages, seed) == "ok")


def _ask_ok(client, query, model):
    """A reply without a planted fault."""
    messages = [{"role": "user", "content": query}]
    return _said(_ask(client, query, model, seed=_ok_seed(model, messages)))


# --- protocol ----------------------------------------------------------------------------------------------


def test_a_completion_has_all_that_clients_read(client):
    answer = _ask(client, n=3)
    assert answer["object"] == "chat.completion"
    assert answer["model"] == TEACHER
    assert [choice["index"] for choice in answer["choices"]] == [0, 1, 2]
    assert all(choice["message"]["role"] == "assistant" for choice in answer["choices"])
    usage = answer["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    # "Tom has 12 apples ." and so on: 16 words and 3 signs.
    assert usage["prompt_tokens"] == 19


def test_models_and_health(client):
    models = {model["id"] for model in client.get("/models").json()["data"]}
    assert models == set(FAULT_RATES)
    assert client.get(str(client.base_url).replace("/v1/", "/health")).json()["status"] == "ok"


def test_the_identity_is_of_the_seed_and_of_all_code_that_answers(tmp_path):
    """The response cache goes by it: whatever the answers come from, in whichever module, must change it."""
    shutil.copytree(Path(endpoint.__file__).parents[1], tmp_path / "amt", ignore=shutil.ignore_patterns("__pycache__"))

    def identity(seed: int) -> str:
        code = f"from amt.standins.endpoint import Application; print(Application({seed}).identity)"
        return subprocess.check_output(
            [sys.executable, "-P", "-c", code], env=os.environ | {"PYTHONPATH": str(tmp_path)}
        )

    first = identity(1)
    assert identity(1) == first
    assert identity(2) != first
    for module in ("amt/standins/problems.py", "amt/errors.py"):
        before = identity(1)
        with (tmp_path / module).open("a") as file:
            file.write("# more\n")
        assert identity(1) != before


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b"{", 400, "not JSON"),
        (b"[]", 400, "not a JSON object"),
        ({"model": TEACHER}, 400, "messages must be"),
        ({"model": TEACHER, "messages": []}, 400, "messages must be"),
        ({"model": TEACHER, "messages": [{"role": "robot", "content": "x"}]}, 400, "every message needs a role"),
        ({"model": TEACHER, "messages": [{"role": "user", "content": None}]}, 400, "every message needs a role"),
        ({"model": "gpt-9", "messages": [{"role": "user", "content": "x"}]}, 404, "no model 'gpt-9'"),
        ({"n": 0}, 400, "n must be a positive integer"),
        ({"max_tokens": "many"}, 400, "max_tokens must be a positive integer"),
        ({"seed": "x"}, 400, "seed must be an integer"),
        ({"stream": True}, 400, "stream is not supported"),
    ],
)
def test_a_bad_request_is_refused_and_the_server_goes_on(client, body, status, message):
    if isinstance(body, dict) and "messages" not in body and "model" not in body:
        body = {"model": TEACHER, "messages": [{"role": "user", "content": QUERY}]} | body
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = client.post("/chat/completions", content=content)
    assert answer.status_code == status
    assert message in answer.json()["error"]["message"]
    assert _ask(client)["choices"]


def test_unknown_paths_are_not_found(client):
    assert client.get("/chat/completions").status_code == 404
    assert client.post("/embeddings", json={}).status_code == 404


def test_a_reply_depends_on_seed_messages_and_choice_alone(client):
    first = _ask(client, seed=3, n=8)
    assert _ask(client, seed=3, n=8, temperature=0.1, max_tokens=900) == first
    texts = {_said(_ask(client, seed=seed)) for seed in range(40)}
    assert len(texts) > 3
    # A choice does not depend on how many there are, and it is what the pure function says.
    assert _ask(client, seed=3, n=2)["choices"] == first["choices"][:2]
    said = [reply(SEED, TEACHER, [{"role": "user", "content": QUERY}], 3, choice).text for choice in range(8)]
    assert [choice["message"]["content"] for choice in first["choices"]] == said


def test_another_endpoint_seed_gives_other_faults():
    messages = [{"role": "user", "content": QUERY}]
    faults_of = [[fault_of(seed, TEACHER, messages, request) for request in range(100)] for seed in (1, 2)]
    assert faults_of[0] != faults_of[1]


def test_the_length_limit_cuts(client):
    messages = [{"role": "user", "content": QUERY}]
    whole = _ask(client, seed=_ok_seed(TEACHER, messages))
    cut = _ask(client, seed=_ok_seed(TEACHER, messages), max_tokens=5)
    assert whole["choices"][0]["finish_reason"] == "stop"
    assert cut["choices"][0]["finish_reason"] == "length"
    assert cut["usage"]["completion_tokens"] == 5
    assert _said(whole).startswith(_said(cut))


# --- faults ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", FAULT_RATES)
def test_fault_rates_are_near_the_declared(model):
    count = 4000
    messages = [{"role": "user", "content": QUERY}]
    found = [fault_of(SEED, model, messages, seed) for seed in range(count)]
    for kind, rate in FAULT_RATES[model].items():
        # Five standard deviations of a share.
        assert abs(found.count(kind) / count - rate) < 5 * (rate * (1 - rate) / count) ** 0.5


def test_the_fingerprint_names_the_fault_and_the_fault_is_there(client):
    seen = set()
    messages = [{"role": "user", "content": QUERY}]
    for seed in range(150):
        fault = fault_of(SEED, TEACHER, messages, seed)
        answer = _ask(client, seed=seed)
        text, finish = _said(answer), answer["choices"][0]["finish_reason"]
        assert answer["system_fingerprint"] == f"standin:{fault}"
        assert (text.count(REPEATED_PHRASE) >= 4) == (fault == "repetition")
        assert (finish == "length") == (fault == "truncated")
        assert (not text.endswith("</answer>")) == (fault == "truncated")
        if fault != "truncated":
            assert ("</think>" not in text) == (fault == "missing_think")
            assert (r"\boxed{29}" not in text) == (fault == "wrong")
        seen.add(fault)
    assert seen == {"ok", *FAULT_RATES[TEACHER]}


# --- roles -------------------------------------------------------------------------------------------------


def test_the_teacher_answers_every_kind(client):
    for problem in draw_many(3, dict.fromkeys(("math", "code", "science", "instruction_follow", "general_chat"), 14)):
        text = _ask_ok(client, problem.query, TEACHER)
        workings = [problem.working] + [f"It is {problem.answer}."] * (problem.category == "math")
        answers = [
            f"<think>{opening}{w}</think><answer>{problem.final}</answer>"
            for opening in ("", "Let me see. ")
            for w in workings
        ]
        assert text in answers


def test_the_teacher_leaves_out_the_steps_of_as_many_solutions_as_it_says():
    messages = [{"role": "user", "content": QUERY}]
    said = [reply(1, TEACHER, messages, seed) for seed in range(1000)]
    whole = [answer.text for answer in said if answer.fault == "ok"]
    terse = [text for text in whole if "=" not in text]
    assert 0.8 * TERSE < len(terse) / len(whole) < 1.2 * TERSE
    assert set(terse) == {
        f"<think>{opening}It is 29.</think><answer>\\boxed{{29}}</answer>" for opening in ("", "Let me see. ")
    }


def test_the_query_is_what_stands_after_the_last_query_line(client):
    prompt = f"Is this clear? Answer in JSON.\n\nQuery:\nTom has some eggs.\n\nQuery:\n{QUERY}"
    assert json.loads(_ask_ok(client, prompt, "standin/clarity-judge"))["clear"] is True
    assert r"\boxed{29}" in _ask_ok(client, prompt, TEACHER)


def test_the_last_user_turn_of_a_conversation_is_answered(client):
    messages = [
        {"role": "system", "content": "You are a helpful assistant."},
        {"role": "user", "content": "Mia likes trees. What can I give Mia on Sunday?"},
        {"role": "assistant", "content": "A book."},
        {"role": "user", "content": QUERY},
    ]
    assert r"\boxed{29}" in _said(_ask(client, messages=messages, seed=_ok_seed(TEACHER, messages)))


def test_the_clarity_judge_reads(client):
    rng = random.Random(2)
    for _ in range(15):
        clear = [draw_math("change", rng).query, faults.proof(rng), faults.multi_part(rng)[0]]
        clear.append(draw_following("even", rng).query)
        for query in clear:
            assert json.loads(_ask_ok(client, query, "standin/clarity-judge"))["clear"] is True, query
        unclear = faults.unclear(rng).query
        assert json.loads(_ask_ok(client, unclear, "standin/clarity-judge"))["clear"] is False, unclear


def test_the_rewriter_turns_options_into_a_question_or_says_that_it_cannot(client):
    rng = random.Random(4)
    for _ in range(10):
        original = draw_math("two_step", rng)
        rewritten = json.loads(_ask_ok(client, as_multiple_choice(original, rng).query, "standin/rewriter"))
        assert rewritten == {"applicable": True, "query": original.query, "answer": original.answer}
        for query in (draw_following("odd", rng).query, original.query):
            assert json.loads(_ask_ok(client, query, "standin/rewriter"))["applicable"] is False


def test_the_rewriter_compares_a_rewriting_with_its_multiple_choice(client):
    rng = random.Random(5)
    for _ in range(10):
        original, another = draw_math("two_step", rng), draw_math("change", rng)
        choice = as_multiple_choice(original, rng).query
        for query, same in ((original.query, True), (another.query, False), (choice, False)):
            asked = f"{COMPARISON_PROMPT}{choice}\n\nQuery:\n{query}"
            assert json.loads(_ask_ok(client, asked, "standin/rewriter"))["same"] is same


def test_the_second_opinion_uses_tags_only_where_asked(client):
    model = "standin/o4-mini"
    assert _ask_ok(client, QUERY, model) == "12 + 17 = 29.\n\\boxed{29}"
    messages = [{"role": "system", "content": "Answer in <think> </think> tags."}, {"role": "user", "content": QUERY}]
    text = _said(_ask(client, model=model, messages=messages, seed=_ok_seed(model, messages)))
    assert text == r"<think>12 + 17 = 29.</think><answer>\boxed{29}</answer>"


def _game(question, first, second):
    return (
        f"<|User Prompt|>\n{question}\n\n<|The Start of Assistant A's Answer|>\n{first}\n"
        f"<|The End of Assistant A's Answer|>\n\n<|The Start of Assistant B's Answer|>\n{second}\n"
        "<|The End of Assistant B's Answer|>"
    )


@pytest.mark.parametrize(
    ("first", "second", "verdict"),
    [
        ("{good}", "{good}", "A=B"),
        ("{good}", "", "A>>B"),
        ("", "{good}", "B>>A"),
        ("{good}", "I do not know.", "A>>B"),
        ("{good}", "{unfinished}", "A>B"),
        ("{looping}", "{good}", "B>A"),
    ],
)
def test_the_arena_judge_prefers_the_finished_coherent_answer_on_the_topic(client, first, second, verdict):
    question = arena_questions()[3]
    good = question.answer
    answers = {"good": good, "unfinished": good[:-12], "looping": good + " It is so." * 12}
    game = _game(question.query, first.format(**answers), second.format(**answers))
    text = _ask_ok(client, game, "standin/arena-judge")
    assert re.findall(r"\[\[(.+?)\]\]", text) == [verdict]


def test_baseline_answers_can_be_beaten_and_equalled():
    questions = list(enumerate(arena_questions()))
    better = [quality(p.query, p.answer) - quality(p.query, baseline_answer(n, p)) for n, p in questions]
    assert min(better) == 0
    assert sum(gap > 0.25 for gap in better) > len(questions) / 4


def test_every_kind_is_solvable_by_reading():
    assert all(solve(draw(category, kind, random.Random(1)).query) for category, kind in kinds())


# --- the process -------------------------------------------------------------------------------------------


def test_the_server_ends_with_its_block_and_with_its_parent(tmp_path):
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom amt.standins.endpoint import scripted_endpoint\n"
        "with scripted_endpoint(1, Path(sys.argv[1])) as address:\n    print(address, flush=True)\n    time.sleep(60)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "log")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]) as parent:
        address = parent.stdout.readline().strip()
        assert httpx.get(f"{address}/models", timeout=60).status_code == 200
        os.kill(parent.pid, signal.SIGKILL)
    assert _is_gone(address)
    with scripted_endpoint(1, tmp_path / "log") as address:
        assert httpx.get(f"{address}/models", timeout=60).status_code == 200
    assert _is_gone(address)


def _is_gone(address) -> bool:
    for _ in range(100):
        try:
            httpx.get(f"{address}/models", timeout=60)
        except httpx.TransportError:
            return True
        time.sleep(0.1)
    return False


def test_a_server_that_does_not_start_says_why(tmp_path, monkeypatch):
    monkeypatch.setattr(endpoint.sys, "executable", "/bin/false")
    with pytest.raises(EndpointError, match=r"did not start .*no output"), scripted_endpoint(1, tmp_path / "log"):
        pass


def test_the_paraphraser_keeps_numbers_and_glosses_words(client):
    asked = "How many eggs does Ben have in all, with 3 boxes of 9 eggs and 5 more eggs?"
    said = _ask_ok(client, f"In your own words.\n\nQuery:\n{asked}", "standin/paraphraser")
    assert said != asked
    assert solve(said).answer == solve(asked).answer == "32"
    translated = _ask_ok(client, f"Translate the task into German.\n\nQuery:\n{asked}", "standin/paraphraser")
    assert "wie viele Eier" in translated
    assert "9" in translated
