"""Ask an endpoint until every question of a call has its answer.

Retried with exponential back-off and full jitter (on top of `Retry-After`): connections refused or cut,
time-outs, 408, 409, 425, 429, 5xx, and bodies that are not a chat completion. A model that takes no max_tokens,
temperature or top_p is asked in its own way. Any other 4xx is our request's fault and fatal at once.

But one row must not stop a build: a question that is refused with 400, 413 or 422, or whose every attempt came to
nothing, stays without an answer as long as others have theirs. Its reply has no text and a finish_reason that is ours.
Nothing of it is stored, so the next run asks again.

Whatever ends a call early (a refusal, an endpoint that is down, the budget, Ctrl-C), no new question goes out, those in
flight may still be answered, for they may be billed, and every answer that comes is stored.
"""

import asyncio
import contextlib
import hashlib
import logging
import math
import random
import signal
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp

from amt.endpoints.answers import Answers, ChatReply, Flight, Taken
from amt.endpoints.completion import (
    NotACompletionError,
    error_message,
    is_json_object,
    read_completion,
    refused_parameter,
)  # fmt: skip
from amt.endpoints.progress import Progress
from amt.endpoints.spending import BudgetError, Charge, Terms, estimated_tokens
from amt.errors import DataError, EndpointError
from amt.rows import canonical_json
from amt.transport import proxy_of, retry_after_s

log = logging.getLogger(__name__)

RETRIED_STATUS = {408, 409, 425, 429}
UNANSWERED, REFUSED = "unanswered", "refused"
"""The finish_reason of what stands for an answer that there is not."""
REFUSED_STATUS = {400, 413, 422}
"""Of what may be one question's fault, as where it is longer than the model's context."""
LARGEST_UNANSWERED_SHARE = 0.05
"""Share of a call's questions up to which those without an answer are at fault themselves; one may always be."""
DEAD_AFTER = 16
"""Questions whose attempts came to nothing, one after the other with no answer between them: the endpoint is down."""
BACKOFF_BASE_S = 0.5
BACKOFF_CAP_S = 30.0
RETRY_AFTER_CAP_S = 300.0
"""Longest pause that an endpoint may ask for: one whose quota is used up for the day asks for hours."""
GRACE_S = 5.0
"""How long questions in flight may still be answered after Ctrl-C or SIGTERM. A second one ends it."""
LOOK_AGAIN_S = 0.2
"""How often to look whether what others ask, or may cost, still stands in our way."""
DEFAULTS = {"temperature": 1.0, "top_p": 1.0}
"""What a model samples with that takes no such parameters, as OpenAI's o-series."""


@dataclass(frozen=True)
class Question:
    digest: str
    body: dict[str, Any]
    """What decides the answer, in the words of OpenAI's protocol."""
    key: str
    """Names it in errors."""


@dataclass(frozen=True)
class Address:
    url: str
    base: str
    model: str
    role: str
    api_key: str | None
    concurrency: int
    attempts: int
    timeout_s: float
    backoff_base_s: float
    retry_after_cap_s: float
    terms: Terms
    refused: set[str] = field(default_factory=set)
    """Parameters that the model turned out not to take."""

    @property
    def name(self) -> str:
        return f"{self.model} at {self.base}"


class _Retry(Exception):
    """The attempt failed in a way that another may not.

    Args:
        kind: connection, cut, time_out, busy, server or malformed.
        after_s: pause that the endpoint asks for.
        usage: tokens that it counted.
        perhaps_billed: it may have computed an answer, and did not say what it counted.
    """

    def __init__(
        self,
        kind: str,
        what: str,
        *,
        after_s: float = 0.0,
        usage: tuple[int, int] | None = None,
        perhaps_billed: bool = True,
    ):
        super().__init__(what)
        self.kind, self.after_s, self.usage = kind, after_s, usage
        self.perhaps_billed = perhaps_billed and usage is None


class _RefusedError(EndpointError):
    """This one question."""


class Round:
    """One call of a client.

    Args:
        counts: of the client, added to.
        cached: questions of the call that needed no asking.
    """

    def __init__(self, to: Address, answers: Answers, counts: Counter[str], cached: int):
        self._to, self._answers, self._counts, self._cached = to, answers, counts, cached
        self._replies: dict[str, ChatReply] = {}
        self.unanswered: dict[str, ChatReply] = {}
        """What stands for the answers that there are not."""
        self._silent = 0
        """Questions whose attempts came to nothing since the last answer."""
        self._running: dict[str, asyncio.Task] = {}
        self._end: BaseException | None = None
        """Why no new question goes out."""
        self._deadline = math.inf
        """Of those in flight."""

    async def answers_to(self, questions: list[Question]) -> dict[str, ChatReply]:
        """{digest: answer} of every question but the unanswered.

        Raises:
            EndpointError: why there is none, or too many are unanswered.
            KeyboardInterrupt, SystemExit: after SIGINT, SIGTERM.
        """
        self._wake, self._ending = asyncio.Event(), asyncio.Event()
        self._waiting = deque(questions)
        self._before = self._counts.copy()
        self._total = self._cached + len(questions)
        self._progress = Progress(f"{self._to.role} {self._to.model}", self._total, self._cached)
        headers = {"Authorization": f"Bearer {self._to.api_key}"} if self._to.api_key else {}
        timeout = aiohttp.ClientTimeout(total=self._to.timeout_s)
        connector = aiohttp.TCPConnector(limit=self._to.concurrency)
        proxy = proxy_of(self._to.url)
        try:
            with self._heeding_signals():
                async with aiohttp.ClientSession(
                    headers=headers, timeout=timeout, connector=connector, proxy=proxy
                ) as session:
                    await self._run(session)
            if self.unanswered and not self._has_answered():
                self._stop(self._why_left)
        finally:
            self._progress.close()
            self._tell()
        if self._end:
            raise self._end
        return self._replies

    # --- who is asked next ------------------------------------------------------------------------------------

    async def _run(self, session: aiohttp.ClientSession) -> None:
        try:
            while True:
                must_wait = not self._end and self._start_some(session)
                if not self._running and (self._end or not self._waiting):
                    break
                pause_s = LOOK_AGAIN_S if must_wait else self._deadline - time.monotonic()
                if pause_s <= 0:
                    break
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), None if pause_s == math.inf else pause_s)
                self._wake.clear()
        finally:
            cut = list(self._running.values())
            for task in cut:
                task.cancel()
            await asyncio.gather(*cut, return_exceptions=True)

    def _start_some(self, session: aiohttp.ClientSession) -> bool:
        """Take as many questions as may be in flight. Returns whether others stand in the way of more."""
        elsewhere = 0
        while len(self._running) < self._to.concurrency and elsewhere < len(self._waiting):
            question = self._waiting.popleft()
            try:
                taken = self._answers.take(self._flight(question), self._to.terms)
            except BudgetError as error:
                self._waiting.appendleft(question)
                self._stop(self._out_of_money(error))
                return False
            except DataError as error:  # no room for more answers; those in flight are billed, and still fit
                self._waiting.appendleft(question)
                self._stop(error)
                return False
            match taken:
                case Taken.OURS:
                    task = asyncio.create_task(self._answer(session, question))
                    self._running[question.digest] = task
                    task.add_done_callback(lambda done, digest=question.digest: self._done(digest, done))
                case Taken.ASKED_ELSEWHERE:
                    self._waiting.append(question)
                    elsewhere += 1
                case ChatReply():  # another process has had it answered
                    self._replies[question.digest] = taken
                    self._counts["cached"] += 1
                    self._show()
                case _:
                    self._waiting.appendleft(question)
                    return True
        return elsewhere > 0

    def _flight(self, question: Question) -> Flight:
        to = self._to
        return Flight(
            question.digest, role=to.role, model=to.model, address=to.base, limit=to.concurrency,
            max_tokens=question.body["max_tokens"], worst=self._worst(question),
        )  # fmt: skip

    def _worst(self, question: Question) -> int:
        return self._to.terms.worst(question.body["messages"], question.body["max_tokens"])

    def _done(self, digest: str, task: asyncio.Task) -> None:
        del self._running[digest]
        self._wake.set()
        if not task.cancelled() and (error := task.exception()):
            self._stop(error)

    def _stop(self, why: BaseException) -> None:
        if self._end is None:
            self._end = why
            if self._running:
                log.info("%s: nothing more is asked; waiting for %d in flight", self._to.role, len(self._running))
        self._ending.set()
        self._wake.set()

    # --- one question -----------------------------------------------------------------------------------------

    async def _answer(self, session: aiohttp.ClientSession, question: Question) -> None:
        try:
            for attempt in range(1, self._to.attempts + 1):
                try:
                    reply, usage = await self._try(session, question)
                except _Retry as failure:
                    if not self._failed(question, failure):
                        self._waiting.append(question)
                        return
                    if attempt == self._to.attempts:
                        self._leave(question, UNANSWERED, self._is_down(question, attempt, failure), failure)
                        return
                    if await self._ends_before_another(question, attempt, failure):
                        return
                else:
                    self._settle(question, reply, usage)
                    return
        except _RefusedError as refusal:
            self._leave(question, REFUSED, refusal)
        except asyncio.CancelledError:  # it was on its way
            self._enter_failure(question, _Retry("cut", "interrupted"))
            raise
        finally:
            if question.digest not in self._replies:
                self._answers.give_back([question.digest])

    def _settle(self, question: Question, reply: ChatReply, usage: tuple[int, int] | None) -> None:
        prompt = "".join(message["content"] for message in question.body["messages"])
        most = question.body["max_tokens"]
        tokens = usage or (estimated_tokens(prompt), min(most, estimated_tokens(reply.text)))
        charge = self._charge(tokens, answers=1, is_estimated=usage is None)
        if usage is None:
            charge = replace(charge, perhaps=max(0, self._worst(question) - charge.cost))
        self._silent = 0
        self._replies[question.digest] = self._answers.settle(question.digest, reply, charge)
        self._counts["answered"] += 1
        self._counts["estimated"] += usage is None
        self._add(charge)
        self._show()

    def _failed(self, question: Question, failure: _Retry) -> bool:
        """Returns whether the question is still ours."""
        self._counts[f"retry_{failure.kind}"] += 1
        return self._enter_failure(question, failure)

    def _enter_failure(self, question: Question, failure: _Retry) -> bool:
        charge = self._charge(
            failure.usage or (0, 0),
            unusable=int(failure.usage is not None),
            cut=int(failure.perhaps_billed),
            perhaps=self._worst(question) if failure.perhaps_billed else 0,
        )
        self._add(charge)
        budget = self._to.terms.budget
        return self._answers.failed(question.digest, charge, budget, is_useless=failure.kind == "malformed")

    def _charge(self, tokens: tuple[int, int], **counted: Any) -> Charge:
        to = self._to
        return Charge(
            role=to.role, model=to.model, price=to.terms.price,
            prompt_tokens=tokens[0], completion_tokens=tokens[1], **counted,
        )  # fmt: skip

    def _add(self, charge: Charge) -> None:
        self._counts["prompt_tokens"] += charge.prompt_tokens
        self._counts["completion_tokens"] += charge.completion_tokens
        self._counts["cost"] += charge.cost
        self._counts["perhaps"] += charge.perhaps

    def _leave(self, question: Question, how: str, error: EndpointError, last: _Retry | None = None) -> None:
        """Without an answer; or end all, where it is not this question's fault.

        Args:
            how: what stands as its finish_reason.
            last: why its last attempt came to nothing, if it was not refused.
        """
        if last and last.kind in ("connection", "busy"):  # whoever asks
            raise error from None
        log.warning("%s", error)
        self.unanswered[question.digest] = ChatReply("", how, 0, 0)
        self._counts["unanswered"] += 1
        self._silent += last is not None
        left = len(self.unanswered)
        self._why_left = EndpointError(
            f"{error} {left} of {self._total} questions have no answer; {LARGEST_UNANSWERED_SHARE:.0%} may have none "
            "where others have theirs."
        )
        is_dead = self._silent >= DEAD_AFTER or (left >= DEAD_AFTER and not self._has_answered())
        if is_dead or left > max(1, LARGEST_UNANSWERED_SHARE * self._total):
            raise self._why_left from None

    def _has_answered(self) -> bool:
        """In any call of the client, now or before."""
        return self._counts["answered"] + self._counts["cached"] > 0

    async def _ends_before_another(self, question: Question, attempt: int, failure: _Retry) -> bool:
        """Pause before the next attempt. Returns whether there must be none."""
        ceiling = min(BACKOFF_CAP_S, self._to.backoff_base_s * 2 ** (attempt - 1))
        # On top of what it asks for: that may be 0 or past, and is the same for all that it refused at once.
        pause_s = min(failure.after_s, self._to.retry_after_cap_s) + random.uniform(0, ceiling)
        log.info("%s: attempt %d failed (%s), next in %.1f s", question.key, attempt, failure, pause_s)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._ending.wait(), pause_s)
        return self._ending.is_set()

    async def _try(
        self, session: aiohttp.ClientSession, question: Question
    ) -> tuple[ChatReply, tuple[int, int] | None]:
        to = self._to
        self._counts["sent"] += 1
        sent = self._sent(question)
        once = {"Idempotency-Key": self._idempotency_key(question, sent)}
        try:
            async with session.post(to.url, json=sent, headers=once) as response:
                body = await response.text()
        except TimeoutError:
            raise _Retry("time_out", f"no answer within {to.timeout_s:.0f} s") from None
        except aiohttp.InvalidURL:
            raise EndpointError(
                f"{to.base!r} is not an address. Mend endpoints.{to.role} in the file that AMT_PLACEMENT names."
            ) from None
        except aiohttp.ClientConnectorError as error:
            raise _Retry("connection", f"{type(error).__name__}: {error}", perhaps_billed=False) from None
        except UnicodeDecodeError as error:
            raise _Retry("malformed", f"{type(error).__name__}: {error}") from None
        except (aiohttp.ClientError, ConnectionError) as error:
            raise _Retry("cut", f"{type(error).__name__}: {error}") from None
        if response.status in RETRIED_STATUS or response.status >= 500:
            wished = response.headers.get("Retry-After")
            after = "" if wished is None else f", Retry-After: {wished}; the longest pause is {to.retry_after_cap_s} s"
            is_server = response.status >= 500
            raise _Retry(
                "server" if is_server else "busy",
                f"{response.status} {response.reason}{after}",
                after_s=retry_after_s(wished),
                perhaps_billed=is_server and not is_json_object(body),
            )
        parameter = refused_parameter(body) if response.status == 400 else None
        if parameter in sent and (parameter == "max_tokens" or sent[parameter] == DEFAULTS.get(parameter)):
            log.info("%s takes no %s", to.name, parameter)
            to.refused.add(parameter)
            return await self._try(session, question)
        if response.status >= 400:
            kind = _RefusedError if response.status in REFUSED_STATUS else EndpointError
            raise kind(
                f"{to.name} refuses {question.key}: {response.status} {response.reason}: {error_message(body)}. "
                f"Keys that decide the request: endpoints.{to.role} in params.yaml, the address in the file that "
                f"AMT_PLACEMENT names, the environment variable AMT_{to.role.upper()}_API_KEY."
            )
        try:
            return read_completion(body)
        except NotACompletionError as error:
            raise _Retry("malformed", str(error), usage=error.usage) from None

    def _idempotency_key(self, question: Question, sent: dict[str, Any]) -> str:
        """An endpoint that honours it bills a question once, though it be asked again after a cut or a kill. It names
        the body: some endpoints refuse a name that comes with another one."""
        digest = hashlib.blake2b(canonical_json(sent).encode(), digest_size=16).hexdigest()
        used_up = self._answers.keys_used_up(question.digest)
        return f"amt-{digest}" + (f"-{used_up}" if used_up else "")

    def _sent(self, question: Question) -> dict[str, Any]:
        """The body in this model's words; what it means, and so its digest, is the same."""
        body = dict(question.body)
        if "max_tokens" in self._to.refused:
            body["max_completion_tokens"] = body.pop("max_tokens")
        for name in self._to.refused & DEFAULTS.keys():
            if body[name] == DEFAULTS[name]:
                del body[name]
        return body

    # --- how it ends ------------------------------------------------------------------------------------------

    def _is_down(self, question: Question, attempts: int, last: _Retry) -> EndpointError:
        role = self._to.role
        return EndpointError(
            f"{self._to.name} did not answer {question.key} in {attempts} attempts; the last: {last}. "
            f"Start it, or name another address under endpoints.{role} in the file that AMT_PLACEMENT names, "
            f"or another model in params.yaml: endpoints.{role}.model. Answers so far are kept."
        )

    def _out_of_money(self, error: BudgetError) -> BudgetError:
        """With what is missing, as far as that can be told."""
        terms = self._to.terms
        rows = [row for row in self._answers.spending() if (row.role, row.model) == (self._to.role, self._to.model)]
        left = len(self._waiting)
        missing = f"{left} questions of this call are open"
        if rows and rows[0].answers and rows[0].cost:
            missing += f" (about {terms.told(rows[0].cost * left // rows[0].answers)} by the mean cost so far)"
        return BudgetError(
            f"{error} {missing}. Raise endpoint_budget in the file that AMT_PLACEMENT names; answers so far are kept, "
            "and the same command goes on from there."
        )

    @contextlib.contextmanager
    def _heeding_signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        loop = asyncio.get_running_loop()
        ends = {signal.SIGINT: KeyboardInterrupt(), signal.SIGTERM: SystemExit(128 + signal.SIGTERM)}
        before = {number: signal.getsignal(number) for number in ends}
        for number, end in ends.items():
            loop.add_signal_handler(number, self._interrupt, end)
        try:
            yield
        finally:
            for number, handler in before.items():
                loop.remove_signal_handler(number)
                signal.signal(number, handler)

    def _interrupt(self, end: BaseException) -> None:
        is_second = isinstance(self._end, KeyboardInterrupt | SystemExit)
        self._deadline = time.monotonic() + (0 if is_second else GRACE_S)
        if not is_second:
            self._end = None
        self._stop(end)

    def _show(self) -> None:
        self._progress.answered(self._retries(), self._cost())

    def _retries(self) -> int:
        return sum(count for name, count in self._since().items() if name.startswith("retry_"))

    def _cost(self) -> str:
        terms = self._to.terms
        if terms.price is None:
            return "cost not known"
        since = self._since()
        return terms.told(since["cost"]) + (
            f" (perhaps {terms.told(since['perhaps'])} more)" if since["perhaps"] else ""
        )

    def _since(self) -> Counter[str]:
        return self._counts - self._before

    def _tell(self) -> None:
        since = self._since()
        kinds = {name.removeprefix("retry_"): count for name, count in since.items() if name.startswith("retry_")}
        told = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
        log.info(
            "%s %s: %d of %d answered, %d of them now; %d tokens in, %d out, %s; retries: %s",
            self._to.role, self._to.model, self._cached + len(self._replies), self._total, since["answered"],
            since["prompt_tokens"], since["completion_tokens"], self._cost(), told or "none",
        )  # fmt: skip
        if since["estimated"]:
            log.warning(
                "%s: %d answers came without a token count; theirs are estimated", self._to.role, since["estimated"]
            )
        if self._end:
            log.warning("%s: %d of %d questions have their answer; it is kept, and the same command goes on from there",
                        self._to.role, self._cached + len(self._replies), self._total)  # fmt: skip
        elif self.unanswered:
            log.warning("%s: %d of %d questions stay without an answer", self._to.role, len(self.unanswered),
                        self._total)  # fmt: skip
