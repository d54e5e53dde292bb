"""A server with OpenAI's chat completions and no model: it answers at once, and as badly as told.

It stands in for vLLM and the like where the model is not the point: the benchmark of the client,
which wants a server that costs next to nothing, and tests, which want faults on demand. What it
does with a question is a `Behaviour`, an async function from the question and the server to a
`Reply`; those here are small and are put together:

    with serving(limited(answering(seconds=0.1), 4, "reject")) as server: ...
    with serving(first(3, busy(0.2), then=answering())) as server: ...
    with serving(answering(change=in_fence)) as server: ...

`python -m benchmarks.model_server --seconds 1 --at-once 32` serves from a process of its own;
GET /stats then tells what it has cost. An answer depends on nothing but the question and always
fits it: captions differ with the picture, stories are made of the captions that the prompt shows.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import http
import io
import json
import re
import threading
import time
import zlib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from PIL import Image

from schemas.answers import CaptionAnswer, NarrativeAnswer, Sentence

MODEL = "scripted"

_LENGTH = re.compile(r"^content-length: *(\d+)", re.IGNORECASE | re.MULTILINE)
_ORDER = re.compile(r"in this order: (\[[\d, ]*\])")
_NUMBER = re.compile(r"what picture number (\d+) shows")
_PICTURE = re.compile(r'^Picture (\d+): (?=")', re.MULTILINE)
_PANEL = re.compile(r'^(?:Story ([AB]), p|P)anel \d+: (?=")', re.MULTILINE)
_MARKED = re.compile(r'"(\w+)": \{"reason"')
_WHO = (
    "a girl in a red coat",
    "an old man with a lantern",
    "two small foxes",
    "a grey cat",
    "a boy on a bicycle",
    "a tall woman in a straw hat",
    "a robot with one wheel",
    "three ducklings",
)
_ACTION = (
    "looking up at the sky",
    "walking along slowly",
    "waiting for somebody",
    "sitting down",
    "carrying a heavy basket",
    "laughing out loud",
    "pointing at a door",
    "running away",
)
_PLACE = (
    "in a park full of trees",
    "on a wooden bridge",
    "beside a quiet harbour",
    "at the edge of the forest",
    "in a bright kitchen",
    "on a snowy hill",
    "in a narrow street at night",
    "under a striped tent",
)
_WHEN = ("Then", "Soon", "Before long", "A little later", "After that", "In the end")
_HOW = ("", "all at once, ", "bit by bit, ", "once again, ", "in good time, ")
_MOOD = ("calm and friendly", "a little sad", "bright and cheerful", "quiet and curious")
_THINGS = (
    ["a lamp", "two chairs"],
    ["a fence", "some flowers", "a bird"],
    ["a basket"],
    ["an umbrella", "a bench", "a path"],
)
_AROUND = (
    "The air smelled of rain",
    "A bell rang far away",
    "Leaves danced about",
    "The light turned golden",
    "Somebody whistled a tune",
    "A dog barked twice",
    "The clock struck four",
)
_BESIDES = (
    "while nobody was in a hurry.",
    "as if it were a holiday.",
    "and soon it was quiet.",
    "but that went unnoticed.",
    "which made everybody smile.",
)


@dataclass(frozen=True)
class Reply:
    """What goes back over the wire."""

    status: int = 200
    body: Any = ""  # text as it is, anything else as JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    # after half of the body: the rest, a closed connection, silence, or a byte at a time
    then: Literal["", "cut", "hang", "drip"] = ""


@dataclass
class Server:
    """A running server, and what it has seen. Its behaviour may be changed while it runs."""

    behaviour: Behaviour
    keep: bool = True  # whether `asked` grows: a hundred kilobytes a picture
    url: str = ""  # with the /v1 that OPENAI_BASE_URL wants
    asked: list[dict[str, Any]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)  # of the questions' arrival, time.monotonic()
    in_flight: int = 0  # questions without an answer so far, those that wait in a queue too
    most_in_flight: int = 0
    connections: set[_Connection] = field(default_factory=set)

    async def reply(self, request: str, body: bytes) -> Reply:
        """The reply to a request such as "GET /v1/models"."""
        if request == "GET /v1/models":
            return Reply(body={"object": "list", "data": [{"id": MODEL, "object": "model"}]})
        if request == "GET /stats":
            return Reply(
                body={
                    "asked": len(self.times),
                    "in_flight": self.in_flight,
                    "most_in_flight": self.most_in_flight,
                    "cpu_seconds": time.thread_time(),
                }
            )
        if request != "POST /v1/chat/completions":
            return error(404, f"there is no {request}")
        self.times.append(time.monotonic())
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            question = json.loads(body)
            if self.keep:
                self.asked.append(question)
            return await self.behaviour(question, self)
        finally:
            self.in_flight -= 1


Behaviour = Callable[[dict[str, Any], Server], Awaitable[Reply]]


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
    """A judge of stories that scores one by its `quality` (of its texts and JPEG files) and prefers
    the better of two, by half a point at the least; to what is shown first it adds `leaning`."""

    async def behaviour(question: dict[str, Any], server: Server) -> Reply:
        prompts, pictures = _content(question)
        files = [base64.b64decode(url.partition("base64,")[2]) for url in pictures]
        panels = [
            (line[1] or "", json.JSONDecoder().raw_decode(prompts[-1], line.end())[0])
            for line in _PANEL.finditer(prompts[-1])
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
            {name: {"reason": f"{marks}", **said} for name in _MARKED.findall(prompts[-1])}
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
    """Works on so many questions at once; others wait, or are told to come back later (429)."""
    places = asyncio.Semaphore(at_once)
    full = busy(retry_after)

    async def queue_or_reject(question: dict[str, Any], server: Server) -> Reply:
        if kind == "reject" and places.locked():
            return await full(question, server)
        async with places:
            return await behaviour(question, server)

    return queue_or_reject


def first(count: int, fault: Behaviour, then: Behaviour) -> Behaviour:
    """One behaviour for the first so many questions, another from there on."""
    return _choosing(lambda number: number < count, fault, then)


def every(count: int, fault: Behaviour, otherwise: Behaviour) -> Behaviour:
    """One behaviour for the first of every so many questions, another for the rest."""
    return _choosing(lambda number: number % count == 0, fault, otherwise)


def _choosing(chosen: Callable[[int], bool], one: Behaviour, other: Behaviour) -> Behaviour:
    seen = 0

    async def behaviour(question: dict[str, Any], server: Server) -> Reply:
        nonlocal seen
        seen += 1
        return await (one if chosen(seen - 1) else other)(question, server)

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
    """Too many requests: 429, and when to come back, in seconds."""
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
    """An error of the server: 500."""
    return always(error(500, "The server had an error", kind="server_error"))


def no_key() -> Behaviour:
    """A key that is refused: 401."""
    return always(error(401, "Incorrect API key provided", code="invalid_api_key"))


def no_model() -> Behaviour:
    """A model that the server does not have: 404."""
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


def truncated() -> Behaviour:
    """Answers that stop in the middle, where they have run out of tokens."""
    return answering(change=lambda text: text[: len(text) * 2 // 3], finish="length")


def declining() -> Behaviour:
    """OpenAI's own refusals: no content, a reason beside it."""

    async def behaviour(question: dict[str, Any], server: Server) -> Reply:
        return completion(
            question,
            {"role": "assistant", "content": None, "refusal": "I'm sorry, I can't help with that."},
        )

    return behaviour


def html() -> Behaviour:
    """The page of a proxy where an answer should be, and a status that says all is well."""
    return always(Reply(body="<html><body>Please log in</body></html>", content_type="text/html"))


def no_json() -> Behaviour:
    """A body that says it is JSON and is not."""
    return always(Reply(body='{"choices": [oops'))


# Changes to a good answer, each from text to text.


def in_prose(text: str) -> str:
    """The answer with a few friendly words around it."""
    return f"Sure! Here is the JSON you asked for:\n\n{text}\n\nLet me know {{if}} I can do more!"


def in_fence(text: str) -> str:
    """The answer as Markdown."""
    return f"```json\n{text}\n```"


def one_less(text: str) -> str:
    """A story without its last sentence."""
    return _with_sentences(text, lambda sentences: sentences[:-1])


def swapped(text: str) -> str:
    """A story with its first two sentences in each other's place."""
    return _with_sentences(text, lambda sentences: [*sentences[1::-1], *sentences[2:]])


def emptied(text: str) -> str:
    """The answer with no words in it."""
    return json.dumps(_strings(json.loads(text), lambda string: ""))


def enormous(text: str) -> str:
    """The answer with every string said over and over, more than 10 MB of it."""
    times = 20_000_000 // len(text)  # the strings make up half of it and more
    return json.dumps(_strings(json.loads(text), lambda string: string * times))


def refusing(text: str) -> str:
    """A refusal in words."""
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
        return [_strings(one, change) for one in value]
    if isinstance(value, dict):
        return {key: _strings(one, change) for key, one in value.items()}
    return value


# What a good answer says.


def answer(question: dict[str, Any]) -> str:
    """The JSON text that answers a question of ours; "OK" for any other."""
    prompts, pictures = _content(question)
    schema = question.get("response_format", {}).get("json_schema", {})
    task = schema.get("name") or _task(prompts)
    if task == "caption":
        number = _NUMBER.search(prompts[-1])
        seen = pictures[int(number[1]) - 1 if number else 0] if pictures else prompts[-1]
        return _caption(zlib.crc32(seen.encode())).model_dump_json()
    if task in ("narrate", "link"):
        return _narrative(task, prompts).model_dump_json(exclude_unset=True)
    return '{"characters": []}' if task == "characters" else "OK"


def completion(
    question: dict[str, Any],
    message: dict[str, Any],
    finish: str = "stop",
    then: Literal["", "cut", "hang", "drip"] = "",
) -> Reply:
    """The reply that carries a message, with what it has cost."""
    prompts, pictures = _content(question)
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
    """An error in the form of OpenAI's."""
    body = {"error": {"message": message, "type": kind, "param": param, "code": code}}
    return Reply(status, body, headers or {})


def _content(question: dict[str, Any]) -> tuple[list[str], list[str]]:
    """The texts and the picture urls of all messages, in their order."""
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
    """Qwen2.5-VL's: one for every started square of 28 pixels."""
    data = base64.b64decode(url.partition("base64,")[2])
    with Image.open(io.BytesIO(data)) as picture:  # reads the header alone
        width, height = picture.size
    return -(-width // 28) * -(-height // 28)


def _task(prompts: list[str]) -> str:
    """What a question without a schema asks for, by words of our prompts."""
    together = "\n".join(prompts)
    if _ORDER.search(together):
        return "narrate" if " From: " not in together else "link"
    if "one picture" in together or _NUMBER.search(together):
        return "caption"
    return "characters" if "characters" in together else ""


def _caption(seed: int) -> CaptionAnswer:
    """One of 512 captions."""
    who, action, place = (
        pool[seed >> shift & 7] for pool, shift in ((_WHO, 0), (_ACTION, 3), (_PLACE, 6))
    )
    return CaptionAnswer(
        characters=[who],
        place=place,
        action=action,
        mood=_MOOD[seed & 3],
        objects=_THINGS[seed >> 3 & 3],
        camera="medium shot, the camera stands still",
        sentence=f"{who[0].upper()}{who[1:]} can be seen {place}, {action}, with "
        f"{' and '.join(_THINGS[seed >> 3 & 3])} close by.",
    )


def _narrative(task: str, prompts: list[str]) -> NarrativeAnswer:
    """The texts of the pictures that the newest prompt with an order asks for.

    A linked text is the one it was. A told one is its caption with a beginning that no other of 30
    pictures has, so that no two are alike, and a remark, so that it is as long as it should be.
    """
    prompt = next((one for one in reversed(prompts) if _ORDER.search(one)), "")
    order = _ORDER.search(prompt)
    shown = {
        int(line[1]): json.JSONDecoder().raw_decode(prompt, line.end())[0]
        for line in _PICTURE.finditer(prompt)
    }
    sentences = []
    for frame in json.loads(order[1]) if order else []:
        text = shown.get(frame, "The day went on.")
        if task == "narrate":
            if text.split(" ", 1)[0] in ("A", "An", "The", "Two", "Three"):
                text = text[0].lower() + text[1:]
            text = (
                f"{_WHEN[frame % len(_WHEN)]}, {_HOW[frame % len(_HOW)]}{text} "
                f"{_AROUND[frame % len(_AROUND)]} {_BESIDES[frame % len(_BESIDES)]}"
            )
        sentences.append(Sentence(frame=frame, text=text))
    return NarrativeAnswer(sentences=sentences)


# Serving: HTTP/1.1 with connections that stay open, as little of it as clients need.


@contextlib.contextmanager
def serving(
    behaviour: Behaviour | None = None, port: int = 0, keep: bool = True
) -> Iterator[Server]:
    """A server on loopback, in a thread of its own, until the block ends."""
    server = Server(behaviour or answering(), keep)
    loop = asyncio.new_event_loop()
    listening = loop.run_until_complete(
        loop.create_server(lambda: _Connection(server), "127.0.0.1", port, backlog=1024)
    )
    server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v1"
    thread = threading.Thread(target=loop.run_forever, name="model server", daemon=True)
    thread.start()
    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(_stop(server, listening), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _stop(server: Server, listening: asyncio.Server) -> None:
    listening.close()
    tasks = [connection.task for connection in server.connections if connection.task]
    for connection in list(server.connections):
        connection.transport.abort()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class _Connection(asyncio.Protocol):
    """One client's connection. A protocol, for it costs half of what streams do, and a question
    whose client goes away is dropped at once."""

    transport: asyncio.Transport

    def __init__(self, server: Server) -> None:
        self.server = server
        self.data = bytearray()
        self.task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.server.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.server.connections.discard(self)
        if self.task:
            self.task.cancel()

    def data_received(self, data: bytes) -> None:
        self.data += data
        self._take()

    def _take(self) -> None:
        """Starts on the next request, if all of it is here and none is being answered."""
        end = self.data.find(b"\r\n\r\n")
        if self.task or end < 0:
            return
        head = self.data[:end].decode("latin-1")
        length = _LENGTH.search(head)
        stop = end + 4 + (int(length[1]) if length else 0)
        if len(self.data) >= stop:
            body = bytes(self.data[end + 4 : stop])
            del self.data[:stop]
            request = head[: head.index(" HTTP/")]
            self.task = asyncio.get_running_loop().create_task(self._respond(request, body))

    async def _respond(self, request: str, body: bytes) -> None:
        try:
            reply = await self.server.reply(request, body)
        except ConnectionError:
            return self.transport.abort()
        except Exception as fault:  # a question that makes no sense; the client is told, not hung
            reply = error(400, f"{type(fault).__name__}: {fault}")
        await self._send(reply)
        self.task = None
        self._take()

    async def _send(self, reply: Reply) -> None:
        text = reply.body if isinstance(reply.body, str) else json.dumps(reply.body)
        body = text.encode()
        headers = {"Content-Type": reply.content_type, "Content-Length": len(body), **reply.headers}
        lines = [
            f"HTTP/1.1 {reply.status} {http.HTTPStatus(reply.status).phrase}",
            *(f"{name}: {value}" for name, value in headers.items()),
            "",
            "",
        ]
        half = len(body) // 2 if reply.then else len(body)
        self.transport.write("\r\n".join(lines).encode("latin-1") + body[:half])
        if reply.then == "cut":
            self.transport.close()
        elif reply.then == "hang":
            await asyncio.get_running_loop().create_future()
        elif reply.then == "drip":
            for place in range(half, len(body)):
                await asyncio.sleep(0.05)
                self.transport.write(body[place : place + 1])


def main() -> None:
    """Serves until it is ended, and prints where."""
    parser = argparse.ArgumentParser(description="OpenAI's chat completions, no model")
    parser.add_argument("--port", type=int, default=0, help="0: any that is free")
    parser.add_argument("--seconds", type=float, default=1.0, help="that an answer takes")
    parser.add_argument("--at-once", type=int, default=32, help="questions it works on at once")
    parser.add_argument(
        "--kind",
        choices=("queue", "reject"),
        default="queue",
        help="what more than that do: wait, or come back later (429)",
    )
    given = parser.parse_args()
    behaviour = limited(answering(given.seconds), given.at_once, given.kind)
    with (
        serving(behaviour, given.port, keep=False) as server,
        contextlib.suppress(KeyboardInterrupt),
    ):
        print(server.url, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
