"""What an examination finds: something that is there, or is missing and how to get it."""

from __future__ import annotations

from typing import NamedTuple

INSTALL = "make install, or pip install storystream"


class Finding(NamedTuple):
    """Something that is there or is missing."""

    there: bool
    what: str
    remedy: str = ""  # if it is missing
    needed: bool = True  # for the dataset that was asked for

    def __str__(self) -> str:
        if self.there:
            return f"ok: {self.what}"
        return f"missing: {self.what} - {self.remedy}"
