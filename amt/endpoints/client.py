"""Chat with a model behind an OpenAI-compatible address.

Invariant: every request gets exactly one reply, in order, or the call ends with an EndpointError. Answers
received so far are kept (amt.endpoints.answers), so the next call goes on from there. The reply to the few that an
endpoint refuses, or never answers, says so in its finish_reason and has no text (amt.endpoints.asking).
"""

import asyncio
import hashlib
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from amt.endpoints.answers import Answers, ChatReply
from amt.endpoints.asking import BACKOFF_BASE_S, REFUSED, RETRY_AFTER_CAP_S, UNANSWERED, Address, Question, Round
from amt.endpoints.loose_json import first_json
from amt.endpoints.spending import ONE, Terms
from amt.errors import EndpointError
from amt.rows import canonical_json

log = logging.getLogger(__name__)

LARGEST_UNUSABLE_SHARE = 0.5
"""Share of the requests without usable JSON up to which it is these requests that are at fault, not the model."""
ANOTHER_TEMPERATURE = 0.6
"""Of what is asked again that was asked at 0."""

Parsed = TypeVar("Parsed")


@dataclass(frozen=True)
class ChatRequest:
    messages: list[dict[str, str]]
    temperature: float
    top_p: float
    max_tokens: int
    seed: int
    key: str
    """Names the request in errors, e.g. a row id; no part of what decides the answer."""


@dataclass(frozen=True)
class Unusable:
    """Stands for an answer that was no usable JSON in any attempt."""

    fault: str


class ChatClient:
    """One model at one address.

    Args:
        address: base URL, e.g. http://r1.internal/v1; `/chat/completions` is appended.
        api_key: sent as bearer token; None sends none.
        cache_dir: folder of the answers, of all models.
        concurrency: requests in flight to the address, over all processes that use the folder.
        role: the model's part in the recipe (teacher, ...): errors name its keys.
        identity: what else decides the answers under this model's name, e.g. the version of a scripted model.
        attempts: tries of one request before the endpoint counts as down.
        timeout_s: of one try.
        terms: what answers cost, and may cost.
    """

    def __init__(
        self,
        address: str,
        model: str,
        api_key: str | None,
        cache_dir: str | Path,
        concurrency: int,
        *,
        role: str = "model",
        identity: str = "",
        attempts: int = 8,
        timeout_s: float = 600.0,
        backoff_base_s: float = BACKOFF_BASE_S,
        retry_after_cap_s: float = RETRY_AFTER_CAP_S,
        terms: Terms | None = None,
    ):
        self.address = address.rstrip("/")
        self.model = model
        self.role = role
        self.counts: Counter[str] = Counter()
        """Of all calls: cached, answered, unanswered, sent, prompt_tokens, completion_tokens, cost, perhaps (billed
        beyond it), and retries by kind (`retry_...`)."""
        self._unanswered: dict[str, ChatReply] = {}
        """Not asked again by this client."""
        self._cache_dir = Path(cache_dir)
        self._identity = identity
        self._to = Address(
            url=f"{self.address}/chat/completions",
            base=self.address,
            model=model,
            role=role,
            api_key=api_key,
            concurrency=concurrency,
            attempts=attempts,
            timeout_s=timeout_s,
            backoff_base_s=backoff_base_s,
            retry_after_cap_s=retry_after_cap_s,
            terms=terms or Terms(),
        )

    @property
    def prompt_tokens(self) -> int:
        """Of the answers that were paid for."""
        return self.counts["prompt_tokens"]

    @property
    def completion_tokens(self) -> int:
        """Of the answers that were paid for."""
        return self.counts["completion_tokens"]

    @property
    def requests_sent(self) -> int:
        return self.counts["sent"]

    @property
    def answered_from_cache(self) -> int:
        return self.counts["cached"]

    def summary(self) -> dict[str, float]:
        """What is told of all its calls: counts, and the cost in the currency."""
        return {**self.counts, **{name: self.counts[name] / ONE for name in ("cost", "perhaps")}}

    def complete(self, requests: list[ChatRequest]) -> list[ChatReply]:
        """One reply for each request, in order, from those that are kept where it is known.

        Raises:
            EndpointError: the endpoint is down or refuses, or the budget is used up; what was answered until then is
                kept.
        """
        digests = [self.digest(request) for request in requests]
        questions = dict(zip(digests, requests, strict=True))
        with Answers(self._cache_dir) as answers:
            replies = answers.find(questions)
            missing = [
                Question(digest, self._body(request), request.key)
                for digest, request in questions.items()
                if digest not in replies and digest not in self._unanswered
            ]
            self.counts["cached"] += len(replies)
            if missing:
                asked = Round(self._to, answers, self.counts, cached=len(replies))
                replies |= asyncio.run(asked.answers_to(missing))
                self._unanswered |= asked.unanswered
            elif requests:
                log.info("%s %s: all %d questions answered from the cache", self.role, self.model, len(requests))
        # A question that stands twice in a call is asked once, and answered once more by the first.
        self.counts["cached"] += len(requests) - len(questions)
        return [replies.get(digest) or self._unanswered[digest] for digest in digests]

    def complete_json(
        self, requests: list[ChatRequest], parse: Callable[[Any], Parsed], attempts: int = 3
    ) -> list[Parsed | Unusable]:
        """Answers that must be JSON. One that `parse` refuses (ValueError) is asked again with another seed, and
        warmer than temperature 0, which would mostly say the same; not where the endpoint gave no answer.

        What stays unusable is an answer like any other, kept for the next call too: one row must not stop a build.

        Raises:
            EndpointError: most requests, and more than one, have no usable answer after `attempts`. Those answers are
                forgotten, so that the next call asks again.
        """
        parsed: dict[int, Parsed] = {}
        refused: dict[int, Unusable] = {}
        asked = list(range(len(requests)))
        for attempt in range(attempts):
            replies = self.complete([_another(requests[number], attempt) for number in asked])
            again = []
            for number, reply in zip(asked, replies, strict=True):
                if reply.finish_reason in (REFUSED, UNANSWERED):
                    refused[number] = Unusable(f"the endpoint gave no answer ({reply.finish_reason})")
                    continue
                try:
                    parsed[number] = parse(first_json(reply.text))
                except ValueError as error:
                    refused[number] = Unusable(f"{error}; it said {reply.text[:200]!r}")
                    again.append(number)
            asked = again
        waiting = [number for number in refused if number not in parsed]
        if len(waiting) > max(1, LARGEST_UNUSABLE_SHARE * len(requests)):  # one may always be
            self._forget([_another(requests[number], attempt) for number in waiting for attempt in range(attempts)])
            first = waiting[0]
            raise EndpointError(
                f"{self._to.name} gave no usable JSON for {requests[first].key}, in up to {attempts} attempts "
                f"({len(waiting)} of {len(requests)} requests): {refused[first].fault}. "
                f"In params.yaml, choose another endpoints.{self.role}.model or raise endpoints.{self.role}.max_tokens."
            )
        if waiting:
            log.warning("%s: no usable JSON for %d of %d requests", self.role, len(waiting), len(requests))
        return [parsed[number] if number in parsed else refused[number] for number in range(len(requests))]

    def _forget(self, requests: list[ChatRequest]) -> None:
        with Answers(self._cache_dir) as answers:
            answers.forget([self.digest(request) for request in requests])

    def digest(self, request: ChatRequest) -> str:
        """Of everything that decides the answer."""
        decisive = {"identity": self._identity, **self._body(request)}
        return hashlib.blake2b(canonical_json(decisive).encode(), digest_size=16).hexdigest()

    def _body(self, request: ChatRequest) -> dict[str, Any]:
        return {
            "model": self.model,
            "messages": request.messages,
            "temperature": request.temperature,
            "top_p": request.top_p,
            "max_tokens": request.max_tokens,
            "seed": request.seed,
        }


def _another(request: ChatRequest, attempt: int) -> ChatRequest:
    """The request as it is asked for another answer; attempt 0 is the request itself."""
    if attempt == 0:
        return request
    return replace(request, seed=request.seed + attempt, temperature=request.temperature or ANOTHER_TEMPERATURE)
