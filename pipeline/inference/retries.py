"""Decides which failed calls are tried again, and after how long.

A server that is busy is tried again as soon as it says (`Retry-After`); one that fails, hangs or
breaks the connection, after a pause that doubles; a request that it refuses is not, nor is any
other once the API key, the address or the model is refused. How often a request is tried, and for
how long a server may be silent, is in the configuration (`calls.tries`, `calls.patience`) and is
held by the backend (`backends.openai_server`).
"""

from __future__ import annotations

import email.utils
import random
import re
import time
from collections.abc import Mapping
from typing import Literal, NamedTuple

from pipeline.inference.context_length import Told

FIRST_PAUSE, MAX_PAUSE = 0.5, 10.0  # seconds before the second try, doubled each time up to this
MAX_RETRY_AFTER = 120.0  # seconds; a longer Retry-After is not believed
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
    r"(?:exceed|larger than|too (?:large|big))"
    r"|max bytes per data-uri|image_(?:file_)?too_large",
    re.IGNORECASE,
)
_RETRY_DELAY = re.compile(
    r'"retryDelay"\s*:\s*"([\d.]+)s"|(?:try again|retry) in ([\d.]+) ?s', re.IGNORECASE
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
        return Fault("busy", text, wait or FIRST_PAUSE)
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


def retry_after(headers: Mapping[str, str], body: str = "") -> float:
    """Returns the seconds that a response asks to wait, 0 for none.

    OpenAI's own header counts milliseconds. A date is taken from the server's own clock, where it
    tells the time. Google's RetryInfo stands in the body.
    """
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = str(headers.get(name, ""))
        if re.fullmatch(r"\d+(\.\d+)?", value):
            return min(MAX_RETRY_AFTER, float(value) * unit)
    until = _seconds(str(headers.get("retry-after", "")))
    now = _seconds(str(headers.get("date", ""))) or time.time()
    if until > now:
        return min(MAX_RETRY_AFTER, until - now)
    asked = _RETRY_DELAY.search(body)
    try:
        return min(MAX_RETRY_AFTER, float(asked[1] or asked[2])) if asked else 0.0
    except ValueError:
        return 0.0


def _seconds(date: str) -> float:
    """Returns an HTTP date as seconds since 1970, 0 for none."""
    try:
        return email.utils.parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError):
        return 0.0


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


def pause(fault: Fault, failures: int, longest: float) -> float:
    """Returns the seconds to wait before the next try, with jitter so that calls spread out.

    `failures` is how often this request has failed; `longest` bounds a pause that the server did
    not ask for.
    """
    seconds = fault.retry_after or min(MAX_PAUSE, FIRST_PAUSE * 2 ** max(0, failures - 1), longest)
    return seconds * random.uniform(1.0, 1.2)
