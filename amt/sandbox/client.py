"""Judges submissions on servers (amt.sandbox.server), spread by load.

Invariant: every submission has exactly one verdict in the result, or ends as an error that says why. A server that is
lost takes nothing with it: what it was asked is asked elsewhere. A verdict is that of a local run, so a server is used
only while it has this client's code, an isolation that the recipe allows, and runs programs.

All of it happens in one event loop, in a thread of its own, that calls of `judge` from any thread share.
"""

import asyncio
import contextlib
import io
import logging
import os
import random
import threading
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import aiohttp
from pydantic import ValidationError

from amt import params
from amt.sandbox.compiling import compilers
from amt.sandbox.judging import Judged, Submission
from amt.sandbox.local import limits_of
from amt.sandbox.wire import Health, MalformedError, code_version, read_judged, request_body
from amt.transport import proxy_of, retry_after_s

log = logging.getLogger(__name__)

ERROR_ATTEMPTS = 3
"""Times that servers may fail to judge a submission before that is its outcome."""
LOST_ATTEMPTS = 10
"""Times that they may be lost while they judge it."""
IN_FLIGHT_PER_WORKER = 2
"""One is judged, one more is at hand when it is done; others may use the server too."""
CHECK_S = 5.0
"""Between two looks at a server that works."""
CHECK_LIMIT_S = 10.0
"""Longest that /health may take, with a probe program on a busy machine."""
SILENT_CHECKS = 3
"""Looks in a row without an answer that tell a machine that is gone from one that is busy."""
BACKOFF_S, BACKOFF_CAP_S = 0.2, 10.0
LONGEST_PAUSE_S = 60.0
"""Most that a full server is left alone for, whatever it asks."""
CONNECT_S = 10.0
TICK_S = 0.25
NOT_ASKED = "it was not asked yet"
NO_TIER = "none"
"""Of what was judged nowhere."""


@dataclass(eq=False)
class _Job:
    submission: Submission
    verdict: "asyncio.Future[Judged]"
    errors: int = 0
    lost: int = 0
    avoid: "_Server | None" = None
    """Where it failed last."""
    is_taken_back: bool = False
    """Its request is cancelled because the server fell silent."""


@dataclass(eq=False)
class _Server:
    address: str
    proxy: str | None
    fault: str | None = NOT_ASKED
    """Why it is not used; None while it is."""
    health: Health | None = None
    paused_until: float = 0.0
    """By the loop's clock: its queue was full."""
    jobs: dict[_Job, asyncio.Task] = field(default_factory=dict)
    """In flight."""
    not_for: dict[str, str] = field(default_factory=dict)
    """Why it is not asked in a language."""
    look: asyncio.Event = field(default_factory=asyncio.Event)
    """Set: look at it now."""

    @property
    def room(self) -> int:
        """Submissions that it may be sent now."""
        workers, queue = self.health.workers, self.health.queue
        return min(IN_FLIGHT_PER_WORKER * workers, workers + queue) - len(self.jobs)

    @property
    def languages(self) -> set[str]:
        return self.health.languages.keys() - self.not_for.keys()

    @property
    def load(self) -> float:
        return len(self.jobs) / self.health.workers


class _Elsewhere(Exception):
    """This server did not judge it.

    Args:
        kind: errors; lost: without an answer, or sent away; busy: no attempt of the submission.
        is_sick: the server is not used until it was looked at again.
        pause_s: the server is not used for so long.
    """

    def __init__(
        self, kind: Literal["errors", "lost", "busy"], fault: str, *, is_sick: bool = True, pause_s: float = 0.0
    ):
        super().__init__(fault)
        self.kind, self.is_sick, self.pause_s = kind, is_sick, pause_s


class SandboxClient:
    """See amt.sandbox.judging.Judge. Usable from many threads.

    Args:
        addresses: base URLs, e.g. http://node-3:8600. AMT_SANDBOX_KEY in the environment is shown to each.
        timeout_s: longest that one server may take for a submission, in its queue and at work.
        down_s: how long submissions wait while no server can be used; then they end as errors.
    """

    def __init__(self, settings: params.Sandbox, addresses: list[str], *, timeout_s: float, down_s: float):
        self.counts: Counter[str] = Counter()
        """Requests: sent, and what became of them: judged, busy (429), lost (no answer, or sent away), errors."""
        self._allow_unprotected, self._limits = settings.allow_unprotected, limits_of(settings)
        self._timeout_s, self._down_s = timeout_s, down_s
        self._servers = [_Server(address.rstrip("/"), proxy_of(address)) for address in addresses]
        self._key = os.environ.get("AMT_SANDBOX_KEY")
        self._queue: deque[_Job] = deque()
        self._jobs: set[_Job] = set()
        """All without a verdict."""
        self._usable_at: dict[str, float] = {}
        """When a language last had a server, by the loop's clock."""
        self._compilers = compilers()
        code_version()  # of the code that runs, whatever happens to its files later
        self._loop = asyncio.new_event_loop()
        self._is_busy = asyncio.Event()
        started = threading.Event()
        self._thread = threading.Thread(target=self._live, args=(started,), name="sandbox-client", daemon=True)
        self._thread.start()
        started.wait()

    def judge(self, submissions: list[Submission]) -> list[Judged]:
        """The verdict on each, in order; an infrastructure error is an outcome."""
        asked = asyncio.run_coroutine_threadsafe(self._judge(submissions), self._loop)
        try:
            return asked.result()
        except BaseException:  # Ctrl-C: servers stop what nobody waits for
            asked.cancel()
            raise

    def close(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._work.cancel)
            self._thread.join()

    # --- the loop ----------------------------------------------------------------------------------------

    def _live(self, started: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        self._work = self._loop.create_task(self._working(started))
        with contextlib.suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._work)
        self._loop.close()

    async def _working(self, started: threading.Event) -> None:
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), headers=headers) as self._session:
            started.set()
            watching = [asyncio.ensure_future(self._watch(server)) for server in self._servers]
            try:
                while True:
                    await self._is_busy.wait()
                    self._give_up()
                    self._dispatch()  # pauses end
                    await asyncio.sleep(TICK_S)
            finally:
                for task in [*watching, *(task for server in self._servers for task in server.jobs.values())]:
                    task.cancel()
                for job in self._jobs:
                    self._finish(job, Judged("error", "The client was closed.", 0, 0.0, NO_TIER))
                await asyncio.gather(*asyncio.all_tasks() - {self._work}, return_exceptions=True)

    async def _judge(self, submissions: list[Submission]) -> list[Judged]:
        jobs = [_Job(submission, self._loop.create_future()) for submission in submissions]
        if not self._jobs:
            self._usable_at.clear()  # nobody looked at the servers since
        self._jobs.update(jobs)
        self._queue.extend(jobs)
        self._is_busy.set()
        self._dispatch()
        try:
            return list(await asyncio.gather(*(job.verdict for job in jobs)))
        except BaseException:  # nobody waits for the others either
            self._withdraw(set(jobs))
            raise
        finally:
            self._jobs.difference_update(jobs)
            if not self._jobs:
                self._is_busy.clear()

    def _withdraw(self, jobs: set[_Job]) -> None:
        self._queue = deque(job for job in self._queue if job not in jobs)
        for server in self._servers:
            for job, task in server.jobs.items():
                if job in jobs:
                    task.cancel()

    # --- who is asked what -------------------------------------------------------------------------------

    def _dispatch(self) -> None:
        """Send what waits, as far as there is room."""
        now = self._loop.time()
        usable = [server for server in self._servers if server.fault is None]
        for server in usable:
            self._usable_at.update(dict.fromkeys(server.languages, now))
        unsent: list[_Job] = []
        while self._queue:
            free = [server for server in usable if server.paused_until <= now and server.room > 0]
            if not free:
                break
            job = self._queue.popleft()
            able = [server for server in usable if job.submission.language in server.languages]
            # Where it failed last is asked only if there is no other, not because the others are busy.
            able = [server for server in able if server is not job.avoid] or able
            if ready := [server for server in able if server in free]:
                server = min(ready, key=lambda server: (server.load, random.random()))
                server.jobs[job] = asyncio.ensure_future(self._send(job, server))
            else:
                unsent.append(job)
        self._queue.extendleft(reversed(unsent))

    def _give_up(self) -> None:
        """End what has waited too long without a server for its language; every server was asked by then."""
        if any(server.fault == NOT_ASKED for server in self._servers):
            return
        now = self._loop.time()
        waiting = {job.submission.language for job in self._queue}
        lost = {language for language in waiting if now - self._usable_at.setdefault(language, now) >= self._down_s}
        if lost:
            for job in self._queue:
                if job.submission.language in lost:
                    self._finish(job, self._no_server(job.submission.language))
            self._queue = deque(job for job in self._queue if not job.verdict.done())

    def _no_server(self, language: str) -> Judged:
        faults = "\n".join(
            f"  {server.address}: {server.fault or server.not_for.get(language, f'it runs no {language}')}"
            for server in self._servers
        )
        told = (
            f"No sandbox server could judge {language} for {self._down_s:g} s:\n{faults}\nStart them (amt sandbox "
            "serve), or change sandbox_servers or sandbox_down_s in the file that AMT_PLACEMENT names."
        )
        return Judged("error", told, 0, 0.0, NO_TIER)

    def _finish(self, job: _Job, judged: Judged) -> None:
        if not job.verdict.done():  # else nobody waits any more
            job.verdict.set_result(judged)

    # --- one submission on one server --------------------------------------------------------------------

    async def _send(self, job: _Job, server: _Server) -> None:
        try:
            self.counts["sent"] += 1
            judged = await self._ask(job.submission, server)
        except _Elsewhere as failed:
            del server.jobs[job]
            self._failed(job, server, failed)
        except asyncio.CancelledError:
            del server.jobs[job]
            if not job.is_taken_back:
                raise
            job.is_taken_back = False
            self._failed(job, server, _Elsewhere("lost", f"{server.address}: {server.fault}"))
        except Exception as error:  # a bug of ours: `judge` raises it
            del server.jobs[job]
            if not job.verdict.done():
                job.verdict.set_exception(error)
        else:
            del server.jobs[job]
            self.counts["judged"] += 1
            self._finish(job, judged)
        self._dispatch()

    async def _ask(self, submission: Submission, server: _Server) -> Judged:
        try:
            asked = request_body(submission, self._limits)
        except TypeError as error:
            return Judged("error", f"The tests cannot be sent: {error}", 0, 0.0, NO_TIER)
        try:
            async with self._session.post(
                f"{server.address}/judge",
                data=io.BytesIO(asked),  # written in pieces: the loop has others to serve
                proxy=server.proxy,
                timeout=aiohttp.ClientTimeout(total=self._timeout_s, sock_connect=CONNECT_S),
            ) as response:
                if response.status == 200:
                    body = await response.read()
                else:  # perhaps before it has our body, whose rest nobody may read
                    body = await response.content.read()
                    response.close()
                return self._read(server, response.status, response.headers, body)
        except aiohttp.ClientError as error:
            raise _Elsewhere("lost", f"{server.address}: {str(error) or type(error).__name__}") from None
        except TimeoutError:
            told = f"{server.address} gave no verdict in {self._timeout_s:g} s (sandbox_timeout_s)"
            raise _Elsewhere("errors", told) from None
        except OSError as error:
            raise _Elsewhere("lost", f"{server.address}: {error}") from None

    def _read(self, server: _Server, status: int, headers: Mapping[str, str], body: bytes) -> Judged:
        told = f"{server.address} said {status}: {body.decode('utf-8', 'replace')[:500]}"
        if status == 200:
            try:
                judged = read_judged(body)
            except MalformedError as error:
                raise _Elsewhere("errors", f"{server.address} gave no judgement: {error}") from None
            if judged.outcome == "error":
                raise _Elsewhere("errors", f"{server.address}: {judged.reason}")
            if fault := self._unprotected(judged.tier):
                raise _Elsewhere("errors", f"{server.address}: {fault}")
            return judged
        if status == 429:
            pause = min(max(BACKOFF_S, retry_after_s(headers.get("Retry-After"))), LONGEST_PAUSE_S)
            raise _Elsewhere("busy", told, is_sick=False, pause_s=pause * random.uniform(1, 1.25))
        if status in (401, 408, 409, 503):  # of another key or code, or stopping
            raise _Elsewhere("lost", told)
        raise _Elsewhere("errors", told, is_sick=status >= 500)

    def _failed(self, job: _Job, server: _Server, failed: _Elsewhere) -> None:
        self.counts[failed.kind] += 1
        job.avoid = server
        job.errors += failed.kind == "errors"
        job.lost += failed.kind == "lost"
        server.paused_until = max(server.paused_until, self._loop.time() + failed.pause_s)
        if failed.is_sick:
            self._lose(server, str(failed))
        if job.errors >= ERROR_ATTEMPTS or job.lost >= LOST_ATTEMPTS:
            told = f"It could not be judged in {job.errors + job.lost} attempts. The last: {failed}"
            self._finish(job, Judged("error", told, 0, 0.0, NO_TIER))
        elif not job.verdict.done():
            self._queue.appendleft(job)

    # --- one server --------------------------------------------------------------------------------------

    def _lose(self, server: _Server, fault: str) -> None:
        if server.fault is None:
            log.warning("sandbox server lost: %s: %s", server.address, fault.removeprefix(f"{server.address}: "))
        server.fault = fault.removeprefix(f"{server.address}: ")
        server.look.set()

    async def _watch(self, server: _Server) -> None:
        """Look whether it works, while there is something to judge."""
        failed = silent = 0
        while True:
            await self._is_busy.wait()
            server.look.clear()
            health, fault, is_silent = await self._look(server)
            silent = silent + 1 if is_silent else 0
            if fault is None:
                if server.fault is not None:
                    log.info("sandbox server %s: %d workers, %s", server.address, health.workers, health.tier)
                server.health, server.fault, failed = health, None, 0
                server.not_for = self._other_compilers(health)
                self._dispatch()
            elif not is_silent or silent >= SILENT_CHECKS or server.fault is not None:
                failed += 1
                self._lose(server, fault)
                if silent >= SILENT_CHECKS:
                    for job, task in server.jobs.items():
                        job.is_taken_back = task.cancel()
            if failed:
                await asyncio.sleep(min(BACKOFF_CAP_S, BACKOFF_S * 2 ** (failed - 1)) * random.uniform(0.75, 1.25))
            else:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(server.look.wait(), CHECK_S)

    async def _look(self, server: _Server) -> tuple[Health | None, str | None, bool]:
        """What it says of itself, why it cannot be used, and whether it says nothing at all."""
        timeout = aiohttp.ClientTimeout(total=CHECK_LIMIT_S)
        try:
            async with self._session.get(f"{server.address}/health", proxy=server.proxy, timeout=timeout) as response:
                body = await response.read()
        except TimeoutError:
            return None, f"no answer in {CHECK_LIMIT_S:g} s", True
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return None, str(error) or type(error).__name__, False
        try:
            health = Health.model_validate_json(body)
        except ValidationError:
            return None, f"no sandbox server: /health said {response.status}, {body[:100]!r}", False
        if health.code != code_version():
            return health, f"it judges by code {health.code}, not {code_version()}: start it from this code", False
        if not health.admits:
            return health, "it wants another key: set AMT_SANDBOX_KEY here to what it has there", False
        return health, health.fault or self._unprotected(health.tier), False

    def _other_compilers(self, health: Health) -> dict[str, str]:
        """Those that would give other verdicts than this machine's. Where it has none there is nothing to compare."""
        own = self._compilers
        return {
            language: f"its compiler of {language} is {version!r}, the one here {own[language]!r}: install the same"
            for language, version in health.languages.items()
            if own.get(language, version) != version
        }

    def _unprotected(self, tier: str) -> str | None:
        if tier.startswith("unprotected") and not self._allow_unprotected:
            return f"its tier is {tier}, and sandbox.allow_unprotected is false in the recipe"
        return None
