"""The embedded writer: a very small language model continues sentences made from captions.

A model of 135 million parameters cannot be trusted to retell a caption: it forgets who is in it. So
the sentence is begun for it. `caption_sentences` makes the beginning from the caption, which
grounds it; the model continues it in several ways, each opened by a word or two ("..., and it |
seemed to be | thinking"), and the most likely one that passes `fits` is taken: one that brings in
nobody new, names no colour, direction or light that the caption does not, and has not been used. If
none passes, the beginning alone is the text and is flagged as plain. Dialogue is added word for
word.

All texts of a window are written in one batch from that window alone, so an answer does not depend
on other requests.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from pipeline.inference.builtin import caption_sentences, smollm
from pipeline.inference.protocol import Answer, Request
from pipeline.runtime import word_lists
from schemas.answers import CharacterAnswer, CharactersAnswer, NarrativeAnswer, Sentence

# Precedes every beginning, as what the model has written so far. It sees nothing else of a story.
_PREFIX = """<|im_start|>system
You write simple picture books for small children.<|im_end|>
<|im_start|>user
Write one short, gentle sentence in the past tense for each page of a picture book. \
Say what was felt or heard, and bring in nobody new.<|im_end|>
<|im_start|>assistant
The meadow was yellow and wide, and the morning smelled of flowers.
The small bear came down the hill and sniffed at the cool air.
It was dark in the woods, and not a leaf stirred.
The bear moved quickly to the right and did not look back.
Something round lay in the sand, and nobody knew what it was.
The bear was close by now, and it seemed to be thinking.
"""

# First words of a continuation after "moved to the left and", "was on the grass, and it" and a
# landscape's ", and": a finite verb, or what one follows at once. A text gets six of them, the next
# text the next six, so that neighbours differ.
_OPENINGS = 6
_MOVES = (
    "did not",
    "seemed to be",
    "made no",
    "went on",
    "never",
    "listened for",
    "was in no",
    "did not stop",
)
_RESTS = (
    "did not",
    "seemed to be",
    "made no",
    "was in no",
    "kept very",
    "listened to the",
    "waited for",
    "enjoyed the",
)
_NOBODY = (
    "the air was",
    "the wind",
    "all was",
    "a soft breeze",
    "nothing",
    "the air smelled of",
    "everything was",
    "not a sound",
)

_PLAIN_CLAUSE = re.compile(r"[a-z][a-z ,'’-]+[.!]")
_FINITE = re.compile(
    r"\b(?:was|were|had|did|made|went|felt|kept|came|blew|lay|could|[a-z]{2,}ed)\b"
)
_NOT_A_STORY = re.compile(
    r"\b(?:i|you|your|we|us|our|me|my|picture|page|book|story|image|screen|camera|colou?rs?)\b"
    r"|\b(?:was|were|be|being|like|became) (?:a|an|the)\b|\b(?:had|have) (?:a|an|the|two)\b"
    r"|\b(?:is|are|has|does|can|will|there)\b|\bnot (?:a(?! sound)|an|the)\b|'s\b|’s\b"
    r"|\b(?:gone|left|lost|over|return\w*|dead|die\w*|kill\w*|blood\w*|naked|sad|scared|afraid)\b"
    r"|\b(?:alone|thick|salt|eat\w*|bite|mate|sweetest|lying|different|same|blur|smell|weight)\b"
    r"|\b(?:no way|move back|not looking|the sound\.|be looking\.|to see\b)"
    r"|\bit\b"
)  # the beginning ends with "it" already


def _words(name: str) -> frozenset[str]:
    return frozenset(word_lists.read(__package__, f"{name}.txt"))


# Words that claim something. The first two never pass, the others if they fit the caption.
_AGENTS = _words("agents")
_COLOURS = _words("colour_words")
_DIRECTIONS = {"left", "right", "up", "down", "upwards", "downwards"}
_BRIGHT = _words("bright_words")
_DARK = _words("dark_words")
_MOVING = _words("motion_words")
_STILL = _words("stillness_words")
_SILENT = _words("silence_words")
_MAX_CHARACTERS = 12  # of a series: those who speak most
_WINDOW_OPENINGS = ("A little later", "Some time after that")


class EmbeddedWriter:
    """The model "embedded" for stories. It uses the facts of a request, not its prompt."""

    name = smollm.NAME

    def __init__(self) -> None:
        self._model = smollm.SmolLM(_PREFIX)

    def answer(self, requests: Sequence[Request]) -> list[Answer]:
        """Returns an answer per request. Raises ValueError for a task other than a writer's."""
        return [self._answer(request) for request in requests]

    def _answer(self, request: Request) -> Answer:
        if request.task == "link":
            return Answer(link(request.facts).model_dump_json(), self.name)
        if request.task == "characters":
            return Answer(characters(request.facts).model_dump_json(), self.name)
        if request.task != "narrate":
            raise ValueError(f"the embedded writer cannot {request.task!r}")
        captions = request.facts["captions"]
        plain = [
            caption_sentences.story_sentence(caption, captions[:place])
            for place, caption in enumerate(captions)
        ]
        stems = [beginning(text, caption) for text, caption in zip(plain, captions, strict=True)]
        branches = self._model.branch(
            stems,
            [
                openings(stem, caption["frame"])
                for stem, caption in zip(stems, captions, strict=True)
            ],
        )
        clauses = [
            [continuation.text for continuation in continuations]
            for continuations in branches.continuations
        ]
        sentences = choose(plain, captions, clauses, request.facts["so_far"])
        return Answer(
            NarrativeAnswer(sentences=sentences).model_dump_json(),
            self.name,
            branches.input_tokens,
            branches.output_tokens,
        )


def beginning(plain: str, caption: dict[str, Any]) -> str:
    """Returns what the model continues: a plain sentence, and a word or two that ask for more."""
    subject = caption["objects"][0] if len(caption["objects"]) == 1 else ""
    if not subject or subject.casefold() not in plain.casefold():
        return f"{plain}, and"
    return f"{plain} and" if " moved " in plain else f"{plain}, and it"


def openings(stem: str, frame: int) -> list[str]:
    """Returns the words that the model's continuations of a stem open with."""
    words = _RESTS if stem.endswith(", and it") else _NOBODY if stem.endswith(", and") else _MOVES
    start = frame * _OPENINGS
    return [words[number % len(words)] for number in range(start, start + _OPENINGS)]


def choose(
    plain_sentences: Sequence[str],
    captions: Sequence[dict[str, Any]],
    clauses: Sequence[Sequence[str]],
    so_far: str,
) -> list[Sentence]:
    """Completes each plain sentence with the first of its clauses that fits, if one does."""
    sentences, story = [], so_far.casefold()
    for plain, caption, candidates in zip(plain_sentences, captions, clauses, strict=True):
        stem = beginning(plain, caption)
        fitting = (clause.strip() for clause in candidates if fits(clause, caption, stem, story))
        clause = next(fitting, "")
        completed = (
            bool(clause)
            and not caption_sentences.setting_of_unseen_speaker(caption)
            and grounded(f"{stem} {clause}", caption)
        )
        text = f"{stem} {clause}" if completed else plain
        story += " " + text.casefold()
        text = caption_sentences.with_connective(text, caption["frame"])
        text = caption_sentences.with_dialogue(text, caption)
        sentences.append(Sentence(frame=caption["frame"], text=text, plain=not completed))
    return sentences


def fits(clause: str, caption: dict[str, Any], stem: str, story: str) -> bool:
    """Returns whether a continuation is a whole, new clause that claims nothing unseen.

    `stem` is what it continues and `story` the story so far, in lower case.
    """
    clause = clause.strip()
    words = set(re.findall(r"[a-z]+", clause.lower()))
    known = set(re.findall(r"[a-z]+", caption["sentence"].lower()))
    moves = bool(_MOVING & known)
    light = caption["mood"]
    return bool(
        _PLAIN_CLAUSE.fullmatch(clause)
        and _FINITE.search(clause)
        and 2 <= len(clause.split()) <= 14
        and not _NOT_A_STORY.search(clause)
        and not words & (_AGENTS | _COLOURS)
        and not (words & _DIRECTIONS) - known
        and not (words & _BRIGHT and ("dim" in light or "dark" in light))
        and not (words & _DARK and ("bright" in light or "soft" in light))
        and not words & (_STILL if moves else _MOVING) - {"move"}
        and not (moves and "move" in words)
        and not (words & _SILENT and caption["dialogue"])
        and clause.rstrip(".!").casefold() not in story
        and " ".join(clause.casefold().rstrip(".!").split()[-4:]) not in story
    )


def grounded(text: str, caption: dict[str, Any]) -> bool:
    """Returns whether a text names each thing that its caption names, by the thing's last word."""
    lower, sentence = text.casefold(), caption["sentence"].casefold()
    names = [thing.casefold().split()[-1] for thing in caption["objects"] if thing.split()]
    return all(name in lower for name in names if name in sentence)


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
    for number, opening in enumerate(_WINDOW_OPENINGS, start=1):
        place = number * 10
        if place < len(texts):
            texts[place] = f"{opening}, {caption_sentences.continued(texts[place])}"
    texts[0] = f"Once upon a time, {caption_sentences.continued(texts[0])}"
    texts[-1] = f"{texts[-1]} And there the story ended."
    return NarrativeAnswer(
        sentences=[
            Sentence(frame=frame, text=text, plain=flag)
            for frame, text, flag in zip(frames, texts, plain, strict=True)
        ]
    )
