"""The repair loop: asks a model, checks the answer, and asks once more with the fault stated.

Models break the form asked for, leave things out and answer the wrong question. Every stage handles
that here: an answer that does not parse, or that the stage's check refuses, is asked for a second
time: the model sees its own answer and is told of the fault. An answer that is no answer, as it ran
out of tokens or into a loop, is not shown: the same is asked afresh, with twice the tokens or with
other sampling. What still fails is returned as the fault, in words, and the stage makes a reject of
it, and has the next run ask again (`ModelClient.ask_again`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from pydantic import ValidationError

from pipeline.inference import json_answers
from pipeline.inference.client import ModelClient
from pipeline.inference.protocol import Answer, Cut, Request, Stop, TooLong, Unanswered
from pipeline.runtime.stage_outputs import NO_ANSWER, REFUSED
from schemas.answers import NarrativeAnswer, frames_asked_for

# What is wrong with an answer that is not whole, and what can be done.
_CUT = {
    "length": "the answer was cut off after {} tokens: raise calls.max_tokens, "
    "or choose a server with a longer context",
    "loop": "the answer ran into a loop and was cut after {} tokens: another model may do better",
}
MAX_SAID = 20_000  # characters of an answer that the model is shown again; thirty texts have 5,000


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The result of a request: a value, or what was wrong with the last answer."""

    value: Any  # of the request's `answer` model, or None
    fault: str = ""
    repaired: bool = False  # the value is from the second answer
    forgiven: bool = False  # the value is from an answer in a form of the model's own
    answered: bool = True  # False: no answer at all, so the next run asks again
    refused: bool = False  # by the model or a filter, for what is asked: asking again costs only
    too_long: bool = False  # for the model: a smaller question may be answered
    cut: Cut = ""  # how the last answer ended, where it is not whole
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
    asked: tuple[Request, ...] = (request,)
    if outcome.value is None and outcome.cut:
        request = dataclasses.replace(request, again=outcome.cut)
        asked += (request,)
        outcome = _after(outcome, await _ask_once(request, client, check), asked)
    if outcome.value is not None or not outcome.answered or outcome.refused or outcome.cut:
        return outcome
    repair = dataclasses.replace(
        request,
        # Servers refuse a message without text.
        said=outcome.answers[-1].text[:MAX_SAID] or "-",
        facts={**request.facts, "retry": outcome.fault},
    )
    repair = correct(repair, outcome.fault)
    second = await _ask_once(repair, client, check)
    if second.value is not None:
        client.count("repaired answers", 1)
    return dataclasses.replace(_after(outcome, second, (*asked, repair)), repaired=True)


def _after(first: Outcome, second: Outcome, asked: tuple[Request, ...]) -> Outcome:
    """Returns the outcome of a second answer, with all that was asked and answered."""
    return dataclasses.replace(
        second,
        answers=first.answers + second.answers,
        failed=asked if second.value is None and not second.refused else (),
    )


async def _ask_once(request: Request, client: ModelClient, check: Callable[[Any], str]) -> Outcome:
    try:
        answer = await client.answer(request)
    except Unanswered as error:
        return Outcome(None, str(error), answered=False, too_long=isinstance(error, TooLong))
    if answer.refusal:
        fault = json_answers.clean(answer.refusal)
        return Outcome(None, fault, refused=True, answers=(answer,))
    value, forgiven, fault = _read(answer.text, request, check)
    if forgiven and not fault:
        client.count("answers in another form", 1)
    if value is None and answer.cut:
        fault = _CUT[answer.cut].format(answer.output_tokens)
    return Outcome(value, fault, forgiven=forgiven, answers=(answer,), cut=answer.cut)


def _read(text: str, request: Request, check: Callable[[Any], str]) -> tuple[Any, bool, str]:
    """Returns the value of an answer, None if it is not usable, whether its form was forgiven, and
    its fault.

    No exception over one answer leaves its question, as all other answers are paid for; but what
    cannot be read or written is no fault of an answer.
    """
    try:
        value, forgiven = json_answers.read(text, request.answer)
        if isinstance(value, NarrativeAnswer) and (frames := frames_asked_for(request.schema)):
            numbered = value.numbered(frames)
            value, forgiven = numbered, forgiven or numbered != value
    except ValidationError as error:
        return None, False, json_answers.describe(error)
    except ValueError as error:
        return None, False, json_answers.clean(str(error))
    try:
        fault = check(value)
    except (Stop, OSError):
        raise
    except Exception as error:
        fault = f"the answer cannot be checked: {type(error).__name__}: {error}"
    return None if fault else value, forgiven, json_answers.clean(fault)


def reason_of(outcome: Outcome, bad: str) -> str:
    """Returns the reason of the reject for an outcome without a value; `bad` is that of an answer
    that failed."""
    if not outcome.answered:
        return NO_ANSWER
    return REFUSED if outcome.refused else bad
