"""GRPO, strictly on-policy (paper 4.2): Megatron-core trains, vLLM samples, weights go over after every step.

Invariant: every rollout was sampled by the weights that the step then updates, once. The server stamps each
response with its weight version, and the trainer's log-probabilities must agree with the server's.

A step: draw queries, sample a group of responses to each, judge them, journal them, update. What it sees
depends on the step and the seed alone, so a killed run goes on from its last saved state as if nothing had
been; a half-done step is done again as a whole.
"""

import logging
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from amt.chat import Chat
from amt.errors import DataError, InfrastructureError, ParamsError
from amt.grpo.advantage import group_advantages, token_weights
from amt.grpo.plateau import plateaued
from amt.grpo.rollouts import ROLLOUT, Prompt, Rollout, prompts_of, sample_groups, write_journal
from amt.ledger import Ledger, write_report
from amt.params import Grpo, GrpoStage, Sandbox, Score
from amt.placement import Placement
from amt.resume import ResumableRun
from amt.rewards.dispatch import REMARKS, Grader, Judgement, reward_kind
from amt.rewards.reward_model import RewardModel
from amt.rollout.server import VllmServer, context_length
from amt.rows import QUERY, canonical_json, read_rows
from amt.seeds import seed_for

log = logging.getLogger(__name__)

OnMetrics = Callable[[int, dict[str, Any]], None]

LARGEST_GAP = {"cpu": 1e-3, "cuda": 0.1}
"""Mean absolute difference, in nats a token, that trainer and rollout server may have: both compute in
float32 on a CPU, in bfloat16 with different kernels on a GPU. Stale weights show as more."""


_VISIT = pa.schema([ROLLOUT.field(name) for name in ("step", "row_id", "reward", "advantage")])


def queries_of_step(step: int, queries: int, prompts: int, seed: int, stage: int) -> list[int]:
    """Which queries step 1, 2, ... draws: every epoch in an order of its own, none twice in a step.

    What an epoch has left over after its last full step waits for a later epoch.
    """
    prompts = min(prompts, queries)
    epoch, position = divmod(step - 1, queries // prompts)
    order = np.random.default_rng(seed_for(seed, f"grpo_{stage}", "epoch", epoch)).permutation(queries)
    return [int(number) for number in order[position * prompts : (position + 1) * prompts]]


def train(
    *,
    stage: int,
    queries: Path,
    model: Path,
    reward_model: Path | None,
    model_out: Path,
    settings: Grpo,
    system_prompt: str,
    score: Score,
    sandbox: Sandbox,
    seed: int,
    placement: Placement,
    logs: Path,
    on_metrics: OnMetrics = lambda step, metrics: None,
    save_every: int = 2,
) -> dict[str, Any]:
    """Train one stage; write hf/, megatron/, rollouts/step_*.parquet, metrics.jsonl, ledger.parquet and report.json.

    Args:
        stage: 1 or 2.
        model: Hugging Face directory to start from.
        reward_model: Hugging Face directory; None where rules judge every query.
        logs: directory for the servers' output.
        on_metrics: called with (step, metrics) for every step, from 1 and also for those before a kill. Seconds
            are among these metrics only: what is written tells of the result, not of the machine.
        save_every: steps between states to resume from.

    Returns:
        The report.

    Raises:
        InfrastructureError: a server or a grader failed, or the server does not sample from our weights.
    """
    limits: GrpoStage = settings.stage1 if stage == 1 else settings.stage2
    rows = read_rows(queries, QUERY)
    chat = Chat(model)
    prompts = _fitting(prompts_of(rows, chat, system_prompt), context_length(model), limits, queries)
    longest = max(len(prompt.token_ids) for prompt in prompts) + limits.max_response_tokens
    if longest > placement.micro_batch_tokens:
        raise ParamsError(
            f"{queries} has a prompt that makes {longest} tokens with grpo.stage{stage}.max_response_tokens; the "
            f"trainer takes {placement.micro_batch_tokens} at once. Raise `micro_batch_tokens` in the file that "
            "AMT_PLACEMENT names."
        )
    unjudged = [prompt.row["row_id"] for prompt in prompts if reward_kind(prompt.row) == "reward_model"]
    if unjudged and reward_model is None:
        raise DataError(f"{queries}: {len(unjudged)} queries need a reward model, e.g. {unjudged[0]}; none was given.")
    run = ResumableRun.of(
        placement.scratch,
        f"grpo_{stage}",
        inputs=[queries, model, *([reward_model] if reward_model else [])],
        settings=[
            settings.model_dump(mode="json", exclude={"stage2" if stage == 1 else "stage1"}),
            system_prompt,
            score.model_dump(mode="json"),
            sandbox.model_dump(mode="json"),
            seed,
        ],
    )
    done = run.saved_step()
    history = run.rewind(done)
    for metrics in history:
        on_metrics(metrics["step"], metrics)

    with ExitStack() as stack:
        # Both servers start while this process imports torch and builds the model.
        server = stack.enter_context(
            VllmServer(model, max_model_len=longest, log=logs / f"grpo_{stage}.server.log", placement=placement)
        )
        scorer = None
        if unjudged:
            scorer = _reward_model(reward_model, score, stack, logs / f"grpo_{stage}.reward_server.log", placement)
        grader = stack.enter_context(Grader(sandbox, score, placement, scorer))
        session = stack.enter_context(_session(model, settings, limits, placement, seed, stage))
        if done:
            session.load(run.state(done))
            log.info("grpo_%d: goes on after step %d, from %s", stage, done, run.directory)
        server.wait_ready()

        trainer = Trainer(stage, settings, limits, seed, prompts, chat, server, grader, session, run)
        ended = why_ended(history, limits)
        while ended is None:
            metrics, measured = trainer.step(len(history) + 1)
            run.record(metrics)
            history.append(metrics)
            on_metrics(metrics["step"], metrics | measured)
            ended = why_ended(history, limits)
            if len(history) % save_every == 0 and ended is None:
                session.save(run.state(len(history)))
                run.forget_states_but(len(history))
        session.export_hf(run.model / "hf")
        session.save(run.model / "megatron")

    report = _report(stage, history, ended, len(rows) - len(prompts))
    write_report(run.model / "report.json", report)
    fitting = {prompt.row["row_id"] for prompt in prompts}
    write_ledger(run.model / "ledger.parquet", f"grpo_{stage}", rows, fitting, run.journal(0).parent)
    run.publish(model_out)
    return report


@dataclass(frozen=True)
class Trainer:
    """One stage while it runs."""

    stage: int
    settings: Grpo
    limits: GrpoStage
    seed: int
    prompts: list[Prompt]
    chat: Chat
    server: VllmServer
    grader: Grader
    session: Any  # amt.megatron.session.Session, which needs torch to be named
    run: ResumableRun

    def step(self, step: int) -> tuple[dict[str, Any], dict[str, float]]:
        """Hand over, sample, judge, journal, update.

        Returns:
            Its metrics, and what differs from run to run of the same result: the seconds that its parts took, and
            log_prob_gap (the server's log-probabilities depend on which requests it happens to compute together).
        """
        began = time.monotonic()
        if step > 1:
            self._hand_over()
        handed_over = time.monotonic()
        groups, seconds = self._sample(step)
        batch = Batch.of(groups, self.settings, self.limits)
        write_journal(self.run.journal(step), groups, step=step, advantage_PS=batch.advantage_PS)
        sampled = time.monotonic()
        result = _update(self.session, batch, self.settings, self.limits)
        gap = result.pop("log_prob_gap")
        check_on_policy(f"grpo_{self.stage}", step, gap)
        metrics = {"step": step, **batch.metrics(), **result, "learning_rate": self.limits.learning_rate}
        ended = time.monotonic()
        measured = {"log_prob_gap": gap, **seconds}
        measured |= {"handover_s": handed_over - began, "train_s": ended - sampled, "step_s": ended - began}
        log.info(
            "grpo_%d: step %d/%d, reward %.3f, %.0f%% of groups with signal, %.0f tokens, %.1f s",
            *(self.stage, step, self.limits.max_steps, metrics["reward"], 100 * metrics["signal"]),
            *(metrics["response_tokens"], measured["step_s"]),
        )
        return metrics, measured

    def _hand_over(self) -> None:
        """Give the server the trainer's weights."""
        self.session.export_hf(self.run.directory / "weights")
        self.server.load_weights(self.run.directory / "weights")

    def _sample(self, step: int) -> tuple[list[list[Rollout]], dict[str, float]]:
        name = f"grpo_{self.stage}"
        drawn = queries_of_step(step, len(self.prompts), self.settings.prompts, self.seed, self.stage)
        return sample_groups(
            self.server,
            self.grader,
            self.chat,
            [self.prompts[number] for number in drawn],
            samples=self.settings.group_size,
            seed_of=lambda row_id, sample: seed_for(self.seed, name, step, row_id, sample),
            temperature=self.settings.temperature,
            max_tokens=self.limits.max_response_tokens,
            label=f"{name}: step {step}",
        )


def check_on_policy(name: str, step: int, gap: float) -> None:
    """Raise InfrastructureError if the rollout server's log-probabilities are not the trainer's.

    Args:
        gap: mean absolute difference of the two, in nats a token.
    """
    import torch

    if gap > LARGEST_GAP["cuda" if torch.cuda.is_available() else "cpu"]:
        raise InfrastructureError(
            f"{name}: step {step}: the rollout server's log-probabilities differ from the trainer's by {gap:.2g} nats "
            "a token on average: it does not sample from the weights that are trained."
        )


def _session(model: Path, settings: Grpo, limits: GrpoStage, placement: Placement, seed: int, stage: int):
    from amt.megatron.session import Session

    return Session.start(
        model,
        learning_rate=limits.learning_rate,
        beta2=settings.adam_beta2,
        weight_decay=settings.weight_decay,
        clip_grad=settings.clip_grad,
        placement=placement,
        seed=seed_for(seed, f"grpo_{stage}", "session"),
    )


@dataclass(frozen=True)
class Batch:
    """The rollouts of one step with what the update needs of them. P: queries, S: samples of each.

    A group with an invalid judgement (its query cannot be scored at all) stays out of update and denominator.
    """

    groups: list[list[Rollout]]
    reward_PS: np.ndarray
    length_PS: np.ndarray
    overlong_PS: np.ndarray
    valid_P: np.ndarray
    advantage_PS: np.ndarray
    weight_PS: np.ndarray

    @classmethod
    def of(cls, groups: list[list[Rollout]], settings: Grpo, limits: GrpoStage) -> "Batch":
        assert all(len(group) == settings.group_size for group in groups)
        valid_P = np.array([all(rollout.judgement.status == "scored" for rollout in group) for group in groups])
        reward_PS = np.array([[rollout.judgement.reward or 0.0 for rollout in group] for group in groups])
        length_PS = np.array([[len(rollout.generation.token_ids) for rollout in group] for group in groups])
        overlong_PS = length_PS > limits.overlong_tokens
        advantage_PS = np.zeros_like(reward_PS)
        weight_PS = np.zeros_like(reward_PS)
        advantage_PS[valid_P] = group_advantages(
            reward_PS[valid_P],
            overlong_PS[valid_P],
            scale_by_std=settings.scale_by_std,
            overlong_in_group_mean=settings.overlong_in_group_mean,
        )
        weight_PS[valid_P] = token_weights(
            length_PS[valid_P],
            overlong_PS[valid_P],
            loss_denominator=settings.loss_denominator,
            overlong_in_denominator=settings.overlong_in_denominator,
        )
        return cls(groups, reward_PS, length_PS, overlong_PS, valid_P, advantage_PS, weight_PS)

    def metrics(self) -> dict[str, Any]:
        rollouts = [rollout for group in self.groups for rollout in group]
        category_P = np.array([group[0].row["category"] for group in self.groups])
        rewards = {
            f"reward/{category}": float(self.reward_PS[of_category].mean())
            for category in sorted(set(category_P))
            if (of_category := self.valid_P & (category_P == category)).any()
        }
        return {
            "reward": float(self.reward_PS[self.valid_P].mean()) if self.valid_P.any() else 0.0,
            **rewards,
            "signal": float((self.advantage_PS != 0).any(axis=1).mean()),
            "solved": float((self.reward_PS == 1.0).all(axis=1).mean()),
            "invalid": int((~self.valid_P).sum()),
            **_remarks([rollout.judgement for rollout in rollouts]),
            "response_tokens": float(self.length_PS.mean()),
            "overlong": float(self.overlong_PS.mean()),
            "stop_ratio": float(np.mean([rollout.generation.finish_reason == "stop" for rollout in rollouts])),
            "distinct": float(np.mean([_distinct(group) for group in self.groups])),
        }


def _remarks(judgements: list[Judgement]) -> dict[str, float]:
    """Shares of what the reward model judged; nothing where it judged nothing."""
    by_model = [judgement for judgement in judgements if judgement.kind == "reward_model"]
    if not by_model:
        return {}
    return {f"reward_model/{name}": float(np.mean([name in one.remarks for one in by_model])) for name in REMARKS}


def _distinct(group: list[Rollout]) -> float:
    """Share of different responses in a group."""
    return len({tuple(rollout.generation.token_ids) for rollout in group}) / len(group)


def _update(session, batch: Batch, settings: Grpo, limits: GrpoStage) -> dict[str, float]:
    """The one optimizer step. Rollouts without advantage have no gradient and are left out."""
    from amt.grpo.loss import policy_loss
    from amt.megatron.session import Sequence

    sequences = []
    for group, advantage_S, weight_S in zip(batch.groups, batch.advantage_PS, batch.weight_PS, strict=True):
        for rollout, advantage, weight in zip(group, advantage_S.tolist(), weight_S.tolist(), strict=True):
            if advantage == 0:
                continue
            prompt, response = rollout.prompt_ids, rollout.generation.token_ids
            zeros = [0.0] * len(prompt)
            fields = {
                "response": zeros + [1.0] * len(response),
                "advantage": zeros + [advantage] * len(response),
                "weight": zeros + [weight] * len(response),
                "rollout_log_prob": zeros + rollout.generation.log_probs,
            }
            sequences.append(Sequence(prompt + response, fields))
    trained = sum(len(sequence.token_ids) for sequence in sequences)
    if not sequences:
        return {"loss": 0.0, "grad_norm": 0.0, "entropy": 0.0, "log_prob_gap": 0.0, "trained_tokens": 0}
    responses = int(sum(sum(sequence.fields["response"]) for sequence in sequences))
    result = session.step(sequences, policy_loss(settings.clip_ratio, responses), limits.learning_rate)
    names = ("loss", "grad_norm", "entropy", "log_prob_gap")
    return {name: result[name] for name in names} | {"trained_tokens": trained}


def _fitting(prompts: list[Prompt], context: int, limits: GrpoStage, queries: Path) -> list[Prompt]:
    """Those that leave room for a response of full length."""
    room = context - limits.max_response_tokens
    fitting = [prompt for prompt in prompts if len(prompt.token_ids) <= room]
    if not fitting:
        raise DataError(
            f"None of the {len(prompts)} queries of {queries} fits: the model takes {context} tokens, "
            f"max_response_tokens is {limits.max_response_tokens}."
        )
    if len(fitting) < len(prompts):
        log.warning("grpo: %d queries are longer than %d tokens and left out", len(prompts) - len(fitting), room)
    return fitting


def _reward_model(
    directory: Path, score: Score, stack: ExitStack, server_log: Path, placement: Placement
) -> RewardModel:
    """The reward model on a server of its own."""
    context = context_length(directory)
    server = VllmServer(directory, kind="classify", max_model_len=context, log=server_log, placement=placement)
    return RewardModel(stack.enter_context(server), directory, score)


def why_ended(history: list[dict[str, Any]], limits: GrpoStage) -> str | None:
    if len(history) >= limits.max_steps:
        return "max_steps"
    return "plateau" if plateaued([line["reward"] for line in history], limits.plateau) else None


def write_ledger(path: Path, name: str, rows: list[dict[str, Any]], fitting: set[str], journal: Path) -> None:
    """In which steps each query was trained on, with the mean reward of its samples there (null if they had none).

    The journal knows it, also of the steps before a kill. Steps in which no sample of a query had an advantage stand
    apart: the update left it out. Queries that had none in any step are dropped, as are those that were never drawn.

    Args:
        fitting: row_ids of queries that leave room for a response; others are dropped for `too_long`.
        journal: directory of step_*.parquet.
    """
    visits: dict[str, dict[int, list[tuple[float | None, float]]]] = {}
    for file in sorted(journal.glob("step_*.parquet")):
        for line in read_rows(file, _VISIT):
            of_step = visits.setdefault(line["row_id"], {}).setdefault(line["step"], [])
            of_step.append((line["reward"], line["advantage"]))
    book = Ledger(name)
    used = 0
    for row in rows:
        trained, left_out = {}, {}
        for step, samples in visits.get(row["row_id"], {}).items():
            of_kind = trained if any(advantage != 0 for _, advantage in samples) else left_out
            of_kind[step] = _mean([reward for reward, _ in samples])
        apart = {"without_signal": _steps(left_out)} if left_out else {}
        if row["row_id"] not in fitting:
            book.drop(row, "too_long")
        elif trained:
            used += 1
            book.use(row, **_steps(trained), **apart)
        elif left_out:
            book.drop(row, "no_signal", canonical_json(apart))
        else:
            book.drop(row, "not_drawn")
    book.report(len(rows), used)
    book.write(path)


def _steps(mean_reward: dict[int, float | None]) -> dict[str, list]:
    return {"steps": list(mean_reward), "mean_reward": list(mean_reward.values())}


def _mean(rewards: list[float | None]) -> float | None:
    return None if None in rewards else round(sum(rewards) / len(rewards), 4)


def _report(stage: int, history: list[dict[str, Any]], ended: str, left_out: int) -> dict[str, Any]:
    window = history[-max(1, len(history) // 4) :]
    return {
        "stage": f"grpo_{stage}",
        "steps": len(history),
        "ended": ended,
        "queries_too_long": left_out,
        "first_reward": history[0]["reward"],
        "last_reward": history[-1]["reward"],
        "mean_reward_of_last_quarter": sum(line["reward"] for line in window) / len(window),
    }
