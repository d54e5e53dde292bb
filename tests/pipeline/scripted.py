"""A backend that answers what a test tells it to, and a client for it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from pipeline.inference.budget import Budget
from pipeline.inference.client import ModelClient, open_client
from pipeline.inference.protocol import Answer, Request, Stop

T = TypeVar("T")


class Scripted:
    """Answers `says(request)`, or raises it if it is an exception; `asked` has all requests."""

    def __init__(
        self, says: Callable[[Request], str | Answer | Exception], cached: bool = False
    ) -> None:
        self.says, self.cached = says, cached
        self.asked: list[Request] = []
        self.stopped: Stop | None = None

    async def __aenter__(self) -> Scripted:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    def cache_key(self, request: Request) -> dict[str, Any] | None:
        return {"prompt": request.prompt, **request.repeat_fields} if self.cached else None

    def stop(self, reason: Stop) -> None:
        self.stopped = reason

    async def answer(self, request: Request) -> Answer:
        if self.stopped:
            raise self.stopped
        self.asked.append(request)
        await asyncio.sleep(0)
        answer = self.says(request)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, Answer):
            return answer
        return Answer(answer, "scripted", 10, 5)

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
    """Returns a valid answer to any request: the picture's key, no characters, a story of TEXTS."""
    if request.task == "caption":
        return json.dumps({"sentence": f"A picture called {request.key}."})
    if request.task == "characters":
        return json.dumps({"characters": []})
    return json.dumps(
        {
            "sentences": [
                {"frame": caption["frame"], "text": TEXTS[caption["frame"]]}
                for caption in request.facts["captions"]
            ]
        }
    )


def in_turn(*texts: str | Exception) -> Callable[[Request], str | Exception]:
    """Answers one text after the other, whatever the requests are."""
    left = list(texts)
    return lambda _: left.pop(0)


def with_client(
    backend: Scripted,
    use: Callable[[ModelClient], Awaitable[T]],
    work: str = "",
    budget: Budget | None = None,
    count: Callable[[str, int], None] = lambda *_: None,
) -> T:
    """Runs `use` with a client of the backend and returns its result."""

    async def main() -> T:
        async with open_client(
            "scripted", backend, work, budget or Budget(None, None, 0.0, 0), count
        ) as client:
            return await use(client)

    return asyncio.run(main())
