"""Formats tables of outcomes as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def rows_to_markdown(title: str, heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Formats a table in Markdown under its title."""
    lines = [f"### {title}", "", "| " + " | ".join(heads) + " |", "|" + " --- |" * len(heads)]
    return "\n".join(lines + ["| " + " | ".join(map(str, row)) + " |" for row in rows])
