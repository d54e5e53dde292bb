"""Size and digest of the dataset's files, taken while they are written, or read back."""

from __future__ import annotations

import dataclasses
import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from pipeline.runtime import storage

_BLOCK = 1 << 20  # bytes read at a time


@dataclasses.dataclass(frozen=True)
class FileRecord:
    """A finished file of the dataset, as the manifest names it."""

    path: str  # relative to the dataset folder
    bytes: int
    sha256: str


def file_record(out: str, path: str) -> FileRecord:
    """Reads a file of the dataset for its size and digest. Raises OSError where it is missing."""
    size, sha256 = 0, hashlib.sha256()
    with storage.reading(storage.join(out, *path.split("/"))) as file:
        while block := file.read(_BLOCK):
            size += len(block)
            sha256.update(block)
    return FileRecord(path, size, sha256.hexdigest())


@contextmanager
def recorded(out: str, path: str, records: list[FileRecord]) -> Iterator[DigestWriter]:
    """Opens a file that becomes `path` in the dataset `out` when the block ends without an error.

    Then its record is added to `records`.
    """
    with storage.writing(storage.join(out, *path.split("/"))) as file:
        writer = DigestWriter(file)
        yield writer
    records.append(FileRecord(path, writer.bytes, writer.sha256.hexdigest()))


class DigestWriter(io.RawIOBase):
    """A file that counts and digests what is written through it to another, which stays open."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file, self.bytes, self.sha256 = file, 0, hashlib.sha256()

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.bytes

    def write(self, data: Any) -> int:
        self.bytes += len(data)
        self.sha256.update(data)
        self.file.write(data)
        return len(data)
