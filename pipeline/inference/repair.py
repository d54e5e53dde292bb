"""The repair loop: asks a model, checks the answer, and asks once more with the fault stated.

Models break the form asked for, leave things out and answer the wrong question. Every stage handles
that here: an answer that does not parse, or that the stage's check refuses, is asked for a second
time: the model sees its own answer and is told of the fault. What still fails is returned as the
fault, in words, and the stage makes a reject of it, and has the next run ask again
(`ModelClient.ask_again`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, ValidationError

from pipeline.inference import json_answers
from pipeline.inference.client import ModelClient
from pipeline.inference.protocol import Answer, Request, Stop, Unanswered
from pipeline.runtime.stage_outputs import NO_ANSWER, REFUSED

MAX_SAID = 20_000  # characters of an answer that the model is shown again; thirty texts have 5,000


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The result of a request: a value, or what was wrong with the last answer."""

    value: Any  # of the request's `answer` model, or None
    fault: str = ""
    repaired: bool = False  # the value is from the second answer
    answered: bool = True  # False: no answer at all, so the next run asks again
    refused: bool = False  # by the model or a filter, for what is asked: asking again costs only
    answers: tuple[Answer, ...] = dataclasses.field(default=(), compare=False)  # as received
    # What was asked in vain: requests whose answers failed, where there is no value.
    failed: tuple[Request, ...] = dataclasses.field(default=(), compare=False)


async def ask(
    request: Request,
    client: ModelClient,
    check: Callable[[Any], str],
    correct: Callable[[Request, str], Request],
) -> Outcome:
    """Returns a checked answer, or what was wrong with it.

    `check` says what is wrong with an answer that parsed, "" for nothing. `correct` makes the
    second request of the first, which has the answer by then, and the fault. Raises Stop when no
    further request can be answered.
    """
    outcome = await _ask_once(request, client, check)
    if outcome.value is not None or not outcome.answered or outcome.refused:
        return outcome
    repair = dataclasses.replace(
        request,
        # Servers refuse a message without text.
        said=outcome.answers[-1].text[:MAX_SAID] or "-",
        facts={**request.facts, "retry": outcome.fault},
    )
    repair = correct(repair, outcome.fault)
    second = await _ask_once(repair, client, check)
    return dataclasses.replace(
        second,
        repaired=True,
        answers=outcome.answers + second.answers,
        failed=(request, repair) if second.value is None and not second.refused else (),
    )


async def _ask_once(request: Request, client: ModelClient, check: Callable[[Any], str]) -> Outcome:
    try:
        answer = await client.answer(request)
    except Unanswered as error:
        return Outcome(None, str(error), answered=False)
    if answer.refusal:
        fault = json_answers.clean(answer.refusal)
        return Outcome(None, fault, refused=True, answers=(answer,))
    value, fault = _read(answer.text, request.answer, check)
    return Outcome(value, fault, answers=(answer,))


def _read(text: str, model: type[BaseModel], check: Callable[[Any], str]) -> tuple[Any, str]:
    """Returns the value of an answer, None if it is not usable, and its fault.

    No exception over one answer leaves its question, as all other answers are paid for; but what
    cannot be read or written is no fault of an answer.
    """
    try:
        value = json_answers.parse(text, model)
    except ValidationError as error:
        return None, json_answers.describe(error)
    except ValueError as error:
        return None, json_answers.clean(str(error))
    try:
        fault = check(value)
    except (Stop, OSError):
        raise
    except Exception as error:
        fault = f"the answer cannot be checked: {type(error).__name__}: {error}"
    return None if fault else value, json_answers.clean(fault)


def reason_of(outcome: Outcome, bad: str) -> str:
    """Returns the reason of the reject for an outcome without a value; `bad` is that of an answer
    that failed."""
    if not outcome.answered:
        return NO_ANSWER
    return REFUSED if outcome.refused else bad
