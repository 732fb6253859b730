"""The report: one page that stands alone, its figures, and the numbers that `dvc metrics` shows.

scores.json of every model, the SFT curve, stage reports, ledgers, the journals of training
  -> index.html, metrics.json, figures/*.svg

Everything on the page is read from files that other stages wrote; nothing is measured here.
"""

import base64
import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jinja2
import pyarrow as pa
import pyarrow.compute as pc

from amt.drawing import save
from amt.errors import DataError
from amt.evaluation import figures as draw
from amt.evaluation.paper import FIGURE_4
from amt.evaluation.planted import FINDERS, found_against_planted, verdict_ledger
from amt.evaluation.statistics import Difference, paired_difference
from amt.flow.chain import check_chain
from amt.flow.funnel import Counts, StageCount, count
from amt.flow.ledgers import Ledgers
from amt.flow.picture import group_funnel, stage_funnel
from amt.flow.stages import TRAINING, trunk
from amt.ledger import read_report, write_report
from amt.params import Recipe
from amt.publish import publish_directory, publish_file
from amt.rows import CATEGORIES, SCORE, batches, read_shards

LABELS = {"base": "base", "sft": "SFT", "rl1": "RL stage 1", "rl2": "RL stage 2"}
GAINS = (("sft", "rl2"), ("base", "sft"), ("sft", "rl1"), ("rl1", "rl2"))
MODEL_LEDGERS = dict(zip(TRAINING, ("sft", "rl1", "rl2"), strict=True))
"""Stage that trains -> the model whose folder holds its ledger."""

GRPO_PANELS = (
    ("reward", "Mean reward", True),
    ("signal", "Groups with signal", True),
    ("response_tokens", "Response tokens", False),
    ("stop_ratio", "Stop ratio", True),
    ("entropy", "Entropy (nats a token)", False),
)
"""(key in metrics.jsonl, title, is a share)"""
GRPO_WINDOW = 5


@dataclass(frozen=True)
class Inputs:
    """What the report reads; every field is a path or a list of them, as in rules/evaluate.smk."""

    scores: list[Path]
    curve: Path
    stage_reports: list[Path]
    ledgers: list[Path]
    response_scores: list[Path]
    samples: Path
    sft: Path
    rl1: Path
    rl2: Path


def write_all(
    inputs: Inputs,
    recipe: Recipe,
    *,
    planted_responses: dict[str, list[dict[str, Any]]],
    teacher_habit: str | None,
    page: Path,
    metrics: Path,
    figures: Path,
) -> dict[str, Any]:
    """Write page, metrics and figures; returns the metrics. Asserts first that no row is lost between two stages.

    Args:
        planted_responses: faults that a scripted teacher made, {kind: [{"row_id": id of the response}]}; what was
            planted in the rows stands in the reports of collect.
        teacher_habit: what else a reader must know of a scripted teacher.
    """
    scores = {content["model"]: content["benchmarks"] for content in map(read_report, inputs.scores)}
    if missing := LABELS.keys() - scores.keys():
        raise DataError(f"No scores of {', '.join(sorted(missing))} among {', '.join(map(str, inputs.scores))}.")
    scores = {model: scores[model] for model in LABELS}
    main = main_benchmark(recipe, scores)
    models = [getattr(inputs, model) / "ledger.parquet" for model in MODEL_LEDGERS.values()]
    ledgers = Ledgers([*inputs.ledgers, *models])
    check_chain(ledgers)
    context = {
        "name": recipe.name,
        "seed": recipe.seed,
        "labels": LABELS,
        "main": main,
        "confidence": f"{100 * recipe.evaluation.confidence:g} %",
        "evaluation": recipe.evaluation,
        "judge": recipe.endpoints.arena_judge.model,
        "standins": standins(recipe, teacher_habit),
        **_result(scores, main, recipe.evaluation.confidence),
        **_evaluation(scores, recipe),
        **_rows(inputs, recipe, ledgers, planted_responses),
        **_sft(inputs),
        **_grpo(inputs),
    }
    with publish_directory(figures) as folder:
        _draw(folder, context, scores)
        context["figures"] = {
            file.stem: base64.b64encode(file.read_bytes()).decode() for file in sorted(folder.glob("*.svg"))
        }
    with publish_file(page) as temporary:
        temporary.write_text(_template().render(context), encoding="utf-8")
    numbers = _metrics(context, scores)
    write_report(metrics, numbers)
    return numbers


def main_benchmark(recipe: Recipe, scores: Mapping[str, Mapping[str, Any]]) -> str:
    """The benchmark of the headline: the one that the curve follows, else the first that is no arena."""
    evaluated = [name for name, item in scores["base"].items() if item["kind"] != "arena"]
    if not evaluated:
        raise DataError("No benchmark but arenas was evaluated. Set evaluate: true for another one under benchmarks.")
    return recipe.evaluation.curve_benchmark if recipe.evaluation.curve_benchmark in evaluated else evaluated[0]


# --- stand-ins -------------------------------------------------------------------------------------------


def standins(recipe: Recipe, teacher_habit: str | None = None) -> list[dict[str, str]]:
    """Every part of the build that is not what its name promises: part, what it is here, what the paper has."""
    found = []
    base, reward = recipe.models.base, recipe.models.reward
    if base.origin == "standin":
        shape, training = base.architecture, base.pretraining
        found.append({
            "part": "base model",
            "here": f"Qwen2 architecture with {shape.layers} layers of width {shape.hidden}, trained in this build "
            f"on {training.tokens:,} tokens of generated text",
            "paper": "Qwen2.5-32B [4.1]",
        })  # fmt: skip
    if reward.origin == "standin":
        found.append({
            "part": "reward model",
            "here": f"three heads, trained in this build on {reward.comparisons:,} generated comparisons",
            "paper": "a reward model for helpfulness, correctness and coherence [3.2]",
        })  # fmt: skip
    papers = {
        "teacher": "DeepSeek-R1 [2.2.1]",
        "second_opinion": "o4-mini [2.2.1]",
        "clarity_judge": "an LLM [2.2.1]",
        "rewriter": "not said [2.2.1]",
        "paraphraser": "not said",
        "arena_judge": "GPT-4 Turbo (1106) [5.1.1]",
    }
    for role, endpoint in recipe.endpoints:
        if endpoint.model.startswith("standin/"):
            here = f"{endpoint.model}: a scripted program behind a real HTTP address, with seeded error rates"
            if role == "teacher" and teacher_habit:
                here += f". {teacher_habit}"
            found.append({"part": f"endpoint: {role.replace('_', ' ')}", "here": here, "paper": papers[role]})
    samples = [name for name, source in recipe.sources.items() if source.origin == "samples"]
    if samples:
        found.append({
            "part": f"{len(samples)} of {len(recipe.sources)} datasets",
            "here": f"rows generated in each dataset's published schema: {', '.join(samples)}",
            "paper": "the public datasets of these names [2.1]",
        })  # fmt: skip
    likes = {"math": "AIME 2024 and AIME 2025", "arena": "Arena-Hard", "code": "LiveCodeBench"}
    for name, benchmark in recipe.benchmarks.items():
        if benchmark.origin == "standin":
            here = f"{benchmark.questions} generated questions"
            found.append({"part": f"benchmark {name}", "here": here, "paper": f"{likes[benchmark.kind]} [5.1.1]"})
    return found


# --- scores ----------------------------------------------------------------------------------------------


def _result(scores: dict[str, Any], main: str, confidence: float) -> dict[str, Any]:
    models = {model: benchmarks[main] for model, benchmarks in scores.items()}
    return {
        "headline": {
            "models": models,
            "questions": models["sft"]["questions"],
            "samples": models["sft"]["samples_per_question"],
        },
        "gain": asdict(_gain(models["sft"], models["rl2"], confidence)),
    }


def _gain(first: dict[str, Any], second: dict[str, Any], confidence: float) -> Difference:
    """Paired over the questions that were scored for both models."""
    both = _scored_in_both(first, second)
    if len(both) < 2:
        raise DataError(f"{len(both)} question was scored for both models; an interval needs two. Ask more questions.")
    before, after = dict(first["by_question"]), dict(second["by_question"])
    return paired_difference({key: before[key] for key in both}, {key: after[key] for key in both}, confidence)


def _scored_in_both(first: dict[str, Any], second: dict[str, Any]) -> set[str]:
    return dict(first["by_question"]).keys() & dict(second["by_question"]).keys()


def _evaluation(scores: dict[str, Any], recipe: Recipe) -> dict[str, Any]:
    names = list(scores["base"])
    published = recipe.published.scores if recipe.published else {}
    models = list(scores)
    evaluations = [
        {
            **scores[model][name],
            "benchmark": name,
            "model": model,
            "first": model == models[0],
            "last": model == models[-1],
            "published": published.get(name),
            "not_judged": sum(scores[model][name]["statuses"][status] for status in ("invalid", "error")),
        }
        for name in names
        for model in models
    ]
    gains = [
        {
            "benchmark": name,
            "of": pair,
            "first": pair == GAINS[0],
            **asdict(_gain(scores[pair[0]][name], scores[pair[1]][name], recipe.evaluation.confidence)),
        }
        for name in names
        for pair in GAINS
        if len(_scored_in_both(scores[pair[0]][name], scores[pair[1]][name])) > 1
    ]
    arenas = [name for name in names if scores["base"][name]["kind"] == "arena"]
    unreadable = {model: sum(sum(scores[model][name]["reasons"].values()) for name in arenas) for model in models}
    return {"evaluations": evaluations, "gains": gains, "arenas": arenas, "unreadable": unreadable}


# --- rows ------------------------------------------------------------------------------------------------


def _rows(
    inputs: Inputs, recipe: Recipe, ledgers: Ledgers, planted_responses: dict[str, list[dict[str, Any]]]
) -> dict[str, Any]:
    collected = [report for report in map(read_report, inputs.stage_reports) if report.get("stage") == "queries"]
    if lacking := recipe.sources.keys() - {report["source"] for report in collected}:
        raise DataError(f"No report of {', '.join(sorted(lacking))} among the stage reports.")
    found = count(ledgers)
    funnel = Counts({name: found.of_source.get(name, {}) for name in recipe.sources})
    samples: Counter[str] = Counter()
    for part in batches(inputs.samples, pa.schema([("source", pa.string())])):
        samples.update(part.column("source").to_pylist())
    sources = [
        {
            "name": name,
            "rows_in": of_stage["queries"].rows_in if "queries" in of_stage else 0,
            "kept": [of_stage[stage.name].kept if stage.name in of_stage else 0 for stage in trunk()],
            "samples": samples[name],
        }
        for name, of_stage in funnel.of_source.items()
    ]
    planted: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for report in collected:
        for kind, some in report.get("planted", {}).items():
            planted[kind] += some
    scores = read_shards(inputs.response_scores, SCORE)
    entries = _entries_about(ledgers, planted | planted_responses) | verdict_ledger(scores)
    return {
        "rows_in": sum(source["rows_in"] for source in sources),
        "funnel": funnel,
        "stages": [_stage(one) for one in funnel.by_stage()],
        "sources": sources,
        "source_stages": [stage.label for stage in trunk()],
        "source_totals": [sum(column) for column in zip(*(source["kept"] for source in sources), strict=True)],
        "response_scores": _score_counts(scores),
        "planted": found_against_planted(planted | planted_responses, entries, recipe),
    }


def _entries_about(ledgers: Ledgers, planted: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """{stage: entries} of the planted rows, and of all that were found for the same reasons."""
    names = {
        name for some in planted.values() for entry in some for name in (entry["row_id"], entry.get("same_as")) if name
    }
    reasons = {reason for finder in FINDERS.values() for reason in finder.reasons}
    entries: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in ledgers.about(sorted(names), sorted(reasons)):
        entries[line["stage"]].append(line)
    return dict(entries)


def _score_counts(scores: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Responses by kind of reward: how many were scored, could not be, and their mean reward."""
    counts = []
    for kind in sorted({score["reward_kind"] for score in scores}):
        here = [score for score in scores if score["reward_kind"] == kind]
        rewards = [score["reward"] for score in here if score["status"] == "scored"]
        counts.append({
            "kind": kind,
            "responses": len(here),
            "mean": sum(rewards) / len(rewards) if rewards else None,
            "invalid": sum(score["status"] == "invalid" for score in here),
            "error": sum(score["status"] == "error" for score in here),
        })  # fmt: skip
    return counts


def _stage(one: StageCount) -> dict[str, Any]:
    return {
        "label": one.label,
        "unit": one.unit,
        "rows_in": one.rows_in,
        "kept": one.kept,
        "dropped": one.dropped.total(),
        "reasons": one.dropped.most_common(),
        "changed": one.changed.most_common(),
    }


# --- training --------------------------------------------------------------------------------------------


def samples_and_tokens(path: Path) -> tuple[Counter[str], Counter[str]]:
    """Of each category in the SFT set, a part of which lies in memory at once."""
    samples: Counter[str] = Counter()
    tokens: Counter[str] = Counter()
    for part in batches(path, pa.schema([("category", pa.string()), ("token_ids", pa.list_(pa.int32()))])):
        lengths = pc.list_value_length(part.column("token_ids")).to_pylist()
        for category, length in zip(part.column("category").to_pylist(), lengths, strict=True):
            samples[category] += 1
            tokens[category] += length
    return samples, tokens


def _sft(inputs: Inputs) -> dict[str, Any]:
    samples, tokens = samples_and_tokens(inputs.samples)
    paper_samples = sum(part.samples for part in FIGURE_4.values())
    paper_tokens = sum(part.tokens for part in FIGURE_4.values())
    mixture = [
        {
            "category": category,
            "samples": samples[category],
            "tokens": tokens[category],
            "share_of_samples": samples[category] / max(1, samples.total()),
            "share_of_tokens": tokens[category] / max(1, tokens.total()),
            "published_samples": FIGURE_4[category].samples,
            "published_tokens": FIGURE_4[category].tokens,
            "published_share_of_samples": FIGURE_4[category].samples / paper_samples,
            "published_share_of_tokens": FIGURE_4[category].tokens / paper_tokens,
        }
        for category in CATEGORIES
    ]
    return {
        "mixture": mixture,
        "rows_sft": samples.total(),
        "tokens_sft": tokens.total(),
        "sft_steps": read_metrics(inputs.sft / "metrics.jsonl", ("step", "loss", "lr")),
        "curve": read_report(inputs.curve),
    }


def _grpo(inputs: Inputs) -> dict[str, Any]:
    keys = tuple(key for key, _, _ in GRPO_PANELS)
    steps = {model: read_metrics(getattr(inputs, model) / "metrics.jsonl", keys) for model in ("rl1", "rl2")}
    sets = {path.name: path for path in inputs.stage_reports}
    stages = [
        {
            "model": model,
            "steps": len(entries),
            "ended": read_report(getattr(inputs, model) / "report.json")["ended"].replace("_", " "),
            "queries": read_report(sets[f"stage{number}.report.json"])["kept"],
        }
        for number, (model, entries) in enumerate(steps.items(), start=1)
    ]
    by_category = [(f"reward/{category}", f"Reward: {category.replace('_', ' ')}", True) for category in CATEGORIES]
    table = [
        {"title": title, "is_share": is_share, "ends": [_ends(entries, key) for entries in steps.values()]}
        for key, title, is_share in (*GRPO_PANELS, *by_category)
        if any(key in entry for entries in steps.values() for entry in entries)
    ]
    return {"grpo_steps": steps, "grpo": stages, "grpo_table": table, "grpo_window": GRPO_WINDOW}


def _ends(entries: list[dict[str, Any]], key: str) -> tuple[float | None, float | None]:
    """Means over the first and the last steps that have the key."""
    values = [entry[key] for entry in entries if key in entry]
    if not values:
        return None, None
    first, last = values[:GRPO_WINDOW], values[-GRPO_WINDOW:]
    return sum(first) / len(first), sum(last) / len(last)


def read_metrics(path: Path, keys: tuple[str, ...]) -> list[dict[str, Any]]:
    """The lines of a training journal.

    Raises:
        DataError: the file is missing or empty, or lines lack a key.
    """
    if not path.exists():
        raise DataError(f"{path} does not exist. Delete {path.parent} and run snakemake again.")
    lines = [json.loads(line) for line in path.read_text().splitlines() if line]
    if not lines:
        raise DataError(f"{path} is empty. Delete {path.parent} and run snakemake again.")
    if missing := [key for key in keys if key not in lines[0]]:
        raise DataError(f"{path} lacks {', '.join(missing)} (it has: {', '.join(lines[0])}).")
    return lines


# --- page ------------------------------------------------------------------------------------------------


def _draw(folder: Path, context: dict[str, Any], scores: dict[str, Any]) -> None:
    main, funnel = context["main"], context["funnel"]
    mixture = {item["category"]: item for item in context["mixture"]}
    figures = {
        "pass_at_1": lambda: draw.pass_at_1({model: scores[model][main] for model in scores}, main),
        "funnel": lambda: stage_funnel(funnel.by_stage()),
        "funnel_by_source": lambda: group_funnel(funnel.of_source),
        "mixture": lambda: draw.mixture(mixture),
        "sft_training": lambda: draw.sft_training(context["sft_steps"]),
        "sft_curve": lambda: draw.sft_curve(context["curve"]["points"]),
        "grpo": lambda: draw.grpo(context["grpo_steps"], GRPO_PANELS),
    }
    for name in context["arenas"]:
        figures[f"arena_{name}"] = lambda name=name: draw.win_rates(
            {model: scores[model][name] for model in scores}, name
        )
    for name, figure in figures.items():
        save(folder / f"{name}.svg", figure)


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2")


def _metrics(context: dict[str, Any], scores: dict[str, Any]) -> dict[str, Any]:
    main, gain = context["main"], context["gain"]
    return {
        "benchmark": main,
        "rows_in": context["rows_in"],
        "rows_sft": context["rows_sft"],
        "tokens_sft": context["tokens_sft"],
        "pass_at_1": {model: scores[model][main]["pass_at_1"] for model in scores},
        "stop_ratio": {model: scores[model][main]["stop_ratio"] for model in scores},
        "mean_tokens": {model: scores[model][main]["mean_tokens"] for model in scores},
        "not_judged": {
            model: sum(item["not_judged"] for item in context["evaluations"] if item["model"] == model)
            for model in scores
        },
        "gain": gain["mean"],
        "ci95": list(gain["interval"]),
        "gain_low": gain["interval"][0],
        "gain_high": gain["interval"][1],
        "win_rate": {name: {model: scores[model][name]["pass_at_1"] for model in scores} for name in context["arenas"]},
        "instructions": {
            name: {model: scores[model][name]["instructions"] for model in scores}
            for name, benchmark in scores["base"].items()
            if benchmark["kind"] == "instructions"
        },
        "found": {item["kind"]: {"planted": item["planted"], "found": item["found"]} for item in context["planted"]},
    }
