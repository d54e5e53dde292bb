"""Reads the chunks of a dataset."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from schemas.layout import IMAGES


@dataclass(frozen=True)
class Chunk:
    """Consecutive moments of a story."""

    id: str
    images: list[str]  # paths in the dataset's folder
    captions: list[str]


def read_chunks(dataset: str | Path, split: str) -> list[Chunk]:
    """Reads the chunks of one side of the split. Raises ValueError where there are none."""
    path = Path(dataset, IMAGES, f"{split}_chunks.jsonl")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    if not lines:
        raise ValueError(f"{path} is missing or empty: make the dataset of more films")
    return [
        Chunk(values["id"], [f"{IMAGES}/{name}" for name in values["images"]], values["captions"])
        for values in map(json.loads, lines)
    ]
