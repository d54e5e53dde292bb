"""Reads, writes, lists and deletes files in buckets (`gs://`, `s3://` and what else obstore knows).

Requests are retried for up to three minutes; an error that remains is raised as OSError. A file
appears under its name when its upload is complete.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator, Sequence
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

CONCURRENT_REQUESTS = 16


class WriteConflict(OSError):
    """Raised when a file was not written, as another process has written it in the meantime."""


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


def read_range(path: str, start: int, end: int) -> memoryview:
    """Returns the bytes of a file from `start` to before `end`."""
    bucket, key = _bucket_and_key(path)
    with _as_oserror(path):
        return memoryview(obstore.get_range(bucket, key, start=start, end=end))


def read(path: str) -> bytes:
    """Returns the content of a file. Raises OSError if there is none."""
    bucket, key = _bucket_and_key(path)
    with _as_oserror(path):
        return bytes(obstore.get(bucket, key).bytes())


def read_ranges(path: str, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
    """Returns parts of a file, each given by its start and its length in bytes, all requested at
    the same time. Raises OSError if there is no such file."""
    bucket, key = _bucket_and_key(path)
    starts, lengths = zip(*ranges, strict=True)
    with _as_oserror(path):
        parts = obstore.get_ranges(bucket, key, starts=starts, lengths=lengths)
    return [bytes(part) for part in parts]


def upload(path: str, file: IO[bytes]) -> None:
    """Writes a file from an open one, from its position on."""
    bucket, key = _bucket_and_key(path)
    with _as_oserror(path):
        obstore.put(bucket, key, file)


def find(folder: str, deep: bool, matches: Callable[[str], Any]) -> list[tuple[str, int]]:
    """Returns path and size in bytes of each file in a folder, if `deep` also of those below it,
    whose path relative to the folder matches; sorted by path."""
    bucket, prefix = _bucket_and_key(folder)
    with _as_oserror(folder):
        listed = (
            obstore.list(bucket, prefix).collect()
            if deep
            else obstore.list_with_delimiter(bucket, prefix)["objects"]
        )
    root = f"{folder}/"
    below = len(prefix) + 1 if prefix else 0
    return sorted(
        (root + meta["path"][below:], meta["size"])
        for meta in listed
        if matches(meta["path"][below:])
    )


def folders(folder: str) -> list[str]:
    """Returns the sorted names of the folders in a folder; none if there is no such folder."""
    bucket, prefix = _bucket_and_key(folder)
    with _as_oserror(folder):
        found = obstore.list_with_delimiter(bucket, prefix)["common_prefixes"]
    return sorted(name.rstrip("/").rpartition("/")[2] for name in found)


def copied(source: str, target: str) -> bool:
    """Copies a file if both are in the same bucket, which then does it; returns whether."""
    if bucket_of(source) != bucket_of(target):
        return False
    (bucket, source_key), (_, target_key) = _bucket_and_key(source), _bucket_and_key(target)
    with _as_oserror(source):
        obstore.copy(bucket, source_key, target_key)
    return True


def bucket_of(path: str) -> str:
    """Returns the address of the bucket of a path."""
    return "/".join(path.split("/")[:3])


def remove(paths: Sequence[str]) -> None:
    """Deletes files; files that are missing are no error."""
    try:
        for url in {bucket_of(path) for path in paths}:
            keys = [_bucket_and_key(path)[1] for path in paths if path.startswith(f"{url}/")]
            with _as_oserror(url):  # S3 deletes up to a thousand keys per request
                obstore.delete(_bucket(url), keys)
    except FileNotFoundError:  # some stores raise it for files that are missing
        in_parallel(_remove, paths)


def _remove(path: str) -> None:
    bucket, key = _bucket_and_key(path)
    with suppress(FileNotFoundError), _as_oserror(path):
        obstore.delete(bucket, key)


def in_parallel(function: Callable[[Any], None], items: Sequence[Any]) -> None:
    """Calls a function, which waits for requests, for each item, some at the same time."""
    if items:
        with ThreadPoolExecutor(CONCURRENT_REQUESTS) as pool:
            list(pool.map(function, items))
