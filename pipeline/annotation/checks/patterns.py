"""Compiles lists of regular expressions."""

from __future__ import annotations

import re


def any_of(*patterns: str) -> re.Pattern[str]:
    """Compiles several patterns into one that matches any of them.

    Case is ignored; ^ and $ match at the start and end of each line.
    """
    return re.compile("|".join(patterns), re.IGNORECASE | re.MULTILINE)
