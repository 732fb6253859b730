"""What runs in place of a stage: its outputs are text made of all that should decide them, and of nothing else.

Started by a `python` that stands first in PATH, as `python -I -S standin.py -m scripts.STAGE …`, so it may use nothing
but the standard library. It is made of

- the bytes of every input, by option and position;
- the settings of its stage, which it looks up by the digest of the recipe that it was given;
- the effect of an edited file on its stage, which it looks up by the digest of that file where it was told to run
  from: a job that is handed an old recipe or an old module makes old bytes, and is found out.

Both are looked up in a file of effects that the benchmark writes for each edit, outside of the project.
"""

import hashlib
import json
import os
import sys
from pathlib import Path

LABELS = {
    "raw": ["source"],
    "queries": ["source", "shard"],
    "benchmark": ["benchmark"],
    "evaluate": ["name"],
    "grpo": ["stage"],
}
"""Options that tell stages of one script apart."""
FOLDERS = {
    "clean": ("kept", 2),
    "decontaminate": ("kept", 1),
    "verify_math": ("kept", 1),
    "responses": ("responses", 1),
    "perplexity": ("perplexity", 1),
    "filter_responses": ("kept", 1),
    "score": ("scores", 1),
}
"""Outputs that do, by the names of so many folders."""
OUTPUTS = {
    "raw": ["rows"],
    "queries": ["queries", "ledger", "report"],
    "benchmark": ["questions"],
    "unique": ["kept", "ledgers", "report"],
    "clean": ["kept", "fingerprints", "ledger", "report"],
    "decontaminate": ["kept", "ledger", "report"],
    "removals": ["table", "page"],
    "certificate": ["certificate", "page"],
    "verify_math": ["kept", "ledger", "report", "votes"],
    "base_model": ["model"],
    "reward_model": ["model"],
    "responses": ["responses", "report"],
    "perplexity": ["perplexity"],
    "filter_responses": ["kept", "ledger", "report"],
    "score": ["scores", "queries-scored", "ledger", "report"],
    "sft_set": ["samples", "packs", "ledger", "report"],
    "sft": ["model"],
    "pass_rates": ["pass-rates", "rollouts", "ledger"],
    "rl_set_1": ["kept", "ledger", "report"],
    "rl_set_2": ["kept", "ledger", "report"],
    "grpo": ["model-out"],
    "evaluate": ["generations", "scores"],
    "sft_curve": ["curve"],
    "report": ["page", "metrics", "figures"],
}
DIRECTORIES = {"base_model", "reward_model", "sft", "grpo", "report.figures"}
"""Scripts, or single outputs of one, that write directories."""


def run(words: list[str], effects: dict, code_root: Path, recipe: Path) -> None:
    """Write the outputs of a command.

    Args:
        words: of the command, without `python`: -m scripts.STAGE --OPTION …
        effects: {"settings": {digest of a recipe: {stage: text}}, "code": {file: {digest of it: {stage: text}}},
            "always": {stage: text}}.
        code_root: folder that holds the amt and scripts that would run.
    """
    script = words[1].removeprefix("scripts.")
    options = _options(words[2:])
    stage = _stage(script, options)
    inputs = {
        name: [_digest(Path(path)) for path in values]
        for name, values in options.items()
        if name not in OUTPUTS[script] and name not in LABELS.get(script, ())
    }
    parts = {
        "stage": stage,
        "inputs": inputs,
        "settings": effects["settings"].get(_digest(recipe), {"": "a recipe that never was"}).get(stage, ""),
        "always": effects["always"].get(stage, ""),
        "code": {
            name: by_digest.get(_digest(code_root / name), {}).get(stage, "")
            for name, by_digest in effects["code"].items()
        },
    }
    parts["code"] = {name: text for name, text in parts["code"].items() if text}
    made_of = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
    for name in OUTPUTS[script]:
        (path,) = options[name]
        _write(Path(path), f"{name} of {stage} {made_of}\n", script in DIRECTORIES or f"{script}.{name}" in DIRECTORIES)


def _options(words: list[str]) -> dict[str, list[str]]:
    options: dict[str, list[str]] = {}
    for word in words:
        if word.startswith("--"):
            values = options[word[2:]] = []
        else:
            values.append(word)
    return options


def _stage(script: str, options: dict[str, list[str]]) -> str:
    labels = [label for option in LABELS.get(script, ()) for label in options[option]]
    if script in FOLDERS:
        option, count = FOLDERS[script]
        labels += Path(options[option][0]).parts[-1 - count : -1]
    return ("_" if script == "grpo" else "-").join([script, *labels])


def _digest(path: Path) -> str:
    """Of a file's bytes, or of the names and bytes in a directory; Snakemake's own mark is not one of them."""
    digest = hashlib.sha256()
    if path.is_dir():
        for file in sorted(path.rglob("*")):
            if file.name != ".snakemake_timestamp" and file.is_file():
                digest.update(f"{file.relative_to(path)}\0{_digest(file)}\0".encode())
    else:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _write(path: Path, text: str, is_directory: bool) -> None:
    """As a stage does (amt.publish): what lay there is replaced, never written into."""
    if is_directory:
        for file in path.glob("*"):
            file.unlink()
        path.unlink() if path.is_symlink() else None
        path.mkdir(parents=True, exist_ok=True)
        path /= "content.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_text(text)


if __name__ == "__main__":
    command = sys.argv[1:]
    script_options = _options(command[2:])
    name = _stage(command[1].removeprefix("scripts."), script_options)
    with open(os.environ["BENCH_RAN"], "a") as ran:
        ran.write(f"{name}\n")
    given = Path(os.environ.get("AMT_PINNED_RECIPE", "params.yaml"))
    root = Path(os.environ["PYTHONPATH"].split(os.pathsep)[0])
    run(command, json.loads(Path(os.environ["BENCH_EFFECTS"]).read_text()), root, given)
