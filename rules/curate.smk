"""Curate queries (paper 2.2, 2.2.1). Every stage writes kept rows, a ledger line for each row, and counts.

data/queries/{source}.parquet
  -> data/curated/unique/            exact and near duplicates removed
  -> data/curated/clean/             no URLs, no image references
  -> data/curated/decontaminated/    nothing like the benchmarks (exact, n-gram, embedding), but for verdicts.yaml;
                                     the removals, to review; a certificate that copies are found
  -> data/curated/verified/          math: clear, no proofs, no multi-part, multiple choice rewritten,
                                     ground truth checked or revised
"""


rule unique:
    input:
        queries=expand("data/queries/{source}.parquet", source=RECIPE.sources),
    output:
        kept="data/curated/unique/queries.parquet",
        ledger="data/curated/unique/ledger.parquet",
        report="data/curated/unique/report.json",
    log:
        "logs/curate/unique.log",
    threads: 1
    resources:
        mem_mb=4000,
    params:
        **reads("curate.unique"),
    shell:
        """
        python -m scripts.unique \
            --queries {input.queries:q} \
            --kept {output.kept:q} \
            --ledger {output.ledger:q} \
            --report {output.report:q} \
            2>{log:q}
        """


rule clean:
    input:
        queries="data/curated/unique/queries.parquet",
    output:
        kept="data/curated/clean/queries.parquet",
        ledger="data/curated/clean/ledger.parquet",
        report="data/curated/clean/report.json",
    log:
        "logs/curate/clean.log",
    threads: 1
    resources:
        mem_mb=4000,
    params:
        **reads("curate.clean"),
    shell:
        """
        python -m scripts.clean \
            --queries {input.queries:q} \
            --kept {output.kept:q} \
            --ledger {output.ledger:q} \
            --report {output.report:q} \
            2>{log:q}
        """


rule decontaminate:
    input:
        queries="data/curated/clean/queries.parquet",
        benchmarks=expand("data/benchmarks/{benchmark}.parquet", benchmark=RECIPE.benchmarks),
        verdicts="verdicts.yaml",
    output:
        kept="data/curated/decontaminated/queries.parquet",
        ledger="data/curated/decontaminated/ledger.parquet",
        report="data/curated/decontaminated/report.json",
    log:
        "logs/curate/decontaminate.log",
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
        queries="data/curated/clean/queries.parquet",
        ledger="data/curated/decontaminated/ledger.parquet",
        benchmarks=expand("data/benchmarks/{benchmark}.parquet", benchmark=RECIPE.benchmarks),
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
            --ledger {input.ledger:q} \
            --benchmarks {input.benchmarks:q} \
            --table {output.table:q} \
            --page {output.page:q} \
            2>{log:q}
        """


rule certificate:
    input:
        benchmarks=expand("data/benchmarks/{benchmark}.parquet", benchmark=RECIPE.benchmarks),
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
            --certificate {output.certificate:q} \
            --page {output.page:q} \
            2>{log:q}
        """


rule verify_math:
    input:
        queries="data/curated/decontaminated/queries.parquet",
        certificate="data/curated/decontaminated/certificate.json",
    output:
        kept="data/curated/verified/queries.parquet",
        ledger="data/curated/verified/ledger.parquet",
        report="data/curated/verified/report.json",
        votes="data/curated/verified/votes.parquet",
    log:
        "logs/curate/verify_math.log",
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
