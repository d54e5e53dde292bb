"""Checks the narrative of a window: each text's form, its names and its grounding.

What may be wrong with an answer: the wrong pictures, an empty text, a repeat of the text before, a
refusal, the prompt repeated, a prompt injection followed, a placeholder, another language, a note
to the reader, talk of the picture, a name that nobody has, a character by another name, texts that
are not about their pictures.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from pipeline.annotation import concepts
from pipeline.annotation.checks import (
    character_names,
    described_characters,
    grounding,
    languages,
    listed_names,
    persons,
    picture_order,
    place_names,
    prompt_injection,
    swapped_names,
)
from pipeline.annotation.checks.notes import note, placeholder
from pipeline.annotation.checks.prompt_echo import echo
from pipeline.annotation.checks.refusals import refusal
from pipeline.annotation.checks.repeated_text import loops, repeats, says_twice
from pipeline.config import DatasetConfig
from schemas.answers import NarrativeAnswer
from schemas.rows import Character

_MAX_FAULTS = 6  # in a repair prompt
_FEWEST_UNGROUNDED = 5  # texts of which one must say what its picture shows


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
        names = [character.name for character in characters]
        foreign = languages.wrong_languages(texts, config.stories.language, names)
        doubles = loops(texts, facts["told"])
        faults = [
            form
            or placeholder(text)
            or says_twice(text)
            or doubles.get(place, "")
            or foreign.get(place, "")
            or note(text)
            for place, (form, text) in enumerate(zip(faults, texts, strict=True))
        ]
        faults = [
            form or message
            for form, message in zip(
                faults, _name_faults(pairs, facts, characters, config), strict=True
            )
        ]
        faults = _with_ungrounded(faults, pairs, config)
        if not any(faults):
            return _window_fault(texts, facts, characters, config)
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
        or refusal(text, [*names, *(form for character in characters for form in character.names)])
        or echo(text, instructions)
        or prompt_injection.follows_injection(text, film, names)
    )


def _name_faults(
    pairs: Sequence[tuple[str, dict[str, Any], str]],
    facts: dict[str, Any],
    characters: Sequence[Character],
    config: DatasetConfig,
) -> list[str]:
    """Returns the faults of names: a character by another name, or one that nobody has.

    A name that the language's dictionary has may be a word; it is a name if it comes again, or is
    the only one: who capitalises words for style does so often.
    """
    language, code = config.stories.language, concepts.code(config.stories.language)
    sources = _sources_of_names(facts)
    unknown = [
        character_names.unknown(text, characters, sources, language, persons=True)
        for text, _, _ in pairs
    ]
    texts = [text for text, _, _ in pairs]
    lower = {word for text in texts for word in re.findall(r"[^\W\d_]+", text) if word.islower()}
    named = {
        name
        for text in texts
        for name in (
            *persons.named(text, language),
            *character_names.introduced(text, language),
        )
    }
    unknown = [
        [name for name in names if not name[:1].isupper() or name.casefold() not in lower]
        for names in unknown
    ]  # who writes a word with and without a capital means no name
    if concepts.code(language) in character_names.CAPITALISED_NOUNS:
        things = {word for text in texts for word in character_names.with_article(text, language)}
        unknown = [[name for name in names if name not in things - named] for names in unknown]
    doubtful = {name for names in unknown for name in names}
    titled = character_names.titled(texts, characters, sources, language)
    faults = []
    for (text, caption, _), names in zip(pairs, unknown, strict=True):
        misnamed = described_characters.misnamed(text, caption["characters"], characters)
        strangers = [
            name
            for name in names
            if (
                name in named
                or character_names.may_be_name(name, language)
                or character_names.is_given_name(name, texts)
            )
            and not place_names.is_only_place(name, texts, language)
            and not character_names.is_only_addressed(name, texts)
            and (
                character_names.is_surely_name(name, texts, language)
                or character_names.recurs(name, texts, language)
                or (len(doubtful) == 1 and character_names.is_lone_capital(name, text, language))
            )
        ]
        strangers += [name for name in titled if listed_names.has_word(text, name, code)]
        called = next((f"{look!r} is {name}: use the name" for look, name in misnamed.items()), "")
        faults.append(called or (f"nobody is called {strangers[0]}" if strangers else ""))
    return faults


def _with_ungrounded(
    faults: list[str], pairs: Sequence[tuple[str, dict[str, Any], str]], config: DatasetConfig
) -> list[str]:
    """Adds what English texts leave out of their captions, if none of a window says any of it."""
    if config.stories.language.partition("-")[0] != "en" or len(pairs) < _FEWEST_UNGROUNDED:
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
    if not all(ungrounded) or not config.stories.grounded:
        return faults
    return [first or second for first, second in zip(faults, ungrounded, strict=True)]


def _window_fault(
    texts: Sequence[str],
    facts: dict[str, Any],
    characters: Sequence[Character],
    config: DatasetConfig,
) -> str:
    """Returns what is wrong with the texts together, though each could be right: their order,
    swapped names, somebody or somewhere that no picture shows."""
    language, captions = config.stories.language, facts["captions"]
    cast = " . ".join(
        ", ".join((character.name, character.look, character.role, *character.called))
        for character in characters
    )
    dialogue = [line for caption in captions for line in (*caption["dialogue"], *caption["text"])]
    return (
        picture_order.disorder(texts, captions, language, config.stories.grounded)
        or swapped_names.swapped(
            texts,
            captions,
            {character.name: character.look for character in characters},
            {character.name: [character.name, *character.names] for character in characters},
            language,
        )
        or picture_order.newcomer(
            texts,
            captions,
            cast,
            " . ".join((facts["title"], *dialogue, *facts["told"])),
            language,
            [name for character in characters for name in (character.name, *character.names)],
        )
    )


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
                    *_lower_case_words(caption),
                )
            ),
        ]
    )


def _lower_case_words(caption: dict[str, Any]) -> list[str]:
    """Returns what a caption calls things, without names: the captioner may have made them up."""
    text = " ".join((*caption["characters"], caption["action"], caption["sentence"]))
    return [word for word in re.findall(r"[^\W\d_]+", text) if word.islower()]
