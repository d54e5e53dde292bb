"""The model client: a backend with the response cache, the budget and the counters.

Stages call `ModelClient.answer`. A request that was answered before comes from the cache and costs
nothing; a new one waits until the budget allows it, and its answer is on disk before the stage has
it. When the run stops (Ctrl-C, a spent budget, a dead server), calls in flight are still answered
and cached, as they are paid for, and none is started.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from typing import Any, TypeVar

from pipeline.inference import response_cache
from pipeline.inference.budget import Budget
from pipeline.inference.protocol import THOUGHTS, Answer, Backend, Request, Stop
from pipeline.runtime import interrupts

R = TypeVar("R")


class Interrupted(Stop):
    """The user has asked the run to stop."""

    exit_code = 130


class ModelClient:
    """A backend with cache, budget and counters, for one event loop. Made by `open_client`."""

    def __init__(
        self,
        name: str,
        backend: Backend,
        work: str,
        budget: Budget,
        count: Callable[[str, int], None],
        measure: Callable[[str, int], None],
    ) -> None:
        """`name` is the model's name in rows; `work` is the folder of stage outputs, in which the
        response cache is; `count` adds to the stage's counters, `measure` to its distributions."""
        self.name, self._backend, self._work = name, backend, work
        self._budget, self.count, self._measure = budget, count, measure
        self._in_flight: dict[str, asyncio.Task[Answer]] = {}  # by digest of the request
        self._set_aside: dict[str, Answer] = {}  # by digest, which this run does not ask again
        self._thoughts = 0  # tokens that the model may think for
        self.stopped: Stop | None = None

    def stop(self, reason: Stop) -> None:
        """Starts no further call; later requests raise `reason`."""
        self.stopped = self.stopped or reason
        self._backend.stop(reason)

    async def answer(self, request: Request) -> Answer:
        """Returns the answer, from the cache or the backend. Raises Unanswered or Stop."""
        if self.stopped is not None:
            raise self.stopped
        key = self._backend.cache_key(request)
        if key is None:
            return self._counted(await self._backend.answer(self._thinking(request)), 0.0)
        digest = response_cache.digest(key)
        if digest not in self._in_flight:  # the same request at the same time is one call
            self._in_flight[digest] = asyncio.create_task(self._cached(digest, request))
            self._in_flight[digest].add_done_callback(lambda _: self._in_flight.pop(digest, None))
        return await asyncio.shield(self._in_flight[digest])

    async def _cached(self, digest: str, request: Request) -> Answer:
        """Returns the cached answer, or calls the backend and caches what it answers."""
        answer = self._set_aside.get(digest) or await asyncio.to_thread(
            response_cache.load, self._work, digest
        )
        if answer is not None:
            self._learn(answer)
            self.count("kept", 1)
            return answer
        request = self._thinking(request)
        try:
            async with self._budget.reserve(request):
                answer = await self._backend.answer(request)
                cost = self._budget.charge(request, answer)
                await asyncio.to_thread(
                    response_cache.save, self._work, digest, answer, request.task, cost
                )
        except Stop as reason:
            self.stop(reason)
            raise
        return self._counted(answer, cost)

    async def ask_again(self, requests: Iterable[Request]) -> None:
        """Has the next run ask these requests again, as their answers were of no use.

        The answers stay on record, and in this run they are the answers still.
        """
        for request in requests:
            key = self._backend.cache_key(request)
            digest = key and response_cache.digest(key)
            if not digest or digest in self._set_aside:
                continue
            answer = await asyncio.to_thread(response_cache.load, self._work, digest)
            if answer is not None:
                self._set_aside[digest] = answer
                await asyncio.to_thread(response_cache.set_aside, self._work, digest)

    def _thinking(self, request: Request) -> Request:
        """Leaves room for thoughts, once the model was seen to think."""
        return dataclasses.replace(request, thoughts=self._thoughts)

    def _learn(self, answer: Answer) -> None:
        if answer.thinks:
            self._thoughts = THOUGHTS

    def _counted(self, answer: Answer, cost: float) -> Answer:
        self._learn(answer)
        self.count("calls", 1)
        self.count("input_tokens", answer.input_tokens)
        self.count("output_tokens", answer.output_tokens)
        self.count("nanocost", round(cost * 1e9))
        if answer.refusal:
            self.count("refused", 1)
        if answer.cut:
            self.count("loops" if answer.cut == "loop" else "cut_off", 1)
        if answer.longest_side:
            self.count("smaller pictures", 1)
        if answer.seconds:
            self._measure("milliseconds a call", round(1000 * answer.seconds))
        return answer


@contextlib.asynccontextmanager
async def open_client(
    name: str,
    backend: Backend,
    work: str,
    budget: Budget,
    count: Callable[[str, int], None],
    measure: Callable[[str, int], None] = lambda name, amount: None,
) -> AsyncIterator[ModelClient]:
    """Yields a client that stops when the user interrupts the run. Arguments: see `ModelClient`."""
    async with backend:
        client = ModelClient(name, backend, work, budget, count, measure)
        watch = asyncio.create_task(_watch_for_interrupt(client))
        try:
            yield client
        finally:
            watch.cancel()


async def _watch_for_interrupt(client: ModelClient) -> None:
    while not interrupts.interrupted():
        await asyncio.sleep(0.2)
    client.stop(Interrupted("stopped"))


async def gather(tasks: Iterable[Coroutine[Any, Any, R]]) -> list[R]:
    """Runs coroutines at the same time and returns their results in order.

    All finish before an error is raised, as calls in flight are paid for. An error that is not a
    Stop is raised first: it is why the others were stopped.
    """
    results = await asyncio.gather(*tasks, return_exceptions=True)
    errors = [result for result in results if isinstance(result, BaseException)]
    if errors:
        raise min(errors, key=lambda error: isinstance(error, Stop))
    return results  # type: ignore[return-value]
