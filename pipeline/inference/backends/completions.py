"""Reads chat completions as servers really send them: streamed or whole, asked for or not.

The text of an answer may be a string, a list of parts, the arguments of a tool call, or stand where
the model's thoughts should; a filter may say that it blocked the question in half a dozen ways; and
an error may arrive with status 200, or in the middle of a stream.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from pipeline.inference import thoughts_and_loops

# Values of finish_reason, in small letters: out of tokens, blocked, broken off by the server.
_LENGTH = (
    *("length", "max_tokens", "max_length", "model_length", "max_output_tokens"),
    *("token_limit", "model_context_window_exceeded"),
)
_FILTERED = (
    *("content_filter", "safety", "image_safety", "recitation", "prohibited_content"),
    *("blocklist", "spii", "sensitive", "refusal"),
)
# Fields of errors that stand alone.
_MESSAGES = ("message", "detail", "error_msg", "error_message", "status_msg", "msg")
_CODES = ("code", "error_code", "status_code", "status", "type", "detail")
_BROKEN = ("error", "abort", "network_error", "insufficient_system_resource")
_EVENTS = re.compile(rb"\s*(?:data|event|id|retry)?:")  # how a stream of events begins
_HEAD = 8  # bytes by which a stream is told from a whole body
_MOST_TOKENS = 10**8  # of a request; more is no count
_LOOP_STEP = 64  # characters after which a text is searched for loops again


class NotJSON(ValueError):
    """The body, or an event of a stream, is not JSON."""


class Completion:
    """A chat completion, of one body or of the events of a stream."""

    def __init__(self) -> None:
        self.error: Any = None  # inside a body with status 200
        self.finish = ""  # the reason, in small letters
        self.refusal = ""  # in the words of the model
        self.looping = False  # it was cut, as it repeated itself
        self.pieces = 0  # of the stream, with words: about as many as tokens
        self.page = ""  # what was sent, where it is no chat completion
        self._usage: dict[str, Any] = {}
        self._text: list[str] = []
        self._thoughts: list[str] = []
        self._arguments: list[str] = []  # of tool calls
        self._listed = False  # whether it had a list of choices, or says that it was blocked
        self._heard = False  # whether a choice had a message
        self._streamed = self._done = False  # whether it is a stream, and the server has ended it
        self._searched, self._recent = 0, ""  # characters since the last search for loops, the text
        self._index: Any = None  # of the choice that is read, in a stream

    async def read(self, body: AsyncIterator[bytes]) -> AsyncGenerator[int]:
        """Reads a body; yields the number of pieces so far whenever there are more.

        It ends where the answer begins to loop. Raises NotJSON, and ConnectionError if the
        connection breaks.
        """
        rest, events = bytearray(), False
        lines: list[bytes] = []  # of an event
        async for chunk in _chunks(body):
            rest += chunk
            if not self._streamed:
                if len(rest.lstrip()) < _HEAD or not (events or _EVENTS.match(rest)):
                    continue
                self._streamed = events = True
            *whole, last = rest.split(b"\n")
            rest, before = bytearray(last), self.pieces
            for line in whole:
                self._add_line(bytes(line.strip(b"\r")), lines)
            if self.looping:
                return
            if self.pieces > before or self._done:
                yield self.pieces
        if self._streamed:
            self._add_line(bytes(rest.strip(b"\r")), lines)
            self._add_line(b"", lines)
        else:
            self._add_body(bytes(rest))

    def _add_line(self, line: bytes, lines: list[bytes]) -> None:
        """Adds a line of a stream. An event has several, the data of each is JSON as a whole."""
        if line.startswith(b"data:"):
            lines.append(line[5:].strip())
        elif not line and lines:
            event, lines[:] = b"\n".join(lines), []
            try:
                self._add_event(event)
            except NotJSON:  # events without an empty line between them
                for part in event.split(b"\n"):
                    self._add_event(part)

    def _add_event(self, event: bytes) -> None:
        if event.startswith(b"[DONE]"):
            self._done = True
        elif event:
            self._add(_parsed(event))

    def _add_body(self, body: bytes) -> None:
        try:
            self._add(_parsed(body))
        except NotJSON:
            if body.lstrip().startswith((b"{", b"[")):
                raise
            self.page = body.decode(errors="replace")

    def _add(self, part: Any) -> None:
        """Adds a body, or an event of a stream."""
        if isinstance(part, list) and part and isinstance(part[0], dict) and "error" in part[0]:
            part = part[0]  # Gemini's
        if not isinstance(part, dict):
            self.page = self.page or str(part)
            return
        if isinstance(part.get("usage"), dict):
            self._usage = part["usage"]
        self.error = self.error or part.get("error")
        choices = part.get("choices")
        if not isinstance(choices, list):
            self._add_without_choices(part)
            return
        self._listed = True
        if choices and isinstance(choices[0], dict):
            self._add_choice(choices[0], part)
        elif not choices and not self._streamed:
            self.refusal = _blocked(part)

    def _add_without_choices(self, part: dict[str, Any]) -> None:
        """Adds what is no part of an answer: an error, or why a filter blocked the question."""
        if not self._streamed or "error" in (part.get("object"), part.get("type")):
            self.error = self.error or _bare_error(part)
        blocked = part.get("promptFeedback") or part.get("prompt_feedback")
        self._listed |= bool(blocked)
        self.refusal = self.refusal or (_blocked(part) if blocked else "")
        self.page = self.page or str(part)

    def _add_choice(self, choice: dict[str, Any], part: dict[str, Any]) -> None:
        """Adds a choice, the whole of an answer or a piece of it; `part` is what it came in."""
        if self._streamed:
            index = choice.get("index") or 0
            self._index = index if self._index is None else self._index
            if index != self._index:
                return  # another answer beside this, though nobody asked for several
        self.error = self.error or choice.get("error")
        self.finish = str(choice.get("finish_reason") or self.finish).casefold()
        message = choice.get("message") or choice.get("delta")
        if isinstance(message, dict):
            self._heard = True
            self._add_message(message)
        elif not self._streamed:
            self.refusal = _blocked(part)

    def _add_message(self, message: dict[str, Any]) -> None:
        text, thoughts, refusal = _said(message.get("content"))
        for field in ("reasoning_content", "reasoning", "thinking"):
            if found := "".join(_said(message.get(field))[:2]):
                thoughts += found
                break  # some send the same under two names
        argued = len(self._arguments)
        calls = message.get("tool_calls") or [{"function": message.get("function_call")}]
        for call in calls if isinstance(calls, list) else []:
            function = call.get("function") if isinstance(call, dict) else None
            arguments = function.get("arguments") if isinstance(function, dict) else None
            if arguments:
                self._arguments.append(
                    arguments if isinstance(arguments, str) else json.dumps(arguments)
                )
        self.refusal += refusal or str(message.get("refusal") or "")
        self._text.append(text)
        self._thoughts.append(thoughts)
        if text or thoughts or len(self._arguments) > argued:
            self.pieces += 1
        if self._streamed:
            self._search(text or thoughts)

    def _search(self, new: str) -> None:
        """Searches the end of what was written for a loop, from time to time."""
        self._recent += new
        self._searched += len(new)
        if self._searched >= _LOOP_STEP:
            self._searched, self._recent = 0, self._recent[-4000:]
            self.looping = thoughts_and_loops.loops(self._recent)

    # What came of it, once all is read.

    @property
    def done(self) -> bool:
        """Whether the server has said that this is all."""
        return self._done or (not self._streamed and self._listed)

    @property
    def is_completion(self) -> bool:
        """Whether it has what a chat completion has."""
        return self._listed

    @property
    def broken(self) -> bool:
        """Whether the server ended it before it was whole."""
        if self.finish in _BROKEN:
            return True
        return self._streamed and not (self.finish or self._done or self.looping or self.refusal)

    @property
    def blocked(self) -> str:
        """Why there is no answer: what the model or a filter says of the question, "" if there is
        one."""
        if self.finish in _FILTERED:
            return self.refusal or "a content filter ended the answer"
        if not self._heard:
            return self.refusal or "the server blocked the request: it sent no message"
        return "" if self.text else self.refusal

    @property
    def cut_off(self) -> bool:
        """Whether the answer was out of tokens."""
        return self.finish in _LENGTH

    @property
    def text(self) -> str:
        """The text of the answer, without thoughts."""
        written = "".join(self._text)
        whole = not (self.cut_off or self.looping)
        text, _ = thoughts_and_loops.split_thoughts(written, whole)
        if text.strip():
            return text
        if self._arguments:
            return "".join(self._arguments)
        # Servers that part thoughts from answers may take the answer for a thought.
        thoughts = "".join(self._thoughts)
        return (
            thoughts_and_loops.split_thoughts(thoughts)[0] if whole and thoughts.strip() else text
        )

    @property
    def thinks(self) -> bool:
        """Whether the model thinks before it answers."""
        details = self._usage.get("completion_tokens_details")
        counted = details.get("reasoning_tokens") if isinstance(details, dict) else 0
        opened = thoughts_and_loops.split_thoughts("".join(self._text), False)[1]
        return bool("".join(self._thoughts).strip() or opened.strip() or _tokens(counted))

    @property
    def input_tokens(self) -> int:
        """The tokens of the question as the server counts them, 0 where it does not."""
        return _tokens(self._usage.get("prompt_tokens"))

    @property
    def output_tokens(self) -> int:
        """The tokens of the answer, thoughts too; an estimate where the server counts none."""
        counted = _tokens(self._usage.get("completion_tokens"))
        written = sum(map(len, (*self._text, *self._thoughts, *self._arguments)))
        return counted or max(written // 4, self.pieces if self._streamed else 0)

    @property
    def loops(self) -> bool:
        """Whether the answer repeats itself without end."""
        return self.looping or (self.cut_off and thoughts_and_loops.loops("".join(self._text)))


async def _chunks(body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Reads a body. Raises ConnectionError for what the HTTP library raises, whichever it is."""
    try:
        async for chunk in body:
            yield chunk
    except Exception as error:
        raise ConnectionError(f"Connection error. {error}") from error


def _bare_error(part: dict[str, Any]) -> dict[str, Any] | None:
    """Returns the error that a body without choices is, in whichever form a server has; None for
    another body.

    FastAPI: detail; vLLM before 0.10 and DashScope: message and code; Baidu: error_msg; MiniMax:
    base_resp; Cloudflare: errors.
    """
    errors, base = part.get("errors"), part.get("base_resp")
    inner = errors[0] if isinstance(errors, list) and errors else base or part
    if not isinstance(inner, dict):
        return {"message": inner}
    message, code = (
        next((inner[name] for name in names if inner.get(name)), None)
        for names in (_MESSAGES, _CODES)
    )
    if not isinstance(message, str | list) or not (code or inner is not part):
        return None
    return {"message": message, "code": code}


def _parsed(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise NotJSON(f"the response is not JSON: {error}") from None


def _said(content: Any) -> tuple[str, str, str]:
    """Returns text, thoughts and refusal of a message's content: a string, or a list of parts."""
    if isinstance(content, str):
        return content, "", ""
    said = ["", "", ""]
    for part in content if isinstance(content, list) else [content]:
        if isinstance(part, str):
            said[0] += part
        if not isinstance(part, dict):
            continue
        kind = str(part.get("type") or "text")
        names = ("text", kind, "value", "content", "summary")
        inner = next((part[name] for name in names if part.get(name)), None)
        place = 2 if kind == "refusal" else 1 if re.search("think|reason|summary", kind) else 0
        text, thoughts, refusal = _said(inner) if inner is not None else ("", "", "")
        said[place] += text
        said[1] += thoughts
        said[2] += refusal
    return said[0], said[1], said[2]


def _blocked(part: Any) -> str:
    return f"the server blocked the request: {part}"


def _tokens(value: Any) -> int:
    """Returns a count of tokens as servers give it; 0 for none, and for what cannot be one."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0
    return round(value) if 0 <= value <= _MOST_TOKENS else 0
