"""What reads pictures and writes text, behind one small protocol; a file a backend.

A stage turns rows into `Request`s and hands all it has to `Backend.answer` at once, so that a
backend can batch them or keep many in flight. An answer is JSON text that the stage validates
against the request's `answer` model: no stage trusts a model.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Protocol

from pydantic import BaseModel


@dataclasses.dataclass(frozen=True)
class Request:
    """One question to a model."""

    key: str  # what is asked about: a keyframe's id, a story's id with the window
    task: str  # "caption", "narrate" or "link"
    prompt: str  # the question in words, for models that read them
    facts: dict[str, Any]  # what the prompt was made from, for the embedded models, which do not
    answer: type[BaseModel]  # what the text of the answer must parse as
    images: tuple[str, ...] = ()  # paths or uris of JPEG files


@dataclasses.dataclass(frozen=True)
class Answer:
    """What the model said: JSON for the request's model, one hopes, and what it cost."""

    text: str
    model: str
    input_tokens: int = 0
    output_tokens: int = 0


class Backend(Protocol):
    """A loaded model."""

    name: str  # goes into rows, the manifest and the names of part files

    def answer(self, requests: Sequence[Request]) -> list[Answer]:
        """One answer a request, in their order. Raises OSError when the model cannot be reached."""
        ...


def parse(spec: str) -> tuple[str, str]:
    """The kind of a backend and its model: ("embedded", "") or ("openai", MODEL).

    Raises ValueError, naming the remedy, for a spec that no backend answers to.
    """
    kind, _, model = spec.partition(":")
    if spec == "embedded" or (kind == "openai" and model):
        return kind, model
    raise ValueError(f"{spec!r} is no backend; use 'embedded' or 'openai:MODEL'")


def load(role: str, spec: str) -> Backend:
    """The backend that `spec` names for `role` ("captioner" or "writer"), its model loaded.

    Raises ValueError for a spec that no backend answers to and ModuleNotFoundError where what it
    needs is not installed, both naming the remedy.
    """
    kind, model = parse(spec)
    if kind == "openai":
        from pipeline.backends.openai_server import OpenAIServer
        return OpenAIServer(model)
    try:
        if role == "captioner":
            from pipeline.backends.embedded_captioner import EmbeddedCaptioner
            return EmbeddedCaptioner()
        from pipeline.backends.embedded_writer import EmbeddedWriter
        return EmbeddedWriter()
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"the embedded {role} needs {error.name}, which a light installation lacks: "
            "make install") from error
