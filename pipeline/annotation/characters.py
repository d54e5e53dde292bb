"""Makes the list of a series' characters: given by the user, or drafted by the writer.

A captioner that sees one picture at a time calls the same character by many names. So before any
story is written, each series gets a list of its characters: the one name that stories use, a look,
a role, and what captions call them. It is written as YAML to the dataset folder, to be read and
edited: an edited file is kept and used, an unedited one is drafted again when the captions change.
A file named in the configuration takes precedence over both (`cast.characters_file`).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import yaml

from pipeline.annotation import prompts, words
from pipeline.annotation.checks import prompt_injection
from pipeline.annotation.checks.refusals import refusal
from pipeline.annotation.names_from_dialogue import speakers
from pipeline.cast import characters_file
from pipeline.cast.characters_file import CharactersError, Entry
from pipeline.config import DatasetConfig
from pipeline.inference.client import ModelClient
from pipeline.inference.protocol import Request
from pipeline.inference.repair import Outcome, ask
from pipeline.runtime import storage
from schemas import layout
from schemas.answers import CharactersAnswer
from schemas.rows import GIVEN, Caption, CastMember, Character, Keyframe

SUBTITLES = "subtitles"  # the source of characters that no model drafted and no user gave
MAX_CHARACTERS = 20  # of a series
_ENTRY = 150  # tokens of an entry at most, in whatever language
_MAX_SHOWN = 60  # descriptions, sentences and lines in a prompt
_HEAD = (
    "# Who is who in this series. Change what you like: stories are written anew from it, and "
    "your\n# changes are kept. same_as, not_same_as and ignore correct who is seen in which "
    "picture.\n# Source: {source}; digest {digest}\n"
)


def given(series: str, config: DatasetConfig, out: str) -> list[Character] | None:
    """Reads the characters that a user gives: in the configured file, or in an edited draft.

    Returns None if there are none. Raises CharactersError for an invalid file.
    """
    entries = characters_file.given(series, config, out)
    return None if entries is None else _checked(series, entries)


def drafted(series: str, out: str) -> list[Character]:
    """Reads the characters of a series that a run has drafted and nobody edited, [] if there are
    none. Raises CharactersError for an invalid file."""
    file = characters_file.path(out, series)
    if not storage.exists(file):
        return []
    return _checked(series, characters_file.read(file).get(series, []))


def check_edited(out: str) -> None:
    """Raises CharactersError for an invalid file of characters in the dataset folder `out`."""
    for file, _ in storage.find_in(storage.join(out, layout.CHARACTERS), "*.yaml"):
        if not characters_file.untouched(characters_file.read_text(file)):
            check_file(file)


def check_file(file: str) -> None:
    """Raises CharactersError for an invalid file of characters."""
    for series, entries in characters_file.read(file).items():
        try:
            _checked(series, entries)
        except CharactersError as error:
            raise CharactersError(f"{file}, {error}") from None


def save(
    out: str,
    series: str,
    characters: Sequence[Character],
    replacing: Callable[[], None] = lambda: None,
) -> None:
    """Writes the characters of a series as a file to edit.

    `replacing` is called before an existing file is replaced.
    """
    entries = [
        {
            "name": character.name,
            "look": character.look,
            "role": character.role,
            "called": list(character.called),
            **({"names": list(character.names)} if character.names else {}),
        }
        for character in characters
    ]
    body = yaml.safe_dump({series: entries}, sort_keys=False, allow_unicode=True)
    head = _HEAD.format(source=characters[0].source, digest=characters_file.body_digest(body))
    file, data = characters_file.path(out, series), (head + body).encode()
    if storage.exists(file):
        if storage.read_bytes(file) == data:
            return
        replacing()
    storage.write_bytes(file, data)


async def draft(
    series: str,
    keyframes: Sequence[Keyframe],
    captions: Sequence[Caption],
    titles: Sequence[str],
    client: ModelClient,
    config: DatasetConfig,
    *,
    cast: Sequence[CastMember] = (),
) -> tuple[list[Character], Outcome]:
    """Drafts the characters of a series with the writer, from who is seen, captions and dialogue.

    Without a usable answer the list is those whose names the dialogue gives, as speakers. Raises
    Stop when no further request can be answered.
    """
    facts = _facts(series, keyframes, captions, cast, titles)
    language = config.stories.language
    asked = prompts.render("characters", config.prompts, **facts, language=language)

    def check(answer: CharactersAnswer) -> str:
        return _fault(answer, facts["dialogue"]) or _invented_name(answer, facts)

    outcome = await ask(
        Request(
            f"{series}_characters",
            "characters",
            asked.question,
            facts,
            CharactersAnswer,
            system=asked.system,
            longest=MAX_CHARACTERS * _ENTRY,
        ),
        client,
        check,
        lambda again, fault: prompts.corrected(again, config.prompts, fault=fault),
    )
    await client.ask_again(outcome.failed)
    if outcome.value is None:
        characters = [Character(series, name, "", "", [], SUBTITLES) for name in facts["speakers"]]
    else:  # the embedded writer has names from the subtitles only
        source = SUBTITLES if config.writer == "embedded" else client.name
        characters = [
            Character(
                series,
                " ".join(character.name.split()),
                character.look,
                character.role,
                list(character.called),
                source,
                list(character.names),
            )
            for character in outcome.value.characters
        ]
    return characters, outcome


def _facts(
    series: str,
    keyframes: Sequence[Keyframe],
    captions: Sequence[Caption],
    cast: Sequence[CastMember],
    titles: Sequence[str],
) -> dict[str, Any]:
    """Collects what the prompt says of a series: frequent names and descriptions, and samples."""
    lines = [line for keyframe in keyframes for line in keyframe.dialogue]
    descriptions = Counter(
        description.strip()
        for caption in captions
        for description in caption.characters
        if description.strip()
    )
    return {
        "series": series,
        "titles": _sample(sorted({title for title in titles if title})),
        "seen": {member.name: member.pictures for member in cast[:_MAX_SHOWN]},
        "speakers": _most_frequent(speakers(lines)),
        "descriptions": _most_frequent(descriptions),
        "sentences": _sample([caption.sentence for caption in captions]),
        "dialogue": _sample(lines),
    }


def _most_frequent(counts: Counter[str]) -> dict[str, int]:
    """Returns the most frequent names with their counts, in that order, then by name."""
    return dict(sorted(counts.most_common(_MAX_SHOWN), key=lambda entry: (-entry[1], entry[0])))


def _sample(items: Sequence[str]) -> list[str]:
    """Returns evenly spaced items of a sequence."""
    count = min(len(items), _MAX_SHOWN)
    return [items[number * len(items) // count] for number in range(count)]


def _invented_name(answer: CharactersAnswer, facts: Mapping[str, Any]) -> str:
    """Returns the fault of an answer with a name that is not in the prompt, "" for none."""
    known = words.STOP_WORDS.union(words.tokenize(json.dumps(facts, ensure_ascii=False)))
    for character in answer.characters:
        if new := [word for word in words.tokenize(character.name) if word not in known]:
            return (
                f"the name {character.name!r} is made up: nothing that you were told has {new[0]!r}"
            )
    return ""


def _fault(answer: CharactersAnswer, film: Sequence[str]) -> str:
    """Returns what is wrong with a list of characters, "" for nothing; `film` is its dialogue."""
    names = [character.name.strip().casefold() for character in answer.characters]
    if len(names) > MAX_CHARACTERS:
        return f"there are {len(names)} characters; name the {MAX_CHARACTERS} that matter most"
    if "" in names:
        return "a name is blank"
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        return f"{repeated[0]!r} is there twice; one entry for each character"
    for character in answer.characters:
        text = f"{character.name}. {character.look}. {character.role}"
        if fault := refusal(text) or prompt_injection.follows_injection(text, film):
            return f"{character.name}: {fault}"
    return ""


def _checked(series: str, entries: Sequence[Entry]) -> list[Character]:
    """Returns those of the entries of a series that are characters."""
    chosen = [entry for entry in entries if not entry.ignore]
    if fault := _fault(CharactersAnswer(characters=list(chosen)), []):
        raise CharactersError(f"{series}: {fault}")
    return [
        Character(
            series,
            entry.name,
            entry.look,
            entry.role,
            list(entry.called),
            GIVEN,
            list(entry.names),
        )
        for entry in chosen
    ]
