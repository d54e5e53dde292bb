"""Makes the messages of a chat completion: instructions, pictures, the question, a correction.

What all requests of a task share comes first, the pictures and the data last, so that a server that
keeps the prefixes of prompts reads the shared part once.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence
from typing import Any

import numpy as np

from pipeline.inference.protocol import Picture, Request, Unanswered
from pipeline.runtime import storage
from pipeline.runtime.images import ImageError, decode_bgr, encode_jpeg, thumbnail
from schemas.answers import json_schema

_JPEG = b"\xff\xd8"  # the first bytes of a JPEG file


async def conversation(
    request: Request, longest_side: int, detail: str
) -> tuple[list[dict[str, Any]], int]:
    """Returns the messages of a request, with its pictures scaled down to `longest_side` pixels.

    With them comes the longest side of the pictures as they are sent, 0 where there are none.
    Raises Unanswered for a picture that cannot be read.
    """
    try:
        pictures = [
            await asyncio.to_thread(_jpeg, picture, longest_side) for picture in request.images
        ]
    except (OSError, ImageError) as error:
        raise Unanswered(f"a picture cannot be read: {error}") from None
    content = []
    for picture, (file, _) in zip(request.images, pictures, strict=True):
        content += [_text_part(picture.label)] * bool(picture.label) + [_image_part(file, detail)]
    messages = [_user([*content, _text_part(request.prompt)])]
    if request.system:
        messages.insert(0, {"role": "system", "content": request.system})
    if request.correction:
        messages += [
            {"role": "assistant", "content": request.said},
            _user([_text_part(request.correction)]),
        ]
    return messages, max((side for _, side in pictures), default=0)


def probe(request: Request) -> list[dict[str, Any]]:
    """Returns the messages of a request of the same kind with nothing in it to refuse or to fail
    on."""
    grey = encode_jpeg(np.full((224, 224, 3), 128, np.uint8))
    return [_user([_image_part(grey)] * bool(request.images) + [_text_part("Say OK.")])]


def without_system(messages: Sequence[Any]) -> list[Any]:
    """Puts the instructions into the first message of the user, for templates without a system."""
    if messages[0]["role"] != "system":
        return list(messages)
    instructions, first, *others = messages
    return [_user([_text_part(instructions["content"]), *first["content"]]), *others]


def response_format(request: Request) -> dict[str, Any]:
    """Returns the parameter that holds an answer to the request's JSON schema."""
    schema = request.schema or json_schema(request.answer)
    return {
        "type": "json_schema",
        "json_schema": {"name": request.task, "schema": schema, "strict": True},
    }


def _jpeg(picture: Picture, longest_side: int) -> tuple[bytes, int]:
    """Returns the picture as JPEG, scaled down to `longest_side`, and its own longest side then.

    Raises OSError or ImageError.
    """
    data = storage.read_bytes(picture.path)
    pixels = decode_bgr(data, picture.path)
    side = max(pixels.shape[:2])
    if side > longest_side or not data.startswith(_JPEG):
        return encode_jpeg(thumbnail(pixels, longest_side)), min(side, longest_side)
    return data, side


def _user(content: list[dict[str, Any]]) -> dict[str, Any]:
    return {"role": "user", "content": content}


def _text_part(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _image_part(jpeg: bytes, detail: str = "auto") -> dict[str, Any]:
    image = {"url": f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"}
    if detail != "auto":  # which not every server knows
        image["detail"] = detail
    return {"type": "image_url", "image_url": image}
