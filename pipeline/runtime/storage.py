"""Reads, writes, lists and removes files, on a disk or in a bucket (`gs://`, `s3://`).

Writes are atomic: a file appears under its name only when it is complete, so that a later run never
reads one that a crash cut short. On a disk it is written under a temporary name beside its own and
then renamed; in a bucket an object appears when its upload is complete. Requests to a bucket are
retried for up to three minutes; an error that remains is raised as OSError.
"""

from __future__ import annotations

import errno
import functools
import io
import os
import re
import shutil
import stat
import tempfile
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import IO, Any, NamedTuple, TypedDict, cast

import obstore
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)
from obstore.store import ObjectStore, from_url

_UPLOAD_MEMORY = 16 << 20  # bytes of an upload that are held in memory, the rest on the disk
_READ_BUFFER = 8 << 20  # bytes that one request reads from a bucket
_CONCURRENT_REQUESTS = 16
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


class WriteConflict(OSError):
    """Raised when a file was not written, as another process has written it in the meantime."""


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


# --- buckets -------------------------------------------------------------------------------------


@functools.cache
def _bucket(url: str) -> ObjectStore:
    provider: dict[str, Any] = {}
    if url.startswith("s3://") and "AWS_ACCESS_KEY_ID" not in os.environ:
        with suppress(ImportError, ValueError):  # boto3 is missing, or finds no credentials
            from obstore.auth.boto3 import Boto3CredentialProvider  # profiles, single sign-on

            provider["credential_provider"] = Boto3CredentialProvider()
    try:
        # The endpoint of a private server, as in AWS_ENDPOINT_URL, may be http.
        return from_url(url, client_options={"allow_http": True}, **provider)
    except (BaseError, ValueError) as error:
        raise OSError(f"{url}: {_message(error)}") from error


def _bucket_and_key(path: str) -> tuple[ObjectStore, str]:
    """Returns the bucket of a path and the object's key in it."""
    scheme, _, rest = path.partition("://")
    bucket, _, key = rest.partition("/")
    return _bucket(f"{scheme}://{bucket}"), key.strip("/")


def _message(error: BaseException) -> str:
    return str(error).partition("\n\nDebug source")[0]


@contextmanager
def _as_oserror(path: str) -> Iterator[None]:
    """Raises obstore's errors in the block as OSErrors that name the path."""
    try:
        yield
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{path}: there is no such file or bucket") from error
    except (PermissionDeniedError, UnauthenticatedError) as error:
        raise PermissionError(f"{path}: {_message(error)}") from error
    except (AlreadyExistsError, PreconditionError) as error:
        raise WriteConflict(f"{path}: {_message(error)}") from error
    except BaseError as error:
        raise OSError(f"{path}: {_message(error)}") from error


class Version(TypedDict, total=False):
    """Identifies one content of a file in a bucket."""

    e_tag: str
    version: str


class State(NamedTuple):
    """Metadata of a file in a bucket."""

    size: int  # bytes
    modified: datetime  # by the bucket's clock
    version: Version


def state(path: str) -> State | None:
    """Returns the metadata of a file in a bucket, None if there is no such file."""
    bucket, key = _bucket_and_key(path)
    if not key:
        return None
    try:
        with _as_oserror(path):
            meta = obstore.head(bucket, key)
    except FileNotFoundError:
        return None
    return State(meta["size"], meta["last_modified"], _version(meta["e_tag"], meta["version"]))


def write_if(path: str, data: bytes, version: Version | None) -> Version:
    """Writes a file in a bucket only if its version is still `version`; returns its new version.

    `version` None means that there must be no such file. Raises WriteConflict if the version is
    another: of several processes that write at the same time, only one succeeds.
    """
    bucket, key = _bucket_and_key(path)
    with _as_oserror(path):
        written = obstore.put(bucket, key, data, mode=cast(Any, version) or "create")
    return _version(written["e_tag"], written["version"])


def _version(e_tag: str | None, version: str | None) -> Version:
    found = Version()  # a store may have only one of the two
    if e_tag is not None:
        found["e_tag"] = e_tag
    if version is not None:
        found["version"] = version
    return found


class _BucketFile(io.RawIOBase):
    """Reads a file in a bucket by range requests."""

    def __init__(self, path: str) -> None:
        found = state(path)
        if found is None:
            raise FileNotFoundError(f"{path}: there is no such file or bucket")
        self.path, self.size, self.position = path, found.size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self.position, os.SEEK_END: self.size}[whence]
        if start + offset < 0:
            raise ValueError(f"{self.path}: cannot seek to before the start of the file")
        self.position = start + offset
        return self.position

    def tell(self) -> int:
        return self.position

    def readinto(self, buffer: Any) -> int:
        end = min(self.position + len(buffer), self.size)
        if end <= self.position:
            return 0
        bucket, key = _bucket_and_key(self.path)
        with _as_oserror(self.path):
            data = memoryview(obstore.get_range(bucket, key, start=self.position, end=end))
        buffer[: len(data)] = data
        self.position += len(data)
        return len(data)


# --- reading and writing -------------------------------------------------------------------------


def exists(path: str) -> bool:
    """Returns whether there is a file of that name (on a disk, a file or a folder)."""
    return state(path) is not None if is_remote(path) else os.path.exists(path)


def size(path: str) -> int:
    """Returns the size of a file in bytes. Raises OSError if there is none."""
    if not is_remote(path):
        return os.path.getsize(path)
    found = state(path)
    if found is None:
        raise FileNotFoundError(f"{path}: there is no such file or bucket")
    return found.size


def read_bytes(path: str) -> bytes:
    """Returns the content of a file. Raises OSError if there is none."""
    if not is_remote(path):
        with reading(path) as file:
            return file.read()
    bucket, key = _bucket_and_key(path)
    with _as_oserror(path):
        return bytes(obstore.get(bucket, key).bytes())


def reading(path: str) -> IO[bytes]:
    """Opens a file for reading and seeking. Raises OSError if there is none."""
    if is_remote(path):
        return io.BufferedReader(_BucketFile(path), _READ_BUFFER)
    if not stat.S_ISREG(os.stat(path).st_mode):  # opening a pipe, or reading a device, may not end
        raise NotAFile(f"{path}: a folder, pipe or device where a file was expected")
    return open(path, "rb")


def read_ranges(path: str, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
    """Returns parts of a file, each given by its start and its length in bytes; shorter at the end
    of the file. From a bucket they are requested side by side. Raises OSError if there is none."""
    if is_remote(path):
        bucket, key = _bucket_and_key(path)
        starts, lengths = zip(*ranges, strict=True)
        with _as_oserror(path):
            parts = obstore.get_ranges(bucket, key, starts=starts, lengths=lengths)
        return [bytes(part) for part in parts]
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
            bucket, key = _bucket_and_key(path)
            try:
                with _as_oserror(path):
                    obstore.put(bucket, key, spool)
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
    bucket, prefix = _bucket_and_key(folder)
    matches = _compiled(pattern).fullmatch
    with _as_oserror(folder):
        if "**" in pattern or "/" in pattern:
            listed = obstore.list(bucket, prefix).collect()
        else:
            listed = obstore.list_with_delimiter(bucket, prefix)["objects"]
    root = f"{folder}/"
    below = len(prefix) + 1 if prefix else 0
    return sorted(
        (root + meta["path"][below:], meta["size"])
        for meta in listed
        if matches(meta["path"][below:])
    )


def folders(folder: str) -> list[str]:
    """Returns the sorted names of the folders in a folder; none if there is no such folder."""
    if is_remote(folder):
        bucket, prefix = _bucket_and_key(folder)
        with _as_oserror(folder):
            found = obstore.list_with_delimiter(bucket, prefix)["common_prefixes"]
        return sorted(basename(name.rstrip("/")) for name in found)
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
    _in_parallel(lambda pair: _copy(*pair), copies)


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
    source_bucket, target_bucket = (_folder(path).split("/")[:3] for path in (source, target))
    if is_remote(source) and source_bucket == target_bucket:
        (bucket, source_key), (_, target_key) = _bucket_and_key(source), _bucket_and_key(target)
        with _as_oserror(source):
            obstore.copy(bucket, source_key, target_key)
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
    remote = [path for path in paths if is_remote(path)]
    try:
        for url in {"/".join(path.split("/")[:3]) for path in remote}:
            keys = [_bucket_and_key(path)[1] for path in remote if path.startswith(f"{url}/")]
            with _as_oserror(url):  # S3 deletes up to a thousand keys per request
                obstore.delete(_bucket(url), keys)
    except FileNotFoundError:  # some stores raise it for files that are missing
        _in_parallel(_remove_from_bucket, remote)


def _remove_from_bucket(path: str) -> None:
    bucket, key = _bucket_and_key(path)
    with suppress(FileNotFoundError), _as_oserror(path):
        obstore.delete(bucket, key)


def _in_parallel(function: Callable[[Any], None], items: Sequence[Any]) -> None:
    if items:
        with ThreadPoolExecutor(_CONCURRENT_REQUESTS) as pool:
            list(pool.map(function, items))
