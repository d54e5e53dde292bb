"""The JSONL in the published layout: for each split a file of stories and one of chunks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from pipeline.dataset.file_digests import DigestWriter, FileRecord, recorded
from schemas import layout
from schemas.published import chunk_records, story_record
from schemas.rows import Story


class JsonlWriter:
    """The JSONL files, each opened when its first line comes, so that none is empty."""

    def __init__(self, stack: ExitStack, out: str, records: list[FileRecord]) -> None:
        self._stack, self._out, self._records = stack, out, records
        self._files: dict[str, DigestWriter] = {}

    def write(self, story: Story) -> int:
        """Writes a story and its chunks; returns the number of chunks."""
        self._write_line(layout.stories_jsonl_path(story.split), story_record(story))
        chunks = chunk_records(story)
        for chunk in chunks:
            self._write_line(layout.chunks_jsonl_path(story.split), chunk)
        return len(chunks)

    def _write_line(self, path: str, record: dict[str, Any]) -> None:
        if path not in self._files:
            self._files[path] = self._stack.enter_context(recorded(self._out, path, self._records))
        self._files[path].write(json.dumps(record, ensure_ascii=False).encode() + b"\n")


@contextmanager
def writing_jsonl(out: str, records: list[FileRecord]) -> Iterator[JsonlWriter]:
    """Opens the JSONL of the dataset `out`; the records are added when the block ends well."""
    with ExitStack() as stack:
        yield JsonlWriter(stack, out, records)
