"""Start one vLLM server quickly: `python -m amt.rollout.serve`, called by amt.rollout.server alone.

It is vLLM's own OpenAI server with all its routes; only the way its processes come to life is ours. A build
starts about ten servers, and on two cores vLLM's default start takes 35 to 45 s: it spawns an engine and a
worker process, and each imports torch and vllm again. On a CPU, here,

- the engine is made by fork from the process that has imported everything once (vLLM's CPU platform insists
  on spawn because it binds OpenMP threads through the environment; we bind none);
- engine and worker are one process (one model replica needs no second one to move tensors through);
- nothing is compiled: with torch.compile the first request would wait 3 to 25 s for a C++ compiler;
- scipy and scikit-learn, which only audio models and unused generation modes want, stay unimported;
- the garbage collector sleeps during the imports and never scans what they made.

On a GPU nothing of this applies: processes are spawned and talk as vLLM decides.

The server listens on a Unix socket: no port to race for, and the routes that change weights are reachable
by nobody but the user who started it. Every process of it dies with its parent.
"""

import argparse
import ctypes
import gc
import importlib
import json
import multiprocessing
import os
import signal
import sys
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_UNUSED_ON_CPU = ("scipy", "sklearn")
_CPU_BATCH_TOKENS = 8192
_MODULES_OF_THE_ENGINE = (
    "vllm.model_executor.layers.quantization.online.base",
    "vllm.model_executor.models.qwen2",
    "vllm.v1.engine.async_llm",
    "vllm.v1.engine.core",
    "vllm.v1.executor.uniproc_executor",
    "vllm.v1.worker.cpu_worker",
)


def die_with_parent() -> None:
    """Have the kernel kill this process when the one that started it ends, however it ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def vllm_arguments(args: argparse.Namespace, *, on_cpu: bool) -> list[str]:
    """The command line that vLLM's own server sees."""
    arguments = [
        *("--model", args.model),
        *("--served-model-name", "model"),
        *("--uds", args.socket),
        *("--max-model-len", str(args.max_model_len)),
        *("--max-num-seqs", str(args.sequences)),
        *("--seed", "0"),
        *("--worker-extension-cls", "amt.rollout.worker.LiveWeights"),
        "--disable-uvicorn-access-log",
    ]
    if args.kind == "classify":
        arguments += ["--runner", "pooling", "--convert", "classify", *_as_classifier(args.model)]
    else:
        # Processed: after temperature, the distribution that was sampled from, as the trainer recomputes it.
        arguments += ["--logprobs-mode", "processed_logprobs", "--enable-scale-out"]
    if not on_cpu:
        return [*arguments, "--tensor-parallel-size", str(args.tensor_parallel)]
    return [
        *arguments,
        *("--dtype", "float32"),  # as the trainer
        "--enforce-eager",
        # The samples of a query share the cached blocks of its prompt; of 128 tokens, the default, few are whole.
        *("--block-size", "32"),
        # A seeded request whose prompt is cut in chunks crashes the engine: the CPU's generators know no offset.
        "--no-enable-chunked-prefill",
        *("--max-num-batched-tokens", str(max(_CPU_BATCH_TOKENS, args.max_model_len))),
        *("--distributed-executor-backend", "vllm.v1.executor.uniproc_executor.UniProcExecutor"),
    ]


def _as_classifier(model: str) -> list[str]:
    """A reward model whose own class only adds to the sequence classifier of its family is served as that: vLLM knows
    no LlamaForDecisionTreeRewardModel, and the code that defines it is not run. Weights of another shape do not load.
    """
    config = json.loads((Path(model) / "config.json").read_text())
    (architecture,) = config["architectures"]
    from vllm import ModelRegistry

    if architecture in ModelRegistry.get_supported_archs():
        return []
    family = architecture.partition("For")[0]
    return ["--hf-overrides", json.dumps({"architectures": [f"{family}ForSequenceClassification"]})]


def _import_everything_once() -> None:
    """What the engine would import in its own process, before it is forked off."""
    for module in _MODULES_OF_THE_ENGINE:
        importlib.import_module(module)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m amt.rollout.serve", description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--socket", required=True)
    parser.add_argument("--kind", choices=["generate", "classify"], required=True)
    parser.add_argument("--max-model-len", type=int, required=True)
    parser.add_argument("--sequences", type=int, required=True)
    parser.add_argument("--tensor-parallel", type=int, required=True)
    parser.add_argument("--parent", type=int, required=True, help="process that this server dies with")
    args = parser.parse_args()

    die_with_parent()
    if os.getppid() != args.parent:
        sys.exit(f"process {args.parent}, which asked for this server, is gone")
    os.register_at_fork(after_in_child=die_with_parent)

    gc.disable()
    os.environ["VLLM_SERVER_DEV_MODE"] = "1"  # the routes that update weights
    from vllm.platforms import current_platform

    on_cpu = current_platform.is_cpu()
    if on_cpu:
        os.environ["TORCHDYNAMO_DISABLE"] = "1"
        sys.modules.update(dict.fromkeys(_UNUSED_ON_CPU))
        import vllm.utils.system_utils

        vllm.utils.system_utils.get_mp_context = lambda: multiprocessing.get_context("fork")
    from vllm.entrypoints.launchers.api_server import entry

    if on_cpu:
        _import_everything_once()
    gc.freeze()
    gc.enable()
    sys.argv = ["vllm", *vllm_arguments(args, on_cpu=on_cpu)]
    entry.main()


if __name__ == "__main__":
    main()
