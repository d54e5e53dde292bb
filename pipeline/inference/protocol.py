"""What a model backend is: requests, answers, errors, and the protocol that backends implement.

A stage turns rows into `Request`s. A `Backend` gets them one at a time, from as many tasks of one
event loop as there is work for: a server keeps many calls in flight, and a model loaded in this
process answers in batches (`backends.batches`). An answer is JSON text, which the stage validates
against the request's `answer` model: no stage trusts a model.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Literal, Protocol

from pydantic import BaseModel


@dataclasses.dataclass(frozen=True)
class Picture:
    """A JPEG file that is sent with a request."""

    path: str  # or uri
    sha256: str  # of the file; stands for it in the cache key
    label: str = ""  # a line of text before it, where there are several


THOUGHTS = 8192  # tokens that a model may think for, beside its answer

# How an answer ended that is not whole: out of tokens, or repeating itself.
Cut = Literal["", "length", "loop"]


@dataclasses.dataclass(frozen=True)
class Request:
    """One request to a model."""

    key: str  # what it is about: a keyframe's id, a story's id with the window
    task: str  # "caption", "characters", "narrate" or "link"; benchmarks have others
    prompt: str  # in words, for models that read them
    facts: dict[str, Any]  # what the prompt was made from, for the embedded models, which do not
    answer: type[BaseModel]  # what the text of the answer must parse as
    images: tuple[Picture, ...] = ()
    repeat: int = 0  # number of a repeat, which is cached by itself, to measure variance
    system: str = ""  # instructions that all requests of the task share
    schema: dict[str, Any] | None = None  # JSON Schema of this answer; None: that of `answer`
    # A repair: the answer to `prompt` that could not be used, and what the model is told of it.
    said: str = ""
    correction: str = ""
    longest: int = 4096  # tokens that a good answer has at most
    thoughts: int = 0  # tokens that the model may think for beside it, as it was seen to think
    again: Cut = ""  # how the answer to the same question ended that this is asked again for

    @property
    def texts(self) -> dict[str, Any]:
        """All that the model is told in words, by field, for cache keys and estimates."""
        texts = {
            "system": self.system,
            "prompt": self.prompt,
            "labels": "\n".join(picture.label for picture in self.images),
            "said": self.said,
            "correction": self.correction,
        }
        return {name: text for name, text in texts.items() if text.strip()}

    @property
    def length(self) -> int:
        """The characters of all texts."""
        return sum(map(len, self.texts.values()))

    @property
    def repeat_fields(self) -> dict[str, Any]:
        """The fields by which a repeat's cache key differs; empty for a first request."""
        fields = {"repeat": self.repeat, "again": self.again}
        return {name: value for name, value in fields.items() if value}

    def most_tokens(self, setting: int | None) -> int:
        """Returns the limit on an answer's tokens: as set, else what a good one needs with its
        thoughts; twice that after an answer that was cut off."""
        most = setting or self.longest + self.thoughts
        return 2 * most if self.again == "length" else most


@dataclasses.dataclass(frozen=True)
class Answer:
    """A model's answer: the text, which should be JSON for the request's model, and its usage."""

    text: str
    model: str
    input_tokens: int = 0
    output_tokens: int = 0
    # The server's time, 0 where it was not measured. Not compared: no two calls take the same.
    seconds: float = dataclasses.field(default=0.0, compare=False)
    refusal: str = ""  # why there is no text: what the model or a filter says of the request
    cut: Cut = ""  # why it is not whole
    thinks: bool = dataclasses.field(default=False, compare=False)  # the model, before it answers
    # The longest side in pixels to which its pictures were scaled down, as the server takes none
    # that are as large as the configuration says; 0 where they were sent as it says.
    longest_side: int = 0


class Unanswered(Exception):
    """One request got no answer, in spite of retries; others may. It becomes a reject."""


class TooLong(Unanswered):
    """A request is too long for the model; a smaller one may not be."""


class Stop(RuntimeError):
    """Ends the run, as no further request can be answered. Cached answers stay for the next run."""

    exit_code = 1


class Refused(Stop):
    """The server refuses the API key, or every request."""

    exit_code = 6


class Gone(Stop):
    """The server has not answered any request for as long as the configured patience."""

    exit_code = 6


class Model(Protocol):
    """A loaded model, in this process or shared by the processes of a machine."""

    def answer(self, requests: Sequence[Request]) -> Sequence[Answer | Unanswered]:
        """Returns an answer per request, in their order, or the error for that request."""
        ...


class Backend(Protocol):
    """What the client calls, within `async with` and one event loop."""

    async def __aenter__(self) -> Any: ...

    async def __aexit__(self, *error: object) -> None: ...

    async def answer(self, request: Request) -> Answer:
        """Returns the answer. Raises Unanswered or Stop."""
        ...

    def cache_key(self, request: Request) -> dict[str, Any] | None:
        """Returns all that decides the answer, as a JSON object; None if it need not be cached."""
        ...

    def stop(self, reason: Stop) -> None:
        """Starts no further call and raises `reason` in tasks that wait; calls in flight finish."""
        ...
