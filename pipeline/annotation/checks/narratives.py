"""Checks the narrative of a window: each text's form, its names and its grounding.

What may be wrong with an answer: the wrong pictures, an empty text, a repeat of the text before, a
refusal, the prompt repeated, a prompt injection followed, a name that nobody has, a character by
another name, a text that is not about its picture.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from pipeline.annotation.checks import character_names, grounding, prompt_injection
from pipeline.annotation.checks.prompt_echo import echo
from pipeline.annotation.checks.refusals import refusal
from pipeline.annotation.checks.repeated_text import repeats
from pipeline.config import DatasetConfig
from schemas.answers import NarrativeAnswer
from schemas.rows import Character

_MAX_FAULTS = 6  # in a repair prompt


def fault(
    answer: NarrativeAnswer,
    facts: dict[str, Any],
    characters: Sequence[Character],
    config: DatasetConfig,
    instructions: Sequence[str],
) -> str:
    """Returns what is wrong with a narrative, for the model to read; "" for nothing.

    `facts` are those of the request, `instructions` the lines of its prompt that hold no data.
    """
    numbers = [sentence.frame for sentence in answer.sentences]
    if numbers != facts["frames"]:
        return f"the pictures must be {facts['frames']}, in this order, but were {numbers}"
    texts = [sentence.text.strip() for sentence in answer.sentences]
    pairs = list(zip(texts, facts["captions"], [facts["before"], *texts], strict=False))
    faults = [
        _form_fault(text, before, facts, characters, instructions) for text, _, before in pairs
    ]
    if config.writer != "embedded":  # which starts from the caption and invents no name
        faults = [
            form or _name_fault(text, caption, facts, characters, config)
            for form, (text, caption, _) in zip(faults, pairs, strict=True)
        ]
        faults = _with_ungrounded(faults, pairs, config)
    messages = [
        f"picture {number}: {message}"
        for number, message in zip(numbers, faults, strict=True)
        if message
    ]
    return "; ".join(messages[:_MAX_FAULTS])


def frames_at_fault(fault: str) -> list[int]:
    """Returns the pictures whose texts a fault is about; none if it is about the whole answer, or
    about more than a repair prompt lists."""
    frames = [int(number) for number in re.findall(r"(?:^|; )picture (\d+): ", fault)]
    return frames if len(frames) < _MAX_FAULTS else []


def _form_fault(
    text: str,
    before: str,
    facts: dict[str, Any],
    characters: Sequence[Character],
    instructions: Sequence[str],
) -> str:
    """Returns why a text is not part of a story, whatever its picture shows; "" if it is."""
    if not text:
        return "the text is empty"
    film = [
        line for caption in facts["captions"] for line in (*caption["dialogue"], *caption["text"])
    ]
    names = [character.name for character in characters]
    return (
        repeats(text, before)
        or refusal(text)
        or echo(text, instructions)
        or prompt_injection.follows_injection(text, film, names)
    )


def _name_fault(
    text: str,
    caption: dict[str, Any],
    facts: dict[str, Any],
    characters: Sequence[Character],
    config: DatasetConfig,
) -> str:
    """Returns the fault of a name: a character by another name, or one that nobody has."""
    for called, name in character_names.misnamed(text, caption["characters"], characters).items():
        return f"{called!r} is {name}: use the name"
    strangers = character_names.unknown(
        text, characters, _sources_of_names(facts), config.stories.language
    )
    return f"nobody is called {strangers[0]}" if strangers else ""


def _with_ungrounded(
    faults: list[str], pairs: Sequence[tuple[str, dict[str, Any], str]], config: DatasetConfig
) -> list[str]:
    """Adds the texts that are not about their pictures, if there are more than configured.

    A few may be: grounding compares words, and a good story has its own.
    """
    if config.stories.language.partition("-")[0] != "en":
        return faults
    ungrounded = [
        grounding.ungrounded(
            text,
            [*caption["characters"], *caption["objects"]],
            list(caption["who"].values()),
            caption["action"],
            caption["sentence"],
            before,
            dialogue=caption["dialogue"],
        )
        for text, caption, before in pairs
    ]
    share = sum(not message for message in ungrounded) / len(ungrounded)
    if share >= config.stories.grounded:
        return faults
    return [first or second for first, second in zip(faults, ungrounded, strict=True)]


def _sources_of_names(facts: dict[str, Any]) -> str:
    """Returns the film's text that a name may come from: all but the captioner's names."""
    return " ".join(
        [
            facts["title"],
            facts["so_far"],
            *(
                part
                for caption in facts["captions"]
                for part in (
                    *caption["dialogue"],
                    *caption["text"],
                    caption["place"],
                    *caption["objects"],
                )
            ),
        ]
    )
