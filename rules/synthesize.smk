"""Synthetic responses and their scores (paper 2.3, 3).

data/curated/verified/{shard}/
  -> data/responses/generated/{shard}/     n samples a query from the teacher
  -> data/responses/perplexity/{shard}/    of each response under the base model
  -> data/responses/filtered/{shard}/      perplexity, consecutive n-grams, structure
  -> data/responses/scored/{shard}/        a score a response; pass rate or mean reward a query
"""


rule responses:
    input:
        queries="data/curated/verified/{shard}/queries.parquet",
    output:
        responses="data/responses/generated/{shard}/responses.parquet",
        report="data/responses/generated/{shard}/report.json",
    log:
        "logs/synthesize/responses.{shard}.log",
    priority: 1
    threads: 1
    resources:
        mem_mb=4000,
    params:
        **reads("responses", "endpoints.teacher", "seed"),
    shell:
        """
        python -m scripts.responses \
            --queries {input.queries:q} \
            --responses {output.responses:q} \
            --report {output.report:q} \
            2>{log:q}
        """


rule perplexity:
    input:
        queries="data/curated/verified/{shard}/queries.parquet",
        responses="data/responses/generated/{shard}/responses.parquet",
        model="models/base",
    output:
        perplexity="data/responses/perplexity/{shard}/perplexity.parquet",
    log:
        "logs/synthesize/perplexity.{shard}.log",
    priority: 1
    threads: 1
    resources:
        mem_mb=6000,
    params:
        **reads("responses.system_prompt"),
    shell:
        """
        python -m scripts.perplexity \
            --queries {input.queries:q} \
            --responses {input.responses:q} \
            --model {input.model:q} \
            --perplexity {output.perplexity:q} \
            2>{log:q}
        """


rule filter_responses:
    input:
        queries="data/curated/verified/{shard}/queries.parquet",
        responses="data/responses/generated/{shard}/responses.parquet",
        perplexity="data/responses/perplexity/{shard}/perplexity.parquet",
    output:
        kept="data/responses/filtered/{shard}/responses.parquet",
        ledger="data/responses/filtered/{shard}/ledger.parquet",
        report="data/responses/filtered/{shard}/report.json",
    log:
        "logs/synthesize/filter_responses.{shard}.log",
    priority: 1
    threads: 1
    resources:
        mem_mb=4000,
    params:
        **reads("filter_responses"),
    shell:
        """
        python -m scripts.filter_responses \
            --queries {input.queries:q} \
            --responses {input.responses:q} \
            --perplexity {input.perplexity:q} \
            --kept {output.kept:q} \
            --ledger {output.ledger:q} \
            --report {output.report:q} \
            2>{log:q}
        """


rule score:
    input:
        queries="data/curated/verified/{shard}/queries.parquet",
        responses="data/responses/filtered/{shard}/responses.parquet",
        reward_model="models/reward",
    output:
        scores="data/responses/scored/{shard}/scores.parquet",
        queries_scored="data/responses/scored/{shard}/queries.parquet",
        ledger="data/responses/scored/{shard}/ledger.parquet",
        report="data/responses/scored/{shard}/report.json",
    log:
        "logs/synthesize/score.{shard}.log",
    priority: 1
    threads: 1
    resources:
        mem_mb=6000,
    params:
        **reads("score", "sandbox"),
    shell:
        """
        python -m scripts.score \
            --queries {input.queries:q} \
            --responses {input.responses:q} \
            --reward-model {input.reward_model:q} \
            --scores {output.scores:q} \
            --queries-scored {output.queries_scored:q} \
            --ledger {output.ledger:q} \
            --report {output.report:q} \
            2>{log:q}
        """
