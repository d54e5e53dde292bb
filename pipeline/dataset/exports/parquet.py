"""Exports stories as Parquet with their pictures embedded: a row is a story, whole.

`datasets.load_dataset` decodes the pictures, and the viewer of the Hugging Face hub shows them
beside their texts. `pipeline.dataset.hub` puts these files beside a dataset that it pushes.

Sources: the `huggingface` entry of a schema's metadata has the features, as
`datasets.Features.arrow_schema` writes it; huggingface.co/docs/hub/datasets-image on pictures in
Parquet. The viewer reads no row group of more than 286 MiB.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.dataset.exports.documents import (
    Document,
    read_documents,
    read_picture,
    require_empty,
    write_sources,
)
from pipeline.dataset.manifest import read_manifest
from pipeline.runtime import storage

ROWS_PER_GROUP, GROUPS_PER_FILE = 4, 40  # 30 pictures a row: some 10 MB and 500 MB

_RIGHTS = ("title", "language", "license", "attribution")
_TEXT = {"dtype": "string", "_type": "Value"}
_BOX = {"feature": {"dtype": "int64", "_type": "Value"}, "_type": "List"}
_FEATURES = {
    "id": _TEXT,
    "images": {"feature": {"_type": "Image"}, "_type": "List"},
    "captions": {"feature": _TEXT, "_type": "List"},
    "characters": {"feature": {"feature": _TEXT, "_type": "List"}, "_type": "List"},
    "boxes": {"feature": {"feature": _BOX, "_type": "List"}, "_type": "List"},
    "film": _TEXT,
    **{name: _TEXT for name in _RIGHTS},
}
_IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("images", pa.list_(_IMAGE)),
        ("captions", pa.list_(pa.string())),
        ("characters", pa.list_(pa.list_(pa.string()))),
        ("boxes", pa.list_(pa.list_(pa.list_(pa.int64())))),
        ("film", pa.string()),
        *((name, pa.string()) for name in _RIGHTS),
    ],
    {"huggingface": json.dumps({"info": {"features": _FEATURES}})},
)


def export(out: str, folder: str) -> list[str]:
    """Writes the dataset `out` into `folder` as `{train,val}-00000.parquet` and so on.

    Returns the paths of the files. Raises as the other exports do.
    """
    splits = read_manifest(out).splits
    require_empty(folder)
    paths = []
    for split in sorted(splits):
        rows = (_row(out, document) for document in read_documents(out, split))
        for number in itertools.count():
            first = next(rows, None)
            if first is None:
                break
            paths.append(storage.join(folder, f"{split}-{number:05d}.parquet"))
            part = itertools.islice(rows, ROWS_PER_GROUP * GROUPS_PER_FILE - 1)
            _write(paths[-1], itertools.chain([first], part))
    write_sources(out, folder)
    return paths


def _write(path: str, rows: Iterator[dict[str, Any]]) -> None:
    with (
        storage.writing(path) as file,
        pq.ParquetWriter(file, SCHEMA) as parquet,
    ):
        while group := list(itertools.islice(rows, ROWS_PER_GROUP)):
            parquet.write_table(pa.Table.from_pylist(group, SCHEMA))


def _row(out: str, document: Document) -> dict[str, Any]:
    story = document.story
    return {
        "id": story.id,
        "images": [
            {"bytes": read_picture(out, keyframe), "path": keyframe.image.rpartition("/")[2]}
            for keyframe in document.keyframes
        ],
        "captions": story.captions,
        "characters": story.characters,
        "boxes": story.boxes,
        "film": story.video,
        **document.film,
    }
