"""Caches model responses by the digest of the exact request.

An answer is written before it is used, atomically, one file each, with a checksum. So a run that is
killed at any moment repeats at most the calls that were in flight, and the same request from
another run, stage or configuration costs nothing. An answer that was of no use is set aside: it
stays on record, with its cost, and its request is asked again.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pipeline.inference.protocol import Answer
from pipeline.runtime import storage
from schemas.layout import ANSWERS

_BAD = "bad"  # the folder of answers that were of no use, in that of all answers


def digest(value: dict[str, Any]) -> str:
    """Returns the SHA-256, 64 hex digits, of a JSON object, whatever the order of its keys."""
    return hashlib.sha256(_encoded(value, sort_keys=True)).hexdigest()


def _encoded(value: Any, sort_keys: bool = False) -> bytes:
    """Returns a value as JSON. Lone surrogates, which a raw answer may hold, are kept as they are;
    `json.loads` reads them again."""
    text = json.dumps(value, sort_keys=sort_keys, ensure_ascii=False)
    return text.encode("utf-8", "surrogatepass")


def _path(work: str, request_digest: str) -> str:
    return storage.join(work, ANSWERS, request_digest[:2], f"{request_digest}.json")


def load(work: str, request_digest: str) -> Answer | None:
    """Returns the cached answer, None if there is none or its file is damaged (a power cut)."""
    path = _path(work, request_digest)
    if not storage.exists(path):
        return None
    entry = _parse(storage.read_bytes(path))
    return Answer(**entry["answer"]) if entry and entry["question"] == request_digest else None


def _parse(data: bytes) -> dict[str, Any] | None:
    """Returns the content of a cache file, None if its checksum does not match."""
    try:
        checksum, entry = json.loads(data)
    except (ValueError, TypeError):
        return None
    return entry if checksum == digest(entry) else None


def save(work: str, request_digest: str, answer: Answer, task: str, cost: float) -> None:
    """Caches an answer with its task and its cost."""
    entry = {
        "question": request_digest,
        "task": task,
        "cost": cost,
        "answer": dataclasses.asdict(answer),
    }
    storage.write_bytes(_path(work, request_digest), _encoded([digest(entry), entry]))


def set_aside(work: str, request_digest: str) -> None:
    """Takes an answer out of the cache, so that its request is asked again, but not off the record:
    what it has cost is spent."""
    path = _path(work, request_digest)
    if not storage.exists(path):
        return
    # A request may have several bad answers, the same one too.
    name = f"{request_digest}-{uuid.uuid4().hex}.json"
    storage.write_bytes(
        storage.join(work, ANSWERS, _BAD, request_digest[:2], name), storage.read_bytes(path)
    )
    storage.remove([path])


def _entries(work: str) -> Iterator[dict[str, Any]]:
    """Reads all cache files but the damaged ones, which will be asked for again."""
    paths = [path for path, _ in storage.find_in(storage.join(work, ANSWERS), "**.json")]
    with ThreadPoolExecutor(16) as pool:
        for data in pool.map(storage.read_bytes, paths):
            if (entry := _parse(data)) is not None:
                yield entry


def spent(work: str) -> float:
    """Returns the cost of all answers, those set aside too."""
    return sum(entry["cost"] for entry in _entries(work))


def totals(work: str) -> dict[str, dict[str, float]]:
    """Returns the calls, tokens and cost of all cached answers, by task."""
    sums: dict[str, Counter[str]] = {}
    for entry in _entries(work):
        answer = entry["answer"]
        sums.setdefault(entry["task"], Counter()).update(
            {
                "calls": 1,
                "input_tokens": answer["input_tokens"],
                "output_tokens": answer["output_tokens"],
                "cost": entry["cost"],
            }
        )
    return {task: dict(total) for task, total in sums.items()}


def mean_tokens(work: str, model: str) -> dict[str, tuple[float, float]]:
    """Returns the mean input and output tokens of a model's cached answers, by task."""
    counts: dict[str, list[tuple[int, int]]] = {}
    for entry in _entries(work):
        answer = entry["answer"]
        if answer["model"] == model:
            counts.setdefault(entry["task"], []).append(
                (answer["input_tokens"], answer["output_tokens"])
            )
    return {
        task: (
            sum(read for read, _ in pairs) / len(pairs),
            sum(written for _, written in pairs) / len(pairs),
        )
        for task, pairs in counts.items()
    }
