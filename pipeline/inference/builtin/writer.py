"""The embedded writer: a picture book told by a very small language model, and held to the truth.

A model of 135 million parameters cannot be trusted to retell a caption: it forgets who is in it. So
the sentence is begun for it. `picture_book` makes the beginning from the caption, which grounds it;
the model goes on from there in several ways, each opened by a word or two ("..., and it | seemed
to be | thinking"), and the likeliest that passes `fits` is taken: one that brings in nobody new,
names no colour, direction or light that the caption does not, and has not been used. Where none
passes, the caption stands in as a plain sentence and is flagged as such. What is said in the film
is added word for word.

All pages of a window are written in one batch from that window alone, so a request's answer does
not depend on what else is asked.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from pipeline.inference.backends import Answer, Request
from pipeline.inference.builtin import caption_sentences, smollm
from schemas.answers import CharacterAnswer, CharactersAnswer, NarrativeAnswer, Sentence

# What the model believes it has written so far. It never sees more of a story than a beginning.
_BOOK = """<|im_start|>system
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

# How a clause may open, after "moved to the left and", "was on the grass, and it" and a landscape's
# ", and": a finite verb, or what one follows at once. A page gets six of them, the next page the
# next six, so that neighbours differ.
_WAYS = 6
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
)  # it would be a second one


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Words that claim something. The first two never pass, the others where they fit the caption.
_AGENTS = _words("""
    bear lion giraffe wolf dog cat bird birds rabbit fox horse cow sheep pig mouse duck fish
    bee bees butterfly elephant monkey tiger animal animals creature monster dragon boy girl
    man woman men women child children baby kid kids mother father mom dad mommy daddy king
    queen prince princess people person friend friends family he she him her his hers everyone
    someone they them their sea ocean beach laughter
    voice voices""")
_COLOURS = _words("""
    black grey gray white red pink orange brown beige yellow green turquoise blue purple golden gold
    silver rainbow""")
_DIRECTIONS = _words("left right up down upwards downwards")
_SUNNY = _words("sun sunny sunshine shining shone bright brightly sunlight warm")
_GLOOMY = _words("dark darkness night moon stars shadow shadows cold")
_MOVING = _words("""
    move moves moved moving run ran running jump jumped jumping walk walked walking fly flew flying
    steps stepped climbed fell""")
_STILL = _words("still sat sit stood stand slept sleep sleeping asleep lay rested stopped")
_HUSHED = _words("sound noise quiet quietly silent silence still word")
_CAST = 12  # characters of a series; who speaks less does not matter to it
_SEAMS = ("A little later", "Some time after that")


class EmbeddedWriter:
    """The backend "embedded" for stories. It reads the facts of a request, not its prompt."""

    name = smollm.NAME

    def __init__(self) -> None:
        self._model = smollm.SmolLM(_BOOK)

    def answer(self, requests: Sequence[Request]) -> list[Answer]:
        """What the task asks for, a request. Raises ValueError for a task other than a writer's."""
        return [self._answer(request) for request in requests]

    def _answer(self, request: Request) -> Answer:
        if request.task == "link":
            return Answer(link(request.facts).model_dump_json(), self.name)
        if request.task == "characters":
            return Answer(characters(request.facts).model_dump_json(), self.name)
        if request.task != "narrate":
            raise ValueError(f"the embedded writer cannot {request.task!r}")
        captions = request.facts["captions"]
        pages = [
            caption_sentences.page(caption, captions[:place])
            for place, caption in enumerate(captions)
        ]
        stems = [beginning(page, caption) for page, caption in zip(pages, captions, strict=True)]
        found = self._model.branch(
            stems,
            [
                openings(stem, caption["frame"])
                for stem, caption in zip(stems, captions, strict=True)
            ],
        )
        clauses = [[one.text for one in ways] for ways in found.continuations]
        sentences = choose(pages, captions, clauses, request.facts["so_far"])
        return Answer(
            NarrativeAnswer(sentences=sentences).model_dump_json(),
            self.name,
            found.read,
            found.written,
        )


def beginning(page: str, caption: dict[str, Any]) -> str:
    """What the model goes on from: the page, and a word or two that ask for more."""
    subject = caption["objects"][0] if len(caption["objects"]) == 1 else ""
    if not subject or subject.casefold() not in page.casefold():
        return f"{page}, and"
    return f"{page} and" if " moved " in page else f"{page}, and it"


def openings(stem: str, frame: int) -> list[str]:
    """The words that the model's clauses open with, after this stem on this page."""
    ways = _RESTS if stem.endswith(", and it") else _NOBODY if stem.endswith(", and") else _MOVES
    start = frame * _WAYS
    return [ways[number % len(ways)] for number in range(start, start + _WAYS)]


def choose(
    pages: Sequence[str],
    captions: Sequence[dict[str, Any]],
    clauses: Sequence[Sequence[str]],
    so_far: str,
) -> list[Sentence]:
    """A sentence a page: with the first of its clauses that fits, or plain where none does."""
    sentences, told = [], so_far.casefold()
    for page, caption, ways in zip(pages, captions, clauses, strict=True):
        stem = beginning(page, caption)
        clause = next((way.strip() for way in ways if fits(way, caption, stem, told)), "")
        written = (
            bool(clause)
            and not caption_sentences.aside(caption)
            and grounded(f"{stem} {clause}", caption)
        )
        text = f"{stem} {clause}" if written else page
        told += " " + text.casefold()
        text = caption_sentences.told(caption_sentences.led_on(text, caption["frame"]), caption)
        sentences.append(Sentence(frame=caption["frame"], text=text, plain=not written))
    return sentences


def fits(clause: str, caption: dict[str, Any], stem: str, told: str) -> bool:
    """Whether a continuation may stand in the story: a whole, new clause that claims no fact.

    `stem` is what it continues and `told` the story so far, in lower case.
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
        and not (words & _SUNNY and ("dim" in light or "dark" in light))
        and not (words & _GLOOMY and ("bright" in light or "soft" in light))
        and not words & (_STILL if moves else _MOVING) - {"move"}
        and not (moves and "move" in words)
        and not (words & _HUSHED and caption["dialogue"])
        and clause.rstrip(".!").casefold() not in told
        and " ".join(clause.casefold().rstrip(".!").split()[-4:]) not in told
    )


def grounded(text: str, caption: dict[str, Any]) -> bool:
    """Whether a text names each thing that its caption's sentence names, by its last word."""
    lower, sentence = text.casefold(), caption["sentence"].casefold()
    names = [thing.casefold().split()[-1] for thing in caption["objects"] if thing.split()]
    return all(name in lower for name in names if name in sentence)


def characters(facts: dict[str, Any]) -> CharactersAnswer:
    """Those who speak by name: who looks how, the embedded captioner does not tell."""
    return CharactersAnswer(
        characters=[CharacterAnswer(name=name) for name in list(facts["speakers"])[:_CAST]]
    )


def link(facts: dict[str, Any]) -> NarrativeAnswer:
    """The whole story with its seams smoothed: how it begins, where a window follows, how it ends.

    No text is rewritten, so what was true of one stays true.
    """
    frames, texts, plain = facts["frames"], list(facts["texts"]), facts["plain"]
    for number, seam in enumerate(_SEAMS, start=1):
        place = number * 10
        if place < len(texts):
            texts[place] = f"{seam}, {caption_sentences.lowered(texts[place])}"
    texts[0] = f"Once upon a time, {caption_sentences.lowered(texts[0])}"
    texts[-1] = f"{texts[-1]} And there the story ended."
    return NarrativeAnswer(
        sentences=[
            Sentence(frame=frame, text=text, plain=flag)
            for frame, text, flag in zip(frames, texts, plain, strict=True)
        ]
    )
