"""The backend for servers with OpenAI's chat completions: vLLM, SGLang, llama.cpp, Ollama, OpenAI.

Answers are streamed (`backends.completions`), so that a slow server is told from a dead one: time
limits are on silence, not on the length of an answer, and an answer that repeats itself is cut.

It keeps as many calls in flight as the server takes (`pipeline.inference.concurrency`) and tries
again what may pass (`pipeline.inference.server_errors`), waiting for a silent server as long as
`calls.patience` says. What will not pass stops the run at once: a refused key, an unknown model.

Is it the request or the server? A request that is refused, or has one try left, is followed by a
small probe of the same kind ("Say OK.", which no budget counts). If the probe is answered, the
request is `Unanswered` (after its last try) and becomes a reject; if it is refused too, so would be
all others, and the run stops; if it fails too, the server is waited for.

Not every server accepts every parameter. A request refused for one (the schema of the answer, a
stream, the temperature) is repeated without it, and so are all that follow: the prompt states the
form of the answer in words as well. One that is refused for nothing in particular is repeated as it
is first, and without the schema if it is refused again. One whose pictures are too large, in bytes
or in pixels, is repeated with pictures half as long, and all that follow have pictures of the size
that passed.

A request that the model or a filter refuses for its content has an answer: one without a text, with
the reason. It is cached like any other, as asking again costs and does not help.

The API key comes from the environment alone (CAPTIONER_API_KEY, WRITER_API_KEY or JUDGE_API_KEY,
else OPENAI_API_KEY) and is removed from what a server sends, so that it gets into no config, log,
reject or report.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import json
import os
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

import openai

from pipeline.config import CallsConfig
from pipeline.inference import concurrency, context_length, json_answers, retries, server_errors
from pipeline.inference.backends import chat_messages, completions
from pipeline.inference.protocol import (
    Answer,
    Gone,
    Refused,
    Request,
    Stop,
    TooLong,
    Unanswered,
)
from pipeline.inference.server_errors import Fault
from pipeline.model_specs import Spec
from pipeline.runtime import progress

SILENCE = 5.0  # seconds without an answer after which the user is told
_FIRST_LEVEL = 8  # calls at once to begin with
_FEWER_PICTURES = (
    "set captions.neighbours to 0 and captions.references to false, or let the server take more "
    """per request, such as vllm serve --limit-mm-per-prompt '{"image": 5}'"""
)
_TOO_LARGE = 413  # HTTP status
_SMALLER_PICTURES = "pictures are smaller with calls.longest_side, fewer with captions.neighbours"
# Pixels of the longer side below which a picture that is too large is not sent again, smaller: it
# is what the first image encoders read, and faces in a drawn scene are a few pixels by then.
_SMALLEST_SIDE = 224
_PICTURE_TOKENS = 1000  # per picture, for a server that does not report usage
_BYTES_PER_TOKEN = 3  # of texts, at least in most languages, until the server has counted some
_SMALLEST = 64  # tokens of an answer that are worth a request
_SPARE = 16  # tokens of the context that nobody counts
# How a question is asked that was answered with a loop.
_AFTER_LOOP = {"temperature": 0.8, "seed": 1, "presence_penalty": 0.5}
_LISTING = 10.0  # seconds that a server has to list its models
_REST = 0.2  # seconds that it has to end a response after its last word
_SHOWN = 2.0  # seconds between two notes of progress within answers


class OpenAIServer:
    """The backend "openai:MODEL". It is used within `async with`, in one event loop at a time."""

    def __init__(self, role: str, spec: Spec, calls: CallsConfig) -> None:
        """Raises ValueError, naming the remedy, where the environment has no key."""
        self._model, self._calls, self._extra = spec.model, calls, calls.extra_of(role)
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
        self._url = spec.base_url
        self._level = _FIRST_LEVEL  # calls at once that the server has taken
        self._unsupported: frozenset[str] = frozenset()  # parameters that the server refuses
        self._context = calls.context or 0  # tokens of prompt and answer, 0 where not known
        self._longest = 0  # tokens of an answer that the server allows, 0 where not known
        self._ratio = 0.0  # counted tokens per estimated one, the largest seen, 0 before any
        self._longest_side = calls.longest_side  # pixels of a picture that the server takes

    async def __aenter__(self) -> OpenAIServer:
        # The client's own retries would hide a busy server from the limit, and its timeout is for
        # each read.
        self._client: Any = openai.AsyncOpenAI(
            api_key=self._key, base_url=self._url, max_retries=0, timeout=None
        )
        self._where = f"{self._model} at {server_errors.shown_address(self._client.base_url)}"
        # Made here, as its timers belong to the event loop.
        self._limit = concurrency.ConcurrencyLimit(self._calls.at_once, self._level)
        self._stopped: Stop | None = None
        self._waits: set[asyncio.Timeout] = set()  # that a stop ends
        self._last_answer = self._last_word = self._last_shown = time.monotonic()
        self._silence_reported = False
        self._writing: dict[object, int] = {}  # tokens so far of answers in flight
        self._listing = asyncio.create_task(self._ask_for_context())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._level = max(_FIRST_LEVEL, self._limit.allowed)
        self._listing.cancel()
        await asyncio.gather(self._listing, return_exceptions=True)
        await self._client.close()

    def stop(self, reason: Stop) -> None:
        """Starts no further call and raises `reason` in tasks that wait; calls in flight finish."""
        if self._stopped is None:
            self._stopped = reason
            for wait in self._waits:
                wait.reschedule(0.0)

    def cache_key(self, request: Request) -> dict[str, Any]:
        """Returns all that the server is sent, with the digests of pictures in their place, but for
        the longest answer: one that ended is the same, one that was cut off is asked for again."""
        scaled: dict[str, Any] = {}
        if request.images:
            scaled["longest_side"] = self._calls.longest_side
            if self._calls.detail != "auto":
                scaled["detail"] = self._calls.detail
        return {
            **self._parameters(request),
            **request.texts,
            **scaled,
            "pictures": [picture.sha256 for picture in request.images],
            **request.repeat_fields,
        }

    async def answer(self, request: Request) -> Answer:
        """Returns the answer, after as many tries as it takes. Raises Unanswered or Stop."""
        began, failures, others_pass = time.monotonic(), 0, False
        if self._ratio and self._context and self._left(request) < 0:  # some cut it off silently
            raise TooLong(
                f"about {self._estimate(request):.0f} tokens are more than the {self._context} "
                "that the server reads (calls.context)"
            )
        while True:
            # A fault is dealt with inside the slot: back in the queue, the probe would be sent
            # only after every other request had met the same fault.
            async with self._slot() as slot:
                # Read here, so that memory holds the pictures of calls in flight only.
                outcome = await self._ask(request)
                if isinstance(outcome, Answer):
                    return outcome
                if outcome.kind == "busy":
                    slot.rejected(outcome.retry_after)
                elif outcome.kind == "failed":
                    slot.failed()
                    failures += 1
                    if others_pass:
                        raise Unanswered(outcome.text)
                    if failures + 1 >= self._calls.tries:  # one is left, now with a live server
                        others_pass = await self._others_pass(request, outcome.text)
                elif outcome.told:
                    raise TooLong(outcome.text)
                elif await self._others_pass(request, outcome.text):
                    raise Unanswered(outcome.text)
            # A word is a sign of life, but a server that breaks off every answer is not alive.
            heard = self._last_word if failures < self._calls.tries else self._last_answer
            await self._pause(outcome, failures, max(began, heard))

    async def _others_pass(self, request: Request, fault: str) -> bool:
        """Returns whether a small probe is answered; False if the server fails on it too, or is
        busy. Raises Stop if it refuses the probe too."""
        outcome = await self._ask(request, chat_messages.probe(request))
        if isinstance(outcome, Fault) and outcome.kind == "refused":
            raise self._over(Refused, fault)
        return isinstance(outcome, Answer)

    async def _ask(self, request: Request, probe: Sequence[Any] = ()) -> Answer | Fault:
        """Makes one call, or as many as it takes to leave out the parameters that the server
        refuses and to scale the pictures down to a size that it accepts.

        `probe` is sent in place of the request's own messages.
        """
        unsupported, unexplained = self._unsupported, 0
        longest_side, most = self._longest_side, self._most(request)
        converse = functools.partial(chat_messages.conversation, request, detail=self._calls.detail)
        messages, sent_side = (probe, 0) if probe else await converse(longest_side)
        while True:
            if self._stopped is not None:
                raise self._stopped
            outcome = await self._call(request, messages, unsupported, most)
            if isinstance(outcome, Answer):
                self._unsupported |= unsupported
                self._last_answer, self._silence_reported = time.monotonic(), False
                self._note_size(longest_side)
                smaller = sent_side == longest_side < self._calls.longest_side
                return dataclasses.replace(outcome, longest_side=longest_side if smaller else 0)
            if outcome.kind == "stop":
                raise self._over(Refused, outcome.text)
            if outcome.kind != "refused":
                return outcome
            if outcome.large and sent_side:
                if sent_side <= _SMALLEST_SIDE:
                    return outcome._replace(
                        text=f"{outcome.text}; its pictures had {sent_side} pixels by then"
                    )
                longest_side = max(_SMALLEST_SIDE, sent_side // 2)
                messages, sent_side = await converse(longest_side)
                continue
            if outcome.told:
                less = self._less(request, most, outcome.told)
                if less < _SMALLEST:
                    return outcome
                most = less
                continue
            parameter = server_errors.named_parameter(outcome, unsupported)
            if not parameter and "response_format" not in unsupported:
                # Many servers do not say what they refuse; but what they refuse once may pass.
                unexplained += 1
                if unexplained < 2:
                    continue
                parameter = "response_format"
            if not parameter:
                return outcome
            unsupported |= {parameter}

    async def _call(
        self, request: Request, messages: Sequence[Any], unsupported: frozenset[str], most: int
    ) -> Answer | Fault:
        parameters: dict[str, Any] = {
            **self._parameters(request),
            "max_tokens": most,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        for name in unsupported:
            parameters.pop(name, None)
        if "max_tokens" in unsupported:  # its name for models that reason before they answer
            parameters["max_completion_tokens"] = most
        if "stream" in unsupported:
            parameters.pop("stream_options", None)
        if "system" in unsupported:
            messages = chat_messages.without_system(messages)
        extra = parameters.pop("extra", None)
        completion, began, call = completions.Completion(), time.monotonic(), object()
        loop = asyncio.get_running_loop()
        try:
            async with (
                asyncio.timeout(self._calls.timeout) as wait,
                self._client.chat.completions.with_streaming_response.create(
                    messages=messages,
                    extra_body=extra,
                    **parameters,
                ) as response,
                contextlib.aclosing(completion.read(response.iter_bytes())) as pieces,
            ):
                async for written in pieces:
                    after = _REST if completion.done else self._calls.token_timeout
                    wait.reschedule(loop.time() + after)
                    self._wrote(call, written)
        except openai.APIStatusError as error:
            return self._status_fault(error)
        except (TimeoutError, openai.APITimeoutError):
            if not completion.done:
                written = completion.pieces
                return Fault(
                    "failed",
                    f"no word for {self._calls.token_timeout:g} s after {written} tokens"
                    if written
                    else f"no answer within {self._calls.timeout:g} s",
                )
        except completions.NotJSON as error:
            return Fault("failed", self._clean(str(error)))
        except (openai.APIError, ConnectionError) as error:
            return Fault("failed", self._clean(f"{error} {error.__cause__ or ''}"))
        finally:
            self._writing.pop(call, None)
        return self._answer_of(request, completion, time.monotonic() - began)

    def _note_size(self, longest_side: int) -> None:
        """Keeps the size of pictures that the server took, where it is smaller than before."""
        if longest_side < self._longest_side:
            self._longest_side = longest_side
            progress.say(
                f"{self._where}: the server refuses larger pictures, so they are sent with at most "
                f"{longest_side} pixels (calls.longest_side)"
            )

    def _wrote(self, call: object, tokens: int) -> None:
        """Notes that a call's answer has so many tokens by now, and shows it if it takes long."""
        self._writing[call] = tokens
        self._last_word = now = time.monotonic()
        if now - self._last_answer > SILENCE and now - self._last_shown > _SHOWN:
            self._last_shown = now
            count = len(self._writing)
            progress.doing(
                "",
                f"{count} {'answer' if count == 1 else 'answers'} under way, "
                f"{sum(self._writing.values()):,} tokens so far",
            )

    def _answer_of(
        self, request: Request, completion: completions.Completion, seconds: float
    ) -> Answer | Fault:
        if completion.error:
            return self._error_fault(completion.error)
        if not completion.is_completion:  # an HTML page
            fault = f"the response is not a chat completion: {completion.page}"
            return Fault("failed", self._clean(fault))
        refusal = completion.blocked
        if completion.broken:
            return Fault("failed", "the server broke off its answer")
        read = completion.input_tokens
        if read:
            self._ratio = max(self._ratio, read / self._estimate(request, 1.0))
        # Without an estimate, answers of a server that reports no usage would cost nothing. Four
        # characters are about a token.
        estimate = request.length // 4 + _PICTURE_TOKENS * len(request.images)
        return Answer(
            "" if refusal else json_answers.clean(completion.text),
            self._model,
            read or estimate,
            completion.output_tokens,
            round(seconds, 3),
            self._clean(refusal),
            "loop" if completion.loops else "length" if completion.cut_off else "",
            completion.thinks,
        )

    # Lengths.

    async def _ask_for_context(self) -> None:
        """Finds out how long a request may be, if the server tells; answers do not wait for it."""
        if self._context:
            return
        with contextlib.suppress(Exception):  # whatever a server sends; it need not list anything
            models = await self._client.models.with_raw_response.list(timeout=_LISTING)
            self._context = context_length.listed(models.http_response.json(), self._model)

    def _estimate(self, request: Request, ratio: float = 0.0) -> float:
        """Returns the tokens of a prompt, by what the server has counted so far."""
        words = sum(len(text.encode("utf-8", "replace")) for text in request.texts.values())
        tokens = words / _BYTES_PER_TOKEN + _PICTURE_TOKENS * len(request.images) + 1
        return tokens * (ratio or self._ratio or 1.0)

    def _left(self, request: Request) -> float:
        """Returns the tokens of the context that are left for the answer."""
        return self._context - self._estimate(request) - _SPARE

    def _most(self, request: Request) -> int:
        """Returns the limit on an answer's tokens."""
        most = request.most_tokens(self._calls.max_tokens)
        if self._longest:
            most = min(most, self._longest)
        if self._context:
            most = min(most, max(_SMALLEST, int(self._left(request))))
        return most

    def _less(self, request: Request, most: int, told: context_length.Told) -> int:
        """Returns a smaller limit after the server refused this one; 0 if the prompt alone is too
        long."""
        if told.answer:
            self._longest = told.answer
            return told.answer if told.answer < most else 0
        if not told.context:
            return 0
        self._context = told.context
        left = told.context - told.prompt - _SPARE if told.prompt else int(self._left(request))
        if told.prompt:
            self._ratio = max(self._ratio, told.prompt / self._estimate(request, 1.0))
        return left if left < most else 0

    def _status_fault(self, error: openai.APIStatusError) -> Answer | Fault:
        text = self._clean(
            f"the server answered {error.status_code}: {server_errors.message_of(error)}"
        )
        if error.status_code == _TOO_LARGE:
            text += f" ({_SMALLER_PICTURES})"
        text += server_errors.address_hint(error.response)
        code = str(error.code or "")
        if error.status_code in (400, 403) and server_errors.is_refusal(code, text):
            return Answer("", self._model, refusal=text)
        if server_errors.wants_fewer_pictures(text):
            return Fault("stop", f"{text} ({_FEWER_PICTURES})")
        fault = server_errors.of_status(
            error.status_code,
            text,
            wait=retries.retry_after(error.response.headers, error.response.text),
            code=code,
            parameter=str(error.param or ""),
        )
        said = f"{code} {error.type or ''} {server_errors.message_of(error)}"
        told = context_length.told(said)
        large = not told and (
            error.status_code == _TOO_LARGE or server_errors.wants_smaller_pictures(said)
        )
        if error.status_code == _TOO_LARGE:  # in bytes, or for any minute: a smaller one may pass
            told = told or context_length.Told()
        return fault._replace(told=told, large=large) if fault.kind == "refused" else fault

    def _error_fault(self, error: Any) -> Answer | Fault:
        """Reads an error inside a response with status 200, as gateways send them."""
        fields = error if isinstance(error, dict) else {"message": error}
        code = str(fields.get("code") or fields.get("type") or "")
        message = server_errors.with_cause(fields)
        text = self._clean(f"the server answered {code or 'an error'}: {message}")
        if server_errors.is_refusal(code, f"{text} {fields.get('metadata') or ''}"):
            return Answer("", self._model, refusal=text)
        status = server_errors.status_of(code, message)
        told = context_length.told(f"{code} {message}")
        large = not told and server_errors.wants_smaller_pictures(f"{code} {message}")
        fault = server_errors.of_status(
            400 if (told or large) and status >= 500 else status,
            text,
            wait=retries.retry_after({}, json.dumps(fields, default=str)),
            code=code,
            parameter=str(fields.get("param") or ""),
        )
        return fault._replace(told=told, large=large) if fault.kind == "refused" else fault

    async def _pause(self, fault: Fault, failures: int, heard: float) -> None:
        """Waits before the next try. Raises Stop when the server was silent for too long."""
        silent = time.monotonic() - max(heard, self._last_answer)
        left = self._calls.patience - silent
        if left <= 0:
            raise self._over(Gone, f"no answer for {silent:.0f} s: {fault.text}")
        if silent > SILENCE:
            progress.doing("", f"waiting for the server, {silent:.0f} s so far")
        if silent > SILENCE and not self._silence_reported:
            self._silence_reported = True
            progress.say(
                f"{self._where}: no answer for {silent:.0f} s ({fault.text}); trying on "
                f"for up to {left:.0f} s"
            )
        async with self._unless_stopped():
            await asyncio.sleep(retries.pause(fault.retry_after, failures, left))

    def _over(self, reason: type[Stop], text: str) -> Stop:
        """Stops the run for this reason, unless it has stopped for another; returns the one."""
        self.stop(reason(f"{self._where}: {text}"))
        assert self._stopped is not None
        return self._stopped

    @contextlib.asynccontextmanager
    async def _slot(self) -> AsyncIterator[concurrency.Slot]:
        """Waits for a slot of the limit. Raises Stop if the run stops meanwhile."""
        async with contextlib.AsyncExitStack() as stack:
            async with self._unless_stopped():
                slot = await stack.enter_async_context(self._limit.slot())
            yield slot

    @contextlib.asynccontextmanager
    async def _unless_stopped(self) -> AsyncIterator[None]:
        """Ends a wait inside the block as soon as the run stops, and raises the reason."""
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
        """Returns one line of at most 300 characters without the API key.

        A key of less than 8 characters is a placeholder and may be an ordinary word.
        """
        if len(self._key) >= 8:
            text = text.replace(self._key, "***")
        text = " ".join(json_answers.clean(text).split())
        return text if len(text) <= 300 else f"{text[:300]}..."

    def _parameters(self, request: Request) -> dict[str, Any]:
        """Returns what a request is sent beside its messages, and its answer depends on."""
        sampling: dict[str, Any] = {}
        if self._calls.temperature is not None:
            sampling["temperature"] = self._calls.temperature
        if request.again == "loop":
            sampling = {
                **_AFTER_LOOP,
                "temperature": max(_AFTER_LOOP["temperature"], self._calls.temperature or 0.0),
            }
        extra = {name: value for name, value in self._extra.items() if name not in sampling}
        return {
            "model": self._model,
            **sampling,
            "response_format": chat_messages.response_format(request),
            **({"extra": extra} if extra else {}),
        }
