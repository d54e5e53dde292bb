"""Finds JSONL files and lines that are missing or are not what the stories make."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from pipeline.dataset.reader import open_file
from pipeline.dataset.verify.expected_records import parse_record, record_fault
from pipeline.dataset.verify.index import Index
from pipeline.dataset.verify.problems import RUN, Problem
from schemas.layout import MANIFEST, SPLITS

_LONGEST_LINE = 16 << 20  # bytes; a story has a thousandth of that


def check_jsonl(index: Index, bad_files: set[str]) -> Iterator[Problem]:
    """Checks each line of the JSONL, and that none is missing. Needs the stories."""
    named = {file.path for file in index.manifest.files}
    expected = {path for path in index.records if path not in SPLITS}
    for path in sorted(expected | {path for path in named if path.endswith(".jsonl")}):
        if path not in named:
            yield Problem("missing file", path, f"{MANIFEST} does not name it", RUN)
        elif path not in bad_files:
            yield from _check_lines(index, path)


def _check_lines(index: Index, path: str) -> Iterator[Problem]:
    expected = index.records.get(path, {})
    seen: set[str] = set()
    with open_file(index.out, path) as file:
        # A longer line comes in pieces, none of which is a record.
        for number, line in enumerate(iter(partial(file.readline, _LONGEST_LINE), b""), 1):
            fault = record_fault(parse_record(line), expected, seen)
            if fault:
                yield Problem("line", f"{path}:{number}", fault, RUN)
    for key in expected.keys() - seen:
        yield Problem("line", path, f"{key} is not in it", RUN)
