"""Shows text of a source to a person: characters that act on a terminal or a page are escaped."""

from __future__ import annotations

import re
from typing import Any

# Control characters but for tab and line feed, and those that turn the direction of text around.
_ACTING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def escaped(text: str) -> str:
    """Returns a text with control and bidi characters as "\\x1b" or "\\u202e".

    A name could otherwise clear the screen, or end in "gpj.exe" and read as "exe.jpg".
    """
    shown = _ACTING.sub(lambda match: match[0].encode("unicode_escape").decode(), text)
    return type(text)(shown)  # of markup too


def escaped_value(value: Any) -> Any:
    """Returns a value with all texts in it escaped: in lists, and in dicts without their keys."""
    if isinstance(value, str):
        return escaped(value)
    if isinstance(value, dict):
        return {key: escaped_value(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [escaped_value(inner) for inner in value]
    return value
