"""The endpoint client under faults and kills, and what it costs beside a bare loop (`make bench-endpoints`).

Exit status 1 if a question has not exactly one answer, one that was stored is asked again, an endpoint that honours
Idempotency-Key bills one twice, or one that ignores it delivers more twice than were on their way at the kills, or
bills more twice than the client says were perhaps billed.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import aiohttp

from amt.endpoints.client import ChatClient
from benchmarks.endpoints.ask import requests_for
from benchmarks.endpoints.trial import Outcome, endpoint, trial

SHARE = 0.2
KILLS = 2
ROUNDS = 5


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--queries", type=int, default=5000)
    parser.add_argument("--concurrency", type=int, default=64)
    args = parser.parse_args()
    failed, paid_twice = False, {}
    with tempfile.TemporaryDirectory(prefix="amt-endpoints-") as name:
        for honours_keys in (False, True):
            (folder := Path(name) / f"keys-{honours_keys}").mkdir()
            outcome = trial(
                folder, queries=args.queries, share=SHARE, kills=KILLS,
                concurrency=args.concurrency, honours_keys=honours_keys,
            )  # fmt: skip
            failed |= is_wrong(outcome, args.concurrency, honours_keys)
            paid_twice[honours_keys] = outcome.billed_twice
            print(f"keys {'honoured' if honours_keys else 'ignored'}: {dict(outcome.faults)}", flush=True)
            print(
                f"  answered={outcome.answered} lost={outcome.lost} twice={outcome.twice} "
                f"stored_asked={outcome.stored_asked} paid_twice={outcome.billed_twice} "
                f"perhaps_billed={outcome.perhaps_billed} delivered_twice={outcome.delivered_twice} "
                f"seconds={outcome.seconds:.1f}",
                flush=True,
            )
        ratio, rate = overhead(Path(name) / "plain", args.queries // 2, args.concurrency)
    print(
        f"endpoints: queries={outcome.queries} faults={outcome.faults.total()} kills={outcome.kills} "
        f"answered={outcome.answered} lost={outcome.lost} twice={outcome.twice} paid_twice={paid_twice[True]} "
        f"paid_twice_keys_ignored={paid_twice[False]} "
        f"overhead={ratio:.2f} per_s={rate:.0f}"
    )
    return int(failed)


def is_wrong(outcome: Outcome, concurrency: int, honours_keys: bool) -> bool:
    most = 0 if honours_keys else KILLS * concurrency
    again = outcome.billed_twice if honours_keys else outcome.delivered_twice
    is_counted = outcome.billed_twice <= outcome.perhaps_billed
    is_complete = outcome.answered == outcome.queries and outcome.lost == outcome.twice == 0
    return not is_complete or not is_counted or outcome.stored_asked > 0 or again > most


def overhead(folder: Path, queries: int, concurrency: int) -> tuple[float, float]:
    """Seconds of the client over those of a bare loop on the same endpoint without faults, and answers a second.

    In turn, so that a machine whose speed changes is the same for both.
    """
    folder.mkdir()
    ratios, ours = [], []
    with endpoint(folder / "account.jsonl", 0.0, 1, honours_keys=False) as address:
        for turn in range(ROUNDS):
            started = time.monotonic()
            asyncio.run(bare(address, queries, concurrency))
            middle = time.monotonic()
            client = ChatClient(address, "some/model", None, folder / f"cache-{turn}", concurrency)
            client.complete(requests_for(queries))
            ours.append(time.monotonic() - middle)
            ratios.append(ours[-1] / (middle - started))
    return median(ratios), queries / median(ours)


async def bare(address: str, queries: int, concurrency: int) -> None:
    """The same requests without a cache, retries, or an account."""
    waiting = iter(requests_for(queries))

    async def work(session: aiohttp.ClientSession) -> None:
        for request in waiting:
            body = {"model": "some/model", "messages": request.messages, "seed": request.seed, "max_tokens": 64}
            async with session.post(f"{address}/chat/completions", json=body) as response:
                await response.json()

    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(work(session) for _ in range(concurrency)))


if __name__ == "__main__":
    sys.exit(main())
