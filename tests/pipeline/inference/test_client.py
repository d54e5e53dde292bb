"""What goes with every question: repair, kept answers, the end of a run."""

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
from pipeline.inference import concurrency, response_cache
from pipeline.inference.backends import Answer, Gone, Request, Stop, Unanswered, openai_server
from pipeline.inference.budget import Purse
from pipeline.inference.client import LONGEST, Interrupted, Outcome, ask, parse, together
from pipeline.runtime import interrupts
from pipeline.testing.behaviours import answering
from pipeline.testing.model_server import serving
from schemas.answers import CaptionAnswer
from tests.pipeline.scripted import Scripted, asked, in_turn

GOOD = '{"sentence": "Ben laughs."}'


@pytest.fixture(autouse=True)
def quickly(monkeypatch):
    monkeypatch.setattr(openai_server, "PAUSE", 0.02)
    monkeypatch.setattr(openai_server, "LONGEST_PAUSE", 0.05)
    monkeypatch.setattr(concurrency, "BREATH", 0.02)
    monkeypatch.setenv("OPENAI_API_KEY", "any")


def request(prompt="?"):
    return Request("one", "caption", prompt, {}, CaptionAnswer)


def requests(count):
    return [request(f"number {number}") for number in range(count)]


def outcome(backend, check=lambda _: ""):
    return asked(
        backend, lambda asker: ask(request(), asker, check, lambda fault: f"Again: {fault}")
    )


def files(work):
    return sorted(path for path in Path(work).rglob("*.json"))


# Checking and repairing.


def test_a_good_answer_is_the_value():
    backend = Scripted(in_turn(GOOD))
    assert outcome(backend) == Outcome(CaptionAnswer(sentence="Ben laughs."))
    assert len(backend.asked) == 1


def test_a_bad_answer_is_asked_for_again_with_the_fault_stated():
    backend = Scripted(in_turn('{"sentence": "Ben cries."}', GOOD))
    found = outcome(backend, lambda answer: "he laughs" if "cries" in answer.sentence else "")
    assert found == Outcome(CaptionAnswer(sentence="Ben laughs."), repaired=True)
    assert [one.prompt for one in backend.asked] == ["?", "Again: he laughs"]
    assert backend.asked[1].facts == {"retry": "he laughs"}


def test_what_is_bad_twice_comes_back_as_the_last_fault():
    faults = iter(["too long", "too short"])
    assert outcome(Scripted(in_turn(GOOD, GOOD)), lambda _: next(faults)) == Outcome(
        None, "too short", repaired=True
    )


def test_a_question_without_an_answer_is_not_asked_again():
    backend = Scripted(in_turn(Unanswered("the server answered 500")))
    assert outcome(backend) == Outcome(None, "the server answered 500", answered=False)
    assert len(backend.asked) == 1


def test_the_end_of_the_run_is_no_outcome():
    with pytest.raises(Gone, match="no answer for 300 s"):
        outcome(Scripted(in_turn(Gone("no answer for 300 s"))))


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        f"```json\n{GOOD}\n```",
        f'<think>{{or not}} {{"a": 1}}</think>\n{GOOD} Okay?',
        f'{{"sentence": "A draft."}} No, better: {GOOD}',
        '{"sentence": "Ben laughs.",\n "mood": "a\tb"}',
    ],
)
def test_words_around_an_answer_are_forgiven(text):
    assert parse(text, CaptionAnswer).sentence == "Ben laughs."


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I cannot.",
        '{"sentence": "Ben',
        "[1, 2]",
        "{}",
        "null",
        '{"sentence": ""}',
        '{"sentence": "\\ud83d"}',
        '{"a":' * 50_000,
        "x" * (LONGEST + 1),
    ],
)
def test_what_is_no_answer_is_said_to_be_none(text):
    with pytest.raises(ValueError):
        parse(text, CaptionAnswer)


# Kept answers.


def test_the_same_question_at_the_same_time_is_one_call(tmp_path):
    async def use(asker):
        return await asyncio.gather(
            *(asker.answer(request()) for _ in range(5)), asker.answer(request("another"))
        )

    backend, counts = Scripted(lambda one: f"to {one.prompt}", kept=True), {}
    answers = asked(backend, use, str(tmp_path), count=counting(counts))
    assert [answer.text for answer in answers] == ["to ?"] * 5 + ["to another"]
    assert len(backend.asked) == 2
    assert counts == {"calls": 2, "input_tokens": 20, "output_tokens": 10, "nanocost": 0}


def counting(counts):
    def count(name, more):
        counts[name] = counts.get(name, 0) + more

    return count


def test_a_question_asked_before_is_not_asked_again(tmp_path):
    async def use(asker):
        return [await asker.answer(one) for one in requests(3)]

    first = asked(Scripted(lambda one: one.prompt, kept=True), use, str(tmp_path))
    backend, counts = Scripted(lambda _: "something else", kept=True), {}
    assert asked(backend, use, str(tmp_path), count=counting(counts)) == first
    assert backend.asked == [] and counts == {"kept": 3}


def test_what_fails_is_not_kept_and_asked_again_the_next_time(tmp_path):
    backend = Scripted(in_turn(Unanswered("no"), GOOD), kept=True)
    for expected in (Unanswered, Answer):

        async def use(asker):
            (found,) = await asyncio.gather(asker.answer(request()), return_exceptions=True)
            return found

        assert type(asked(backend, use, str(tmp_path))) is expected


def test_an_answer_is_on_disk_before_anybody_has_it(tmp_path, monkeypatch):
    written, save = threading.Event(), response_cache.save

    def slowly(*arguments):
        time.sleep(0.1)
        save(*arguments)
        written.set()

    monkeypatch.setattr(response_cache, "save", slowly)

    async def use(asker):
        answer = await asker.answer(request())
        assert written.is_set()
        return answer

    purse = Purse(Price(input=1, output=2), None, 0.0, 10)
    answer = asked(Scripted(in_turn(GOOD), kept=True), use, str(tmp_path), purse)
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
        },
    }
    assert json.loads(file.read_text()) == [response_cache.digest(values), values]
    assert response_cache.load(str(tmp_path), file.stem) == answer


def test_an_answer_is_kept_also_where_nobody_waits_for_it_any_more(tmp_path):
    async def use(asker):
        with suppress(TimeoutError):
            async with asyncio.timeout(0.05):
                await asker.answer(request())
        assert files(tmp_path) == []
        await asyncio.sleep(0.4)
        assert len(files(tmp_path)) == 1

    with serving(answering(0.2)) as server:
        asked(backend(server), use, str(tmp_path))


# The end of a run.


def backend(server, **calls):
    settings = CallsConfig(**{"timeout": 5, "patience": 0.5, "tries": 3, **calls})
    return openai_server.OpenAIServer(
        "captioner", model_specs.parse(f"openai:tiny@{server.url}"), settings
    )


def all_of(count):
    async def use(asker):
        return await together(asker.answer(one) for one in requests(count))

    return use


def test_after_a_stop_calls_in_flight_are_answered_and_kept_and_none_is_begun(tmp_path):
    async def use(asker):
        async def stop():
            while len(server.asked) < 8:
                await asyncio.sleep(0.01)
            asker.stop(Interrupted("stopped"))

        await together([stop(), *(asker.answer(one) for one in requests(30))])

    with serving(answering(0.2)) as server:
        with pytest.raises(Interrupted, match="stopped"):
            asked(backend(server), use, str(tmp_path))
        assert len(server.asked) == len(files(tmp_path)) == 8
        asked(backend(server), all_of(30), str(tmp_path))
        assert len(server.asked) == len(files(tmp_path)) == 30


def test_who_asks_after_a_stop_gets_the_reason_though_the_answer_is_kept(tmp_path):
    async def use(asker):
        await asker.answer(request())
        asker.stop(Interrupted("stopped"))
        with pytest.raises(Interrupted):
            await asker.answer(request())

    asked(Scripted(in_turn(GOOD), kept=True), use, str(tmp_path))


def test_ctrl_c_is_noticed_while_calls_are_in_flight(tmp_path, monkeypatch):
    with serving(answering(0.3)) as server:
        monkeypatch.setattr(interrupts, "interrupted", lambda: len(server.asked) > 0)
        with pytest.raises(Interrupted):
            asked(backend(server), all_of(50), str(tmp_path))
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
            together(
                [ending(0.0, Stop("OSError: disk")), ending(0.02, OSError("disk")), ending(0.04)]
            )
        )
    assert ended == [0.0, 0.02, 0.04]
    assert asyncio.run(together([ending(0.02), ending(0.0)])) == [0.02, 0.0]


def test_a_server_that_dies_ends_the_run_and_the_next_asks_only_what_is_left(tmp_path):
    def run(server):
        return asked(backend(server), all_of(60), str(tmp_path))

    with ThreadPoolExecutor(1) as pool:
        with serving(answering(0.05)) as server:
            found = pool.submit(run, server)
            while len(server.asked) < 30:
                time.sleep(0.01)
        died = time.monotonic()
        with pytest.raises(Gone, match=r"no answer for \d s: Connection error"):
            found.result()
        assert time.monotonic() - died < 10
    kept = len(files(tmp_path))
    assert 8 <= kept <= len(server.asked)
    with serving(port=int(server.url.split(":")[2].split("/")[0])) as back:
        assert len(run(back)) == 60
        assert len(back.asked) == 60 - kept


KILLED = """
import sys
from pipeline import model_specs
from pipeline.inference.backends import openai_server
from pipeline.config import CallsConfig
from tests.pipeline.scripted import asked
from tests.pipeline.inference.test_client import all_of
url, work = sys.argv[1:]
backend = openai_server.OpenAIServer("captioner", model_specs.parse(f"openai:tiny@{url}"),
                                     CallsConfig(at_once=4))
print(len(asked(backend, all_of(40), work)))
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
        before, kept = len(server.times), len(files(tmp_path))
        # Four at the server, and at the most as many answers on their way to the disk.
        assert 18 <= before < 40 and before - 8 <= kept < 40
        with run(server) as process:
            assert process.stdout.read() == "40\n"
        assert len(server.times) == before + 40 - kept <= 40 + 8
