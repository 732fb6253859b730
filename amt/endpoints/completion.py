"""What the body of an endpoint's answer says."""

import json
import re
from typing import Any

from amt.endpoints.answers import ChatReply

MOST_TOKENS = 10**7
"""Of one answer. A count beyond that, which no model has, is none."""
LONE_SURROGATE = re.compile("[\ud800-\udfff]")
"""Half of a character, as where a server cuts an escaped one in two: no UTF-8 file can hold it."""


class NotACompletionError(ValueError):
    """
    Args:
        usage: what the endpoint counted, and so bills, nevertheless.
    """

    def __init__(self, what: str, usage: tuple[int, int] | None = None):
        super().__init__(what)
        self.usage = usage


def read_completion(body: str) -> tuple[ChatReply, tuple[int, int] | None]:
    """The first choice of a chat completion, and its tokens (of the prompt, of the completion) if the endpoint counts.

    Reasoning that comes in a field of its own is put into tags, and U+FFFD stands for half a character.

    Raises:
        NotACompletionError: it is none.
    """
    usage = None
    try:
        content = json.loads(body)
        usage = _usage(content)
        choice = content["choices"][0]
        message = choice["message"]
        finish_reason = choice.get("finish_reason") or "stop"
        # vLLM has the first name, DeepSeek and others the second.
        reasoning = message.get("reasoning") or message.get("reasoning_content")
        text = message.get("content")
        if text is None:
            text = message.get("refusal")
        if text is None and (reasoning or finish_reason != "stop"):
            text = ""  # a limit or a filter came before the answer
        for name, value in (("content", text), ("reasoning", reasoning or ""), ("finish_reason", finish_reason)):
            if not isinstance(value, str):
                raise TypeError(f"{name} is not text")
        if reasoning:
            text = _joined(reasoning, text)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        said = f"the body is no chat completion ({type(error).__name__}: {error}): {body[:120]!r}"
        raise NotACompletionError(said, usage) from None
    prompt_tokens, completion_tokens = usage or (0, 0)
    return ChatReply(_whole(text), _whole(finish_reason), prompt_tokens, completion_tokens), usage


def _usage(content: Any) -> tuple[int, int] | None:
    usage = content.get("usage")
    if not isinstance(usage, dict):
        return None
    counted = usage.get("prompt_tokens"), usage.get("completion_tokens") or 0
    return counted if all(isinstance(count, int) and 0 <= count <= MOST_TOKENS for count in counted) else None


def _whole(text: str) -> str:
    return LONE_SURROGATE.sub("\ufffd", text)


def _joined(reasoning: str, text: str) -> str:
    """Our format; without an answer the reasoning was cut off, and stays open."""
    if not text:
        return f"<think>{reasoning}"
    return f"<think>{reasoning}</think>" + (text if "<answer>" in text else f"<answer>{text}</answer>")


def error_message(body: str) -> str:
    try:
        return _whole(str(json.loads(body)["error"]["message"]))
    except (ValueError, KeyError, TypeError, RecursionError):
        return body[:300]


def is_json_object(body: str) -> bool:
    """Whether it can be a server's own words, and not those of a gateway before it, which cannot know what it did."""
    try:
        return isinstance(json.loads(body), dict)
    except (ValueError, RecursionError):
        return False


def refused_parameter(body: str) -> str | None:
    """The parameter that a model does not take, in the words of OpenAI's servers; they name `param` unreliably."""
    found = re.search(r"Unsupported (?:parameter|value): ['\"](\w+)['\"]", error_message(body))
    return found[1] if found else None
