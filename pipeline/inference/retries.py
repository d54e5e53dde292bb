"""Decides after how long a failed call is tried again.

A server that is busy is tried again as soon as it says (`Retry-After`); one that fails, hangs or
breaks the connection, after a pause that doubles. Which calls are tried again `server_errors` says;
how often a request is tried, and for how long a server may be silent, is in the configuration
(`calls.tries`, `calls.patience`) and is held by the backend (`backends.openai_server`).
"""

from __future__ import annotations

import email.utils
import random
import re
import time
from collections.abc import Mapping

FIRST_PAUSE, MAX_PAUSE = 0.5, 10.0  # seconds before the second try, doubled each time up to this
MAX_RETRY_AFTER = 120.0  # seconds; a longer Retry-After is not believed
_RETRY_DELAY = re.compile(
    r'"retryDelay"\s*:\s*"([\d.]+)s"|(?:try again|retry) in ([\d.]+) ?s', re.IGNORECASE
)


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


def pause(asked: float, failures: int, longest: float) -> float:
    """Returns the seconds to wait before the next try, with jitter so that calls spread out.

    `asked` is what the server asks for, 0 for nothing; `failures` is how often this request has
    failed; `longest` bounds a pause that the server did not ask for.
    """
    seconds = asked or min(MAX_PAUSE, FIRST_PAUSE * 2 ** max(0, failures - 1), longest)
    return seconds * random.uniform(1.0, 1.2)
