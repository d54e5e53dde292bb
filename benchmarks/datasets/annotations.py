"""Reads the characters and captions of a dataset."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import yaml

from schemas.layout import CHARACTERS
from schemas.rows import Caption, Character


def read_cast(dataset: str | Path) -> list[Character]:
    """Reads the characters of all series of a dataset from its folder `characters`; returns none
    where it has no such folder.

    Raises ValueError for a file there that does not describe characters.
    """
    found = []
    for file in sorted(Path(dataset, CHARACTERS).glob("*.yaml")):
        try:
            for series, cast in yaml.safe_load(file.read_text(encoding="utf-8")).items():
                found += [
                    Character(
                        series,
                        character["name"],
                        character.get("look", ""),
                        character.get("role", ""),
                        list(character.get("called", ())),
                        "",
                    )
                    for character in cast
                ]
        except (yaml.YAMLError, AttributeError, TypeError, KeyError) as error:
            raise ValueError(
                f"{file} does not say who is who: {error!r}; `make dataset` writes it "
                "anew where it is deleted"
            ) from error
    return found


def read_captions(dataset: str | Path) -> dict[str, Caption]:
    """Reads the captions of a dataset, by the stem of their picture's file; returns none where it
    has none."""
    path = Path(dataset, "captions.parquet")
    rows = pq.read_table(path).to_pylist() if path.exists() else []
    return {row["keyframe"]: Caption(**row) for row in rows}
