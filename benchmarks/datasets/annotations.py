"""Reads the characters and captions of a dataset."""

from __future__ import annotations

from pathlib import Path

from pipeline.dataset import reader
from schemas import layout
from schemas.rows import Caption, Character


def read_cast(dataset: str | Path) -> list[Character]:
    """Reads the characters of all series of a dataset, as its stories were written with them;
    returns none where it is not a finished dataset of ours."""
    finished = reader.has_file(str(dataset), layout.MANIFEST)
    return reader.read_characters(str(dataset)) if finished else []


def read_captions(dataset: str | Path) -> dict[str, Caption]:
    """Reads the captions of a dataset, by the stem of their picture's file; returns none where it
    has none."""
    if not reader.has_file(str(dataset), layout.table_path(layout.CAPTIONS)):
        return {}
    rows = reader.read_rows(str(dataset), layout.CAPTIONS, Caption)
    return {caption.keyframe: caption for caption in rows}
