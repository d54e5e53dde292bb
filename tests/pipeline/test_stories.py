"""Stories: how a film is cut, what a writer is asked, and what becomes of a bad answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import pytest

from pipeline.backends import Answer, Request
from pipeline.stories import check, tell
from schemas.answers import NarrativeAnswer, Sentence
from schemas.rows import Caption, Keyframe

Texts = list[tuple[int, str]]


class Scripted:
    """A writer that says "Text <n>." of every picture, unless `says` knows better."""

    name = "scripted"

    def __init__(self, says: Callable[[Request, Texts], Texts | str] = lambda _, texts: texts):
        self.says, self.asked = says, []

    def answer(self, requests: Sequence[Request]) -> list[Answer]:
        self.asked.append(list(requests))
        return [Answer(self._text(request), self.name) for request in requests]

    def _text(self, request: Request) -> str:
        texts = [(frame, f"Text {frame}.") for frame in request.facts["frames"]]
        said = self.says(request, texts)
        if isinstance(said, str):
            return said
        return json.dumps({"sentences": [{"frame": frame, "text": text} for frame, text in said]})


def film(count: int) -> tuple[list[Keyframe], list[Caption]]:
    """So many keyframes of one film, each with a caption."""
    keyframes = [
        Keyframe(id=f"film_keyframe_0-0-{number}-0", video="film", series="Films",
                 image=f"images/film/film_keyframe_0-0-{number}-0.jpg", time=float(number),
                 shot=number, shot_start=float(number), shot_end=number + 0.9, width=640,
                 height=360, crop=[0, 0, 640, 360], bytes=1000, sha256="", phash="",
                 sharpness=100.0, brightness=0.5, camera_motion=[0.0, 0.0],
                 subject_motion=[0.0, 0.0], dialogue=["Pip: Look!"] if number == 3 else [])
        for number in range(count)
    ]
    captions = [Caption(keyframe.id, "film", [], "", "", "", [], "", f"Picture {number} is seen.",
                        "eyes") for number, keyframe in enumerate(keyframes)]
    return keyframes, captions


def test_a_film_becomes_stories_of_thirty_and_a_shorter_last_one():
    keyframes, captions = film(42)
    (first, last), rejects = tell(keyframes, captions, Scripted(), title="The Hill")
    assert rejects == []
    assert (first.id, first.complete, len(first.images)) == ("film_story_000", True, 30)
    assert (last.id, last.complete, len(last.images)) == ("film_story_001", False, 12)
    assert first.images[:2] == [keyframes[0].image, keyframes[1].image]
    assert last.images[0] == keyframes[30].image
    assert last.orders == list(range(12))
    assert first.captions[29] == "Text 29." and last.captions[0] == "Text 0."
    assert last.descriptions[0] == "Picture 30 is seen."
    assert first.writers == ["scripted"] * 30 and first.caption_model == "eyes"
    assert (first.video, first.series, first.split) == ("film", "Films", "")


def test_a_tail_that_is_too_short_is_rejected_in_words():
    keyframes, captions = film(35)
    stories, (reject,) = tell(keyframes, captions, Scripted(), shortest=6)
    assert [story.id for story in stories] == ["film_story_000"]
    assert (reject.stage, reject.key, reject.reason) == ("story", "film_story_001", "too short")
    assert reject.detail.startswith("5 keyframes are left for it, and a story needs 6")
    assert reject.image == keyframes[30].image


def test_a_film_without_captions_has_no_stories():
    assert tell(film(12)[0], [], Scripted()) == ([], [])


def test_keyframes_without_a_caption_are_left_out():
    keyframes, captions = film(12)
    (story,), _ = tell(keyframes, captions[:4] + captions[5:], Scripted())
    assert keyframes[4].image not in story.images
    assert len(story.images) == 11


def test_windows_of_ten_are_asked_for_in_turn_with_the_story_so_far():
    keyframes, captions = film(45)
    backend = Scripted()
    tell(keyframes, captions, backend, title="The Hill")
    keys = [[request.key for request in batch] for batch in backend.asked]
    assert keys == [["film_story_000_00", "film_story_001_00"],
                    ["film_story_000_10", "film_story_001_10"],
                    ["film_story_000_20"],
                    ["film_story_000_link", "film_story_001_link"]]
    first, second = backend.asked[0][0], backend.asked[1][0]
    assert first.facts["so_far"] == "" and first.facts["frames"] == list(range(10))
    assert second.facts["so_far"] == " ".join(f"Text {number}." for number in range(10))
    assert second.facts["before"] == "Text 9."
    assert first.facts["captions"][3]["dialogue"] == ["Pip: Look!"]
    assert 'Title: "The Hill"' in first.prompt
    assert 'Picture 3: "Picture 3 is seen." Dialogue: ["Pip: Look!"]' in first.prompt


BAD = {
    "too few": (lambda texts: texts[:-1], "the pictures must be [0, 1, 2"),
    "swapped": (lambda texts: [texts[1], texts[0], *texts[2:]], "the pictures must be [0, 1, 2"),
    "empty": (lambda texts: [(0, " "), *texts[1:]], "picture 0: the text is empty"),
    "copied": (lambda texts: [texts[0], (1, "text 0."), *texts[2:]],
               "picture 1: the text is the same as the one before"),
    "refused": (lambda texts: [*texts[:9], (9, "I'm sorry, I cannot write that.")],
                "picture 9: the text is a refusal, not a story"),
    "echoed": (lambda texts: [(0, "Say what happens, not what a picture, a camera or a frame "
                                  "shows."), *texts[1:]],
               "picture 0: the text repeats the question"),
    "junk": (lambda texts: "Once upon a time", "Invalid JSON"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_narrative_is_asked_for_again_with_the_fault(kind):
    spoil, fault = BAD[kind]
    backend = Scripted(lambda request, texts: texts if request.facts.get("retry")
                       or request.task == "link" else spoil(texts))
    keyframes, captions = film(10)
    (story,), rejects = tell(keyframes, captions, backend)
    assert rejects == []
    assert story.captions == [f"Text {number}." for number in range(10)]
    (repair,) = backend.asked[1]
    assert fault in repair.facts["retry"]
    assert "Your last answer could not be used" in repair.prompt


@pytest.mark.parametrize("kind", BAD)
def test_a_narrative_that_stays_bad_is_rejected_and_the_others_are_told(kind):
    spoil, fault = BAD[kind]
    backend = Scripted(lambda request, texts: spoil(texts)
                       if request.key == "film_story_000_00" else texts)
    keyframes, captions = film(40)
    (story,), (reject,) = tell(keyframes, captions, backend)
    assert story.id == "film_story_001"
    assert (reject.stage, reject.key, reject.reason) == (
        "story", "film_story_000", "bad narrative")
    assert reject.detail.startswith("from picture 0 on: ") and fault in reject.detail


def test_linked_texts_replace_those_they_were_made_from():
    backend = Scripted(lambda request, texts: [(0, "It begins."), *texts[1:]]
                       if request.task == "link" else texts)
    (story,), _ = tell(*film(10), backend)
    assert story.captions[:2] == ["It begins.", "Text 1."]


def test_where_linking_fails_the_texts_stay():
    backend = Scripted(lambda request, texts: "junk" if request.task == "link" else texts)
    (story,), rejects = tell(*film(10), backend)
    assert story.captions[0] == "Text 0."
    assert rejects == []


def test_a_plain_text_is_marked_and_stays_so_through_linking():
    def says(request: Request, texts: Texts) -> Texts | str:
        return texts if request.task == "link" else json.dumps({"sentences": [
            {"frame": frame, "text": text, "plain": frame == 2} for frame, text in texts]})
    (story,), _ = tell(*film(10), Scripted(says))
    assert story.writers[:4] == ["scripted", "scripted", "plain", "scripted"]


def test_dialogue_may_refuse_in_quotation_marks():
    answer = NarrativeAnswer(sentences=[Sentence(frame=0, text='Pip says, "I cannot swim!"')])
    assert check([0], answer) == ""


def test_the_first_text_must_not_repeat_the_window_before():
    answer = NarrativeAnswer(sentences=[Sentence(frame=10, text="Off they go.")])
    assert check([10], answer, before="Off they go.") == (
        "picture 10: the text is the same as the one before")
