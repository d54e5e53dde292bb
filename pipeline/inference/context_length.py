"""Finds out how many tokens a server reads and writes per request.

It is listed with the model (`GET /v1/models`), if the server is vLLM, SGLang, LM Studio, OpenRouter
or the like; others say it when a request is refused as too long, each in words of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

_FIELDS = ("max_model_len", "context_length", "max_context_length", "context_window", "n_ctx")
_CONTEXT = re.compile(
    r"context (?:length|size|window)(?: is| of| only|[ (:])*(\d+)"  # OpenAI, vLLM, llama.cpp
    r"|(\d+) maximum context length"  # Mistral
    r"|> (\d+) maximum"  # Anthropic
    r"|`max_new_tokens` must be <= (\d+)"  # TGI
    r"|`inputs` must have less than (\d+) tokens"  # TGI
    r"|maximum number of tokens allowed \((\d+)\)"  # Gemini
    r"|maximum model length of (\d+)"  # vLLM, with pictures
    r"|input length should be \[\d+,? ?(\d+)\]",  # DashScope
    re.IGNORECASE,
)
_PROMPT = re.compile(
    r"(\d+) (?:tokens )?(?:in|from) the (?:input )?(?:messages|prompt)|has (\d+) input tokens"
    r"|(?:request|input|inputs|token count) \((\d+)(?: tokens)?\)"
    r"|prompt contains (\d+)(?: input)? tokens"
    r"|prompt is too long: (\d+)|prompt \(length (\d+)\)|Given: (\d+) `inputs`|first (\d+) tokens",
    re.IGNORECASE,
)
_ANSWER = re.compile(r"at most (\d+) (?:completion|output) tokens|between 1 and (\d+)")
_TOO_LONG = re.compile(
    r"context[_ ](?:length|size|window)[_ ]exceeded|exceed_context_size"
    r"|(?:prompt|input)(?: is)? too long|exceeds (?:the )?(?:available |maximum |max )?context"
    r"|input length \d+ exceeds|exceed max message tokens|reduce the length|too many tokens",
    re.IGNORECASE,
)


class Told(NamedTuple):
    """What the refusal of a request says of lengths, in tokens; 0 for what it does not say."""

    context: int = 0  # of prompt and answer together
    prompt: int = 0  # of this request
    answer: int = 0  # the longest


def told(text: str) -> Told | None:
    """Reads the refusal of a request that is too long; None if it is about something else."""
    context, answer = _number(_CONTEXT, text), _number(_ANSWER, text)
    if not (context or _TOO_LONG.search(text) or (answer and "max_" in text)):
        return None
    return Told(context, _number(_PROMPT, text), answer)


def listed(models: Any, name: str) -> int:
    """Returns the context length that a list of models has for the one of this name, 0 for none.

    `models` is the body of a response to `GET /v1/models`.
    """
    data = models.get("data") if isinstance(models, Mapping) else None
    entries = [entry for entry in data if isinstance(entry, Mapping)] if data else []
    # A server with one model answers to any name.
    own = next((entry for entry in entries if entry.get("id") == name or len(entries) == 1), {})
    meta = own.get("meta")
    found = [
        place[field]
        for place in (own, meta if isinstance(meta, Mapping) else {})
        for field in _FIELDS
        if isinstance(place.get(field), int) and place[field] > 0
    ]
    return min(found, default=0)


def _number(pattern: re.Pattern[str], text: str) -> int:
    found = pattern.search(text.replace(",", ""))
    return int(next(filter(None, found.groups()))) if found else 0
