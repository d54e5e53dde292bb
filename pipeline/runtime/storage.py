"""Reading and writing of files, wherever they are: a path, `gs://` or `s3://`.

A file appears under its name only when it is whole, so a crash leaves no half file that a later run
would trust. On a disk it is written under a temporary name beside it and then renamed; a bucket
does the same by itself, where what is uploaded appears at the end of the upload. What fails in a
bucket for a moment is tried again for up to three minutes; all that fails for good is an OSError.
"""

from __future__ import annotations

import errno
import functools
import io
import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import IO, Any, NamedTuple, TypedDict, cast

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError
from obstore.store import ObjectStore, from_url

_SPOOL = 16 << 20  # bytes of a file on its way to a bucket that are held in memory
_AHEAD = 8 << 20  # bytes that are read of a bucket at a time
_AT_ONCE = 16  # requests to a bucket
_TEMPORARY = re.compile(r"\.[0-9a-f]{32}\.tmp$")
_TRIES = 3  # to make a folder that others remove when they find it empty
# What a file of a network mount that does not answer fails with, or of a process with too many
# open. EIO is not among them: FFmpeg says that of damage too.
_NO_ANSWER = {
    errno.ESTALE,
    errno.ETIMEDOUT,
    errno.ENOTCONN,
    errno.EHOSTDOWN,
    errno.EMFILE,
    errno.ENFILE,
}


class CannotWrite(OSError):
    """A file cannot be written, which is no fault of its content: there may be no room for it."""

    exit_code = 2


class Taken(OSError):
    """A file was not written, as another has written it in the meantime."""


# --- names ---------------------------------------------------------------------------------------


def remote(path: str) -> bool:
    """Whether a path is in a bucket."""
    return "://" in path


def silent(path: str, error: Exception) -> bool:
    """Whether an error is that a bucket or disk does not answer, which says nothing of the file."""
    if remote(path):
        return type(error) is OSError
    # FFmpeg's errors are OSErrors too, but of subclasses.
    return type(error) in (OSError, TimeoutError) and cast(OSError, error).errno in _NO_ANSWER


def join(folder: str, *names: str) -> str:
    """The path of what is in a folder."""
    if remote(folder):
        return "/".join([folder.rstrip("/"), *names])
    return os.path.join(folder, *names)


def basename(path: str) -> str:
    """The last component of a path."""
    return path.rpartition("/")[2]


# --- buckets -------------------------------------------------------------------------------------


@functools.cache
def _bucket(url: str) -> ObjectStore:
    provider: dict[str, Any] = {}
    if url.startswith("s3://") and "AWS_ACCESS_KEY_ID" not in os.environ:
        with suppress(ImportError, ValueError):  # no boto3, or it knows no credentials either
            from obstore.auth.boto3 import Boto3CredentialProvider  # profiles, single sign-on

            provider["credential_provider"] = Boto3CredentialProvider()
    try:
        # An endpoint of one's own, such as AWS_ENDPOINT_URL, may well be http.
        return from_url(url, client_options={"allow_http": True}, **provider)
    except (BaseError, ValueError) as error:
        raise OSError(f"{url}: {_short(error)}") from error


def _at(path: str) -> tuple[ObjectStore, str]:
    """The bucket of a path, and the name in it."""
    scheme, _, rest = path.partition("://")
    bucket, _, key = rest.partition("/")
    return _bucket(f"{scheme}://{bucket}"), key.strip("/")


def _short(error: BaseException) -> str:
    return str(error).partition("\n\nDebug source")[0]


@contextmanager
def _errors(path: str) -> Iterator[None]:
    """Makes what goes wrong in a bucket an OSError that names the path."""
    try:
        yield
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{path}: there is no such file or bucket") from error
    except (AlreadyExistsError, PreconditionError) as error:
        raise Taken(f"{path}: {_short(error)}") from error
    except BaseError as error:
        raise OSError(f"{path}: {_short(error)}") from error


class Version(TypedDict, total=False):
    """What tells one content of a file in a bucket from another."""

    e_tag: str
    version: str


class State(NamedTuple):
    """What a bucket says of a file."""

    size: int  # bytes
    modified: datetime  # by the clock of the bucket
    version: Version


def state(path: str) -> State | None:
    """What a bucket says of one of its files, None where there is none."""
    bucket, key = _at(path)
    if not key:
        return None
    try:
        with _errors(path):
            meta = obstore.head(bucket, key)
    except FileNotFoundError:
        return None
    return State(meta["size"], meta["last_modified"], _version(meta["e_tag"], meta["version"]))


def write_if(path: str, data: bytes, version: Version | None) -> Version:
    """Writes a file of a bucket if it still is of a version, None for not being there; returns the
    new one. Raises Taken where it is not: of several who try at once, one comes through."""
    bucket, key = _at(path)
    with _errors(path):
        made = obstore.put(bucket, key, data, mode=cast(Any, version) or "create")
    return _version(made["e_tag"], made["version"])


def _version(e_tag: str | None, version: str | None) -> Version:
    found = Version()  # a store may know one of the two alone
    if e_tag is not None:
        found["e_tag"] = e_tag
    if version is not None:
        found["version"] = version
    return found


class _Object(io.RawIOBase):
    """A file of a bucket, read by ranges."""

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
            raise ValueError(f"{self.path}: a place before its beginning")
        self.position = start + offset
        return self.position

    def tell(self) -> int:
        return self.position

    def readinto(self, buffer: Any) -> int:
        end = min(self.position + len(buffer), self.size)
        if end <= self.position:
            return 0
        bucket, key = _at(self.path)
        with _errors(self.path):
            data = memoryview(obstore.get_range(bucket, key, start=self.position, end=end))
        buffer[: len(data)] = data
        self.position += len(data)
        return len(data)


# --- reading and writing -------------------------------------------------------------------------


def exists(path: str) -> bool:
    """Whether there is a file (on a disk: or a folder) of that name."""
    return state(path) is not None if remote(path) else os.path.exists(path)


def size(path: str) -> int:
    """Bytes of one file. Raises OSError where there is none."""
    if not remote(path):
        return os.path.getsize(path)
    found = state(path)
    if found is None:
        raise FileNotFoundError(f"{path}: there is no such file or bucket")
    return found.size


def read_bytes(path: str) -> bytes:
    """The content of one file. Raises OSError where there is none."""
    if not remote(path):
        with open(path, "rb") as file:
            return file.read()
    bucket, key = _at(path)
    with _errors(path):
        return bytes(obstore.get(bucket, key).bytes())


def reading(path: str) -> IO[bytes]:
    """A file, open for reading and seeking. Raises OSError where there is none."""
    return io.BufferedReader(_Object(path), _AHEAD) if remote(path) else open(path, "rb")


@contextmanager
def writing(path: str) -> Iterator[IO[bytes]]:
    """An open file that becomes `path` when the block ends well and vanishes when it does not.

    Raises CannotWrite where it cannot be written.
    """
    if remote(path):
        with tempfile.SpooledTemporaryFile(_SPOOL) as spool:
            yield spool
            spool.seek(0)
            bucket, key = _at(path)
            try:
                with _errors(path):
                    obstore.put(bucket, key, spool)
            except OSError as error:
                raise CannotWrite(f"cannot write {error}") from error
        return
    temporary = _temporary(path)
    try:
        with _created(temporary, path) as file:
            yield file
        with _writable(path):
            os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):  # the folder may be one that nothing can be done in
            os.remove(temporary)
        raise


def _temporary(path: str) -> str:
    """Returns a name beside a file's own, which no other writer has and `leftovers` knows."""
    return f"{path}.{uuid.uuid4().hex}.tmp"


@contextmanager
def _writable(path: str) -> Iterator[None]:
    """Makes what goes wrong a CannotWrite that names the file."""
    try:
        yield
    except OSError as error:
        raise CannotWrite(
            f"cannot write {path}: {error}; make room, give permission or take another disk"
        ) from error


class _Target(io.FileIO):
    """A file on its way to its name. Its own errors are CannotWrite, unlike those of reading what
    is to be written to it."""

    def __init__(self, temporary: str, path: str) -> None:
        self.path = path
        super().__init__(temporary, "xb")

    def write(self, data: Any) -> int:
        with _writable(self.path):
            return super().write(data)

    def close(self) -> None:
        with _writable(self.path):
            super().close()


def _created(temporary: str, path: str) -> IO[bytes]:
    with _writable(path):
        return io.BufferedWriter(_in_folder(lambda: _Target(temporary, path), temporary))


def _in_folder(make: Callable[[], Any], path: str) -> Any:
    """What `make` returns, which makes the file `path`; its folder is made where there is none,
    and again where another worker removes it, as it is empty."""
    for _ in range(_TRIES):
        with suppress(FileNotFoundError):
            return make()
        with suppress(FileNotFoundError):
            os.makedirs(os.path.dirname(path), exist_ok=True)
    return make()


def write_bytes(path: str, data: bytes) -> None:
    """Writes one file whole. Raises CannotWrite where that cannot be done."""
    with writing(path) as file:
        file.write(data)


# --- folders -------------------------------------------------------------------------------------


def find(pattern: str) -> list[tuple[str, int]]:
    """Path and size in bytes of each file that matches, sorted by path. No match is an empty list.

    In patterns `*` stays within a folder and `**` crosses folders, also none where it is one of the
    names between the slashes. A link that leads nowhere has 0 bytes; links to folders are not
    followed. Raises OSError where a folder cannot be listed.
    """
    if remote(pattern):
        folder = re.split(r"[*?[]", pattern, maxsplit=1)[0].rpartition("/")[0]
        return _find_remote(folder, pattern[len(folder) + 1 :])
    fixed = re.split(r"[*?[]", pattern, maxsplit=1)[0].rpartition("/")
    return _find_here(fixed[0] + fixed[1], pattern)


def find_in(folder: str, pattern: str) -> list[tuple[str, int]]:
    """The same below one folder, whose own name is no pattern: "films [1999]" is just that."""
    if remote(folder):
        return _find_remote(folder.rstrip("/"), pattern)
    return _find_here(join(folder, ""), join(re.sub(r"[*?\[]", r"[\g<0>]", folder), pattern))


def _find_here(folder: str, pattern: str) -> list[tuple[str, int]]:
    """What matches below a folder of a disk, "" or ending in a slash."""
    matches = _pattern(pattern).fullmatch
    deepest = pattern.count("/") - folder.count("/")  # folders below the first
    found = []
    for place, inner, names in os.walk(folder or ".", onerror=_unless_gone):
        below = place[len(folder or ".") :].strip("/")
        for name in names:
            path = folder + (f"{below}/{name}" if below else name)
            if matches(path):
                with suppress(FileNotFoundError):  # it went away
                    found.append((path, _size_here(path)))
        if "**" not in pattern and (below.count("/") + 1 if below else 0) >= deepest:
            inner.clear()
    return sorted(found)


def _unless_gone(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


def _size_here(path: str) -> int:
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        os.readlink(path)  # raises the same where there is not even a link
        return 0


def _pattern(pattern: str) -> re.Pattern[str]:
    """What matches a pattern: `**` stands for anything, `*` and `?` for anything but a slash."""
    parts = re.split(r"((?<![^/])\*\*/|\*\*|\*|\?|\[[^\]]+\])", pattern)
    meaning = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile(
        "".join(
            meaning.get(part, part.replace("\\", r"\\").replace("[!", "[^", 1))
            if at % 2
            else re.escape(part)
            for at, part in enumerate(parts)
        ),
        re.DOTALL,
    )


def _find_remote(folder: str, pattern: str) -> list[tuple[str, int]]:
    bucket, prefix = _at(folder)
    matches = _pattern(pattern).fullmatch
    with _errors(folder):
        if "**" in pattern or "/" in pattern:
            there = obstore.list(bucket, prefix).collect()
        else:
            there = obstore.list_with_delimiter(bucket, prefix)["objects"]
    root = f"{folder}/"
    below = len(prefix) + 1 if prefix else 0
    return sorted(
        (root + meta["path"][below:], meta["size"])
        for meta in there
        if matches(meta["path"][below:])
    )


def folders(folder: str) -> list[str]:
    """The names of the folders in a folder, sorted; none where there is none."""
    if remote(folder):
        bucket, prefix = _at(folder)
        with _errors(folder):
            found = obstore.list_with_delimiter(bucket, prefix)["common_prefixes"]
        return sorted(basename(name.rstrip("/")) for name in found)
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
    return []


def place(
    pairs: Iterable[tuple[str, str]],
    again: bool = False,
    replacing: Callable[[], None] = lambda: None,
) -> None:
    """Makes each target the same file as its source, whatever stood there.

    pairs: source and target. On a disk a target becomes a hard link. Where that cannot be, it is a
    copy, made anew only if the sizes differ or, with `again`, always. `replacing` is called before
    a target that was there is replaced. Raises OSError.
    """
    copies = [pair for pair in pairs if not _linked(*pair, replacing)]
    if not again and copies:
        sizes = dict(
            found
            for folder in {_folder(path) for pair in copies for path in pair}
            for found in find_in(folder, "*")
        )
        copies = [
            (source, target)
            for source, target in copies
            if source not in sizes or sizes[source] != sizes.get(target)
        ]
    if any(again or target in sizes for _, target in copies):
        replacing()
    _each(lambda pair: _copy(*pair), copies)


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def _linked(source: str, target: str, replacing: Callable[[], None]) -> bool:
    """Whether a target is a hard link of its source, or has been made one."""
    if remote(source) or remote(target):
        return False
    with suppress(FileNotFoundError):
        if os.path.samefile(source, target):
            return True
        replacing()
    temporary = _temporary(target)
    try:
        _in_folder(lambda: os.link(source, temporary), temporary)
        os.replace(temporary, target)
    except FileNotFoundError:
        raise
    except OSError:  # another disk, a file system without links, or a copy will say why
        return False
    finally:
        with suppress(OSError):  # it stays where another worker was faster
            os.remove(temporary)
    return True


def _copy(source: str, target: str) -> None:
    here, there = (_folder(path).split("/")[:3] for path in (source, target))
    if remote(source) and here == there:
        (bucket, key), (_, new) = _at(source), _at(target)
        with _errors(source):
            obstore.copy(bucket, key, new)
        return
    with reading(source) as old, writing(target) as file:
        shutil.copyfileobj(old, file, _AHEAD)


def leftovers(folder: str) -> list[str]:
    """What writers that were killed have left below a folder; in a bucket there is nothing of them
    to be seen."""
    if remote(folder):
        return []
    return [
        os.path.join(place, name)
        for place, _, names in os.walk(folder)
        for name in names
        if _TEMPORARY.search(name)
    ]


def remove(paths: Sequence[str]) -> None:
    """Deletes files, and the folders that they leave empty; what is gone already is no error."""
    left = set()
    for path in paths:
        with suppress(FileNotFoundError):
            if not remote(path):
                os.remove(path)
                left.add(os.path.dirname(path))
    for folder in left:
        with suppress(OSError):  # it still holds something
            os.rmdir(folder)
    there = [path for path in paths if remote(path)]
    try:
        for url in {"/".join(path.split("/")[:3]) for path in there}:
            with _errors(url):  # S3 takes a thousand names a request
                obstore.delete(
                    _bucket(url), [_at(path)[1] for path in there if path.startswith(f"{url}/")]
                )
    except FileNotFoundError:  # some stores mind
        _each(_remove_remote, there)


def _remove_remote(path: str) -> None:
    bucket, key = _at(path)
    with suppress(FileNotFoundError), _errors(path):
        obstore.delete(bucket, key)


def _each(do: Callable[[Any], None], items: Sequence[Any]) -> None:
    if items:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(do, items))
