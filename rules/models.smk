"""Models that the build starts from: the base model (paper 4.1) and the reward model (3.2).

the hub, or trained here as stand-ins (amt.standins)
  -> models/base/       Hugging Face format, tokenizer with chat template
  -> models/reward/     Hugging Face sequence classifier with three heads
"""


rule base_model:
    output:
        model=directory("models/base"),
    log:
        "logs/models/base_model.log",
    priority: 1
    threads: 1
    resources:
        mem_mb=6000,
    params:
        **reads(
            "models.base",
            "responses.system_prompt",
            *[f"benchmarks.{name}.prompt_suffix" for name in RECIPE.benchmarks],
            "seed",
        ),
    shell:
        """
        python -m scripts.base_model \
            --model {output.model:q} \
            2>{log:q}
        """


rule reward_model:
    input:
        base="models/base",
    output:
        model=directory("models/reward"),
    log:
        "logs/models/reward_model.log",
    priority: 1
    threads: 1
    resources:
        mem_mb=6000,
    params:
        **reads("models.reward", "responses.system_prompt", "seed"),
    shell:
        """
        python -m scripts.reward_model \
            --base {input.base:q} \
            --model {output.model:q} \
            2>{log:q}
        """
