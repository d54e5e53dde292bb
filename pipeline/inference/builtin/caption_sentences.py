"""Rewrites the embedded captioner's captions as plain story sentences in the past tense.

A caption speaks of a picture ("A close-up shows ..."), a story of what is in it ("Close by was
..."). `story_sentence` rewrites one as the other; each pattern of caption has several wordings,
which alternate. Who was seen before is "the", and a place is named once. `with_dialogue` adds what
is said, word for word; if nobody is seen, the speaker becomes the subject of the sentence.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from pipeline.ingest.subtitles import split_speaker
from pipeline.runtime import word_lists
from schemas.rows import CHUNK_LENGTH

_SPEECH = re.compile(r', and [^",]+ (?:says, ".*"|speaks)\.?$')
_READ = re.compile(r'^The words ".*" are on the screen while ')
_CAMERA = re.compile(r" while the camera moves .*$")
_LIGHT = re.compile(r",(?: in (\w+(?:, \w+)?) light| and it is dark)$")

# The patterns of the embedded captioner's sentences, each with its wordings in a story.
_WHERE = r"(?:On|In) the \w+ of the picture, "
_MOVES = r"(?P<who>.+?) moves (?P<way>(?:quickly )?(?:to the \w+|up|down))"
_HERE = r"(?P<who>.+) is (?:on|in) the \w+ of the picture"
_AMID = r"with (?P<colours>.+) around it"
_PLACE = r"(?P<place>(?:on|under) .+)"
_PATTERNS = [
    (re.compile(pattern), wordings)
    for pattern, wordings in [
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
_SETTINGS = {  # where somebody speaks unseen
    "sky": ("Under {sky}, ",),
    "colours": ("In a {colours} place, ", "Where all was {colours}, "),
}
_SHOWS = re.compile(r"^(?:The|This) (?:image|picture|frame|scene|shot) (?:shows|depicts) ")
_IN_IT = re.compile(r"^In (?:the|this) (?:image|picture|frame|scene|shot),? ")
_PAST = dict(line.split() for line in word_lists.read(__package__, "past_tense.txt"))
_VERB = re.compile(rf'"[^"]*"|\b(?:{"|".join(_PAST)})\b')
_CONNECTIVES = ("Then", "Now", "After that,", "Next,", "A moment later,")
_LOWERCASE = frozenset(word_lists.read(__package__, "lowercase_openers.txt"))


def story_sentence(caption: dict[str, Any], before: Sequence[dict[str, Any]]) -> str:
    """Rewrites a caption as a sentence of the story, without a full stop and without dialogue.

    `before` are the captions before it, the nearest last.
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
    for pattern, wordings in _PATTERNS:
        if match := pattern.fullmatch(text):
            parts = {name: _uncapitalized(part or "") for name, part in match.groupdict().items()}
            text = wordings[caption["frame"] % len(wordings)].format(**parts)
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


def with_dialogue(text: str, caption: dict[str, Any]) -> str:
    """Adds the dialogue to a sentence, and the text on the screen if it is short.

    Where nobody is seen the speaker is the subject. Three arrangements alternate.
    """
    text = text if text.endswith((".", "!", "?", '."', '!"', '?"')) else text + "."
    words = " ".join(" ".join(caption["text"]).split())
    if words and len(words.split()) <= 3:
        text += f' The words "{words}" could be read.'
    dialogue, setting = quoted_dialogue(caption), setting_of_unseen_speaker(caption)
    if setting:
        return setting + dialogue
    return (f"{dialogue} {text}" if caption["frame"] % 3 == 1 else f"{text} {dialogue}").strip()


def with_connective(text: str, frame: int) -> str:
    """Puts a connective before every third text, another each time."""
    if frame % 3 != 2 or frame % CHUNK_LENGTH == 0:  # a window's first text gets its own
        return text
    return f"{_CONNECTIVES[frame // 3 % len(_CONNECTIVES)]} {continued(text)}"


def continued(text: str) -> str:
    """Returns the text as it continues after other words: a name keeps its capital."""
    first = text.split(maxsplit=1)[0] if text.split() else ""
    return _uncapitalized(text) if first.lower().rstrip(",") in _LOWERCASE else text


def quoted_dialogue(caption: dict[str, Any], max_words: int = 24) -> str:
    """Returns the dialogue as sentences with the speakers' names, "" for none.

    Lines after the first are left out if it would be longer than `max_words`.
    """
    sentences: list[str] = []
    for line in caption["dialogue"]:
        speaker, words = split_speaker(line)
        if not words:
            continue
        sentence = f'{speaker or "Someone"} said, "{words}{"" if words[-1] in ".!?…" else "."}"'
        if sentences and len(" ".join([*sentences, sentence]).split()) > max_words:
            break
        sentences.append(sentence)
    return " ".join(sentences)


def setting_of_unseen_speaker(caption: dict[str, Any]) -> str:
    """Returns what is around an unseen speaker: "In a green and brown place, "; "" if unknown."""
    if caption["objects"] or caption["frame"] % 3 or not quoted_dialogue(caption):
        return ""
    for pattern, _ in _PATTERNS:
        match = pattern.fullmatch(_LIGHT.sub("", _bare(caption)))
        for name, wordings in _SETTINGS.items():
            if match and name in match.groupdict():
                wording = wordings[caption["frame"] // 3 % len(wordings)]
                return re.sub(r"\ba (?=orange)", "an ", wording.format(**match.groupdict()))
    return ""


def _bare(caption: dict[str, Any]) -> str:
    """Returns a caption's sentence without dialogue, text on the screen and camera motion."""
    text = _READ.sub("", _SPEECH.sub("", " ".join(caption["sentence"].split())).rstrip(".!? "))
    text = _CAMERA.sub("", text)
    return text[:1].upper() + text[1:]


def _uncapitalized(text: str) -> str:
    return text[:1].lower() + text[1:]
