"""Reads the JSON of a model's answer, whatever the model wrote around it and however it wrote it.

An answer in the form asked for is read as it is. Any other is read if it has exactly one reading:
its values are fitted to the fields (`answer_forms`), and faults of syntax are repaired by
json-repair, as far as every letter of the answer is kept. An answer that was cut off has no
reading, as nobody knows the rest.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import json_repair
from pydantic import BaseModel, ValidationError

from pipeline.inference import answer_forms, non_json_answers, plain_text

MAX_LENGTH = 200_000  # characters of an answer; thirty texts have a fortieth of it
_MAX_REPAIRED = 50_000  # characters of an answer whose syntax is repaired, which takes time
_MAX_BRACKETS = 200  # of an answer in another form; thirty texts as objects have 32

_BLANK = re.compile(r"[\x0b\x0c\x1c-\x1f\x85]")  # control characters that count as white space
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ufeff\ufffe\uffff]")
_FULL_WIDTH = str.maketrans("｛｝［］：，＂", '{}[]:,"')
# A string that has the next key in it: its quotation marks are of no kind that JSON has.
_RUN_ON = re.compile(r"[»”’」]\s*[,，]\s*[«“‘「][^«»“”‘’「」]{1,40}[»”’」]\s*[:：]")
# Strings, or comments as JavaScript and Python have them.
_COMMENTS = re.compile(r'("(?:\\.|[^"\\])*")|//[^\n]*|/\*.*?\*/|#[^\n]*', re.DOTALL)
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|.)", re.DOTALL)

T = TypeVar("T", bound=BaseModel)


def read(text: str, model: type[T]) -> tuple[T, bool]:
    """Returns the answer in a text, and whether its form had to be forgiven.

    The answer is the last JSON object that validates against `model`, and failing that the only
    other reading of the text. A fence of backquotes, reasoning before the answer and words around
    it are ignored, and all strings are cleaned (`clean`, `plain_text.plain`). Raises
    pydantic.ValidationError, or ValueError for a text that is too long to be an answer.
    """
    if len(text) > MAX_LENGTH:
        raise ValueError(f"the answer has {len(text)} characters; be brief")
    answer, forgiven = _read(text, model)
    plain = model.model_validate(_strings_changed(answer.model_dump(), _plain))
    return plain, forgiven or plain != answer


def _read(text: str, model: type[T]) -> tuple[T, bool]:
    if "{" not in text and "｛" in text:
        return _read(text.translate(_FULL_WIDTH), model)[0], True
    values, rest = _objects(text)
    if not values and (bare := _without_comments(text)) != text:
        return _read(bare, model)[0], True
    for value in reversed(values):
        with contextlib.suppress(ValidationError, RecursionError):
            answer = model.model_validate(value)
            # Other names of fields that may be empty are not seen by validating.
            reading = _reading(value, model) or answer
            return reading, reading != answer
    opened = text.count("{") + text.count("[")
    cut_off = any(text.count(opening) > text.count(closing) for opening, closing in ("{}", "[]"))
    if cut_off or opened > _MAX_BRACKETS:
        readings: list[T | None] = []
    elif values and not {"{", "}"} & set(rest):
        lines = _reading(values, model) if len(values) > 1 else None
        readings = [lines] if lines else [_reading(value, model) for value in values]
    else:
        readings = _repaired(text, model)
        if "{" not in text:
            readings += [_reading(value, model) for value in non_json_answers.values(text)]
    found = [reading for reading in readings if reading is not None]
    if found and all(reading == found[0] for reading in found):
        return found[0], True
    if twice := _keys_said_twice(text):
        raise ValueError(f"the answer says {', '.join(twice)} twice, and not the same")
    return model.model_validate_json(clean(text).strip()), False


def clean(text: str) -> str:
    """Returns a text without what files cannot hold or readers would not see: lone surrogates
    (half an emoji), NUL and other control characters but line breaks and tabs, byte order marks."""
    if text.isprintable():
        return text
    whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")
    return _CONTROL.sub("", _BLANK.sub(" ", whole))


def _plain(text: str) -> str:
    return clean(plain_text.plain(text))


def _strings_changed(value: Any, change: Callable[[str], str]) -> Any:
    """Changes all strings of a JSON value, keys too."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_strings_changed(item, change) for item in value]
    if isinstance(value, dict):
        return {change(key): _strings_changed(item, change) for key, item in value.items()}
    return value


def _objects(text: str) -> tuple[list[Any], str]:
    """Finds the outermost JSON objects in a text. Returns their values and the rest of the text."""
    # Models put bare line breaks into strings.
    decoder = json.JSONDecoder(strict=False, object_pairs_hook=_without_doubles)
    values, rest, read = [], "", 0
    start = text.find("{")
    while start >= 0:
        try:
            value, end = decoder.raw_decode(text, start)
            values.append(_strings_changed(value, clean))
            rest, read = rest + text[read:start], end
        except ValueError:
            end = start + 1
        except RecursionError:  # nested deeper than any answer
            break
        start = text.find("{", end)
    return values, rest + text[read:]


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Makes an object of its pairs. Raises ValueError where a key is there twice with different
    values, as nobody knows which is meant."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        if found.setdefault(key, value) != value:
            raise ValueError(f"{key} is there twice")
    return found


def _keys_said_twice(text: str) -> list[str]:
    """Returns the keys that an object of a JSON text has twice, with different values."""
    twice: dict[str, None] = {}

    def note(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        first: dict[str, Any] = {}
        for key, value in pairs:
            if first.setdefault(key, value) != value:
                twice[repr(key)] = None
        return first

    start, stop = text.find("{"), text.rfind("}") + 1
    with contextlib.suppress(ValueError, RecursionError):
        json.loads(text[start:stop], strict=False, object_pairs_hook=note)
    return list(twice)


def _without_comments(text: str) -> str:
    """Returns JSON without the comments that some models write into it."""
    start = text.find("{")
    if start < 0:
        return text
    return text[:start] + _COMMENTS.sub(lambda found: found[1] or "", text[start:])


def _reading(value: Any, model: type[T]) -> T | None:
    with contextlib.suppress(ValidationError, RecursionError):
        return model.model_validate(answer_forms.fitted(value, model))
    return None


def _repaired(text: str, model: type[T]) -> list[T | None]:
    """Reads lists, and values with faults of syntax that can be repaired without loss."""
    stop = max(text.rfind("}"), text.rfind("]")) + 1
    readings: list[T | None] = []
    for start in {text.find("{"), text.find("[")}:  # a bracket may be of words before the answer
        part = text[start:stop]
        if start < 0 or len(part) > _MAX_REPAIRED:
            continue
        with contextlib.suppress(RecursionError, ValueError):
            value = _strings_changed(json_repair.loads(part), clean)
            reading = _reading(value, model)
            if any(map(_RUN_ON.search, _strings(value))):
                continue
            if reading and _letters(part) == _letters(json.dumps(value, ensure_ascii=False)):
                kept = _letters(reading.model_dump_json())
                readings += [reading] * all(_letters(said) in kept for said in _strings(value))
    return readings


def _letters(text: str) -> str:
    """Returns the letters and digits of JSON."""
    text = _ESCAPE.sub(lambda found: chr(int(found[1], 16)) if found[1] else "", text)
    return re.sub(r"[\W_]+", "", re.sub(r"\bnone\b", "null", text.casefold()))


def _strings(value: Any) -> Iterable[str]:
    """Finds the strings of a JSON value, without keys."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _strings(part)


def describe(error: ValidationError) -> str:
    """Returns what is wrong with an answer, in one line for the model to read."""
    if "EOF while parsing" in str(error):
        return "answer: Invalid JSON: it ends too early"
    return "; ".join(
        f"{'.'.join(map(str, fault['loc'])) or 'answer'}: {fault['msg']}"
        for fault in error.errors(include_url=False)[:5]
    )
