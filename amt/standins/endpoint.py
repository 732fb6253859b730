"""A scripted endpoint: a real HTTP server on loopback that speaks the OpenAI chat protocol.

    with scripted_endpoint(seed=1, log=Path("logs/endpoint.log")) as address:   # http://127.0.0.1:<port>/v1
        POST {address}/chat/completions   {"model": "standin/deepseek-r1", "messages": [...], "seed": 7, "n": 1, ...}

Models play the roles of amt.params.Endpoints: standin/deepseek-r1, standin/o4-mini, standin/clarity-judge,
standin/rewriter, standin/paraphraser, standin/arena-judge. A reply depends on (endpoint seed, model, messages,
request seed, choice) alone. Its `system_fingerprint` is "standin:<fault>" with the fault planted in the first choice,
or "standin:ok"; amt.standins.roles.fault_of gives the same for any request afterwards.

The server is a process of its own and ends with the process that started it, however that ends.
"""

import argparse
import contextlib
import hashlib
import json
import os
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from amt.errors import EndpointError
from amt.standins.roles import ROLES, limited, reply, tokens_of

START_S = 30.0
PARENT_CHECK_S = 0.5
DEFAULT_MAX_TOKENS = 1024


@contextlib.contextmanager
def scripted_endpoint(seed: int, log: Path) -> Iterator[str]:
    """Base URL of a running server, as OpenAI clients take it; it ends with the block.

    Raises:
        EndpointError: it did not start; the message has the end of its log.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    root = str(Path(__file__).parents[2])
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))}
    command = [sys.executable, "-m", "amt.standins.endpoint", "--seed", str(seed), "--parent", str(os.getpid())]
    with log.open("ab") as lines:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=lines, env=environment
        )
    try:
        yield f"http://127.0.0.1:{_announced_port(process, log)}/v1"
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def _announced_port(process: subprocess.Popen, log: Path) -> int:
    ready, _, _ = select.select([process.stdout], [], [], START_S)
    line = process.stdout.readline().strip() if ready else b""
    if not line.isdigit():
        end = log.read_text(errors="replace")[-800:].strip()
        raise EndpointError(f"The scripted endpoint did not start within {START_S:.0f} s ({log}): {end or 'no output'}")
    return int(line)


# --- the server --------------------------------------------------------------------------------------------


class BadRequestError(Exception):
    def __init__(self, message: str, status: int = 400):
        super().__init__(message)
        self.status = status


def answer(body: bytes, seed: int) -> dict[str, Any]:
    """The chat completion for a request body.

    Raises:
        BadRequestError: the body is not a request that this endpoint answers.
    """
    request = _checked(body)
    limit = request.get("max_completion_tokens") or request.get("max_tokens") or DEFAULT_MAX_TOKENS
    messages, model = request["messages"], request["model"]
    replies = [
        limited(reply(seed, model, messages, request.get("seed") or 0, choice), limit)
        for choice in range(request.get("n") or 1)
    ]
    prompt_tokens = sum(len(tokens_of(message["content"])) for message in messages)
    completion_tokens = sum(len(tokens_of(said.text)) for said in replies)
    return {
        "id": "chatcmpl-standin",
        "object": "chat.completion",
        "created": 0,
        "model": model,
        "system_fingerprint": f"standin:{replies[0].fault}",
        "choices": [
            {
                "index": index,
                "message": {"role": "assistant", "content": said.text},
                "finish_reason": "length" if said.cut else "stop",
                "logprobs": None,
            }
            for index, said in enumerate(replies)
        ],
        "usage": {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": completion_tokens,
            "total_tokens": prompt_tokens + completion_tokens,
        },
    }


def _checked(body: bytes) -> dict[str, Any]:
    try:
        request = json.loads(body)
    except ValueError as error:
        raise BadRequestError(f"the body is not JSON: {error}") from None
    if not isinstance(request, dict):
        raise BadRequestError("the body is not a JSON object")
    messages = request.get("messages")
    if not isinstance(messages, list) or not messages:
        raise BadRequestError("messages must be a non-empty list")
    for message in messages:
        said = isinstance(message, dict) and isinstance(message.get("content"), str)
        if not said or message.get("role") not in ("system", "user", "assistant"):
            raise BadRequestError("every message needs a role (system, user, assistant) and content (text)")
    for name in ("n", "max_tokens", "max_completion_tokens"):
        value = request.get(name)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
            raise BadRequestError(f"{name} must be a positive integer (given: {value!r})")
    if not isinstance(request.get("seed") or 0, int):
        raise BadRequestError(f"seed must be an integer (given: {request['seed']!r})")
    if request.get("stream"):
        raise BadRequestError("stream is not supported")
    if request.get("model") not in ROLES:
        raise BadRequestError(f"no model {request.get('model')!r} (there are: {', '.join(ROLES)})", 404)
    return request


class Application:
    """The ASGI application: /v1/chat/completions, /v1/models, and /health with the identity of what answers."""

    def __init__(self, seed: int):
        self.seed = seed
        self.identity = _identity(seed)

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        body = b""
        while scope["method"] == "POST":
            event = await receive()
            body += event.get("body", b"")
            if not event.get("more_body"):
                break
        status, content = self._respond(scope["method"], scope["path"], body)
        payload = json.dumps(content, ensure_ascii=False).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(payload)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": payload})

    def _respond(self, method: str, path: str, body: bytes) -> tuple[int, dict[str, Any]]:
        try:
            match method, path:
                case "POST", "/v1/chat/completions":
                    return 200, answer(body, self.seed)
                case "GET", "/v1/models":
                    models = [{"id": model, "object": "model", "owned_by": "standin"} for model in ROLES]
                    return 200, {"object": "list", "data": models}
                case "GET", "/health":
                    return 200, {"status": "ok", "identity": self.identity}
            raise BadRequestError(f"{method} {path} is not served here", 404)
        except BadRequestError as error:
            return error.status, {"error": {"message": str(error), "type": "invalid_request_error", "code": None}}


def _identity(seed: int) -> str:
    """Of all that decides an answer: the seed, and the source of every module of ours that this process has loaded."""
    ours = __package__.partition(".")[0]
    specs = {spec.name: spec.origin for module in sys.modules.values() if (spec := getattr(module, "__spec__", None))}
    digest = hashlib.blake2b(str(seed).encode(), digest_size=8)
    for name in sorted(name for name in specs if name.partition(".")[0] == ours and specs[name]):
        digest.update(f"\0{name}\0".encode() + Path(specs[name]).read_bytes())
    return digest.hexdigest()


def serve(seed: int, parent: int) -> None:
    """Serve on a free port of loopback, which is printed first, until the parent process is gone."""
    import uvicorn

    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    server = uvicorn.Server(
        uvicorn.Config(
            Application(seed), log_level="warning", access_log=False, lifespan="off", timeout_graceful_shutdown=1
        )
    )

    def end_with_parent() -> None:
        while os.getppid() == parent:
            time.sleep(PARENT_CHECK_S)
        os._exit(0)

    threading.Thread(target=end_with_parent, daemon=True).start()
    print(listener.getsockname()[1], flush=True)
    server.run(sockets=[listener])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m amt.standins.endpoint", description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--parent", type=int, required=True, help="process id whose end ends the server")
    arguments = parser.parse_args()
    serve(arguments.seed, arguments.parent)
