"""Supervised fine-tuning on Megatron-core (paper 4.1).

Invariant: a run that is killed and started again ends with the model of an undisturbed run. The order of
packs, the learning rate and what a step sees depend on the step and the seed alone; weights and optimizer
come from the last state saved under the digest of everything the result depends on.
"""

import itertools
import json
import logging
import math
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from amt.chat import Chat
from amt.errors import DataError, ParamsError
from amt.ledger import Ledger, write_report
from amt.params import Sft
from amt.placement import Placement
from amt.publish import publish_file
from amt.resume import ResumableRun
from amt.rows import read_table
from amt.seeds import seed_for
from amt.sft.build_sft_set import PACK, SAMPLE

log = logging.getLogger(__name__)

OnMetrics = Callable[[int, dict[str, Any]], None]


def learning_rate(position: float, steps: int, *, peak: float, warmup: float) -> float:
    """Warm-up from 0 over the first share `warmup` of the steps, then cosine to 0.

    Args:
        position: in steps, 0 to `steps`. A step trains at the rate of its middle, so the first and the last
            step are not spent at rate 0.
    """
    rising = warmup * steps
    if position < rising:
        return peak * position / rising
    return peak * 0.5 * (1 + math.cos(math.pi * (position - rising) / (steps - rising)))


def plan(packs: int, settings: Sft, seed: int) -> list[list[int]]:
    """Packs of every step: each pack once an epoch, in an order of that epoch's own.

    The packs of an epoch are spread evenly over its steps, none above global_batch, so that no step is a
    small and noisy rest.
    """
    steps = math.ceil(packs / settings.global_batch)
    return [
        [int(pack) for pack in part]
        for epoch in range(settings.epochs)
        for part in np.array_split(
            np.random.default_rng(seed_for(seed, "sft", "epoch", epoch)).permutation(packs), steps
        )
    ]


def checkpoint_steps(steps: int, checkpoints: int) -> list[int]:
    """Steps after which a checkpoint is kept: evenly spaced, the last step among them."""
    return sorted({max(1, round(steps * number / checkpoints)) for number in range(1, checkpoints + 1)})


class PackedSet:
    """The SFT set on disk, a pack at a time."""

    def __init__(self, samples: Path, packs: Path):
        table = read_table(samples, SAMPLE)
        self._tokens: pa.ChunkedArray = table["token_ids"]
        self._masks: pa.ChunkedArray = table["loss_mask"]
        self._names: pa.Table = table.select(["response_id", "source"])
        row_of = {name: row for row, name in enumerate(table["sample_id"].to_pylist())}
        placed = read_table(packs, PACK)
        self._members: list[list[int]] = [[] for _ in range(pa.compute.max(placed["pack"]).as_py() + 1)]
        for pack, name in zip(placed["pack"].to_pylist(), placed["sample_id"].to_pylist(), strict=True):
            if name not in row_of:
                raise DataError(f"{packs} names sample {name}, which {samples} does not have. Rebuild both: sft_set.")
            self._members[pack].append(row_of[name])
        members = sum(map(len, self._members))
        if members != len(row_of):
            raise DataError(f"{packs} places {members} samples, {samples} has {len(row_of)}. Rebuild both: sft_set.")

    def __len__(self) -> int:
        return len(self._members)

    def samples(self, packs: list[int]) -> Iterator[tuple[list[int], list[float]]]:
        """(token ids, loss mask) of every sample of some packs."""
        for pack in packs:
            for row in self._members[pack]:
                yield self._tokens[row].as_py(), [float(bit) for bit in self._masks[row].as_py()]

    @property
    def responses(self) -> int:
        """Different ones: a repeat is none."""
        return pa.compute.count_distinct(self._names["response_id"]).as_py()

    def uses(self, steps: list[list[int]]) -> Iterator[tuple[dict[str, str], list[int]]]:
        """Each response, as a ledger names it, with the steps that train on it or a repeat of it.

        Args:
            steps: packs of every step, from step 1.
        """
        steps_of_pack: list[list[int]] = [[] for _ in self._members]
        for step, packs in enumerate(steps, start=1):
            for pack in packs:
                steps_of_pack[pack].append(step)
        pack_of_row = {row: pack for pack, rows in enumerate(self._members) for row in rows}
        # Repeats of a response stand side by side.
        named = (name for batch in self._names.to_batches(4096) for name in batch.to_pylist())
        for response, group in itertools.groupby(enumerate(named), key=lambda item: item[1]):
            trained = {step for row, _ in group for step in steps_of_pack[pack_of_row[row]]}
            yield {"row_id": response["response_id"], "source": response["source"]}, sorted(trained)


def train(
    *,
    samples: Path,
    packs: Path,
    base: Path,
    model: Path,
    settings: Sft,
    seed: int,
    placement: Placement,
    on_metrics: OnMetrics = lambda step, metrics: None,
    save_every: int = 50,
) -> dict[str, Any]:
    """Train, and write hf/, megatron/, checkpoints/step_*/, metrics.jsonl, ledger.parquet and report.json into `model`.

    Args:
        on_metrics: called with (step, metrics) for every step, from 1 and also for those before a kill. Speed is
            among these metrics only: what is written tells of the result, not of the machine.
        save_every: steps between states to resume from.

    Returns:
        The report; empty on all ranks but the first.
    """
    from amt.megatron.session import Session

    if settings.max_tokens > placement.micro_batch_tokens:
        raise ParamsError(
            f"sft.max_tokens is {settings.max_tokens}, but the trainer takes {placement.micro_batch_tokens} at once. "
            "Raise `micro_batch_tokens` in the file of AMT_PLACEMENT."
        )
    first_rank = os.environ.get("RANK", "0") == "0"
    data = PackedSet(samples, packs)
    steps = plan(len(data), settings, seed)
    keep = checkpoint_steps(len(steps), settings.checkpoints)
    run = ResumableRun.of(
        placement.scratch, "sft", inputs=[samples, packs, base], settings=[settings.model_dump(mode="json"), seed]
    )
    done = run.saved_step()

    with Session.start(
        base,
        learning_rate=settings.learning_rate,
        beta2=settings.adam_beta2,
        weight_decay=settings.weight_decay,
        clip_grad=settings.clip_grad,
        placement=placement,
        seed=seed_for(seed, "sft", "session"),
    ) as session:
        if done:
            session.load(run.state(done))
            log.info("sft: goes on after step %d of %d, from %s", done, len(steps), run.directory)
        if first_rank:
            for metrics in run.rewind(done):
                on_metrics(metrics["step"], metrics)
        clock = Clock(len(steps) - done)
        for step in range(done + 1, len(steps) + 1):
            rate = learning_rate(step - 0.5, len(steps), peak=settings.learning_rate, warmup=settings.warmup)
            metrics = {"step": step, **_update(session, data.samples(steps[step - 1]), rate)}
            seconds = clock.tick(step, len(steps), metrics["loss"])
            if first_rank:
                run.record(metrics)
                on_metrics(step, metrics | {"tokens_per_s": metrics["tokens"] / seconds})
            if step in keep:
                _export(session, run.model / "checkpoints" / f"step_{step:06d}", base)
            if step % save_every == 0 and step < len(steps):
                session.save(run.state(step))
                if first_rank:
                    run.forget_states_but(step)
        _export(session, run.model / "hf", base)
        session.save(run.model / "megatron")

    if not first_rank:
        return {}
    report = _report(run.metrics, data, settings, keep)
    write_report(run.model / "report.json", report)
    book = Ledger("sft")
    for response, trained in data.uses(steps):
        book.use(response, trained)
    book.report(data.responses, data.responses)
    book.write(run.model / "ledger.parquet")
    run.publish(model)
    return report


def _update(session, samples: Iterator[tuple[list[int], list[float]]], rate: float) -> dict[str, Any]:
    """One optimizer step over the samples of one global batch."""
    from amt.megatron.session import Sequence

    sequences = [Sequence(ids, {"trained": mask}) for ids, mask in samples]
    targets = sum(sum(sequence.fields["trained"][1:]) for sequence in sequences)
    result = session.step(sequences, mean_over(targets), rate)
    return {
        "loss": result["loss"],
        "lr": rate,
        "grad_norm": result["grad_norm"],
        "tokens": sum(len(sequence.token_ids) for sequence in sequences),
        "trained_tokens": int(targets),
    }


def mean_over(targets: float):
    """Negative log-likelihood, averaged over the trained target tokens of the whole step."""

    def loss(log_prob_T, fields_T, doc_T):
        return -(log_prob_T * fields_T["trained"]).sum() / targets, {}

    return loss


class Clock:
    """Seconds of each step, and a line of progress every few of them."""

    def __init__(self, steps_left: int, every: float = 5.0):
        self._left, self._every = steps_left, every
        self._began = self._last = self._said = time.monotonic()
        self._ticks = 0

    def tick(self, step: int, steps: int, loss: float) -> float:
        now = time.monotonic()
        seconds, self._last = now - self._last, now
        self._ticks += 1
        if now - self._said >= self._every or step == steps:
            self._said = now
            eta = (now - self._began) / self._ticks * (self._left - self._ticks)
            log.info("sft: step %d/%d, loss %.3f, %.0f s left", step, steps, loss, eta)
        return seconds


def _export(session, directory: Path, base: Path) -> None:
    """Hugging Face export that knows its end of turn: a base model's files often name only the end of a document."""
    session.export_hf(directory)
    if os.environ.get("RANK", "0") != "0":
        return
    end = Chat(base).eos_id
    file = directory / "generation_config.json"
    generation = json.loads(file.read_text()) if file.exists() else {}
    others = generation.get("eos_token_id", [])
    others = others if isinstance(others, list) else [others]
    if end not in others:
        generation["eos_token_id"] = [end, *others]
        with publish_file(file) as temporary:
            temporary.write_text(json.dumps(generation, indent=2) + "\n")


def _report(metrics: Path, data: PackedSet, settings: Sft, checkpoints: list[int]) -> dict[str, Any]:
    lines = [json.loads(line) for line in metrics.read_text().splitlines()]
    last = lines[-max(1, len(lines) // 20) :]
    return {
        "stage": "sft",
        "steps": len(lines),
        "epochs": settings.epochs,
        "packs": len(data),
        "tokens": sum(line["tokens"] for line in lines),
        "trained_tokens": sum(line["trained_tokens"] for line in lines),
        "checkpoints": checkpoints,
        "first_loss": lines[0]["loss"],
        "last_loss": sum(line["loss"] for line in last) / len(last),
    }
