"""Reinforcement learning in two GRPO stages (paper 4.2, 4.3).

models/sft/, data/curated/verified/
  -> data/rl/pass_rates.parquet    pass rate of the SFT model a query; *.ledger.parquet: what became of each
  -> data/rl/stage1.parquet        math and code with 0 < pass rate < 1
  -> models/rl1/                   megatron/, hf/, rollouts/ journal, metrics.jsonl, ledger.parquet
  -> data/rl/stage2.parquet        minus what stage 1 always solved, plus chat and instruction following
  -> models/rl2/
"""


rule pass_rates:
    input:
        queries=expand("data/curated/verified/{shard}/queries.parquet", shard=SHARDS),
        model="models/sft",
    output:
        pass_rates="data/rl/pass_rates.parquet",
        rollouts="data/rl/pass_rates.rollouts.parquet",
        ledger="data/rl/pass_rates.ledger.parquet",
    log:
        "logs/grpo/pass_rates.log",
    priority: 1
    threads: 2
    resources:
        mem_mb=6000,
    params:
        **reads("pass_rates", "responses.system_prompt", "sandbox", "score", "seed"),
    shell:
        """
        python -m scripts.pass_rates \
            --queries {input.queries:q} \
            --model {input.model:q} \
            --pass-rates {output.pass_rates:q} \
            --rollouts {output.rollouts:q} \
            --ledger {output.ledger:q} \
            2>{log:q}
        """


rule rl_set_1:
    input:
        queries=expand("data/curated/verified/{shard}/queries.parquet", shard=SHARDS),
        pass_rates="data/rl/pass_rates.parquet",
    output:
        kept="data/rl/stage1.parquet",
        ledger="data/rl/stage1.ledger.parquet",
        report="data/rl/stage1.report.json",
    log:
        "logs/grpo/rl_set_1.log",
    priority: 1
    threads: 1
    resources:
        mem_mb=2000,
    params:
        **reads("rl_set.stage1", "seed"),
    shell:
        """
        python -m scripts.rl_set_1 \
            --queries {input.queries:q} \
            --pass-rates {input.pass_rates:q} \
            --kept {output.kept:q} \
            --ledger {output.ledger:q} \
            --report {output.report:q} \
            2>{log:q}
        """


rule grpo_1:
    input:
        queries="data/rl/stage1.parquet",
        model="models/sft",
    output:
        model_out=directory("models/rl1"),
    log:
        "logs/grpo/grpo_1.log",
    priority: 1
    threads: 2
    resources:
        mem_mb=10000,
    params:
        **reads(
            "grpo.prompts",
            "grpo.group_size",
            "grpo.temperature",
            "grpo.kl_coefficient",
            "grpo.scale_by_std",
            "grpo.overlong_in_group_mean",
            "grpo.overlong_in_denominator",
            "grpo.loss_denominator",
            "grpo.clip_ratio",
            "grpo.clip_grad",
            "grpo.adam_beta2",
            "grpo.weight_decay",
            "grpo.stage1",
            "responses.system_prompt",
            "sandbox",
            "seed",
        ),
    shell:
        """
        python -m scripts.grpo \
            --stage 1 \
            --queries {input.queries:q} \
            --model {input.model:q} \
            --model-out {output.model_out:q} \
            2>{log:q}
        """


rule rl_set_2:
    input:
        queries=expand("data/curated/verified/{shard}/queries.parquet", shard=SHARDS),
        stage1="data/rl/stage1.parquet",
        model="models/rl1",
    output:
        kept="data/rl/stage2.parquet",
        ledger="data/rl/stage2.ledger.parquet",
        report="data/rl/stage2.report.json",
    log:
        "logs/grpo/rl_set_2.log",
    priority: 1
    threads: 1
    resources:
        mem_mb=2000,
    params:
        **reads("rl_set.stage2", "seed"),
    shell:
        """
        python -m scripts.rl_set_2 \
            --queries {input.queries:q} \
            --stage1 {input.stage1:q} \
            --model {input.model:q} \
            --kept {output.kept:q} \
            --ledger {output.ledger:q} \
            --report {output.report:q} \
            2>{log:q}
        """


rule grpo_2:
    input:
        queries="data/rl/stage2.parquet",
        model="models/rl1",
        reward_model="models/reward",
    output:
        model_out=directory("models/rl2"),
    log:
        "logs/grpo/grpo_2.log",
    priority: 1
    threads: 2
    resources:
        mem_mb=10000,
    params:
        **reads(
            "grpo.prompts",
            "grpo.group_size",
            "grpo.temperature",
            "grpo.kl_coefficient",
            "grpo.scale_by_std",
            "grpo.overlong_in_group_mean",
            "grpo.overlong_in_denominator",
            "grpo.loss_denominator",
            "grpo.clip_ratio",
            "grpo.clip_grad",
            "grpo.adam_beta2",
            "grpo.weight_decay",
            "grpo.stage2",
            "responses.system_prompt",
            "score",
            "sandbox",
            "seed",
        ),
    shell:
        """
        python -m scripts.grpo \
            --stage 2 \
            --queries {input.queries:q} \
            --model {input.model:q} \
            --reward-model {input.reward_model:q} \
            --model-out {output.model_out:q} \
            2>{log:q}
        """
