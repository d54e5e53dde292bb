"""Chat completions as servers send them, byte for byte: what is read of them."""

from __future__ import annotations

import asyncio
import json

import pytest

from pipeline.inference.backends.completions import Completion, NotJSON

TEXT = '{"sentence": "Тильда machte große Augen 🦊."}'


def chunk(content=None, finish=None, **more) -> str:
    delta = {"role": "assistant"} if content is None else {"content": content}
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return json.dumps({"choices": [choice], **more}, ensure_ascii=False)


USAGE = {"prompt_tokens": 12, "completion_tokens": 7}
COUNTED = json.dumps({"choices": [], "usage": USAGE})
EVENTS = [chunk(), chunk(TEXT[:20]), chunk(TEXT[20:]), chunk("", "stop")]
DONE = "[DONE]"


def stream(*events: str, end: str = "\n\n", before: str = "data: ") -> bytes:
    return "".join(f"{before}{event}{end}" for event in events).encode()


def read(*pieces: bytes) -> Completion:
    """What is read of a body that arrives in these pieces."""

    async def arriving():
        for piece in pieces:
            yield piece

    async def main():
        completion = Completion()
        async for _ in completion.read(arriving()):
            pass
        return completion

    return asyncio.run(main())


STREAMS = {
    "as OpenAI sends it": stream(*EVENTS, COUNTED, DONE),
    "without [DONE]": stream(*EVENTS, COUNTED),
    "without an empty line at the end": stream(*EVENTS, COUNTED).rstrip(),
    "carriage returns": stream(*EVENTS, COUNTED, DONE, end="\r\n\r\n"),
    "no blank after the colon": stream(*EVENTS, COUNTED, DONE, before="data:"),
    "named events with numbers": stream(
        *EVENTS, COUNTED, DONE, before="event: message\nid: 7\nretry: 100\ndata: "
    ),
    "kept alive before, between and within events": b": OPENROUTER PROCESSING\n\n"
    + stream(*EVENTS[:2], before=": ping\ndata: ")
    + b": ping\n\n\n\n"
    + stream(*EVENTS[2:], COUNTED, DONE),
    "filters of the prompt first (Azure)": stream(
        json.dumps({"choices": [], "prompt_filter_results": [{"prompt_index": 0}]}),
        *EVENTS,
        COUNTED,
        DONE,
    ),
    "no usage but at the end": stream(
        chunk(usage=None),
        chunk(TEXT, usage=None),
        chunk("", "stop", usage=None),
        COUNTED,
        DONE,
    ),
    "usage beside the last words": stream(chunk(), chunk(TEXT, "stop", usage=USAGE), DONE),
}


@pytest.mark.parametrize("size", [1, 7, 10**6], ids=["bytes", "sevens", "all at once"])
@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_is_read_however_it_is_written_and_cut_up(name, size):
    body = STREAMS[name]
    completion = read(*(body[at : at + size] for at in range(0, len(body), size)))

    assert completion.text == TEXT
    assert (completion.input_tokens, completion.output_tokens) == (12, 7)
    assert (completion.broken, completion.blocked, completion.error) == (False, "", None)


def test_a_stream_that_ends_in_the_middle_is_broken_off():
    assert read(stream(*EVENTS[:3])).broken
    with pytest.raises(NotJSON):
        read(stream(*EVENTS[:2]) + b'data: {"choices": [{"del')


@pytest.mark.parametrize(
    "message",
    [
        {"content": "", "tool_calls": None},
        {"content": None, "tool_calls": [], "refusal": None, "annotations": []},
        {"content": "", "function_call": None, "reasoning_content": None},
    ],
)
def test_an_empty_answer_is_an_answer_and_no_refusal(message):
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", **message}}
    completion = read(json.dumps({"choices": [choice], "usage": None}).encode())

    assert (completion.text, completion.blocked, completion.broken) == ("", "", False)
    assert completion.output_tokens == 0


@pytest.mark.parametrize(
    "body", [b"<!doctype html><title>Log in</title>", b"", b"upstream connect error"]
)
def test_a_page_of_something_else_is_no_completion(body):
    completion = read(body)

    assert not completion.is_completion
    assert completion.page == body.decode()
