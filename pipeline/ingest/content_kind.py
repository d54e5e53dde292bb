"""Says what a file is that is no film, by its first bytes: downloads are often something else."""

from __future__ import annotations

import re
from typing import IO

from pipeline.runtime import storage

_FIRST = 1024  # bytes that are looked at
_MOST_BOXES = 64  # of an MP4 that are passed over

_BY_START = (
    (b"PK\x03\x04", "a ZIP archive: unpack it"),
    (b"Rar!\x1a\x07", "a RAR archive: unpack it"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive: unpack it"),
    (b"\x1f\x8b", "a gzip archive: unpack it"),
    (b"%PDF-", "a PDF"),
    (b"d8:announce", "a torrent: download what it names"),
    (b"d10:created by", "a torrent: download what it names"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"SQLite format 3", "a database"),
)
_WEB_PAGE = re.compile(rb"\s*(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body)\b", re.I | re.S)
_JSON = re.compile(rb"\s*[{\[]\s*[\"{}\]]")


def described(uri: str) -> str:
    """Returns what a file is, with what to do about it; "" if its first bytes do not tell.

    Raises OSError if it cannot be read.
    """
    with storage.reading(uri) as file:
        first = file.read(_FIRST).removeprefix(b"\xef\xbb\xbf")
        if not first.strip(b"\x00"):
            return "empty where a film begins, as of a download that did not end: download it again"
        for start, kind in _BY_START:
            if first.startswith(start):
                return kind
        if _WEB_PAGE.match(first):
            return "a web page, saved under the name of a film: download the film"
        if _JSON.match(first):
            return "a JSON text, perhaps the error of a server: download the film"
        if first[4:8] == b"ftyp":
            return _of_mp4(file)
    return ""


def _of_mp4(file: IO[bytes]) -> str:
    """Returns whether an MP4 lacks its index, "" if it has one."""
    end, at = file.seek(0, 2), 0
    for _ in range(_MOST_BOXES):
        file.seek(at)
        header = file.read(16)
        if len(header) < 8:
            break
        size, kind = int.from_bytes(header[:4], "big"), header[4:8]
        if kind == b"moov":
            return ""
        if size == 1:
            size = int.from_bytes(header[8:16], "big")
        if size < 8 or at + size > end:
            break
        at += size
    return "an MP4 without its index, as of a download that did not end: download it again"
