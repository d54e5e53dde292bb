"""Loads the backend that a line of the configuration names.

`load` returns what the processes of a machine can share (a model, or the settings of a server),
`backend` makes of it what the tasks of one event loop call. Heavy imports wait until a kind of
backend is used.
"""

from __future__ import annotations

import functools
from typing import Any

from pipeline.config import CallsConfig
from pipeline.inference.backends.batches import BatchedModel
from pipeline.inference.protocol import Backend
from pipeline.ingest.fingerprint import model_fingerprint
from pipeline.model_specs import EMBEDDED, Spec

MAX_REQUESTS = 64  # given to a model at once, which splits them into batches of its own size


def name(role: str, spec: Spec) -> str:
    """Returns the model's name for rows and people."""
    if spec.kind == "embedded":
        return EMBEDDED[role]
    return spec.model


@functools.cache
def identity(spec: Spec) -> str:
    """Returns what identifies a model: its name, and a digest of the files of a local folder."""
    files = model_fingerprint(spec.model) if spec.kind == "transformers" else ""
    return f"{spec.identity} {files}".strip()


def load(role: str, spec: Spec, calls: CallsConfig) -> Any:
    """Loads what `spec` names for `role`: a Model, or a Backend already.

    A "captioner" and a "judge" must read pictures, a "writer" need not. Raises ValueError for a
    model that cannot be used so and ModuleNotFoundError if a package is missing, both naming the
    remedy.
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
    """Makes a backend of what `load` returned."""
    if spec.kind == "openai":
        return loaded  # type: ignore[no-any-return]
    if spec.kind == "embedded":  # not cached: repeating it costs nothing
        return BatchedModel(loaded, MAX_REQUESTS, None)
    return BatchedModel(
        loaded,
        MAX_REQUESTS,
        {"model": identity(spec)},
        {"longest_side": calls.longest_side},
    )
