"""Finds texts that repeat the texts before them, or themselves."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from pipeline.annotation import words

_SIMILAR = 0.92  # share of characters in common: one is the other with a word changed
_MIN_WORDS = 12  # of a text that says everything twice; "hop, hop" is half a song
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


def says_twice(text: str) -> str:
    """Returns the fault of a text whose second half equals the first, "" for none."""
    said = words.dictionary_words(text)
    if len(said) >= _MIN_WORDS and said == said[: len(said) // 2] * 2:
        return "the text says everything twice"
    return ""


def loops(texts: Sequence[str], told: Sequence[str]) -> dict[int, str]:
    """Returns the faults of texts that were told before, by their place.

    A story may have one refrain; where it has two, its writer goes round in circles. `told` are
    the texts before these.
    """
    before = {words.normalize(text) for text in told}
    repeated = {}
    for place, text in enumerate(texts):
        said = words.normalize(text)
        if len(said) >= _MIN_LENGTH and said in before:
            repeated[place] = said
        before.add(said)
    if len(set(repeated.values())) < 2:
        return {}
    return dict.fromkeys(repeated, "the text was told before")
