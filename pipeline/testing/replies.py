"""Replies of the scripted model server, in the form of OpenAI's chat completions."""

from __future__ import annotations

import base64
import dataclasses
import io
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from PIL import Image

MODEL = "scripted"


@dataclass(frozen=True)
class Reply:
    """A reply as it goes over the wire."""

    status: int = 200
    body: Any = ""  # text and bytes as they are, anything else as JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    # after half of the body: the rest, a closed connection, silence, or a byte at a time
    then: Literal["", "cut", "hang", "drip"] = ""
    pause: float = 0.0  # seconds between the events of a stream
    plain: bool = False  # as one body though a stream was asked for


def completion(
    question: dict[str, Any],
    message: dict[str, Any],
    finish: str = "stop",
    then: Literal["", "cut", "hang", "drip"] = "",
) -> Reply:
    """Makes the reply that carries a message, with its token counts."""
    prompts, pictures = texts_and_pictures(question)
    read = round(sum(map(len, prompts)) / 4) + sum(map(_picture_tokens, pictures))
    content = message.get("content")
    written = round(len(content if isinstance(content, str) else json.dumps(content or "")) / 4)
    return Reply(
        then=then,
        body={
            "id": "chatcmpl-scripted",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": question.get("model", MODEL),
            "choices": [
                {"index": 0, "message": message, "finish_reason": finish, "logprobs": None}
            ],
            "usage": {
                "prompt_tokens": read,
                "completion_tokens": written,
                "total_tokens": read + written,
            },
        },
    )


def streamed(reply: Reply, usage: bool = True) -> Reply:
    """Makes a stream of a completion: an event for each four characters, and one with `usage`."""
    choice = reply.body["choices"][0]
    message, events = choice["message"], [{"role": "assistant", "content": ""}]
    for name, text in message.items():
        if name != "role" and isinstance(text, str):
            size = max(4, len(text) // 10_000)  # an enormous one need not take for ever
            events += [{name: text[at : at + size]} for at in range(0, len(text), size)]
        elif name != "role" and text:
            events.append({name: text})
    head = {name: reply.body[name] for name in ("id", "created", "model")}
    head["object"] = "chat.completion.chunk"
    bodies: list[dict[str, Any]] = [
        {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
        for delta in events
    ]
    end = {"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}
    bodies.append({**head, "choices": [end]})
    if usage and "usage" in reply.body:
        bodies.append({**head, "choices": [], "usage": reply.body["usage"]})
    lines = [f"data: {json.dumps(body)}\n\n" for body in bodies]
    return dataclasses.replace(
        reply, body="".join([*lines, "data: [DONE]\n\n"]), content_type="text/event-stream"
    )


def error(
    status: int,
    message: str,
    kind: str = "invalid_request_error",
    param: str | None = None,
    code: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """Makes an error reply in OpenAI's form."""
    body = {"error": {"message": message, "type": kind, "param": param, "code": code}}
    return Reply(status, body, headers or {})


def texts_and_pictures(question: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Returns the texts and the picture urls of all messages of a question, in their order."""
    texts, pictures = [], []
    for message in question["messages"]:
        content = message["content"]
        parts: list[Any] = (
            [{"type": "text", "text": content}] if isinstance(content, str) else content or []
        )
        for part in parts:
            if part["type"] == "image_url":
                pictures.append(part["image_url"]["url"])
            else:
                texts.append(part["text"])
    return texts, pictures


def _picture_tokens(url: str) -> int:
    """Counts a picture's tokens as Qwen2.5-VL does: one for every started square of 28 pixels."""
    data = base64.b64decode(url.partition("base64,")[2])
    with Image.open(io.BytesIO(data)) as picture:  # reads the header alone
        width, height = picture.size
    return -(-width // 28) * -(-height // 28)
