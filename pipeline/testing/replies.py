"""Replies of the scripted model server, in the form of OpenAI's chat completions."""

from __future__ import annotations

import base64
import io
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
    body: Any = ""  # text as it is, anything else as JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    # after half of the body: the rest, a closed connection, silence, or a byte at a time
    then: Literal["", "cut", "hang", "drip"] = ""


def completion(
    question: dict[str, Any],
    message: dict[str, Any],
    finish: str = "stop",
    then: Literal["", "cut", "hang", "drip"] = "",
) -> Reply:
    """Makes the reply that carries a message, with its token counts."""
    prompts, pictures = texts_and_pictures(question)
    read = round(sum(map(len, prompts)) / 4) + sum(map(_picture_tokens, pictures))
    written = round(len(message["content"] or "") / 4)
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
