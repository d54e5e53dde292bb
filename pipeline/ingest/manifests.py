"""Manifests: files that name films and say what is known of them.

CSV (with semicolons or tabs too, as spreadsheets write it), JSON (by rows, or by columns as pandas
writes it), JSON lines, or a text file that has a path on each line.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from pipeline.ingest.source_files import SourceError, SourceFile, check_file, printable
from pipeline.ingest.subtitle_encodings import EncodingError, decode
from pipeline.runtime import storage

FILE_NAMES = ("manifest.csv", "manifest.jsonl")  # read in place of the folder that has one
ENDINGS = (".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".txt")
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

# Empty lines, and "sep=;", by which a table tells Excel its delimiter.
_BEFORE_HEADER = re.compile(r"(?:[ \t]*\r?\n)*(?:sep=.\r?\n(?:[ \t]*\r?\n)*)?", re.IGNORECASE)
_NOTHING = ("nan", "none", "null", "n/a", "<na>")  # what pandas and spreadsheets write for no value
_LARGEST = 256 << 20  # bytes; a manifest is read into memory, as are the films that it names


def read(manifest: str) -> list[SourceFile]:
    """Reads the films that a manifest names, in its order; relative paths are relative to it.

    Raises SourceError, with the line, for what cannot be understood, and for a manifest without
    rows.
    """
    folder = manifest.rpartition("/")[0] if "/" in manifest else ""
    ending = os.path.splitext(manifest)[1].lower()
    reader = {".csv": _csv_rows, ".tsv": _csv_rows, ".json": _json_rows, ".txt": _txt_rows}
    rows = [
        (line, _usual(row))
        for line, row in reader.get(ending, _jsonl_rows)(manifest, _text(manifest))
        if any(row.values())
    ]
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
        fault = _broken_text(f"{manifest}, line {line}", row)
        files.append(SourceFile(uri, relative, root, row, fault=fault, reason="manifest"))
    return files


def _usual(row: dict[str, str]) -> dict[str, str]:
    """Returns a row as it was meant: names of columns in any case, "NaN" as nothing, 1.0 as 1."""
    row = {key.strip().lower(): value.strip() for key, value in row.items()}
    row = {
        key: "" if value.lower() in _NOTHING else value
        for key, value in row.items()
        if key not in ("", "unnamed: 0")  # the index of pandas
    }
    for column in ("season", "episode"):
        row |= {column: row[column].removesuffix(".0")} if row.get(column) else {}
    return row


def _csv_rows(manifest: str, text: str) -> Iterator[tuple[int, dict[str, str]]]:
    table = _BEFORE_HEADER.sub("", text, count=1)
    above = text[: len(text) - len(table)].count("\n")  # lines
    delimiter = _delimiter(table)
    reader = csv.DictReader(
        io.StringIO(table, newline=""), skipinitialspace=True, delimiter=delimiter
    )
    try:
        for row in reader:
            if None in row:
                raise SourceError(
                    f"{manifest}, line {above + reader.line_num}: more cells than the header "
                    f"has columns; put a value with a {delimiter!r} in double quotes"
                )
            yield above + reader.line_num, {key or "": value or "" for key, value in row.items()}
    except csv.Error as error:  # such as a quote that is never closed
        line = above + reader.line_num
        raise SourceError(f"{manifest}, line {line}: not CSV: {error}") from error


def _delimiter(table: str) -> str:
    header = table.partition("\n")[0]
    return max(",;\t|", key=header.count)


def _jsonl_rows(manifest: str, text: str) -> Iterator[tuple[int, dict[str, str]]]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield number, _json_row(f"{manifest}, line {number}", _json(line, manifest, number))


def _json_rows(manifest: str, text: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Yields the rows of a JSON list of objects, with their number in place of the line; of an
    object that has such a list or has a list or object for each column; or of objects on lines."""
    try:
        rows = _json(text, manifest, 1) if text.strip() else []
    except SourceError:
        if text.count("\n") and _is_json(text.strip().partition("\n")[0]):
            yield from _jsonl_rows(manifest, text)
            return
        raise
    if isinstance(rows, dict):
        rows = _of_object(rows)
    if not isinstance(rows, list):
        raise SourceError(
            f"{manifest}: not a JSON list of objects with the key uri; for an object on each line "
            "name it .jsonl"
        )
    for number, row in enumerate(rows, 1):
        yield number, _json_row(f"{manifest}, object {number}", row)


def _of_object(table: dict[str, Any]) -> Any:
    """Returns the rows that an object has: a list in it, or what each of its columns has for a row;
    the object alone, if it is one row."""
    uris = next((value for key, value in table.items() if key.strip().lower() == "uri"), None)
    if isinstance(uris, dict):  # of pandas: each column an object with the index for keys
        return [
            {key: column.get(at) for key, column in table.items() if isinstance(column, dict)}
            for at in uris
        ]
    if isinstance(uris, list):
        return [
            {
                key: column[at]
                for key, column in table.items()
                if isinstance(column, list) and at < len(column)
            }
            for at in range(len(uris))
        ]
    lists = [value for value in table.values() if isinstance(value, list)]
    return [table] if uris is not None else lists[0] if len(lists) == 1 else None


def _txt_rows(manifest: str, text: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Yields the films of a text file that has a path on each line, where "#" begins a comment; or
    those of a table, as spreadsheets save it as text."""
    header = text.lstrip().partition("\n")[0].lower().split(_delimiter(text.lstrip()))
    if len(header) > 1 and "uri" in [cell.strip(' "') for cell in header]:
        yield from _csv_rows(manifest, text)
        return
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            yield number, {"uri": line}


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _json(text: str, manifest: str, line: int) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:  # also of numbers with thousands of digits
        raise SourceError(f"{manifest}, line {line}: not JSON: {error}") from error


def _json_row(where: str, row: Any) -> dict[str, str]:
    if not isinstance(row, dict):
        raise SourceError(f"{where}: not a JSON object")
    return {key: "" if value is None else str(value) for key, value in row.items()}


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
        data = storage.read_bytes(manifest)
    except OSError as error:
        raise SourceError(f"{manifest}: cannot be read: {error}") from error
    with suppress(UnicodeDecodeError):
        return data.decode("utf-8-sig")
    try:
        text = decode(data)
    except EncodingError as error:
        raise SourceError(f"{manifest}: not a text: save it as UTF-8") from error
    before, damaged, _ = text.partition("\ufffd")
    if damaged:
        line = before.count("\n") + 1
        raise SourceError(f"{manifest}, line {line}: not UTF-8 text: save it as UTF-8")
    return text


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


def _broken_text(where: str, row: dict[str, str]) -> str:
    """Returns why texts of a row cannot be kept, "" if they can.

    It costs that film alone: a program has cut such a text in two, and nobody sees it in the file,
    whereas a wrong column or number was typed, is soon found by its line, and is often in all rows.
    The text is not repaired in silence, as titles are part of what the writer is told.
    """
    for column in COLUMNS:
        value = row.get(column, "")
        # The name of a file is rejected on its own.
        if column not in ("uri", "subtitles") and printable(value) != value:
            return f"{where}: {column} is {value!r}: half a surrogate pair is not a character"
    return ""


def _resolved(folder: str, uri: str) -> str:
    """Returns a uri, which may be relative to a folder, as one that is not."""
    if "\\" in uri and "://" not in f"{uri}{folder}":
        path = os.path.join(folder, uri)
        uri = uri if os.path.lexists(path) else uri.replace("\\", "/")  # as Windows has it
    if "://" in uri or os.path.isabs(uri) or not folder:
        return uri
    return f"{folder}/{uri}" if "://" in folder else os.path.normpath(os.path.join(folder, uri))
