"""Updates tables of results in a README, between marks that it has for them:

    <!-- results: NAME -->
    <!-- /results -->

All else stays as it is, byte for byte.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from benchmarks.results.markdown import table_to_markdown
from benchmarks.results.tables import Table

_PLACE = re.compile(
    r"(<!-- results: ([^\n]*?) -->)((?:(?!<!-- results: ).)*?)(<!-- /results -->)", re.DOTALL
)
_OPENING = re.compile(r"<!-- results: ([^\n]*?) -->")


def table_places(readme: Path) -> list[str]:
    """Returns the names of the tables that a README has a place for.

    Raises ValueError where it cannot be read, or a place is opened and not closed.
    """
    return _names(_read(readme), readme)


def update_readme(readme: Path, tables: Sequence[Table]) -> None:
    """Writes each table, without its text, to its place; doing it again changes nothing.

    Places of other tables are left alone. Raises ValueError, and writes nothing, for a table that
    has no place, or a place that is opened and not closed.
    """
    text = _read(readme)
    known = _names(text, readme)
    missing = [table.name for table in tables if table.name not in known]
    if missing:
        raise ValueError(
            "; ".join(
                f'{readme} has no place for the table "{name}": write <!-- results: {name} --> and '
                "<!-- /results --> where it belongs"
                for name in missing
            )
        )
    end = "\r\n" if "\r\n" in text else "\n"
    bodies = {
        table.name: f"\n{table_to_markdown(table, text=False)}\n".replace("\n", end)
        for table in tables
    }
    fresh = _PLACE.sub(lambda found: found[1] + bodies.get(found[2], found[3]) + found[4], text)
    if fresh != text:
        new = readme.with_name(f".{readme.name}.new")
        new.write_bytes(fresh.encode())
        os.replace(new, readme)


def _read(readme: Path) -> str:
    try:
        return readme.read_bytes().decode()  # line ends as they are
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{readme} cannot be read: {error}") from error


def _names(text: str, readme: Path) -> list[str]:
    closed = {found.start(): found[2] for found in _PLACE.finditer(text)}
    for found in _OPENING.finditer(text):
        if found.start() not in closed:
            raise ValueError(
                f'{readme}: the place for the table "{found[1]}" is not closed: write '
                "<!-- /results --> behind it"
            )
    return list(closed.values())
