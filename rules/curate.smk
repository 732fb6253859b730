"""Curate queries (paper 2.2, 2.2.1). Every stage writes kept rows, a ledger line for each row, and counts.

data/queries/{source}/{shard}/
  -> data/curated/clean/{source}/{shard}/    no URLs, no image references, of the languages asked for; and what the rows
                                             are compared by
  -> data/curated/unique/{shard}/            exact and near duplicates removed, of all sources
  -> data/curated/decontaminated/{shard}/    nothing like the benchmarks (exact, n-gram, embedding), but for
                                             verdicts.yaml; of all shards the removals, to review, and a certificate
                                             that copies are found, and little else
  -> data/curated/verified/{shard}/          math: clear, no proofs, no multi-part, multiple choice rewritten,
                                             ground truth checked or revised
Only `unique` compares all rows, by their fingerprints, and `removals` lists those that decontamination took out;
every other job on rows is of one shard.
"""


rule clean:
    input:
        queries="data/queries/{source}/{shard}/queries.parquet",
    output:
        kept="data/curated/clean/{source}/{shard}/queries.parquet",
        fingerprints="data/curated/clean/{source}/{shard}/fingerprints.parquet",
        ledger="data/curated/clean/{source}/{shard}/ledger.parquet",
        report="data/curated/clean/{source}/{shard}/report.json",
    log:
        "logs/curate/clean.{source}.{shard}.log",
    threads: 1
    resources:
        mem_mb=2000,
    params:
        **reads("curate.clean", "curate.fingerprint"),
    shell:
        """
        python -m scripts.clean \
            --queries {input.queries:q} \
            --kept {output.kept:q} \
            --fingerprints {output.fingerprints:q} \
            --ledger {output.ledger:q} \
            --report {output.report:q} \
            2>{log:q}
        """


rule unique:
    input:
        queries=expand("data/curated/clean/{part}/queries.parquet", part=PARTS),
        fingerprints=expand("data/curated/clean/{part}/fingerprints.parquet", part=PARTS),
    output:
        kept=expand("data/curated/unique/{shard}/queries.parquet", shard=SHARDS),
        ledgers=expand("data/curated/unique/{shard}/ledger.parquet", shard=SHARDS),
        report="data/curated/unique/report.json",
    log:
        "logs/curate/unique.log",
    threads: 1
    resources:
        mem_mb=8000,
    params:
        **reads("curate.unique", "curate.shards"),
    shell:
        """
        python -m scripts.unique \
            --queries {input.queries:q} \
            --fingerprints {input.fingerprints:q} \
            --kept {output.kept:q} \
            --ledgers {output.ledgers:q} \
            --report {output.report:q} \
            2>{log:q}
        """


rule decontaminate:
    input:
        queries="data/curated/unique/{shard}/queries.parquet",
        benchmarks=expand("data/benchmarks/{benchmark}.parquet", benchmark=RECIPE.benchmarks),
        verdicts="verdicts.yaml",
    output:
        kept="data/curated/decontaminated/{shard}/queries.parquet",
        ledger="data/curated/decontaminated/{shard}/ledger.parquet",
        report="data/curated/decontaminated/{shard}/report.json",
    log:
        "logs/curate/decontaminate.{shard}.log",
    threads: 1
    resources:
        mem_mb=4000,
    params:
        **reads("curate.decontaminate"),
    shell:
        """
        python -m scripts.decontaminate \
            --queries {input.queries:q} \
            --benchmarks {input.benchmarks:q} \
            --verdicts {input.verdicts:q} \
            --kept {output.kept:q} \
            --ledger {output.ledger:q} \
            --report {output.report:q} \
            2>{log:q}
        """


rule removals:
    input:
        queries=expand("data/curated/unique/{shard}/queries.parquet", shard=SHARDS),
        ledgers=expand("data/curated/decontaminated/{shard}/ledger.parquet", shard=SHARDS),
        benchmarks=expand("data/benchmarks/{benchmark}.parquet", benchmark=RECIPE.benchmarks),
        verdicts="verdicts.yaml",
    output:
        table="data/curated/decontaminated/removals.parquet",
        page="data/curated/decontaminated/removals.md",
    log:
        "logs/curate/removals.log",
    threads: 1
    resources:
        mem_mb=4000,
    params:
        **reads(),
    shell:
        """
        python -m scripts.removals \
            --queries {input.queries:q} \
            --ledgers {input.ledgers:q} \
            --benchmarks {input.benchmarks:q} \
            --verdicts {input.verdicts:q} \
            --table {output.table:q} \
            --page {output.page:q} \
            2>{log:q}
        """


rule certificate:
    input:
        benchmarks=expand("data/benchmarks/{benchmark}.parquet", benchmark=RECIPE.benchmarks),
        ledgers=expand("data/curated/decontaminated/{shard}/ledger.parquet", shard=SHARDS),
    output:
        certificate="data/curated/decontaminated/certificate.json",
        page="data/curated/decontaminated/certificate.md",
    log:
        "logs/curate/certificate.log",
    threads: 1
    resources:
        mem_mb=4000,
    params:
        **reads("curate.decontaminate", "curate.certificate", "endpoints.paraphraser", "seed"),
    shell:
        """
        python -m scripts.certificate \
            --benchmarks {input.benchmarks:q} \
            --ledgers {input.ledgers:q} \
            --certificate {output.certificate:q} \
            --page {output.page:q} \
            2>{log:q}
        """


rule verify_math:
    input:
        queries="data/curated/decontaminated/{shard}/queries.parquet",
        certificate="data/curated/decontaminated/certificate.json",
    output:
        kept="data/curated/verified/{shard}/queries.parquet",
        ledger="data/curated/verified/{shard}/ledger.parquet",
        report="data/curated/verified/{shard}/report.json",
        votes="data/curated/verified/{shard}/votes.parquet",
    log:
        "logs/curate/verify_math.{shard}.log",
    priority: 1
    threads: 1
    resources:
        mem_mb=4000,
    params:
        **reads(
            "curate.verify_math",
            "endpoints.teacher",
            "endpoints.second_opinion",
            "endpoints.clarity_judge",
            "endpoints.rewriter",
            "seed",
        ),
    shell:
        """
        python -m scripts.verify_math \
            --queries {input.queries:q} \
            --certificate {input.certificate:q} \
            --kept {output.kept:q} \
            --ledger {output.ledger:q} \
            --report {output.report:q} \
            --votes {output.votes:q} \
            2>{log:q}
        """
