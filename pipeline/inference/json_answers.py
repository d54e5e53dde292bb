"""Reads the JSON of a model's answer, whatever the model wrote around it."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterable
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

MAX_LENGTH = 200_000  # characters of an answer; thirty texts have a fortieth of it

_BLANK = re.compile(r"[\x0b\x0c\x1c-\x1f\x85]")  # control characters that count as white space
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ufeff\ufffe\uffff]")

T = TypeVar("T", bound=BaseModel)


def parse(text: str, model: type[T]) -> T:
    """Returns the last JSON object in the text that validates against `model`.

    A fence of backquotes, reasoning before the answer and words around it are ignored, and all
    strings are cleaned (`clean`). Raises pydantic.ValidationError, or ValueError for a text that is
    too long to be an answer.
    """
    if len(text) > MAX_LENGTH:
        raise ValueError(f"the answer has {len(text)} characters; be brief")
    found = None
    for value in _objects(text):
        with contextlib.suppress(ValidationError, RecursionError):
            found = model.model_validate(_cleaned(value))
    return found if found is not None else model.model_validate_json(clean(text).strip())


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


def describe(error: ValidationError) -> str:
    """Returns what is wrong with an answer, in one line for the model to read."""
    if "EOF while parsing" in str(error):
        return "answer: Invalid JSON: it ends too early"
    return "; ".join(
        f"{'.'.join(map(str, fault['loc'])) or 'answer'}: {fault['msg']}"
        for fault in error.errors(include_url=False)[:5]
    )
