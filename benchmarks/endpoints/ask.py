"""Ask every question once, and write down what was said: the process that is killed."""

import argparse
import json
import logging
import sys
from pathlib import Path

from amt.endpoints.client import ChatClient, ChatRequest
from amt.publish import publish_file


def requests_for(count: int) -> list[ChatRequest]:
    return [
        ChatRequest([{"role": "user", "content": f"question {number}"}], 0.6, 0.95, 64, number, f"row {number}")
        for number in range(count)
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--address", required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--said", type=Path, required=True)
    parser.add_argument("--queries", type=int, required=True)
    parser.add_argument("--concurrency", type=int, required=True)
    parser.add_argument("--timeout-s", type=float, required=True)
    args = parser.parse_args()
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(message)s")
    client = ChatClient(
        args.address, "some/model", None, args.cache, args.concurrency, role="teacher",
        attempts=12, timeout_s=args.timeout_s, backoff_base_s=0.02,
    )  # fmt: skip
    replies = client.complete(requests_for(args.queries))
    with publish_file(args.said) as temporary:
        temporary.write_text("".join(json.dumps(reply.text) + "\n" for reply in replies))
