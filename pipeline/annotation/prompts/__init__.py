"""The questions put to models: jinja2 templates with a version on their first line.

A user's folder may hold its own, by the same names; those that are not there are ours. What a
prompt says goes into the names of part files, so a new wording means new answers and an unchanged
one means none are asked for twice. What comes out of a film (subtitles, words on the screen) and
out of other models is only ever put into a template through `data`, which writes it as one JSON
string: it cannot close its quotes and so cannot pass for a part of the question.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
from importlib import resources
from typing import Any

import jinja2

from pipeline.runtime import storage

_VERSION = re.compile(r"# version: (\S+)\n")


def _data(value: Any) -> str:
    """A value as one line of JSON, with the angle brackets of special tokens spelt out."""
    if isinstance(value, jinja2.Undefined):
        str(value)  # raises, and says which blank was left
    line = json.dumps(value, ensure_ascii=False)
    return line.replace("<", "\\u003c").replace(">", "\\u003e")


_ENVIRONMENT = jinja2.Environment(
    undefined=jinja2.StrictUndefined,
    keep_trailing_newline=True,
    trim_blocks=True,
    lstrip_blocks=True,
    autoescape=False,
)
_ENVIRONMENT.filters["data"] = _data


NAMES = ("caption", "characters", "narrate", "link")


@functools.cache
def _read(name: str, folder: str) -> tuple[str, str]:
    """Version and template text. Raises ValueError for a file that opens without a version."""
    own = storage.join(folder, f"{name}.txt") if folder else ""
    if own and storage.exists(own):
        text = storage.read_bytes(own).decode()
    else:
        own, text = (
            f"{name}.txt",
            resources.files(__name__).joinpath(f"{name}.txt").read_text(encoding="utf-8"),
        )
    head = _VERSION.match(text)
    if head is None:
        raise ValueError(f"prompt {own} must open with a line '# version: ...'")
    return head[1], text[head.end() :]


def check(folder: str) -> None:
    """Raises ValueError for a folder of prompts that is none, or holds one that is no template."""
    names = [
        storage.basename(path).removesuffix(".txt") for path, _ in storage.find_in(folder, "*.txt")
    ]
    if not names or (odd := sorted(set(names) - set(NAMES))):
        raise ValueError(
            f"prompts={folder}: the folder must hold some of "
            f"{', '.join(f'{name}.txt' for name in NAMES)}"
            + (f", and not {', '.join(odd)}" if names else "")
        )
    for name in names:
        try:
            _ENVIRONMENT.parse(_read(name, folder)[1])
        except jinja2.TemplateSyntaxError as error:
            raise ValueError(f"prompt {name}.txt, line {error.lineno}: {error}") from None


def identity(name: str, folder: str = "") -> str:
    """The version of a prompt, as its first line says, and a digest of its words."""
    version, text = _read(name, folder)
    return f"{version} ({hashlib.sha256(text.encode()).hexdigest()[:8]})"


@functools.cache
def _template(name: str, folder: str) -> jinja2.Template:
    return _ENVIRONMENT.from_string(_read(name, folder)[1])


def render(name: str, folder: str = "", **values: Any) -> str:
    """The prompt with its blanks filled in. Raises ValueError for one that cannot be filled."""
    try:
        return _template(name, folder).render(**values).strip()
    except jinja2.TemplateError as error:
        raise ValueError(f"prompt {name}.txt: {error}") from None


def length(name: str, folder: str = "") -> int:
    """Characters of a prompt without what is repeated for each picture or only for a repair."""
    text = re.sub(
        r"{% (for|if retry).*?{% end(for|if) %}", "", _read(name, folder)[1], flags=re.DOTALL
    )
    return len(re.sub(r"{[%{].*?[%}]}", "", text))


@functools.cache
def instructions(name: str, folder: str = "") -> tuple[str, ...]:
    """The lines of a prompt that hold no data: what an answer must not repeat."""
    lines = (line.strip() for line in _read(name, folder)[1].splitlines())
    return tuple(line for line in lines if len(line) >= 20 and "{" not in line)
