"""Splits a text into words and tells where capitals say nothing, as at the start of a sentence."""

from __future__ import annotations

import re

TOKEN = re.compile(r"(?<![\w'’-])[^\W\d_]+(?:['’-][^\W\d_]+)*")
_CLITIC = re.compile(r"['’](?:s|m|d|t|ll|re|ve)$")
OPENING = "\"“„‘'«»‹›「『([¿¡"
_CLOSING = "\"”“’'»«›‹」』)]"
_SENTENCE_ENDS = ".!?:…。！？;؟۔।"
_ABBREVIATED = re.compile(r"(?:^|[^\w])(?:mr|mrs|ms|dr|prof|st|jr|sr|[a-hj-z])\.$", re.IGNORECASE)
# A label or a stage direction before a sentence: "[Tilda] Well?", "(A bell.) Who is there?"
_ASIDE = re.compile(r"(?:^|[.!?…]\s*|\n)[\[(][^\[\]()]*[\])]\s*$")


def base(token: str) -> str:
    """Returns a word without what is joined to it by an apostrophe or a hyphen, before a name or
    after it: Simbegwire of Simbegwire-nek, Λένη of κυρα-Λένη."""
    name = _CLITIC.sub("", token)
    first, *others = name.split("-")
    if others and first[:1].islower():
        return next((part for part in others if part[:1].isupper()), name)
    return first if others and all(part.islower() for part in others) else name


def may_open_sentence(before: str) -> bool:
    """Returns whether a word after this text may be the first of a sentence."""
    if not before.strip() or before[-1] in OPENING or "\n" in before[len(before.rstrip()) :]:
        return True
    if before.endswith(" / "):  # between lines of verse
        return True
    if _ASIDE.search(before):
        return True
    if before.rstrip()[-1] in "—–―":
        return before.rstrip().rstrip("—–―").rstrip()[-1:] in ("", *_SENTENCE_ENDS, *_CLOSING, ",")
    rest = before.rstrip().rstrip(_CLOSING).rstrip()
    if not rest:
        return True
    return rest[-1] in _SENTENCE_ENDS and _ABBREVIATED.search(rest) is None
