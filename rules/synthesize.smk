"""Synthetic responses and their scores (paper 2.3, 3).

data/curated/verified/queries.parquet
  -> data/responses/generated/responses.parquet   n samples a query from the teacher
  -> data/responses/perplexity/perplexity.parquet of each response under the base model
  -> data/responses/filtered/                     perplexity, consecutive n-grams, structure
  -> data/responses/scored/                       a score a response; pass rate or mean reward a query
"""


rule responses:
    input:
        queries="data/curated/verified/queries.parquet",
    output:
        responses="data/responses/generated/responses.parquet",
        report="data/responses/generated/report.json",
    log:
        "logs/synthesize/responses.log",
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
        queries="data/curated/verified/queries.parquet",
        responses="data/responses/generated/responses.parquet",
        model="models/base",
    output:
        perplexity="data/responses/perplexity/perplexity.parquet",
    log:
        "logs/synthesize/perplexity.log",
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
        queries="data/curated/verified/queries.parquet",
        responses="data/responses/generated/responses.parquet",
        perplexity="data/responses/perplexity/perplexity.parquet",
    output:
        kept="data/responses/filtered/responses.parquet",
        ledger="data/responses/filtered/ledger.parquet",
        report="data/responses/filtered/report.json",
    log:
        "logs/synthesize/filter_responses.log",
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
        queries="data/curated/verified/queries.parquet",
        responses="data/responses/filtered/responses.parquet",
        reward_model="models/reward",
    output:
        scores="data/responses/scored/scores.parquet",
        queries_scored="data/responses/scored/queries.parquet",
        ledger="data/responses/scored/ledger.parquet",
        report="data/responses/scored/report.json",
    log:
        "logs/synthesize/score.log",
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
