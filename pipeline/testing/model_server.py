"""A scripted model server: OpenAI's chat completions over HTTP, without a model.

It stands in for vLLM and the like where the model is not the point: benchmarks of the client, which
want a server that costs next to nothing, and tests, which want faults on demand. What it replies to
a question is decided by a `Behaviour`, an async function from the question and the server to a
`Reply`; `pipeline.testing.behaviours` has a set of them:

    with serving(limited(answering(seconds=0.1), 4, "reject")) as server: ...
    with serving(first(3, busy(0.2), then=answering())) as server: ...
    with serving(answering(change=in_fence)) as server: ...

`python -m pipeline.testing.serve` serves from a process of its own; GET /stats then tells how many
questions it was asked and what CPU time it used.
"""

from __future__ import annotations

import asyncio
import contextlib
import http
import json
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pipeline.testing.behaviours import Behaviour, answering
from pipeline.testing.replies import MODEL, Reply, error, streamed

_LENGTH = re.compile(r"^content-length: *(\d+)", re.IGNORECASE | re.MULTILINE)


@dataclass
class Server:
    """A running server, and the questions it was asked. Its behaviour may be changed while it
    runs."""

    behaviour: Behaviour
    keep: bool = True  # whether `asked` grows: a hundred kilobytes a picture
    context: int = 0  # tokens that it says it reads and writes per question, 0 for no word of it
    url: str = ""  # with the /v1 that OPENAI_BASE_URL wants
    asked: list[dict[str, Any]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)  # of the questions' arrival, time.monotonic()
    in_flight: int = 0  # questions without an answer so far, those that wait in a queue too
    most_in_flight: int = 0
    dropped: int = 0  # questions whose client left before all of the reply was sent
    connections: set[_Connection] = field(default_factory=set)

    async def reply(self, request: str, body: bytes) -> Reply:
        """Returns the reply to a request such as "GET /v1/models"."""
        if request == "GET /v1/models":
            length = {"max_model_len": self.context} if self.context else {}
            data = [{"id": MODEL, "object": "model", **length}]
            return Reply(body={"object": "list", "data": data})
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
            reply = await self.behaviour(question, self)
            whole = isinstance(reply.body, dict) and reply.body.get("object") == "chat.completion"
            if whole and question.get("stream") and not reply.plain:
                options = question.get("stream_options") or {}
                return streamed(reply, bool(options.get("include_usage")))
            return reply
        finally:
            self.in_flight -= 1


# HTTP/1.1 with connections that stay open: the little of it that clients need.
@contextlib.contextmanager
def serving(
    behaviour: Behaviour | None = None, port: int = 0, keep: bool = True
) -> Iterator[Server]:
    """Serves on loopback, in a thread of its own, until the block ends; answers well by default."""
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
    """One client's connection. A protocol, as it costs half of what streams do, and a question
    whose client disconnects is dropped at once."""

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
            self.server.dropped += 1
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
        text = reply.body if isinstance(reply.body, str | bytes) else json.dumps(reply.body)
        body = text.encode() if isinstance(text, str) else text
        headers = {"Content-Type": reply.content_type, "Content-Length": len(body), **reply.headers}
        lines = [
            f"HTTP/1.1 {reply.status} {http.HTTPStatus(reply.status).phrase}",
            *(f"{name}: {value}" for name, value in headers.items()),
            "",
            "",
        ]
        head = "\r\n".join(lines).encode("latin-1")
        if reply.pause:
            self.transport.write(head)
            for event in body.split(b"\n\n")[:-1]:
                await asyncio.sleep(reply.pause)
                self.transport.write(event + b"\n\n")
            return
        half = len(body) // 2 if reply.then else len(body)
        self.transport.write(head + body[:half])
        if reply.then == "cut":
            self.transport.close()
        elif reply.then == "hang":
            await asyncio.get_running_loop().create_future()
        elif reply.then == "drip":
            for place in range(half, len(body)):
                await asyncio.sleep(0.05)
                self.transport.write(body[place : place + 1])
