"""Reads the chunks of a dataset."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.stories import read_jsonl
from schemas import layout


@dataclass(frozen=True)
class Chunk:
    """Consecutive moments of a story."""

    id: str
    images: list[str]  # paths in the dataset's folder
    captions: list[str]


def read_chunks(dataset: str | Path, split: str) -> list[Chunk]:
    """Reads the chunks of one side of the split. Raises ValueError where there are none."""
    return [
        Chunk(
            values["id"],
            [f"{layout.IMAGES}/{name}" for name in values["images"]],
            values["captions"],
        )
        for values in read_jsonl(dataset, layout.chunks_jsonl_path(split))
    ]
