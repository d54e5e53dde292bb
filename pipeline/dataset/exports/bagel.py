"""Exports stories as BAGEL's interleaved Parquet: a row is ten steps of a story.

`image_list` has the JPEG files, and `instruction_list` the texts that lead from each picture to
the next one, so it is shorter by one; each entry is a list of wordings, of which we have one. A row
begins with the picture that the row before ends with, so that every step of a story is in one.
Beside the Parquet files of a side of the split lies `<split>.json`, which BAGEL's config calls
`parquet_info`: the row groups and rows of each file, by its absolute path.

Source: `data/interleave_datasets/edit_dataset.py` and TRAIN.md of github.com/ByteDance-Seed/Bagel.
Its reader takes columns by name; ours has more of them: the story, its first text, and the rights.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.dataset.exports.documents import (
    read_documents,
    read_picture,
    require_empty,
    write_sources,
)
from pipeline.dataset.manifest import read_manifest
from pipeline.runtime import progress, storage

STEPS = 10  # of a row, from one picture to the next
ROWS_PER_GROUP, GROUPS_PER_FILE = 8, 64  # a trainer's worker reads a row group at once: some 10 MB

_SCHEMA = pa.schema(
    [
        ("image_list", pa.list_(pa.binary())),
        ("instruction_list", pa.list_(pa.list_(pa.string()))),
        ("story", pa.string()),
        ("opening", pa.string()),  # the text of the first picture
        *((name, pa.string()) for name in ("title", "language", "license", "attribution")),
    ]
)


def export(out: str, folder: str) -> list[str]:
    """Writes the dataset `out` into `folder` as `{train,val}/00000.parquet` and so on.

    Returns the paths of the `parquet_info` files. Raises as the other exports do: ValueError where
    the folder is not empty or `out` is not a finished dataset that is whole, OSError where a file
    is missing.
    """
    splits = read_manifest(out).splits
    require_empty(folder)
    paths = []
    for split in sorted(splits):
        info: dict[str, dict[str, int]] = {}
        rows = _rows(out, split)
        row = next(rows, None)
        while row is not None:
            path = storage.join(folder, split, f"{len(info):05d}.parquet")
            counts = {"num_row_groups": 0, "num_rows": 0}
            with storage.writing(path) as file, pq.ParquetWriter(file, _SCHEMA) as parquet:
                while row is not None and counts["num_row_groups"] < GROUPS_PER_FILE:
                    group: list[dict[str, Any]] = []
                    while row is not None and len(group) < ROWS_PER_GROUP:
                        group.append(row)
                        row = next(rows, None)
                    parquet.write_table(pa.Table.from_pylist(group, _SCHEMA))
                    counts["num_row_groups"] += 1
                    counts["num_rows"] += len(group)
            info[path if storage.is_remote(path) else os.path.abspath(path)] = counts
        paths.append(storage.join(folder, f"{split}.json"))
        storage.write_bytes(paths[-1], json.dumps(info, indent=1).encode())
    write_sources(out, folder)
    return paths


def _rows(out: str, split: str) -> Iterator[dict[str, Any]]:
    """Yields the steps of all stories, ten to a row. A story of one picture has none."""
    for document in read_documents(out, split):
        captions = document.story.captions
        if len(captions) == 1:
            progress.say(f"{document.story.id} has one picture, and leads nowhere: left out")
        for first in range(0, len(captions) - 1, STEPS):
            keyframes = document.keyframes[first : first + STEPS + 1]
            yield {
                "image_list": [read_picture(out, keyframe) for keyframe in keyframes],
                "instruction_list": [[text] for text in captions[first + 1 : first + STEPS + 1]],
                "story": document.story.id,
                "opening": captions[first],
                **document.film,
            }
