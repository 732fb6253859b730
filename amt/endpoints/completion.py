"""What the body of an endpoint's answer says."""

import json
import re
from typing import Any

from amt.endpoints.answers import ChatReply


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

    Reasoning that comes in a field of its own is put into tags.

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
        if not isinstance(text, str):
            raise TypeError("message.content is not text")
        if reasoning:
            text = _joined(reasoning, text)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        said = f"the body is no chat completion ({type(error).__name__}: {error}): {body[:120]!r}"
        raise NotACompletionError(said, usage) from None
    prompt_tokens, completion_tokens = usage or (0, 0)
    return ChatReply(text, finish_reason, prompt_tokens, completion_tokens), usage


def _usage(content: Any) -> tuple[int, int] | None:
    usage = content.get("usage")
    if not isinstance(usage, dict):
        return None
    counted = usage.get("prompt_tokens"), usage.get("completion_tokens") or 0
    return counted if all(isinstance(count, int) and count >= 0 for count in counted) else None


def _joined(reasoning: str, text: str) -> str:
    """Our format; without an answer the reasoning was cut off, and stays open."""
    if not text:
        return f"<think>{reasoning}"
    return f"<think>{reasoning}</think>" + (text if "<answer>" in text else f"<answer>{text}</answer>")


def error_message(body: str) -> str:
    try:
        return str(json.loads(body)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return body[:300]


def refused_parameter(body: str) -> str | None:
    """The parameter that a model does not take, in the words of OpenAI's servers; they name `param` unreliably."""
    found = re.search(r"Unsupported (?:parameter|value): ['\"](\w+)['\"]", error_message(body))
    return found[1] if found else None
