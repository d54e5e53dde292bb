"""Ask a model, check what it said, and ask once more about what was wrong.

Models break the form asked for, leave things out and answer the wrong question. Both stages that
ask one deal with it here, in the same way: the question is put again with the fault stated, and
what still fails comes back as the fault, in words, for the stage to make a reject of.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from pipeline.backends import Backend, Request

T = TypeVar("T", bound=BaseModel)


def parse(text: str, model: type[T]) -> T:
    """The answer as the model asked for; a fence of backquotes around the JSON is forgiven.

    Raises pydantic.ValidationError for anything else.
    """
    stripped = text.strip()
    if stripped.startswith("```"):
        stripped = stripped.partition("\n")[2].rpartition("```")[0]
    return model.model_validate_json(stripped)


def _faults(error: ValidationError) -> str:
    """What pydantic found wrong, in a line."""
    return "; ".join(
        f"{'.'.join(map(str, fault['loc'])) or 'answer'}: {fault['msg']}"
        for fault in error.errors(include_url=False)[:5]
    )


def ask(
    requests: Sequence[Request],
    backend: Backend,
    model: type[T],
    check: Callable[[Request, T], str],
    again: Callable[[Request, str], Request],
) -> list[T | str]:
    """One checked answer a request, in their order, or what was wrong with it as a string.

    `check` names what is wrong with an answer that parsed, "" for nothing. `again` makes the second
    question from the first and its fault. Raises OSError where the backend cannot be reached.
    """
    answers = _once(requests, backend, model, check)
    failed = [place for place, answer in enumerate(answers) if isinstance(answer, str)]
    if failed:
        repairs = [again(requests[place], str(answers[place])) for place in failed]
        for place, answer in zip(failed, _once(repairs, backend, model, check), strict=True):
            answers[place] = answer
    return answers


def _once(requests: Sequence[Request], backend: Backend, model: type[T],
          check: Callable[[Request, T], str]) -> list[T | str]:
    results: list[T | str] = []
    for request, answer in zip(requests, backend.answer(requests), strict=True):
        try:
            parsed = parse(answer.text, model)
        except ValidationError as error:
            results.append(_faults(error))
            continue
        results.append(check(request, parsed) or parsed)
    return results


def with_fault(request: Request, prompt: str, fault: str) -> Request:
    """The second question: a new prompt, the fault among the facts, all else as it was."""
    return dataclasses.replace(request, prompt=prompt, facts={**request.facts, "retry": fault})
