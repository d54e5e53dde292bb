"""The files of a dataset, by the names they have in it."""

from __future__ import annotations

from typing import IO

from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

from pipeline import storage


def locate(out: str, name: str) -> str:
    return storage.join(out, *name.split("/"))


def open_file(out: str, name: str) -> IO[bytes]:
    return FileSystems.open(locate(out, name), compression_type=CompressionTypes.UNCOMPRESSED)
