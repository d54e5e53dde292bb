"""The files of a dataset, counted and digested as they are written: none is read back for that."""

from __future__ import annotations

import dataclasses
import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from pipeline.runtime import storage


@dataclasses.dataclass(frozen=True)
class FileRecord:
    """A finished file of the dataset, as the manifest names it."""

    path: str  # relative to the dataset folder
    bytes: int
    sha256: str


@contextmanager
def recorded(out: str, path: str, records: list[FileRecord]) -> Iterator[Digesting]:
    """An open file that becomes `path` in the dataset `out`, and a record among `records`, when the
    block ends well."""
    with storage.writing(storage.join(out, *path.split("/"))) as file:
        digesting = Digesting(file)
        yield digesting
    records.append(FileRecord(path, digesting.bytes, digesting.sha256.hexdigest()))


class Digesting(io.RawIOBase):
    """A file that counts and digests what is written to it. It leaves the other one open."""

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
