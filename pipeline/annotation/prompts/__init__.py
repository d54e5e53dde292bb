"""Renders the prompts: jinja2 templates with a version on their first line and three blocks.

The block "system" has the instructions, which are the same for all questions of a run, "question"
the data, from what most questions share to what none do: so a server that keeps the prefixes of its
prompts reads them once. "repair" follows an answer that could not be used.

A user's folder may override templates, by the same names. The text of a prompt is part of the keys
of stage outputs, so a new wording means new answers and an unchanged one repeats none. What comes
from a film (subtitles, text on the screen) and from other models is only put into a template
through the filter `data`, which writes it as one JSON string: it cannot close its quotes, and so
cannot pass for instructions.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import re
from importlib import resources
from typing import Any, NamedTuple

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

from pipeline.inference.protocol import Request
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

NAMES = ("figures", "caption", "characters", "narrate", "link")
_BLOCKS = ("system", "question", "repair")


class Prompt(NamedTuple):
    """What a model is asked, in words."""

    system: str
    question: str


@functools.cache
def _read(name: str, folder: str) -> tuple[str, str]:
    """Returns version and template text. Raises ValueError for a file without a version."""
    own = storage.join(folder, f"{name}.txt") if folder else ""
    if own and storage.exists(own):
        try:
            text = storage.read_bytes(own).decode()
        except UnicodeDecodeError as error:
            raise ValueError(
                f"prompt {own} is not UTF-8 text ({error}): save it as UTF-8"
            ) from None
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
            _template(name, folder)
        except jinja2.TemplateSyntaxError as error:
            raise ValueError(f"prompt {name}.txt, line {error.lineno}: {error}") from None


def identity(name: str, folder: str = "") -> str:
    """Returns the version of a prompt, from its first line, and a digest of its text."""
    version, text = _read(name, folder)
    return f"{version} ({hashlib.sha256(text.encode()).hexdigest()[:8]})"


@functools.cache
def _template(name: str, folder: str) -> jinja2.Template:
    text = _read(name, folder)[1]
    template = _ENVIRONMENT.from_string(text)
    if missing := [block for block in _BLOCKS if block not in template.blocks]:
        raise ValueError(
            f"prompt {name}.txt lacks {{% block {missing[0]} %}}: a prompt has the blocks "
            f"{', '.join(_BLOCKS)}, each ended by {{% endblock %}}"
        )
    if outside := re.sub(r"{% block .*?{% endblock %}", "", text, flags=re.DOTALL).strip():
        raise ValueError(f"prompt {name}.txt: {outside[:40]!r} is in no block, so nobody reads it")
    return template


def render(name: str, folder: str = "", **values: Any) -> Prompt:
    """Renders a prompt. Raises ValueError, naming the variable, if a value is missing."""
    return Prompt(
        _render("system", name, folder, values), _render("question", name, folder, values)
    )


def repair(name: str, folder: str = "", **values: Any) -> str:
    """Renders what follows an answer with a fault. Raises ValueError as `render` does."""
    return _render("repair", name, folder, values)


def corrected(request: Request, folder: str = "", **values: Any) -> Request:
    """Adds to a request whose answer had a fault what the model is told of it, as `repair`."""
    return dataclasses.replace(request, correction=repair(request.task, folder, **values))


def _render(block: str, name: str, folder: str, values: dict[str, Any]) -> str:
    template = _template(name, folder)
    try:
        return "".join(template.blocks[block](template.new_context(values))).strip()
    except jinja2.TemplateError as error:
        raise ValueError(f"prompt {name}.txt: {error}") from None


def length(name: str, folder: str = "") -> int:
    """Returns the characters of a prompt without its loops over pictures, its repair part and what
    it says of characters that are shown."""
    text = re.sub(
        r"{% (for|block repair|if known).*?{% end(for|block|if) %}",
        "",
        _read(name, folder)[1],
        flags=re.DOTALL,
    )
    return len(re.sub(r"{[%{].*?[%}]}", "", text))


@functools.cache
def instructions(name: str, folder: str = "") -> tuple[str, ...]:
    """Returns the longer lines of a prompt that hold no data: what an answer must not repeat."""
    lines = (line.strip() for line in _read(name, folder)[1].splitlines())
    return tuple(line for line in lines if len(line) >= 20 and "{" not in line)
