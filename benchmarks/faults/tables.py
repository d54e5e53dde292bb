"""Tables of what became of runs and films."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def table(title: str, heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A table in Markdown under its title."""
    lines = [f"### {title}", "", "| " + " | ".join(heads) + " |", "|" + " --- |" * len(heads)]
    return "\n".join(lines + ["| " + " | ".join(map(str, row)) + " |" for row in rows])
