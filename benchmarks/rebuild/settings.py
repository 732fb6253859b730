"""Edits of params.yaml: every leaf of the miniature's recipe, and who reads it, by what rules and scripts say."""

from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import yaml

from benchmarks.rebuild.edit import Edit, replaced
from benchmarks.rebuild.flow import BENCHMARKS, SOURCES, stages
from benchmarks.rebuild.places import Place

SEEDED = (
    "certificate", "base_model", "reward_model", "verify_math", "responses", "sft_set", "sft", "pass_rates", "rl_set_1",
    "grpo_1", "rl_set_2", "grpo_2", "evaluate", "sft_curve", "report",
)  # fmt: skip
"""The report too: it names the seed, and works out again which faults the scripted teacher made (planted_responses)."""
CONVERSING = (
    "base_model", "reward_model", "responses", "perplexity", "sft_set", "pass_rates", "grpo_1", "grpo_2", "evaluate",
    "sft_curve", "report",
)  # fmt: skip
"""Whose texts begin with the system prompt."""
BOTH_GRPO = ("grpo_1", "grpo_2")
RUNNING_CODE = ("score", "pass_rates", "grpo_1", "grpo_2", "evaluate")

READERS: dict[str, tuple[str, ...]] = {
    "name": ("report",),
    "seed": SEEDED,
    "published": ("report",),
    "collect": ("queries",),
    "curate.fingerprint": ("clean",),
    "curate.unique": ("unique",),
    "curate.clean": ("clean",),
    "curate.decontaminate": ("decontaminate", "certificate"),
    "curate.certificate": ("certificate",),
    "curate.verify_math": ("verify_math",),
    "endpoints.teacher": ("verify_math", "responses", "report"),
    "endpoints.second_opinion": ("verify_math", "report"),
    "endpoints.clarity_judge": ("verify_math", "report"),
    "endpoints.rewriter": ("verify_math", "report"),
    "endpoints.paraphraser": ("certificate", "report"),
    "endpoints.arena_judge": ("evaluate", "report"),
    "responses.samples": ("responses", "report"),
    "responses.system_prompt": CONVERSING,
    "filter_responses": ("filter_responses",),
    "score": ("score", "pass_rates", "grpo_2", "evaluate"),  # grpo_1 has no reward model
    "sandbox": RUNNING_CODE,
    "models.base": ("base_model", "report"),
    "models.reward": ("reward_model", "report"),
    "sft_set": ("sft_set",),
    "sft": ("sft",),
    "sft.max_tokens": ("sft_set", "sft"),
    "pass_rates": ("pass_rates",),
    "rl_set.stage1": ("rl_set_1",),
    "rl_set.stage2": ("rl_set_2",),
    "grpo": BOTH_GRPO,
    "grpo.stage1": ("grpo_1",),
    "grpo.stage2": ("grpo_2",),
    "evaluation": ("evaluate", "sft_curve", "report"),
    "evaluation.confidence": ("evaluate", "report"),
    "evaluation.curve_questions": ("sft_curve", "report"),
    "evaluation.curve_samples": ("sft_curve", "report"),
}
"""Who reads what lies under a key; the longest key that fits counts."""

VALUES: dict[str, Any] = {
    "name": "other",
    "seed": 7,
    "published": {"scores": {"aime_like": 0.5}},
    "collect.contests_before": "2024-09-30",
    "collect.exclude_licences": ["c-uda-1.0"],
    "curate.fingerprint.shingle_words": 4,
    "curate.fingerprint.permutations": 64,
    "curate.unique.near_duplicates.bands": 16,
    "curate.unique.near_duplicates.jaccard": 0.65,
    "curate.unique.near_duplicates.numbers": 2,
    "curate.unique.near_duplicates.jaccard_with_numbers": 0.4,
    "curate.unique.source_order": [
        "big_math_rl_verified",
        "openr1_math_220k",
        "deepmath_103k",
        "numinamath",
        "metamathqa",
    ],
    "curate.clean.asy_is_image": True,
    "curate.clean.languages": ["en"],
    "curate.clean.language_confidence": 0.51,
    "curate.decontaminate.ngram_words": 9,
    "curate.decontaminate.ngram_coverage": 0.55,
    "curate.decontaminate.cosine": 0.71,
    "curate.decontaminate.cosine_without_numbers": 0.86,
    "curate.decontaminate.number_bits": 9.0,
    "curate.decontaminate.cosine_code": 0.88,
    "curate.decontaminate.embedding_model": "models/another",
    "curate.certificate.copies_per_kind": 11,
    **{
        f"curate.certificate.min_recall.{kind}": 0.5
        for kind in ("verbatim", "light", "heavy", "embedded", "paraphrased", "translated")
    },
    "curate.certificate.clean_sources": ["task_mmmlu"],
    "curate.certificate.max_false_positives": 0.03,
    "curate.verify_math.answers": 3,
    "curate.verify_math.multiple_choice": "drop",
    "curate.verify_math.not_applicable": "keep",
    "curate.verify_math.unresolved": "keep",
    "endpoints.teacher.model": "standin/another-teacher",
    "endpoints.teacher.temperature": 0.7,
    "endpoints.teacher.top_p": 0.9,
    "endpoints.teacher.max_tokens": 250,
    "endpoints.second_opinion.model": "standin/o3",
    "endpoints.second_opinion.temperature": 0.9,
    "endpoints.second_opinion.top_p": 0.99,
    "endpoints.second_opinion.max_tokens": 255,
    "endpoints.clarity_judge.model": "standin/another-judge",
    "endpoints.clarity_judge.temperature": 0.1,
    "endpoints.clarity_judge.top_p": 0.9,
    "endpoints.clarity_judge.max_tokens": 65,
    "endpoints.rewriter.model": "standin/another-rewriter",
    "endpoints.rewriter.temperature": 0.1,
    "endpoints.rewriter.top_p": 0.9,
    "endpoints.rewriter.max_tokens": 257,
    "endpoints.paraphraser.model": "standin/another-paraphraser",
    "endpoints.paraphraser.temperature": 0.1,
    "endpoints.paraphraser.top_p": 0.9,
    "endpoints.paraphraser.max_tokens": 255,
    "endpoints.arena_judge.model": "standin/another-arena-judge",
    "endpoints.arena_judge.temperature": 0.1,
    "endpoints.arena_judge.top_p": 0.9,
    "endpoints.arena_judge.max_tokens": 63,
    "responses.samples": 3,
    "responses.system_prompt": "Think first.",
    "filter_responses.max_perplexity": 4999.5,
    "filter_responses.ngram_words": 5,
    "filter_responses.ngram_repeats": 4,
    "score.heads.helpfulness.column": 1,
    "score.heads.helpfulness.range": [-2.0, 2.5],
    "score.heads.correctness.column": 0,
    "score.heads.correctness.range": [-2.5, 2.0],
    "score.heads.coherence.column": 0,
    "score.heads.coherence.range": [-2.0, 3.0],
    "score.too_long": "cut_prompt",
    "sandbox.cpu_seconds": 2.5,
    "sandbox.wall_seconds": 11.0,
    "sandbox.memory_mb": 300,
    "sandbox.output_bytes": 2_000_000,
    "sandbox.compile_seconds": 11.0,
    "sandbox.compile_memory_mb": 1025,
    "sandbox.allow_unprotected": True,
    "models.base.architecture.layers": 3,
    "models.base.architecture.hidden": 256,
    "models.base.architecture.heads": 8,
    "models.base.architecture.kv_heads": 4,
    "models.base.architecture.ffn": 511,
    "models.base.architecture.vocabulary": 800,
    "models.base.architecture.context": 1025,
    "models.base.pretraining.tokens": 700_001,
    "models.base.pretraining.batch_tokens": 1025,
    "models.base.pretraining.learning_rate": 0.006,
    "models.reward.comparisons": 301,
    "models.reward.learning_rate": 0.003,
    "sft_set.max_responses": 3,
    "sft_set.hard_below": 0.61,
    "sft_set.hard_below_reward": 0.51,
    "sft_set.min_score": 0.51,
    "sft_set.upsample.math": 2,
    "sft_set.upsample.code": 2,
    "sft_set.upsample.science": 2,
    "sft_set.upsample.instruction_follow": 3,
    "sft_set.upsample.general_chat": 2,
    "sft_set.max_samples.math": 9,
    "sft_set.max_samples.code": 2,
    "sft_set.max_samples.science": 2,
    "sft_set.max_samples.instruction_follow": 2,
    "sft_set.max_samples.general_chat": 2,
    "sft.learning_rate": 0.0039,
    "sft.epochs": 3,
    "sft.global_batch": 2,
    "sft.max_tokens": 500,
    "sft.warmup": 0.06,
    "sft.weight_decay": 0.02,
    "sft.adam_beta2": 0.96,
    "sft.clip_grad": 1.1,
    "sft.checkpoints": 3,
    "pass_rates.queries.math": None,
    "pass_rates.queries.code": 21,
    "pass_rates.samples": 5,
    "pass_rates.temperature": 0.9,
    "pass_rates.max_tokens": 161,
    "rl_set.stage1.math": 500,
    "rl_set.stage1.code": 400,
    "rl_set.stage2.general_chat": 5,
    "rl_set.stage2.instruction_follow": None,
    "grpo.prompts": 5,
    "grpo.group_size": 5,
    "grpo.scale_by_std": False,
    "grpo.overlong_in_group_mean": False,
    "grpo.overlong_in_denominator": False,
    "grpo.loss_denominator": "sequences",
    "grpo.clip_ratio": 0.25,
    "grpo.clip_grad": 0.9,
    "grpo.adam_beta2": 0.98,
    "grpo.weight_decay": 0.1,
    **{
        f"grpo.stage{number}.{key}": value
        for number in (1, 2)
        for key, value in {
            "learning_rate": 0.0002,
            "max_steps": 3,
            "max_response_tokens": 170,
            "overlong_tokens": 110,
            "plateau.window": 4,
            "plateau.patience": 5,
            "plateau.min_gain": 0.01,
        }.items()
    },
    "evaluation.temperature": 0.5,
    "evaluation.top_p": 0.9,
    "evaluation.max_tokens": 97,
    "evaluation.confidence": 0.9,
    "evaluation.curve_questions": 5,
    "evaluation.curve_samples": 2,
}
"""Another valid value of every leaf that is no source's or benchmark's: those have tables of their own below."""

FIXED = {
    "grpo.kl_coefficient": "0 is its only value",
    "grpo.temperature": "1 is its only value",
    "models.base.origin": "hub needs a network",
    "models.base.hub_id": "of the hub",
    "models.base.revision": "of the hub",
    "models.reward.origin": "hub needs a network",
    "models.reward.hub_id": "of the hub",
    "models.reward.revision": "of the hub",
    "benchmarks.aime_like.evaluate": "arenas alone cannot be reported",
    **{f"benchmarks.{name}.{key}": "hub needs a network" for name in BENCHMARKS for key in ("origin", "kind")},
    **{f"sources.{name}.origin": "hub needs a network" for name in SOURCES},
    **{f"sources.{name}.path": "of files of one's own" for name in SOURCES},
    **{f"sources.{name}.shards": "other stages: tests/workflow/test_mini_build.py has two" for name in SOURCES},
    "curate.shards": "other stages: tests/workflow/test_mini_build.py has two",
}
"""Leaves that have no other value, or none that a stage without a network could be made of."""


def setting_edits() -> list[Edit]:
    plain = [_set(key, value, readers_of(key)) for key, value in VALUES.items()]
    return [*plain, *_of_sources(), *_of_benchmarks()]


def readers_of(key: str) -> tuple[str, ...]:
    fitting = [known for known in READERS if key == known or key.startswith(f"{known}.")]
    return READERS[max(fitting, key=len)]


def _of_sources() -> Iterator[Edit]:
    for source in SOURCES:
        # The report names the sources, not how many rows were taken; that key is part of its section all the same.
        yield _set(f"sources.{source}.limit", 25, (f"raw-{source}", "report"))
        # Of the hub: rows of the samples stay as they are.
        yield _set(f"sources.{source}.revision", "abcdef0123" * 4, ("report",), reaches=(f"raw-{source}",))
    first, second, *others = SOURCES
    yield _edit(
        "sources in another order",
        lambda recipe: _reorder(recipe, "sources", [second, first, *others]),
        ("unique", "report"),
        flow=stages((second, first, *others)),
    )
    yield _edit(
        "sources without ultra_chat",
        lambda recipe: recipe["sources"].pop("ultra_chat"),
        ("unique", "report"),
        flow=stages(SOURCES[:-1]),
    )
    yield _edit(
        "sources with logic_701",
        lambda recipe: recipe["sources"].update(
            logic_701={"origin": "samples", "revision": None, "path": None, "limit": 20, "shards": 1}
        ),
        ("raw-logic_701", "queries-logic_701-0", "clean-logic_701-0", "unique", "report"),
        flow=stages((*SOURCES, "logic_701")),
    )


def _of_benchmarks() -> Iterator[Edit]:
    for name in BENCHMARKS:
        key, made = f"benchmarks.{name}", f"benchmark-{name}"
        curve = ("sft_curve",) if name == "aime_like" else ()
        # The questions alone make the set; how they are asked is part of its section, and of no byte of it.
        yield _set(f"{key}.questions", 3, (made, "evaluate", "report"), reaches=curve)
        yield _set(f"{key}.samples", 3, ("evaluate", "report"), reaches=(made, *curve))
        yield _set(f"{key}.prompt_suffix", "Answer.", ("base_model", "evaluate", *curve, "report"), reaches=(made,))
        # Of the hub only.
        for option, value in (
            ("hub_id", "some/where"),
            ("hub_config", "release"),
            ("revision", "abcdef0123" * 4),
            ("window", {"first": date(2024, 10, 1), "last": date(2025, 2, 1)}),
        ):
            yield _set(f"{key}.{option}", value, ("report",), reaches=(made, "evaluate", *curve))
    yield _set(
        "benchmarks.arena_like.evaluate",
        False,
        ("evaluate", "report"),
        reaches=("benchmark-arena_like",),
        flow=stages(evaluated=("aime_like",)),
    )
    yield _set("evaluation.curve_benchmark", "arena_like", ("sft_curve", "report"), flow=stages(curve="arena_like"))


def spelling_edits() -> list[Edit]:
    """The same values, spelled otherwise: nothing may run."""
    spelled = [
        ("learning_rate: 0.004\n  epochs", "learning_rate: 4.0e-3\n  epochs"),
        ("learning_rate: 0.004\n  epochs", "learning_rate: 0.00400\n  epochs"),
        ("tokens: 700000", "tokens: 700_000"),
        ("output_bytes: 1000000", "output_bytes: +1000000"),
        ("seed: 20250513", "seed: 2025_0513"),
        ("name: mini", "name: 'mini'"),
        ("published: null", "published: ~"),
        ("published: null", "published:"),
        ("max_perplexity: 5000.0", "max_perplexity: 5.0e+3"),
        ("asy_is_image: false", "asy_is_image: False"),
        ("loss_denominator: tokens", 'loss_denominator: "tokens"'),
        ("column: 1\n      range:\n      - -2.0\n      - 2.0", "column: 1\n      range: [-2.0, 2.0]"),
        ("confidence: 0.95", "confidence: 0.95  # a comment"),
        ("name: mini", "# A comment.\n\nname: mini"),
        ("upsample:\n    math: 1\n    code: 1", "upsample:\n    code: 1\n    math: 1"),
    ]
    edits = [Edit("spelling", f"{old!r} as {new!r}", replaced("params.yaml", old, new)) for old, new in spelled]
    edits.append(
        _edit("sections in another order", lambda recipe: _reorder(recipe, None, sorted(recipe)), (), "spelling")
    )
    return edits


# --- changing a recipe ------------------------------------------------------------------------------------


def _set(key: str, value: Any, changes: tuple[str, ...], reaches: tuple[str, ...] = (), flow=None) -> Edit:
    def change(recipe: dict) -> None:
        *sections, name = key.split(".")
        for section in sections:
            recipe = recipe[section]
        assert recipe[name] != value, f"{key} is {value} already"
        recipe[name] = value

    return _edit(f"{key} = {str(value)[:40]}", change, changes, reaches=reaches, flow=flow)


def _edit(
    what: str, change: Callable[[dict], Any], changes: tuple[str, ...], kind: str = "settings",
    reaches: tuple[str, ...] = (), flow=None,
) -> Edit:  # fmt: skip
    def apply(place: Place) -> None:
        recipe = yaml.safe_load(place.read("params.yaml"))
        change(recipe)
        place.write("params.yaml", yaml.safe_dump(recipe, sort_keys=False))

    return Edit(kind, what, apply, changes, reaches, **({"stages": flow} if flow else {}))


def _reorder(recipe: dict, key: str | None, names: list[str]) -> None:
    section = recipe if key is None else recipe[key]
    values = {name: section[name] for name in names}
    section.clear()
    section.update(values)


def leaves(recipe: dict, prefix: str = "") -> Iterator[str]:
    """Dotted keys of all values that are no sections: each stands in a table above."""
    for name, value in recipe.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"
