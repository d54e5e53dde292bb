"""Who is who in a series: its character bible, given by the user or drafted by the writer.

A captioner that sees one picture at a time calls the same character by many names. So before any
story is written, each series gets a short list of its characters: the one name that stories use, a
look, a role, and what captions call them. It lies as YAML in the dataset folder, to be read and
edited: what a person has changed is kept and used, and what nobody has touched is drafted anew when
the captions change. A file that the config names goes before both.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import yaml
from pydantic import ValidationError

from pipeline.annotation import prompts, words
from pipeline.annotation.checks import prompt_injection, refusals
from pipeline.config import DatasetConfig
from pipeline.inference.backends import Request
from pipeline.inference.client import Asker, Outcome, ask
from pipeline.ingest.naming import safe_name
from pipeline.ingest.subtitles import split_speaker
from pipeline.runtime import storage
from schemas.answers import CharactersAnswer
from schemas.layout import characters_path
from schemas.rows import Caption, Character, Keyframe

GIVEN, SUBTITLES = "given", "subtitles"  # where characters come from, if not from a model
MOST = 20  # characters of a series; more is not a list of who matters
_SHOWN = 60  # descriptions, sentences and lines that a writer is shown
_HEAD = (
    "# Who is who in this series. Change what you like: stories are written anew from it, and "
    "your\n# changes are kept. Source: {source}; digest {digest}\n"
)
_DIGEST = re.compile(r"digest ([0-9a-f]{16})\n")


class CharactersError(ValueError):
    """A file of characters that cannot be used, with its name and the remedy."""


def path(out: str, series: str) -> str:
    """Where the characters of a series lie in a dataset folder."""
    return storage.join(out, *characters_path(safe_name(series)).split("/"))


def given(series: str, config: DatasetConfig, out: str) -> list[Character] | None:
    """What a person says of a series: in the config's file, or by editing a draft; else None.

    Raises CharactersError for a file that cannot be used.
    """
    if config.characters:
        by_series = _mapping(config.characters)
        if series in by_series:
            if edited(series, out) is not None:
                raise CharactersError(
                    f"{config.characters} and {path(out, series)}, which was "
                    f"edited, both say who is who in {series}; delete one"
                )
            return _checked(config.characters, series, by_series[series])
    return edited(series, out)


def edited(series: str, out: str) -> list[Character] | None:
    """What a person made of the draft of a series, None where there is none or nobody touched it.

    Raises CharactersError for a file that cannot be used.
    """
    file = path(out, series)
    if not storage.exists(file):
        return None
    if untouched(storage.read_bytes(file).decode()):
        return None
    entries = _mapping(file)
    if series not in entries:
        raise CharactersError(
            f"{file} does not name the series {series!r}, on a line of its own with a colon"
        )
    return _checked(file, series, entries[series])


def untouched(text: str) -> bool:
    """Whether a file of characters is as `save` wrote it."""
    digest = _DIGEST.search(text)
    return digest is not None and digest[1] == _body_digest(text[digest.end() :])


def check_file(file: str) -> None:
    """Raises CharactersError for a file of characters that cannot be used."""
    for series, entries in _mapping(file).items():
        _checked(file, series, entries)


def save(
    out: str,
    series: str,
    characters: Sequence[Character],
    replacing: Callable[[], None] = lambda: None,
) -> None:
    """Keeps the characters of a series as a file to edit. `replacing` is called before one that is
    there is replaced."""
    entries = [
        {"name": one.name, "look": one.look, "role": one.role, "called": list(one.called)}
        for one in characters
    ]
    body = yaml.safe_dump({series: entries}, sort_keys=False, allow_unicode=True)
    head = _HEAD.format(source=characters[0].source, digest=_body_digest(body))
    file, data = path(out, series), (head + body).encode()
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
    asker: Asker,
    config: DatasetConfig,
) -> tuple[list[Character], Outcome]:
    """The characters of a series, as the writer makes them out from its captions and dialogue.

    Without a usable answer those who speak by name are the list. Raises Stop where no more
    questions are answered.
    """
    facts = _facts(series, keyframes, captions, titles)

    def prompt(retry: str = "") -> str:
        return prompts.render("characters", config.prompts, **facts, retry=retry)

    def check(answer: CharactersAnswer) -> str:
        return _fault(answer, facts["dialogue"]) or _invented(answer, facts)

    outcome = await ask(
        Request(f"{series}_characters", "characters", prompt(), facts, CharactersAnswer),
        asker,
        check,
        prompt,
    )
    if outcome.value is None:
        found = [Character(series, name, "", "", [], SUBTITLES) for name in facts["speakers"]]
    else:  # the embedded writer knows names from the subtitles only
        source = SUBTITLES if config.writer == "embedded" else asker.name
        found = [
            Character(
                series, " ".join(one.name.split()), one.look, one.role, list(one.called), source
            )
            for one in outcome.value.characters
        ]
    return found, outcome


def _facts(
    series: str, keyframes: Sequence[Keyframe], captions: Sequence[Caption], titles: Sequence[str]
) -> dict[str, Any]:
    """What a writer is told of a series, however long it is: what is frequent, and examples."""
    lines = [line for keyframe in keyframes for line in keyframe.dialogue]
    speakers = Counter(name for line in lines if (name := split_speaker(line)[0]))
    called = Counter(
        one.strip() for caption in captions for one in caption.characters if one.strip()
    )
    return {
        "series": series,
        "titles": _some(sorted({title for title in titles if title})),
        "speakers": dict(sorted(speakers.most_common(_SHOWN), key=lambda one: (-one[1], one[0]))),
        "descriptions": dict(sorted(called.most_common(_SHOWN), key=lambda one: (-one[1], one[0]))),
        "sentences": _some([caption.sentence for caption in captions]),
        "dialogue": _some(lines),
    }


def _some(items: Sequence[str]) -> list[str]:
    count = min(len(items), _SHOWN)
    return [items[at * len(items) // count] for at in range(count)]


def _invented(answer: CharactersAnswer, facts: Mapping[str, Any]) -> str:
    known = set(words.words(json.dumps(facts, ensure_ascii=False)))
    for one in answer.characters:
        if new := [word for word in words.words(one.name) if word not in known | words.STOP]:
            return f"the name {one.name!r} is made up: nothing that you were told has {new[0]!r}"
    return ""


def _fault(answer: CharactersAnswer, film: Sequence[str]) -> str:
    names = [one.name.strip().casefold() for one in answer.characters]
    if len(names) > MOST:
        return f"there are {len(names)} characters; name the {MOST} that matter most"
    if "" in names:
        return "a name is blank"
    if twice := sorted({name for name in names if names.count(name) > 1}):
        return f"{twice[0]!r} is there twice; one entry for each character"
    for one in answer.characters:
        whole = f"{one.name}. {one.look}. {one.role}"
        if fault := refusals.refusal(whole) or prompt_injection.obeyed(whole, film):
            return f"{one.name}: {fault}"
    return ""


def _body_digest(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()[:16]


def _mapping(file: str) -> dict[str, Any]:
    try:
        values = yaml.safe_load(storage.read_bytes(file).decode()) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CharactersError(f"{file} is not YAML: {error}") from None
    except OSError as error:
        raise CharactersError(f"{file}: {error}") from None
    if not isinstance(values, dict):
        raise CharactersError(f"{file} must hold series, each with a list of characters")
    return {str(series): entries for series, entries in values.items()}


def _checked(file: str, series: str, entries: Any) -> list[Character]:
    try:
        answer = CharactersAnswer.model_validate({"characters": entries or []})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"][1:]))
        raise CharactersError(
            f"{file}, {series}, {where}: {first['msg']}; an entry has a name, "
            "and may have look, role and called (a list)"
        ) from None
    if fault := _fault(answer, []):
        raise CharactersError(f"{file}, {series}: {fault}")
    return [
        Character(series, one.name, one.look, one.role, list(one.called), GIVEN)
        for one in answer.characters
    ]
