"""The model client: cached answers, and what happens when a run stops."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from pipeline import model_specs
from pipeline.config import CallsConfig, Price
from pipeline.inference import concurrency, response_cache, retries
from pipeline.inference.backends import openai_server
from pipeline.inference.budget import Budget
from pipeline.inference.client import Interrupted, gather
from pipeline.inference.protocol import Answer, Gone, Request, Stop, Unanswered
from pipeline.runtime import interrupts
from pipeline.testing.behaviours import answering
from pipeline.testing.model_server import serving
from schemas.answers import CaptionAnswer
from tests.pipeline.scripted import Scripted, in_turn, with_client

GOOD = '{"sentence": "Ben laughs."}'


@pytest.fixture(autouse=True)
def quickly(monkeypatch):
    monkeypatch.setattr(retries, "FIRST_PAUSE", 0.02)
    monkeypatch.setattr(retries, "MAX_PAUSE", 0.05)
    monkeypatch.setattr(concurrency, "MIN_REST", 0.02)
    monkeypatch.setenv("OPENAI_API_KEY", "any")


def request(prompt="?"):
    return Request("one", "caption", prompt, {}, CaptionAnswer)


def requests(count):
    return [request(f"number {number}") for number in range(count)]


def files(work):
    return sorted(path for path in Path(work).rglob("*.json"))


# Cached answers.


def test_the_same_question_at_the_same_time_is_one_call(tmp_path):
    async def use(client):
        return await asyncio.gather(
            *(client.answer(request()) for _ in range(5)), client.answer(request("another"))
        )

    backend, counts = Scripted(lambda request: f"to {request.prompt}", cached=True), {}
    answers = with_client(backend, use, str(tmp_path), count=counting(counts))
    assert [answer.text for answer in answers] == ["to ?"] * 5 + ["to another"]
    assert len(backend.asked) == 2
    assert counts == {"calls": 2, "input_tokens": 20, "output_tokens": 10, "nanocost": 0}


def counting(counts):
    def count(name, more):
        counts[name] = counts.get(name, 0) + more

    return count


def test_a_question_asked_before_is_not_asked_again(tmp_path):
    async def use(client):
        return [await client.answer(question) for question in requests(3)]

    first = with_client(Scripted(lambda request: request.prompt, cached=True), use, str(tmp_path))
    backend, counts = Scripted(lambda _: "something else", cached=True), {}
    assert with_client(backend, use, str(tmp_path), count=counting(counts)) == first
    assert backend.asked == [] and counts == {"kept": 3}


def test_a_failure_is_not_cached_and_is_tried_again_the_next_time(tmp_path):
    backend = Scripted(in_turn(Unanswered("no"), GOOD), cached=True)
    for expected in (Unanswered, Answer):

        async def use(client):
            (found,) = await asyncio.gather(client.answer(request()), return_exceptions=True)
            return found

        assert type(with_client(backend, use, str(tmp_path))) is expected


def test_an_answer_of_no_use_is_asked_for_again_by_the_next_run_and_not_by_this_one(tmp_path):
    async def twice(client):
        first = await client.answer(request())
        await client.ask_again([request(), request()])
        assert await client.answer(request()) == first
        await client.ask_again([request()])
        return first

    price = Price(input=1, output=2)
    for run in range(1, 4):
        backend = Scripted(lambda _: "the same", cached=True)
        with_client(backend, twice, str(tmp_path), Budget(price, None, 0.0, 10))
        assert len(backend.asked) == 1
        assert response_cache.spent(str(tmp_path)) == pytest.approx(run * 20e-6)


def test_an_answer_is_on_disk_before_anybody_has_it(tmp_path, monkeypatch):
    written, save = threading.Event(), response_cache.save

    def slowly(*arguments):
        time.sleep(0.1)
        save(*arguments)
        written.set()

    monkeypatch.setattr(response_cache, "save", slowly)

    async def use(client):
        answer = await client.answer(request())
        assert written.is_set()
        return answer

    budget = Budget(Price(input=1, output=2), None, 0.0, 10)
    answer = with_client(Scripted(in_turn(GOOD), cached=True), use, str(tmp_path), budget)
    (file,) = files(tmp_path)
    values = {
        "question": file.stem,
        "task": "caption",
        "cost": 20e-6,
        "answer": {
            "text": GOOD,
            "model": "scripted",
            "input_tokens": 10,
            "output_tokens": 5,
            "seconds": 0.0,
            "refusal": "",
            "cut": "",
            "thinks": False,
            "longest_side": 0,
        },
    }
    assert json.loads(file.read_text()) == [response_cache.digest(values), values]
    assert response_cache.load(str(tmp_path), file.stem) == answer


def test_an_answer_is_cached_though_nobody_waits_for_it_any_more(tmp_path):
    async def use(client):
        with suppress(TimeoutError):
            async with asyncio.timeout(0.05):
                await client.answer(request())
        assert files(tmp_path) == []
        await asyncio.sleep(0.4)
        assert len(files(tmp_path)) == 1

    with serving(answering(0.2)) as server:
        with_client(backend(server), use, str(tmp_path))


# The end of a run.


def backend(server, **calls):
    settings = CallsConfig(**{"timeout": 5, "patience": 0.5, "tries": 3, **calls})
    return openai_server.OpenAIServer(
        "captioner", model_specs.parse(f"openai:tiny@{server.url}"), settings
    )


def all_of(count):
    async def use(client):
        return await gather(client.answer(question) for question in requests(count))

    return use


def test_after_a_stop_calls_in_flight_are_answered_and_cached_and_none_is_started(tmp_path):
    async def use(client):
        async def stop():
            while len(server.asked) < 8:
                await asyncio.sleep(0.01)
            client.stop(Interrupted("stopped"))

        await gather([stop(), *(client.answer(question) for question in requests(30))])

    with serving(answering(0.2)) as server:
        with pytest.raises(Interrupted, match="stopped"):
            with_client(backend(server), use, str(tmp_path))
        assert len(server.asked) == len(files(tmp_path)) == 8
        with_client(backend(server), all_of(30), str(tmp_path))
        assert len(server.asked) == len(files(tmp_path)) == 30


def test_a_request_after_a_stop_raises_the_reason_though_its_answer_is_cached(tmp_path):
    async def use(client):
        await client.answer(request())
        client.stop(Interrupted("stopped"))
        with pytest.raises(Interrupted):
            await client.answer(request())

    with_client(Scripted(in_turn(GOOD), cached=True), use, str(tmp_path))


def test_ctrl_c_is_noticed_while_calls_are_in_flight(tmp_path, monkeypatch):
    with serving(answering(0.3)) as server:
        monkeypatch.setattr(interrupts, "interrupted", lambda: len(server.asked) > 0)
        with pytest.raises(Interrupted):
            with_client(backend(server), all_of(50), str(tmp_path))
        assert len(files(tmp_path)) == len(server.asked) < 50


def test_all_come_to_their_end_before_an_error_is_raised_and_its_cause_goes_first():
    ended = []

    async def ending(after, error=None):
        await asyncio.sleep(after)
        ended.append(after)
        if error:
            raise error
        return after

    with pytest.raises(OSError, match="disk"):  # which is why the others were stopped
        asyncio.run(
            gather(
                [ending(0.0, Stop("OSError: disk")), ending(0.02, OSError("disk")), ending(0.04)]
            )
        )
    assert ended == [0.0, 0.02, 0.04]
    assert asyncio.run(gather([ending(0.02), ending(0.0)])) == [0.02, 0.0]


def test_a_server_that_dies_ends_the_run_and_the_next_asks_only_what_is_left(tmp_path):
    def run(server):
        return with_client(backend(server), all_of(60), str(tmp_path))

    with ThreadPoolExecutor(1) as pool:
        with serving(answering(0.05)) as server:
            found = pool.submit(run, server)
            while len(server.asked) < 30:
                time.sleep(0.01)
        died = time.monotonic()
        with pytest.raises(Gone, match=r"no answer for \d s: Connection error"):
            found.result()
        assert time.monotonic() - died < 10
    cached = len(files(tmp_path))
    assert 8 <= cached <= len(server.asked)
    with serving(port=int(server.url.split(":")[2].split("/")[0])) as back:
        assert len(run(back)) == 60
        assert len(back.asked) == 60 - cached


KILLED = """
import sys
from pipeline import model_specs
from pipeline.config import CallsConfig
from pipeline.inference.backends import openai_server
from tests.pipeline.inference.test_client import all_of
from tests.pipeline.scripted import with_client
url, work = sys.argv[1:]
spec = model_specs.parse(f"openai:tiny@{url}")
backend = openai_server.OpenAIServer("captioner", spec, CallsConfig(at_once=4))
print(len(with_client(backend, all_of(40), work)))
"""


def test_a_run_that_is_killed_repeats_at_most_the_calls_that_were_in_flight(tmp_path):
    def run(server):
        return subprocess.Popen(
            [sys.executable, "-c", KILLED, server.url, str(tmp_path)],
            cwd=Path(__file__).parents[3],
            stdout=subprocess.PIPE,
            text=True,
        )

    with serving(answering(0.05)) as server:
        with run(server) as process:
            while len(server.times) < 18:
                time.sleep(0.005)
            os.kill(process.pid, signal.SIGKILL)
        assert process.returncode == -signal.SIGKILL
        while server.connections:  # what was sent before it died may not have been read yet
            time.sleep(0.005)
        before, cached = len(server.times), len(files(tmp_path))
        # Four at the server, and at the most as many answers on their way to the disk.
        assert 18 <= before < 40 and before - 8 <= cached < 40
        with run(server) as process:
            assert process.stdout.read() == "40\n"
        assert len(server.times) == before + 40 - cached <= 40 + 8
