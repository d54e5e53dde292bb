"""A backend that says what a test tells it to, and what it takes to ask it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from pipeline.inference.backends import Answer, Request, Stop
from pipeline.inference.budget import Purse
from pipeline.inference.client import Asker, asking

T = TypeVar("T")


class Scripted:
    """Says `says(request)`, which may be an exception to raise, and remembers what it was asked."""

    def __init__(self, says: Callable[[Request], str | Exception], kept: bool = False) -> None:
        self.says, self.kept = says, kept
        self.asked: list[Request] = []
        self.stopped: Stop | None = None

    async def __aenter__(self) -> Scripted:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    def exact(self, request: Request) -> dict[str, Any] | None:
        return {"prompt": request.prompt} if self.kept else None

    def stop(self, reason: Stop) -> None:
        self.stopped = reason

    async def answer(self, request: Request) -> Answer:
        if self.stopped:
            raise self.stopped
        self.asked.append(request)
        await asyncio.sleep(0)
        said = self.says(request)
        if isinstance(said, Exception):
            raise said
        return Answer(said, "scripted", 10, 5)

    @property
    def keys(self) -> list[str]:
        return [request.key for request in self.asked]


# What a story may say of its pictures, each unlike the others.
TEXTS = (
    "Pip woke up early.",
    "A bird sang in the tree.",
    "Rain fell on the roof.",
    "Momo baked some bread.",
    "They walked to the river.",
    "A boat came by slowly.",
    "Nobody was on board.",
    "Pip climbed in first.",
    "The water was cold and clear.",
    "A fish jumped over the rope.",
    "Momo laughed out loud.",
    "The sun went down.",
    "Stars came out, one by one.",
    "It was time to go home.",
    "The door stood open.",
    "Supper was still warm.",
)


def said(request: Request) -> str:
    """A sound answer to whatever is asked: a picture's key, no characters, a story of TEXTS."""
    if request.task == "caption":
        return json.dumps({"sentence": f"A picture called {request.key}."})
    if request.task == "characters":
        return json.dumps({"characters": []})
    return json.dumps(
        {
            "sentences": [
                {"frame": one["frame"], "text": TEXTS[one["frame"]]}
                for one in request.facts["captions"]
            ]
        }
    )


def in_turn(*texts: str | Exception) -> Callable[[Request], str | Exception]:
    """Says one text after the other, whatever it is asked."""
    left = list(texts)
    return lambda _: left.pop(0)


def asked(
    backend: Scripted,
    use: Callable[[Asker], Awaitable[T]],
    work: str = "",
    purse: Purse | None = None,
    count: Callable[[str, int], None] = lambda *_: None,
) -> T:
    """What `use` makes of an asker of the backend."""

    async def main() -> T:
        async with asking(
            "scripted", backend, work, purse or Purse(None, None, 0.0, 0), count
        ) as asker:
            return await use(asker)

    return asyncio.run(main())
