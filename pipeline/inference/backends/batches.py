"""Makes a backend, which gets one request at a time, of a model that answers batches.

Requests that arrive while the model is busy wait and become the next batch, so that requests of
many films fill batches together, with no timer.
"""

from __future__ import annotations

import asyncio
from typing import Any

from pipeline.inference.protocol import Answer, Model, Request, Stop


class BatchedModel:
    """The backend of a loaded model. Requests beyond `max_batch` wait for the next batch."""

    def __init__(
        self,
        model: Model,
        max_batch: int,
        identity: dict[str, Any] | None,
        picture_settings: dict[str, Any] | None = None,
    ) -> None:
        """`identity` is what decides the answers beside the request, None if they need not be
        cached; `picture_settings` is what does so only for requests with pictures."""
        self._model, self._max_batch, self._identity = model, max_batch, identity
        self._picture_settings = picture_settings or {}
        self._waiting: list[tuple[Request, asyncio.Future[Answer]]] = []
        self._runner: asyncio.Task[None] | None = None
        self._stopped: Stop | None = None

    async def __aenter__(self) -> BatchedModel:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner is not None:
            await self._runner

    def stop(self, reason: Stop) -> None:
        """Starts no further batch; requests that wait raise `reason`."""
        self._stopped = reason

    def cache_key(self, request: Request) -> dict[str, Any] | None:
        """Returns the request and what decides the model's answers; None if they are not cached."""
        if self._identity is None:
            return None
        return {
            **self._identity,
            **(self._picture_settings if request.images else {}),
            "task": request.task,
            **request.texts,
            "pictures": [picture.sha256 for picture in request.images],
            **request.repeat_fields,
        }

    async def answer(self, request: Request) -> Answer:
        """Returns the answer, once the request's batch is done."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((request, future))
        if self._runner is None or self._runner.done():
            self._runner = asyncio.create_task(self._run())
        return await future

    async def _run(self) -> None:
        await asyncio.sleep(0)  # tasks that are ready to send a request do so first
        while self._waiting:
            batch, self._waiting = (
                self._waiting[: self._max_batch],
                self._waiting[self._max_batch :],
            )
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
        except Exception as error:  # raised in the tasks that wait, which else would wait for ever
            return [error for _ in requests]
