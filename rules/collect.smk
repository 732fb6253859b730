"""Collect: every dataset and evaluation set in one schema (paper 2.1, 5.1.1).

amt/sources/samples/{source}.jsonl, the hub, or files of your own
  -> data/raw/{source}/rows.parquet          rows as published, pinned revision
  -> data/queries/{source}/{shard}/          one schema for all sources (amt.rows.QUERY), in shards; and what became
                                             of each row
data/benchmarks/{benchmark}.parquet          evaluation sets in the same schema
"""


def rows_at_hand(wildcards):
    """What of a source lies here: its sample rows, or the user's own files."""
    source = RECIPE.sources[wildcards.source]
    samples = f"amt/sources/samples/{wildcards.source}.jsonl"
    return {"samples": samples, "local": source.path, "hub": []}[source.origin]


rule raw:
    input:
        rows=rows_at_hand,
    output:
        rows="data/raw/{source}/rows.parquet",
    log:
        "logs/raw/{source}.log",
    threads: 1
    resources:
        mem_mb=2000,
    params:
        settings=lambda wildcards: reads(
            *(f"sources.{wildcards.source}.{key}" for key in ["origin", "revision", "path", "limit"])
        )["settings"],
    shell:
        """
        python -m scripts.raw \
            --source {wildcards.source} \
            --published {input.rows:q} \
            --rows {output.rows:q} \
            2>{log:q}
        """


rule queries:
    input:
        rows="data/raw/{source}/rows.parquet",
        planted="amt/sources/samples/planted.json",
    output:
        queries="data/queries/{source}/{shard}/queries.parquet",
        ledger="data/queries/{source}/{shard}/ledger.parquet",
        report="data/queries/{source}/{shard}/report.json",
    log:
        "logs/queries/{source}.{shard}.log",
    threads: 1
    resources:
        mem_mb=2000,
    params:
        settings=lambda wildcards: reads("collect", f"sources.{wildcards.source}.shards")["settings"],
    shell:
        """
        python -m scripts.queries \
            --source {wildcards.source} \
            --shard {wildcards.shard} \
            --rows {input.rows:q} \
            --planted {input.planted:q} \
            --queries {output.queries:q} \
            --ledger {output.ledger:q} \
            --report {output.report:q} \
            2>{log:q}
        """


rule benchmark:
    output:
        questions="data/benchmarks/{benchmark}.parquet",
    log:
        "logs/benchmark/{benchmark}.log",
    threads: 1
    resources:
        mem_mb=2000,
    params:
        settings=lambda wildcards: reads(f"benchmarks.{wildcards.benchmark}")["settings"],
    shell:
        """
        python -m scripts.benchmark \
            --benchmark {wildcards.benchmark} \
            --questions {output.questions:q} \
            2>{log:q}
        """
