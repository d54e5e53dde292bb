"""A model that answers batches, as a backend that is asked one question at a time.

What is asked while the model is busy waits and becomes the next batch, so that questions of many
films fill batches together without anybody waiting for a clock.
"""

from __future__ import annotations

import asyncio
from typing import Any

from pipeline.inference.backends import Answer, Model, Request, Stop


class Batched:
    """The backend of a loaded model. One question more than `most` waits for the next batch."""

    def __init__(
        self,
        model: Model,
        most: int,
        identity: dict[str, Any] | None,
        of_pictures: dict[str, Any] | None = None,
    ) -> None:
        """`identity` is what decides the model's answers beside the question, None where they need
        not be kept; `of_pictures` is what does so only where a question has pictures."""
        self._model, self._most, self._identity = model, most, identity
        self._of_pictures = of_pictures or {}
        self._waiting: list[tuple[Request, asyncio.Future[Answer]]] = []
        self._runner: asyncio.Task[None] | None = None
        self._stopped: Stop | None = None

    async def __aenter__(self) -> Batched:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner is not None:
            await self._runner

    def stop(self, reason: Stop) -> None:
        """No further batch is begun; those who wait get the reason."""
        self._stopped = reason

    def exact(self, request: Request) -> dict[str, Any] | None:
        """The question and what decides the model's answers."""
        if self._identity is None:
            return None
        return {
            **self._identity,
            **(self._of_pictures if request.images else {}),
            "task": request.task,
            "prompt": request.prompt,
            "pictures": [picture.sha256 for picture in request.images],
            **request.apart,
        }

    async def answer(self, request: Request) -> Answer:
        """The answer, once the batch that the question falls into is done."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((request, future))
        if self._runner is None or self._runner.done():
            self._runner = asyncio.create_task(self._run())
        return await future

    async def _run(self) -> None:
        await asyncio.sleep(0)  # who is about to ask, asks first
        while self._waiting:
            batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
            answers = await self._answers([request for request, _ in batch])
            for (_, future), answer in zip(batch, answers, strict=True):
                if future.done():  # cancelled
                    continue
                if isinstance(answer, BaseException):
                    future.set_exception(answer)
                else:
                    future.set_result(answer)
            await asyncio.sleep(0)

    async def _answers(self, requests: list[Request]) -> list[Answer | BaseException]:
        if self._stopped is not None:
            return [self._stopped for _ in requests]
        try:
            return list(await asyncio.to_thread(self._model.answer, requests))
        except Exception as error:  # whoever asked must not wait for ever: it is theirs to raise
            return [error for _ in requests]
