"""Captions as the pages of a picture book: plain sentences, in the past tense, of what is seen.

A caption speaks of pictures ("A close-up shows ..."), a story of what is in them ("Close by was
..."). `page` takes one to the other, each shape of caption in several ways that take turns, and
joins it to what came before: who was seen already is "the", who stays in a place is not said to be
in it again. `told` adds what is said, word for word, and has the speaker carry the sentence where
nobody is seen.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from pipeline.ingest.subtitles import split_speaker
from schemas.rows import CHUNK_LENGTH

_SPEECH = re.compile(r', and [^",]+ (?:says, ".*"|speaks)\.?$')
_READ = re.compile(r'^The words ".*" are on the screen while ')
_CAMERA = re.compile(r" while the camera moves .*$")
_LIGHT = re.compile(r",(?: in (\w+(?:, \w+)?) light| and it is dark)$")

# The shapes of the embedded captioner's sentences, and how a story says each.
_WHERE = r"(?:On|In) the \w+ of the picture, "
_MOVES = r"(?P<who>.+?) moves (?P<way>(?:quickly )?(?:to the \w+|up|down))"
_HERE = r"(?P<who>.+) is (?:on|in) the \w+ of the picture"
_AMID = r"with (?P<colours>.+) around it"
_PLACE = r"(?P<place>(?:on|under) .+)"
_SHAPES = [
    (re.compile(pattern), ways)
    for pattern, ways in [
        (
            rf"A close-up shows (?P<who>.+?)(?: {_AMID}| {_PLACE})?",
            ("{who} was close by", "Close by was {who}", "Very near was {who}"),
        ),
        (
            rf"In a close-up, {_MOVES}(?: {_AMID}| {_PLACE})?",
            ("Close by, {who} moved {way}", "Very near, {who} moved {way}"),
        ),
        (
            rf"{_WHERE}{_MOVES} {_PLACE}",
            ("{who} moved {way} {place}", "{place}, {who} moved {way}"),
        ),
        (rf"{_WHERE}{_MOVES}(?: {_AMID})?", ("{who} moved {way}",)),
        (
            rf"{_HERE}, {_PLACE}",
            ("{who} was {place}", "{place} was {who}", "There was {who} {place}"),
        ),
        (
            rf"{_HERE}, {_AMID}",
            (
                "{who} was there, among {colours}",
                "{who} had {colours} on every side",
                "Among {colours} was {who}",
            ),
        ),
        (_HERE, ("{who} was still there", "{who} had not gone away", "{who} stayed")),
        (
            r"(?P<ground>.+) lies under (?P<sky>.+)",
            (
                "{ground} lay under {sky}",
                "Under {sky} lay {ground}",
                "Over {ground} was {sky}",
                "There was {ground}, and over the ground was {sky}",
            ),
        ),
        (
            r"(?:Most of the picture is filled with|Words are written in front of) (?P<colours>.+)",
            (
                "All was {colours}",
                "There was {colours} everywhere",
                "The place was {colours}",
                "Far and wide there was {colours}",
                "The world here was {colours}",
                "Wherever one looked there was {colours}",
                "Everything around was {colours}",
            ),
        ),
    ]
]
_ASIDES = {
    "sky": ("Under {sky}, ",),
    "colours": ("In a {colours} place, ", "Where all was {colours}, "),
}
_SHOWS = re.compile(r"^(?:The|This) (?:image|picture|frame|scene|shot) (?:shows|depicts) ")
_IN_IT = re.compile(r"^In (?:the|this) (?:image|picture|frame|scene|shot),? ")
_PAST = {
    "is": "was",
    "are": "were",
    "has": "had",
    "have": "had",
    "moves": "moved",
    "goes": "went",
    "stands": "stood",
    "sits": "sat",
    "lies": "lay",
    "looks": "looked",
    "runs": "ran",
    "walks": "walked",
    "jumps": "jumped",
    "flies": "flew",
    "holds": "held",
    "says": "said",
    "speaks": "spoke",
    "smiles": "smiled",
    "plays": "played",
    "sleeps": "slept",
    "comes": "came",
    "wears": "wore",
    "watches": "watched",
}
_VERB = re.compile(rf'"[^"]*"|\b(?:{"|".join(_PAST)})\b')
_CONNECTIVES = ("Then", "Now", "After that,", "Next,", "A moment later,")
_COMMON = {
    "a",
    "an",
    "the",
    "on",
    "in",
    "under",
    "over",
    "something",
    "everything",
    "there",
    "close",
    "very",
    "among",
    "where",
    "wherever",
    "far",
    "all",
    "someone",
    "then",
    "now",
    "black",
    "grey",
    "white",
    "red",
    "pink",
    "orange",
    "brown",
    "beige",
    "yellow",
    "green",
    "turquoise",
    "blue",
    "purple",
    "dark",
    "light",
}


def page(caption: dict[str, Any], before: Sequence[dict[str, Any]]) -> str:
    """The caption as a sentence of the story, without a full stop and without what is said.

    `before` are the captions of the pages before it, the nearest last.
    """
    text, place = _bare(caption), caption["place"]
    light = _LIGHT.search(text)
    text = _LIGHT.sub("", text)
    if (
        before
        and place == before[-1]["place"]
        and set(caption["objects"]) & set(before[-1]["objects"])
    ):
        text = re.sub(rf",? {re.escape(place)}$", "", text) if place else text
    for shape, ways in _SHAPES:
        if match := shape.fullmatch(text):
            parts = {name: _low(part or "") for name, part in match.groupdict().items()}
            text = ways[caption["frame"] % len(ways)].format(**parts)
            break
    else:
        text = _IN_IT.sub("", _SHOWS.sub("There is ", text))
        text = _VERB.sub(lambda verb: _PAST.get(verb[0], verb[0]), text)
    for thing in caption["objects"]:
        if any(thing in earlier["objects"] for earlier in before):
            text = re.sub(rf"\ban? {re.escape(thing)}\b", f"the {thing}", text, flags=re.IGNORECASE)
    if light:
        text += f" in the {light[1]} light" if light[1] else ", and it was dark"
    return text[:1].upper() + text[1:]


def told(text: str, caption: dict[str, Any]) -> str:
    """A page's text with what is said on it, and what is to be read where that is short.

    Where nobody is seen the speaker carries the sentence. Three arrangements take turns.
    """
    text = text if text.endswith((".", "!", "?", '."', '!"', '?"')) else text + "."
    words = " ".join(" ".join(caption["text"]).split())
    if words and len(words.split()) <= 3:
        text += f' The words "{words}" could be read.'
    said, around = speech(caption), aside(caption)
    if around:
        return around + said
    return (f"{said} {text}" if caption["frame"] % 3 == 1 else f"{text} {said}").strip()


def led_on(text: str, frame: int) -> str:
    """Every third text with a connective before it, another each time."""
    if frame % 3 != 2 or frame % CHUNK_LENGTH == 0:  # a window's first text gets its own
        return text
    return f"{_CONNECTIVES[frame // 3 % len(_CONNECTIVES)]} {lowered(text)}"


def lowered(text: str) -> str:
    """The text as it goes on after other words: a name keeps its capital."""
    first = text.split(maxsplit=1)[0] if text.split() else ""
    return _low(text) if first.lower().rstrip(",") in _COMMON else text


def speech(caption: dict[str, Any], most: int = 24) -> str:
    """What is said on the page, as sentences with the speaker's name; "" for nothing.

    Lines after the first are left out where they would make it longer than `most` words.
    """
    said: list[str] = []
    for line in caption["dialogue"]:
        speaker, words = split_speaker(line)
        if not words:
            continue
        sentence = f'{speaker or "Someone"} said, "{words}{"" if words[-1] in ".!?…" else "."}"'
        if said and len(" ".join([*said, sentence]).split()) > most:
            break
        said.append(sentence)
    return " ".join(said)


def aside(caption: dict[str, Any]) -> str:
    """What is around somebody who speaks unseen: "In a green and brown place, "; "" if unknown."""
    if caption["objects"] or caption["frame"] % 3 or not speech(caption):
        return ""
    for shape, _ in _SHAPES:
        match = shape.fullmatch(_LIGHT.sub("", _bare(caption)))
        for name, ways in _ASIDES.items():
            if match and name in match.groupdict():
                text = ways[caption["frame"] // 3 % len(ways)].format(**match.groupdict())
                return re.sub(r"\ba (?=orange)", "an ", text)
    return ""


def _bare(caption: dict[str, Any]) -> str:
    """The caption's sentence without what is said, what is read and how the camera moves."""
    text = _READ.sub("", _SPEECH.sub("", " ".join(caption["sentence"].split())).rstrip(".!? "))
    text = _CAMERA.sub("", text)
    return text[:1].upper() + text[1:]


def _low(text: str) -> str:
    return text[:1].lower() + text[1:]
