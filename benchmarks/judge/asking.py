"""Puts the questions to a judge, by the pipeline's own calls.

Every answer is kept under the digest of the exact question before it is used, so the next run,
whatever was added or stopped it, pays only for what is new. Questions whose answers are there come
first: they cost nothing, and a budget that is spent must not hide them. Then the others are asked,
opening by opening. Where the calls end early (a budget, a key that is refused, a server that is
gone) what has been answered still makes tables, and they say so. Ctrl-C lets the calls in flight
end, as they are paid for, keeps them, and stops.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel

from benchmarks.judge.questions import CRITERIA, Question, prompt
from pipeline import model_specs
from pipeline.config import CallsConfig, Price
from pipeline.inference import response_cache
from pipeline.inference.backends import loading
from pipeline.inference.budget import Budget
from pipeline.inference.client import ModelClient, gather, open_client
from pipeline.inference.protocol import Answer, Backend, Stop
from pipeline.inference.repair import ask
from pipeline.runtime import lock, progress, storage

State = Literal["answered", "unparsed", "unanswered", "not asked"]


@dataclass(frozen=True)
class Settings:
    """How stories are judged."""

    panels: int = 5  # the first ones of a story, as the paper's
    criteria: tuple[str, ...] = tuple(CRITERIA)
    scores: bool = True
    pairs: bool = True
    against: str = ""  # a generator that all others are compared with; "": each with each
    repeats: int = 1  # of every question
    prices: Mapping[str, Price] = field(default_factory=dict)  # by model, a million tokens
    budget: float | None = None  # of all answers in the folder
    folder: str = "data/judge"  # where answers are kept
    calls: CallsConfig = field(default_factory=CallsConfig)
    seed: int = 0  # of the intervals


@dataclass(frozen=True)
class Judged:
    """A question and what came of it. A tie that was not asked about is answered, by nobody."""

    question: Question
    state: State
    value: BaseModel | None = None
    fault: str = ""
    repaired: bool = False
    said: tuple[Answer, ...] = ()


@dataclass(frozen=True)
class Judgement:
    """All that one judge said, and what it took."""

    judge: str  # the model
    answers: tuple[Judged, ...]
    calls: int  # of this run
    kept: int  # answers that were there before it
    input_tokens: int  # of all answers, those that were kept too
    output_tokens: int
    cost: float | None  # of all answers; None where no price is given
    paid: float | None  # in this run
    stopped: str  # why not every question was asked, "" where all were
    words: str  # file with every answer and its reasons


def parse(judge: str, settings: Settings) -> model_specs.Spec:
    """The judge's line. Raises ValueError, naming the remedy, for one that cannot judge so."""
    spec = model_specs.parse(judge)
    if spec.kind == "embedded":
        raise ValueError(
            "the embedded models cannot judge: give a model that reads pictures, "
            "openai:MODEL[@URL] or transformers:FOLDER"
        )
    if spec.kind == "transformers" and settings.repeats > 1:
        raise ValueError(
            f"{judge} decodes greedily and repeats itself word for word: ask a second "
            "judge instead, or one behind a server, at a temperature"
        )
    if settings.budget is not None and spec.kind == "openai" and spec.model not in settings.prices:
        raise ValueError(
            f"a budget needs the price of {spec.model}, a million tokens in and out: "
            "without it nobody knows what is spent"
        )
    return spec


def judged(judge: str, role: str, questions: Sequence[Question], settings: Settings) -> Judgement:
    """The judge's answers. `role` names the key in the environment: "judge", JUDGE_API_KEY.

    Raises ValueError for a judge that cannot be used, lock.Busy where another run keeps answers in
    the same folder, and KeyboardInterrupt where the user wants to stop; all answers are kept.
    """
    spec = parse(judge, settings)
    with (
        lock.holding(settings.folder),  # two runs at once would pay twice
        progress.display({role: sum(one.request is not None for one in questions)}),
    ):
        found = asyncio.run(_asked(spec, role, questions, settings))
        if progress.interrupted():
            raise KeyboardInterrupt
    return found


async def _asked(
    spec: model_specs.Spec, role: str, questions: Sequence[Question], settings: Settings
) -> Judgement:
    work = storage.join(settings.folder, "work")
    price = settings.prices.get(spec.model)
    budget = Budget(
        price,
        settings.budget,
        response_cache.spent(work) if settings.budget is not None else 0.0,
        settings.calls.max_tokens,
        "a larger --budget",
    )
    backend = loading.backend(loading.load(role, spec, settings.calls), spec, settings.calls)
    counts: Counter[str] = Counter()
    known, new = _by_kept(questions, backend, work)
    progress.say(f"{spec.model}: {len(new)} questions to ask, {len(known)} need no call")
    turn = asyncio.Semaphore(settings.calls.at_once)  # in their order
    async with open_client(
        loading.name(role, spec),
        backend,
        work,
        budget,
        lambda name, amount: counts.update({name: amount}),
    ) as client:
        with progress.calls_in_flight():
            answers = [
                answer
                for some in (known, new)
                for answer in await gather(_one(one, client, role, turn) for one in some)
            ]
    place = {id(question): at for at, question in enumerate(questions)}
    answers.sort(key=lambda one: place[id(one.question)])
    used = _different(answers)
    words = storage.join(settings.folder, f"{role}-{spec.model.replace('/', '_')}.jsonl")
    storage.write_bytes(words, "".join(map(_line, answers)).encode())
    return Judgement(
        spec.model,
        tuple(answers),
        counts["calls"],
        counts["kept"],
        sum(one.input_tokens for one in used),
        sum(one.output_tokens for one in used),
        sum(map(budget.cost, used)) if price else None,
        counts["nanocost"] / 1e9 if price else None,
        str(client.stopped or ""),
        words,
    )


def _by_kept(
    questions: Sequence[Question], backend: Backend, work: str
) -> tuple[list[Question], list[Question]]:
    """Those that cost nothing, as far as is known, and those that are still to be asked."""
    known, new = [], []
    for one in questions:
        exact = backend.cache_key(one.request) if one.request else None
        there = exact is None or response_cache.load(work, response_cache.digest(exact)) is not None
        (known if there else new).append(one)
    return known, new


async def _one(
    question: Question, client: ModelClient, role: str, turn: asyncio.Semaphore
) -> Judged:
    request = question.request
    if request is None:
        return Judged(question, "answered")
    async with turn:
        try:
            outcome = await ask(
                request,
                client,
                lambda _: "",
                lambda fault: prompt(request.task, request.facts, fault),
            )
        except Stop as reason:
            return Judged(question, "not asked", fault=str(reason))
        except Exception as error:  # the others must not be paid for in vain
            client.stop(Stop(f"{type(error).__name__}: {error}"))
            raise
    progress.ticking(role, 0.0)(1.0)
    state: State = (
        "answered"
        if outcome.value is not None
        else "unparsed"
        if outcome.answered
        else "unanswered"
    )
    return Judged(
        question,
        state,
        outcome.value,
        outcome.fault,
        outcome.repaired and outcome.value is not None,
        outcome.answers,
    )


def _different(answers: Sequence[Judged]) -> list[Answer]:
    """What was paid for: two generators with the same story share an answer."""
    found: dict[Any, Answer] = {}
    for one in answers:
        request = one.question.request
        for number, answer in enumerate(one.said):
            assert request is not None
            found[request.prompt, request.images, request.repeat, number] = answer
    return list(found.values())


def _line(one: Judged) -> str:
    """An answer for people to read, with what was asked and the reasons."""
    asked = one.question
    row = {
        "opening": asked.opening,
        "shown": asked.shown,
        "repeat": asked.repeat,
        "state": one.state if asked.request else "the same story",
        "answer": one.value.model_dump() if one.value else None,
        "fault": one.fault,
        "said": [] if one.value else [answer.text for answer in one.said],
    }
    return json.dumps(row, ensure_ascii=False) + "\n"
