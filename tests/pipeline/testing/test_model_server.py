import asyncio
import base64
import json
import subprocess
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import openai
import pytest

from pipeline.annotation import prompts
from pipeline.testing import answers, behaviours
from pipeline.testing.behaviours import answering
from pipeline.testing.model_server import serving
from schemas.answers import CaptionAnswer, NarrativeAnswer

CAPTIONS = [
    "A girl in a red coat stands on a bridge.",
    "Ben laughs at the fox.",
    "A girl in a red coat stands on a bridge.",
]


def our_prompts():
    """Each prompt of ours, filled in with as little as will do."""
    shown = [
        {"frame": 4, "sentence": "Ben comes.", "who": {}, "dialogue": ["Hello."]},
        {"frame": 5, "sentence": "Ben goes.", "who": {"Ben": "the boy"}, "dialogue": []},
    ]
    reader = {"age": "4 to 8", "words": 20, "tense": "past", "language": "en", "style": ""}
    story = {
        "title": "",
        "frames": [4, 5],
        "told": [],
        "so_far": "",
        "before": "",
        "characters": [],
        "texts": ["Ben came.", "Ben left."],
        "captions": shown,
        "reader": reader,
    }
    film = {
        "dialogue": [],
        "text": [],
        "camera": "",
        "subject": "",
        "recognised": False,
        "seen": [],
    }
    rendered = {
        "caption": prompts.render("caption", before=0, after=0, known={}, **film),
        "several": prompts.render("caption", before=1, after=1, known={}, **film),
        "narrate": prompts.render("narrate", **story),
        "link": prompts.render("link", **story),
        "characters": prompts.render(
            "characters",
            series="",
            language="en",
            seen=[],
            titles=[],
            speakers={},
            descriptions={},
            sentences=[],
            dialogue=[],
        ),
    }
    return {name: "\n".join(prompt) for name, prompt in rendered.items()}


def narrate(frames=(0, 1, 2), captions=CAPTIONS, schema="narrate"):
    lines = [
        f"Picture {frame}: {json.dumps(sentence)} Dialogue: []"
        for frame, sentence in zip(frames, captions, strict=True)
    ]
    return asking("\n".join([f"Give one text each, in this order: {list(frames)}", *lines]), schema)


def asking(text, schema="", picture=None):
    content = [{"type": "text", "text": text}]
    if picture is not None:
        data = base64.b64encode(cv2.imencode(".jpg", picture)[1]).decode()
        url = f"data:image/jpeg;base64,{data}"
        content.insert(0, {"type": "image_url", "image_url": {"url": url}})
    question = {"model": "m", "messages": [{"role": "user", "content": content}]}
    if schema:
        question["response_format"] = {
            "type": "json_schema",
            "json_schema": {"name": schema, "schema": {}},
        }
    return question


def ask(server, question, **options):
    with openai.OpenAI(
        base_url=server.url, api_key="any", **{"max_retries": 0, "timeout": 5, **options}
    ) as client:
        return client.chat.completions.create(**question)


def text(completion):
    return completion.choices[0].message.content


def failing(behaviour, expected, question=None):
    with serving(behaviour) as server, pytest.raises(expected) as caught:
        ask(server, question or narrate())
    return caught.value


def test_a_story_has_the_pictures_asked_for_and_is_made_of_their_captions():
    with serving() as server:
        told = NarrativeAnswer.model_validate_json(text(ask(server, narrate((8, 9, 10)))))
    assert [(sentence.frame, sentence.text) for sentence in told.sentences] == [
        (
            8,
            "Before long, once again, a girl in a red coat stands on a bridge. A bell rang far "
            "away but that went unnoticed.",
        ),
        (
            9,
            "A little later, in good time, Ben laughs at the fox. Leaves danced about which made "
            "everybody smile.",
        ),
        (
            10,
            "After that, a girl in a red coat stands on a bridge. The light turned golden while "
            "nobody was in a hurry.",
        ),
    ]


def test_thirty_pictures_with_one_caption_get_thirty_texts():
    told = NarrativeAnswer.model_validate_json(
        answers.answer(narrate(range(30), ["Ben laughs."] * 30))
    )
    assert len({sentence.text for sentence in told.sentences}) == 30


def test_a_linked_story_is_the_one_that_was_written():
    question = asking(
        "Rewrite it, in this order: [0, 1]\n"
        'Picture 0: "Ben said \\"no\\"." From: "Ben speaks."\n'
        'Picture 1: "He left." From: "A door."'
    )
    told = NarrativeAnswer.model_validate_json(answers.answer(question))
    assert [sentence.text for sentence in told.sentences] == ['Ben said "no".', "He left."]


def test_captions_differ_with_the_picture_and_not_from_time_to_time():
    pictures = [np.full((48, 64, 3), value, np.uint8) for value in (10, 90, 90)]
    captions = [
        CaptionAnswer.model_validate_json(answers.answer(asking("?", "caption", picture)))
        for picture in pictures
    ]
    assert captions[0] != captions[1] == captions[2]
    assert captions[0].characters[0] in captions[0].sentence.lower()


def test_among_several_pictures_the_one_asked_for_is_described():
    def caption(number, *values):
        question = asking(f"Say what picture number {number} shows.", "caption")
        for value in values:
            picture = asking("", picture=np.full((48, 64, 3), value, np.uint8))
            question["messages"][0]["content"].insert(-1, picture["messages"][0]["content"][0])
        return answers.answer(question)

    assert caption(2, 10, 90, 30) == caption(1, 90) != caption(1, 10, 90)


def test_the_task_is_told_from_the_prompt_where_there_is_no_schema():
    replies = {
        name: json.loads(answers.answer(asking(prompt))) for name, prompt in our_prompts().items()
    }
    assert replies["caption"]["camera"] == replies["several"]["camera"]
    assert replies["narrate"]["sentences"] == [
        {
            "frame": 4,
            "text": "After that, in good time, Ben comes. Somebody whistled "
            "a tune which made everybody smile.",
        },
        {
            "frame": 5,
            "text": "In the end, Ben goes. A dog barked twice while nobody was in a hurry.",
        },
    ]
    assert replies["link"]["sentences"] == [
        {"frame": 4, "text": "Ben came."},
        {"frame": 5, "text": "Ben left."},
    ]
    assert replies["characters"] == {"characters": []}
    assert answers.answer(asking("Say hello.")) == "OK"


def test_usage_counts_letters_and_squares_of_pictures():
    with serving() as server:
        question = asking("x" * 400, "characters", np.zeros((432, 768, 3), np.uint8))
        usage = ask(server, question).usage
    assert usage.prompt_tokens == 100 + 16 * 28  # 432 / 28 = 15.4, 768 / 28 = 27.4
    assert (usage.completion_tokens, usage.total_tokens) == (4, 552)


def test_the_server_keeps_what_it_was_asked_and_how_much_at_once():
    with serving(answering(0.1)) as server, ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda number: ask(server, asking(f"n {number}")), range(6)))
        asked = {question["messages"][0]["content"][0]["text"] for question in server.asked}
        assert asked == {f"n {number}" for number in range(6)}
        assert (server.in_flight, server.most_in_flight, len(server.times)) == (0, 6, 6)


def test_what_is_too_much_at_once_waits_or_is_sent_away():
    def statuses(kind):
        behaviour = behaviours.limited(answering(1.0), 2, kind, retry_after=7)
        with serving(behaviour) as server, ThreadPoolExecutor(5) as pool:

            def status(_):
                try:
                    ask(server, narrate())
                except openai.RateLimitError as error:
                    return error.status_code, error.response.headers["retry-after"]
                return 200, ""

            return sorted(pool.map(status, range(5)))

    assert statuses("queue") == [(200, "")] * 5
    assert statuses("reject") == [(200, "")] * 2 + [(429, "7")] * 3


def test_times_show_whether_a_client_waited_as_long_as_it_was_asked_to():
    behaviour = behaviours.first(2, behaviours.busy(0.3), then=answering())
    with serving(behaviour) as server:
        ask(server, narrate(), max_retries=2)
        first, second, third = server.times
    assert 0.3 <= second - first < 2 and 0.3 <= third - second < 2


def test_faults_come_as_often_as_told():
    statuses = []
    with serving(behaviours.every(3, behaviours.broken(), otherwise=answering())) as server:
        for _ in range(6):
            try:
                ask(server, narrate())
                statuses.append(200)
            except openai.InternalServerError as error:
                statuses.append(error.status_code)
    assert statuses == [500, 200, 200, 500, 200, 200]


def test_errors_have_the_form_of_openais():
    assert failing(behaviours.no_key(), openai.AuthenticationError).code == "invalid_api_key"
    assert failing(behaviours.no_model(), openai.NotFoundError).code == "model_not_found"
    assert failing(behaviours.broken(), openai.InternalServerError).type == "server_error"
    refused = failing(behaviours.without_schema(answering()), openai.BadRequestError)
    assert refused.param == "response_format" and "unsupported" in refused.body["message"]


def test_a_parameter_is_refused_alone_and_but_for_the_value_that_is_taken():
    behaviour = behaviours.without("temperature", answering(), wanted=1)
    refused = failing(behaviour, openai.BadRequestError, {**narrate(), "temperature": 0})
    assert (refused.param, refused.code) == ("temperature", "unsupported_parameter")
    with serving(behaviour) as server:
        assert text(ask(server, narrate())) == text(ask(server, {**narrate(), "temperature": 1}))


@pytest.mark.parametrize("behaviour", [behaviours.breaking_off("cut"), behaviours.hanging_up()])
def test_connections_are_cut_before_and_in_the_middle_of_an_answer(behaviour):
    failing(behaviour, openai.APIConnectionError)


@pytest.mark.parametrize("behaviour", [behaviours.breaking_off("hang"), behaviours.hanging()])
def test_a_server_that_hangs_is_left_by_its_client_and_forgets_the_question(behaviour):
    with serving(behaviour) as server:
        with pytest.raises(openai.APITimeoutError):
            ask(server, narrate(), timeout=0.2)
        server.behaviour = answering()
        ask(server, narrate())
        assert server.in_flight == 0


def test_an_answer_that_drips_outlasts_a_timeout_for_reading():
    async def patient(server):
        async with openai.AsyncOpenAI(base_url=server.url, api_key="any", timeout=0.2) as client:
            await asyncio.wait_for(client.chat.completions.create(**narrate()), 0.6)

    with serving(behaviours.breaking_off("drip")) as server, pytest.raises(TimeoutError):
        asyncio.run(patient(server))


def test_bodies_that_are_none():
    assert ask_raw(behaviours.html()) == ("text/html", b"<html><body>Please log in</body></html>")
    assert ask_raw(behaviours.no_json()) == ("application/json", b'{"choices": [oops')


def ask_raw(behaviour):
    with serving(behaviour) as server:
        request = urllib.request.Request(
            f"{server.url}/chat/completions", json.dumps(narrate()).encode()
        )
        with urllib.request.urlopen(request) as reply:
            return reply.headers["Content-Type"], reply.read()


def changed(change):
    return json.loads(change(answers.answer(narrate())))


def test_changes_make_good_answers_bad():
    good = answers.answer(narrate())
    assert behaviours.in_fence(good) == f"```json\n{good}\n```"
    assert good in behaviours.in_prose(good)
    assert [one["frame"] for one in changed(behaviours.one_less)["sentences"]] == [0, 1]
    assert [one["frame"] for one in changed(behaviours.swapped)["sentences"]] == [1, 0, 2]
    assert {one["text"] for one in changed(behaviours.emptied)["sentences"]} == {""}
    assert "as an AI" in behaviours.refusing(good)


@pytest.mark.parametrize("question", [narrate(), asking("?", "caption")])
def test_an_enormous_answer_is_still_an_answer(question):
    with serving(answering(change=behaviours.enormous)) as server:
        said = text(ask(server, question))
    assert 10_000_000 < len(said) < 30_000_000 and json.loads(said)


def test_an_answer_may_end_too_early_or_be_declined():
    with serving(behaviours.truncated()) as server:
        choice = ask(server, narrate()).choices[0]
        assert choice.finish_reason == "length"
        with pytest.raises(json.JSONDecodeError):
            json.loads(choice.message.content)
        server.behaviour = behaviours.declining()
        message = ask(server, narrate()).choices[0].message
        assert message.content is None and message.refusal.startswith("I'm sorry")


def test_one_connection_serves_many_questions():
    async def many(server):
        async with openai.AsyncOpenAI(base_url=server.url, api_key="any") as client:
            for _ in range(3):
                await client.chat.completions.create(**narrate())
            return len(server.connections)

    with serving() as server:
        assert asyncio.run(many(server)) == 1


def test_a_server_comes_back_where_it_was():
    with serving() as server:
        port = int(server.url.split(":")[2].partition("/")[0])
    with pytest.raises(openai.APIConnectionError):
        ask(server, narrate())
    with serving(port=port) as again:
        assert again.url == server.url and text(ask(again, narrate()))


def test_it_runs_as_a_program_and_tells_what_it_cost():
    command = [sys.executable, "-m", "pipeline.testing.serve", "--seconds", "0", "--at-once", "4"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            url = process.stdout.readline().strip()
            with openai.OpenAI(base_url=url, api_key="any") as client:
                assert [model.id for model in client.models.list()] == ["scripted"]
                client.chat.completions.create(**narrate())
            with urllib.request.urlopen(url.replace("/v1", "/stats")) as reply:
                stats = json.load(reply)
        finally:
            process.kill()
    assert (stats["asked"], stats["in_flight"], stats["most_in_flight"]) == (1, 0, 1)
    assert 0 < stats["cpu_seconds"] < 5
