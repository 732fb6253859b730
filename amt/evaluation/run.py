"""Generate and grade the answers of one model to every evaluated benchmark (paper 5.1).

models/{model} -> generations.parquet (GENERATION), scores.json

Invariant: every question has exactly its declared number of samples, under seeds that depend on question and sample
only, so that two models are compared pair by pair. What could not be judged is counted under its status and is no
number; a question of which nothing could be judged stops the evaluation.
"""

import json
import logging
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa

from amt.chat import Chat
from amt.endpoints.client import ChatClient
from amt.errors import DataError, InfrastructureError
from amt.evaluation.arena import play, pooled
from amt.evaluation.benchmarks import Questions, question_messages
from amt.evaluation.instructions import accuracies
from amt.evaluation.statistics import pass_at_1
from amt.params import Endpoint, Evaluation, Sandbox, Score
from amt.placement import Placement
from amt.rollout.journal import AnswerJournal
from amt.rollout.server import Generation, Request, VllmServer
from amt.rows import write_table
from amt.seeds import seed_for

log = logging.getLogger(__name__)

GENERATION = pa.schema(
    [
        pa.field("benchmark", pa.string(), nullable=False),
        pa.field("row_id", pa.string(), nullable=False),
        pa.field("sample", pa.int32(), nullable=False),
        pa.field("seed", pa.int64(), nullable=False),
        pa.field("response", pa.string(), nullable=False),
        pa.field("tokens", pa.int32(), nullable=False),
        pa.field("finish_reason", pa.string(), nullable=False),  # "stop" or "length"
        pa.field("status", pa.string(), nullable=False),  # scored | invalid | error
        pa.field("reward", pa.float64()),  # in [0, 1]; null unless scored
        pa.field("games", pa.int32()),  # of an arena: games that the readable verdicts count as
        pa.field("reason", pa.string()),  # why it is invalid or an error
    ]
)


def weights_dir(model: Path) -> Path:
    """Where the Hugging Face files of a model artifact lie: in hf/ of a trained one, else in itself."""
    return model / "hf" if (model / "hf").is_dir() else model


def prompt_tokens(chat: Chat, questions: Questions, system_prompt: str) -> dict[str, list[int]]:
    """{row_id: token ids of the prompt}."""
    suffix = questions.settings.prompt_suffix
    return {row["row_id"]: chat.prompt_ids(question_messages(row, suffix), system_prompt) for row in questions.rows}


def generate(
    model: Path,
    benchmarks: list[Questions],
    settings: Evaluation,
    *,
    system_prompt: str,
    recipe_seed: int,
    scratch: Path,
    server_log: Path,
    placement: Placement,
) -> list[dict[str, Any]]:
    """Samples of all questions: rows of GENERATION without a judgement, ordered by (benchmark, row_id, sample).

    Args:
        scratch: folder of this model's own, where answers are kept until the caller removes it; a run that was
            killed finds them there.
    """
    directory = weights_dir(model)
    chat = Chat(directory)
    rows, requests = [], []
    for questions in sorted(benchmarks, key=lambda item: item.name):
        for row_id, ids in prompt_tokens(chat, questions, system_prompt).items():
            for sample in range(questions.settings.samples):
                seed = seed_for(recipe_seed, "evaluate", questions.name, row_id, sample)
                rows.append({"benchmark": questions.name, "row_id": row_id, "sample": sample, "seed": seed})
                requests.append(Request(prompt_ids=ids, seed=seed, max_tokens=settings.max_tokens))
    journal = AnswerJournal(scratch, directory, requests, settings.temperature, settings.top_p)
    answers = journal.read()
    found = len(answers)
    if found:
        log.info("%d of %d answers were made before", found, len(requests))
    missing = [place for place in range(len(requests)) if place not in answers]
    if missing:
        progress = log_progress("answers")
        context = context_length(directory, requests)
        with VllmServer(directory, max_model_len=context, log=server_log, placement=placement) as server:
            stream = server.generate_stream(
                [requests[place] for place in missing], temperature=settings.temperature, top_p=settings.top_p
            )
            for arrived in stream:
                new = {missing[number]: generation for number, generation in arrived}
                journal.add(new)
                answers |= new
                progress(len(answers) - found, len(missing))
    generations = [answers[place] for place in sorted(answers)]
    check_complete(requests, generations)
    return [
        row
        | {
            "response": chat.decode(generation.token_ids),
            "tokens": len(generation.token_ids),
            "finish_reason": generation.finish_reason,
        }
        for row, generation in zip(rows, generations, strict=True)
    ]


def context_length(directory: Path, requests: list[Request]) -> int:
    """Tokens of the longest prompt with its response.

    Raises:
        DataError: the model was not made for that many.
    """
    longest = max(requests, key=lambda request: len(request.prompt_ids) + request.max_tokens)
    needed = len(longest.prompt_ids) + longest.max_tokens
    context = json.loads((directory / "config.json").read_text())["max_position_embeddings"]
    if needed > context:
        raise DataError(
            f"A prompt of {len(longest.prompt_ids)} tokens and a response of {longest.max_tokens} need {needed}, but "
            f"{directory} has a context of {context}. Lower evaluation.max_tokens in params.yaml to at most "
            f"{context - len(longest.prompt_ids)}."
        )
    return needed


def log_progress(what: str, every_s: float = 5.0) -> Callable[[int, int], None]:
    """A callback (done, all) that writes a line to the log every few seconds: done, rate, time left.

    The clock starts with the first answer: before it the server starts.
    """
    start = last = 0.0

    def progress(done: int, total: int) -> None:
        nonlocal start, last
        now = time.monotonic()
        if not start:
            start = last = now
        if now - last < every_s and done < total:
            return
        last = now
        rate = done / max(now - start, 1e-9)
        log.info("%s: %d/%d, %.0f/s, %.0f s left", what, done, total, rate, (total - done) / rate)

    return progress


def check_complete(requests: list[Request], generations: list[Generation]) -> None:
    """Every request was answered to its end.

    Raises:
        InfrastructureError: answers are missing or were cut off by the server: that is no wrong answer.
    """
    cut = Counter(item.finish_reason for item in generations if item.finish_reason not in ("stop", "length"))
    if len(generations) != len(requests) or cut:
        raise InfrastructureError(
            f"The server answered {len(generations)} of {len(requests)} requests, and cut off {cut.total()} "
            f"({dict(cut)}). Nothing was scored; run the same command again."
        )


def grade(
    generations: list[dict[str, Any]],
    benchmarks: list[Questions],
    *,
    sandbox: Sandbox,
    score: Score,
    placement: Placement,
    judge: ChatClient | None,
    judge_settings: Endpoint,
    recipe_seed: int,
) -> list[dict[str, Any]]:
    """The generations with status, reward and reason: by the judge for arena, by rule for the other kinds."""
    by_rule, by_judge = [], []
    questions = {(item.name, row["row_id"]): (item, row) for item in benchmarks for row in item.rows}
    for generation in generations:
        item, row = questions[generation["benchmark"], generation["row_id"]]
        (by_judge if item.settings.kind == "arena" else by_rule).append((generation, row))
    graded = []
    if by_rule:
        graded += _grade_by_rule(by_rule, sandbox, score, placement)
    if by_judge:
        graded += _grade_by_judge(by_judge, judge, judge_settings, recipe_seed)
    return sorted(graded, key=lambda row: (row["benchmark"], row["row_id"], row["sample"]))


def _grade_by_rule(pairs, sandbox: Sandbox, score: Score, placement: Placement) -> list[dict[str, Any]]:
    from amt.rewards.dispatch import Grader

    with Grader(sandbox, score, placement) as grader:
        judgements = grader.grade([(row, generation["response"]) for generation, row in pairs])
    if errors := [judgement for judgement in judgements if judgement.status == "error"]:
        raise InfrastructureError(
            f"{len(errors)} of {len(judgements)} responses could not be judged. The first: {errors[0].reason}. Nothing "
            "was counted as wrong; run the same command again when that is mended."
        )
    return [
        generation | {"status": judgement.status, "reward": judgement.reward, "reason": judgement.reason}
        for (generation, _), judgement in zip(pairs, judgements, strict=True)
    ]


def _grade_by_judge(pairs, judge: ChatClient | None, settings: Endpoint, recipe_seed: int) -> list[dict[str, Any]]:
    if judge is None:
        raise ValueError("an arena benchmark needs a judge")
    answers = [
        (row, generation["response"], (generation["benchmark"], generation["row_id"], generation["sample"]))
        for generation, row in pairs
    ]
    graded = []
    for (generation, _), games in zip(pairs, play(answers, judge, settings, recipe_seed), strict=True):
        rate = games.win_rate
        graded.append(
            generation
            | {
                "status": "invalid" if rate is None else "scored",
                "reward": rate,
                "games": games.weight,
                "reason": f"{games.unreadable} of 2 verdicts unreadable" if games.unreadable else None,
            }
        )
    return graded


def summarise(
    name: str, graded: list[dict[str, Any]], benchmarks: list[Questions], confidence: float
) -> dict[str, Any]:
    """The content of scores.json.

    Raises:
        DataError: a benchmark lacks samples, or some question cannot be judged.
        InfrastructureError: nothing of some question was judged, though it could be.
    """
    by_benchmark = defaultdict(list)
    for row in graded:
        by_benchmark[row["benchmark"]].append(row)
    return {
        "model": name,
        "confidence": confidence,
        "benchmarks": {
            item.name: _summary(item, by_benchmark[item.name], confidence)
            for item in sorted(benchmarks, key=lambda item: item.name)
        },
    }


def _summary(item: Questions, rows: list[dict[str, Any]], confidence: float) -> dict[str, Any]:
    expected = {(row["row_id"], sample) for row in item.rows for sample in range(item.settings.samples)}
    found = Counter((row["row_id"], row["sample"]) for row in rows)
    if set(found) != expected or found.total() != len(expected):
        raise DataError(
            f"{item.name}: {len(item.rows)} questions x {item.settings.samples} samples make {len(expected)} "
            f"generations, found {found.total()}. A missing sample is not a wrong one; evaluate again."
        )
    rewards: dict[str, list[float]] = {row["row_id"]: [] for row in item.rows}
    scored_rows = [row for row in rows if row["status"] == "scored"]
    values = [row["reward"] for row in scored_rows]
    if item.settings.kind == "arena" and values:
        values = pooled(values, [row["games"] for row in scored_rows])
    for row, value in zip(scored_rows, values, strict=True):
        rewards[row["row_id"]].append(value)
    blank = {row_id for row_id, scored in rewards.items() if not scored}
    # A judge without a readable verdict is counted as such; a rule that cannot judge is a fault.
    if blank and (item.settings.kind != "arena" or len(blank) == len(rewards)):
        _refuse(item, blank, [row for row in rows if row["row_id"] in blank])
    rewards = {row_id: scored for row_id, scored in rewards.items() if scored}
    statuses = Counter(row["status"] for row in rows)
    estimate = asdict(pass_at_1(list(rewards.values()), confidence))
    return {
        "kind": item.settings.kind,
        "questions": len(item.rows),
        "questions_scored": len(rewards),
        "samples_per_question": item.settings.samples,
        "pass_at_1": estimate.pop("mean"),
        "interval": estimate["interval"],
        "standard_error": estimate["standard_error"],
        "sampling_error": estimate["sampling_error"],
        "question_error": estimate["question_error"],
        "mean_tokens": sum(row["tokens"] for row in rows) / len(rows),
        "stop_ratio": sum(row["finish_reason"] == "stop" for row in rows) / len(rows),
        "statuses": {status: statuses[status] for status in ("scored", "invalid", "error")},
        "reasons": dict(sorted(Counter(row["reason"] for row in rows if _needs_a_reason(item, row)).items())),
        "by_question": [[row_id, sum(scored) / len(scored)] for row_id, scored in sorted(rewards.items())],
    } | ({"instructions": accuracies(item.rows, scored_rows)} if item.settings.kind == "instructions" else {})


def _needs_a_reason(item: Questions, row: dict[str, Any]) -> bool:
    """Whether something could not be judged: the answer, or one of its two games. (A wrong answer has a reason too.)"""
    return row["status"] != "scored" or (item.settings.kind == "arena" and row["reason"] is not None)


def _refuse(item: Questions, blank: set[str], rows: list[dict[str, Any]]) -> None:
    reasons = dict(Counter(row["reason"] for row in rows))
    fact = (
        f"{item.name}: none of the samples of {len(blank)} of {len(item.rows)} questions could be judged "
        f"(first: {min(blank)}; reasons: {reasons}). Nothing was counted as wrong"
    )
    if all(row["status"] == "invalid" for row in rows):
        raise DataError(f"{fact}; the questions themselves are at fault: data/benchmarks/{item.name}.parquet.")
    raise InfrastructureError(f"{fact}; run the same command again.")


def write_generations(path: Path, graded: list[dict[str, Any]]) -> None:
    write_table(path, pa.Table.from_pylist(graded, schema=GENERATION))
