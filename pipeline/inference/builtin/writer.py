"""The embedded writer: tells captions as a story by rule, without a language model.

A text is made of what the caption and the dialogue hold (`scene`, `quotes`), in a wording that
depends on the story so far (`narration`, `wordings`): so it says nothing that the film does not
show, and the same request gives the same answer on every machine. A caption that another model has
written is not taken apart: it stands in the past tense, and its text is flagged as plain.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from pipeline.inference.builtin import narration, quotes, scene, wordings
from pipeline.inference.protocol import Answer, Request
from pipeline.model_specs import EMBEDDED
from pipeline.runtime import word_lists
from schemas.answers import CharacterAnswer, CharactersAnswer, NarrativeAnswer, Sentence

_MAX_CHARACTERS = 12  # of a series: those who speak most
_MAX_READ = 3  # words on the screen that are told
_SHOWS = re.compile(r"^(?:The|This) (?:image|picture|frame|scene|shot) (?:shows|depicts) ")
_IN_IT = re.compile(r"^In (?:the|this) (?:image|picture|frame|scene|shot),? ")
_PAST = dict(line.split() for line in word_lists.read(__package__, "past_tense.txt"))
_VERB = re.compile(rf'"[^"]*"|\b(?:{"|".join(_PAST)})\b')


class EmbeddedWriter:
    """The model "embedded" for stories. It uses the facts of a request, not its prompt."""

    name = EMBEDDED["writer"]

    def answer(self, requests: Sequence[Request]) -> list[Answer]:
        """Returns an answer per request. Raises ValueError for a task other than a writer's."""
        return [self._answer(request) for request in requests]

    def _answer(self, request: Request) -> Answer:
        answers = {"narrate": narrate, "link": link, "characters": characters}
        if request.task not in answers:
            raise ValueError(f"the embedded writer cannot {request.task!r}")
        return Answer(answers[request.task](request.facts).model_dump_json(), self.name)


def narrate(facts: dict[str, Any]) -> NarrativeAnswer:
    """Tells a window's captions."""
    story = narration.Story(facts["so_far"])
    sentences = []
    asked_by: str | None = None
    for caption in facts["captions"]:
        frame, seen = caption["frame"], scene.read(caption)
        said = quotes.read(caption["dialogue"], asked_by)
        asked_by = quotes.asks(said[-1]) if said else None
        if seen:
            text = narration.tell(seen, said, frame, story, facts.get("repeat", 0))
        else:
            text = narration.stated(past_tense(scene.bare(caption)), said, frame)
        words = " ".join(" ".join(caption["text"]).split())
        if words and len(words.split()) <= _MAX_READ:
            text += " " + wordings.READ[frame % len(wordings.READ)].format(words.replace('"', ""))
        sentences.append(Sentence(frame=frame, text=text, plain=seen is None))
        story.add(text, seen)
    return NarrativeAnswer(sentences=sentences)


def past_tense(caption: str) -> str:
    """Returns a caption as a sentence of a story: of what is in the picture, in the past tense."""
    text = _IN_IT.sub("", _SHOWS.sub("There is ", caption))
    return _VERB.sub(lambda verb: _PAST.get(verb[0], verb[0]), text)


def characters(facts: dict[str, Any]) -> CharactersAnswer:
    """Lists those who speak by name, without looks: the embedded captioner gives none."""
    return CharactersAnswer(
        characters=[
            CharacterAnswer(name=name) for name in list(facts["speakers"])[:_MAX_CHARACTERS]
        ]
    )


def link(facts: dict[str, Any]) -> NarrativeAnswer:
    """Adds words to the story's first and last text and where a window begins.

    No text is rewritten, so each stays grounded.
    """
    frames, texts, plain = facts["frames"], list(facts["texts"]), facts["plain"]
    for number, opening in enumerate(wordings.WINDOW_OPENINGS, start=1):
        place = number * 10
        if place < len(texts):
            texts[place] = f"{opening}, {narration.unconnected(texts[place])}"
    texts[0] = f"Once upon a time, {narration.unconnected(texts[0])}"
    texts[-1] = f"{texts[-1]} And there the story ended."
    return NarrativeAnswer(
        sentences=[
            Sentence(frame=frame, text=text, plain=flag)
            for frame, text, flag in zip(frames, texts, plain, strict=True)
        ]
    )
