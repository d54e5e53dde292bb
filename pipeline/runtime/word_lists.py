"""Reads word lists: text files with an entry per line, beside the modules that use them."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from importlib import resources


@functools.cache
def read(package: str, name: str) -> tuple[str, ...]:
    """Reads the entries of a list.

    `package` is that of the module that uses it (its `__package__`), `name` the file's name.
    """
    return parse(resources.files(package).joinpath(name).read_text(encoding="utf-8"))


@functools.cache
def by_language(package: str, name: str) -> Mapping[str, str]:
    """Reads a list whose lines begin with a language ("de: Feld Wald"): what follows, by its code.

    Lines of one language are joined by a space.
    """
    found: dict[str, str] = {}
    for line in read(package, name):
        code, _, words = line.partition(":")
        found[code] = f"{found.get(code, '')} {words.strip()}".strip()
    return found


def parse(text: str) -> tuple[str, ...]:
    """Returns the entries of a list; blank lines and those that begin with # are none."""
    lines = (line.strip() for line in text.splitlines())
    return tuple(line for line in lines if line and not line.startswith("#"))
