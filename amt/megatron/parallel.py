"""Process groups: one process by default, torchrun's where it started us."""

import atexit
import os

import torch
import torch.distributed as dist
from megatron.core import parallel_state

from amt.errors import ParamsError
from amt.placement import Placement

_users = 0
"""Sessions that share the process groups of this process; the last one that closes ends them."""


def start(placement: Placement) -> None:
    """Make the process groups that `placement` asks for, or join those of an earlier session.

    Raises:
        ParamsError: the number of processes is no multiple of tensor x pipeline parallelism.
    """
    global _users
    # On a CPU a sum depends on how many threads share it, and cores are no part of a model.
    torch.set_num_threads(placement.threads if torch.cuda.is_available() else 1)
    if _users == 0:
        _start_processes()
        _check_world(placement)
        parallel_state.initialize_model_parallel(placement.tensor_parallel, placement.pipeline_parallel)
    layout = (
        parallel_state.get_tensor_model_parallel_world_size(),
        parallel_state.get_pipeline_model_parallel_world_size(),
    )
    asked = (placement.tensor_parallel, placement.pipeline_parallel)
    assert layout == asked, f"a session with tensor, pipeline parallelism {layout} is open; asked for {asked}"
    _users += 1


def stop() -> None:
    global _users
    _users -= 1
    if _users == 0:
        parallel_state.destroy_model_parallel()
        if not _by_torchrun():
            dist.destroy_process_group()


def _by_torchrun() -> bool:
    return "TORCHELASTIC_RUN_ID" in os.environ


def _start_processes() -> None:
    if dist.is_initialized():
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    else:
        # Gloo looks up the host's name otherwise, which fails on machines without a resolvable one.
        if os.environ.get("LOCAL_WORLD_SIZE", "1") == os.environ.get("WORLD_SIZE", "1"):
            os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    if _by_torchrun():
        # Kept until the process ends: torchrun's store still holds the addresses of a group that was closed,
        # and the next one would wait for them.
        dist.init_process_group(backend)
        atexit.register(dist.destroy_process_group)
    else:
        dist.init_process_group(backend, store=dist.HashStore(), rank=0, world_size=1)


def _check_world(placement: Placement) -> None:
    world, model = dist.get_world_size(), placement.tensor_parallel * placement.pipeline_parallel
    if world % model:
        if not _by_torchrun():
            dist.destroy_process_group()
        raise ParamsError(
            f"{world} process(es), but tensor_parallel {placement.tensor_parallel} x pipeline_parallel "
            f"{placement.pipeline_parallel} need a multiple of {model}.\n"
            "Change the two in the placement file, or the number of processes that torchrun starts."
        )


def is_reporter() -> bool:
    """Whether this rank holds log-probabilities that no other rank holds: one per data-parallel group."""
    return parallel_state.get_tensor_model_parallel_rank() == 0 and parallel_state.is_pipeline_last_stage()


def gather(value: object) -> list:
    """`value` of every rank, on every rank, in rank order."""
    if dist.get_world_size() == 1:
        return [value]
    values = [None] * dist.get_world_size()
    dist.all_gather_object(values, value)
    return values


def barrier() -> None:
    if dist.get_world_size() > 1:
        dist.barrier()
