"""Asks model servers: which respond, have the model, and take pictures and schemas."""

from __future__ import annotations

import asyncio
import base64
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np

from pipeline.doctor.finding import Finding
from pipeline.inference import context_length
from pipeline.model_specs import Spec

SECONDS = 5.0  # that a server has for each question


def server(role: str, spec: Spec) -> list[Finding]:
    """Returns whether a server responds, has the model and takes what a run sends it.

    It is asked three short questions. Nothing of the API key is in what is returned.
    """
    key = os.environ.get(f"{role.upper()}_API_KEY") or os.environ.get("OPENAI_API_KEY") or ""
    if not key.strip():
        return [
            Finding(
                False,
                f"{role}: an API key for {spec.model}",
                "set OPENAI_API_KEY (any word will do for a server of your own)",
            )
        ]
    found: list[Finding] = []
    # In a thread, as a name that does not resolve cannot be given up otherwise.
    asking = threading.Thread(
        target=lambda: asyncio.run(_ask(role, spec, key.strip(), found)), daemon=True
    )
    asking.start()
    asking.join(4 * SECONDS + 1)
    if asking.is_alive():
        found.append(Finding(False, f"{role}: a response of the server", "is it running?"))
    return list(found)


async def _ask(role: str, spec: Spec, key: str, found: list[Finding]) -> None:
    import openai

    async with openai.AsyncOpenAI(
        api_key=key, base_url=spec.base_url, max_retries=0, timeout=SECONDS
    ) as client:
        where = f"{client.base_url.scheme}://{client.base_url.netloc.decode().rpartition('@')[2]}"

        async def tried(call: Callable[[], Any]) -> tuple[Any, str]:
            try:
                async with asyncio.timeout(SECONDS):
                    return await call(), ""
            except (TimeoutError, openai.APITimeoutError):
                return None, f"no answer within {SECONDS:g} s"
            except Exception as error:  # whatever a server sends
                text = " ".join(f"{type(error).__name__}: {error}".split())
                return None, (text.replace(key, "***") if len(key) >= 8 else text)[:200]

        async def listed() -> list[Any]:
            return [model async for model in client.models.list()]

        models, fault = await tried(listed)
        found.append(
            Finding(models is not None, f"{role}: server at {where}", f"is it running? {fault}")
        )
        if models is None:
            return
        own = next((model for model in models if model.id == spec.model), None)
        names = ", ".join(model.id for model in models[:3]) or "none"
        found.append(
            Finding(own is not None, f"{role}: model {spec.model}", f"the server has {names}")
        )
        context = context_length.listed(
            {"data": [model.model_dump() for model in models]}, spec.model
        )
        found.append(
            Finding(True, f"{role}: context of {context:,} tokens")
            if context
            else Finding(True, f"{role}: the server does not say its context length")
        )
        for what, remedy, extra in _questions(role):

            async def question(extra: dict[str, Any] = extra) -> str:
                completion = await client.chat.completions.create(
                    model=spec.model, max_tokens=16, **extra
                )
                return str(completion.choices[0].message.content)

            _, fault = await tried(question)
            needed = "schemas" not in what
            found.append(Finding(not fault, f"{role}: {what}", f"{remedy}: {fault}", needed))


def _questions(role: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yields short questions: what the server can do if it answers, the remedy, parameters."""
    text = {"type": "text", "text": "Say OK."}
    if role == "captioner":
        grey = cv2.imencode(".jpg", np.full((224, 224, 3), 128, np.uint8))[1].tobytes()
        url = f"data:image/jpeg;base64,{base64.b64encode(grey).decode()}"
        picture = {"type": "image_url", "image_url": {"url": url}}
        yield (
            "the server reads pictures",
            "the captioner must be a vision-language model",
            {"messages": [{"role": "user", "content": [picture, text]}]},
        )
    else:
        yield (
            "the server answers",
            "see its log",
            {"messages": [{"role": "user", "content": [text]}]},
        )
    schema = {
        "type": "object",
        "properties": {"answer": {"type": "string"}},
        "required": ["answer"],
        "additionalProperties": False,
    }
    yield (
        "the server takes JSON schemas",
        "a run does without, with more answers that it must ask for again",
        {
            "messages": [{"role": "user", "content": [text]}],
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "probe", "schema": schema, "strict": True},
            },
        },
    )
