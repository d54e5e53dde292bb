"""The files of a dataset, by the names they have in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any

import pyarrow.parquet as pq

from pipeline.runtime import storage
from schemas.rows import row


def locate(out: str, name: str) -> str:
    return storage.join(out, *name.split("/"))


def inside(name: str) -> bool:
    """Whether a name is one of a file in the dataset's folder, whoever wrote it."""
    return all(part not in ("", "..") for part in name.split("/"))


def open_file(out: str, name: str) -> IO[bytes]:
    return storage.reading(locate(out, name))


def read_rows(out: str, table: str, kind: Any) -> Iterator[Any]:
    """The rows of a table, few of them in memory at a time. Raises OSError where it is missing."""
    with open_file(out, f"{table}.parquet") as file:
        for batch in pq.ParquetFile(file).iter_batches(1024):
            for values in batch.to_pylist():
                yield row(kind, values)
