"""Reads the errors of model servers: what is wrong, and what to do about it.

A server that is busy, fails, hangs or breaks the connection is tried again (`retries`); a request
that it refuses is not, nor is any other once the API key, the address or the model is refused.
Servers say the same in many ways: by status, by code, by words, inside a response with status 200.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import openai

from pipeline.inference import retries
from pipeline.inference.context_length import Told

# Parameters that a server need not accept, and words by which a refusal names them.
_PARAMETERS = {
    "response_format": (
        *("response_format", "response format", "json_schema", "json schema"),
        *("structured output", "guided", "grammar"),
    ),
    "temperature": ("temperature",),
    "max_tokens": ("max_tokens",),
    "stream_options": ("stream_options", "include_usage"),
    "stream": ("'stream'", '"stream"', "streaming", "`stream`"),
    "presence_penalty": ("presence_penalty", "presence penalty"),
    "seed": ("seed",),
    # Templates of some models know no instructions; they then open the question.
    "system": ("system role", "system message", "system prompt", "roles must alternate"),
}
_FILTERED = re.compile(
    r"content[_ ](filter|policy|management)|moderation|responsibleai|safety[_ ](filter|system)",
    re.IGNORECASE,
)
# How servers say that they take fewer pictures per request: vLLM, Groq and Mistral, others.
_FEWER_PICTURES = re.compile(
    r"(?:at most|up to|maximum of|only) (?:\d+|one|a single) (?:image|multimodal|picture)"
    r"|too many images|multiple images (?:are |is )?not",
    re.IGNORECASE,
)
# How servers say that a picture, or the request with it, has too many bytes, pixels or tokens. In
# this order: Anthropic, Azure, Gemini, vLLM, Volcengine and others; DashScope; OpenAI's codes.
_SMALLER_PICTURES = re.compile(
    r"\b(?:image|picture|multimodal file|payload|request body|entity|patches)\b.{0,60}?"
    r"(?:exceed|not .{0,40}larger than|too (?:large|big))"
    r"|max bytes per data-uri|image_(?:file_)?too_large",
    re.IGNORECASE,
)
# What errors without an HTTP status say, and the status that says the same.
_STATUSES = {
    429: r"rate[ _-]?limit|too many (?:requests|concurrent)|overloaded|throttl|\bqps\b|\b[rt]pm\b",
    402: r"insufficient[ _](?:quota|balance|funds|credits?)|arrear|billing",
    401: r"invalid[ _](?:api[ _-]?key|token)|unauthori[sz]ed|authentication|incorrect api key",
    404: r"model[ _](?:.{0,60} )?(?:not[ _]found|does not exist)",
    400: r"invalid[ _-]?(?:request|parameter|argument|input)|bad request|badrequest|unsupported",
}


class Fault(NamedTuple):
    """Why a call failed, and what to do about it."""

    # busy, failed: try again. refused: this request is refused. stop: every request would be.
    kind: Literal["busy", "failed", "refused", "stop"]
    text: str
    retry_after: float = 0.0  # seconds that the server asks for
    parameter: str = ""  # the request's parameter that the server says it does not accept
    told: Told | None = None  # what it says of lengths, where the request is too long
    large: bool = False  # whether the same request with smaller pictures may pass


def of_status(
    status: int, text: str, *, wait: float = 0.0, code: str | None = None, parameter: str = ""
) -> Fault:
    """Classifies an HTTP status other than 2xx of a chat completions server.

    `text` describes the fault, `wait` is its Retry-After in seconds, `code` and `parameter` are
    those of the error's body.
    """
    if status == 401:  # not 403, with which some refuse one request for its content
        return Fault("stop", f"{text} (is the key right?)")
    if status in (404, 405):
        return Fault("stop", f"{text} (are the address and the name of the model right?)")
    if status in (402, 407) or code == "insufficient_quota":
        return Fault("stop", text)
    if status == 413 or (status == 429 and "request too large" in text.lower()):
        return Fault("refused", text)  # the second for any minute, says OpenAI
    if status == 429 or (status == 503 and wait):
        return Fault("busy", text, wait or retries.FIRST_PAUSE)
    if status >= 500 or status in (408, 409, 425):
        return Fault("failed", text, wait)
    return Fault("refused", text, parameter=parameter)


def status_of(code: str, text: str) -> int:
    """Returns the HTTP status of an error that came with status 200: its code if that is one, else
    by what it says; 500 in doubt, which is tried again."""
    if code.isdecimal() and 400 <= int(code) < 600:
        return int(code)
    said = f"{code} {text}"
    found = (status for status, words in _STATUSES.items() if re.search(words, said, re.IGNORECASE))
    return next(found, 500)


def is_refusal(code: str, text: str) -> bool:
    """Returns whether an error is the refusal of one request for its content: by a filter of the
    server or of a service before it."""
    return bool(_FILTERED.search(f"{code} {text}"))


def wants_fewer_pictures(text: str) -> bool:
    """Returns whether an error says that the server takes fewer pictures per request."""
    return bool(_FEWER_PICTURES.search(text))


def wants_smaller_pictures(text: str) -> bool:
    """Returns whether an error says that a picture, or the request with it, is too large."""
    return bool(_SMALLER_PICTURES.search(text))


def named_parameter(fault: Fault, unsupported: frozenset[str]) -> str:
    """Returns the parameter that the server says it does not accept, "" for none that is left."""
    text = (fault.parameter or fault.text).casefold()
    named = [
        name
        for name, words in _PARAMETERS.items()
        if name == text or any(word in text for word in words)
    ]
    return next((name for name in named if name not in unsupported), "")


def message_of(error: openai.APIStatusError) -> str:
    """Returns what the server says is wrong."""
    body: Any = error.body
    if isinstance(body, list) and body and isinstance(body[0], dict):  # Gemini's
        body = body[0].get("error", body[0])
    message = with_cause(body) if isinstance(body, dict) else body
    return str(message or error.response.text)


def with_cause(error: Mapping[str, Any]) -> str:
    """Returns the message of an error, and that of the server behind a gateway (OpenRouter's)."""
    metadata = error.get("metadata")
    cause = metadata.get("raw") if isinstance(metadata, dict) else None
    message = error.get("message") or error.get("detail")
    return " ".join(str(part) for part in (message, cause) if part)


def address_hint(response: Any) -> str:
    """Returns what may be wrong with the address of a server that answered with an error."""
    status, path = response.status_code, "/chat/completions"
    if response.history and status in (401, 403, 404, 405):  # it lost the question, or the key
        address = shown_address(response.url).removesuffix(path)
        return f" (the server redirects to {address}: give that address)"
    if status in (404, 405) and response.url.path == path:
        return " (most addresses end in /v1)"
    return ""


def shown_address(url: Any) -> str:
    """Returns an address without a password or a query, which may be secret."""
    return f"{url.scheme}://{url.netloc.decode()}{url.path}"
