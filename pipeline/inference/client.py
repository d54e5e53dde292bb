"""Ask a model, check what it said, and ask once more about what was wrong.

Models break the form asked for, leave things out and answer the wrong question. The stages that ask
one deal with it here, in the same way: the question is put again with the fault stated, and what
still fails comes back as the fault, in words, for the stage to make a reject of.

An `Asker` is a backend with what goes with every question: answers that are kept and never paid for
twice, the budget, the counting, and the end of it all, where calls in flight are still answered and
kept but none is begun.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from pipeline.inference import response_cache
from pipeline.inference.backends import Answer, Backend, Request, Stop, Unanswered
from pipeline.inference.budget import Purse
from pipeline.runtime import interrupts

LONGEST = 200_000  # characters of an answer; thirty texts have a fortieth of it

T = TypeVar("T", bound=BaseModel)
R = TypeVar("R")


class Interrupted(Stop):
    """The user wants the run to stop."""

    exit_code = 130


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What came of a question: a value, or what was wrong with the last answer."""

    value: Any  # of the question's `answer` model, or None
    fault: str = ""
    repaired: bool = False  # the value is from the second answer
    answered: bool = True  # False: no answer came at all, which may be otherwise next time
    said: tuple[Answer, ...] = dataclasses.field(default=(), compare=False)  # word for word


class Asker:
    """A backend with what goes with every question. Made by `asking`, for one event loop."""

    def __init__(
        self,
        name: str,
        backend: Backend,
        work: str,
        purse: Purse,
        count: Callable[[str, int], None],
        measure: Callable[[str, int], None],
    ) -> None:
        """`name` is the model's, as rows say it; `work` the folder of part files; `count` adds to
        the counters of the stage, `measure` to its distributions."""
        self.name, self._backend, self._work = name, backend, work
        self._purse, self._count, self._measure = purse, count, measure
        self._going: dict[str, asyncio.Task[Answer]] = {}  # calls in flight, by digest
        self.stopped: Stop | None = None

    def stop(self, reason: Stop) -> None:
        """No further call is begun."""
        self.stopped = self.stopped or reason
        self._backend.stop(reason)

    async def answer(self, request: Request) -> Answer:
        """The answer, kept from before or asked for now. Raises Unanswered or Stop."""
        if self.stopped is not None:
            raise self.stopped
        exact = self._backend.exact(request)
        if exact is None:
            return self._counted(await self._backend.answer(request), 0.0)
        key = response_cache.digest(exact)
        if key not in self._going:  # the same question at the same time is one call
            self._going[key] = asyncio.create_task(self._kept(key, request))
            self._going[key].add_done_callback(lambda _: self._going.pop(key, None))
        return await asyncio.shield(self._going[key])

    async def _kept(self, key: str, request: Request) -> Answer:
        answer = await asyncio.to_thread(response_cache.load, self._work, key)
        if answer is not None:
            self._count("kept", 1)
            return answer
        try:
            async with self._purse.reserved(request):
                answer = await self._backend.answer(request)
                cost = self._purse.paid(request, answer)
                await asyncio.to_thread(
                    response_cache.save, self._work, key, answer, request.task, cost
                )
        except Stop as reason:
            self.stop(reason)
            raise
        return self._counted(answer, cost)

    def _counted(self, answer: Answer, cost: float) -> Answer:
        self._count("calls", 1)
        self._count("input_tokens", answer.input_tokens)
        self._count("output_tokens", answer.output_tokens)
        self._count("nanocost", round(cost * 1e9))
        if answer.seconds:
            self._measure("milliseconds a call", round(1000 * answer.seconds))
        return answer


@contextlib.asynccontextmanager
async def asking(
    name: str,
    backend: Backend,
    work: str,
    purse: Purse,
    count: Callable[[str, int], None],
    measure: Callable[[str, int], None] = lambda name, amount: None,
) -> AsyncIterator[Asker]:
    """An asker for the length of the block, which stops where the user interrupts the run."""
    async with backend:
        asker = Asker(name, backend, work, purse, count, measure)
        watch = asyncio.create_task(_watch(asker))
        try:
            yield asker
        finally:
            watch.cancel()


async def _watch(asker: Asker) -> None:
    while not interrupts.interrupted():
        await asyncio.sleep(0.2)
    asker.stop(Interrupted("stopped"))


async def together(tasks: Iterable[Coroutine[Any, Any, R]]) -> list[R]:
    """The results of all, in their order. All come to their end before one's error is raised, as
    calls in flight are paid for."""
    results = await asyncio.gather(*tasks, return_exceptions=True)
    errors = [result for result in results if isinstance(result, BaseException)]
    if errors:  # one that is no Stop is why the others were stopped
        raise min(errors, key=lambda error: isinstance(error, Stop))
    return results  # type: ignore[return-value]


async def ask(
    request: Request, asker: Asker, check: Callable[[Any], str], again: Callable[[str], str]
) -> Outcome:
    """A checked answer, or what was wrong with it.

    `check` names what is wrong with an answer that parsed, "" for nothing. `again` makes the second
    prompt from the fault. Raises Stop where no more questions are answered.
    """
    outcome = await _once(request, asker, check)
    if outcome.value is not None or not outcome.answered:
        return outcome
    repair = dataclasses.replace(
        request, prompt=again(outcome.fault), facts={**request.facts, "retry": outcome.fault}
    )
    second = await _once(repair, asker, check)
    return dataclasses.replace(second, repaired=True, said=outcome.said + second.said)


async def _once(request: Request, asker: Asker, check: Callable[[Any], str]) -> Outcome:
    try:
        answer = await asker.answer(request)
    except Unanswered as error:
        return Outcome(None, str(error), answered=False)
    try:
        value = parse(answer.text, request.answer)
    except ValidationError as error:
        return Outcome(None, _faults(error), said=(answer,))
    except ValueError as error:
        return Outcome(None, str(error), said=(answer,))
    fault = check(value)
    return Outcome(None if fault else value, fault, said=(answer,))


def parse(text: str, model: type[T]) -> T:
    """The answer as the model asked for: the last JSON object in the text that fits.

    So a fence of backquotes, thoughts before the answer and words around it are forgiven. Raises
    pydantic.ValidationError, or ValueError for a text that is too long to be an answer.
    """
    if len(text) > LONGEST:
        raise ValueError(f"the answer has {len(text)} characters; be brief")
    found = None
    for start in _objects(text):
        with contextlib.suppress(ValidationError):
            found = model.model_validate(start)
    return found if found is not None else model.model_validate_json(text.strip())


def _objects(text: str) -> Iterable[Any]:
    """The outermost JSON objects in a text."""
    decoder = json.JSONDecoder(strict=False)  # models put bare line breaks into strings
    at = text.find("{")
    while at >= 0:
        try:
            value, at = decoder.raw_decode(text, at)
            yield value
        except ValueError:
            at += 1
        except RecursionError:
            return
        at = text.find("{", at)


def _faults(error: ValidationError) -> str:
    """What pydantic found wrong, in a line."""
    if "EOF while parsing" in str(error):
        return "answer: Invalid JSON: it ends too early"
    return "; ".join(
        f"{'.'.join(map(str, fault['loc'])) or 'answer'}: {fault['msg']}"
        for fault in error.errors(include_url=False)[:5]
    )
