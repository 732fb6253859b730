"""Evaluation and report (paper 5).

models/{base,sft,rl1,rl2}/, data/benchmarks/
  -> eval/{model}/              generations and scores of every benchmark with evaluate: true
  -> eval/sft_curve.json        generation length and stop ratio over the SFT checkpoints (Figure 8)
  -> reports/                   index.html, metrics.json, figures
"""


def evaluated_benchmarks(wildcards):
    return [f"data/benchmarks/{name}.parquet" for name, benchmark in RECIPE.benchmarks.items() if benchmark.evaluate]


rule evaluate:
    input:
        benchmarks=evaluated_benchmarks,
        model="models/{model}",
    output:
        generations="eval/{model}/generations.parquet",
        scores="eval/{model}/scores.json",
    log:
        "logs/evaluate/{model}.log",
    threads: 1
    resources:
        mem_mb=6000,
    params:
        **reads(
            "evaluation.temperature",
            "evaluation.top_p",
            "evaluation.max_tokens",
            "evaluation.confidence",
            "benchmarks",
            "endpoints.arena_judge",
            "responses.system_prompt",
            "sandbox",
            "score",
            "seed",
        ),
    shell:
        """
        python -m scripts.evaluate \
            --name {wildcards.model} \
            --benchmarks {input.benchmarks:q} \
            --model {input.model:q} \
            --generations {output.generations:q} \
            --scores {output.scores:q} \
            2>{log:q}
        """


rule sft_curve:
    input:
        benchmark=f"data/benchmarks/{RECIPE.evaluation.curve_benchmark}.parquet",
        base="models/base",
        model="models/sft",
    output:
        curve="eval/sft_curve.json",
    log:
        "logs/evaluate/sft_curve.log",
    threads: 1
    resources:
        mem_mb=6000,
    params:
        **reads(
            "evaluation.temperature",
            "evaluation.top_p",
            "evaluation.max_tokens",
            "evaluation.curve_benchmark",
            "evaluation.curve_questions",
            "evaluation.curve_samples",
            f"benchmarks.{RECIPE.evaluation.curve_benchmark}",
            "responses.system_prompt",
            "seed",
        ),
    shell:
        """
        python -m scripts.sft_curve \
            --benchmark {input.benchmark:q} \
            --base {input.base:q} \
            --model {input.model:q} \
            --curve {output.curve:q} \
            2>{log:q}
        """


rule report:
    input:
        scores=expand("eval/{model}/scores.json", model=["base", "sft", "rl1", "rl2"]),
        curve="eval/sft_curve.json",
        stage_reports=[
            *expand("data/queries/{part}/report.json", part=PARTS),
            *expand("data/curated/clean/{part}/report.json", part=PARTS),
            "data/curated/unique/report.json",
            *expand(
                "data/{stage}/{shard}/report.json",
                stage=[
                    "curated/decontaminated",
                    "curated/verified",
                    "responses/generated",
                    "responses/filtered",
                    "responses/scored",
                ],
                shard=SHARDS,
            ),
            "data/sft/report.json",
            "data/rl/stage1.report.json",
            "data/rl/stage2.report.json",
        ],
        ledgers=[
            *expand("data/queries/{part}/ledger.parquet", part=PARTS),
            *expand("data/curated/clean/{part}/ledger.parquet", part=PARTS),
            *expand(
                "data/{stage}/{shard}/ledger.parquet",
                stage=[
                    "curated/unique",
                    "curated/decontaminated",
                    "curated/verified",
                    "responses/filtered",
                    "responses/scored",
                ],
                shard=SHARDS,
            ),
            "data/sft/ledger.parquet",
            "data/rl/pass_rates.ledger.parquet",
            "data/rl/stage1.ledger.parquet",
            "data/rl/stage2.ledger.parquet",
        ],
        queries=expand("data/curated/verified/{shard}/queries.parquet", shard=SHARDS),
        response_scores=expand("data/responses/scored/{shard}/scores.parquet", shard=SHARDS),
        samples="data/sft/samples.parquet",
        sft="models/sft",
        rl1="models/rl1",
        rl2="models/rl2",
    output:
        page="reports/index.html",
        metrics="reports/metrics.json",
        figures=directory("reports/figures"),
    log:
        "logs/evaluate/report.log",
    threads: 1
    resources:
        mem_mb=2000,
    params:
        **reads("name", "seed", "published", "sources", "benchmarks", "models", "endpoints", "responses", "evaluation"),
    shell:
        """
        python -m scripts.report \
            --scores {input.scores:q} \
            --curve {input.curve:q} \
            --stage-reports {input.stage_reports:q} \
            --ledgers {input.ledgers:q} \
            --queries {input.queries:q} \
            --response-scores {input.response_scores:q} \
            --samples {input.samples:q} \
            --sft {input.sft:q} \
            --rl1 {input.rl1:q} \
            --rl2 {input.rl2:q} \
            --page {output.page:q} \
            --metrics {output.metrics:q} \
            --figures {output.figures:q} \
            2>{log:q}
        """
