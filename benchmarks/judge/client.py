"""Asks a judge the questions, through the pipeline's inference client.

Every answer is cached under the digest of the exact question before it is used, so the next run,
whatever was added or stopped it, pays only for what is new. Questions with cached answers come
first: they cost nothing, and an exhausted budget must not hide them. Then the others are asked,
opening by opening. Where the calls end early (budget, refused key, unreachable server), the answers
so far still make tables, which say so. Ctrl-C lets the calls in flight end, as they are paid for,
caches them, and stops.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel

from benchmarks.judge.questions import CRITERIA, PROMPTS, Question
from pipeline import model_specs
from pipeline.annotation import prompts
from pipeline.config import CallsConfig, Price
from pipeline.inference import response_cache
from pipeline.inference.backends import loading
from pipeline.inference.budget import Budget
from pipeline.inference.client import ModelClient, gather, open_client
from pipeline.inference.protocol import Answer, Backend, Stop
from pipeline.inference.repair import ask
from pipeline.runtime import interrupts, lock, progress, storage

State = Literal["answered", "unparsed", "unanswered", "not asked"]


@dataclass(frozen=True)
class JudgeSettings:
    """Settings of the judge."""

    panels: int = 5  # the first ones of a story, as the paper's
    criteria: tuple[str, ...] = tuple(CRITERIA)
    scores: bool = True
    pairs: bool = True
    against: str = ""  # a generator that all others are compared with; "": each with each
    repeats: int = 1  # of every question
    prices: Mapping[str, Price] = field(default_factory=dict)  # by model, a million tokens
    budget: float | None = None  # of all answers in the folder
    folder: str = "data/judge"  # where answers are cached
    calls: CallsConfig = field(default_factory=CallsConfig)
    seed: int = 0  # of the intervals


@dataclass(frozen=True)
class JudgedQuestion:
    """A question and its outcome. A tie that need not be asked about is answered without a call."""

    question: Question
    state: State
    value: BaseModel | None = None
    fault: str = ""
    repaired: bool = False  # its value is from a later answer than the first
    said: tuple[Answer, ...] = ()


@dataclass(frozen=True)
class JudgeRun:
    """All answers of one judge, and what they cost."""

    judge: str  # the model
    answers: tuple[JudgedQuestion, ...]
    calls: int  # of this run
    kept: int  # answers that were there before it
    input_tokens: int  # of all answers, cached ones included
    output_tokens: int
    cost: float | None  # of all answers; None where no price is given
    paid: float | None  # in this run
    stopped: str  # why not every question was asked, "" where all were
    words: str  # file with every answer and its reasons
    pictures: bool = False  # it judged a picture of each story only


def parse_judge(judge: str, settings: JudgeSettings) -> model_specs.Spec:
    """Parses a judge's spec. Raises ValueError, naming the remedy, for one that cannot judge."""
    spec = model_specs.parse(judge)
    if spec.kind == "embedded":
        raise ValueError(
            "the embedded models cannot judge: give a model that reads pictures, "
            "openai:MODEL[@URL] or transformers:FOLDER"
        )
    if spec.kind == "transformers" and settings.repeats > 1:
        raise ValueError(
            f"{judge} decodes greedily and repeats every answer: ask a second "
            "judge instead, or one behind a server, at a temperature"
        )
    if settings.budget is not None and spec.kind == "openai" and spec.model not in settings.prices:
        raise ValueError(
            f"a budget needs the price of {spec.model}, a million tokens in and out: "
            "without it the cost is unknown"
        )
    return spec


def ask_judge(
    judge: str, role: str, questions: Sequence[Question], settings: JudgeSettings
) -> JudgeRun:
    """Asks the judge all questions. `role` names the key in the environment: "judge",
    JUDGE_API_KEY.

    Raises ValueError for a judge that cannot be used, lock.Busy where another run caches answers in
    the same folder, and KeyboardInterrupt where the user stops it; all answers are kept.
    """
    spec = parse_judge(judge, settings)
    with (
        lock.locked(settings.folder),  # two runs at once would pay twice
        progress.display({role: sum(question.request is not None for question in questions)}),
    ):
        found = asyncio.run(_ask_all(spec, role, questions, settings))
        if interrupts.interrupted():
            raise KeyboardInterrupt
    return found


async def _ask_all(
    spec: model_specs.Spec, role: str, questions: Sequence[Question], settings: JudgeSettings
) -> JudgeRun:
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
    known, new = _split_by_cached(questions, backend, work)
    progress.say(f"{spec.model}: {len(new)} questions to ask, {len(known)} need no call")
    turn = asyncio.Semaphore(settings.calls.at_once)  # in their order
    async with open_client(
        loading.name(role, spec),
        backend,
        work,
        budget,
        lambda name, amount: counts.update({name: amount}),
    ) as client:
        with interrupts.calls_in_flight():
            answers = [
                answer
                for some in (known, new)
                for answer in await gather(
                    _ask_one(question, client, role, turn) for question in some
                )
            ]
    place = {id(question): at for at, question in enumerate(questions)}
    answers.sort(key=lambda answer: place[id(answer.question)])
    used = _distinct_answers(answers)
    words = storage.join(settings.folder, f"{role}-{spec.model.replace('/', '_')}.jsonl")
    storage.write_bytes(words, "".join(map(_answer_line, answers)).encode())
    return JudgeRun(
        spec.model,
        tuple(answers),
        counts["calls"],
        counts["kept"],
        sum(answer.input_tokens for answer in used),
        sum(answer.output_tokens for answer in used),
        sum(map(budget.cost, used)) if price else None,
        counts["nanocost"] / 1e9 if price else None,
        str(client.stopped or ""),
        words,
    )


def _split_by_cached(
    questions: Sequence[Question], backend: Backend, work: str
) -> tuple[list[Question], list[Question]]:
    """Splits questions into those that need no call, as far as is known, and those that do."""
    known: list[Question] = []
    new: list[Question] = []
    for question in questions:
        exact = backend.cache_key(question.request) if question.request else None
        there = exact is None or response_cache.load(work, response_cache.digest(exact)) is not None
        (known if there else new).append(question)
    return known, new


async def _ask_one(
    question: Question, client: ModelClient, role: str, turn: asyncio.Semaphore
) -> JudgedQuestion:
    request = question.request
    if request is None:
        return JudgedQuestion(question, "answered")
    async with turn:
        try:
            outcome = await ask(
                request,
                client,
                lambda _: "",
                lambda again, fault: prompts.corrected(again, PROMPTS, fault=fault),
            )
            if outcome.cut or not any(said.text.strip() for said in outcome.answers):
                await client.ask_again(outcome.failed)  # by the next run
        except Stop as reason:
            return JudgedQuestion(question, "not asked", fault=str(reason))
        except Exception as error:  # the others must not be paid for in vain
            client.stop(Stop(f"{type(error).__name__}: {error}"))
            raise
    progress.ticker(role, 0.0)(1.0)
    state: State = (
        "answered"
        if outcome.value is not None
        else "unparsed"
        if outcome.answered
        else "unanswered"
    )
    return JudgedQuestion(
        question,
        state,
        outcome.value,
        outcome.fault,
        len(outcome.answers) > 1 and outcome.value is not None,
        outcome.answers,
    )


def _distinct_answers(answers: Sequence[JudgedQuestion]) -> list[Answer]:
    """Returns the answers that were paid for: two generators with the same story share one."""
    found: dict[Any, Answer] = {}
    for judged in answers:
        request = judged.question.request
        for number, answer in enumerate(judged.said):
            assert request is not None
            found[request.prompt, request.images, request.repeat, number] = answer
    return list(found.values())


def _answer_line(answer: JudgedQuestion) -> str:
    """Formats an answer as a line of JSON for people to read, with the question and the reasons."""
    asked = answer.question
    row = {
        "opening": asked.opening,
        "shown": asked.shown,
        "repeat": asked.repeat,
        "state": answer.state if asked.request else "the same story",
        "answer": answer.value.model_dump() if answer.value else None,
        "fault": answer.fault,
        "said": [] if answer.value else [said.text for said in answer.said],
    }
    return json.dumps(row, ensure_ascii=False) + "\n"
