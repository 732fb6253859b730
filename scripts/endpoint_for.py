"""Where the model of a role answers: a stand-in started here, or an address of the placement."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from amt.errors import ParamsError
from amt.params import Recipe
from amt.placement import placement

CACHE_DIR = Path("cache/endpoints")


@contextlib.contextmanager
def endpoint_address(role: str, recipe: Recipe, log: Path | None = None) -> Iterator[str]:
    """Base URL of a role of `endpoints` in params.yaml; a stand-in's server lives as long as the block.

    Raises:
        ParamsError: the model is no stand-in and the placement gives no address.
    """
    if _is_standin(role, recipe):
        from amt.standins.endpoint import scripted_endpoint

        with scripted_endpoint(recipe.seed, log or Path("logs/endpoints") / f"{role}-{os.getpid()}.log") as address:
            yield address
        return
    address = placement().endpoints.get(role)
    if not address:
        model = getattr(recipe.endpoints, role).model
        raise ParamsError(
            f"No address is known for {model}, which plays {role}. Write it into the placement file, named by the "
            f"environment variable AMT_PLACEMENT, under endpoints.{role}: http://host/v1 (an API key goes into "
            f"AMT_{role.upper()}_API_KEY), or set endpoints.{role}.model in params.yaml to a standin/ model."
        )
    yield address


@contextlib.contextmanager
def endpoint_clients(recipe: Recipe, *roles: str) -> Iterator[dict]:
    """{role: amt.endpoints.client.ChatClient}; all stand-ins share one server."""
    from amt.endpoints.client import ChatClient

    where = placement()
    with contextlib.ExitStack() as stack:
        shared: str | None = None
        clients = {}
        for role in roles:
            standin = _is_standin(role, recipe)
            if standin and shared is None:
                shared = stack.enter_context(endpoint_address(role, recipe))
            address = shared if standin else stack.enter_context(endpoint_address(role, recipe))
            clients[role] = ChatClient(
                address,
                getattr(recipe.endpoints, role).model,
                os.environ.get(f"AMT_{role.upper()}_API_KEY"),
                CACHE_DIR,
                where.endpoint_concurrency,
                role=role,
                identity=_standin_identity(address) if standin else "",
                attempts=where.endpoint_attempts,
                timeout_s=where.endpoint_timeout_s,
            )
        yield clients


def _is_standin(role: str, recipe: Recipe) -> bool:
    return getattr(recipe.endpoints, role).model.startswith("standin/")


def _standin_identity(address: str) -> str:
    """A scripted model's answers change with its code and its seed, so the cache must tell them apart."""
    import httpx

    return httpx.get(f"{address.removesuffix('/v1')}/health").raise_for_status().json()["identity"]
