"""The flow of the miniature as it should be, written by hand: a second declaration of what the rules say.

An input that stands here and not in its rule, or the other way round, gives other bytes in the oracle than by a tool.
"""

from dataclasses import dataclass, field

SOURCES = (
    "openr1_math_220k", "big_math_rl_verified", "metamathqa", "aime_1983_2024", "kodcode_v1", "verifiable_coding",
    "task_mmmlu", "nemotron_if", "ultra_chat",
)  # fmt: skip
"""In the order of the recipe."""
BENCHMARKS = ("aime_like", "arena_like")
MODELS = ("base", "sft", "rl1", "rl2")


@dataclass(frozen=True)
class Stage:
    name: str
    script: str
    inputs: dict[str, list[str]]
    """{option: paths}, in the order of the command."""
    outputs: dict[str, str]
    """{option: path}, one each, as this recipe has one shard of everything."""
    labels: dict[str, str] = field(default_factory=dict)
    """Options whose values are no paths."""

    @property
    def rule(self) -> str:
        return self.name.partition("-")[0]

    @property
    def words(self) -> list[str]:
        """The command, after `python`."""
        words = ["-m", f"scripts.{self.script}"]
        for option, value in self.labels.items():
            words += [f"--{option}", value]
        for option, paths in self.inputs.items():
            words += [f"--{option}", *paths]
        for option, path in self.outputs.items():
            words += [f"--{option}", path]
        return words


def _stage(
    stage: str, inputs: dict[str, str | list[str]], outputs: dict[str, str], /, script: str | None = None, **labels: str
) -> Stage:
    listed = {option: paths if isinstance(paths, list) else [paths] for option, paths in inputs.items()}
    return Stage(stage, script or stage.partition("-")[0], listed, outputs, labels)


def _collect(sources: tuple[str, ...]) -> list[Stage]:
    raw = [
        _stage(
            f"raw-{source}",
            {"published": f"amt/sources/samples/{source}.jsonl"},
            {"rows": f"data/raw/{source}/rows.parquet"},
            source=source,
        )
        for source in sources
    ]
    queries = [
        _stage(
            f"queries-{source}-0",
            {"rows": f"data/raw/{source}/rows.parquet", "planted": "amt/sources/samples/planted.json"},
            {
                "queries": f"data/queries/{source}/0/queries.parquet",
                "ledger": f"data/queries/{source}/0/ledger.parquet",
                "report": f"data/queries/{source}/0/report.json",
            },
            source=source,
            shard="0",
        )
        for source in sources
    ]
    benchmark = [
        _stage(f"benchmark-{name}", {}, {"questions": f"data/benchmarks/{name}.parquet"}, benchmark=name)
        for name in BENCHMARKS
    ]
    return [*raw, *queries, *benchmark]


def _kept(folder: str) -> dict[str, str]:
    return {
        "kept": f"{folder}/0/queries.parquet",
        "ledger": f"{folder}/0/ledger.parquet",
        "report": f"{folder}/0/report.json",
    }


def _cleaned(source: str) -> dict[str, str]:
    kept, *others = _kept(f"{CLEAN}/{source}").items()
    return dict([kept, ("fingerprints", f"{CLEAN}/{source}/0/fingerprints.parquet"), *others])


UNIQUE, CLEAN, DECONTAMINATED, VERIFIED = (
    f"data/curated/{state}" for state in ("unique", "clean", "decontaminated", "verified")
)
GENERATED, FILTERED, SCORED = (f"data/responses/{state}" for state in ("generated", "filtered", "scored"))
QUERIES = f"{VERIFIED}/0/queries.parquet"
ALL_BENCHMARKS = [f"data/benchmarks/{name}.parquet" for name in BENCHMARKS]


def _curate(sources: tuple[str, ...]) -> list[Stage]:
    return [
        *(
            _stage(
                f"clean-{source}-0",
                {"queries": f"data/queries/{source}/0/queries.parquet"},
                _cleaned(source),
            )
            for source in sources
        ),
        _stage(
            "unique",
            {
                name: [_cleaned(source)[option] for source in sources]
                for name, option in (("queries", "kept"), ("fingerprints", "fingerprints"))
            },
            {
                "kept": f"{UNIQUE}/0/queries.parquet",
                "ledgers": f"{UNIQUE}/0/ledger.parquet",
                "report": f"{UNIQUE}/report.json",
            },
        ),
        _stage(
            "decontaminate-0",
            {"queries": f"{UNIQUE}/0/queries.parquet", "benchmarks": ALL_BENCHMARKS, "verdicts": "verdicts.yaml"},
            _kept(DECONTAMINATED),
        ),
        _stage(
            "removals",
            {
                "queries": f"{UNIQUE}/0/queries.parquet",
                "ledgers": f"{DECONTAMINATED}/0/ledger.parquet",
                "benchmarks": ALL_BENCHMARKS,
                "verdicts": "verdicts.yaml",
            },
            {"table": f"{DECONTAMINATED}/removals.parquet", "page": f"{DECONTAMINATED}/removals.md"},
        ),
        _stage(
            "certificate",
            {"benchmarks": ALL_BENCHMARKS, "ledgers": f"{DECONTAMINATED}/0/ledger.parquet"},
            {"certificate": f"{DECONTAMINATED}/certificate.json", "page": f"{DECONTAMINATED}/certificate.md"},
        ),
        _stage(
            "verify_math-0",
            {
                "queries": f"{DECONTAMINATED}/0/queries.parquet",
                "certificate": f"{DECONTAMINATED}/certificate.json",
            },
            _kept(VERIFIED) | {"votes": f"{VERIFIED}/0/votes.parquet"},
        ),
    ]


def _models() -> list[Stage]:
    return [
        _stage("base_model", {}, {"model": "models/base"}),
        _stage("reward_model", {"base": "models/base"}, {"model": "models/reward"}),
    ]


def _synthesize() -> list[Stage]:
    return [
        _stage(
            "responses-0",
            {"queries": QUERIES},
            {"responses": f"{GENERATED}/0/responses.parquet", "report": f"{GENERATED}/0/report.json"},
        ),
        _stage(
            "perplexity-0",
            {"queries": QUERIES, "responses": f"{GENERATED}/0/responses.parquet", "model": "models/base"},
            {"perplexity": "data/responses/perplexity/0/perplexity.parquet"},
        ),
        _stage(
            "filter_responses-0",
            {
                "queries": QUERIES,
                "responses": f"{GENERATED}/0/responses.parquet",
                "perplexity": "data/responses/perplexity/0/perplexity.parquet",
            },
            {
                "kept": f"{FILTERED}/0/responses.parquet",
                "ledger": f"{FILTERED}/0/ledger.parquet",
                "report": f"{FILTERED}/0/report.json",
            },
        ),
        _stage(
            "score-0",
            {"queries": QUERIES, "responses": f"{FILTERED}/0/responses.parquet", "reward-model": "models/reward"},
            {
                "scores": f"{SCORED}/0/scores.parquet",
                "queries-scored": f"{SCORED}/0/queries.parquet",
                "ledger": f"{SCORED}/0/ledger.parquet",
                "report": f"{SCORED}/0/report.json",
            },
        ),
    ]


def _sft() -> list[Stage]:
    return [
        _stage(
            "sft_set",
            {
                "queries": QUERIES,
                "responses": f"{FILTERED}/0/responses.parquet",
                "scores": f"{SCORED}/0/scores.parquet",
                "queries-scored": f"{SCORED}/0/queries.parquet",
                "tokenizer": "models/base",
            },
            {
                "samples": "data/sft/samples.parquet",
                "packs": "data/sft/packs.parquet",
                "ledger": "data/sft/ledger.parquet",
                "report": "data/sft/report.json",
            },
        ),
        _stage(
            "sft",
            {"samples": "data/sft/samples.parquet", "packs": "data/sft/packs.parquet", "base": "models/base"},
            {"model": "models/sft"},
        ),
    ]


def _rl_set(number: int) -> dict[str, str]:
    stem = f"data/rl/stage{number}"
    return {"kept": f"{stem}.parquet", "ledger": f"{stem}.ledger.parquet", "report": f"{stem}.report.json"}


def _grpo() -> list[Stage]:
    return [
        _stage(
            "pass_rates",
            {"queries": QUERIES, "model": "models/sft"},
            {
                "pass-rates": "data/rl/pass_rates.parquet",
                "rollouts": "data/rl/pass_rates.rollouts.parquet",
                "ledger": "data/rl/pass_rates.ledger.parquet",
            },
        ),
        _stage("rl_set_1", {"queries": QUERIES, "pass-rates": "data/rl/pass_rates.parquet"}, _rl_set(1)),
        _stage(
            "grpo_1",
            {"queries": "data/rl/stage1.parquet", "model": "models/sft"},
            {"model-out": "models/rl1"},
            script="grpo",
            stage="1",
        ),
        _stage(
            "rl_set_2",
            {"queries": QUERIES, "stage1": "data/rl/stage1.parquet", "model": "models/rl1"},
            _rl_set(2),
        ),
        _stage(
            "grpo_2",
            {"queries": "data/rl/stage2.parquet", "model": "models/rl1", "reward-model": "models/reward"},
            {"model-out": "models/rl2"},
            script="grpo",
            stage="2",
        ),
    ]


def _evaluate(sources: tuple[str, ...], evaluated: tuple[str, ...], curve: str) -> list[Stage]:
    evaluate = [
        _stage(
            f"evaluate-{model}",
            {"benchmarks": [f"data/benchmarks/{name}.parquet" for name in evaluated], "model": f"models/{model}"},
            {"generations": f"eval/{model}/generations.parquet", "scores": f"eval/{model}/scores.json"},
            name=model,
        )
        for model in MODELS
    ]
    sft_curve = _stage(
        "sft_curve",
        {"benchmark": f"data/benchmarks/{curve}.parquet", "base": "models/base", "model": "models/sft"},
        {"curve": "eval/sft_curve.json"},
    )
    report = _stage(
        "report",
        {
            "scores": [f"eval/{model}/scores.json" for model in MODELS],
            "curve": "eval/sft_curve.json",
            "stage-reports": [
                *(f"data/queries/{source}/0/report.json" for source in sources),
                *(f"{CLEAN}/{source}/0/report.json" for source in sources),
                f"{UNIQUE}/report.json",
                *(f"{folder}/0/report.json" for folder in (DECONTAMINATED, VERIFIED, GENERATED, FILTERED, SCORED)),
                "data/sft/report.json",
                "data/rl/stage1.report.json",
                "data/rl/stage2.report.json",
            ],
            "ledgers": [
                *(f"data/queries/{source}/0/ledger.parquet" for source in sources),
                *(f"{CLEAN}/{source}/0/ledger.parquet" for source in sources),
                *(f"{folder}/0/ledger.parquet" for folder in (UNIQUE, DECONTAMINATED, VERIFIED, FILTERED, SCORED)),
                "data/sft/ledger.parquet",
                "data/rl/pass_rates.ledger.parquet",
                "data/rl/stage1.ledger.parquet",
                "data/rl/stage2.ledger.parquet",
            ],
            "queries": QUERIES,
            "response-scores": f"{SCORED}/0/scores.parquet",
            "samples": "data/sft/samples.parquet",
            "sft": "models/sft",
            "rl1": "models/rl1",
            "rl2": "models/rl2",
        },
        {"page": "reports/index.html", "metrics": "reports/metrics.json", "figures": "reports/figures"},
    )
    return [*evaluate, sft_curve, report]


def stages(
    sources: tuple[str, ...] = SOURCES, evaluated: tuple[str, ...] = BENCHMARKS, curve: str = "aime_like"
) -> list[Stage]:
    """All stages of a recipe with these sources, benchmarks with evaluate: true, and benchmark of the curve."""
    return [
        *_collect(sources),
        *_curate(sources),
        *_models(),
        *_synthesize(),
        *_sft(),
        *_grpo(),
        *_evaluate(sources, evaluated, curve),
    ]


STAGES = stages()
RULES = sorted({stage.rule for stage in STAGES})
