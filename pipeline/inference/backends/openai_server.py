"""Any server with OpenAI's chat completions: vLLM, SGLang, llama.cpp, Ollama, OpenAI itself.

As many calls are in flight as the server takes (`pipeline.inference.concurrency`). What passes is tried again: a
server that is busy, as soon as it says (Retry-After); one that fails, hangs or cuts a line, after a
pause that grows; one that is not up yet, for as long as `patience` says. What does not pass stops
the run at once: a key that is refused, a model that is not there.

Is it the question or the server? A question that is refused, or has one try left, is followed by a
small one of the same kind ("Say OK.", which no budget counts). Where that is answered, the first is
`Unanswered` (after its last try), which becomes a reject; where it is refused too, so would be all
others, and the run stops; where it fails too, the server is waited for.

Not every server takes every parameter. One that refuses a question for it is asked again without
(the schema of the answer, the temperature), and from then on always: the prompt says the form of
the answer in words as well.

The key comes from the environment alone (CAPTIONER_API_KEY, WRITER_API_KEY or JUDGE_API_KEY, else
OPENAI_API_KEY) and is taken out of whatever a server says, so that it gets into no config, log,
reject or report.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import functools
import os
import random
import re
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import openai
from pydantic import BaseModel

from pipeline.config import CallsConfig
from pipeline.inference import concurrency
from pipeline.inference.backends import Answer, Gone, Picture, Refused, Request, Stop, Unanswered
from pipeline.model_specs import Spec
from pipeline.runtime import progress, storage
from pipeline.runtime.images import ImageError, decode_bgr, encode_jpeg, thumbnail

PAUSE, LONGEST_PAUSE = 0.5, 10.0  # seconds before the second try, doubled each time up to this
LONGEST_WAIT = 120.0  # seconds: a Retry-After beyond is not believed
SILENCE = 5.0  # seconds without an answer after which the user is told
_OPTIONAL = ("response_format", "temperature", "max_tokens")
_FIRST_LEVEL = 8  # calls at once to begin with
_JPEG = b"\xff\xd8"  # what such a file begins with
_PICTURE_TOKENS = 1000  # of a picture, for a server that does not count


class _Fault(NamedTuple):
    """Why a try failed, and what to do about it."""

    # The server is busy, or broke down; it refuses the question; it will refuse all others too.
    kind: Literal["busy", "failed", "refused", "stop"]
    text: str
    wait: float = 0.0  # seconds the server asks for
    parameter: str = ""  # what it says it does not take


class OpenAIServer:
    """The backend "openai:MODEL". It is used within `async with`, in one event loop at a time."""

    def __init__(self, role: str, spec: Spec, calls: CallsConfig) -> None:
        """Raises ValueError, naming the remedy, where the environment has no key."""
        self._model, self._calls = spec.model, calls
        key = os.environ.get(f"{role.upper()}_API_KEY") or os.environ.get("OPENAI_API_KEY") or ""
        self._key = key.strip()
        if not self._key:
            raise ValueError(
                f"openai:{spec.model}: set OPENAI_API_KEY (any word will do for a "
                "server of your own)"
            )
        if not (self._key.isascii() and self._key.isprintable()):
            raise ValueError(
                f"openai:{spec.model}: the key holds characters that no key has; was "
                "something else copied into OPENAI_API_KEY?"
            )
        self._url = spec.url or os.environ.get("OPENAI_BASE_URL") or None
        self._level = _FIRST_LEVEL  # of calls at once that the server has taken
        self._unwanted: frozenset[str] = frozenset()  # parameters that the server does not take

    async def __aenter__(self) -> OpenAIServer:
        # The client's own retries would hide a busy server from the limit.
        self._client: Any = openai.AsyncOpenAI(
            api_key=self._key, base_url=self._url, max_retries=0, timeout=self._calls.timeout
        )
        url = self._client.base_url
        self._where = f"{self._model} at {url.scheme}://{url.netloc.decode()}{url.path}"
        self._limit = concurrency.Limit(
            self._calls.at_once, self._level
        )  # its timers are the loop's
        self._stopped: Stop | None = None
        self._waits: set[asyncio.Timeout] = set()  # that a stop ends
        self._answered = time.monotonic()  # the last time
        self._told = False  # that this is long ago
        return self

    async def __aexit__(self, *_: object) -> None:
        self._level = max(_FIRST_LEVEL, self._limit.allowed)
        await self._client.close()

    def stop(self, reason: Stop) -> None:
        """No further call is begun, and who waits for one gets the reason; those in flight end."""
        if self._stopped is None:
            self._stopped = reason
            for wait in self._waits:
                wait.reschedule(0.0)

    def exact(self, request: Request) -> dict[str, Any]:
        """All that the server is asked, the pictures by their digest."""
        scaled = {"longest_side": self._calls.longest_side} if request.images else {}
        return {
            **self._parameters(request),
            "prompt": request.prompt,
            **scaled,
            "pictures": [picture.sha256 for picture in request.images],
            **request.apart,
        }

    async def answer(self, request: Request) -> Answer:
        """The answer, after as many tries as it takes. Raises Unanswered or Stop."""
        began, failures, others_pass = time.monotonic(), 0, False
        while True:
            # All that a fault needs is done in the slot: back in the queue, it would be found out
            # only after every other question had met the same fault.
            async with self._slot() as slot:
                # Read here, so that no more pictures are in memory than calls in flight.
                outcome = await self._ask(request, await self._content(request))
                if isinstance(outcome, Answer):
                    return outcome
                if outcome.kind == "busy":
                    slot.rejected(outcome.wait)
                elif outcome.kind == "failed":
                    slot.failed()
                    failures += 1
                    if others_pass:
                        raise Unanswered(outcome.text)
                    if failures + 1 >= self._calls.tries:  # one is left, now with a live server
                        others_pass = await self._others_pass(request, outcome.text)
                elif await self._others_pass(request, outcome.text):
                    raise Unanswered(outcome.text)
            await self._pause(outcome, failures, began)

    async def _others_pass(self, request: Request, fault: str) -> bool:
        """Whether a small question is answered; False where the server fails on that as well, or
        is busy. Raises Stop where it is refused too."""
        outcome = await self._ask(request, _small(request))
        if isinstance(outcome, _Fault) and outcome.kind == "refused":
            raise self._over(Refused, fault)
        return isinstance(outcome, Answer)

    async def _ask(self, request: Request, content: Sequence[Any]) -> Answer | _Fault:
        """One call, or as many as it takes to find out what the server does not take."""
        unwanted = self._unwanted
        while True:
            if self._stopped is not None:
                raise self._stopped
            outcome = await self._call(request, content, unwanted)
            if isinstance(outcome, Answer):
                self._unwanted |= unwanted
                self._answered, self._told = time.monotonic(), False
                return outcome
            if outcome.kind == "stop":
                raise self._over(Refused, outcome.text)
            name = _taken_amiss(outcome, unwanted) if outcome.kind == "refused" else ""
            if not name:
                return outcome
            unwanted |= {name}

    async def _call(
        self, request: Request, content: Sequence[Any], unwanted: frozenset[str]
    ) -> Answer | _Fault:
        parameters = {
            name: value for name, value in self._parameters(request).items() if name not in unwanted
        }
        if "max_tokens" in unwanted:  # its name where a model thinks before it answers
            parameters["max_completion_tokens"] = self._calls.max_tokens
        began = time.monotonic()
        try:
            async with asyncio.timeout(self._calls.timeout):  # the client's is for each read
                completion = await self._client.chat.completions.create(
                    messages=[{"role": "user", "content": content}], **parameters
                )
        except openai.APIStatusError as error:
            return self._status_fault(error)
        except (TimeoutError, openai.APITimeoutError):
            return _Fault("failed", f"no answer within {self._calls.timeout:g} s")
        except openai.APIError as error:
            return _Fault("failed", self._clean(f"{error} {error.__cause__ or ''}"))
        except (ValueError, RecursionError) as error:
            return _Fault("failed", self._clean(f"what came is no JSON: {error}"))
        return self._read(request, completion, time.monotonic() - began)

    def _read(self, request: Request, completion: Any, seconds: float) -> Answer | _Fault:
        try:
            message = completion.choices[0].message
            text = message.content or getattr(message, "refusal", None) or ""
        except (AttributeError, IndexError, TypeError):  # a page of HTML, or another JSON
            text = None
        if not isinstance(text, str):
            return _Fault("failed", self._clean(f"what came is no chat completion: {completion}"))
        # A server that does not count would make every answer free: four characters are a token.
        usage = completion.usage
        read = len(request.prompt) // 4 + _PICTURE_TOKENS * len(request.images)
        return Answer(
            _utf8(text),
            self._model,
            getattr(usage, "prompt_tokens", None) or read,
            getattr(usage, "completion_tokens", None) or len(text) // 4,
            round(seconds, 3),
        )

    def _status_fault(self, error: openai.APIStatusError) -> _Fault:
        status, wait = error.status_code, _retry_after(error.response.headers)
        text = self._clean(f"the server answered {status}: {_said(error)}")
        if status == 401:  # not 403, with which some refuse one question for what it shows
            return _Fault("stop", f"{text} (is the key right?)")
        if status in (404, 405):
            return _Fault("stop", f"{text} (are the address and the name of the model right?)")
        if status in (402, 407) or error.code == "insufficient_quota":
            return _Fault("stop", text)
        if status == 429 and "request too large" in text.lower():  # for any minute, says OpenAI
            return _Fault("refused", text)
        if status == 429 or (status == 503 and wait):
            return _Fault("busy", text, wait or PAUSE)
        if status >= 500 or status in (408, 409, 425):
            return _Fault("failed", text, wait)
        return _Fault("refused", text, parameter=str(error.param or ""))

    async def _pause(self, fault: _Fault, failures: int, began: float) -> None:
        """Waits before the next try. Raises Stop where the patience is at its end."""
        silent = time.monotonic() - max(began, self._answered)
        left = self._calls.patience - silent
        if left <= 0:
            raise self._over(Gone, f"no answer for {silent:.0f} s: {fault.text}")
        if silent > SILENCE and not self._told:
            self._told = True
            progress.say(
                f"{self._where}: no answer for {silent:.0f} s ({fault.text}); trying on "
                f"for up to {left:.0f} s"
            )
        pause = fault.wait or min(LONGEST_PAUSE, PAUSE * 2 ** max(0, failures - 1), left)
        async with self._unless_stopped():
            await asyncio.sleep(pause * random.uniform(1.0, 1.2))  # not all again at once

    def _over(self, reason: type[Stop], text: str) -> Stop:
        """The run stops for this reason, unless it has already stopped for another."""
        self.stop(reason(f"{self._where}: {text}"))
        assert self._stopped is not None
        return self._stopped

    @contextlib.asynccontextmanager
    async def _slot(self) -> AsyncIterator[concurrency.Call]:
        """Waits for a slot of the limit. Raises Stop instead, where the run stops meanwhile."""
        async with contextlib.AsyncExitStack() as stack:
            async with self._unless_stopped():
                slot = await stack.enter_async_context(self._limit.slot())
            yield slot

    @contextlib.asynccontextmanager
    async def _unless_stopped(self) -> AsyncIterator[None]:
        """A wait that is over, with the reason raised, as soon as the run stops."""
        if self._stopped is not None:
            raise self._stopped
        wait = asyncio.timeout(None)
        try:
            async with wait:
                self._waits.add(wait)
                yield
        except TimeoutError:
            assert self._stopped is not None
            raise self._stopped from None
        finally:
            self._waits.discard(wait)

    def _clean(self, text: str) -> str:
        """A line of bearable length without the key; a shorter one is no secret but a word."""
        if len(self._key) >= 8:
            text = text.replace(self._key, "***")
        text = " ".join(_utf8(text).split())
        return text if len(text) <= 300 else f"{text[:300]}..."

    def _parameters(self, request: Request) -> dict[str, Any]:
        return {
            "model": self._model,
            "temperature": self._calls.temperature,
            "max_tokens": self._calls.max_tokens,
            "response_format": _form(request.task, request.answer),
        }

    async def _content(self, request: Request) -> list[dict[str, Any]]:
        try:
            pictures = [await asyncio.to_thread(self._picture, one) for one in request.images]
        except (OSError, ImageError) as error:
            raise Unanswered(f"a picture cannot be read: {error}") from None
        return [*map(_image, pictures), {"type": "text", "text": request.prompt}]

    def _picture(self, picture: Picture) -> bytes:
        data = storage.read_bytes(picture.path)
        pixels = decode_bgr(data, picture.path)
        if max(pixels.shape[:2]) > self._calls.longest_side or not data.startswith(_JPEG):
            return encode_jpeg(thumbnail(pixels, self._calls.longest_side))
        return data


def _taken_amiss(fault: _Fault, unwanted: frozenset[str]) -> str:
    """The parameter to leave out after a question was refused, "" where there is none."""
    left = [name for name in _OPTIONAL if name not in unwanted]
    named = [name for name in left if name in (fault.parameter or fault.text)]
    # Many servers do not say what they stumble over, and then it is the first.
    return next(iter(named), "response_format" if "response_format" in left else "")


def _small(request: Request) -> list[dict[str, Any]]:
    """A question of the same kind that has nothing in it to refuse or to fail on."""
    grey = encode_jpeg(np.full((224, 224, 3), 128, np.uint8))
    return [_image(grey)] * bool(request.images) + [{"type": "text", "text": "Say OK."}]


def _image(data: bytes) -> dict[str, Any]:
    url = f"data:image/jpeg;base64,{base64.b64encode(data).decode()}"
    return {"type": "image_url", "image_url": {"url": url}}


@functools.cache
def _form(task: str, answer: type[BaseModel]) -> dict[str, Any]:
    schema = {"name": task, "schema": answer.model_json_schema()}
    return {"type": "json_schema", "json_schema": schema}


def _utf8(text: str) -> str:
    """The text without halves of characters, which JSON can hold and files cannot."""
    return text.encode("utf-8", "replace").decode()


def _said(error: openai.APIStatusError) -> str:
    """What the server says is wrong."""
    body = error.body
    message = body.get("message") or body.get("detail") if isinstance(body, dict) else body
    return str(message or error.response.text)


def _retry_after(headers: Any) -> float:
    """Seconds that a server asks for, 0 for none. OpenAI's own header counts milliseconds."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = str(headers.get(name, ""))
        if re.fullmatch(r"\d+(\.\d+)?", value):
            return min(LONGEST_WAIT, float(value) * unit)
    return 0.0
