"""SFT on Megatron-core: what it optimises, what it writes, and that a kill leaves no trace in the result."""

import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from amt.chat import Chat
from amt.errors import DataError
from amt.params import Sft
from amt.placement import Placement
from amt.rows import LEDGER, read_rows, write_table
from amt.sft.build_sft_set import PACK, SAMPLE
from amt.sft.train import PackedSet, mean_over, plan, train
from tests.sft.conftest import END_OF_DOCUMENT

SETTINGS = Sft(
    learning_rate=3e-3, epochs=2, global_batch=2, max_tokens=128, warmup=0.1, weight_decay=0.01, adam_beta2=0.95,
    clip_grad=1.0, checkpoints=3,
)  # fmt: skip
SEED = 5


def write_set(directory: Path, base: Path, packs: int) -> dict[str, Path]:
    """Two sums a pack; the trained span is the response."""
    chat = Chat(base)
    rows, places = [], []
    for number in range(2 * packs):
        ids, mask = chat.sample_ids([{"role": "user", "content": f"{number} + {number}?"}], f"It is {2 * number}.")
        name = f"row{number:03}"
        rows.append({
            "sample_id": f"{name}/0#0", "row_id": name, "response_id": f"{name}/0", "source": "sums",
            "category": "math", "repeat": 0, "token_ids": ids, "loss_mask": mask,
        })  # fmt: skip
        places.append({"pack": number // 2, "position": number % 2, "sample_id": f"{name}/0#0"})
    paths = {"samples": directory / "samples.parquet", "packs": directory / "packs.parquet"}
    write_table(paths["samples"], pa.Table.from_pylist(rows, schema=SAMPLE))
    write_table(paths["packs"], pa.Table.from_pylist(places, schema=PACK))
    return paths


def metrics_of(model: Path) -> list[dict]:
    return [json.loads(line) for line in (model / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def undisturbed(untrained, tmp_path_factory):
    """A finished run over 5 packs: 2 epochs of 3 steps."""
    directory = tmp_path_factory.mktemp("undisturbed")
    paths = write_set(directory, untrained, packs=5)
    seen = []
    train(
        **paths,
        base=untrained,
        model=directory / "model",
        settings=SETTINGS,
        seed=SEED,
        placement=Placement(scratch=str(directory / "scratch")),
        on_metrics=lambda step, metrics: seen.append((step, metrics["loss"])),
    )
    return directory, paths, seen


def test_it_writes_model_checkpoints_metrics_and_report_and_nothing_else(undisturbed):
    directory, _, seen = undisturbed
    model = directory / "model"
    assert sorted(path.name for path in model.iterdir()) == [
        "checkpoints",
        "hf",
        "ledger.parquet",
        "megatron",
        "metrics.jsonl",
        "report.json",
    ]
    assert sorted(path.name for path in (model / "checkpoints").iterdir()) == [
        "step_000002",
        "step_000004",
        "step_000006",
    ]
    metrics = metrics_of(model)
    assert [line["step"] for line in metrics] == [1, 2, 3, 4, 5, 6]
    assert seen == [(line["step"], line["loss"]) for line in metrics]
    report = json.loads((model / "report.json").read_text())
    assert (report["steps"], report["packs"], report["checkpoints"]) == (6, 5, [2, 4, 6])
    assert report["tokens"] == sum(line["tokens"] for line in metrics)
    assert not list((directory / "scratch" / "sft").iterdir())


def test_the_ledger_says_in_which_steps_each_response_was_used(undisturbed):
    directory, _, _ = undisturbed
    ledger = read_rows(directory / "model" / "ledger.parquet", LEDGER)
    assert [line["row_id"] for line in ledger] == [f"row{number:03}/0" for number in range(10)]
    assert {(line["stage"], line["source"], line["outcome"]) for line in ledger} == {("sft", "sums", "used")}
    steps = plan(5, SETTINGS, SEED)
    for number, line in enumerate(ledger):
        expected = [step for step, packs in enumerate(steps, start=1) if number // 2 in packs]
        assert len(expected) == SETTINGS.epochs
        assert json.loads(line["detail"]) == {"steps": expected}


def test_a_repeated_response_is_used_in_the_steps_of_all_its_copies(tmp_path):
    cells = {"row_id": "a", "category": "math", "token_ids": [1, 2], "loss_mask": [0, 1]}
    samples = [
        {"sample_id": name, "response_id": name[:3], "source": "s", "repeat": int(name[-1]), **cells}
        for name in ("a/0#0", "a/0#1", "a/1#0")
    ]
    places = [{"pack": pack, "position": 0, "sample_id": sample["sample_id"]} for pack, sample in enumerate(samples)]
    write_table(tmp_path / "samples.parquet", pa.Table.from_pylist(samples, schema=SAMPLE))
    write_table(tmp_path / "packs.parquet", pa.Table.from_pylist(places, schema=PACK))
    data = PackedSet(tmp_path / "samples.parquet", tmp_path / "packs.parquet")
    assert data.responses == 2
    assert list(data.uses([[2], [0], [1, 2]])) == [
        ({"row_id": "a/0", "source": "s"}, [2, 3]),
        ({"row_id": "a/1", "source": "s"}, [1, 3]),
    ]


def test_the_last_checkpoint_is_the_model(undisturbed):
    model = undisturbed[0] / "model"
    last = load_file(model / "checkpoints" / "step_000006" / "model.safetensors")
    final = load_file(model / "hf" / "model.safetensors")
    earlier = load_file(model / "checkpoints" / "step_000004" / "model.safetensors")
    assert last.keys() == final.keys()
    assert all(torch.equal(last[name], final[name]) for name in final)
    assert not all(torch.equal(earlier[name], final[name]) for name in final)


def test_the_export_ends_its_turns_although_the_base_model_ends_documents_only(undisturbed):
    hf = undisturbed[0] / "model" / "hf"
    assert json.loads((hf / "generation_config.json").read_text())["eos_token_id"] == [Chat(hf).eos_id, END_OF_DOCUMENT]


def test_loss_and_learning_rate_of_a_step_are_those_of_transformers(undisturbed):
    """Step 5 sees the model of checkpoint 4; its loss is the mean over the trained tokens of that step."""
    directory, paths, _ = undisturbed
    model = directory / "model"
    data = PackedSet(**paths)
    network = AutoModelForCausalLM.from_pretrained(model / "checkpoints" / "step_000004", dtype=torch.float32)
    losses = []
    for ids, mask in data.samples(plan(5, SETTINGS, SEED)[4]):
        with torch.no_grad():
            log_probs = network(torch.tensor([ids])).logits[0].log_softmax(-1)
        losses += [-log_probs[place - 1, ids[place]].item() for place in range(1, len(ids)) if mask[place]]
    step = metrics_of(model)[4]
    assert step["trained_tokens"] == len(losses)
    assert step["loss"] == pytest.approx(sum(losses) / len(losses), abs=1e-4)
    # warm-up ends at 0.6 of 6 steps; step 5 trains at the rate of its middle, 4.5
    assert step["lr"] == pytest.approx(3e-3 * 0.5 * (1 + math.cos(math.pi * (4.5 - 0.6) / 5.4)))


def test_tokens_outside_the_trained_span_do_not_count():
    log_prob = torch.tensor([-1.0, -2.0, -4.0], requires_grad=True)
    loss, _ = mean_over(4)(log_prob, {"trained": torch.tensor([0.0, 1.0, 1.0])}, None)
    loss.backward()
    assert loss.item() == 1.5
    assert log_prob.grad.tolist() == [0.0, -0.25, -0.25]


def test_a_killed_run_goes_on_and_ends_as_an_undisturbed_one(untrained, undisturbed, tmp_path):
    directory, paths, _ = undisturbed
    script = tmp_path / "run.py"
    script.write_text(f"""
import os, signal, sys
from pathlib import Path
from amt.params import Sft
from amt.placement import Placement
from amt.sft.train import train

def on_metrics(step, metrics):
    if step == int(sys.argv[1]):
        os.kill(os.getpid(), signal.SIGKILL)

if __name__ == "__main__":
    train(samples=Path({str(paths["samples"])!r}), packs=Path({str(paths["packs"])!r}), base=Path({str(untrained)!r}),
          model=Path("model"), settings=Sft(**{SETTINGS.model_dump()!r}), seed={SEED},
          placement=Placement(scratch="scratch"), on_metrics=on_metrics, save_every=2)
""")
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}

    def run(kill_at):
        command = [sys.executable, str(script), str(kill_at)]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    # Killed after step 3 (state of step 2 is saved), again right after step 5, then left alone.
    assert run(3).returncode == run(5).returncode == -signal.SIGKILL
    assert not (tmp_path / "model").exists()
    finished = run(0)
    assert finished.returncode == 0, finished.stderr
    assert metrics_of(tmp_path / "model") == metrics_of(directory / "model")
    for part in ("hf", "checkpoints/step_000002", "checkpoints/step_000004"):
        resumed, whole = (load_file(root / "model" / part / "model.safetensors") for root in (tmp_path, directory))
        assert all(torch.equal(resumed[name], whole[name]) for name in whole)


def test_samples_and_packs_that_do_not_belong_together_are_refused(untrained, tmp_path):
    paths = write_set(tmp_path, untrained, packs=2)
    foreign = pa.Table.from_pylist([{"pack": 0, "position": 0, "sample_id": "other"}], schema=PACK)
    write_table(paths["packs"], foreign)
    with pytest.raises(DataError, match="names sample other"):
        PackedSet(**paths)
    write_table(
        paths["packs"], pa.Table.from_pylist([{"pack": 0, "position": 0, "sample_id": "row000/0#0"}], schema=PACK)
    )
    with pytest.raises(DataError, match=r"places 1 samples, .* has 4"):
        PackedSet(**paths)
