"""The records that the JSONL and the shards must hold, as the stories make them."""

from __future__ import annotations

import json
from typing import Any

from pipeline.dataset.verify.index import Index, text_digest
from schemas.layout import chunks_jsonl_path, stories_jsonl_path
from schemas.published import chunk_records, sample_records, story_record
from schemas.rows import Story


def expect_records(story: Story, index: Index) -> None:
    """Adds the records of a story to the index, by where they belong."""
    expected = index.records  # a file that no record belongs in is not expected
    expected[stories_jsonl_path(story.split)][story.id] = _record_digest(story_record(story))
    for chunk in chunk_records(story):
        expected[chunks_jsonl_path(story.split)][chunk["id"]] = _record_digest(chunk)
    for sample in sample_records(story, index.sources[story.video]):
        expected[story.split][sample["id"]] = _record_digest(sample)


def _record_digest(record: Any) -> bytes:
    return text_digest(json.dumps(record, sort_keys=True, ensure_ascii=False))


def parse_record(data: bytes) -> dict[str, Any]:
    """Parses a JSON object; returns an empty one where it is none."""
    try:
        found = json.loads(data)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def record_fault(record: dict[str, Any], expected: dict[str, bytes], seen: set[str]) -> str:
    """Describes what is wrong with a record, "" for nothing, and adds its id to `seen`."""
    key = record.get("id")
    if not isinstance(key, str):
        return "there is no JSON object with an id"
    if key not in expected:
        return f"{key} does not belong here"
    if key in seen:
        return f"{key} is there twice"
    seen.add(key)
    if _record_digest(record) != expected[key]:
        return f"{key} is not what stories.parquet makes of it"
    return ""
