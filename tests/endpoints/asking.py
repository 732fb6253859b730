"""Clients and questions of the tests."""

from amt.endpoints.client import ChatClient, ChatRequest
from amt.endpoints.spending import Price

PRICE = Price.per_million(1e6, 1e6)  # a token, one unit of currency
# The messages of request("0") in JSON are 34 bytes, and its answer has 16 tokens at most.
WORST = 50


def client_of(address, cache, **options):
    standard = {"attempts": 4, "timeout_s": 20.0, "backoff_base_s": 0.01, "role": "teacher"}
    return ChatClient(address, "some/model", "secret", cache, 8, **standard | options)


def request(question, seed=1, **changes):
    standard = {"temperature": 0.6, "top_p": 0.95, "max_tokens": 16, "seed": seed, "key": f"row {question}"}
    return ChatRequest(messages=[{"role": "user", "content": question}], **standard | changes)


def name_in(answer):
    if "name" not in answer:
        raise ValueError("expected a name")
    return answer["name"]
