"""Reads, writes, lists and removes files, on a disk or in a bucket (`gs://`, `s3://`).

Files of web servers are read too, where the config allows it.

Writes are atomic: a file appears under its name only when it is complete, so that a later run never
reads one that a crash cut short. On a disk it is written under a temporary name beside its own and
then renamed; in a bucket (`buckets`) it appears when its upload is complete.
"""

from __future__ import annotations

import errno
import io
import os
import re
import shutil
import stat
import tempfile
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import IO, Any, cast

from pipeline.runtime import buckets, web
from pipeline.runtime.range_file import RangeFile

_UPLOAD_MEMORY = 16 << 20  # bytes of an upload that are held in memory, the rest on the disk
_READ_BUFFER = 8 << 20  # bytes that one request reads from a bucket
_TEMPORARY = re.compile(r"\.[0-9a-f]{32}\.tmp$")
_COARSEST_TIME = 2.0  # seconds between two times that FAT can tell apart
_TRIES = 3  # to make a folder that other workers remove when they find it empty
# Errors of a network mount that does not respond, and of a process with too many open files. EIO is
# not among them: FFmpeg reports damaged files with it too.
_UNAVAILABLE = {
    errno.ESTALE,
    errno.ETIMEDOUT,
    errno.ENOTCONN,
    errno.EHOSTDOWN,
    errno.EMFILE,
    errno.ENFILE,
}


# Errors of a disk that takes no more, whichever file it was.
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}


class CannotWrite(OSError):
    """Raised when a file cannot be written, whatever its content, such as for lack of space."""

    exit_code = 2


class NotAFile(OSError):
    """Error: a folder, pipe or device is in a file's place."""


# --- names ---------------------------------------------------------------------------------------


def is_remote(path: str) -> bool:
    """Returns whether a path is in a bucket."""
    return "://" in path


def is_unavailable(path: str, error: Exception) -> bool:
    """Returns whether `error` means that the bucket or disk of `path` does not respond.

    Such an error says nothing about the file: another try may succeed.
    """
    if is_remote(path):
        return type(error) in (OSError, PermissionError)  # such as credentials that have expired
    # FFmpeg's errors are OSErrors too, but of subclasses.
    return type(error) in (OSError, TimeoutError) and cast(OSError, error).errno in _UNAVAILABLE


def is_full(error: OSError) -> bool:
    """Returns whether an error means that a disk is full or read-only, that of temporary files
    perhaps."""
    return type(error) is OSError and error.errno in _FULL


def join(folder: str, *names: str) -> str:
    """Returns the path of a file or folder below `folder`."""
    if is_remote(folder):
        return "/".join([folder.rstrip("/"), *names])
    return os.path.join(folder, *names)


def basename(path: str) -> str:
    """Returns the last component of a path."""
    return path.rpartition("/")[2]


# --- reading and writing -------------------------------------------------------------------------


def exists(path: str) -> bool:
    """Returns whether there is a file of that name (on a disk, a file or a folder)."""
    if web.is_web(path):
        try:
            return web.size(path) >= 0
        except (FileNotFoundError, web.NotServed):
            return False
    return buckets.state(path) is not None if is_remote(path) else os.path.exists(path)


def size(path: str) -> int:
    """Returns the size of a file in bytes. Raises OSError if there is none."""
    if not is_remote(path):
        return os.path.getsize(path)
    if web.is_web(path):
        return web.size(path)
    found = buckets.state(path)
    if found is None:
        raise FileNotFoundError(f"{path}: there is no such file or bucket")
    return found.size


def read_bytes(path: str) -> bytes:
    """Returns the content of a file. Raises OSError if there is none."""
    if is_remote(path):
        return web.read(path) if web.is_web(path) else buckets.read(path)
    with reading(path) as file:
        return file.read()


def reading(path: str) -> IO[bytes]:
    """Opens a file for reading and seeking. Raises OSError if there is none."""
    if is_remote(path):
        read_range = (web if web.is_web(path) else buckets).read_range
        file = RangeFile(path, size(path), partial(read_range, path))
        return io.BufferedReader(file, _READ_BUFFER)
    if not stat.S_ISREG(os.stat(path).st_mode):  # opening a pipe, or reading a device, may not end
        raise NotAFile(f"{path}: a folder, pipe or device where a file was expected")
    return open(path, "rb")


def read_ranges(path: str, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
    """Returns parts of a file, each given by its start and its length in bytes; shorter at the end
    of the file. From a bucket they are requested side by side. Raises OSError if there is none."""
    if web.is_web(path):
        return [web.read_range(path, start, start + length) for start, length in ranges]
    if is_remote(path):
        return buckets.read_ranges(path, ranges)
    with reading(path) as file:
        return [os.pread(file.fileno(), length, start) for start, length in ranges]


@contextmanager
def writing(path: str) -> Iterator[IO[bytes]]:
    """Opens a file for an atomic write: it gets the name `path` when the block ends.

    If the block raises, nothing is written. Raises CannotWrite if the file cannot be written.
    """
    if is_remote(path):
        with tempfile.SpooledTemporaryFile(_UPLOAD_MEMORY) as spool:
            yield spool
            spool.seek(0)
            try:
                buckets.upload(path, spool)
            except OSError as error:
                raise CannotWrite(f"cannot write {error}") from error
        return
    temporary = _temporary_name(path)
    try:
        with _open_temporary(temporary, path) as file:
            yield file
        with _as_cannot_write(path):
            os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):  # the folder may not permit it
            os.remove(temporary)
        raise


def _temporary_name(path: str) -> str:
    """Returns a name beside a file's own that no other writer uses; `temporary_files` finds it."""
    return f"{path}.{uuid.uuid4().hex}.tmp"


@contextmanager
def _as_cannot_write(path: str) -> Iterator[None]:
    """Raises OSErrors in the block as CannotWrite, naming the file."""
    try:
        yield
    except OSError as error:
        raise CannotWrite(
            f"cannot write {path}: {error}; free some space, grant write permission or use "
            "another disk"
        ) from error


class _TemporaryFile(io.FileIO):
    """A file under its temporary name. Only errors of writing it are CannotWrite, not those of
    reading the data that is written to it."""

    def __init__(self, temporary: str, path: str) -> None:
        self.path = path
        super().__init__(temporary, "xb")

    def write(self, data: Any) -> int:
        with _as_cannot_write(self.path):
            return super().write(data)

    def close(self) -> None:
        with _as_cannot_write(self.path):
            super().close()


def _open_temporary(temporary: str, path: str) -> IO[bytes]:
    with _as_cannot_write(path):
        return io.BufferedWriter(
            _with_folder(lambda: _TemporaryFile(temporary, path), os.path.dirname(temporary))
        )


def _with_folder(create: Callable[[], Any], folder: str) -> Any:
    """Returns `create()`, which creates a file in `folder`; makes the folder if it is missing.

    Another worker may remove the folder while it is empty; then it is made again.
    """
    for _ in range(_TRIES):
        with suppress(FileNotFoundError):
            return create()
        with suppress(FileNotFoundError):
            os.makedirs(folder, exist_ok=True)
    return create()


def write_bytes(path: str, data: bytes) -> None:
    """Writes a file atomically. Raises CannotWrite if it cannot be written."""
    with writing(path) as file:
        file.write(data)


# --- folders -------------------------------------------------------------------------------------


def find(pattern: str) -> list[tuple[str, int]]:
    """Returns path and size in bytes of each file that matches a glob pattern, sorted by path.

    `*` stays within a folder; `**` crosses folders, and between two slashes also stands for none.
    A dangling link has 0 bytes; links to folders are not followed. Raises OSError if a folder
    cannot be listed.
    """
    if is_remote(pattern):
        folder = re.split(r"[*?[]", pattern, maxsplit=1)[0].rpartition("/")[0]
        return _find_in_bucket(folder, pattern[len(folder) + 1 :])
    fixed = re.split(r"[*?[]", pattern, maxsplit=1)[0].rpartition("/")
    return _find_on_disk(fixed[0] + fixed[1], pattern)


def find_in(folder: str, pattern: str) -> list[tuple[str, int]]:
    """Returns what `find` does, below a folder whose own name is no pattern ("films [1999]")."""
    if is_remote(folder):
        return _find_in_bucket(folder.rstrip("/"), pattern)
    return _find_on_disk(join(folder, ""), join(re.sub(r"[*?\[]", r"[\g<0>]", folder), pattern))


def changed_since(folder: str, file: str) -> list[str]:
    """Returns the files below a folder on a disk that were written to after a file was, by their
    times; none in a bucket, where an object never changes through another name."""
    if is_remote(folder):
        return []
    written = os.stat(file).st_mtime_ns
    return [
        path
        for current, _, names in os.walk(folder)
        for name in names
        if os.stat(path := os.path.join(current, name)).st_mtime_ns > written
    ]


def _find_on_disk(folder: str, pattern: str) -> list[tuple[str, int]]:
    """Returns the files below a folder, "" or ending in a slash, that match a pattern."""
    matches = _compiled(pattern).fullmatch
    deepest = pattern.count("/") - folder.count("/")  # levels below `folder`
    found = []
    for current, subfolders, names in os.walk(folder or ".", onerror=_raise_unless_missing):
        below = current[len(folder or ".") :].strip("/")
        for name in names:
            path = folder + (f"{below}/{name}" if below else name)
            if matches(path):
                with suppress(FileNotFoundError):  # removed in the meantime
                    found.append((path, _size_or_zero(path)))
        if "**" not in pattern and (below.count("/") + 1 if below else 0) >= deepest:
            subfolders.clear()
    return sorted(found)


def _raise_unless_missing(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


def _size_or_zero(path: str) -> int:
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        os.readlink(path)  # raises FileNotFoundError too if there is not even a link
        return 0


def _compiled(pattern: str) -> re.Pattern[str]:
    """Returns the regular expression of a glob pattern."""
    tokens = re.split(r"((?<![^/])\*\*/|\*\*|\*|\?|\[[^\]]+\])", pattern)
    wildcards = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile(
        "".join(
            wildcards.get(token, token.replace("\\", r"\\").replace("[!", "[^", 1))
            if index % 2
            else re.escape(token)
            for index, token in enumerate(tokens)
        ),
        re.DOTALL,
    )


def _find_in_bucket(folder: str, pattern: str) -> list[tuple[str, int]]:
    deep = "**" in pattern or "/" in pattern
    return buckets.find(folder, deep, _compiled(pattern).fullmatch)


def folders(folder: str) -> list[str]:
    """Returns the sorted names of the folders in a folder; none if there is no such folder."""
    if is_remote(folder):
        return buckets.folders(folder)
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
    return []


def link_or_copy(
    pairs: Iterable[tuple[str, str]],
    overwrite: bool = False,
    before_replace: Callable[[], None] = lambda: None,
) -> None:
    """Makes each target a hard link to its source, or a copy where it cannot be a link.

    pairs: source and target. A copy that is there is made again only if its size differs or, on a
    disk, its time, as it has when it was edited; with `overwrite`, always. `before_replace` is
    called before an existing target is replaced. Raises OSError.
    """
    copies = [pair for pair in pairs if not _linked(*pair, before_replace)]
    if not overwrite and copies:
        sizes = dict(
            entry
            for folder in {_folder(path) for pair in copies for path in pair}
            for entry in find_in(folder, "*")
        )
        copies = [
            (source, target)
            for source, target in copies
            if source not in sizes
            or sizes[source] != sizes.get(target)
            or _is_edited(source, target)
        ]
    if any(overwrite or target in sizes for _, target in copies):
        before_replace()
    buckets.in_parallel(lambda pair: _copy(*pair), copies)


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def _is_edited(source: str, target: str) -> bool:
    """Returns whether a copy was written to since: on a disk it was given the time of its source.
    In a bucket each has a time of its own."""
    if is_remote(source) or is_remote(target):
        return False
    between = os.stat(source).st_mtime - os.stat(target).st_mtime
    return abs(between) > _COARSEST_TIME


def _linked(source: str, target: str, before_replace: Callable[[], None]) -> bool:
    """Returns whether a target is a hard link to its source, or could be made one."""
    if is_remote(source) or is_remote(target):
        return False
    with suppress(FileNotFoundError):
        if os.path.samefile(source, target):
            return True
        before_replace()
    temporary = _temporary_name(target)
    try:
        _with_folder(lambda: os.link(source, temporary), os.path.dirname(temporary))
        os.replace(temporary, target)
    except FileNotFoundError:
        raise
    except OSError:  # another disk or a file system without links; else the copy fails with why
        return False
    finally:
        with suppress(OSError):  # it is still there where another worker has made the same link
            os.remove(temporary)
    return True


def _copy(source: str, target: str) -> None:
    if is_remote(source) and is_remote(target) and buckets.copied(source, target):
        return
    with reading(source) as source_file, writing(target) as target_file:
        shutil.copyfileobj(source_file, target_file, _READ_BUFFER)
    if not is_remote(source) and not is_remote(target):
        times = os.stat(source)
        with suppress(OSError):  # some mounts refuse; then it is copied again by the next run
            os.utime(target, ns=(times.st_atime_ns, times.st_mtime_ns))


def temporary_files(folder: str) -> list[str]:
    """Returns the temporary files below a folder that killed writers have left; none in a bucket,
    which shows no unfinished uploads."""
    if is_remote(folder):
        return []
    return [
        os.path.join(current, name)
        for current, _, names in os.walk(folder)
        for name in names
        if _TEMPORARY.search(name)
    ]


def remove(paths: Sequence[str]) -> None:
    """Deletes files, and the folders that are then empty; files that are missing are no error."""
    parents = set()
    for path in paths:
        with suppress(FileNotFoundError):
            if not is_remote(path):
                os.remove(path)
                parents.add(os.path.dirname(path))
    for folder in parents:
        with suppress(OSError):  # it is not empty
            os.rmdir(folder)
    buckets.remove([path for path in paths if is_remote(path)])
