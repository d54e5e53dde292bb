"""Manifests: CSV or JSONL files that name films and say what is known of them."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Iterator

from pipeline.ingest.source_files import SourceError, SourceFile, check_file, printable
from pipeline.runtime import storage

FILE_NAMES = ("manifest.csv", "manifest.jsonl")  # read in place of the folder that has one
ENDINGS = (".csv", ".jsonl")
COLUMNS = (
    "uri",
    "series",
    "season",
    "episode",
    "language",
    "license",
    "attribution",
    "subtitles",
    "title",
)

_LARGEST = 256 << 20  # bytes; a manifest is read into memory, as are the films that it names


def read(manifest: str) -> list[SourceFile]:
    """Reads the films that a manifest names, in its order; relative paths are relative to it.

    Raises SourceError, with the line, for what cannot be understood, and for a manifest without
    rows.
    """
    folder = manifest.rpartition("/")[0] if "/" in manifest else ""
    rows = list((_csv_rows if manifest.lower().endswith(".csv") else _jsonl_rows)(manifest))
    if not rows:
        raise SourceError(
            f"{manifest}: no rows; it needs the column uri and may have {', '.join(COLUMNS[1:])}"
        )
    root = (folder if "://" in manifest else os.path.abspath(folder or ".")).rpartition("/")[2]
    files = []
    for line, row in rows:
        _check_row(f"{manifest}, line {line}", row)
        uri = _resolved(folder, row["uri"])
        if row.get("subtitles"):
            row = row | {"subtitles": _resolved(folder, row["subtitles"])}
        relative = os.path.normpath(row["uri"]).replace(os.sep, "/")
        if "://" in row["uri"] or relative.startswith(("/", "..")):  # not below the manifest
            relative = relative.rpartition("/")[2]
        files.append(SourceFile(uri, relative, root, row))
    return files


def _csv_rows(manifest: str) -> Iterator[tuple[int, dict[str, str]]]:
    reader = csv.DictReader(io.StringIO(_text(manifest), newline=""), skipinitialspace=True)
    try:
        for row in reader:
            if None in row:
                raise SourceError(
                    f"{manifest}, line {reader.line_num}: more cells than the header "
                    "has columns; put a value with a comma in double quotes"
                )
            yield (
                reader.line_num,
                {(key or "").strip(): (value or "").strip() for key, value in row.items()},
            )
    except csv.Error as error:  # such as a quote that is never closed
        raise SourceError(f"{manifest}, line {reader.line_num}: not CSV: {error}") from error


def _jsonl_rows(manifest: str) -> Iterator[tuple[int, dict[str, str]]]:
    for number, line in enumerate(_text(manifest).split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:  # also of numbers with thousands of digits
            raise SourceError(f"{manifest}, line {number}: not JSON: {error}") from error
        if not isinstance(row, dict):
            raise SourceError(f"{manifest}, line {number}: not a JSON object")
        yield (
            number,
            {key: "" if value is None else str(value).strip() for key, value in row.items()},
        )


def _text(manifest: str) -> str:
    size, reason, detail = check_file(manifest)
    if reason not in ("", "empty"):
        raise SourceError(f"{manifest}: cannot be read: {detail}")
    if size > _LARGEST:
        raise SourceError(
            f"{manifest}: has {size >> 20} MB, a manifest at most "
            f"{_LARGEST >> 20}: split it, and run each part"
        )
    try:
        return storage.read_bytes(manifest).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceError(f"{manifest}: not UTF-8 text: {error}") from error
    except OSError as error:
        raise SourceError(f"{manifest}: cannot be read: {error}") from error


def _check_row(where: str, row: dict[str, str]) -> None:
    unknown = sorted(set(row) - set(COLUMNS))
    if unknown:
        raise SourceError(f"{where}: unknown column {unknown[0]!r}; known are {', '.join(COLUMNS)}")
    if not row.get("uri"):
        raise SourceError(f"{where}: no uri")
    for column in ("season", "episode"):
        if row.get(column) and not re.fullmatch(r"\d{1,9}", row[column]):
            raise SourceError(
                f"{where}: {column} is {row[column]!r}, not a whole number of at most 9 digits"
            )
    for column in set(COLUMNS) - {"uri", "subtitles"}:  # a file's name is rejected on its own
        if printable(row.get(column, "")) != row.get(column, ""):
            raise SourceError(
                f"{where}: {column} is {row[column]!r}: half a surrogate pair is not a character"
            )


def _resolved(folder: str, uri: str) -> str:
    """Returns a uri, which may be relative to a folder, as one that is not."""
    if "://" in uri or os.path.isabs(uri) or not folder:
        return uri
    return f"{folder}/{uri}" if "://" in folder else os.path.normpath(os.path.join(folder, uri))
