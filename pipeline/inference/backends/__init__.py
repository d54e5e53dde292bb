"""What reads pictures and writes text, behind one small protocol; a file a backend.

A stage turns rows into `Request`s. A `Backend` is asked one at a time, by as many tasks of one
event loop as there is work for: a server keeps many calls in flight, and a model that is loaded
here answers in batches (`batches.Batched`). An answer is JSON text that the stage validates against
the request's `answer` model: no stage trusts a model.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Protocol

from pydantic import BaseModel


@dataclasses.dataclass(frozen=True)
class Picture:
    """A JPEG file that goes with a question."""

    path: str  # or uri
    sha256: str  # of the file, which stands for it in the exact request


@dataclasses.dataclass(frozen=True)
class Request:
    """One question to a model."""

    key: str  # what is asked about: a keyframe's id, a story's id with the window
    task: str  # "caption", "characters", "narrate" or "link"; others have their own
    prompt: str  # the question in words, for models that read them
    facts: dict[str, Any]  # what the prompt was made from, for the embedded models, which do not
    answer: type[BaseModel]  # what the text of the answer must parse as
    images: tuple[Picture, ...] = ()
    repeat: int = 0  # the same question asked anew, and kept apart, to see how answers vary

    @property
    def apart(self) -> dict[str, int]:
        """What the exact request has beside the question: nothing, unless it is a repeat."""
        return {"repeat": self.repeat} if self.repeat else {}


@dataclasses.dataclass(frozen=True)
class Answer:
    """What the model said: JSON for the request's model, one hopes, and what it cost."""

    text: str
    model: str
    input_tokens: int = 0
    output_tokens: int = 0
    # That a server took for it, 0 where nobody counted; no two calls take the same.
    seconds: float = dataclasses.field(default=0.0, compare=False)


class Unanswered(Exception):
    """This one question got no answer, in spite of retries; others may. It becomes a reject."""


class Stop(RuntimeError):
    """No further question can be answered: the run stops, keeps what it has and can go on."""

    exit_code = 1


class Refused(Stop):
    """The server refuses the key, or every question that is put to it."""

    exit_code = 6


class Gone(Stop):
    """The server has not answered anything for as long as one waits for it."""

    exit_code = 6


class Model(Protocol):
    """A loaded model, in this process or shared by those of a machine."""

    def answer(self, requests: Sequence[Request]) -> Sequence[Answer | Unanswered]:
        """One answer a request, in their order, or why there is none to it."""
        ...


class Backend(Protocol):
    """What stages ask, within `async with` and one event loop."""

    async def __aenter__(self) -> Any: ...

    async def __aexit__(self, *error: object) -> None: ...

    async def answer(self, request: Request) -> Answer:
        """The answer. Raises Unanswered or Stop."""
        ...

    def exact(self, request: Request) -> dict[str, Any] | None:
        """All that decides the answer, as a JSON value, to keep the answer under; None: not kept,
        because asking again costs nothing."""
        ...

    def stop(self, reason: Stop) -> None:
        """No further call is begun, and who waits for one gets the reason; those in flight end."""
        ...
