"""amt: the data and models of LLM post-training, from public datasets to an evaluated RL checkpoint.

Reading order: collect, curate, models, synthesize, sft, grpo, evaluate. Each file opens with its contract.
`priority: 1` marks the longest chain, from queries to the second GRPO stage: what else could run waits for it.
"""

import os

from amt.build.hooks import before_plan, pinned_recipe
from amt.errors import ParamsError
from amt.params import load, section_values
from amt.placement import placement

if unknown := config.keys() - {"params", "placement", "pinned"}:
    raise ParamsError(f"--config has no key {', '.join(sorted(unknown))} (it has: params, placement).")
if empty := [key for key, value in config.items() if not value]:
    raise ParamsError(f"--config {empty[0]}= names no file.")
PARAMS_FILE = os.path.relpath(config.get("params", "params.yaml"))
RECIPE = load(pinned_recipe(PARAMS_FILE, config))
# cluster/where.yaml says it; jobs on other machines read this file again, so they get it too.
if "placement" in config:
    os.environ["AMT_PLACEMENT"] = config["placement"]
placement()  # a fault in it is told now, not by the first job


def reads(*keys):
    """What a rule reads of the recipe: its record in Snakemake and its `params` in dvc.yaml."""
    return {"settings": section_values(RECIPE, *keys)}


# Where rows lie until sources are merged, and from then on.
PARTS = [f"{source}/{shard}" for source, settings in RECIPE.sources.items() for shard in range(settings.shards)]
SHARDS = range(RECIPE.curate.shards)

before_plan(workflow, PARAMS_FILE)


wildcard_constraints:
    source="[a-z0-9_]+",
    shard="[0-9]+",
    benchmark="[a-z0-9_]+",
    model="base|sft|rl1|rl2",


rule all:
    default_target: True
    input:
        "reports/index.html",
        "data/curated/decontaminated/removals.md",


include: "rules/collect.smk"
include: "rules/curate.smk"
include: "rules/models.smk"
include: "rules/synthesize.smk"
include: "rules/sft.smk"
include: "rules/grpo.smk"
include: "rules/evaluate.smk"
