"""Any server with OpenAI's chat completions: vLLM, SGLang, llama.cpp, Ollama, OpenAI itself.

Where the server is and its key come from the environment alone (OPENAI_BASE_URL, OPENAI_API_KEY),
so that neither gets into a config or the dataset. The client repeats calls that fail in passing,
waiting as long as the server asks.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cv2
import numpy as np
import openai

from pipeline import storage
from pipeline.backends import Answer, Request
from pipeline.pictures import encode, thumbnail

IN_FLIGHT = 16  # calls at once, a process
LONGEST_SIDE = 768  # pixels of the pictures sent
RETRIES = 5
TIMEOUT = 180.0  # seconds


class OpenAIServer:
    """The backend "openai:MODEL", for captions and for stories."""

    def __init__(self, model: str) -> None:
        """Raises ValueError, naming the remedy, where the environment has no key."""
        self.name = model
        try:
            self.client: Any = openai.OpenAI(max_retries=RETRIES, timeout=TIMEOUT)
        except openai.OpenAIError:
            raise ValueError(f"openai:{model}: set OPENAI_API_KEY (any word will do for a server "
                             "of your own), and OPENAI_BASE_URL for one") from None

    def answer(self, requests: Sequence[Request]) -> list[Answer]:
        """One answer a request, in their order, many calls at once.

        Raises OSError, without the key, where the server cannot be reached or refuses.
        """
        with ThreadPoolExecutor(IN_FLIGHT) as pool:
            return list(pool.map(self._ask, requests))

    def _ask(self, request: Request) -> Answer:
        schema = {"name": request.task, "schema": request.answer.model_json_schema()}
        content: list[Any] = [_picture(path) for path in request.images]
        content.append({"type": "text", "text": request.prompt})
        try:
            completion = self.client.chat.completions.create(
                model=self.name, messages=[{"role": "user", "content": content}], temperature=0,
                response_format={"type": "json_schema", "json_schema": schema})
        except openai.APIStatusError as error:
            raise OSError(f"the server answered {error.status_code} for {self.name}") from None
        except openai.APIConnectionError as error:
            raise OSError(f"no server for {self.name} at {self.client.base_url}: {error}") from None
        usage = completion.usage
        return Answer(completion.choices[0].message.content or "", self.name,
                      usage.prompt_tokens if usage else 0, usage.completion_tokens if usage else 0)


def _picture(path: str) -> dict[str, Any]:
    picture = cv2.imdecode(np.frombuffer(storage.read_bytes(path), np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise OSError(f"{path} is no picture")
    small = encode(thumbnail(picture, LONGEST_SIDE))
    url = f"data:image/jpeg;base64,{base64.b64encode(small).decode()}"
    return {"type": "image_url", "image_url": {"url": url}}
