"""Reads the word lists that lie as text files beside the modules that use them."""

from __future__ import annotations

import functools
from importlib import resources


@functools.cache
def read(package: str, name: str) -> tuple[str, ...]:
    """Reads the entries of a list, one per line; blank lines and those that begin with # are none.

    `package` is that of the module that uses it (its `__package__`), `name` the file's name.
    """
    text = resources.files(package).joinpath(name).read_text(encoding="utf-8")
    lines = (line.strip() for line in text.splitlines())
    return tuple(line for line in lines if line and not line.startswith("#"))
