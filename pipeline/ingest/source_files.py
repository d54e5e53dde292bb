"""A file that a source names, before it is opened: what is known of it, whether it can be read."""

from __future__ import annotations

import dataclasses
import os
import stat
from collections.abc import Collection

from pipeline.runtime import storage, web

_BUCKETS = ("gs", "s3")
_SCHEMES = ("file", *_BUCKETS)  # a file:// is a path


class SourceError(ValueError):
    """The source names no films, or its manifest cannot be read."""


@dataclasses.dataclass(frozen=True)
class SourceFile:
    """A film file that a source names."""

    uri: str
    relative: str  # its path relative to the source, "/" between the parts
    root: str  # the name of the source's folder: the series of films that lie directly in it
    row: dict[str, str] = dataclasses.field(default_factory=dict)  # of a manifest
    size: int | None = None  # bytes, where a listing told them
    fault: str = ""  # why it cannot be used, such as a folder that cannot be listed
    reason: str = "unreadable"  # of its reject, if it has a fault


def scheme_fault(uri: str, schemes: Collection[str] = ()) -> str:
    """Returns why a uri is not fetched, with what to do; "" for one that is.

    A source may be anybody's, so that only paths and buckets are, and what `schemes` names.
    """
    scheme = uri.partition("://")[0].lower() if "://" in uri else ""
    if scheme in ("", *_SCHEMES, *schemes):
        return ""
    return (
        f"{scheme}:// is not fetched: give a path, {' or '.join(f'{name}://' for name in _BUCKETS)}"
        f", or allow it with --set 'schemes=[{scheme}]'"
    )


def check_file(uri: str, size: int | None = None) -> tuple[int, str, str]:
    """Returns a file's size in bytes and, where it cannot be used, a reject's reason and detail.

    size: in bytes, where it is known; else it is looked up.
    """
    try:
        uri.encode()
        if size is None:
            size = storage.size(uri) if "://" in uri else _local_size(uri)
    except UnicodeEncodeError:  # rows are UTF-8
        return 0, "name", "its name is not UTF-8: rename it"
    except PermissionError as error:
        return 0, "unreadable", f"it cannot be looked at: {error.strerror or error}"
    except web.NotServed as error:
        return 0, "not served", str(error)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        return 0, "missing", f"there is no such file: {error}"
    if size is None:
        return 0, "not a file", "a folder, pipe or device where a file was expected"
    return (size, "", "") if size else (0, "empty", "the file has no bytes")


def _local_size(path: str) -> int | None:
    """Returns the size in bytes; None for a pipe, device or folder: reading it might never end."""
    status = os.stat(path)
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def printable(uri: str) -> str:
    """Returns a uri with what is not UTF-8 in it escaped."""
    return uri.encode(errors="backslashreplace").decode()
