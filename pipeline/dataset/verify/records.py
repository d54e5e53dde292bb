"""The records that stories make, which the JSONL and the shards must hold."""

from __future__ import annotations

import json
from typing import Any

from pipeline.dataset.verify.known import Known, text_digest
from schemas.rows import Story
from schemas.storystream import IMAGES, chunk_records, story_record


def expect(story: Story, known: Known) -> None:
    """Notes the records that a story makes."""
    stories, chunks = (f"{IMAGES}/{story.split}_{name}.jsonl" for name in ("stories", "chunks"))
    known.records[stories][story.id] = _record_digest(story_record(story))
    for number, chunk in enumerate(chunk_records(story)):
        about = {
            **chunk,
            "story": story.id,
            "chunk": number,
            "video": story.video,
            "series": story.series,
        }
        known.records[chunks][chunk["id"]] = _record_digest(chunk)
        known.records[story.split][chunk["id"]] = _record_digest(about)


def _record_digest(record: Any) -> bytes:
    return text_digest(json.dumps(record, sort_keys=True, ensure_ascii=False))


def parsed(data: bytes) -> dict[str, Any]:
    """A JSON object, empty where it is none."""
    try:
        found = json.loads(data)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def record_fault(record: dict[str, Any], records: dict[str, bytes], seen: set[str]) -> str:
    """What is wrong with one record, which from now on has been `seen`."""
    key = record.get("id")
    if not isinstance(key, str):
        return "there is no JSON object with an id"
    if key not in records:
        return f"{key} does not belong here"
    if key in seen:
        return f"{key} is there twice"
    seen.add(key)
    if _record_digest(record) != records[key]:
        return f"{key} is not what stories.parquet makes of it"
    return ""
