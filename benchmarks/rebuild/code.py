"""Edits of modules and scripts that change what they do, and whose results they reach.

Written by reading who imports and calls what. `changes`: whose bytes can come out otherwise. `reaches`: whose script
gets to the edited definition although none of its bytes depends on it (a message, a time limit, a branch for the hub, a
kind of row that it never sees): these run, and nothing behind them.
"""

from typing import NamedTuple

from benchmarks.rebuild.edit import Edit, replaced
from benchmarks.rebuild.flow import RULES
from benchmarks.rebuild.settings import BOTH_GRPO, RUNNING_CODE, SEEDED

WRITING_TABLES = (
    "raw", "queries", "benchmark", "unique", "clean", "decontaminate", "removals", "verify_math", "responses",
    "perplexity", "filter_responses", "score", "sft_set", "sft", "pass_rates", "rl_set_1", "rl_set_2", "grpo_1",
    "grpo_2", "evaluate",
)  # fmt: skip
KEEPING = (
    "queries", "unique", "clean", "decontaminate", "verify_math", "filter_responses", "score", "pass_rates", "rl_set_1",
    "rl_set_2",
)  # fmt: skip
"""Whose ledgers have rows that go on as they were."""
PACKING_OR_USING = ("sft_set", "sft", "grpo_1", "grpo_2")
BOOKKEEPING = (*KEEPING, *PACKING_OR_USING)
REPORTING = (
    *(stage for stage in BOOKKEEPING if stage != "pass_rates"), "certificate", "responses", "reward_model", "evaluate",
    "sft_curve",
    "report",
)  # fmt: skip
ASKING = ("certificate", "verify_math", "responses", "evaluate")
"""Of endpoints."""
MATCHING = ("decontaminate", "certificate")
"""Texts with benchmark items."""
GRADING = RUNNING_CODE
GRADING_MATH = ("verify_math", *GRADING)
TRAINING = ("base_model", "sft", *BOTH_GRPO)
SERVING = ("perplexity", "score", "pass_rates", *BOTH_GRPO, "evaluate", "sft_curve")
GENERATING = ("pass_rates", *BOTH_GRPO, "evaluate", "sft_curve")
SCRIPTED = ("verify_math", "responses", "evaluate")
"""Whose endpoints are stand-ins of amt.standins."""


def _others(rules: tuple[str, ...], *but: str) -> tuple[str, ...]:
    return tuple(rule for rule in rules if rule not in but)


class Change(NamedTuple):
    file: str
    old: str
    new: str
    changes: tuple[str, ...] = ()
    reaches: tuple[str, ...] = ()


def _of_source(source: str, file: str, old: str, new: str, also: tuple[str, ...] = ()) -> Change:
    """A change of an adapter: its raw rows come through it as they were (it takes them as published)."""
    sources = (source, *also)
    return Change(
        file, old, new, tuple(f"queries-{name}-0" for name in sources), tuple(f"raw-{name}" for name in sources)
    )


WITH_SUFFIXES = (
    "openr1_math_220k", "big_math_rl_verified", "metamathqa", "aime_1983_2024", "kodcode_v1", "verifiable_coding",
    "task_mmmlu", "nemotron_if", "ultra_chat",
)  # fmt: skip
"""Sources whose adapters strip prompt suffixes, by themselves or in up_to_query: all."""

COLLECT = [
    _of_source(
        "openr1_math_220k",
        "amt/sources/mathematics.py",
        'reference_solution=row["solution"],\n    )\n\n\nOPENR1',
        'reference_solution=row["solution"] or None,\n    )\n\n\nOPENR1',
    ),
    _of_source(
        "big_math_rl_verified",
        "amt/sources/mathematics.py",
        'needs=("problem", "source", "answer"),',
        'needs=("answer", "problem", "source"),',
    ),
    _of_source(
        "metamathqa", "amt/sources/mathematics.py", r"The answer is:\s*(.*?)\s*$", r"The answer is:?\s*(.*?)\s*$"
    ),
    _of_source("aime_1983_2024", "amt/sources/mathematics.py", 'if row["Year"] == 2024:', 'if row["Year"] >= 2024:'),
    _of_source(
        "kodcode_v1",
        "amt/sources/programming.py",
        'starter_code=declared.get("function_declaration"),',
        "starter_code=None,",
    ),
    _of_source("verifiable_coding", "amt/sources/programming.py", '!= "python"', 'not in ("python", "python3")'),
    _of_source(
        "task_mmmlu",
        "amt/sources/science.py",
        'return LeftOut("no_ground_truth")\n    # `definition`',
        'return LeftOut("no_truth")\n    # `definition`',
    ),
    _of_source("nemotron_if", "amt/sources/instructions.py", "if value is not None}", "if value}"),
    _of_source("ultra_chat", "amt/sources/chat.py", 'published_id=row["prompt_id"])', "published_id=None)"),
    Change(
        "amt/sources/mathematics.py",
        'ground_truth=_stated(last_boxed(row["solution"] or "")),',
        'ground_truth=_stated(last_boxed(row["solution"])),',
    ),  # numinamath is not in the miniature
    Change(
        "amt/sources/chat.py",
        'return up_to_query(messages, published_id=row["id"]',
        "return up_to_query(messages, published_id=None",
    ),  # nor is openhermes_2_5
    Change(
        "amt/sources/code_cases.py",
        '"stdin": given, "stdout": expected',
        '"stdin": given, "stdout": expected + ""',
        ("queries-verifiable_coding-0",),
        ("raw-verifiable_coding",),
    ),
    Change(
        "amt/sources/code_cases.py",
        'return node.name.startswith("Test")',
        'return node.name.startswith("Tests")',
        ("queries-kodcode_v1-0",),
        ("raw-kodcode_v1",),
    ),
    Change(
        "amt/sources/conversations.py",
        'return _SUFFIX.sub("", text or "").strip()',
        'return _SUFFIX.sub("", text or "").rstrip()',
        tuple(f"queries-{name}-0" for name in WITH_SUFFIXES),
        tuple(f"raw-{name}" for name in WITH_SUFFIXES),
    ),
    Change(
        "amt/sources/conversations.py",
        'return LeftOut("no_user_turn")',
        'return LeftOut("no_user")',
        ("queries-nemotron_if-0", "queries-ultra_chat-0"),
        ("raw-nemotron_if", "raw-ultra_chat"),
    ),
    Change(
        "amt/sources/conversations.py", '"human": "user", "user"', '"human": "user", "man": "user", "user"'
    ),  # ShareGPT
    Change("amt/sources/collect.py", 'unified = LeftOut("empty_query")', 'unified = LeftOut("empty")', ("queries",)),
    Change("amt/sources/collect.py", "islice(json_rows(path), limit)", "islice(json_rows(path), 0, limit)", ("raw",)),
    Change("amt/sources/reading.py", "_CSV_ROWS = 100", "_CSV_ROWS = 50", reaches=("raw",)),  # files of other forms
    Change("amt/sources/planted.py", 'if entry["source"] == source', 'if source == entry["source"]', ("queries",)),
    Change(
        "amt/sources/evaluation_sets.py",
        '_LIVECODEBENCH_FIELDS = ("question_id", "question_content",',
        '_LIVECODEBENCH_FIELDS = ("question_content", "question_id",',
        reaches=("benchmark",),
    ),  # the hub
    Change(
        "scripts/queries.py",
        "write_report(args.report, asdict(report))",
        'write_report(args.report, {"licences": None, **asdict(report)})',
        ("queries",),
    ),
    Change(
        "scripts/raw.py",
        'logging.info("%s: %d rows", args.source, count)',
        'logging.info("%s: %d rows.", args.source, count)',
        reaches=("raw",),
    ),
    Change("scripts/benchmark.py", 'if settings.origin == "hub":', 'if settings.origin != "standin":', ("benchmark",)),
]

CURATE = [
    Change("amt/curate/clean.py", "drawing[0][:200]", "drawing[0][:100]", ("clean",)),
    Change(
        "amt/curate/drawings.py",
        "regex.DOTALL | regex.IGNORECASE",
        "regex.DOTALL",
        ("clean", *MATCHING, "verify_math"),
    ),
    Change("amt/curate/clusters.py", "ALL_PAIRS_UP_TO = 64", "ALL_PAIRS_UP_TO = 32", ("unique",)),
    Change("amt/curate/language.py", "LONGEST_PROSE = 1_000", "LONGEST_PROSE = 900", ("clean",)),
    Change(
        "amt/curate/normal_form.py",
        '"twice": "2",',
        '"twice": "2",\n    "fivefold": "5",',
        ("clean", "unique"),
    ),
    Change("amt/curate/fingerprint.py", 'frozenset("bcdefgh', 'frozenset("ibcdefgh', ("clean",)),
    Change("amt/curate/same_problem.py", "[.?!;。？！]", "[.?!。？！]", ("unique",)),
    Change("amt/curate/decontaminate.py", "LONGEST_SPAN = 300", "LONGEST_SPAN = 301", ("decontaminate",)),
    Change("amt/curate/match.py", "CONTRADICTING = 3.0", "CONTRADICTING = 3.1", MATCHING),
    Change("amt/curate/literals.py", '("null", "nil")', '("null", "nil", "nothing")', MATCHING),
    Change("amt/curate/quantities.py", "MOST_BITS = 12.0", "MOST_BITS = 12.5", MATCHING),
    Change("amt/curate/views.py", "WINDOW_WORDS = 48", "WINDOW_WORDS = 50", MATCHING),
    Change("amt/curate/ngram_index.py", "_FILTER_BITS = 24", "_FILTER_BITS = 23", MATCHING),
    Change("amt/curate/embedding.py", "BATCH_TOKENS = 4096", "BATCH_TOKENS = 2048", MATCHING),
    Change("amt/curate/verdicts.py", "several verdicts on", "many verdicts on", ("decontaminate",)),
    Change("amt/curate/removals.py", "Doubtful ones first.", "The doubtful first.", ("removals",)),
    Change("amt/curate/copies.py", "HEAVY = 1 / 30, 1 / 8", "HEAVY = 1 / 30, 1 / 9", ("certificate",)),
    Change("amt/curate/paraphrases.py", "Translate the following task", "Translate this task", ("certificate",)),
    Change("amt/curate/math_kinds.py", '"iii", "iv", "v")', '"iii", "iv", "v", "vi")', ("verify_math",)),
    Change("amt/curate/verify_math.py", "Do not solve it.\n", "Never solve it.\n", ("verify_math",)),
    Change("amt/curate/verify_math.py", 'or "no reason given")', 'or "none given")', ("verify_math",)),
    Change("scripts/verify_math.py", "seed=recipe.seed,", "seed=recipe.seed + 1,", ("verify_math",)),
    Change(
        "scripts/clean.py", "settings=recipe.curate.clean)", "settings=recipe.curate.clean.model_copy())", ("clean",)
    ),
    Change("scripts/unique.py", "queries=args.queries,", "queries=list(args.queries),", ("unique",)),
    Change(
        "scripts/decontaminate.py", "benchmarks=args.benchmarks,", "benchmarks=args.benchmarks[:1],", ("decontaminate",)
    ),
]

SYNTHESIZE = [
    Change("amt/curate/responses.py", '"truncated": sum(', '"cut": sum(', ("responses",)),
    Change("amt/curate/perplexity.py", "_LARGEST_EXPONENT = 700.0", "_LARGEST_EXPONENT = 600.0", ("perplexity",)),
    Change("amt/curate/filter_responses.py", "phrase[:200]", "phrase[:100]", ("filter_responses",)),
    Change("amt/curate/score.py", "most: int = 10", "most: int = 11", ("score",)),
    Change("amt/curate/score.py", "CHUNK = 2000", "CHUNK = 1000", ("score",)),
    Change(
        "scripts/responses.py",
        'clients["teacher"],\n            seed=recipe.seed',
        'clients["teacher"],\n            seed=-recipe.seed',
        ("responses",),
    ),
    Change("scripts/perplexity.py", "model=args.model,", "model=args.model.resolve(),", ("perplexity",)),
    Change(
        "scripts/filter_responses.py",
        "perplexity=args.perplexity,",
        "perplexity=args.perplexity.absolute(),",
        ("filter_responses",),
    ),
    Change("scripts/score.py", 'kind="classify"', "kind='class' + 'ify'", ("score",)),
    Change(
        "amt/endpoints/asking.py",
        'DEFAULTS = {"temperature": 1.0, "top_p": 1.0}',
        'DEFAULTS = {"temperature": 1.0}',
        ASKING,
    ),
    Change("amt/endpoints/asking.py", "BACKOFF_BASE_S = 0.5", "BACKOFF_BASE_S = 0.6", reaches=ASKING),
    # JSON is asked for by verify_math alone; the others use the same class.
    Change(
        "amt/endpoints/loose_json.py",
        '_UNCERTAIN = frozenset("ne neg',
        '_UNCERTAIN = frozenset("ne',
        ("verify_math",),
        ("responses", "evaluate"),
    ),
    Change("amt/endpoints/client.py", "digest_size=16", "digest_size=20", reaches=ASKING),  # the key of an answer
    Change("amt/endpoints/answers.py", 'DATABASE = "answers.sqlite"', 'DATABASE = "replies.sqlite"', reaches=ASKING),
]

REWARDS = [
    Change("amt/sandbox/comparison.py", "RELATIVE_TOLERANCE = 1e-6", "RELATIVE_TOLERANCE = 1e-5", GRADING),
    # No query of instructions comes to pass_rates, grpo_1 or evaluate; their graders could judge one.
    Change(
        "amt/rewards/instructions.py",
        '"My answer is maybe.")',
        '"My answer is perhaps.")',
        ("score", "grpo_2"),
        ("pass_rates", "grpo_1", "evaluate"),
    ),
    Change("amt/rewards/math_answer.py", "_LONGEST_NUMBER = 200", "_LONGEST_NUMBER = 100", GRADING_MATH),
    Change("amt/rewards/math_answer.py", "_LONGEST = 2000", "_LONGEST = 1000", GRADING_MATH),
    Change("amt/rewards/math_worker.py", "_MEMORY_BYTES = 2 << 30", "_MEMORY_BYTES = 1 << 30", GRADING_MATH),
    Change("amt/rewards/verdict.py", "passed: bool = False", "passed: bool = True", GRADING_MATH),
    Change("amt/rewards/dispatch.py", "PAUSES_S = (1.0, 5.0)", "PAUSES_S = (1.0, 6.0)", reaches=GRADING),
    Change(
        "amt/rewards/dispatch.py",
        'if query["category"] == "code" and query.get("tests"):',
        'if query.get("tests") and query["category"] == "code":',
        (*GRADING, "report"),
    ),
    Change(
        "amt/rewards/reward_model.py",
        "min(1.0, max(0.0, value))",
        "min(0.9, max(0.0, value))",
        ("score", "grpo_2"),
        ("pass_rates", "grpo_1", "evaluate"),
    ),
    Change(
        "amt/rewards/reward_model.py",
        'HEADS = ("helpfulness", "correctness", "coherence")',
        'HEADS = ("helpfulness", "coherence", "correctness")',
        ("reward_model", "score", "grpo_2"),
        ("pass_rates", "grpo_1", "evaluate"),
    ),
    Change(
        "amt/rewards/reward_model.py",
        "room = context - 1",
        "room = context - 2",
        ("score", "grpo_2"),
        ("grpo_1",),
    ),
    Change(
        "amt/rewards/answer.py",
        "return answer if complete else None",
        "return answer.strip() if complete else None",
        (*GRADING,),
        ("verify_math", "certificate"),
    ),  # one grades no tagged answer, but has the grader; the other strips it
    Change("amt/sandbox/zygote.py", "OPEN_FILES = 64", "OPEN_FILES = 32", GRADING),
    Change("amt/sandbox/languages.py", "-std=gnu++20", "-std=gnu++17", GRADING),
    Change("amt/sandbox/compiling.py", "WALL_FACTOR = 4", "WALL_FACTOR = 5", GRADING),
    Change("amt/sandbox/worker.py", "GRACE_SECONDS = 20.0", "GRACE_SECONDS = 21.0", reaches=GRADING),
    Change("amt/sandbox/seccomp.py", "fork vfork execve execveat", "fork vfork execve", GRADING),
]

MODELS = [
    Change("amt/standins/base_model.py", "WARMUP = 0.05", "WARMUP = 0.06", ("base_model",)),
    Change(
        "amt/standins/plain_text.py", '"stories": 0.46, "sums": 0.38', '"stories": 0.45, "sums": 0.39', ("base_model",)
    ),
    Change("amt/standins/tokenizer.py", "* 1000 for number", "* 900 for number", ("base_model",)),
    Change("amt/standins/reward_model.py", "HELD_OUT_SHARE = 0.15", "HELD_OUT_SHARE = 0.16", ("reward_model",)),
    Change(
        "amt/standins/benchmarks.py",
        "MATH_SEED = 1983",
        "MATH_SEED = 1984",
        ("benchmark-aime_like", "base_model"),
        ("benchmark-arena_like",),
    ),
    Change(
        "amt/standins/benchmarks.py",
        "if number % 2:",
        "if number % 3:",
        ("benchmark-arena_like",),
        ("benchmark-aime_like",),
    ),
    # What the teacher says, and what the report says of it.
    Change(
        "amt/standins/roles.py",
        "TERSE = 0.2\n",
        "TERSE = 0.25\n",
        ("verify_math", "responses", "report"),
        ("evaluate",),
    ),
    Change(
        "amt/standins/roles.py",
        "CLEARLY, SLIGHTLY = 1.5, 0.25",
        "CLEARLY, SLIGHTLY = 1.5, 0.3",
        ("evaluate",),
        ("verify_math", "responses"),
    ),
    Change("amt/standins/endpoint.py", "DEFAULT_MAX_TOKENS = 1024", "DEFAULT_MAX_TOKENS = 1023", reaches=SCRIPTED),
    Change("scripts/base_model.py", "seed=recipe.seed,", "seed=recipe.seed + 1,", ("base_model",)),
    Change("scripts/reward_model.py", "seed=recipe.seed,", "seed=recipe.seed + 1,", ("reward_model",)),
    Change(
        "amt/megatron/packing.py",
        "while last < len(lengths) and 2 * lengths",
        "while last < len(lengths) and 3 * lengths",
        TRAINING,
    ),
    Change("amt/megatron/convert.py", "SHARD_BYTES = 5_000_000_000", "SHARD_BYTES = 4_000_000_000", TRAINING),
    # base_model keeps no state of the optimizer.
    Change(
        "amt/megatron/checkpoint.py",
        "key=lambda entry: repr(entry[0])",
        "key=lambda entry: str(entry[0])",
        ("sft", *BOTH_GRPO),
        ("base_model",),
    ),
    Change("amt/megatron/session.py", "total = total * batch.weight\n", "total = batch.weight * total\n", TRAINING),
    Change("amt/megatron/cpu.py", 'CPU = torch.device("cpu")', 'CPU = torch.device("cpu", 0)', TRAINING),
    Change(
        "amt/rollout/server.py",
        "_CLASSIFY_BATCH = 64",
        "_CLASSIFY_BATCH = 32",
        ("score", "grpo_2"),
        _others(SERVING, "score", "grpo_2"),
    ),
    Change("amt/rollout/server.py", "_STOP_LIMIT_S = 10.0", "_STOP_LIMIT_S = 11.0", reaches=SERVING),
    Change("amt/rollout/serve.py", "_CPU_BATCH_TOKENS = 8192", "_CPU_BATCH_TOKENS = 4096", SERVING),
]

SFT_AND_GRPO = [
    Change("amt/sft/packing.py", "if room[node] < lengths[index]:", "if room[node] <= lengths[index]:", ("sft_set",)),
    Change(
        "amt/sft/build_sft_set.py",
        '"full": tokens / (packs * max_tokens)',
        '"full": tokens / packs / max_tokens',
        ("sft_set",),
    ),
    Change("amt/sft/offer.py", "_BLOCK_RESPONSES = 1024", "_BLOCK_RESPONSES = 2048", ("sft_set",)),
    Change("amt/sft/train.py", "return peak * 0.5 * (1 +", "return 0.5 * peak * (1.0 +", ("sft",)),
    Change("amt/sft/train.py", "len(lines) // 20", "len(lines) // 10", ("sft",)),
    Change("scripts/sft_set.py", "seed=recipe.seed,", "seed=recipe.seed + 1,", ("sft_set",)),
    Change("scripts/sft.py", "seed=recipe.seed,", "seed=recipe.seed + 1,", ("sft",)),
    Change("amt/grpo/advantage.py", "np.maximum(counted_P1 - 1, 1)", "np.maximum(counted_P1, 1)", BOTH_GRPO),
    Change("amt/grpo/loss.py", "torch.minimum(ratio_T", "torch.maximum(ratio_T", BOTH_GRPO),
    Change(
        "amt/grpo/plateau.py",
        "if average > best + settings.min_gain:",
        "if average >= best + settings.min_gain:",
        BOTH_GRPO,
    ),
    Change("amt/grpo/train.py", "len(history) // 4", "len(history) // 3", BOTH_GRPO),
    Change("amt/grpo/train.py", '"cpu": 1e-3', '"cpu": 2e-3', reaches=BOTH_GRPO),  # when it refuses to go on
    Change("amt/grpo/build_rl_set.py", "all(reward == 1.0 for", "all(reward >= 1.0 for", ("rl_set_2",)),
    Change(
        "amt/grpo/build_rl_set.py",
        'seed_for(seed, "rl_set", row["row_id"])',
        'seed_for(seed, "rl", row["row_id"])',
        ("rl_set_1", "rl_set_2"),
    ),
    Change(
        "amt/grpo/pass_rates.py",
        'for category in ("math", "code"):',
        'for category in ("code", "math"):',
        ("pass_rates",),
    ),
    Change(
        "amt/grpo/rollouts.py",
        '"prompt_tokens": len(rollout.prompt_ids),',
        '"prompt_tokens": len(rollout.prompt_ids) + 1,',
        ("pass_rates", *BOTH_GRPO),
    ),
    Change("amt/grpo/rollouts.py", "_GRADED_AT_ONCE = 128", "_GRADED_AT_ONCE = 64", reaches=("pass_rates", *BOTH_GRPO)),
    Change("scripts/grpo.py", "seed=recipe.seed,", "seed=recipe.seed + 1,", BOTH_GRPO),
    Change("scripts/pass_rates.py", "seed=recipe.seed,", "seed=recipe.seed + 1,", ("pass_rates",)),
    Change("scripts/rl_set_1.py", "seed=recipe.seed,", "seed=recipe.seed + 1,", ("rl_set_1",)),
    Change("scripts/rl_set_2.py", "seed=recipe.seed,", "seed=recipe.seed + 1,", ("rl_set_2",)),
]

EVALUATE = [
    Change("amt/evaluation/arena.py", "CLEAR_WEIGHT = 3", "CLEAR_WEIGHT = 2", ("evaluate",)),
    Change("amt/evaluation/statistics.py", "for _ in range(100):", "for _ in range(90):", ("evaluate", "report")),
    Change(
        "amt/evaluation/statistics.py", "interval = (0.0, unseen) if", "interval = (0.0, unseen / 2) if", ("evaluate",)
    ),
    Change("amt/evaluation/sft_curve.py", '"stop_ratio": sum(', '"stop_share": sum(', ("sft_curve",)),
    Change(
        "amt/evaluation/benchmarks.py",
        "{last['content']}\\n{prompt_suffix}",
        "{last['content']} {prompt_suffix}",
        ("evaluate", "sft_curve"),
    ),
    Change(
        "amt/evaluation/run.py",
        "rate = done / max(now - start, 1e-9)",
        "rate = done / max(now - start, 1e-6)",
        reaches=("evaluate",),
    ),  # a line in the log
    Change("amt/evaluation/figures.py", '"base": "#9aa5b1"', '"base": "#9aa5b2"', ("report",)),
    Change("amt/drawing.py", '"font.size": 9.5', '"font.size": 9', ("report",)),
    Change("amt/evaluation/paper.py", "Part(1_008_900,", "Part(1_008_901,", ("report",)),
    Change("amt/flow/stages.py", '"score", "score", "filter', '"score", "scores", "filter', ("report",)),
    Change("amt/flow/picture.py", 'KEPT = "#2f6db3"', 'KEPT = "#2f6db4"', ("report",)),
    Change("amt/flow/chain.py", "EXAMPLES = 3", "EXAMPLES = 4", reaches=("report",)),  # in a message
    Change("amt/evaluation/planted.py", '_finder("clean", "image")', '_finder("clean", "image", "url")', ("report",)),
    Change("amt/evaluation/report.py", "GRPO_WINDOW = 5", "GRPO_WINDOW = 4", ("report",)),
    Change(
        "amt/evaluation/report.html.j2", "<title>{{ name }}: report</title>", "<title>{{ name }}</title>", ("report",)
    ),
    Change(
        "scripts/evaluate.py",
        "recipe_seed=recipe.seed,\n        scratch",
        "recipe_seed=recipe.seed + 1,\n        scratch",
        ("evaluate",),
    ),
    Change("scripts/sft_curve.py", "recipe_seed=recipe.seed,", "recipe_seed=recipe.seed + 1,", ("sft_curve",)),
    Change("scripts/report.py", "It gives {TERSE:.0%}", "It writes {TERSE:.0%}", ("report",)),
]

SHARED = [
    Change("amt/rows.py", "ROW_GROUP_ROWS = 20_480", "ROW_GROUP_ROWS = 10_240", WRITING_TABLES),
    Change("amt/rows.py", "digest_size=8", "digest_size=9", ("queries", "benchmark")),
    # How a dictionary is spelled in a cell; for the others it is a key of a cache or the name of a scratch folder.
    Change(
        "amt/rows.py",
        'separators=(",", ":")',
        'separators=(", ", ":")',
        ("queries", "benchmark", "unique", "decontaminate", "verify_math", "score", *PACKING_OR_USING),
        ("responses", "clean", "filter_responses", "pass_rates", "rl_set_1", "rl_set_2", "evaluate"),
    ),
    Change(
        "amt/rows.py",
        'pa.field("equals_ground_truth", pa.bool_(), nullable=False)',
        'pa.field("equals_ground_truth", pa.bool_())',
        ("verify_math",),
    ),
    Change(
        "amt/rows.py",
        '"instruction_follow", "general_chat")',
        '"general_chat", "instruction_follow")',
        ("sft_set", "base_model", "report"),
    ),
    Change("amt/seeds.py", 'text = "\\x1f".join', 'text = "\\x1e".join', SEEDED),
    Change("amt/ledger.py", "json.dumps(content, indent=2", "json.dumps(content, indent=1", REPORTING),
    Change(
        "amt/ledger.py",
        'self._record(row, "kept", None, detail)',
        'self._record(row, "kept", "", detail)',
        KEEPING,
        PACKING_OR_USING,
    ),
    Change(
        "amt/ledger.py",
        '{"packs": packs}',
        '{"places": packs}',
        ("sft_set",),
        tuple(stage for stage in BOOKKEEPING if stage != "sft_set"),
    ),
    Change("amt/ledger.py", "BUFFER_ROWS = 100_000", "BUFFER_ROWS = 50_000", reaches=BOOKKEEPING),
    Change(
        "amt/ledger.py",
        'return json.loads(Path(path).read_text(encoding="utf-8"))',
        "return json.loads(Path(path).read_text())",
        ("report",),
    ),
    Change(
        "amt/chat.py",
        "add_special_tokens=False).ids\n\n    def encode_plain",
        "add_special_tokens=True).ids\n\n    def encode_plain",
        (
            "base_model",
            "reward_model",
            "perplexity",
            "score",
            "sft_set",
            "sft",
            "pass_rates",
            *BOTH_GRPO,
            "evaluate",
            "sft_curve",
        ),
    ),
    Change("amt/resume.py", "digest_size=16", "digest_size=20", reaches=("sft", *BOTH_GRPO)),
    Change("scripts/entry.py", 'datefmt="%H:%M:%S"', 'datefmt="%H:%M"', reaches=tuple(RULES)),  # of the log
]

NOWHERE = [
    Change("amt/tracking.py", "IDLE_SECONDS = 20", "IDLE_SECONDS = 30"),
    Change("amt/tracking.py", 'ARTIFACT_SUFFIXES = {".json",', "ARTIFACT_SUFFIXES = {"),
    Change("amt/placement.py", "import os\n", "import os\n\nUNUSED = 1\n"),
    Change("amt/placement.py", '= "cache/endpoints"', '= "cache/replies"'),
    Change("amt/endpoints/spending.py", "BYTES_PER_TOKEN = 3", "BYTES_PER_TOKEN = 4"),
    Change("amt/endpoints/progress.py", "EVERY_S = 10.0", "EVERY_S = 11.0"),
    Change("amt/sandbox/client.py", "LOST_ATTEMPTS = 10", "LOST_ATTEMPTS = 11"),
    Change("amt/build/why.py", "MOST = 6", "MOST = 7"),
    Change("amt/flow/trace.py", "LONGEST = 240", "LONGEST = 200"),
    Change("amt/build/draw.py", "COLUMN, ROW = 150, 46", "COLUMN, ROW = 160, 46"),
    Change("amt/build/records.py", 'MADE = Path(".amt/made")\n', 'MADE = Path(".amt/made")\nUNUSED = 1\n'),
    Change("amt/params.py", "comparisons: Annotated[int, Field(ge=64)]", "comparisons: Annotated[int, Field(ge=32)]"),
    Change("amt/params.py", '"""Peak [4.1]."""', '"""The highest [4.1]."""'),
    Change("amt/params.py", "if self.last < self.first:", "if self.first > self.last:"),
    Change(
        "amt/params.py",
        "class Clean(Section):\n",
        "class Clean(Section):\n    def faults(self):\n        yield from ()\n\n",
    ),
    Change("amt/params.py", "    epochs: Positive\n", "    epochs: Annotated[int, Field(ge=1, le=100)]\n"),
    Change("amt/standins/planting.py", "ALIKE = 0.5\n", "ALIKE = 0.6\n"),  # made the samples, long ago
    Change("amt/standins/published.py", "import json\n", "import json\n\nUNUSED = 1\n"),
    Change("scripts/generate_samples.py", "indent=1", "indent=2"),
    Change("scripts/run.py", "import re\n", "import re\n\nUNUSED = 1\n"),
]


def code_edits() -> list[Edit]:
    changes = [*COLLECT, *CURATE, *SYNTHESIZE, *REWARDS, *MODELS, *SFT_AND_GRPO, *EVALUATE, *SHARED, *NOWHERE]
    return [
        Edit("code", f"{it.file}: {_one_line(it.new)}", replaced(it.file, it.old, it.new), it.changes, it.reaches)
        for it in changes
    ]


def _one_line(text: str) -> str:
    return " ".join(text.split())[:60]
