"""The sandbox as a service: one request is one submission with all its tests.

Invariant: a server holds no state that a client needs. It may be killed at any moment: its workers end with it, and
whoever asked asks another. Limits of a test decide verdicts, so they come with each submission; the server's own are
upper bounds, and one that asks for more is refused, never judged under less.

    POST /judge     amt.sandbox.wire.request_body -> judged_body; 429 when the queue is full
    GET /health     amt.sandbox.wire.Health; 503 where a probe program does not run
    GET /metrics    Prometheus
"""

import asyncio
import hmac
import logging
import math
import signal
import socket
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import uvicorn
from fastapi import FastAPI, HTTPException, Request, Response
from starlette.requests import ClientDisconnect

from amt.errors import InfrastructureError
from amt.sandbox.compiling import compilers
from amt.sandbox.execution import Execution, Input
from amt.sandbox.judging import Case, Judged, Submission, judge
from amt.sandbox.languages import PYTHON
from amt.sandbox.metrics import Metrics
from amt.sandbox.runner import Runner, Sandbox, SubmissionLimits
from amt.sandbox.wire import Health, MalformedError, code_version, judged_body, read_request

log = logging.getLogger(__name__)

FRESH_S = 10.0
"""How long a submission that was judged shows that programs can be run; after that a probe must."""
UPLOAD_S = 60.0
"""Longest that a body may take to arrive: meanwhile it has a place in the queue."""
LONGEST_PAUSE_S = 30.0
"""Most that Retry-After asks for."""
KEEP_ALIVE_S = 600.0
"""Longer than the clients keep an idle connection, so that none sends into one that is just being closed."""
PROBE = Submission(PYTHON, "print(int(input()) + 1)", (Case(Input("stdin", stdin="41"), "42"),))
PROBE_LIMITS = SubmissionLimits(5.0, 20.0, 256, 10_000, compile_seconds=10.0, compile_memory_mb=1024)


@dataclass(frozen=True)
class Settings:
    workers: int
    queue: int
    """Most submissions that wait."""
    maximum: SubmissionLimits
    """Most that a submission may ask for."""
    body_bytes: int
    """Most bytes of a request."""
    key: str | None
    """Whoever does not show it is refused; None lets everyone in."""


class _Stoppable:
    """A Runner that runs no further test once nobody waits for the verdict."""

    def __init__(self, runner: Runner, nobody_waits: threading.Event):
        self._runner, self._nobody_waits = runner, nobody_waits
        self.tier = runner.tier

    def load(self, language: str, code: str) -> str | None:
        return self._runner.load(language, code)

    def run(self, given: Input) -> Execution:
        if self._nobody_waits.is_set():
            raise InfrastructureError("Nobody waits for this verdict any more.")
        return self._runner.run(given)


class Slots:
    """The workers, and the bounded queue before them. For one event loop."""

    def __init__(self, sandbox: Sandbox, settings: Settings):
        self._sandbox, self._settings = sandbox, settings
        self._languages = compilers()
        self.metrics = Metrics(lambda: self.running, lambda: self.waiting, lambda: sandbox.workers_lost)
        self.running = self.waiting = 0
        self._turns = asyncio.Semaphore(settings.workers)
        self._stopping = asyncio.Event()
        self._probing = asyncio.Lock()
        self._fault: str | None = None
        self._last_good = -math.inf
        self._seconds_each = 1.0
        """Of a submission: a running mean."""

    @property
    def tier(self) -> str:
        return self._sandbox.tier

    def stop(self) -> None:
        """Take no new work and send away what waits; what runs goes on."""
        self._stopping.set()

    @contextmanager
    def place(self) -> Iterator[Callable[[], None]]:
        """A place in the queue, from before the body is read: so many bodies are in memory at most.

        Yields:
            what gives it up early, for a worker.

        Raises:
            HTTPException: 429 the queue is full, 503 the server is stopping.
        """
        if self._stopping.is_set():
            raise HTTPException(503, "This server is stopping.")
        if self.running + self.waiting >= self._settings.workers + self._settings.queue:
            self.metrics.refused("queue_full")
            seconds = self.waiting * self._seconds_each / self._settings.workers
            pause = math.ceil(min(LONGEST_PAUSE_S, seconds))
            told = f"All {self._settings.workers} workers are busy, and {self.waiting} submissions wait."
            raise HTTPException(429, told, {"Retry-After": str(max(1, pause))})
        self.waiting += 1
        with ExitStack() as kept:
            kept.callback(self._leave)
            yield kept.close

    def _leave(self) -> None:
        self.waiting -= 1

    async def judge(
        self,
        submission: Submission,
        limits: SubmissionLimits,
        gone: Awaitable[Any],
        start: Callable[[], None],
    ) -> Judged:
        """The verdict, on the next free worker.

        Args:
            gone: comes when nobody waits for it any more.
            start: called when a worker begins.

        Raises:
            HTTPException: 503 the server is stopping, 499 nobody waits.
        """
        left = asyncio.ensure_future(gone)
        try:
            await self._turn(left)
            return await self._run(submission, limits, left, start)
        finally:
            left.cancel()

    async def _run(
        self, submission: Submission, limits: SubmissionLimits, left: asyncio.Future, start: Callable[[], None]
    ) -> Judged:
        """On the worker whose turn it is."""
        nobody_waits = threading.Event()
        # A slot is free again when its thread is, whatever became of the request.
        judged = asyncio.wrap_future(
            self._sandbox.submit(lambda runner: judge(_Stoppable(runner, nobody_waits), submission), limits)
        )
        self.running += submission is not PROBE  # which takes no place from anyone
        start()
        started = time.monotonic()
        judged.add_done_callback(lambda done: self._ended(done, submission, started, nobody_waits))
        try:
            await asyncio.wait({judged, left}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not judged.done():
                nobody_waits.set()
        if not judged.done():
            raise HTTPException(499, "The client closed the connection.")
        return judged.result()

    async def _turn(self, left: asyncio.Future) -> None:
        turn = asyncio.ensure_future(self._turns.acquire())
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait({turn, left, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if turn.done():
                return
            if left.done():
                raise HTTPException(499, "The client closed the connection.")
            raise HTTPException(503, "This server is stopping.")
        finally:
            turn.cancel()
            stopping.cancel()

    def _ended(
        self, done: asyncio.Future, submission: Submission, started: float, nobody_waits: threading.Event
    ) -> None:
        self.running -= submission is not PROBE
        self._turns.release()
        if nobody_waits.is_set():
            if not done.cancelled():
                done.exception()  # it is told to nobody
            self.metrics.refused("client_gone")
            return
        if error := done.exception():
            self._fault = f"{type(error).__name__}: {error}"
            return
        judged = done.result()
        if submission is not PROBE:
            seconds = time.monotonic() - started
            self._seconds_each += 0.1 * (seconds - self._seconds_each)
            self.metrics.judged(judged, submission.language, seconds)
        if judged.outcome == "error":
            self._fault = judged.reason
            log.warning("a submission could not be judged: %s", judged.reason)
        else:
            self._fault, self._last_good = None, time.monotonic()

    async def health(self, admits: bool) -> Health:
        """With a probe program, unless one was run lately or all workers are busy."""
        async with self._probing:
            is_known = self._fault is None and time.monotonic() - self._last_good < FRESH_S
            if not is_known and not self._turns.locked() and not self._stopping.is_set():
                await self._turns.acquire()  # at once: a probe never waits behind submissions
                judged = await self._run(PROBE, PROBE_LIMITS, asyncio.get_running_loop().create_future(), lambda: None)
                if judged.outcome != "passed":
                    self._fault = f"a probe program {judged.outcome}: {judged.reason}"
        return Health(
            fault="This server is stopping." if self._stopping.is_set() else self._fault,
            admits=admits,
            tier=self.tier,
            languages=self._languages,
            workers=self._settings.workers,
            queue=self._settings.queue,
            running=self.running,
            waiting=self.waiting,
            maximum=self._settings.maximum,
            code=code_version(),
        )


# --- HTTP ------------------------------------------------------------------------------------------------


def app_of(sandbox: Sandbox, settings: Settings) -> FastAPI:
    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        app.state.slots = Slots(sandbox, settings)
        app.state.loop = asyncio.get_running_loop()
        yield

    app = FastAPI(title="amt sandbox", lifespan=life, openapi_url=None)

    @app.post("/judge")
    async def judge_one(request: Request) -> Response:
        slots: Slots = request.app.state.slots
        if not _shows(request, settings.key):
            raise HTTPException(401, "This server wants the key of AMT_SANDBOX_KEY.", {"WWW-Authenticate": "Bearer"})
        with slots.place() as leave:
            body = await _body(request, settings.body_bytes)
            try:
                # Not in this thread: a large body takes a while, and others want to be answered.
                submission, limits, version = await asyncio.to_thread(read_request, body)
            except MalformedError as error:
                slots.metrics.refused("malformed")
                raise HTTPException(422, str(error)) from None
            if version != code_version():
                slots.metrics.refused("other_code")
                raise HTTPException(409, f"This server judges by code {code_version()}, the client by {version}.")
            _check_limits(limits, settings.maximum)
            judged = await slots.judge(submission, limits, _disconnected(request), leave)
        return Response(judged_body(judged), media_type="application/json")

    @app.get("/health")
    async def health(request: Request) -> Response:
        told = await request.app.state.slots.health(_shows(request, settings.key))
        return Response(told.model_dump_json(), 503 if told.fault else 200, media_type="application/json")

    @app.get("/metrics")
    async def metrics(request: Request) -> Response:
        content, media_type = request.app.state.slots.metrics.text()
        return Response(content, media_type=media_type)

    return app


def _shows(request: Request, key: str | None) -> bool:
    shown = request.headers.get("authorization", "")
    return key is None or hmac.compare_digest(shown.encode(), f"Bearer {key}".encode())


async def _body(request: Request, most: int) -> bytes:
    too_large = HTTPException(413, f"The submission is larger than this server takes, {most} bytes (--max-body-mb).")
    if int(request.headers.get("content-length", 0)) > most:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(UPLOAD_S):
            async for part in request.stream():
                body += part
                if len(body) > most:
                    raise too_large
    except ClientDisconnect:
        raise HTTPException(499, "The client closed the connection.") from None
    except TimeoutError:
        raise HTTPException(408, f"The submission took more than {UPLOAD_S:.0f} s to arrive.") from None
    return bytes(body)


def _check_limits(limits: SubmissionLimits, maximum: SubmissionLimits) -> None:
    for name, most in asdict(maximum).items():
        if (asked := getattr(limits, name)) > most:
            option = "--max-" + name.replace("_", "-")
            raise HTTPException(422, f"limits.{name}: {asked} is above this server's maximum, {most} ({option}).")


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


# --- life ------------------------------------------------------------------------------------------------


class _Server(uvicorn.Server):
    def handle_exit(self, sig: int, frame: Any) -> None:
        state = self.config.app.state
        if hasattr(state, "loop"):
            state.loop.call_soon_threadsafe(state.slots.stop)
        super().handle_exit(sig, frame)


def serve(sandbox: Sandbox, settings: Settings, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT: then nothing new, what runs ends, and so does this. A second SIGINT waits for
    nothing. The address is printed when requests are taken.

    Raises:
        OSError: the address cannot be listened at.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.create_server((host, port), family=family, backlog=2048)
    server = _Server(
        uvicorn.Config(
            app_of(sandbox, settings), log_level="warning", access_log=False, timeout_keep_alive=int(KEEP_ALIVE_S)
        )
    )
    # uvicorn has handlers of its own while it runs; at its end it raises the signal again, for these.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: setattr(server, "should_exit", True))
    code_version()  # of the code that runs, whatever happens to its files later
    address = f"http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}"
    print(f"sandbox at {address}: {settings.workers} workers, {sandbox.tier}", flush=True)
    try:
        server.run(sockets=[listening])
    finally:
        sandbox.close()
