"""Reading and writing of files, wherever they are: a path, `gs://` or `s3://`, all through Beam.

A file appears under its name only when it is whole: it is written under a temporary name beside it
and then renamed, so a crash leaves no half file that a later run would trust.
"""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import IO

from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

join = FileSystems.join
exists = FileSystems.exists


def basename(path: str) -> str:
    """The last component of a path."""
    return str(FileSystems.split(path)[1])


def read_bytes(path: str) -> bytes:
    """The content of one file. Raises OSError (BeamIOError) where there is none."""
    with FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED) as file:
        return file.read()


@contextmanager
def writing(path: str) -> Iterator[IO[bytes]]:
    """An open file that becomes `path` when the block ends well and vanishes when it does not."""
    folder = FileSystems.split(path)[0]
    if folder and not FileSystems.exists(folder):
        with suppress(OSError):  # another worker made it first, or a store without folders
            FileSystems.mkdirs(folder)
    temporary = f"{path}.{uuid.uuid4().hex}.tmp"
    try:
        with FileSystems.create(temporary,
                                compression_type=CompressionTypes.UNCOMPRESSED) as file:
            yield file
        FileSystems.rename([temporary], [path])
    except BaseException:
        if FileSystems.exists(temporary):
            FileSystems.delete([temporary])
        raise


def write_bytes(path: str, data: bytes) -> None:
    """Writes one file whole. Raises OSError where that cannot be done."""
    with writing(path) as file:
        file.write(data)


def find(pattern: str) -> list[tuple[str, int]]:
    """Path and size in bytes of each file that matches, sorted by path. No match is an empty list.

    Beam's patterns: `*` stays within a folder, `**` crosses folders.
    """
    (result,) = FileSystems.match([pattern])
    return sorted((found.path, found.size_in_bytes) for found in result.metadata_list)


def find_in(folder: str, pattern: str) -> list[tuple[str, int]]:
    """The same below one folder, whose own name is no pattern: "films [1999]" is just that."""
    return find(join(re.sub(r"[*?\[]", r"[\g<0>]", folder), pattern))


def place(source: str, target: str) -> None:
    """Makes `target` the same file as `source`: a hard link where that can be, else a copy."""
    if exists(target):
        return
    if "://" in source or "://" in target:
        FileSystems.copy([source], [target])
        return
    os.makedirs(os.path.dirname(target), exist_ok=True)
    try:
        os.link(source, target)
    except FileExistsError:
        pass
    except OSError:  # another disk, or a file system without links
        write_bytes(target, read_bytes(source))


def remove(paths: Sequence[str]) -> None:
    """Deletes files, and the folders that they leave empty; what is gone already is no error."""
    there = [path for path in paths if exists(path)]
    if there:
        FileSystems.delete(there)
    for folder in {os.path.dirname(path) for path in there if "://" not in path}:
        with suppress(OSError):  # it still holds something
            os.rmdir(folder)
