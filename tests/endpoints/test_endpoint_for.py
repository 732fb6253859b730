"""Where the model of a role answers."""

import json
from pathlib import Path

import pytest

from amt import tracking
from amt.endpoints.client import ChatRequest
from amt.errors import ParamsError
from amt.params import load
from amt.placement import endpoint_cache
from scripts.endpoint_for import endpoint_address, endpoint_clients

PARAMS = Path(__file__).parents[2] / "params.yaml"


@pytest.fixture
def recipe():
    return load(PARAMS)


@pytest.fixture
def with_real_teacher(recipe):
    teacher = recipe.endpoints.teacher.model_copy(update={"model": "deepseek-ai/DeepSeek-R1"})
    return recipe.model_copy(update={"endpoints": recipe.endpoints.model_copy(update={"teacher": teacher})})


def test_stand_ins_are_started_and_share_a_server(recipe, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with endpoint_clients(recipe, "teacher", "clarity_judge") as clients:
        assert clients["teacher"].address == clients["clarity_judge"].address
        asked = ChatRequest([{"role": "user", "content": "Hello"}], 0.6, 0.95, 64, 1, "row")
        assert clients["teacher"].complete([asked])[0].text
    assert (tmp_path / "cache" / "endpoints" / "answers.sqlite").exists()


def test_an_address_comes_from_the_placement_and_its_key_from_the_environment(with_real_teacher, tmp_path, monkeypatch):
    placement = tmp_path / "placement.yaml"
    placement.write_text("endpoints: {teacher: 'http://r1.internal/v1'}\nendpoint_concurrency: 3\n")
    monkeypatch.setenv("AMT_PLACEMENT", str(placement))
    with endpoint_clients(with_real_teacher, "teacher") as clients:
        assert clients["teacher"].address == "http://r1.internal/v1"
    with endpoint_address("teacher", with_real_teacher) as address:
        assert address == "http://r1.internal/v1"


def test_a_missing_address_names_the_key_and_the_file_to_write_it_into(with_real_teacher, monkeypatch):
    monkeypatch.delenv("AMT_PLACEMENT", raising=False)
    with pytest.raises(ParamsError) as caught, endpoint_address("teacher", with_real_teacher):
        pass
    for part in ("deepseek-ai/DeepSeek-R1", "AMT_PLACEMENT", "endpoints.teacher", "AMT_TEACHER_API_KEY"):
        assert part in str(caught.value)


def placed(tmp_path, monkeypatch, content):
    path = tmp_path / "placement.yaml"
    path.write_text("endpoints: {teacher: 'http://r1.internal/v1'}\n" + content)
    monkeypatch.setenv("AMT_PLACEMENT", str(path))


def test_a_budget_without_a_price_is_refused_and_names_the_key(with_real_teacher, tmp_path, monkeypatch):
    placed(tmp_path, monkeypatch, "endpoint_budget: 12.5\n")
    with (
        pytest.raises(ParamsError, match=r"12\.5 USD.*deepseek-ai/DeepSeek-R1.*endpoint_prices\.teacher: \{input"),
        endpoint_clients(with_real_teacher, "teacher"),
    ):
        pass


def test_stand_ins_cost_nothing_unless_a_price_is_given_and_the_run_says_what_was_asked(recipe, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    placed(tmp_path, monkeypatch, "endpoint_budget: 1\nendpoint_prices: {clarity_judge: {input: 1000, output: 0}}\n")
    journal = tmp_path / "journal.jsonl"
    monkeypatch.setattr(tracking, "_current", tracking.Run(journal))
    asked = ChatRequest([{"role": "user", "content": "Hello there"}], 0.6, 0.95, 64, 1, "row")
    with endpoint_clients(recipe, "teacher", "clarity_judge", "rewriter") as clients:
        clients["teacher"].complete([asked])
        clients["clarity_judge"].complete([asked])
        tokens = clients["clarity_judge"].prompt_tokens
    (line,) = journal.read_text().splitlines()
    values = json.loads(line)["values"]
    assert values["endpoints/teacher/answered"] == 1
    assert values["endpoints/teacher/cost"] == 0
    assert tokens > 0
    assert values["endpoints/clarity_judge/cost"] == pytest.approx(tokens / 1000)
    assert not [name for name in values if "rewriter" in name]


def test_experiments_in_copies_of_the_project_use_its_own_answers(tmp_path, monkeypatch):
    copy = tmp_path / ".dvc" / "tmp" / "exps" / "standalone" / "tmpabc"
    copy.mkdir(parents=True)
    monkeypatch.delenv("AMT_PLACEMENT", raising=False)
    for here in (tmp_path, copy):
        monkeypatch.chdir(here)
        assert endpoint_cache() == tmp_path / "cache" / "endpoints"
