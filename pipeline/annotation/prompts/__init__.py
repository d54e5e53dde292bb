"""Renders the prompts: jinja2 templates with a version on their first line.

A user's folder may override templates, by the same names. The text of a prompt is part of the keys
of stage outputs, so a new wording means new answers and an unchanged one repeats none. What comes
from a film (subtitles, text on the screen) and from other models is only put into a template
through the filter `data`, which writes it as one JSON string: it cannot close its quotes, and so
cannot pass for instructions.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
from importlib import resources
from typing import Any

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

from pipeline.runtime import storage

_VERSION = re.compile(r"# version: (\S+)\n")


def _data(value: Any) -> str:
    """Returns a value as one line of JSON, with the angle brackets of special tokens escaped."""
    if isinstance(value, jinja2.Undefined):
        str(value)  # raises an error that names the variable
    line = json.dumps(value, ensure_ascii=False)
    return line.replace("<", "\\u003c").replace(">", "\\u003e")


_ENVIRONMENT = ImmutableSandboxedEnvironment(  # templates may be anybody's
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
    """Returns version and template text. Raises ValueError for a file without a version."""
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
    """Raises ValueError for a folder with no prompts, unknown ones or an invalid template."""
    names = [
        storage.basename(path).removesuffix(".txt") for path, _ in storage.find_in(folder, "*.txt")
    ]
    if not names or (unknown := sorted(set(names) - set(NAMES))):
        raise ValueError(
            f"prompts={folder}: the folder must hold some of "
            f"{', '.join(f'{name}.txt' for name in NAMES)}"
            + (f", and not {', '.join(unknown)}" if names else "")
        )
    for name in names:
        try:
            _ENVIRONMENT.parse(_read(name, folder)[1])
        except jinja2.TemplateSyntaxError as error:
            raise ValueError(f"prompt {name}.txt, line {error.lineno}: {error}") from None


def identity(name: str, folder: str = "") -> str:
    """Returns the version of a prompt, from its first line, and a digest of its text."""
    version, text = _read(name, folder)
    return f"{version} ({hashlib.sha256(text.encode()).hexdigest()[:8]})"


@functools.cache
def _template(name: str, folder: str) -> jinja2.Template:
    return _ENVIRONMENT.from_string(_read(name, folder)[1])


def render(name: str, folder: str = "", **values: Any) -> str:
    """Renders a prompt. Raises ValueError, naming the variable, if a value is missing."""
    try:
        return _template(name, folder).render(**values).strip()
    except jinja2.TemplateError as error:
        raise ValueError(f"prompt {name}.txt: {error}") from None


def length(name: str, folder: str = "") -> int:
    """Returns the characters of a prompt without its loops over pictures and its repair part."""
    text = re.sub(
        r"{% (for|if retry).*?{% end(for|if) %}", "", _read(name, folder)[1], flags=re.DOTALL
    )
    return len(re.sub(r"{[%{].*?[%}]}", "", text))


@functools.cache
def instructions(name: str, folder: str = "") -> tuple[str, ...]:
    """Returns the longer lines of a prompt that hold no data: what an answer must not repeat."""
    lines = (line.strip() for line in _read(name, folder)[1].splitlines())
    return tuple(line for line in lines if len(line) >= 20 and "{" not in line)
