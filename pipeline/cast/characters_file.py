"""Reads what a user says of the characters of a series, in a YAML file.

The file is `characters/<series>.yaml` of the dataset, a draft of the writer's until somebody edits
it, or one that the setting `characters` names. It maps the series to a list of entries (`Entry`).
`name`, `look`, `role`, `called` and `names` are for stories (`annotation.characters`); `same_as`,
`not_same_as` and `ignore` correct who is seen in which picture (`corrections`):

    Forest Tales:
    - name: Otto
      look: a small grey otter
      called: [the swimmer]
      same_as: [grey figure, forest_keyframe_0-1-12-300]
      not_same_as: ['forest_keyframe_0-0-4-160#xywh=10,20,50,60']
    - name: lamp
      same_as: [yellow figure]
      ignore: true
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import yaml
from pydantic import ConfigDict, Field, ValidationError, field_validator

from pipeline.config import DatasetConfig
from pipeline.ingest.naming import safe_name
from pipeline.runtime import storage
from schemas import layout
from schemas.answers import CharacterAnswer
from schemas.published import parse_keyframe_id

_DIGEST = re.compile(r"digest ([0-9a-f]{16})\n")  # in the head of a draft
_FIGURE = re.compile(r"(?P<keyframe>[^#]+)(?:#xywh=(?P<box>\d+,\d+,\d+,\d+))?")
_FORM = (
    "name a picture by its keyframe's id, and where it has several figures by a box too, as in "
    "'film_keyframe_0-1-12-300#xywh=10,20,50,60' (x, y, width, height in pixels, as in "
    "appearances.parquet)"
)


class CharactersError(ValueError):
    """A file of characters is invalid; the message has its name, the line and the remedy. Ends the
    run: a user's own file is mended, and no model is paid for stories without it."""

    exit_code = 2


class Picture(NamedTuple):
    """A figure in a picture, as a file names it."""

    keyframe: str
    box: tuple[int, int, int, int] | None  # x, y, width, height in pixels; None: its only figure


class Entry(CharacterAnswer):
    """What a file says of one character."""

    model_config = ConfigDict(extra="forbid")

    same_as: list[str] = Field(
        [], description="what it is called without the file, and pictures in which it is seen"
    )
    not_same_as: list[str] = Field([], description="pictures in which it is not seen")
    ignore: bool = Field(False, description="it is no character: a lamp, a cloud")
    was: list[str] = Field([], description="names that decisions on the pages took from it")

    @field_validator("called", "same_as", "not_same_as", mode="before")
    @classmethod
    def _several(cls, value: Any) -> Any:
        """Reads a single item without brackets, and nothing, as a list."""
        return [value] if isinstance(value, str) else value or []


def path(out: str, series: str) -> str:
    """Returns the path of a series' characters in a dataset folder."""
    return storage.join(out, *layout.characters_path(safe_name(series)).split("/"))


def picture(text: str) -> Picture | None:
    """Returns the figure that an item of `same_as` or `not_same_as` names, None if it is a name.

    Raises ValueError for the id of a keyframe with something else after it.
    """
    keyframe, number_sign, _ = text.partition("#")
    try:
        parse_keyframe_id(keyframe)
    except ValueError:
        if number_sign and "_keyframe_" in keyframe:
            raise
        return None
    match = _FIGURE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} does not end with a box")
    x, y, width, height = map(int, (match["box"] or "0,0,0,0").split(","))
    return Picture(keyframe, (x, y, width, height) if match["box"] else None)


def given(series: str, config: DatasetConfig, out: str) -> list[Entry] | None:
    """Reads what a user says of a series: in the configured file, or in an edited draft.

    Returns None if there is neither. Raises CharactersError for an invalid file.
    """
    if config.characters:
        by_series = read(config.characters)
        if series in by_series:
            if edited(series, out) is not None:
                raise CharactersError(
                    f"{config.characters} and {path(out, series)}, which was "
                    f"edited, both say who is who in {series}; delete one"
                )
            return by_series[series]
    return edited(series, out)


def edited(series: str, out: str) -> list[Entry] | None:
    """Reads the draft of a series if a user has edited it, else returns None.

    Raises CharactersError for an invalid file.
    """
    file = path(out, series)
    if not storage.exists(file):
        return None
    if untouched(read_text(file)):
        return None
    by_series = read(file)
    if series not in by_series:
        raise CharactersError(
            f"{file} does not name the series {series!r}, on a line of its own with a colon"
        )
    return by_series[series]


def untouched(text: str) -> bool:
    """Returns whether a file of characters is a draft that nobody has edited."""
    digest = _DIGEST.search(text)
    return digest is not None and digest[1] == body_digest(text[digest.end() :])


def body_digest(body: str) -> str:
    """Returns the digest by which the head of a draft knows the text below it."""
    return hashlib.sha256(body.encode()).hexdigest()[:16]


def read_text(file: str) -> str:
    """Reads a file of characters. Raises CharactersError where it cannot be read."""
    try:
        return storage.read_bytes(file).decode()
    except UnicodeDecodeError as error:
        raise CharactersError(f"{file} is not UTF-8 text ({error}): save it as UTF-8") from None
    except OSError as error:
        raise CharactersError(f"{file}: {error}") from None


def read(file: str) -> dict[str, list[Entry]]:
    """Reads a file of characters: the entries of each series.

    Raises CharactersError for an invalid one.
    """
    try:
        root = yaml.compose(text := read_text(file), Loader=yaml.SafeLoader)
        values = yaml.safe_load(text) or {}
    except (yaml.YAMLError, RecursionError) as error:
        raise CharactersError(f"{file} is not YAML: {error}") from None
    if not isinstance(values, dict):
        raise CharactersError(f"{file} must hold series, each with a list of characters")
    return {
        str(series): _entries(file, str(series), entries or [], _Lines(root, series))
        for series, entries in values.items()
    }


class _Lines:
    """Tells on which lines of a file the entries of a series are."""

    def __init__(self, root: yaml.Node | None, series: Any) -> None:
        self._root, self._series = root, str(series)

    def of(self, *path: str | int) -> int:
        """Returns the line, from 1, of an entry, a field of it or an item of a field; where there
        is none, that of what it would be in."""
        node, line = self._root, 1
        for step in (self._series, *path):
            found = self._step(node, step)
            if found is None:
                break
            line, node = found
        return line

    @staticmethod
    def _step(node: yaml.Node | None, step: str | int) -> tuple[int, yaml.Node] | None:
        if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            return node.value[step].start_mark.line + 1, node.value[step]
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == str(step):
                    return key.start_mark.line + 1, value
        return None


def _entries(file: str, series: str, entries: Any, lines: _Lines) -> list[Entry]:
    def error(message: str, *path: str | int) -> CharactersError:
        return CharactersError(f"{file}, line {lines.of(*path)} ({series}): {message}")

    if not isinstance(entries, list):
        raise error("must be a list of characters, each with '- name: ...'")
    checked = []
    for number, entry in enumerate(entries):
        try:
            checked.append(Entry.model_validate(entry))
        except ValidationError as invalid:
            first = invalid.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"]))
            raise error(
                f"{where + ': ' if where else ''}{first['msg']}; an entry has a name, and may have "
                "look, role, called (a list), names (a list, or one by language), same_as and "
                "not_same_as (lists) and ignore (true)",
                number,
                *first["loc"],
            ) from None
    first_with: dict[str, int] = {}
    for number, entry in enumerate(checked):
        name = entry.name.strip().casefold()
        if not name:
            raise error("a name is blank: give one, or delete the entry", number, "name")
        if (before := first_with.setdefault(name, number)) != number:
            raise error(
                f"{entry.name!r} is there twice, on line {lines.of(before, 'name')} too: make one "
                "entry of them",
                number,
                "name",
            )
    _check_references(checked, lines, error)
    return checked


def _check_references(entries: Sequence[Entry], lines: _Lines, error: Any) -> None:
    claimed: dict[str, tuple[int, int]] = {}
    for number, entry in enumerate(entries):
        for field in ("same_as", "not_same_as"):
            for item, text in enumerate(getattr(entry, field)):
                try:
                    is_picture = picture(text) is not None
                except ValueError as fault:
                    raise error(f"{field}: {fault}; {_FORM}", number, field, item) from None
                if field == "not_same_as" and not is_picture:
                    raise error(
                        f"not_same_as: {text!r} is no picture; {_FORM}. Somebody else of that name "
                        "has an entry with same_as",
                        number,
                        field,
                        item,
                    )
                if field == "not_same_as" and text in entry.same_as:
                    raise error(
                        f"{text!r} is in same_as and not_same_as of {entry.name}: delete one",
                        number,
                        field,
                        item,
                    )
                if field == "same_as" and (before := claimed.setdefault(text, (number, item))) != (
                    number,
                    item,
                ):
                    raise error(
                        f"same_as: {text!r} is on line {lines.of(before[0], field, before[1])} "
                        "too: delete one",
                        number,
                        field,
                        item,
                    )
