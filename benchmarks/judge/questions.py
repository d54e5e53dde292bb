"""The judge's questions and the schema of its answers.

One question has all criteria, each answered with a reason and then a score or a choice. The judge
sees pictures and texts only: nothing tells which generator made a story, and a text is put into the
prompt as JSON, so that it cannot pass for a part of the question.

A pair is asked about in both orders. Two generators that begin with the same panels are a tie that
needs no call.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field, WithJsonSchema, create_model

from benchmarks.stories import Story
from pipeline.annotation import prompts
from pipeline.inference.protocol import Picture, Request

LONGEST = 250  # tokens of a reason of a sentence or two, in any language, with the verdict
PROMPTS = str(Path(__file__).parent / "prompts")
CRITERIA: Mapping[str, str] = {
    "style consistency": "do all panels look as if one artist had drawn them for one book: the "
    "same style, colours and quality, and characters who keep their look?",
    "engagement": "is it a story that one wants to read on: does something happen, does one thing "
    "lead to the next, are the texts and pictures varied and vivid?",
    "image-text coherence": "does each picture show what its text tells: who is there, what they "
    "do, where they are?",
}
Choice = Literal["A", "B", "tie"]


_SCORE = re.compile(
    r"(?:score|rating)?\W*(\d+(?:[.,]\d+)?)\s*(?:(?:/|out of)\s*10)?\W*", re.IGNORECASE
)
_CHOICES: Mapping[str, Choice] = {
    "a": "A",
    "b": "B",
    **dict.fromkeys(("tie", "draw", "equal", "neither", "both", "same", "tied"), "tie"),
}


def _read_score(value: Any) -> Any:
    """Accepts spellings of a score that are unambiguous: "7/10", "[[7]]"."""
    if isinstance(value, bool):  # which pydantic would take for 0 or 1
        raise ValueError("a score is a number from 0 to 10")
    if isinstance(value, str) and (found := _SCORE.fullmatch(value.strip())):
        return float(found[1].replace(",", "."))
    return value


def _read_choice(value: Any) -> Any:
    """Accepts spellings of a choice that are unambiguous: asking again costs money."""
    plain = re.sub(r"^\W+|\W+$", "", str(value)).lower()
    plain = re.sub(r"^(?:story|option|answer|choice)\W+|\W+is better$", "", plain)
    return _CHOICES.get(plain, value)


class Mark(BaseModel):
    """A score under one criterion."""

    reason: str
    score: Annotated[
        float,
        Field(ge=0, le=10),
        BeforeValidator(_read_score),
        # Whole numbers are asked for, and halves taken.
        WithJsonSchema({"maximum": 10, "minimum": 0, "title": "Score", "type": "integer"}),
    ]


class Verdict(BaseModel):
    """Which of two stories is better under one criterion."""

    reason: str
    better: Annotated[Choice, BeforeValidator(_read_choice)]


@dataclass(frozen=True)
class Question:
    """One question, and what it is about. The generators are in the order in which they are
    shown."""

    opening: str
    shown: tuple[str, ...]  # one generator to be scored, two to be compared
    repeat: int
    request: Request | None  # None: two stories that are the same, a tie that is not asked about

    @property
    def item(self) -> tuple[str, tuple[str, ...], int]:
        """Identifies the question across judges."""
        return self.opening, self.shown, self.repeat


def answer_field(criterion: str) -> str:
    """Returns the name of a criterion in an answer."""
    return criterion.replace(" ", "_").replace("-", "_")


@functools.cache
def answer_model(task: str, criteria: tuple[str, ...]) -> type[BaseModel]:
    """Returns the schema of an answer."""
    fields: dict[str, Any] = {
        answer_field(criterion): (Mark if task == "score" else Verdict, ...)
        for criterion in criteria
    }
    return create_model("Scores" if task == "score" else "Preferences", **fields)


def make_questions(
    stories: Mapping[str, Sequence[Story]],
    criteria: Sequence[str],
    panels: int,
    scores: bool,
    pairs: Sequence[tuple[str, str]],
    repeats: int,
) -> list[Question]:
    """Makes all questions, opening by opening, so that an early end leaves whole openings.

    Only the first `panels` panels are shown, and of a pair as many as both have. Raises ValueError
    for stories that cannot be shown.
    """
    picture = functools.cache(_read_picture)  # for this time: files may be others the next
    told = {name: _by_opening(name, some) for name, some in stories.items()}
    found = []
    for opening in dict.fromkeys(opening for some in told.values() for opening in some):
        here = {name: some[opening] for name, some in told.items() if opening in some}
        asked: list[tuple[str, ...]] = [(name,) for name in here] if scores else []
        for first, second in pairs:
            if first in here and second in here:
                asked += [(first, second), (second, first)]
        for repeat, shown in itertools.product(range(repeats), asked):
            length = min(panels, *(len(here[name].images) for name in shown))
            parts = [
                (here[name].texts[:length], tuple(map(picture, here[name].images[:length])))
                for name in shown
            ]
            found.append(
                Question(
                    opening,
                    shown,
                    repeat,
                    _make_request(
                        parts, tuple(criteria), f"{opening}: {' / '.join(shown)}", repeat
                    ),
                )
            )
    return found


def _by_opening(name: str, stories: Sequence[Story]) -> dict[str, Story]:
    found = {story.id: story for story in stories}
    if len(found) < len(stories):
        raise ValueError(f"{name} has two stories of one opening: give each an id of its own")
    for story in stories:
        if not story.images or len(story.images) != len(story.texts):
            raise ValueError(
                f"{name}, story {story.id}: {len(story.images)} pictures and "
                f"{len(story.texts)} texts; there must be one of each a panel"
            )
    return found


def _read_picture(path: str) -> Picture:
    try:
        return Picture(path, hashlib.sha256(Path(path).read_bytes()).hexdigest())
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}; make the story again") from error


def _make_request(
    parts: Sequence[tuple[tuple[str, ...], tuple[Picture, ...]]],
    criteria: tuple[str, ...],
    key: str,
    repeat: int,
) -> Request | None:
    digests = [(texts, [picture.sha256 for picture in pictures]) for texts, pictures in parts]
    if len(parts) == 2 and digests[0] == digests[1]:
        return None
    task = "score" if len(parts) == 1 else "compare"
    facts: dict[str, Any] = {
        "criteria": [
            {"field": answer_field(criterion), "asks": CRITERIA[criterion]}
            for criterion in criteria
        ],
        **(
            {"texts": parts[0][0]}
            if task == "score"
            else {"stories": [texts for texts, _ in parts]}
        ),
    }
    asked = prompts.render(task, PROMPTS, **facts)
    return Request(
        key,
        task,
        asked.question,
        facts,
        answer_model(task, criteria),
        tuple(picture for _, pictures in parts for picture in pictures),
        repeat,
        asked.system,
        longest=LONGEST * len(criteria),
    )
