"""Copies of benchmark items in other words, which a model writes (endpoints.paraphraser).

Invariant: only the answer part of a whole reply is ever a copy, and only if it says the item in other words. A reply
that was cut, thinks aloud or repeats the item is told as such: looking for it would prove nothing.
"""

from amt.curate.benchmark_items import Item
from amt.curate.copies import Copy
from amt.curate.drawings import without_drawings
from amt.curate.normal_form import normal_form, tokens, words
from amt.endpoints.answers import ChatReply
from amt.endpoints.asking import REFUSED, UNANSWERED
from amt.endpoints.client import ChatClient, ChatRequest
from amt.params import Endpoint
from amt.rewards.answer import answer_part
from amt.seeds import seed_for

ASKED = {
    "paraphrased": """Say the following task in your own words, as another author would: another order of the facts, \
other sentences. Keep every number and what is asked. Answer with the task alone.

Query:
""",
    "translated": """Translate the following task into German. Keep every number and what is asked. Answer with the \
task alone.

Query:
""",
}
RUN_WORDS = 8
LARGEST_SHARE_KEPT = 0.75
"""Share of an item's runs of RUN_WORDS words from which a text repeats the item: of 513 paraphrases by hand 11
have as many, of copies with one word in 30 replaced more than half."""


def write_copies(kind: str, items: list[Item], endpoint: Endpoint, client: ChatClient, seed: int) -> list[Copy]:
    """One of each item, in order.

    Args:
        kind: a key of ASKED.
    """
    requests = [
        ChatRequest(
            messages=[{"role": "user", "content": ASKED[kind] + item.text}],
            temperature=endpoint.temperature,
            top_p=endpoint.top_p,
            max_tokens=endpoint.max_tokens,
            seed=seed_for(seed, "certificate", kind, item.row_id),
            key=f"{item.row_id}/paraphraser/{kind}",
        )
        for item in items
    ]
    return [_copy(item, reply) for item, reply in zip(items, client.complete(requests), strict=True)]


def _copy(item: Item, reply: ChatReply) -> Copy:
    *_, said = reply.text.rpartition("</think>")
    # An endpoint that thinks has its answer in tags; others have none.
    answer = answer_part(f"</think>{said}") if "<answer>" in said else said
    text = (answer or "").strip()
    if reply.finish_reason in (REFUSED, UNANSWERED):
        return Copy(item, text, "no_answer")
    if reply.finish_reason != "stop" or "<think>" in said:
        return Copy(item, text, "cut_off")
    if not text:
        return Copy(item, text, "no_answer")
    return Copy(item, text, "repeats_item" if _repeats(item.text, text) else None)


def _repeats(item: str, text: str) -> bool:
    item, text = without_drawings(item), without_drawings(text)  # which stay as they are in any paraphrase
    runs = _runs(item)
    kept = len(runs & _runs(text)) / len(runs) if runs else 0.0
    return kept >= LARGEST_SHARE_KEPT or normal_form(item) == normal_form(text)


def _runs(text: str) -> set[tuple[str, ...]]:
    found = words(tokens(text))
    return {tuple(found[start : start + RUN_WORDS]) for start in range(len(found) - RUN_WORDS + 1)}
