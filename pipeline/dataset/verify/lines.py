"""The JSONL: the files of lines against the stories."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.dataset.reader import open_file
from pipeline.dataset.verify.known import SIDES, Known
from pipeline.dataset.verify.problems import RUN, Problem
from pipeline.dataset.verify.records import parsed, record_fault


def check_lines(known: Known, bad: set[str]) -> Iterator[Problem]:
    """The JSONL: each line what its story makes, and each story there."""
    named = {file.path for file in known.manifest.files}
    expected = {name for name in known.records if name not in SIDES}
    for name in sorted(expected | {name for name in named if name.endswith(".jsonl")}):
        if name not in named:
            yield Problem("missing file", name, "dataset.json does not name it", RUN)
        elif name not in bad:
            yield from _lines_of(known, name)


def _lines_of(known: Known, name: str) -> Iterator[Problem]:
    records = known.records.get(name, {})
    seen: set[str] = set()
    with open_file(known.out, name) as file:
        for number, line in enumerate(file, 1):
            record = parsed(line)
            what = record_fault(record, records, seen)
            if what:
                yield Problem("line", f"{name}:{number}", what, RUN)
    for key in records.keys() - seen:
        yield Problem("line", name, f"{key} is not in it", RUN)
