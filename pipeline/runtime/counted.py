"""Writes numbers with what they count."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """Returns a number with its noun: "1 story", "2 stories"."""
    return f"{number:,} {noun if number == 1 else plural(noun)}"


def plural(noun: str) -> str:
    """Returns the plural of a regular noun: "films", "stories"."""
    return f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
