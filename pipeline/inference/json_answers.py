"""Reads the JSON of a model's answer, whatever the model wrote around it and however it wrote it.

An answer in the form asked for is read as it is. Any other is read if it has exactly one reading:
its syntax is mended (by json-repair, and only where every letter of the answer is kept and none is
added), and its values are fitted to the fields: a list for a string, null for nothing, other names
of the fields, an object around the answer or none. Nothing is invented, so an answer that was cut
off keeps its complete entries.
"""

from __future__ import annotations

import contextlib
import functools
import json
import re
import types
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar, get_args, get_origin

import json_repair
from pydantic import BaseModel, ValidationError

from pipeline.runtime import word_lists

MAX_LENGTH = 200_000  # characters of an answer; thirty texts have a fortieth of it

_BLANK = re.compile(r"[\x0b\x0c\x1c-\x1f\x85]")  # control characters that count as white space
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ufeff\ufffe\uffff]")

_MAX_MENDED = 50_000  # characters of an answer whose syntax is mended
_ESCAPE = re.compile(r"\\\\(?:u([0-9a-fA-F]{4})|.)", re.DOTALL)
_LETTERS = re.compile(r"[\W_]+")
_SEPARATOR = re.compile(r"\s*[,;\n、，،]\s*")
_DIGITS = re.compile(r"\d+")
_NUMBER_WORDS = {
    word: number
    for line in (
        "zero one two three four five six seven eight nine ten eleven twelve",
        "null eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf",
        "zéro un deux trois quatre cinq six sept huit neuf dix onze douze",
        "cero uno dos tres cuatro cinco seis siete ocho nueve diez once doce",
        "zero um dois três quatro cinco seis sete oito nove dez onze doze",
        "zero uno due tre quattro cinque sei sette otto nove dieci undici dodici",
        "ноль один два три четыре пять шесть семь восемь девять десять одиннадцать двенадцать",
        "零 一 二 三 四 五 六 七 八 九 十 十一 十二",
    )
    for number, word in enumerate(line.split())
}

T = TypeVar("T", bound=BaseModel)


class _Misfit(Exception):
    """A value cannot be fitted to a field in exactly one manner."""


def parse(text: str, model: type[T]) -> T:
    """Returns the answer in a text: see `read`."""
    return read(text, model)[0]


def read(text: str, model: type[T]) -> tuple[T, bool]:
    """Returns the answer in a text, and whether its form had to be forgiven.

    The answer is the last JSON object that validates against `model`, and failing that the only
    reading of the text that does. A fence of backquotes, reasoning before the answer and words
    around it are ignored, and all strings are cleaned (`clean`). Raises pydantic.ValidationError,
    or ValueError for a text that is too long to be an answer.
    """
    if len(text) > MAX_LENGTH:
        raise ValueError(f"the answer has {len(text)} characters; be brief")
    values: list[Any] = []
    for value in _objects(text):
        with contextlib.suppress(RecursionError):  # nested deeper than any answer
            values.append(_cleaned(value))
    found = None
    for value in values:
        with contextlib.suppress(ValidationError, RecursionError):
            found = model.model_validate(value)
    if found is not None:
        return found, False
    readings: list[T] = []
    for value in [*values, *([values] if values else []), *_mended(text)]:
        with contextlib.suppress(ValidationError, RecursionError, _Misfit):
            reading = model.model_validate(_fitted_to_model(value, model))
            if reading not in readings:
                readings.append(reading)
    if len(readings) == 1:
        return readings[0], True
    return model.model_validate_json(clean(text).strip()), False


def clean(text: str) -> str:
    """Returns a text without what files cannot hold or readers would not see: lone surrogates
    (half an emoji), NUL and other control characters but line breaks and tabs, byte order marks."""
    if text.isprintable():
        return text
    whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")
    return _CONTROL.sub("", _BLANK.sub(" ", whole))


def _cleaned(value: Any) -> Any:
    """Cleans all strings of a JSON value, keys too."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list):
        return [_cleaned(item) for item in value]
    if isinstance(value, dict):
        return {clean(key): _cleaned(item) for key, item in value.items()}
    return value


def _objects(text: str) -> Iterable[Any]:
    """Finds the outermost JSON objects in a text."""
    decoder = json.JSONDecoder(strict=False)  # models put bare line breaks into strings
    start = text.find("{")
    while start >= 0:
        try:
            value, start = decoder.raw_decode(text, start)
            yield value
        except ValueError:
            start += 1
        except RecursionError:
            return
        start = text.find("{", start)


def _mended(text: str) -> Iterable[Any]:
    """Finds values whose syntax is wrong, up to the last bracket that closes."""
    stop = max(text.rfind("}"), text.rfind("]")) + 1
    if len(text) > _MAX_MENDED:
        return
    brace, bracket = text.find("{"), text.find("[")
    starts = [brace if brace >= 0 else bracket]
    if 0 <= bracket < brace:  # a list, or words in brackets before the answer
        starts.insert(0, bracket)
    for start in starts:
        part = text[start:stop]
        if start < 0 or not part:
            continue
        with contextlib.suppress(RecursionError, ValueError):
            value = json_repair.loads(part)
            kept = _letters(part) == _letters(json.dumps(value, ensure_ascii=False))
            if kept and isinstance(value, dict | list):
                yield _cleaned(value)


def _letters(text: str) -> str:
    """Returns the letters and digits of JSON, which mending it may not change."""
    text = _ESCAPE.sub(lambda found: chr(int(found[1], 16)) if found[1] else "", text)
    return _LETTERS.sub("", re.sub(r"\bnone\b", "null", text.casefold()))


def _fitted_to_model(value: Any, model: type[BaseModel]) -> dict[str, Any]:
    """Returns an object with the fields of a model. Raises _Misfit if that is not clear."""
    fields = {name: field.annotation for name, field in model.model_fields.items()}
    lists = [name for name, kind in fields.items() if _item_model(kind)]
    if isinstance(value, str):
        texts = [name for name, field in model.model_fields.items() if field.is_required()]
        texts = [name for name in texts if fields[name] is str]
        if value.lstrip().startswith(("{", "[")):
            with contextlib.suppress(ValueError):
                return _fitted_to_model(json.loads(value, strict=False), model)
        if len(texts) == 1:
            return {texts[0]: value}
    if isinstance(value, list):
        if len(lists) == 1:
            return {lists[0]: _fitted(value, fields[lists[0]])}
        if len(value) == 1 and isinstance(value[0], dict):
            return _fitted_to_model(value[0], model)
    if not isinstance(value, dict):
        raise _Misfit
    found = _by_field(value, model)
    if not found:
        if len(lists) == 1 and all(str(key).strip().isdecimal() for key in value):
            return {lists[0]: _fitted(value, fields[lists[0]])}
        inner = [part for part in value.values() if isinstance(part, dict | list | str)]
        fitting = [part for part in inner if _fits(part, model)]
        if len(fitting) == 1:
            return _fitted_to_model(fitting[0], model)
        raise _Misfit
    return {name: _fitted(part, fields[name]) for name, part in found.items()}


def _by_field(value: dict[Any, Any], model: type[BaseModel]) -> dict[str, Any]:
    """Returns the values by field: by name, by another name of it, or by being the only one."""
    found: dict[str, Any] = {}
    unknown = dict(value)
    for accepted in (_plain, _named_otherwise):
        for key in list(unknown):
            names = accepted(str(key))
            matches = [name for name in model.model_fields if {name, _plain(name)} & set(names)]
            free = [name for name in matches if name not in found]
            if len(free) == 1:
                found[free[0]] = unknown.pop(key)
    missing = [
        (name, field.annotation)
        for name, field in model.model_fields.items()
        if field.is_required() and name not in found
    ]
    for name, kind in missing:
        alike = [key for key, part in unknown.items() if _is_of(part, kind)]
        if len(alike) == 1 and sum(other is kind for _, other in missing) == 1:
            found[name] = unknown.pop(alike[0])
    return found


def _plain(key: str) -> tuple[str, ...]:
    return (_LETTERS.sub("", key.casefold()),)


def _named_otherwise(key: str) -> tuple[str, ...]:
    return _fields_by_name().get(_plain(key)[0], ())


@functools.cache
def _fields_by_name() -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for line in word_lists.read(__package__, "answer_keys.txt"):
        field, _, names = line.partition(":")
        for name in names.split():
            found[name] = (*found.get(name, ()), field)
    return found


def _is_of(value: Any, kind: Any) -> bool:
    """Returns whether a value is of a field's kind as it stands."""
    if _item_model(kind):
        return isinstance(value, list) and all(isinstance(item, dict) for item in value)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return kind is str and isinstance(value, str)


def _fits(value: Any, model: type[BaseModel]) -> bool:
    with contextlib.suppress(ValidationError, _Misfit):
        model.model_validate(_fitted_to_model(value, model))
        return not isinstance(value, str) or value.lstrip().startswith(("{", "["))
    return False


def _item_model(kind: Any) -> type[BaseModel] | None:
    """Returns the model of a list's items, None where the kind is no list of models."""
    if get_origin(kind) is not list:
        return None
    item = get_args(kind)[0]
    return item if isinstance(item, type) and issubclass(item, BaseModel) else None


def _fitted(value: Any, kind: Any) -> Any:
    """Returns a value as a field of that kind has it, or as it is."""
    if get_origin(kind) is types.UnionType:
        return value
    if item := _item_model(kind):
        return _items(value, item)
    if get_origin(kind) is list:
        return _strings(value)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return _fitted_to_model(value, kind)
    if kind is str:
        return _string(value)
    if kind is int and isinstance(value, str):
        return _number(value)
    return value


def _items(value: Any, model: type[BaseModel]) -> list[dict[str, Any]]:
    """Returns a list of objects; those without their number are numbered in their order."""
    numbers = [name for name, field in model.model_fields.items() if field.annotation is int]
    if isinstance(value, dict):
        if not _by_field(value, model) and all(str(key).strip().isdecimal() for key in value):
            return [
                {**_fitted_to_model(part, model), **dict.fromkeys(numbers, int(key))}
                for key, part in value.items()
            ]
        value = [value]
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise _Misfit
    items = [_fitted_to_model(item, model) for item in value]
    if len(numbers) == 1 and not any(numbers[0] in item for item in items):
        items = [{**item, numbers[0]: place} for place, item in enumerate(items)]
    return items


def _strings(value: Any) -> Any:
    if value is None:
        return []
    if isinstance(value, str):
        return [part for part in _SEPARATOR.split(value.strip()) if part]
    if isinstance(value, list):
        return [_string(item) for item in value if item is not None]
    return value


def _string(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ", ".join(value)
    if isinstance(value, dict):
        texts = [part for part in value.values() if isinstance(part, str)]
        named = [part for key, part in value.items() if _plain(str(key))[0] in ("name", "text")]
        if len(named) == 1 or len(texts) == 1:
            return (named or texts)[0]
    return value


def _number(value: str) -> Any:
    """Returns the one number of a text such as "Picture 3", "3." or "three"; else the text."""
    digits = _DIGITS.findall(value)
    if len(digits) == 1:
        return int(digits[0])
    return _NUMBER_WORDS.get(value.strip().casefold(), value)


def describe(error: ValidationError) -> str:
    """Returns what is wrong with an answer, in one line for the model to read."""
    if "EOF while parsing" in str(error):
        return "answer: Invalid JSON: it ends too early"
    return "; ".join(
        f"{'.'.join(map(str, fault['loc'])) or 'answer'}: {fault['msg']}"
        for fault in error.errors(include_url=False)[:5]
    )
