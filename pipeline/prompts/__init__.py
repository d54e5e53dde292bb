"""The questions put to models: jinja2 templates with a version on their first line.

A prompt's version goes into the names of part files, so a new wording means new answers and an
unchanged one means none are asked for twice. What comes out of a film (subtitles, words on the
screen) and out of other models is only ever put into a template through `data`, which writes it as
one JSON string: it cannot close its quotes and so cannot pass for a part of the question.
"""

from __future__ import annotations

import functools
import json
import re
from importlib import resources
from typing import Any

import jinja2

_VERSION = re.compile(r"# version: (\S+)\n")


def _data(value: Any) -> str:
    """A value as one line of JSON, with the angle brackets of special tokens spelt out."""
    if isinstance(value, jinja2.Undefined):
        str(value)  # raises, and says which blank was left
    line = json.dumps(value, ensure_ascii=False)
    return line.replace("<", "\\u003c").replace(">", "\\u003e")


_ENVIRONMENT = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True,
                                  trim_blocks=True, lstrip_blocks=True, autoescape=False)
_ENVIRONMENT.filters["data"] = _data


@functools.cache
def _read(name: str) -> tuple[str, str]:
    """Version and template text. Raises ValueError for a file that opens without a version."""
    text = resources.files(__name__).joinpath(f"{name}.txt").read_text(encoding="utf-8")
    head = _VERSION.match(text)
    if head is None:
        raise ValueError(f"{name}.txt must open with a line '# version: ...'")
    return head[1], text[head.end():]


def version(name: str) -> str:
    """The version of a prompt, as its first line says."""
    return _read(name)[0]


def render(name: str, **values: Any) -> str:
    """The prompt with its blanks filled in. Raises jinja2.UndefinedError for one left out."""
    return _ENVIRONMENT.from_string(_read(name)[1]).render(**values).strip()


@functools.cache
def instructions(name: str) -> tuple[str, ...]:
    """The lines of a prompt that hold no data: what an answer must not repeat."""
    lines = (line.strip() for line in _read(name)[1].splitlines())
    return tuple(line for line in lines if len(line) >= 20 and "{" not in line)
