"""Where the model of a role answers: a stand-in started here, or an address of the placement."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from amt import tracking
from amt.errors import ParamsError
from amt.params import Recipe
from amt.placement import Placement, endpoint_cache, placement


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
    """{role: amt.endpoints.client.ChatClient}; all stand-ins share one server. What they cost goes to the MLflow run.

    Raises:
        ParamsError: a model has no address; there is a budget, and a role without a price.
    """
    from amt.endpoints.client import ChatClient

    where = placement()
    terms = {role: _terms(role, recipe, where) for role in roles}
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
                endpoint_cache(),
                where.endpoint_concurrency,
                role=role,
                identity=_standin_identity(address) if standin else "",
                attempts=where.endpoint_attempts,
                timeout_s=where.endpoint_timeout_s,
                terms=terms[role],
            )
        try:
            yield clients
        finally:
            asked = {role: client.summary() for role, client in clients.items() if client.counts}
            tracking.current().log_metrics(0, {"endpoints": asked})


def _terms(role: str, recipe: Recipe, where: Placement):
    from amt.endpoints.spending import FREE, ONE, Price, Terms

    price = where.endpoint_prices.get(role)
    if price is None and where.endpoint_budget is not None and not _is_standin(role, recipe):
        raise ParamsError(
            f"endpoint_budget is {where.endpoint_budget:g} {where.endpoint_currency}, and what "
            f"{getattr(recipe.endpoints, role).model} costs, which plays {role}, is not known. In the file that "
            f"AMT_PLACEMENT names, write its price of a million tokens under endpoint_prices.{role}: "
            "{input: 0.55, output: 2.19}; of a model of your own, {input: 0, output: 0}."
        )
    free = FREE if _is_standin(role, recipe) else None
    return Terms(
        price=Price.per_million(price.input, price.output) if price else free,
        budget=None if where.endpoint_budget is None else round(where.endpoint_budget * ONE),
        currency=where.endpoint_currency,
    )


def _is_standin(role: str, recipe: Recipe) -> bool:
    return getattr(recipe.endpoints, role).model.startswith("standin/")


def _standin_identity(address: str) -> str:
    """A scripted model's answers change with its code and its seed, so the cache must tell them apart."""
    import httpx

    return httpx.get(f"{address.removesuffix('/v1')}/health").raise_for_status().json()["identity"]
