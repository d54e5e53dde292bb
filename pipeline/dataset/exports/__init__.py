"""Exports a finished dataset in the formats of trainers: `FORMATS` by name.

Only what is published is read: the tables and the pictures. The same dataset gives the same bytes,
and pictures are never encoded again. `clips` reads the films too, so it is no entry of `FORMATS`.
"""

from __future__ import annotations

from collections.abc import Callable

from pipeline.dataset.exports import (
    bagel,
    characters,
    conversations,
    emu,
    image_edits,
    interleaved,
    parquet,
)

# Each writes the dataset in the first folder into the second one, which is empty or new, and
# returns the paths of what a trainer is to be given.
FORMATS: dict[str, Callable[[str, str], list[str]]] = {
    "interleaved": interleaved.export,
    "bagel": bagel.export,
    "conversations": conversations.export,
    "image-edits": image_edits.export,
    "emu": emu.export,
    "parquet": parquet.export,
    "characters": characters.export,
}
