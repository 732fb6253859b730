"""The placement file: what it may hold, and what is said of a faulty one."""

from pathlib import Path

import pytest

from amt.errors import ParamsError
from amt.params import load
from amt.placement import placement

ROOT = Path(__file__).parents[1]


@pytest.fixture
def read(tmp_path, monkeypatch):
    def read(content):
        file = tmp_path / "placement.yaml"
        file.write_text(content)
        monkeypatch.setenv("AMT_PLACEMENT", str(file))
        return placement()

    return read


def test_what_a_file_leaves_out_is_for_one_machine_without_a_gpu(read):
    for content in ("", "# nothing yet\n", "tensor_parallel: 1\n"):
        assert read(content) == read("tensor_parallel: 1\nendpoint_concurrency: 16\n")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *((key, value) for value in (0, -3) for key in (
            "threads", "tensor_parallel", "pipeline_parallel", "rollout_tensor_parallel", "rollout_sequences",
            "kv_cache_gb", "micro_batch_tokens", "endpoint_concurrency", "endpoint_attempts", "endpoint_timeout_s",
            "sandbox_workers", "sandbox_timeout_s", "sandbox_down_s",
        )),
        ("endpoint_timeout_s", float("inf")),
        ("endpoint_budget", -1),
        ("endpoint_currency", ""),
        ("endpoint_cache", ""),
        # The trainer keeps a document on one rank.
        ("scratch", ""),
    ],
)  # fmt: skip
def test_a_value_out_of_bounds_names_key_value_and_file(read, key, value):
    written = ".inf" if value == float("inf") else repr(value)
    with pytest.raises(ParamsError) as error:
        read(f"{key}: {written}\n")
    assert f"  {key}: " in str(error.value)
    assert f"(given: {value!r})" in str(error.value)
    assert "AMT_PLACEMENT" in str(error.value)
    assert "placement.yaml" in str(error.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        # One server serves a step's rollouts: a key that promised several had no effect.
        ("rollout_replicas: 2\n", "rollout_replicas: unknown key"),
        ("threads: [1\n", "is not YAML"),
        ("endpoints: {techer: 'http://x/v1'}\n", "endpoints: no such role: techer; there are teacher, second_opinion"),
        ("endpoint_prices: {techer: {input: 1, output: 2}}\n", "endpoint_prices: no such role: techer; there are"),
        ("endpoint_prices: {teacher: {input: 1}}\n", "endpoint_prices.teacher.output: missing"),
        ("endpoint_prices: {teacher: {input: -1, output: 1}}\n", "endpoint_prices.teacher.input: "),
        ("sandbox_servers: [node-3:8600]\n", "sandbox_servers.0: "),
        ("threads: 1\nthreads: 2\n", "key threads twice"),
        ("- threads\n", "holds no keys"),
    ],
)
def test_a_faulty_file_is_one_clear_error(read, content, message):
    with pytest.raises(ParamsError, match="AMT_PLACEMENT") as error:
        read(content)
    assert message in str(error.value)


@pytest.mark.parametrize(("place", "message"), [(".", "Is a directory"), ("none.yaml", "does not exist")])
def test_a_path_that_is_no_file_is_one_clear_error(tmp_path, monkeypatch, place, message):
    monkeypatch.setenv("AMT_PLACEMENT", str(tmp_path / place))
    with pytest.raises(ParamsError, match=f"AMT_PLACEMENT.*{message}"):
        placement()


def test_the_cluster_s_micro_batch_holds_the_longest_sequences_of_the_paper_s_recipe(monkeypatch):
    monkeypatch.setenv("AMT_PLACEMENT", str(ROOT / "cluster" / "placement.yaml"))
    recipe = load(ROOT / "recipes" / "am-thinking-v1-32b.yaml")
    room_for_a_prompt = placement().micro_batch_tokens - recipe.grpo.stage2.max_response_tokens
    assert room_for_a_prompt >= 8000
    assert placement().micro_batch_tokens >= recipe.sft.max_tokens
