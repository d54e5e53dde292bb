"""From the line in a config to a backend.

`load` makes what the processes of a machine may share, `backend` makes of that what the tasks of
one event loop ask. What a kind of backend needs is imported only where it is used.
"""

from __future__ import annotations

import functools
from typing import Any

from pipeline.config import CallsConfig
from pipeline.inference.backends import Backend
from pipeline.inference.backends.batches import Batched
from pipeline.ingest.fingerprint import model_fingerprint
from pipeline.model_specs import EMBEDDED, Spec

MOST = 64  # questions handed to a model at once, which makes batches of its own size of them


def name(role: str, spec: Spec) -> str:
    """The model as rows and people call it."""
    if spec.kind == "embedded":
        return EMBEDDED[role]
    return spec.model


@functools.cache
def identity(spec: Spec) -> str:
    """What decides a model's answers: its name, and of one in a folder here its files."""
    files = model_fingerprint(spec.model) if spec.kind == "transformers" else ""
    return f"{spec.identity} {files}".strip()


def load(role: str, spec: Spec, calls: CallsConfig) -> Any:
    """What `spec` names for `role`: a loaded Model, or a Backend already. A "captioner" reads
    pictures, as does a "judge", a "writer" need not.

    Raises ValueError for a model that cannot be used so and ModuleNotFoundError where what it needs
    is not installed, both naming the remedy.
    """
    if spec.kind == "openai":
        from pipeline.inference.backends.openai_server import OpenAIServer

        return OpenAIServer(role, spec, calls)
    try:
        if spec.kind == "transformers":
            from pipeline.inference.backends import transformers_model

            return transformers_model.load(
                spec.model,
                longest_side=calls.longest_side,
                max_tokens=calls.max_tokens,
                batch=calls.batch,
                pictures=role != "writer",
            )
        if role == "captioner":
            from pipeline.inference.builtin.captioner import EmbeddedCaptioner

            return EmbeddedCaptioner()
        from pipeline.inference.builtin.writer import EmbeddedWriter

        return EmbeddedWriter()
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"the {spec.identity} {role} needs {error.name}, which a light installation lacks: "
            "make install"
        ) from error


def backend(loaded: Any, spec: Spec, calls: CallsConfig) -> Backend:
    """What is loaded, as tasks ask it."""
    if spec.kind == "openai":
        return loaded  # type: ignore[no-any-return]
    if spec.kind == "embedded":  # asked again for nothing
        return Batched(loaded, MOST, None)
    return Batched(
        loaded,
        MOST,
        {"model": identity(spec), "max_tokens": calls.max_tokens},
        {"longest_side": calls.longest_side},
    )
