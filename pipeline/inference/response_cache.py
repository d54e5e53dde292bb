"""Kept answers: what a model said, under the digest of exactly what it was asked.

An answer is written before it is used, whole or not at all, a file each, with a digest of its own.
So a run that is killed at any moment repeats at most the calls that were in flight, and whatever
asks the same again, be it another run, stage or setting, pays nothing.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pipeline.inference.backends import Answer
from pipeline.runtime import storage
from schemas.layout import ANSWERS


def digest(exact: dict[str, Any]) -> str:
    """64 hex digits that stand for all that a model was asked, or for any other JSON object."""
    text = json.dumps(exact, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _path(work: str, key: str) -> str:
    return storage.join(work, ANSWERS, key[:2], f"{key}.json")


def load(work: str, key: str) -> Answer | None:
    """The answer kept under a digest, None where there is none, or a damaged one (a power cut)."""
    path = _path(work, key)
    if not storage.exists(path):
        return None
    values = _read(storage.read_bytes(path))
    return Answer(**values["answer"]) if values and values["question"] == key else None


def _read(data: bytes) -> dict[str, Any] | None:
    """What a file of an answer holds, None where it is not as it was written."""
    try:
        seal, values = json.loads(data)
    except (ValueError, TypeError):
        return None
    return values if seal == digest(values) else None


def save(work: str, key: str, answer: Answer, task: str, cost: float) -> None:
    """Keeps an answer with what it was for and what it cost."""
    values = {"question": key, "task": task, "cost": cost, "answer": dataclasses.asdict(answer)}
    storage.write_bytes(
        _path(work, key), json.dumps([digest(values), values], ensure_ascii=False).encode()
    )


def _all(work: str) -> Iterator[dict[str, Any]]:
    paths = [path for path, _ in storage.find_in(storage.join(work, ANSWERS), "**.json")]
    with ThreadPoolExecutor(16) as pool:
        for data in pool.map(storage.read_bytes, paths):
            if (values := _read(data)) is not None:  # a damaged one will be asked for again
                yield values


def spent(work: str) -> float:
    """What all the answers that are kept have cost."""
    return sum(values["cost"] for values in _all(work))


def totals(work: str) -> dict[str, dict[str, float]]:
    """By task, the calls, tokens and cost of all the answers that are kept."""
    sums: dict[str, Counter[str]] = {}
    for values in _all(work):
        answer = values["answer"]
        sums.setdefault(values["task"], Counter()).update(
            {
                "calls": 1,
                "input_tokens": answer["input_tokens"],
                "output_tokens": answer["output_tokens"],
                "cost": values["cost"],
            }
        )
    return {task: dict(total) for task, total in sums.items()}


def tokens(work: str, model: str) -> dict[str, tuple[float, float]]:
    """By task, the mean tokens of the questions to a model and of its answers that are kept."""
    seen: dict[str, list[tuple[int, int]]] = {}
    for values in _all(work):
        answer = values["answer"]
        if answer["model"] == model:
            seen.setdefault(values["task"], []).append(
                (answer["input_tokens"], answer["output_tokens"])
            )
    return {
        task: (
            sum(one for one, _ in pairs) / len(pairs),
            sum(other for _, other in pairs) / len(pairs),
        )
        for task, pairs in seen.items()
    }
