"""Good and bad days of a server: what is asked of it, how often, and what comes of it."""

import asyncio
import base64
import contextlib
import dataclasses
import gzip
import io
import json
import re
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import cv2
import pytest
from PIL import Image

from pipeline import model_specs
from pipeline.config import CallsConfig
from pipeline.inference import client, concurrency, json_answers, repair, retries
from pipeline.inference.backends import openai_server as ours
from pipeline.inference.backends.openai_server import OpenAIServer
from pipeline.inference.budget import Budget
from pipeline.inference.protocol import (
    THOUGHTS,
    Answer,
    Gone,
    Picture,
    Refused,
    Request,
    Stop,
    TooLong,
    Unanswered,
)
from pipeline.runtime import progress
from pipeline.testing import answers, behaviours
from pipeline.testing.behaviours import always, answering, every, first
from pipeline.testing.films import scene
from pipeline.testing.model_server import serving
from pipeline.testing.replies import Reply, error, streamed, texts_and_pictures
from schemas.answers import CaptionAnswer, NarrativeAnswer
from tests import smollm_server

KEY = "sk-very-secret"
CALLS = CallsConfig(timeout=10, patience=20, tries=4)
SHORT = CALLS.model_copy(  # only where it is to pass: machines are slow
    update={"timeout": 0.4, "token_timeout": 0.4}
)
IMPATIENT = SHORT.model_copy(update={"patience": 0.4})
STORY = (
    'Give one text each, in this order: [7, 8, 9]\nPicture 7: "Ben comes."\n'
    'Picture 8: "Ben laughs."\nPicture 9: "Ben goes."'
)


@pytest.fixture(autouse=True)
def quickly(monkeypatch):
    monkeypatch.setattr(retries, "FIRST_PAUSE", 0.02)
    monkeypatch.setattr(retries, "MAX_PAUSE", 0.05)
    monkeypatch.setattr(concurrency, "MIN_REST", 0.02)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    for name in ("CAPTIONER_API_KEY", "WRITER_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


def request(prompt="what is it?", *images, answer=CaptionAnswer, task="caption"):
    return Request("one", task, prompt, {}, answer, tuple(images))


def requests(count):
    return [request(f"number {number}") for number in range(count)]


def backend(url="", calls=CALLS, role="captioner"):
    return OpenAIServer(
        role, model_specs.parse(f"openai:tiny@{url}" if url else "openai:tiny"), calls
    )


def results(url, *questions, calls=CALLS):
    """What became of each question, all asked at once: its answer or what was raised."""

    async def main():
        async with backend(url, calls) as server:
            return await asyncio.gather(*map(server.answer, questions), return_exceptions=True)

    return asyncio.run(main())


def result(behaviour, *questions, calls=CALLS):
    """What became of the only question, and the server it was put to."""
    with serving(behaviour) as server:
        (found,) = results(server.url, *(questions or [request()]), calls=calls)
        return found, server


def sentence(answer):
    return CaptionAnswer.model_validate_json(answer.text).sentence


def good(question):
    return answers.answer(
        {
            "messages": [{"role": "user", "content": question.prompt}],
            "response_format": {"json_schema": {"name": question.task}},
        }
    )


def where(words, fault, otherwise):
    """One behaviour for questions with these words in their prompt, another for the rest."""

    async def behaviour(question, server):
        found = words in question["messages"][-1]["content"][-1]["text"]
        return await (fault if found else otherwise)(question, server)

    return behaviour


def prompts(server):
    return [prompt_of(question) for question in server.asked]


def prompt_of(question):
    return question["messages"][-1]["content"][-1]["text"]


def kinds(found):
    return [type(outcome) for outcome in found]


@contextlib.contextmanager
def meanwhile(function, *arguments, **named):
    """Something that runs beside the block; yields its future."""
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(function, *arguments, **named)


def free_port():
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return bound.getsockname()[1]


# Good days.


def test_each_question_gets_its_answer_with_what_it_cost():
    with serving() as server:
        found = results(server.url, *requests(40))
    assert [answer.text for answer in found] == [good(question) for question in requests(40)]
    assert found[7] == Answer(found[7].text, "tiny", 2, round(len(found[7].text) / 4))
    assert len(server.asked) == 40


def test_the_schema_and_the_settings_go_with_the_question():
    calls = CALLS.model_copy(update={"temperature": 0.7, "max_tokens": 100})
    _, server = result(answering(), request("why?"), calls=calls)
    (asked,) = server.asked
    assert (asked["model"], asked["temperature"], asked["max_tokens"]) == ("tiny", 0.7, 100)
    assert asked["messages"] == [{"role": "user", "content": [{"type": "text", "text": "why?"}]}]
    form = asked["response_format"]["json_schema"]
    assert (form["name"], form["schema"]["required"]) == (
        "caption",
        ["characters", "place", "action", "mood", "objects", "camera", "sentence"],
    )


def picture(path, height, width, number=1):
    cv2.imwrite(str(path), scene(number, height, width)[..., ::-1])
    return Picture(str(path), f"digest of {path.name}")


def test_pictures_are_sent_in_order_the_large_ones_scaled_and_the_others_as_they_are(tmp_path):
    small, large = picture(tmp_path / "a.jpg", 90, 160), picture(tmp_path / "b.jpg", 1080, 1920)
    _, server = result(answering(), request("?", small, large, small))
    *sent, text = server.asked[0]["messages"][0]["content"]
    data = [base64.b64decode(part["image_url"]["url"].partition(";base64,")[2]) for part in sent]
    assert data[0] == data[2] == (tmp_path / "a.jpg").read_bytes()
    assert Image.open(io.BytesIO(data[1])).size == (768, 432)
    assert text == {"type": "text", "text": "?"}


def test_a_picture_that_cannot_be_read_is_one_question_without_an_answer(tmp_path):
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "text.jpg").write_text("no picture")
    names = ["missing.jpg", "empty.jpg", "text.jpg"]
    questions = [request("?", Picture(str(tmp_path / name), "1")) for name in names]
    with serving() as server:
        *bad, fine = results(server.url, *questions, request())
    assert kinds([*bad, fine]) == [Unanswered] * 3 + [Answer]
    for name, outcome in zip(names, bad, strict=True):
        assert "cannot be read" in str(outcome) and name in str(outcome)
    assert len(server.asked) == 1


def test_a_server_that_does_not_count_tokens_gets_an_estimate(tmp_path):
    async def uncounted(question, server):
        reply = await answering()(question, server)
        del reply.body["usage"]
        return reply

    found, _ = result(uncounted, request("x" * 400, picture(tmp_path / "a.jpg", 90, 160)))
    assert (found.input_tokens, found.output_tokens) == (100 + 1000, -(-len(found.text) // 4))


def test_half_a_character_in_an_answer_or_an_error_can_be_written_down():
    message = {"choices": [{"message": {"content": "Ben \ud83d"}}]}
    found, _ = result(always(Reply(body=json.dumps(message))))
    assert found.text == "Ben "
    found, _ = result(always(error(404, "no \udc00")))
    assert "404: no (are" in str(found)


# Answers as servers really give them: in streams, in parts, with thoughts.


@pytest.mark.parametrize(
    "how", [behaviours.in_one_body, behaviours.as_stream, lambda behaviour: behaviour]
)
def test_a_stream_and_a_whole_body_say_the_same_whichever_was_asked_for(how):
    found, server = result(how(answering()))
    assert (found.text, found.output_tokens) == (good(request()), round(len(found.text) / 4))
    assert server.asked[0]["stream"] and server.asked[0]["stream_options"] == {
        "include_usage": True
    }


def test_a_compressed_answer_is_read():
    async def compressed(question, server):
        reply = streamed(await answering()(question, server))
        headers = {"Content-Encoding": "gzip"}
        return dataclasses.replace(reply, body=gzip.compress(reply.body.encode()), headers=headers)

    found, server = result(compressed)
    assert found.text == good(request()) and len(server.asked) == 1


TEXT = '{"sentence": "Ben laughs."}'
THOUGHT = 'Who is it? {"sentence": "A draft."} No, it is Ben.'
MESSAGES = {
    "text": {"content": TEXT},
    "reasoning_content": {"reasoning_content": THOUGHT, "content": TEXT},
    "reasoning": {"reasoning": THOUGHT, "content": TEXT},
    "closed": {"content": f"<think>{THOUGHT}</think>\n{TEXT}"},
    "unclosed": {"content": f"<think>{THOUGHT}\n{TEXT}"},
    "only closed": {"content": f"{THOUGHT}</think>{TEXT}"},
    "Mistral's tags": {"content": f"[THINK]{THOUGHT}[/THINK]{TEXT}"},
    "Kimi's tags": {"content": f"◁think▷{THOUGHT}◁/think▷{TEXT}"},
    "channels": {
        "content": f"<|channel|>analysis<|message|>{THOUGHT}<|end|><|start|>assistant"
        f"<|channel|>final<|message|>{TEXT}"
    },
    "null content": {"content": None, "reasoning_content": f"{THOUGHT} {TEXT}"},
    "empty content": {"content": "", "reasoning": TEXT},
    "parts": {"content": [{"type": "text", "text": TEXT[:9]}, {"type": "text", "text": TEXT[9:]}]},
    "output_text": {"content": [{"type": "output_text", "text": TEXT, "annotations": []}]},
    "strings": {"content": [TEXT[:9], TEXT[9:]]},
    "thinking part": {
        "content": [
            {"type": "thinking", "thinking": [{"type": "text", "text": THOUGHT}]},
            {"type": "text", "text": TEXT},
        ]
    },
    "tool call": {
        "content": None,
        "tool_calls": [{"index": 0, "function": {"name": "caption", "arguments": TEXT}}],
    },
    "tool call as an object": {
        "content": "",
        "tool_calls": [{"function": {"name": "caption", "arguments": json.loads(TEXT)}}],
    },
    "function call": {"content": None, "function_call": {"name": "caption", "arguments": TEXT}},
}


@pytest.mark.parametrize("how", [behaviours.in_one_body, lambda behaviour: behaviour])
@pytest.mark.parametrize("name", MESSAGES)
def test_an_answer_is_found_wherever_it_stands(name, how):
    found, server = result(how(behaviours.replying(MESSAGES[name])))
    assert sentence(json_answer(found)) == "Ben laughs."
    assert (found.cut, found.refusal, len(server.asked)) == ("", "", 1)


def json_answer(found):
    """The last JSON object, as stages read it: thoughts may stand before it."""
    return dataclasses.replace(
        found, text=json_answers.read(found.text, CaptionAnswer)[0].model_dump_json()
    )


@pytest.mark.parametrize(
    "message",
    [
        {"content": f"<think>{THOUGHT}"},
        {"content": None, "reasoning_content": THOUGHT},
        {"content": "", "reasoning": THOUGHT},
    ],
)
def test_thoughts_that_used_up_the_tokens_are_no_answer_and_the_next_may_be_longer(message):
    thinking = behaviours.replying(message, "length")
    outcome, server = asked_for(first(1, thinking, answering()))
    assert outcome.value.sentence and not outcome.repaired
    before, after = (sent["max_tokens"] for sent in server.asked)
    assert before == 300 and after == 2 * (300 + THOUGHTS)
    outcome, server = asked_for(thinking, calls=CALLS.model_copy(update={"max_tokens": 500}))
    assert outcome.value is None and "raise calls.max_tokens" in outcome.fault
    assert [sent["max_tokens"] for sent in server.asked] == [500, 1000]


def asked_for(behaviour, calls=CALLS, **fields):
    """The outcome of a caption of 300 tokens at most, and the server."""

    async def main():
        async with client.open_client(
            "tiny",
            uncached(backend(server.url, calls)),
            "",
            Budget(None, None, 0.0, 0),
            lambda name, more: counts.update({name: counts.get(name, 0) + more}),
        ) as model_client:
            question = dataclasses.replace(request(), longest=300, **fields)
            return await repair.ask(
                question,
                model_client,
                lambda _: "",
                lambda again, fault: dataclasses.replace(again, correction=fault),
            )

    counts = {}
    with serving(behaviour) as server:
        outcome = asyncio.run(main())
        server.counts = counts
        return outcome, server


@pytest.mark.parametrize(
    "text",
    [
        '{"sentence": "' + "and the fox ran and " * 10_000,
        '{"characters": [' + '{"name": "Pip", "look": "a small fox in a green scarf"}, ' * 5_000,
        '{"sentence": "Ben' + " \n" * 40_000,
    ],
)
def test_a_loop_is_cut_early_the_server_may_stop_and_it_is_asked_differently(text):
    outcome, server = asked_for(first(1, behaviours.writing(text, pause=0.0005), answering()))
    assert outcome.value.sentence and not outcome.repaired
    assert server.dropped == 1  # the server noticed that nobody listens
    loop, whole = outcome.answers
    assert loop.cut == "loop" and 50 < loop.output_tokens < 2_500 and whole.cut == ""
    assert server.counts["loops"] == 1
    before, after = server.asked
    assert before["messages"] == after["messages"]
    assert "temperature" not in before and "seed" not in before
    assert (after["temperature"], after["seed"], after["presence_penalty"]) == (0.8, 1, 0.5)


def test_what_only_loops_is_an_answer_of_no_use_and_not_a_silent_server():
    outcome, server = asked_for(behaviours.writing("ha " * 20_000))
    assert outcome.value is None and outcome.answered and outcome.cut == "loop"
    assert "the answer ran into a loop" in outcome.fault
    assert len(server.asked) == 2 and len(outcome.failed) == 2


def test_a_loop_that_ran_until_the_tokens_were_used_up_is_one_too():
    outcome, _ = asked_for(behaviours.in_one_body(behaviours.writing("ha " * 400, finish="length")))
    assert outcome.cut == "loop"


def test_a_slow_answer_is_waited_for_as_long_as_words_come(monkeypatch):
    shown = []
    monkeypatch.setattr(progress, "doing", lambda _, text: shown.append(text))
    monkeypatch.setattr(ours, "SILENCE", 0.1)
    monkeypatch.setattr(ours, "_SHOWN", 0.2)
    calls = CALLS.model_copy(update={"timeout": 1.5, "token_timeout": 1.5, "patience": 1.0})
    began = time.monotonic()
    found, _ = result(behaviours.writing(json.dumps({"sentence": "x" * 300}), 0.03), calls=calls)
    assert type(found) is Answer and time.monotonic() - began > 1.5
    assert re.fullmatch(r"1 answer under way, \d+ tokens so far", shown[0])


def test_a_call_that_is_cancelled_ends_at_the_server_too():
    async def main():
        async with backend(server.url) as asked:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.3):
                    await asked.answer(request())
            while server.dropped < 1:
                await asyncio.sleep(0.01)

    with serving(behaviours.writing(json.dumps({"sentence": "one two three"}), 60)) as server:
        asyncio.run(main())


@pytest.mark.parametrize(
    "usage",
    [
        {"prompt_tokens": "12", "completion_tokens": -3},
        {"prompt_tokens": None, "completion_tokens": "many"},
        {"prompt_tokens": [], "completion_tokens": float("nan")},
        "seven",
        None,
        [],
    ],
)
def test_a_count_that_is_no_count_is_ignored(usage):
    async def odd(question, server):
        reply = await answering()(question, server)
        return dataclasses.replace(reply, body={**reply.body, "usage": usage})

    found, _ = result(odd, request("x" * 400))
    assert found.input_tokens == 100
    assert found.output_tokens == pytest.approx(len(found.text) / 4, abs=1)


def test_a_count_in_fractions_is_a_count():
    async def odd(question, server):
        reply = await answering()(question, server)
        usage = {"prompt_tokens": 12.0, "completion_tokens": 7.0}
        return dataclasses.replace(reply, body={**reply.body, "usage": usage})

    found, _ = result(odd)
    assert (found.input_tokens, found.output_tokens) == (12, 7)


# What the configuration adds to a request.


def test_more_fields_go_into_the_request_as_they_are():
    thinking = {"chat_template_kwargs": {"enable_thinking": False}}
    calls = CallsConfig(extra={"top_k": 20, **thinking, "writer": {"top_k": 5}})
    _, server = result(answering(), calls=calls)
    (asked,) = server.asked
    assert asked["top_k"] == 20 and asked["chat_template_kwargs"] == {"enable_thinking": False}
    assert not {"writer", "extra", "temperature"} & set(asked)
    assert backend(calls=calls, role="writer")._extra == {"top_k": 5, **thinking}


# How long a request may be.


def test_an_answer_is_asked_for_with_what_is_left_of_the_context():
    said = (
        "This model's maximum context length is 2048 tokens. However, you requested 4396 tokens "
        "(300 in the messages, 4096 in the completion)."
    )

    async def short(question, server):
        fits = question["max_tokens"] <= 2048 - 300
        return await (answering() if fits else always(error(400, said)))(question, server)

    found, server = result(short)
    assert type(found) is Answer
    assert [sent["max_tokens"] for sent in server.asked] == [4096, 2048 - 300 - 16]
    assert all("response_format" in sent for sent in server.asked)


def test_a_prompt_that_leaves_no_room_is_too_long_without_a_probe():
    said = "the request exceeds the available context size (512 tokens), try increasing it"
    found, server = result(always(error(400, said, kind="exceed_context_size_error")))
    assert type(found) is TooLong and "context size (512 tokens)" in str(found)
    assert len(server.asked) <= 2 and "Say OK." not in prompts(server)


def test_the_context_that_the_server_lists_or_the_configuration_names_is_kept_to():
    async def main(calls):
        async with backend(server.url, calls) as asked:
            await asked._listing
            return [await asked.answer(question) for question in requests(2)]

    with serving() as server:
        server.context = 1000
        asyncio.run(main(CALLS))
        asyncio.run(main(CALLS.model_copy(update={"context": 700})))
    assert [sent["max_tokens"] for sent in server.asked][::2] == [980, 680]


def test_a_prompt_beyond_the_context_is_not_sent_to_be_cut_off_silently():
    async def main():
        async with backend(server.url, CALLS.model_copy(update={"context": 300})) as asked:
            await asked.answer(request())
            with pytest.raises(TooLong, match="than the 300 that the server reads"):
                await asked.answer(request("word " * 1000))

    with serving() as server:
        asyncio.run(main())
    assert len(server.asked) == 1


# Where the server and the key come from.


def key_sent(monkeypatch, role, **environment):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    async def main():
        async with backend("http://127.0.0.1:1/v1", role=role) as server:
            return server._client.api_key

    return asyncio.run(main())


def test_a_role_may_have_a_key_of_its_own(monkeypatch):
    assert key_sent(monkeypatch, "captioner") == KEY
    assert key_sent(monkeypatch, "captioner", CAPTIONER_API_KEY="sk-own") == "sk-own"
    assert key_sent(monkeypatch, "writer") == KEY
    assert key_sent(monkeypatch, "writer", WRITER_API_KEY=" sk-line\n") == "sk-line"


def test_the_address_in_the_spec_goes_before_the_environments(monkeypatch):
    with serving() as first_server, serving() as other:
        monkeypatch.setenv("OPENAI_BASE_URL", first_server.url)
        results("", request())
        results(other.url, request(), request())
    assert (len(first_server.asked), len(other.asked)) == (1, 2)


@pytest.mark.parametrize(
    "key, remedy",
    [
        ("", "openai:tiny: set OPENAI_API_KEY .any word will do for a server of your own"),
        ("  ", "openai:tiny: set OPENAI_API_KEY"),
        ("sk-1\nsk-2", "openai:tiny: the key holds characters that no key has"),
        ("schlüssel", "was something else copied into OPENAI_API_KEY"),
    ],
)
def test_without_a_usable_key_the_remedy_is_named(monkeypatch, key, remedy):
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with pytest.raises(ValueError, match=remedy) as caught:
        backend()
    assert not key.strip() or key not in str(caught.value)


def test_the_cache_key_holds_all_that_decides_the_answer():
    def key(question=None, model="tiny", url="", **calls):
        question = question or request("?", Picture("/a.jpg", "11"))
        spec = model_specs.parse(f"openai:{model}@{url}" if url else f"openai:{model}")
        settings = CALLS.model_copy(update=calls)
        return json.dumps(OpenAIServer("captioner", spec, settings).cache_key(question))

    same = key()
    assert KEY not in same and "localhost" not in key(url="http://localhost:9/v1") == same
    assert key(request("?", Picture("gs://b/other.jpg", "11"))) == same
    assert key(at_once=3, timeout=9.0, tries=9, patience=0.0, max_tokens=99) == same
    others = [
        key(request("?", Picture("/a.jpg", "22"))),
        key(request("?")),
        key(request("!")),
        key(request("?", answer=NarrativeAnswer)),
        key(model="large"),
        key(temperature=0.5),
        key(longest_side=99),
    ]
    assert len({same, *others}) == 8


# Days that get better.

FAULTS = {
    "busy": (behaviours.busy(0.05), "the server answered 429: Rate limit reached"),
    "loading": (always(error(503, "Loading model")), "the server answered 503: Loading model"),
    "500": (behaviours.broken(), "the server answered 500: The server had an error"),
    "a page": (
        always(Reply(502, "<h1>Bad gateway</h1>", content_type="text/html")),
        "the server answered 502: <h1>Bad gateway</h1>",
    ),
    "silence": (behaviours.hanging(), "no answer within 0.4 s"),
    "hanging up": (behaviours.hanging_up(), "Connection error. Server disconnected"),
    "cut": (behaviours.breaking_off("cut"), "peer closed connection without sending complete"),
    "half": (behaviours.breaking_off("hang"), "no word for 0.4 s after "),
    "drip": (behaviours.breaking_off("drip"), "no word for 0.4 s after "),
    "html": (behaviours.html(), "not a chat completion: <html><body>Please log in"),
    "no json": (behaviours.no_json(), "the response is not JSON: Expecting value"),
    "deep json": (always(Reply(body="[" * 100_000)), "the response is not JSON"),
    "a list": (always(Reply(body=[])), "the response is not a chat completion"),
    "null": (always(Reply(body="null")), "the response is not a chat completion"),
    "a number": (always(Reply(body={"choices": 3})), "the response is not a chat completion"),
    "error 200": (always(Reply(body={"error": {"message": "no provider"}})), "no provider"),
    "no end": (
        always(
            Reply(
                body='data: {"choices": [{"delta": {"content": "{"}}]}\n\n',
                content_type="text/event-stream",
            )
        ),
        "the server broke off its answer",
    ),
    "an error in the middle": (
        always(
            Reply(
                body='data: {"choices": [{"delta": {"content": "{"}}]}\n\n'
                'data: {"error": {"message": "out of memory"}}\n\n',
                content_type="text/event-stream",
            )
        ),
        "out of memory",
    ),
}


def calls_for(name):
    return SHORT if " 0.4 s" in FAULTS[name][1] else CALLS


@pytest.mark.parametrize("name", FAULTS)
def test_what_passes_is_tried_again(name):
    found, server = result(first(2, FAULTS[name][0], answering()), calls=calls_for(name))
    assert found.text == good(request())
    assert len(server.asked) == 3


@pytest.mark.parametrize("name", FAULTS)
def test_a_server_that_answers_nothing_stops_the_run_once_the_patience_is_at_its_end(name):
    began = time.monotonic()
    # Only a server that says nothing is to be given up for its silence, however busy the machine.
    seconds = 0.4 if " 0.4 s" in FAULTS[name][1] else 4
    calls = IMPATIENT.model_copy(update={"timeout": seconds, "token_timeout": seconds})
    found, server = result(always_slowly(FAULTS[name][0]), calls=calls)
    assert type(found) is Gone
    assert FAULTS[name][1] in str(found)
    assert str(found).startswith(f"tiny at {server.url}/: no answer for ")
    assert 0.4 <= time.monotonic() - began < 5  # the last try may take a timeout, or two


def always_slowly(fault):
    """A fault that takes its time, or a test would ask a thousand times."""

    async def behaviour(question, server):
        await asyncio.sleep(0.02)
        return await fault(question, server)

    return behaviour


@pytest.mark.parametrize("header", [{"Retry-After": "0.5"}, {"retry-after-ms": "500"}])
@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_is_asked_again_when_it_says(header, status):
    found, server = result(first(1, always(error(status, "later", headers=header)), answering()))
    assert type(found) is Answer
    before, after = server.times
    assert 0.5 <= after - before < 2


def test_a_storm_of_refusals_is_sat_out():
    refusing = behaviours.limited(answering(0.01), 2, "reject", retry_after=0.02)
    with serving(refusing) as server:
        found = results(server.url, *requests(60))
    assert kinds(found) == [Answer] * 60
    assert server.most_in_flight <= 8
    assert len(server.asked) - 60 < 30  # refused


def test_failures_here_and_there_cost_one_more_call_each():
    with serving(every(9, behaviours.broken(), answering())) as server:
        found = results(server.url, *requests(40))
    assert kinds(found) == [Answer] * 40
    assert len(server.asked) == 45


def test_a_server_that_comes_up_late_is_waited_for():
    port = free_port()
    with meanwhile(results, f"http://127.0.0.1:{port}/v1", *requests(12)) as found:
        time.sleep(0.4)
        with serving(port=port) as server:
            assert kinds(found.result(20)) == [Answer] * 12
    asked = [prompt for prompt in prompts(server) if prompt != "Say OK."]
    assert sorted(asked) == sorted(question.prompt for question in requests(12))


def test_the_user_is_informed_once_that_a_server_is_silent(monkeypatch):
    said = []
    monkeypatch.setattr(progress, "say", said.append)
    monkeypatch.setattr(ours, "SILENCE", 0.1)
    with serving(behaviours.broken()) as server:
        results(server.url, *requests(5), calls=IMPATIENT)
    assert len(said) == 1
    assert re.match(
        rf"tiny at {server.url}/: no answer for 0 s \(the server answered 500: The "
        r"server had an error\); trying on for up to 0 s",
        said[0],
    )


# Questions that get no answer while others do.


@pytest.mark.parametrize("name", [name for name in FAULTS if name != "busy"])
def test_a_question_that_fails_for_ever_is_given_up_where_a_small_one_is_answered(name):
    fault, text = FAULTS[name]
    with serving(where("poison", fault, answering())) as server:
        bad, *others = results(server.url, request("poison"), *requests(6), calls=calls_for(name))
    assert type(bad) is Unanswered and text in str(bad)
    assert kinds(others) == [Answer] * 6
    assert prompts(server).count("poison") == 4
    assert prompts(server).count("Say OK.") == 1


def too_long():
    return always(
        error(
            400,
            "This model's maximum context length is 4096 tokens",
            code="context_length_exceeded",
        )
    )


def test_a_question_that_is_refused_is_given_up_where_a_small_one_is_answered():
    with serving(where("poison", too_long(), answering())) as server:
        bad, *others = results(server.url, request("poison"), *requests(6))
    assert type(bad) is TooLong
    assert str(bad) == (
        "the server answered 400: This model's maximum context length is 4096 tokens"
    )
    assert kinds(others) == [Answer] * 6
    poison = [
        sent for sent in server.asked if "poison" in sent["messages"][-1]["content"][-1]["text"]
    ]
    left = pytest.approx(4077, abs=2)  # of 4096; the others' answers tell how tokens are counted
    assert [sent["max_tokens"] for sent in poison] == [4096, left]
    assert "Say OK." not in prompts(server)


def test_a_question_that_is_refused_without_a_reason_is_asked_once_more_and_without_the_schema():
    fault = always(error(400, "no"))
    with serving(where("poison", fault, answering())) as server:
        bad, *others = results(server.url, request("poison"), *requests(6))
    assert type(bad) is Unanswered and kinds(others) == [Answer] * 6
    assert prompts(server).count("poison") == 3
    # what did not help is not left out from then on
    assert all(
        "response_format" in sent
        for sent in server.asked[-4:]
        if "number" in sent["messages"][0]["content"][-1]["text"]
    )


def test_a_question_too_large_for_any_minute_is_not_tried_for_ever():
    large = always(
        error(
            429,
            "Request too large for gpt-4o on tokens per min (TPM): Limit 30000",
            kind="tokens",
            code="rate_limit_exceeded",
        )
    )
    found, _ = result(where("poison", large, answering()), request("poison"))
    assert type(found) is Unanswered and "Request too large" in str(found)


@pytest.mark.parametrize("fault, kind", [(too_long(), TooLong), (behaviours.broken(), Unanswered)])
def test_a_run_of_nothing_but_hopeless_questions_gives_each_up_and_does_not_stop(fault, kind):
    with serving(where("poison", fault, answering())) as server:
        found = results(server.url, *[request(f"poison {number}") for number in range(20)])
    assert kinds(found) == [kind] * 20


# Servers that will never do.


def test_a_refused_key_stops_at_once_and_is_not_shown():
    async def echo(question, server):
        await asyncio.sleep(0.05)
        return error(401, f"Incorrect API key provided: {KEY}.", code="invalid_api_key")

    with serving(echo) as server:
        found = results(server.url, *requests(30))
    assert kinds(found) == [Refused] * 30
    assert str(found[-1]) == (
        f"tiny at {server.url}/: the server answered 401: Incorrect API key provided: ***. "
        "(is the key right?)"
    )
    assert len(server.asked) == 8  # as many as are in flight to begin with


@pytest.mark.parametrize(
    "status, code, text",
    [
        (401, "", "is the key right?"),
        (404, "model_not_found", "the name of the model right?"),
        (402, "", "the server answered 402: says no"),
        (429, "insufficient_quota", "the server answered 429: says no"),
    ],
)
def test_what_does_not_pass_is_not_tried_again(status, code, text):
    found, server = result(always(error(status, "says no", code=code)))
    assert type(found) is Refused and text in str(found)
    assert len(server.asked) == 1


def redirecting(status, target):
    """Sends questions on to another server, as a proxy does from http to https."""
    return always(Reply(status, headers={"Location": f"{target.url}/chat/completions"}))


def test_a_redirection_that_keeps_the_question_is_followed():
    with serving() as target:
        found, _ = result(redirecting(307, target))
    assert type(found) is Answer and len(target.asked) == 1


@pytest.mark.parametrize("status", [301, 302])
def test_a_redirection_that_loses_the_question_stops_the_run_and_says_which_address_to_give(status):
    with serving() as target:
        found, server = result(redirecting(status, target))
    assert type(found) is Refused and len(server.asked) == 1
    assert f"the server redirects to {target.url}: give that address" in str(found)


@pytest.mark.parametrize("end", ["", "/", "/chat/completions", "/chat/completions/"])
def test_an_address_may_end_with_a_slash_or_with_what_is_asked_there(end, monkeypatch):
    with serving() as server:
        (found,) = results(f"{server.url}{end}", request())
        monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}{end}")
        (by_environment,) = results("", request())
    assert kinds([found, by_environment]) == [Answer] * 2


def test_an_address_without_its_path_is_pointed_out():
    with serving() as server:
        (found,) = results(server.url.removesuffix("/v1"), request())
    assert type(found) is Refused and "most addresses end in /v1" in str(found)


def test_an_address_may_be_of_ipv6_and_a_model_named_with_colons_and_slashes(monkeypatch):
    spec = model_specs.parse("openai:org/model:7b-q4@http://[::1]:9/v1")
    assert spec == ("openai", "org/model:7b-q4", "http://[::1]:9/v1")

    async def main():
        async with OpenAIServer("writer", spec, IMPATIENT) as server:
            return await server.answer(request())

    with pytest.raises(Gone, match=re.escape("org/model:7b-q4 at http://[::1]:9/v1/: ")):
        asyncio.run(main())


def test_a_server_that_refuses_every_question_stops_the_run():
    pinned = always(Reply(400, {"detail": "Server is pinned to 'smol'"}))  # transformers serve's
    with serving(pinned) as server:
        found = results(server.url, *requests(30))
    assert kinds(found) == [Refused] * 30
    assert str(found[0]) == (
        f"tiny at {server.url}/: the server answered 400: Server is pinned to 'smol'"
    )
    assert len(server.asked) <= 6 * 8  # those in flight and their small ones, three times


@pytest.mark.parametrize(
    "behaviour, kind",
    [
        (where("poison", always(error(403, "flagged")), answering()), Unanswered),
        (always(error(403, "not for this key")), Refused),
    ],
)
def test_what_is_forbidden_may_be_one_question_or_all(behaviour, kind):
    found, _ = result(behaviour, request("poison"))
    assert type(found) is kind and "the server answered 403: " in str(found)


def test_a_model_that_takes_no_pictures_stops_the_run(tmp_path):
    blind = error(400, "image_url is not supported by this model")

    async def behaviour(question, server):
        parts = question["messages"][0]["content"]
        return await (answering()(question, server) if len(parts) == 1 else always(blind)(0, 0))

    found, _ = result(behaviour, request("?", picture(tmp_path / "a.jpg", 90, 160)))
    assert type(found) is Refused and "image_url is not supported" in str(found)


def test_a_server_that_takes_fewer_pictures_per_request_stops_the_run_and_says_what_to_set():
    said = error(400, "At most 1 image(s) may be provided in one prompt.")
    found, server = result(always(said))
    assert type(found) is Refused and "set captions.neighbours to 0" in str(found)
    assert len(server.asked) == 1


def test_no_key_is_in_what_a_broken_server_shows():
    body = Reply(500, f"<p>Authorization: Bearer {KEY}</p>", content_type="text/html")
    found, _ = result(always_slowly(always(body)), calls=IMPATIENT)
    assert type(found) is Gone and "Bearer ***" in str(found) and KEY not in str(found)


def test_a_password_in_the_address_is_not_shown(monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", "http://user:password@127.0.0.1:9/v1?key=word")
    (found,) = results("", request(), calls=IMPATIENT)
    assert type(found) is Gone and str(found).startswith("tiny at http://127.0.0.1:9/v1/: ")
    assert "word" not in str(found)


def test_of_several_answers_in_a_stream_one_is_read():
    text = good(request())
    events = [
        {"choices": [{"index": index, "delta": {"content": part}}]}
        for part in (text[:9], text[9:])
        for index in (0, 1)
    ]
    body = "".join(f"data:{json.dumps(event)}\n\n" for event in events)
    sent = Reply(body=f": a comment\n\n{body}data:[DONE]\n\n", content_type="text/event-stream")
    found, server = result(always(sent))
    assert found.text == text and len(server.asked) == 1


# Refusals for what is asked: an outcome of their own.

REFUSALS = {
    "refusal": (behaviours.declining(), "I'm sorry, I can't help with that."),
    "filtered": (answering(finish="content_filter"), "a content filter ended the answer"),
    "no choice": (
        always(Reply(body={"choices": [], "prompt_feedback": {"block_reason": "SAFETY"}})),
        "the server blocked the request: ",
    ),
    "Gemini's": (
        always(Reply(body={"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {}})),
        "'blockReason': 'SAFETY'",
    ),
    "safety": (answering(finish="SAFETY"), "a content filter ended the answer"),
    "a refusing part": (
        behaviours.replying({"content": [{"type": "refusal", "refusal": "I would rather not."}]}),
        "I would rather not.",
    ),
    "no message": (
        always(Reply(body={"choices": [{"finish_reason": "stop", "message": None}]})),
        "the server blocked the request: ",
    ),
    "azure": (
        always(error(400, "triggered our content management policy", code="content_filter")),
        "the server answered 400: triggered our content management policy",
    ),
    "moderation 200": (
        always(Reply(body={"error": {"code": 403, "message": "Input flagged by moderation"}})),
        "the server answered 403: Input flagged by moderation",
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_is_neither_repaired_nor_tried_again_nor_asked_by_the_next_run(name, tmp_path):
    behaviour, reason = REFUSALS[name]

    async def main():
        async with client.open_client(
            "tiny", backend(server.url), str(tmp_path), Budget(None, None, 0.0, 0), lambda *_: None
        ) as model_client:
            return await repair.ask(request(), model_client, lambda _: "", str)

    with serving(behaviour) as server:
        outcome = asyncio.run(main())
        assert (outcome.value, outcome.refused, outcome.failed) == (None, True, ())
        assert repair.reason_of(outcome, "bad") == "refused" and reason in outcome.fault
        assert asyncio.run(main()) == outcome
        assert len(server.asked) == 1


@pytest.mark.parametrize(
    "inside",
    [
        lambda error: {"error": error},
        lambda error: {
            "choices": [{"error": error, "finish_reason": "error", "message": {"content": ""}}]
        },
    ],
)
def test_an_error_inside_a_response_is_read_as_what_it_is(inside):
    def of(code, then=None):
        fault = always(Reply(body=inside({"code": code, "message": "says no"})))
        return result(first(2, fault, then or fault))

    for code in (402, 401, "insufficient_quota"):
        found, server = of(code)
        assert type(found) is Refused and "says no" in str(found) and len(server.asked) == 1
    for code in (429, "rate_limit_exceeded", 502, "upstream"):
        found, server = of(code, answering())
        assert type(found) is Answer and len(server.asked) == 3


@pytest.mark.parametrize(
    ("body", "kind", "asked"),
    [
        ({"object": "error", "message": "says no", "code": 40101}, Answer, 2),  # in doubt, again
        ({"object": "error", "message": "invalid api key", "code": 40101}, Refused, 1),
        ({"detail": "Too many requests, says no"}, Answer, 2),
        ({"error_code": 18, "error_msg": "Open api qps request limit reached"}, Answer, 2),
        ({"code": "Arrearage", "message": "account in arrears", "request_id": "1"}, Refused, 1),
        ({"base_resp": {"status_code": 1002, "status_msg": "rate limit"}}, Answer, 2),
        ({"success": False, "errors": [{"code": 3040, "message": "overloaded"}]}, Answer, 2),
        ({"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}, Answer, 2),
    ],
)
def test_an_error_in_another_form_inside_a_response_is_one(body, kind, asked):
    found, server = result(first(1, always(Reply(body=body)), answering()))
    assert type(found) is kind and len(server.asked) == asked
    if kind is Refused:
        assert "not a chat completion" not in str(found)


def test_a_request_that_is_too_large_in_bytes_may_be_asked_in_parts():
    found, server = result(always(error(413, "Request Entity Too Large")))
    assert type(found) is TooLong and len(server.asked) == 1
    assert "413" in str(found) and "calls.longest_side" in str(found)


# Pictures that are too large for a server.


def sides(question):
    """The longer sides of a question's pictures, in pixels."""
    urls = texts_and_pictures(question)[1]
    files = [base64.b64decode(url.partition(";base64,")[2]) for url in urls]
    return [max(Image.open(io.BytesIO(file)).size) for file in files]


def up_to(pixels, refusal, behaviour=None):
    """Refuses pictures with more pixels on their longer side."""

    async def refuse_or_answer(question, server):
        large = max(sides(question), default=0) > pixels
        return refusal if large else await (behaviour or answering())(question, server)

    return refuse_or_answer


TOO_LARGE = {
    "nginx": Reply(413, "<h1>413 Request Entity Too Large</h1>", content_type="text/html"),
    "anthropic": error(
        400,
        "messages.0.content.0.image.source.base64: image exceeds 5 MB maximum: 6129904 bytes > "
        "5242880 bytes",
    ),
    "vllm": error(
        400,
        "The decoder prompt contains a(n) image item with length 4200, which exceeds the "
        "pre-allocated encoder cache size 3721. Please reduce the input size",
        kind="BadRequestError",
    ),
    "openrouter": Reply(
        400,
        {
            "error": {
                "message": "Provider returned error",
                "code": 400,
                "metadata": {"raw": '{"error": {"message": "image exceeds 5 MB maximum"}}'},
            }
        },
    ),
    "with status 200": Reply(
        body={"error": {"message": "Request payload size exceeds the limit: 4194304 bytes."}}
    ),
}


@pytest.mark.parametrize("server_kind", TOO_LARGE)
def test_a_picture_that_is_too_large_is_sent_smaller_and_the_next_are_at_once(
    server_kind, tmp_path, monkeypatch
):
    said = []
    monkeypatch.setattr(progress, "say", said.append)
    pictures = [picture(tmp_path / f"{n}.jpg", 1080, 1920, n) for n in range(3)]

    async def main():
        async with backend(server.url) as asked:
            return [
                await asked.answer(request(f"what is {picture.path}?", picture))
                for picture in pictures
            ]

    with serving(up_to(400, TOO_LARGE[server_kind])) as server:
        found = asyncio.run(main())
    assert kinds(found) == [Answer] * 3
    assert [answer.longest_side for answer in found] == [384] * 3
    assert [sides(question) for question in server.asked] == [[768], [384], [384], [384]]
    assert all("response_format" in question for question in server.asked)
    assert said == [
        f"tiny at {server.url}/: the server refuses larger pictures, so they are sent with at most "
        "384 pixels (calls.longest_side)"
    ]


def test_pictures_are_halved_from_the_size_that_they_have_and_the_small_ones_left_alone(tmp_path):
    small, medium = picture(tmp_path / "a.jpg", 90, 160), picture(tmp_path / "b.jpg", 360, 640)
    found, server = result(up_to(320, TOO_LARGE["nginx"]), request("?", small, medium))
    assert type(found) is Answer and found.longest_side == 320
    assert [sides(question) for question in server.asked] == [[160, 640], [160, 320]]


def test_an_answer_to_pictures_of_the_configured_size_says_nothing_of_it(tmp_path):
    found, _ = result(answering(), request("?", picture(tmp_path / "a.jpg", 1080, 1920)))
    assert found.longest_side == 0


@pytest.mark.parametrize(("server_kind", "kind"), [("nginx", TooLong), ("anthropic", Unanswered)])
def test_a_picture_that_is_never_small_enough_is_given_up_with_the_servers_reason(
    server_kind, kind, tmp_path
):
    refusal = up_to(100, TOO_LARGE[server_kind])
    large = picture(tmp_path / "a.jpg", 1080, 1920)
    behaviour = where("poison", refusal, answering())
    with serving(behaviour) as server:
        bad, fine = results(server.url, request("poison", large), request("?", large))
    assert type(bad) is kind and "the server answered 4" in str(bad)
    assert str(bad).endswith("; its pictures had 224 pixels by then")
    tried = [sides(question) for question in server.asked if "poison" in prompt_of(question)]
    assert tried == [[768], [384], [224]]
    assert fine.longest_side == 0  # what did not help is not kept to


def test_the_same_question_has_one_answer_in_the_cache_however_small_its_picture_was(tmp_path):
    large = request("?", picture(tmp_path / "a.jpg", 1080, 1920))

    def ask():
        counted = {}

        async def main():
            budget, work = Budget(None, None, 0.0, 0), str(tmp_path)
            async with client.open_client(
                "tiny", backend(server.url), work, budget, counted.__setitem__
            ) as asked:
                return await asked.answer(large)

        return asyncio.run(main()), counted

    with serving(up_to(400, TOO_LARGE["nginx"])) as server:
        answer, first_time = ask()
        again, second_time = ask()
    assert (answer.longest_side, len(server.asked)) == (384, 2)
    assert again == answer
    assert first_time["smaller pictures"] == 1
    assert second_time == {"kept": 1}


def test_what_a_server_finds_wrong_with_a_field_is_said_and_the_field_left_out():
    detail = [
        {"loc": ["body", "response_format", "type"], "msg": "not json_schema", "type": "enum"}
    ]
    says = always(Reply(422, {"detail": detail}))
    found, server = result(first(1, says, answering()))
    assert type(found) is Answer
    assert [("response_format" in question) for question in server.asked] == [True, False]


def test_a_long_address_that_every_request_has_stops_the_run():
    found, _ = result(always(Reply(414, "<html>Request-URI Too Large</html>")))
    assert type(found) is Refused and "414" in str(found)


# Parameters that a server does not take.


@pytest.mark.parametrize(
    "behaviour, left_out",
    [
        (behaviours.without_schema(answering()), {"response_format"}),
        (behaviours.without("temperature", answering()), {"temperature"}),
        (behaviours.without("max_tokens", answering()), {"max_tokens"}),
        (behaviours.without("stream_options", answering()), {"stream_options"}),
        (behaviours.without("stream", answering()), {"stream"}),
        (
            behaviours.without("temperature", behaviours.without("max_tokens", answering())),
            {"temperature", "max_tokens"},
        ),
        (
            behaviours.without("response_format", behaviours.without("temperature", answering())),
            {"response_format", "temperature"},
        ),
    ],
)
def test_a_parameter_that_is_refused_is_left_out_from_then_on(behaviour, left_out):
    async def main():
        async with backend(server.url, CALLS.model_copy(update={"temperature": 0.0})) as asked:
            return [await asked.answer(question) for question in requests(4)]

    with serving(behaviour) as server:
        assert kinds(asyncio.run(main())) == [Answer] * 4
    assert len(server.asked) == 4 + len(left_out)
    for question in server.asked[len(left_out) :]:
        wanted = {"response_format", "temperature", "max_tokens"} - left_out
        assert wanted <= set(question) and not left_out & set(question)
        assert question.get("max_completion_tokens") == (4096 if "max_tokens" in left_out else None)


def test_questions_that_wait_meanwhile_leave_it_out_too():
    with serving(behaviours.without_schema(answering(0.02))) as server:
        assert kinds(results(server.url, *requests(50))) == [Answer] * 50
    assert len(server.asked) == 50 + 8  # those in flight to begin with


def test_a_server_that_refuses_the_schema_and_does_not_say_so_is_asked_without():
    async def behaviour(question, server):
        mute = error(422, "unprocessable")
        return await (always(mute) if "response_format" in question else answering())(
            question, server
        )

    found, server = result(behaviour)
    assert type(found) is Answer and len(server.asked) == 3  # once more as it was: it may pass


def test_one_refusal_that_passes_does_not_switch_the_schema_off():
    transient = always(error(400, "upstream connect error"))
    with serving(first(1, transient, answering())) as server:
        assert kinds(results(server.url, *requests(4))) == [Answer] * 4
    assert len(server.asked) == 5 and all("response_format" in sent for sent in server.asked)


@pytest.mark.parametrize(
    "says",
    [
        "'response_format.type' must be text",
        "json_schema is not supported",
        "guided_json needs xgrammar",
        "Failed to parse grammar",
        "Structured outputs are not available for this model",
    ],
)
def test_a_refusal_that_names_the_schema_switches_it_off_at_once(says):
    async def behaviour(question, server):
        fault = always(error(400, says)) if "response_format" in question else answering()
        return await fault(question, server)

    found, server = result(behaviour)
    assert type(found) is Answer and len(server.asked) == 2


# The end of it all.


def test_a_stop_ends_all_waiting_and_lets_calls_in_flight_end():
    async def main():
        async with backend(server.url) as asked:
            tasks = [asyncio.create_task(asked.answer(question)) for question in requests(20)]
            while len(server.asked) < 8:
                await asyncio.sleep(0.01)
            asked.stop(Stop("enough"))
            return await asyncio.gather(*tasks, return_exceptions=True)

    with serving(answering(0.2)) as server:
        found = asyncio.run(main())
    assert kinds(found) == [Answer] * 8 + [Stop] * 12
    assert len(server.asked) == 8


def test_a_stop_does_not_wait_as_long_as_a_busy_server_says():
    async def main():
        async with backend(server.url) as asked:
            tasks = [asyncio.create_task(asked.answer(question)) for question in requests(20)]
            while len(server.asked) < 8:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.05)
            asked.stop(Stop("enough"))
            return await asyncio.gather(*tasks, return_exceptions=True)

    began = time.monotonic()
    with serving(behaviours.busy(60)) as server:
        assert kinds(asyncio.run(main())) == [Stop] * 20
    assert time.monotonic() - began < 20


def test_a_server_may_be_asked_in_one_event_loop_after_the_other():
    async def main(patience):
        async with asked:
            tasks = [asyncio.create_task(asked.answer(question)) for question in requests(9)]
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    return await asyncio.gather(*tasks, return_exceptions=True)

    with serving(behaviours.busy(60)) as server:
        asked = backend(server.url)
        assert asyncio.run(main(0.2)) is None  # ended while the limit lets nobody in for a minute
        server.behaviour = answering()
        assert kinds(asyncio.run(main(60))) == [Answer] * 9


def answering_all_at_once(count):
    """Answers when so many wait for it, or after a while; a slow machine sends one by one."""

    async def behaviour(question, server):
        until = time.monotonic() + 5
        while server.most_in_flight < count and time.monotonic() < until:
            await asyncio.sleep(0.01)
        return await answering()(question, server)

    return behaviour


def test_the_level_that_a_server_took_is_where_the_next_begins():
    async def main(count):
        async with asked:
            await asyncio.gather(*map(asked.answer, requests(count)))

    with serving(answering()) as server:
        asked = backend(server.url)
        asyncio.run(main(20))  # doubled after 8 answers; 12 more are too few to judge 16 by
        server.most_in_flight, server.behaviour = 0, answering_all_at_once(16)
        asyncio.run(main(16))
    assert server.most_in_flight == 16


# Faults of the answer, through `repair.ask`.


def narrated(behaviour, calls=CALLS):
    """The outcome of a story of three pictures, and the server."""

    def check(answer):
        frames = [sentence.frame for sentence in answer.sentences]
        if frames != [7, 8, 9]:
            return f"sentences: pictures {frames}, not [7, 8, 9]"
        return (
            ""
            if all(sentence.text.strip() for sentence in answer.sentences)
            else "sentences: a blank one"
        )

    async def main():
        question = request(STORY, answer=NarrativeAnswer, task="narrate")
        async with client.open_client(
            "tiny",
            uncached(backend(server.url, calls)),
            "",
            Budget(None, None, 0.0, 0),
            lambda *_: None,
        ) as model_client:
            return await repair.ask(
                question,
                model_client,
                check,
                lambda again, fault: dataclasses.replace(
                    again, correction=f"{STORY}\nAmong others: {fault}"
                ),
            )

    with serving(behaviour) as server:
        return asyncio.run(main()), server


def uncached(server):
    server.cache_key = lambda _: None
    return server


@pytest.mark.parametrize("change", [behaviours.in_prose, behaviours.in_fence, str])
def test_an_answer_in_other_words_is_still_one(change):
    outcome, server = narrated(answering(change=change))
    assert [sentence.frame for sentence in outcome.value.sentences] == [7, 8, 9]
    assert (outcome.repaired, len(server.asked)) == (False, 1)


@pytest.mark.parametrize(
    "behaviour, fault",
    [
        (answering(change=behaviours.one_less), "sentences: pictures [7, 8], not [7, 8, 9]"),
        (answering(change=behaviours.swapped), "sentences: pictures [8, 7, 9], not [7, 8, 9]"),
        (answering(change=behaviours.emptied), "sentences: a blank one"),
        (answering(change=behaviours.refusing), "answer: Invalid JSON: expected"),
        (answering(change=lambda _: ""), "answer: Invalid JSON: it ends too early"),
    ],
)
def test_a_bad_answer_is_repaired_once_with_the_fault_stated(behaviour, fault):
    outcome, server = narrated(first(1, behaviour, answering()))
    assert outcome.repaired and [sentence.frame for sentence in outcome.value.sentences] == [
        7,
        8,
        9,
    ]
    assert len(server.asked) == 2
    assert fault in prompts(server)[1]
    outcome, server = narrated(behaviour)
    assert outcome.value is None and outcome.answered and fault in outcome.fault
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    "behaviour, fault",
    [
        (behaviours.truncated(), "the answer was cut off after 54 tokens: raise calls.max_tokens"),
        (answering(change=behaviours.enormous), "the answer ran into a loop and was cut after "),
    ],
)
def test_an_answer_that_is_not_whole_is_asked_for_afresh_and_not_shown(behaviour, fault):
    outcome, server = narrated(first(1, behaviour, answering()))
    assert [sentence.frame for sentence in outcome.value.sentences] == [7, 8, 9]
    assert (outcome.repaired, len(server.asked)) == (False, 2)
    first_try, second_try = server.asked
    assert first_try["messages"] == second_try["messages"]
    if "loop" in fault:  # other sampling
        assert (second_try["temperature"], second_try["seed"]) == (0.8, 1)
    else:
        assert second_try["max_tokens"] == 2 * first_try["max_tokens"]
    outcome, server = narrated(behaviour)
    assert outcome.value is None and outcome.answered and fault in outcome.fault
    assert len(server.asked) == 2


# A real server.


@pytest.mark.slow
@pytest.mark.skipif(bool(smollm_server.missing()), reason="needs fastapi, uvicorn and a model")
def test_a_real_server_with_a_real_model_that_ignores_the_schema():
    calls = CallsConfig(max_tokens=64, timeout=60)

    def asked_at(url, model):
        async def main():
            asked = uncached(
                OpenAIServer("writer", model_specs.parse(f"openai:{model}@{url}"), calls)
            )
            count = {}
            async with client.open_client(
                model,
                asked,
                "",
                Budget(None, None, 0.0, 0),
                lambda name, more: count.update({name: count.get(name, 0) + more}),
            ) as model_client:
                question = request(
                    "Write one sentence about a fox.", task="narrate", answer=NarrativeAnswer
                )
                again = []

                def correct(second, fault):
                    again.append(fault)
                    return dataclasses.replace(second, correction=f"Be brief. {fault}")

                outcome = await repair.ask(question, model_client, lambda _: "", correct)
                return outcome, again, count

        return asyncio.run(main())

    with smollm_server.serving_smollm() as server:
        outcome, again, count = asked_at(server.url, server.model)
        with pytest.raises(Refused, match="the server answered 400: "):
            asked_at(server.url, "another-model")
    assert outcome.value is None and outcome.answered
    assert len(again) == 1 and "Invalid JSON" in again[0] and "Invalid JSON" in outcome.fault
    assert count["calls"] == 2
    # the second question has the first answer in it, of 64 tokens at most
    assert 10 < count["input_tokens"] < 300 and 2 < count["output_tokens"] <= 128
