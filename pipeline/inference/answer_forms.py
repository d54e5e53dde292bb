"""Fits a JSON value to the fields of an answer, where a model used a form of its own.

Fields by another name, null for nothing, a list for a string and the reverse, numbers in words, an
object around the answer or none. What fits in no one manner is left as it is, for validation to
refuse. Nothing is invented.
"""

from __future__ import annotations

import contextlib
import functools
import json
import re
from collections.abc import Mapping
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from pipeline.runtime import word_lists

_BETWEEN_ITEMS = re.compile(r"\s*[,;\n、，،]\s*")
_SENTENCE_END = (".", "!", "?", "…", "。", "！", "？", "”", '"', "»")


def fitted(value: Any, kind: Any) -> Any:
    """Returns a value in the form that a field of the type `kind` has, or as it is."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return _object(value, kind)
    if _is_list_of_models(kind):
        return _objects(value, get_args(kind)[0])
    if get_origin(kind) is list:
        return _strings(value)
    if kind is str:
        return _string(value)
    if kind in (int, float) and isinstance(value, str):
        return _number(value)
    return value


def _object(value: Any, model: type[BaseModel]) -> Any:
    """Returns an object with the model's fields, which may be within another, or lack one."""
    if getattr(model, "reads_forms", False):  # and leaves what it cannot read to validation
        return value
    kinds = _kinds(model)
    if isinstance(value, str):
        if (decoded := _decoded(value)) is not None:
            return _object(decoded, model)
        required = [name for name, field in model.model_fields.items() if field.is_required()]
        texts = [name for name in required if kinds[name] is str]
        return {texts[0]: value} if len(texts) == 1 else value
    if isinstance(value, dict) and (parts := _by_field(value, kinds)):
        return {name: fitted(part, kinds[name]) for name, part in parts.items()}
    lists = [name for name, kind in kinds.items() if _is_list_of_models(kind)]
    if len(lists) == 1 and _is_list_itself(value, get_args(kinds[lists[0]])[0]):
        return {lists[0]: fitted(value, kinds[lists[0]])}
    if isinstance(value, dict | list):
        parts_of = value.values() if isinstance(value, dict) else value
        within = [part for part in parts_of if isinstance(part, dict | list) or _decoded(part)]
        if len(within) == 1:
            return _object(within[0], model)
    return value


def _kinds(model: type[BaseModel]) -> dict[str, Any]:
    """Returns the types of a model's fields."""
    return {name: field.annotation for name, field in model.model_fields.items()}


def _is_list_of_models(kind: Any) -> bool:
    item = get_args(kind)[0] if get_origin(kind) is list else None
    return isinstance(item, type) and issubclass(item, BaseModel)


def _is_list_itself(value: Any, item: type[BaseModel]) -> bool:
    """Returns whether a value is the list of an answer that has but this list."""
    if isinstance(value, dict):
        return _is_numbered(value) or bool(_by_field(value, _kinds(item)))
    return isinstance(value, list)


def _by_field(value: Mapping[str, Any], kinds: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the parts of an object by field: by its name, and else by the only other name."""
    found = {}
    for field, kind in kinds.items():
        named = [part for key, part in value.items() if _plain(key) == _plain(field)] or [
            part
            for key, part in value.items()
            if field in _other_names().get(_plain(key), ()) and not _is_around(part, kind)
        ]
        if len(named) == 1:
            found[field] = named[0]
    return found


def _is_around(part: Any, kind: Any) -> bool:
    """Returns whether a part has the answer in it rather than being a field of that type."""
    if kind is str:
        parts = part if isinstance(part, list) else [part]
        return any(isinstance(item, dict) or _decoded(item) for item in parts)
    return isinstance(part, dict) and not _is_numbered(part)


def _plain(key: str) -> str:
    return re.sub(r"[\W_]+", "", key.casefold())


@functools.cache
def _other_names() -> dict[str, set[str]]:
    """Returns the fields that each other name may mean."""
    found: dict[str, set[str]] = {}
    for line in word_lists.read(__package__, "answer_keys.txt"):
        field, _, names = line.partition(":")
        for name in names.split():  # vowel signs of Indic scripts are no letters to `re`
            found.setdefault(_plain(name), set()).add(field)
    return found


def _objects(value: Any, model: type[BaseModel]) -> Any:
    """Returns a list of objects: of a list of anything, or of an object by number or by name."""
    first, *_ = model.model_fields  # the number of a picture, or the name of a character
    if isinstance(value, dict) and not _by_field(value, _kinds(model)):
        entries = {_number(key): _object(part, model) for key, part in value.items()}
        if not all(isinstance(entry, dict) and first not in entry for entry in entries.values()):
            return value
        return [{first: key, **entry} for key, entry in entries.items()]
    if isinstance(value, dict):
        value = [value]
    if not isinstance(value, list):
        return value
    items = [_object(item, model) for item in value]
    said = [item for item in items if item is not None]
    if not all(isinstance(item, dict) for item in said):
        return value
    if model.model_fields[first].annotation is int and not any(first in item for item in said):
        items = [{first: place, **item} for place, item in enumerate(items) if item is not None]
    return items


def _is_numbered(value: Mapping[str, Any]) -> bool:
    return bool(value) and all(isinstance(_number(key), int) for key in value)


def _strings(value: Any) -> Any:
    if value is None:
        return []
    if isinstance(value, str):
        return [part for part in _BETWEEN_ITEMS.split(value.strip()) if part]
    if isinstance(value, list):
        return [_string(item) for item in value if item is not None]
    return value


def _string(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        sentences = all(item.rstrip().endswith(_SENTENCE_END) for item in value)
        return (" " if sentences else ", ").join(value)
    if isinstance(value, dict):
        texts = [part for part in value.values() if isinstance(part, str)]
        if len(texts) == 1:
            return texts[0]
    return value


def _number(value: str) -> Any:
    """Returns the one number of a text such as "Picture 3", "3." or "three"; else the text."""
    digits = re.findall(r"(?:(?<!\w)-)?\d+", value)
    if len(digits) == 1:
        return int(digits[0])
    words = [word for word in re.findall(r"\w+", value.casefold()) if word in _number_words()]
    return _number_words()[words[0]] if len(words) == 1 else value


@functools.cache
def _number_words() -> dict[str, int]:
    """Returns the numbers that words mean."""
    lines = [line.split() for line in word_lists.read(__package__, "number_words.txt")]
    return {word: number for words in lines for number, word in enumerate(words)}


def _decoded(value: Any) -> Any:
    """Returns the JSON object or list that a string holds, None for any other value."""
    if isinstance(value, str) and value.lstrip().startswith(("{", "[")):
        with contextlib.suppress(ValueError, RecursionError):
            return json.loads(value, strict=False)
    return None
