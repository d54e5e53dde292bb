"""Finds what models write in place of a story: placeholders, notes to the reader, talk of the
picture and the camera.

The phrases are in the sections placeholder, label, note and picture of `phrases` (see `patterns`).
What a character says of a picture, in quotation marks or after a dash, is part of the story.
"""

from __future__ import annotations

import functools
import re

from pipeline.annotation.checks import patterns

_IN_BRACKETS = re.compile(r"\s*[\[<{][^\]>}]*[\]>}]\W*")
_BEFORE_COLON = re.compile(r"^[^\w\n]*([^\n:：.!?。！？“”\"«»„「」]{1,60}?)\s?[:：]", re.MULTILINE)
_NUMBER = re.compile(r"[ \d]+$")


def placeholder(text: str) -> str:
    """Returns the fault of a text that stands for one: "...", "N/A", "[text]"; "" for none."""
    if not any(map(str.isalpha, text)):
        return "the text has no words"
    if patterns.folded(text) in _all("placeholder") or _IN_BRACKETS.fullmatch(text):
        return "the text is a placeholder"
    return ""


def note(text: str) -> str:
    """Returns the fault of a text that speaks to the reader, or of the picture; "" for none."""
    for found in _BEFORE_COLON.finditer(text):
        head = patterns.folded(found[1])
        if f"{_NUMBER.sub('', head)} " in _all("label") or patterns.find("note", head):
            return f"the text holds {found[0].strip()!r}, which is no part of a story"
    for sentence in patterns.sentences(patterns.narration(text)):
        if said := patterns.find("picture", patterns.folded(sentence)):
            return f"tell what happens, and not what is seen or filmed: {said!r}"
    return ""


@functools.cache
def _all(section: str) -> frozenset[str]:
    """Returns the phrases of a section in all languages, folded."""
    return frozenset(
        patterns.folded(phrase)
        for language in patterns.languages()
        for phrase in patterns.phrases(language, section)
    )
