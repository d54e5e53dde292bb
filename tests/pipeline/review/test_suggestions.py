"""The writer is asked again: for a sentence, for a story; and when it is not."""

import asyncio
import json

import pytest

from pipeline.inference.backends import loading
from pipeline.inference.protocol import Answer
from pipeline.review import suggestions
from pipeline.review.library import Library
from pipeline.runtime import decisions
from pipeline.testing.behaviours import declining, no_key
from pipeline.testing.model_server import serving
from tests.pipeline.review.conftest import says
from tests.pipeline.review.test_app import Page
from tests.pipeline.scripted import Scripted

pytestmark = pytest.mark.slow

STORY = "short_story_000"
PRICES = {"pen": {"input": 10.0, "output": 20.0}}


def with_writer(out, server, **settings):
    """Lets a server be the dataset's writer, as the run before has it in its settings."""
    manifest = json.loads((out / "dataset.json").read_text())
    manifest["config"] |= {"writer": f"openai:pen@{server.url}", **settings}
    (out / "dataset.json").write_text(json.dumps(manifest))
    return Page(out)


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "any word")


def ask(page, keyframe="", repeat=1, **headers):
    body = {"story": STORY, "keyframe": keyframe, "repeat": repeat}
    headers = {"x-storystream": page.csrf(), **headers}
    return page.client.post("/api/suggest", json=body, headers=headers)


def pictures(page):
    return [shown["keyframe"] for shown in page.get("/api/story", id=STORY)["pages"]]


def test_a_sentence_is_suggested_and_nothing_is_decided(again):
    with serving() as server:
        page = with_writer(again, server)
        third = pictures(page)[2]
        answer = ask(page, third).json()
        assert answer["writer"] == "pen" and list(answer["texts"]) == [third]
        (question,) = server.asked
        told = page.get("/api/story", id=STORY)["pages"]
        assert told[1]["text"] in json.dumps(question) and answer["texts"][third]
        assert ask(page, third).json() == answer and len(server.asked) == 1  # paid for once
        assert ask(page, third, repeat=2).status_code == 200 and len(server.asked) == 2
    assert decisions.version(str(again)) == decisions.NONE
    assert page.get("/api/story", id=STORY)["pages"] == told


def test_a_story_is_suggested_as_a_whole(again):
    with serving() as server:
        page = with_writer(again, server)
        answer = ask(page).json()
        assert list(answer["texts"]) == pictures(page) and len(set(answer["texts"].values())) > 9
        names = [asked["response_format"]["json_schema"]["name"] for asked in server.asked]
        assert names == ["narrate", "narrate", "link"]  # 12 pictures in windows of 10


def test_what_is_decided_counts(again):
    """A picture that was left out is not told, and an edited sentence is the story so far."""
    with serving() as server:
        page = with_writer(again, server)
        second, third = pictures(page)[1:3]
        shown, seen = page.get("/api/story", id=STORY)["pages"], []
        for what, at, more in (
            ("edit", 0, {"text": "Pip found a whistle."}),
            ("drop", 1, {"reason": "pictures"}),
        ):
            digest = shown[at]["sentence_digest" if what == "edit" else "picture_digest"]
            row = {"what": what, "film": "short", "story": STORY, "digest": digest}
            row |= {"keyframe": shown[at]["keyframe"], **more}
            answer = page.decide(row, seen)
            seen.append(answer.json()["id"])
        assert ask(page, second).status_code == 502
        assert ask(page, third).status_code == 200
        assert "Pip found a whistle." in json.dumps(server.asked[-1])


def test_why_there_is_no_suggestion_is_said(again):
    told = ((declining(), "gave no text that can be used: I'm sorry"), (no_key(), "key"))
    for repeat, (behaviour, said) in enumerate(told, 1):
        with serving(behaviour) as server:
            page = with_writer(again, server)
            answer = ask(page, pictures(page)[0], repeat)
        assert answer.status_code == 502 and said in answer.json()["detail"], answer.text


def test_the_budget_of_the_dataset_holds(again):
    with serving() as server:
        page = with_writer(again, server, prices=PRICES, budget=1e-6)
        answer = ask(page, pictures(page)[0])
        assert answer.status_code == 502 and "the budget of 1e-06" in answer.json()["detail"]
        assert not server.asked


def test_another_site_cannot_have_the_writer_asked(again):
    with serving() as server:
        page = with_writer(again, server)
        first = pictures(page)[0]
        for headers in ({"x-storystream": "guessed"}, {"origin": "http://evil.example"}):
            assert ask(page, first, **headers).status_code == 403
        assert page.client.get("/api/suggest").status_code == 405
        for wrong in ({"story": STORY}, {"story": [], "keyframe": 1, "repeat": "x"}, []):
            headers = {"x-storystream": page.csrf()}
            answer = page.client.post("/api/suggest", json=wrong, headers=headers)
            assert answer.status_code == 422, wrong
        assert not server.asked


class Slow(Scripted):
    """Lets others run before it answers, as a server does."""

    async def answer(self, request):
        answer = await super().answer(request)
        for _ in range(100):
            await asyncio.sleep(0)
        return answer


def test_nothing_more_is_asked_once_the_page_is_left(again, monkeypatch):
    async def main():
        left = asyncio.Event()

        def leave(request):
            left.set()
            return Answer(says(request), "pen")

        pen = Slow(leave)
        monkeypatch.setattr(loading, "load", lambda role, spec, calls: pen)
        monkeypatch.setattr(loading, "backend", lambda loaded, spec, calls: loaded)
        suggestions._load_once.cache_clear()
        with pytest.raises(suggestions.Failed, match="nobody waits"):
            await suggestions.suggest(Library(str(again)), "long_story_000", "", 1, left.wait)
        return pen.keys

    assert len(asyncio.run(main())) == 1  # of three windows and a link: what was in flight
    suggestions._load_once.cache_clear()
