"""Captions as the pages of a picture book: plain sentences that say what a caption says.

A caption speaks of pictures ("A close-up shows ..."), a story of what is in them ("Close by there
is ..."). `page` takes one to the other with a few rewritings and joins it to what came before: who
was seen already is "the", who stays in a place is not said to be in it again, and now and then a
connective leads on. `speech` is what is said on the page, word for word.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from pipeline.backends.embedded_captioner import split_speaker
from schemas.rows import CHUNK_LENGTH

# What captions say about pictures, and what a story says instead.
_RETOLD = [(re.compile(pattern, re.IGNORECASE), new) for pattern, new in [
    (r" while the camera moves.*$", ""),
    (r", in (\w+(?:, \w+)?) light$", r" in the \1 light"),
    (r"^A close-up shows (.+?)(?: with .+ around it)?$", r"\1 is close by"),
    (r"^In a close-up, (.+?)(?: with .+ around it)?$", r"Close by, \1"),
    (r'^The words (".*") are on the screen while .*$', r"There are words to read: \1"),
    (r"^Most of the picture is filled with (.+)$", r"All around it is \1"),
    (r"^(.+) is (?:on the \w+|in the middle) of the picture, (on|under) (.+)$", r"\1 is \2 \3"),
    (r"^(.+) is (?:on the \w+|in the middle) of the picture$", r"\1 is still here"),
    (r"^(?:On the \w+|In the middle) of the picture, (.+?)(?: with .+ around it)?$", r"\1"),
    (r"^(?:The|This) (?:image|picture|frame|scene|shot) (?:shows|depicts|features) (.+)$",
     r"There is \1"),
    (r"^In (?:the|this) (?:image|picture|frame|scene|shot),? (.+)$", r"\1"),
]]
# "A grey animal is on the left of the picture, with green and black around it", told in turn as:
_AMID = re.compile(r"^(.+) is (?:on the \w+|in the middle) of the picture, with (.+) around it$")
_AMIDS = (r"\1 is here, with \2 all around", r"\1 is there, among \2", r"\1 has \2 on every side",
          r"\1 is here, and all around it is \2")
_SPEECH = re.compile(r', and [^",]+ (?:says, ".*"|speaks)\.?$')
_CONNECTIVES = ("Then", "Now", "After that,", "Next,", "A moment later,")
_COMMON = {"a", "an", "the", "on", "in", "under", "something", "everything", "there", "it", "close",
           "words", "someone", "all", "green", "brown", "beige", "light", "dark", "now", "then"}


def page(caption: dict[str, Any], before: Sequence[dict[str, Any]]) -> str:
    """The caption as a sentence of the story, without a full stop and without what is said.

    `before` are the captions of the pages before it, the nearest last.
    """
    text = _SPEECH.sub("", " ".join(caption["sentence"].split())).rstrip(".!? ")
    place = caption["place"]
    if before and place == before[-1]["place"] and set(caption["objects"]) & set(
            before[-1]["objects"]):
        text = re.sub(rf",? {re.escape(place)}(?=,|$)", "", text) if place else text
    text = _AMID.sub(_AMIDS[caption["frame"] % len(_AMIDS)], text)
    for pattern, new in _RETOLD:
        text = pattern.sub(new, text)
    for thing in caption["objects"]:
        if any(thing in earlier["objects"] for earlier in before):
            text = re.sub(rf"\ban? {re.escape(thing)}\b", f"the {thing}", text, flags=re.IGNORECASE)
    return _capital(text)


def led_on(text: str, frame: int) -> str:
    """Every third text with a connective before it, another each time."""
    if frame % 3 != 2 or frame % CHUNK_LENGTH == 0:  # a window's first text gets its own
        return text
    connective = _CONNECTIVES[frame // 3 % len(_CONNECTIVES)]
    return f"{connective} {lowered(text)}"


def lowered(text: str) -> str:
    """The text as it goes on after other words: a name keeps its capital."""
    first = text.split(maxsplit=1)[0] if text.split() else ""
    return text[0].lower() + text[1:] if first.lower().rstrip(",") in _COMMON else text


def speech(caption: dict[str, Any], most: int = 24) -> str:
    """What is said on the page, as sentences with the speaker's name; "" for nothing.

    Lines after the first are left out where they would make it longer than `most` words.
    """
    said: list[str] = []
    for line in caption["dialogue"]:
        speaker, words = split_speaker(line)
        if not words:
            continue
        sentence = f'{speaker or "Someone"} says, "{words}{"" if words[-1] in ".!?…" else "."}"'
        if said and len(" ".join([*said, sentence]).split()) > most:
            break
        said.append(sentence)
    return " ".join(said)


def ended(text: str, spoken: str) -> str:
    """A page's text with its full stop, then what is said on it."""
    text = text if text.endswith((".", "!", "?", '."', '!"', '?"')) else text + "."
    return f"{text} {spoken}".strip()


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
