"""The recipes load, and the paper's recipe holds the paper's figures (numbers copied here from the paper by hand)."""

import ast
import os
import re
import subprocess
import sys
from datetime import date
from fnmatch import fnmatchcase
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from amt import params
from amt.errors import ParamsError
from amt.params import SOURCES, STANDIN_QUESTIONS, load, load_for_stage
from amt.sources.catalogue import DATASETS
from amt.standins.benchmarks import arena_questions, math_questions
from tests.recipe_comments import keys

ROOT = Path(__file__).parents[1]
PAPER = ROOT / "recipes" / "am-thinking-v1-32b.yaml"
LAPTOP = ROOT / "params.yaml"


@pytest.fixture(scope="module")
def paper():
    return load(PAPER)


def test_sources_are_the_datasets_of_section_2_1(paper):
    math = ["openr1_math_220k", "big_math_rl_verified", "data_ablation_full59k", "numinamath", "metamathqa", "amc_2023"]
    math += ["deepmath_103k", "aime_1983_2024"]
    code = ["prime_eurus2", "deepcoder", "kodcode_v1", "livecodebench_generation", "codeforces_cots"]
    code += ["verifiable_coding", "opencoder", "openthoughts_code", "acecode_87k"]
    science = ["task_mmmlu", "chemistryqa", "nemotron_science", "logic_701", "logiclm"]
    science += [f"ncert_{subject}_{year}" for subject in ("physics", "chemistry", "biology") for year in (11, 12)]
    instructions = ["nemotron_if", "tulu3_if"]
    chat = ["evol", "infinity_instruct", "open_orca", "tulu3_chat", "natural_reasoning", "flan", "ultra_chat"]
    chat += ["openhermes_2_5"]
    assert set(paper.sources) == {*math, *code, *science, *instructions, *chat}
    assert {source.origin for source in paper.sources.values()} == {"hub"}


def test_models(paper):
    assert paper.models.base.hub_id == "Qwen/Qwen2.5-32B"
    assert "R1" in paper.endpoints.teacher.model
    assert paper.endpoints.second_opinion.model == "o4-mini"
    assert "1106" in paper.endpoints.arena_judge.model
    assert paper.curate.verify_math.multiple_choice == "rewrite"


def test_sft_section_4_1(paper):
    sft = paper.sft
    assert (sft.learning_rate, sft.epochs, sft.global_batch, sft.max_tokens) == (8e-5, 2, 64, 32 * 1024)
    assert sft.warmup == 0.05
    # "a batch size of around 2M tokens" and ten times the learning rate of "traditional SFT" [5.3]
    assert sft.learning_rate == pytest.approx(10 * 8e-6)
    assert sft.global_batch * sft.max_tokens == pytest.approx(2e6, rel=0.05)


def test_mixture_figure_4(paper):
    """Thousands of samples."""
    most = paper.sft_set.max_samples
    assert {name: samples / 1000 for name, samples in most.items()} == {
        "math": 1008.9, "code": 465.4, "science": 122.2, "instruction_follow": 157.6, "general_chat": 1088.5,
    }  # fmt: skip
    assert sum(most.values()) == pytest.approx(2.84e6, rel=0.005)  # "approximately 2.84 million samples" [4.1]


def test_rl_section_4_2(paper):
    grpo = paper.grpo
    assert (grpo.prompts, grpo.group_size, grpo.kl_coefficient) == (256, 16, 0)
    assert (grpo.stage1.learning_rate, grpo.stage1.max_response_tokens) == (4e-6, 24 * 1024)
    assert (grpo.stage2.learning_rate, grpo.stage2.max_response_tokens) == (1e-6, 32 * 1024)
    assert paper.rl_set.stage1 == {"math": 32_000, "code": 22_000}
    assert paper.rl_set.stage2 == {"general_chat": 15_000, "instruction_follow": 5_000}


def test_evaluation_section_5_1(paper):
    evaluation = paper.evaluation
    assert (evaluation.temperature, evaluation.top_p, evaluation.max_tokens) == (0.6, 0.95, 49_152)
    samples = {name: benchmark.samples for name, benchmark in paper.benchmarks.items()}
    assert samples == {"aime_2024": 64, "aime_2025": 64, "livecodebench": 16, "arena_hard": 1}
    suffix = r"Let's think step by step and output the final answer within \box{}."
    assert {b.prompt_suffix for b in paper.benchmarks.values() if b.kind == "math"} == {suffix}
    assert {b.prompt_suffix for b in paper.benchmarks.values() if b.kind != "math"} == {""}
    window = paper.benchmarks["livecodebench"].window
    assert (window.first, window.last) == (date(2024, 10, 1), date(2025, 2, 28))
    assert evaluation.curve_benchmark == "aime_2024"  # [5.3]


def test_evaluation_sets_section_5_1_1(paper):
    """All questions of each are asked: the two AIME sets have 30 by themselves."""
    assert {name: (benchmark.kind, benchmark.hub_id) for name, benchmark in paper.benchmarks.items()} == {
        "aime_2024": ("math", "HuggingFaceH4/aime_2024"),
        "aime_2025": ("math", "yentinglin/aime_2025"),
        "livecodebench": ("code", "livecodebench/code_generation_lite"),
        "arena_hard": ("arena", "lmarena-ai/arena-hard-auto"),
    }
    assert all(benchmark.questions is None and benchmark.evaluate for benchmark in paper.benchmarks.values())
    assert paper.evaluation.curve_questions == 30  # all of AIME 2024 [5.3]


def test_system_prompt_section_5_1_3(paper):
    assert paper.responses.system_prompt == (
        "You are a helpful assistant. To answer the user's question, you first think about the reasoning process and "
        "then provide the user with the answer. The reasoning process and answer are enclosed within <think> </think> "
        "and <answer> </answer> tags, respectively, i.e., <think> reasoning process here </think> <answer> answer "
        "here </answer>."
    )


def test_published_scores(paper):
    """Table 1."""
    assert paper.published.scores == {
        "aime_2024": 0.853,
        "aime_2025": 0.744,
        "livecodebench": 0.703,
        "arena_hard": 0.925,
    }


STATED = """
    published.* curate.verify_math.multiple_choice models.base.hub_id
    benchmarks.*.kind benchmarks.*.samples benchmarks.*.prompt_suffix benchmarks.*.evaluate
    benchmarks.livecodebench.hub_config benchmarks.livecodebench.window
    sft_set.max_samples.* sft.learning_rate sft.epochs sft.global_batch sft.max_tokens sft.warmup
    pass_rates.queries rl_set.stage1 rl_set.stage2 grpo.prompts grpo.group_size grpo.kl_coefficient
    grpo.stage?.learning_rate grpo.stage?.max_response_tokens
    evaluation.temperature evaluation.top_p evaluation.max_tokens evaluation.curve_benchmark evaluation.curve_questions
""".split()
"""Keys whose value the paper states, read from it by hand. All others are choices of ours."""


def test_every_key_of_the_papers_recipe_names_its_section_or_is_called_open():
    """In a comment of its own, or in one of the sections that it stands in."""
    section = re.compile(r"\[(?:\d(?:\.\d){0,2}|Figures? \d|Table \d)[],]")
    unsaid = []
    for key in keys(PAPER):
        if key.is_section or key.name == "name":
            continue
        if any(fnmatchcase(key.name, stated) for stated in STATED):
            said = section.search(f"{key.around} {key.comment}") and "open in the paper" not in key.comment
        else:
            said = "open in the paper" in f"{key.around} {key.comment}"
        if not said:
            unsaid.append(key.name)
    assert unsaid == []


def test_every_field_of_the_schema_has_a_docstring():
    """What it is, its unit, the section of the paper where it has one."""
    sections = [node for node in ast.parse(Path(params.__file__).read_text()).body if isinstance(node, ast.ClassDef)]
    fields = [
        (f"{section.name}.{field.target.id}", after)
        for section in sections
        for field, after in pairwise([*section.body, ast.Pass()])
        if isinstance(field, ast.AnnAssign)
    ]
    assert {name for name, _ in fields} >= {"Recipe.seed", "Sft.learning_rate", "Window.last"}
    bare = [name for name, after in fields if not _is_text(after)]
    assert bare == []


def _is_text(node):
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _with(tmp_path, recipe=PAPER, **changes):
    content = yaml.safe_load(recipe.read_text())
    for path, value in changes.items():
        *parents, last = path.split("__")
        at = content
        for part in parents:
            at = at[part]
        at[last] = value
    file = tmp_path / "recipe.yaml"
    file.write_text(yaml.safe_dump(content))
    return file


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sft__learning_rates": 1e-4}, "sft.learning_rates: unknown key"),
        ({"evaluation__top_p": 1.5}, "evaluation.top_p: Input should be less than or equal to 1 (given: 1.5)"),
        ({"grpo__kl_coefficient": 0.1}, "grpo.kl_coefficient: Input should be 0"),
        ({"evaluation__curve_benchmark": "aime_2023"}, "evaluation.curve_benchmark: aime_2023 is not a benchmark"),
        ({"benchmarks__arena_hard__hub_id": None}, "benchmarks.arena_hard.hub_id: null, but its origin is hub"),
        (
            {"benchmarks__livecodebench__window__last": "2024-01-01"},
            "benchmarks.livecodebench.window.last: 2024-01-01 lies before first (2024-10-01)",
        ),
        (
            {"benchmarks__livecodebench__window__last": date(2025, 2, 28)},
            'benchmarks.livecodebench.window.last: 2025-02-28 stands without quotes. Write "2025-02-28"',
        ),
    ],
)
def test_faults_name_their_key(tmp_path, changes, message):
    with pytest.raises(ParamsError) as error:
        load(_with(tmp_path, **changes))
    assert message in str(error.value)


# What pydantic says of a bound is not repeated here beyond the key and the value.
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"score__heads__coherence__range": [1, 1]}, "score.heads.coherence.range: [1.0, 1.0], but the first"),
        ({"score__heads__correctness__range": [2, -2]}, "score.heads.correctness.range: [2.0, -2.0], but the first"),
        ({"score__heads__helpfulness__column": -1}, "score.heads.helpfulness.column: "),
        ({"models__base__architecture": None}, "models.base.architecture: null, but its origin is standin"),
        ({"models__base__pretraining": None}, "models.base.pretraining: null, but its origin is standin"),
        ({"models__base__origin": "hub"}, "models.base.hub_id: null, but its origin is hub"),
        ({"models__reward__comparisons": None}, "models.reward.comparisons: null, but its origin is standin"),
        ({"models__reward__learning_rate": None}, "models.reward.learning_rate: null, but its origin is standin"),
        ({"models__reward__origin": "hub"}, "models.reward.hub_id: null, but its origin is hub"),
        ({"models__base__architecture__heads": 3}, "models.base.architecture.heads: 3 does not divide hidden (128)"),
        # Parts of one number each: heads divides hidden, but nothing is left to turn in pairs.
        ({"models__base__architecture__heads": 128}, "models.base.architecture.heads: 128 does not divide hidden"),
        ({"models__base__architecture__kv_heads": 3}, "models.base.architecture.kv_heads: 3 does not divide heads (4)"),
        ({"models__base__architecture__vocabulary": 200}, "models.base.architecture.vocabulary: "),
        ({"sft__max_tokens": 5000}, "sft.max_tokens: 5000 is above models.base.architecture.context (1024)"),
        ({"models__reward__comparisons": 5}, "models.reward.comparisons: "),
        ({"benchmarks__aime_like__questions": None}, "benchmarks.aime_like.questions: null, but the stand-in set"),
        ({"benchmarks__aime_like__questions": 401}, "benchmarks.aime_like.questions: 401, but the stand-in set"),
        ({"benchmarks__arena_like__questions": 49}, "benchmarks.arena_like.questions: 49, but the stand-in set"),
        ({"benchmarks__aime_like__kind": "code"}, "benchmarks.aime_like.kind: code has no stand-in"),
        ({"benchmarks__aime_like__evaluate": False}, "benchmarks: none but arenas has evaluate: true"),
        ({"curate__unique__near_duplicates__bands": 30}, "curate.unique.near_duplicates.bands: 30 does not divide"),
        ({"curate__unique__source_order": ["metamath_qa"]}, "there is no source metamath_qa (nearest: metamathqa)"),
        ({"curate__certificate__clean_sources": ["flann"]}, "clean_sources: there is no source flann (nearest: flan)"),
        ({"filter_responses__ngram_repeats": 1}, "filter_responses.ngram_repeats: "),
        ({"filter_responses__max_perplexity": float("inf")}, "filter_responses.max_perplexity: "),
        ({"sft__learning_rate": float("inf")}, "sft.learning_rate: "),
        ({"sft__learning_rate": float("nan")}, "sft.learning_rate: "),
        ({"score__heads__coherence__range": [-2.0, float("inf")]}, "score.heads.coherence.range.1: "),
        ({"sft__adam_beta2": 1.0}, "sft.adam_beta2: "),
        ({"grpo__adam_beta2": 1.0}, "grpo.adam_beta2: "),
        ({"evaluation__top_p": 0}, "evaluation.top_p: "),
        ({"endpoints__teacher__top_p": 0}, "endpoints.teacher.top_p: "),
        ({"grpo__temperature": 0.7}, "grpo.temperature: 0.7, but the trainer's log-probabilities are those of temp"),
        ({"grpo__stage1__overlong_tokens": 5000}, "grpo.stage1.overlong_tokens: 5000 is above max_response_tokens ("),
        ({"grpo__stage2__overlong_tokens": 5000}, "grpo.stage2.overlong_tokens: 5000 is above max_response_tokens ("),
        ({"grpo__stage2__max_response_tokens": 1024}, "grpo.stage2.max_response_tokens: 1024 leaves no room for a"),
        ({"pass_rates__max_tokens": 1024}, "pass_rates.max_tokens: 1024 leaves no room for a prompt"),
        ({"evaluation__max_tokens": 1024}, "evaluation.max_tokens: 1024 leaves no room for a prompt"),
        ({"sandbox__wall_seconds": 0.1}, "sandbox.wall_seconds: 0.1 is below cpu_seconds (2.0)"),
        ({"sources": {}}, "sources: "),
        ({"rl_set__stage1": {}}, "rl_set.stage1: "),
        ({"rl_set__stage1__science": 5}, "rl_set.stage1.science"),
        # Would bring back what stage 1 left out for being always or never solved.
        ({"rl_set__stage2__math": 5}, "rl_set.stage2.math"),
        ({"rl_set__stage2__code": None}, "rl_set.stage2.code"),
        ({"sources__meta_math_qa": {"origin": "samples", "revision": None, "path": None, "limit": None, "shards": 1}},
         "sources.meta_math_qa: no such source (nearest: metamathqa)"),
        ({"sources__kodcode": {"origin": "hub", "revision": None, "path": None, "limit": None, "shards": 1}},
         "sources.kodcode: no such source (nearest: kodcode_v1)"),
        ({"sources__deepcoder__revision": "main"}, "sources.deepcoder.revision: 'main' is no commit: of that, all 40 "),
        ({"sources__deepcoder__revision": "6283828"}, "sources.deepcoder.revision: '6283828' is no commit"),
        ({"benchmarks__aime_like__revision": "v1.0"}, "benchmarks.aime_like.revision: 'v1.0' is no commit"),
        ({"models__base__revision": "A1B2C3D4E5" * 4}, "models.base.revision: 'A1B2C3D4E5A1B2C3D4E5"),
        ({"models__reward__revision": "a1b2c3d4e5" * 4 + "\n"}, "models.reward.revision: 'a1b2c3d4e5"),
        ({"collect__exclude_licences": ["mit", "cc-by-nc"]},
         "collect.exclude_licences: there is no licence cc-by-nc (there are: apache-2.0, c-uda-1.0, cc, cc-by-4.0, "),
        ({"sources__deepcoder__path": "rows.jsonl"}, "sources.deepcoder.path: rows.jsonl, but its origin is samples"),
        ({"sources__deepcoder__origin": "local"}, "sources.deepcoder.path: null, but its origin is local"),
    ],
)  # fmt: skip
def test_what_would_fail_in_a_job_is_refused_before_any(tmp_path, changes, message):
    (value,) = changes.values()
    with pytest.raises(ParamsError) as error:
        load(_with(tmp_path, LAPTOP, **changes))
    assert message in str(error.value)
    if message.endswith(": "):
        given = value[-1] if isinstance(value, list) else value
        assert f"(given: {given!r})" in str(error.value)


def test_a_benchmark_name_that_names_no_file_is_refused(tmp_path):
    content = yaml.safe_load(LAPTOP.read_text())
    content["benchmarks"]["AIME 2024"] = content["benchmarks"]["aime_like"]
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(ParamsError, match="AIME 2024"):
        load(tmp_path / "recipe.yaml")


def test_all_faults_are_listed_at_once(tmp_path):
    changes = {"score__heads__coherence__range": [1, 1], "sft__learning_rates": 1e-4, "grpo__temperature": 0.5}
    with pytest.raises(ParamsError) as error:
        load(_with(tmp_path, LAPTOP, **changes))
    said = str(error.value)
    assert "has 3 fault(s)" in said
    assert all(key in said for key in ("score.heads.coherence.range", "sft.learning_rates", "grpo.temperature"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "recipe.yaml is empty"),
        (b"# nothing but a comment\n", "recipe.yaml is empty"),
        (b"name: \xff\xfe\n", "recipe.yaml is not UTF-8"),
        (b"name: [laptop\nseed: 1\n", "recipe.yaml is not YAML"),
        (b"name: {{recipe}}\n", "recipe.yaml is not YAML"),
        (b"first: 2025-02-30\n", "recipe.yaml is not YAML"),
        (b"- name\n- seed\n", "it holds no keys but"),
        (b"name: laptop\nsft:\n  epochs: 1\n  epochs: 2\n", "key epochs twice in one place (lines 3 and 4)"),
        (b"sft: {epochs: 1, epochs: 2}\n", "key epochs twice in one place (lines 1 and 1)"),
    ],
)
def test_a_file_that_is_no_recipe_is_one_clear_error(tmp_path, content, message):
    (tmp_path / "recipe.yaml").write_bytes(content)
    with pytest.raises(ParamsError) as error:
        load(tmp_path / "recipe.yaml")
    assert message in str(error.value)
    assert "recipe.yaml" in str(error.value)


def test_a_directory_is_no_recipe(tmp_path):
    with pytest.raises(ParamsError, match=r"cannot be read: Is a directory"):
        load(tmp_path)


def test_the_schema_knows_the_sources_that_have_adapters_and_rows():
    samples = {file.stem for file in (ROOT / "amt" / "sources" / "samples").glob("*.jsonl")}
    assert set(SOURCES) == set(DATASETS) == samples


def test_the_schema_knows_how_many_questions_the_stand_ins_have():
    assert {"math": len(math_questions()), "arena": len(arena_questions())} == STANDIN_QUESTIONS


@pytest.mark.parametrize(
    ("recipe", "jobs"),
    [(PAPER, {"raw": 38, "benchmark": 4, "verify_math": 32}), (ROOT / "params.yaml", {"raw": 38, "verify_math": 1})],
)
def test_the_whole_flow_plans(tmp_path, recipe, jobs):
    """A dry run in a directory with nothing built reaches the report from recipe, sample rows and verdicts alone."""
    for name in ("amt", "scripts", "verdicts.yaml"):
        (tmp_path / name).symlink_to(ROOT / name)
    command = [sys.executable, "-m", "snakemake", "-n", "--snakefile", str(ROOT / "Snakefile")]
    result = subprocess.run(
        [*command, "--directory", str(tmp_path), "--config", f"params={recipe}"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=120,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    table = dict(line.split() for line in result.stdout.splitlines() if len(line.split()) == 2)
    for rule in ("unique", "removals", "certificate", "sft", "grpo_1", "grpo_2", "sft_curve", "report"):
        assert table.get(rule) == "1", rule
    assert table["evaluate"] == "4"
    for rule, count in jobs.items():
        assert int(table[rule]) >= count


def test_a_stage_sees_no_order_of_keys(tmp_path):
    def reversed_keys(value):
        return {key: reversed_keys(value[key]) for key in reversed(value)} if isinstance(value, dict) else value

    other = tmp_path / "other.yaml"
    other.write_text(yaml.safe_dump(reversed_keys(yaml.safe_load(LAPTOP.read_text())), sort_keys=False))
    assert list(load(LAPTOP).sources) != list(load(other).sources)
    assert load_for_stage(LAPTOP).model_dump_json() == load_for_stage(other).model_dump_json()
    assert load_for_stage(LAPTOP).model_dump() == load(LAPTOP).model_dump()
