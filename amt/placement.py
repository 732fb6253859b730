"""Where and how fast: never part of what an artifact is made of.

Read from the YAML file that the environment variable AMT_PLACEMENT names; without it, one machine without
a GPU. Snakemake profiles set the variable (cluster/placement.yaml).
"""

import os
import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from amt.errors import ParamsError
from amt.params import Endpoints, Positive, PositiveFloat, read_yaml, validated

Amount = Annotated[float, Field(ge=0)]


class EndpointPrice(BaseModel):
    """Of a million tokens."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    input: Amount
    """Tokens of the prompt."""
    output: Amount
    """Tokens of the answer, with those that it was thought out in."""


class Placement(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    threads: Positive = int(re.match(r"\d*", os.environ.get("OMP_NUM_THREADS", ""))[0] or 1)
    """CPU threads of one process."""
    tensor_parallel: Positive = 1
    pipeline_parallel: Positive = 1
    rollout_tensor_parallel: Positive = 1
    rollout_sequences: Positive = 256
    """Sequences that one vLLM server runs at once."""
    kv_cache_gb: Positive = 1
    """KV cache of a vLLM server on a CPU."""
    micro_batch_tokens: Positive = 4096
    """Tokens of one forward-backward pass of the trainer; a prompt with its response must fit."""
    endpoint_concurrency: Positive = 16
    """Requests in flight to one address, over all jobs that share `endpoint_cache`."""
    endpoint_attempts: Positive = 8
    """Tries of one request, with growing pauses, before the endpoint counts as down."""
    endpoint_timeout_s: PositiveFloat = 600.0
    """Seconds that one try may take."""
    endpoint_prices: dict[str, EndpointPrice] = {}
    """What the tokens of an endpoint role cost, e.g. teacher: {input: 0.55, output: 2.19}."""
    endpoint_budget: Amount | None = None
    """Most that all answers in `endpoint_cache` may cost together; where it ends, so does the build, and a higher one
    goes on from there. Every role that is asked needs a price then."""
    endpoint_currency: Annotated[str, Field(min_length=1)] = "USD"
    """Of prices and budget, as it is printed."""
    endpoint_cache: Annotated[str, Field(min_length=1)] = "cache/endpoints"
    """Folder of the answers. DVC keeps them if it lies in the project."""
    sandbox_workers: Positive = 2
    """Workers of this machine that judge code and math of one job."""
    compile_cache: Annotated[str, Field(min_length=1)] = "~/.cache/amt/compiled"
    """Folder of what the sandbox compiled, at most 2 GiB, for all checkouts of a user; safe to delete."""
    sandbox_servers: list[Annotated[str, Field(pattern=r"^https?://")]] = []
    """Addresses of servers that judge code, e.g. http://node-3:8600 (amt sandbox serve); the key that they want is read
    from the environment variable AMT_SANDBOX_KEY. Without any, workers of this machine do."""
    sandbox_timeout_s: PositiveFloat = 3600.0
    """Seconds that one server may take for a submission with all its tests, before another is asked."""
    sandbox_down_s: PositiveFloat = 300.0
    """Seconds that submissions wait while no server can be used, before they end as infrastructure errors."""
    endpoints: dict[str, str] = {}
    """Address of every endpoint role whose model is not a stand-in, e.g. teacher: http://r1.internal/v1.
    The API key is read from the environment variable AMT_<ROLE>_API_KEY."""
    scratch: Annotated[str, Field(min_length=1)] = "scratch"
    """Resumable state of running jobs; safe to delete when nothing runs."""

    @field_validator("endpoints", "endpoint_prices")
    @classmethod
    def _has_known_roles(cls, given: dict[str, Any]) -> dict[str, Any]:
        if unknown := sorted(given.keys() - Endpoints.model_fields.keys()):
            raise ValueError(f": no such role: {', '.join(unknown)}; there are {', '.join(Endpoints.model_fields)}")
        return given


def placement() -> Placement:
    """
    Raises:
        ParamsError: lists every faulty key with what was given.
    """
    path = os.environ.get("AMT_PLACEMENT")
    if not path:
        return Placement()
    try:
        content = read_yaml(path)
        return validated(Placement, {} if content is None else content, path)
    except ParamsError as error:
        raise ParamsError(f"AMT_PLACEMENT: {error}") from None


def endpoint_cache() -> Path:
    """Folder of the answers of endpoints. Experiments that DVC runs in a copy of the project below .dvc/tmp, which goes
    when they end, use the project's own."""
    return _project() / placement().endpoint_cache


def compile_cache() -> Path:
    """Folder of compiled submissions."""
    return Path(placement().compile_cache).expanduser()


def _project() -> Path:
    here = Path.cwd()
    inside = [folder for folder in here.parents if folder.parts[-3:] == (".dvc", "tmp", "exps")]
    return inside[0].parents[2] if inside else here
