"""An endpoint that fails a share of its requests, and keeps its own account of what it computed and delivered.

Each line of the account is JSON: {"question", "what"}; `what` is

    asked        a request came
    billed       an answer was computed, whatever became of it on its way (cut, late, garbled); an endpoint that honours
                 the header Idempotency-Key computes one answer to a key, and delivers it as often as it is asked
    delivered    a whole answer was handed to the connection
    FAULT        one of FAULTS

    python -m benchmarks.endpoints.server --account account.jsonl --faults 0.2 --seed 1      # prints its port
"""

import argparse
import asyncio
import contextlib
import json
import random
from email.utils import formatdate
from pathlib import Path
from typing import Any

FAULTS = (
    "429",
    "429 with seconds",
    "429 with a date",
    "500",
    "time-out",
    "cut before",
    "cut in the middle",
    "malformed",
)

MALFORMED = b'{"choices": [{"message": {"content": "ha'


class Endpoint:
    """
    Args:
        share: of requests that fail.
        hang_s: how long it is silent where it lets a request time out.
        delay_s: until an answer is there.
    """

    def __init__(self, account: Path, share: float, seed: int, honours_keys: bool, hang_s: float, delay_s: float):
        self._account = account.open("a", buffering=1)
        self._share, self._honours_keys = share, honours_keys
        self._hang_s, self._delay_s = hang_s, delay_s
        self._rng = random.Random(seed)
        self._computed: dict[str, bytes] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while await self._one(reader, writer):
                pass
        writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Returns whether the connection goes on."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        request = json.loads(await reader.readexactly(int(headers["content-length"])))
        question = request["messages"][-1]["content"]
        self._note(question, "asked")
        fault = self._rng.choice(FAULTS) if self._rng.random() < self._share else None
        if fault:
            self._note(question, fault)
        if fault == "cut before":
            return False
        await asyncio.sleep(self._delay_s)
        match fault:
            case "429":
                return await self._send(writer, 429, b"{}")
            case "429 with seconds":
                return await self._send(writer, 429, b"{}", "Retry-After: 0.05")
            case "429 with a date":
                return await self._send(writer, 429, b"{}", f"Retry-After: {formatdate(usegmt=True)}")
            case "500":
                return await self._send(writer, 500, b'{"error": {"message": "out of memory"}}')
        body = self._compute(question, request, headers.get("idempotency-key"))
        if fault == "time-out":
            await asyncio.sleep(self._hang_s)
            return False
        if fault == "cut in the middle":
            writer.write(_head(200, len(body), "") + body[: len(body) // 2])
            await writer.drain()
            return False
        if fault == "malformed":
            return await self._send(writer, 200, MALFORMED)
        await self._send(writer, 200, body)
        self._note(question, "delivered")
        return True

    def _compute(self, question: str, request: dict[str, Any], key: str | None) -> bytes:
        if self._honours_keys and key in self._computed:
            return self._computed[key]
        self._note(question, "billed")
        choice = {"message": {"role": "assistant", "content": answer_to(question)}, "finish_reason": "stop"}
        usage = {"prompt_tokens": len(question), "completion_tokens": request["seed"] % 7}
        self._computed[key] = json.dumps({"choices": [choice], "usage": usage}).encode()
        return self._computed[key]

    async def _send(self, writer: asyncio.StreamWriter, status: int, body: bytes, header: str = "") -> bool:
        writer.write(_head(status, len(body), header) + body)
        await writer.drain()
        return True

    def _note(self, question: str, what: str) -> None:
        self._account.write(json.dumps({"question": question, "what": what}) + "\n")


def _head(status: int, length: int, header: str) -> bytes:
    lines = [f"HTTP/1.1 {status} Said", "Content-Type: application/json", f"Content-Length: {length}", header]
    return "\r\n".join([*filter(None, lines), "", ""]).encode()


def answer_to(question: str) -> str:
    return f"the answer to {question}"


async def main(args: argparse.Namespace) -> None:
    endpoint = Endpoint(args.account, args.faults, args.seed, args.honours_keys, args.hang_s, args.delay_s)
    server = await asyncio.start_server(endpoint.serve, "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--account", type=Path, required=True)
    parser.add_argument("--faults", type=float, required=True, metavar="SHARE")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--honours-keys", action="store_true", help="bill an Idempotency-Key once")
    parser.add_argument("--hang-s", type=float, default=2.0)
    parser.add_argument("--delay-s", type=float, default=0.01)
    asyncio.run(main(parser.parse_args()))
