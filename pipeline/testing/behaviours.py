"""Behaviours of the scripted model server: how well, how fast and how badly it replies.

Each is an async function from a question and the server to a `Reply`; a ConnectionError instead of
a reply closes the connection. Small ones are combined: `limited(answering(0.1), 4, "reject")`.
"""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import json
import re
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Literal

from pipeline.testing.answers import answer
from pipeline.testing.replies import Reply, completion, error, streamed, texts_and_pictures

if TYPE_CHECKING:
    from pipeline.testing.model_server import Server

Behaviour = Callable[[dict[str, Any], "Server"], Awaitable[Reply]]

_PANEL = re.compile(r'^(?:Story ([AB]), p|P)anel \d+: (?=")', re.MULTILINE)
_MARKED = re.compile(r'"(\w+)": \{"reason"')


# Behaviours: a question and the server -> a reply, or a ConnectionError for none.
def answering(
    seconds: float = 0.0, change: Callable[[str], str] = str, finish: str = "stop"
) -> Behaviour:
    """Answers well, after some seconds; `change` is made to the text of the answer."""

    async def behaviour(question: dict[str, Any], server: Server) -> Reply:
        if seconds:
            await asyncio.sleep(seconds)
        message = {"role": "assistant", "content": change(answer(question))}
        return completion(question, message, finish)

    return behaviour


def judging(quality: Callable[[list[str], list[bytes]], float], leaning: float = 0.0) -> Behaviour:
    """Judges stories: scores one by its `quality` (of its texts and JPEG files) and prefers the
    better of two, by half a point at the least; adds `leaning` to the one shown first."""

    async def behaviour(question: dict[str, Any], server: Server) -> Reply:
        texts, pictures = texts_and_pictures(question)
        prompt = "\n".join(texts)
        files = [base64.b64decode(url.partition("base64,")[2]) for url in pictures]
        panels = [
            (line[1] or "", json.JSONDecoder().raw_decode(prompt, line.end())[0])
            for line in _PANEL.finditer(prompt)
        ]
        marks = [
            quality(
                [text for whose, text in panels if whose == name],
                [file for (whose, _), file in zip(panels, files, strict=True) if whose == name],
            )
            for name in dict.fromkeys(whose for whose, _ in panels)
        ]
        said: dict[str, Any] = {"score": round(min(10.0, max(0.0, marks[0])))}
        if len(marks) == 2:
            gap = marks[0] + leaning - marks[1]
            said = {"better": "A" if gap >= 0.5 else "B" if gap <= -0.5 else "tie"}
        content = json.dumps(
            {name: {"reason": f"{marks}", **said} for name in _MARKED.findall(prompt)}
        )
        return completion(question, {"role": "assistant", "content": content})

    return behaviour


def always(reply: Reply) -> Behaviour:
    """Gives the same reply to everything."""

    async def behaviour(question: dict[str, Any], server: Server) -> Reply:
        return reply

    return behaviour


def limited(
    behaviour: Behaviour,
    at_once: int,
    kind: Literal["queue", "reject"] = "queue",
    retry_after: float = 1.0,
) -> Behaviour:
    """Limits a behaviour to `at_once` questions at a time; others wait, or are refused for now
    (429)."""
    places = asyncio.Semaphore(at_once)
    full = busy(retry_after)

    async def queue_or_reject(question: dict[str, Any], server: Server) -> Reply:
        if kind == "reject" and places.locked():
            return await full(question, server)
        async with places:
            return await behaviour(question, server)

    return queue_or_reject


def first(count: int, fault: Behaviour, then: Behaviour) -> Behaviour:
    """Combines two behaviours: `fault` for the first `count` questions, `then` for the rest."""
    return _choosing(lambda number: number < count, fault, then)


def every(count: int, fault: Behaviour, otherwise: Behaviour) -> Behaviour:
    """Combines two behaviours: `fault` for the first of every `count` questions, `otherwise` for
    the rest."""
    return _choosing(lambda number: number % count == 0, fault, otherwise)


def _choosing(chosen: Callable[[int], bool], fault: Behaviour, otherwise: Behaviour) -> Behaviour:
    seen = 0

    async def behaviour(question: dict[str, Any], server: Server) -> Reply:
        nonlocal seen
        seen += 1
        return await (fault if chosen(seen - 1) else otherwise)(question, server)

    return behaviour


def without(parameter: str, behaviour: Behaviour, wanted: Any = None) -> Behaviour:
    """Refuses a parameter as OpenAI does (400); `wanted` is a value of it that is taken."""
    refusal = error(
        400,
        f"Unsupported parameter: '{parameter}' is not supported with this model.",
        param=parameter,
        code="unsupported_parameter",
    )

    async def refuse_or_answer(question: dict[str, Any], server: Server) -> Reply:
        if question.get(parameter, wanted) != wanted:
            return refusal
        return await behaviour(question, server)

    return refuse_or_answer


def without_schema(behaviour: Behaviour) -> Behaviour:
    """Refuses answers by a schema, as servers do that know "json_object" at most (400)."""
    refusal = error(
        400, "'response_format.type' json_schema is unsupported", param="response_format"
    )

    async def refuse_or_answer(question: dict[str, Any], server: Server) -> Reply:
        if question.get("response_format", {}).get("type") == "json_schema":
            return refusal
        return await behaviour(question, server)

    return refuse_or_answer


def busy(retry_after: float = 1.0) -> Behaviour:
    """Refuses with 429, too many requests, and Retry-After in seconds."""
    return always(
        error(
            429,
            "Rate limit reached",
            kind="requests",
            code="rate_limit_exceeded",
            headers={"Retry-After": f"{retry_after:g}"},
        )
    )


def broken() -> Behaviour:
    """Fails with 500, an error of the server."""
    return always(error(500, "The server had an error", kind="server_error"))


def no_key() -> Behaviour:
    """Refuses the key with 401."""
    return always(error(401, "Incorrect API key provided", code="invalid_api_key"))


def no_model() -> Behaviour:
    """Refuses with 404: the server does not have the model."""
    return always(error(404, "The model does not exist", code="model_not_found"))


def hanging() -> Behaviour:
    """Never answers; the question ends with its connection."""

    async def behaviour(question: dict[str, Any], server: Server) -> Reply:
        return await asyncio.get_running_loop().create_future()

    return behaviour


def hanging_up() -> Behaviour:
    """Closes the connection instead of an answer."""

    async def behaviour(question: dict[str, Any], server: Server) -> Reply:
        raise ConnectionAbortedError

    return behaviour


def breaking_off(then: Literal["cut", "hang", "drip"] = "cut") -> Behaviour:
    """Sends half of a good answer and then goes wrong."""

    async def behaviour(question: dict[str, Any], server: Server) -> Reply:
        message = {"role": "assistant", "content": answer(question)}
        return completion(question, message, then=then)

    return behaviour


def writing(text: str, pause: float = 0.0, finish: str = "stop") -> Behaviour:
    """Writes this text, with a pause of so many seconds after every four characters."""
    return replying({"content": text}, finish, pause)


def replying(message: dict[str, Any], finish: str = "stop", pause: float = 0.0) -> Behaviour:
    """Answers with this message, whatever the question; where a stream is asked for, in pieces."""

    async def behaviour(question: dict[str, Any], server: Server) -> Reply:
        reply = completion(question, {"role": "assistant", **message}, finish)
        return dataclasses.replace(reply, pause=pause)

    return behaviour


def in_one_body(behaviour: Behaviour) -> Behaviour:
    """Answers without a stream, though one was asked for."""

    async def whole(question: dict[str, Any], server: Server) -> Reply:
        return dataclasses.replace(await behaviour(question, server), plain=True)

    return whole


def as_stream(behaviour: Behaviour) -> Behaviour:
    """Answers with a stream, though none was asked for, under the type of a whole body."""

    async def events(question: dict[str, Any], server: Server) -> Reply:
        reply = streamed(await behaviour(question, server))
        return dataclasses.replace(reply, content_type="application/json")

    return events


def truncated() -> Behaviour:
    """Answers, but stops in the middle, out of tokens."""
    return answering(change=lambda text: text[: len(text) * 2 // 3], finish="length")


def declining() -> Behaviour:
    """Refuses as OpenAI does: no content, a reason beside it."""

    async def behaviour(question: dict[str, Any], server: Server) -> Reply:
        return completion(
            question,
            {"role": "assistant", "content": None, "refusal": "I'm sorry, I can't help with that."},
        )

    return behaviour


def html() -> Behaviour:
    """Replies with the HTML page of a proxy and status 200."""
    return always(Reply(body="<html><body>Please log in</body></html>", content_type="text/html"))


def no_json() -> Behaviour:
    """Replies with a body that says it is JSON and is not."""
    return always(Reply(body='{"choices": [oops'))


# Changes to a good answer, each from text to text.
def in_prose(text: str) -> str:
    """Puts friendly words around the answer."""
    return f"Sure! Here is the JSON you asked for:\n\n{text}\n\nLet me know {{if}} I can do more!"


def in_fence(text: str) -> str:
    """Puts the answer into a Markdown fence."""
    return f"```json\n{text}\n```"


def one_less(text: str) -> str:
    """Removes the last sentence of a story."""
    return _with_sentences(text, lambda sentences: sentences[:-1])


def swapped(text: str) -> str:
    """Swaps the first two sentences of a story."""
    return _with_sentences(text, lambda sentences: [*sentences[1::-1], *sentences[2:]])


def emptied(text: str) -> str:
    """Removes all words from the answer."""
    return json.dumps(_strings(json.loads(text), lambda string: ""))


def enormous(text: str) -> str:
    """Repeats every string of the answer, to more than 10 MB."""
    times = 20_000_000 // len(text)  # the strings make up half of it and more
    return json.dumps(_strings(json.loads(text), lambda string: string * times))


def refusing(text: str) -> str:
    """Replaces the answer by a refusal in words."""
    return "I'm sorry, but as an AI language model I cannot help with that."


def _with_sentences(text: str, change: Callable[[list[Any]], list[Any]]) -> str:
    value = json.loads(text)
    if "sentences" in value:
        value["sentences"] = change(value["sentences"])
    return json.dumps(value)


def _strings(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_strings(item, change) for item in value]
    if isinstance(value, dict):
        return {key: _strings(item, change) for key, item in value.items()}
    return value
