"""Finds texts that repeat the text before them."""

from __future__ import annotations

import difflib

from pipeline.annotation import words

_SIMILAR = 0.92  # share of characters in common: one is the other with a word changed
_MIN_LENGTH = 21  # characters of a text whose similarity says anything


def repeats(text: str, previous: str) -> str:
    """Returns the fault of a text that equals the one before it, or nearly so, "" for none."""
    first, second = words.normalize(text), words.normalize(previous)
    if first and first == second:
        return "the text is the same as the one before"
    if min(len(first), len(second)) < _MIN_LENGTH:
        return ""
    matcher = difflib.SequenceMatcher(None, first, second, autojunk=False)
    if min(matcher.real_quick_ratio(), matcher.quick_ratio()) > _SIMILAR < matcher.ratio():
        return "the text is nearly the same as the one before"
    return ""
