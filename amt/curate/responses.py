"""Synthetic responses: several of the teacher to every query (paper 2.3).

Invariant: every query has exactly `samples` responses, as the teacher gave them; judging them is the work of
the stages behind. One that it refused, or never gave, has no text, and its finish_reason says so.
"""

import json
from pathlib import Path

from amt.chat import with_system_prompt
from amt.endpoints.client import ChatClient, ChatRequest
from amt.ledger import write_report
from amt.params import Endpoint, Responses
from amt.rows import QUERY, RESPONSE, read_rows, write_rows
from amt.seeds import seed_for


def responses(
    *,
    queries: Path,
    responses: Path,
    report: Path,
    settings: Responses,
    endpoint: Endpoint,
    client: ChatClient,
    seed: int,
) -> None:
    """Write the responses, and counts with the tokens that they have.

    Args:
        client: of the teacher.
        seed: of the recipe.
    """
    rows = read_rows(queries, QUERY)
    asked = [(row, sample) for row in rows for sample in range(settings.samples)]
    requests = [
        ChatRequest(
            messages=with_system_prompt(json.loads(row["messages"]), settings.system_prompt),
            temperature=endpoint.temperature,
            top_p=endpoint.top_p,
            max_tokens=endpoint.max_tokens,
            seed=seed_for(seed, "responses", row["row_id"], sample),
            key=f"{row['row_id']}/{sample}",
        )
        for row, sample in asked
    ]
    replies = client.complete(requests)
    written = [
        {
            "response_id": f"{row['row_id']}/{sample}",
            "row_id": row["row_id"],
            "sample": sample,
            "model": endpoint.model,
            "response": reply.text,
            "finish_reason": reply.finish_reason,
            "tokens": reply.completion_tokens,
        }
        for (row, sample), reply in zip(asked, replies, strict=True)
    ]
    write_rows(responses, written, RESPONSE)
    counts = {
        "stage": "responses",
        "queries": len(rows),
        "responses": len(written),
        "model": endpoint.model,
        "tokens": sum(reply.completion_tokens for reply in replies),
        "truncated": sum(reply.finish_reason == "length" for reply in replies),
    }
    write_report(report, counts)
