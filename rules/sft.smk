"""Supervised fine-tuning (paper 4.1).

data/responses/{filtered,scored}/, data/curated/verified/
  -> data/sft/samples.parquet          mixture, upsampled, over-long discarded; token ids and loss mask
  -> data/sft/packs.parquet            which sample lies where in which packed sequence
  -> models/sft/                       megatron/ checkpoint, hf/ export, checkpoints/ for the curve, metrics.jsonl
"""


rule sft_set:
    input:
        queries=expand("data/curated/verified/{shard}/queries.parquet", shard=SHARDS),
        responses=expand("data/responses/filtered/{shard}/responses.parquet", shard=SHARDS),
        scores=expand("data/responses/scored/{shard}/scores.parquet", shard=SHARDS),
        queries_scored=expand("data/responses/scored/{shard}/queries.parquet", shard=SHARDS),
        tokenizer="models/base",
    output:
        samples="data/sft/samples.parquet",
        packs="data/sft/packs.parquet",
        ledger="data/sft/ledger.parquet",
        report="data/sft/report.json",
    log:
        "logs/sft/sft_set.log",
    priority: 1
    threads: 1
    resources:
        mem_mb=2000,
    params:
        **reads("sft_set", "sft.max_tokens", "responses.system_prompt", "seed"),
    shell:
        """
        python -m scripts.sft_set \
            --queries {input.queries:q} \
            --responses {input.responses:q} \
            --scores {input.scores:q} \
            --queries-scored {input.queries_scored:q} \
            --tokenizer {input.tokenizer:q} \
            --samples {output.samples:q} \
            --packs {output.packs:q} \
            --ledger {output.ledger:q} \
            --report {output.report:q} \
            2>{log:q}
        """


rule sft:
    input:
        samples="data/sft/samples.parquet",
        packs="data/sft/packs.parquet",
        base="models/base",
    output:
        model=directory("models/sft"),
    log:
        "logs/sft/sft.log",
    priority: 1
    threads: 1
    resources:
        mem_mb=8000,
    params:
        **reads("sft", "seed"),
    shell:
        """
        python -m scripts.sft \
            --samples {input.samples:q} \
            --packs {input.packs:q} \
            --base {input.base:q} \
            --model {output.model:q} \
            2>{log:q}
        """
