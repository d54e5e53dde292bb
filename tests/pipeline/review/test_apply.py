import dataclasses

import pytest

from pipeline.review.apply import apply
from schemas.rows import REVIEWER
from tests.pipeline.review.deciding import a_film, decision


@pytest.fixture
def film():
    return a_film()


def reasons(applied):
    return [(reject.key, reject.reason) for reject in applied.rejects]


def test_without_decisions_stories_are_as_they_were(film):
    stories, keyframes = film
    applied = apply(stories, keyframes, [])
    assert applied.stories == stories and not applied.rejects


def test_a_rejected_story_has_a_reject_with_the_reason(film):
    stories, keyframes = film
    applied = apply(stories, keyframes, [decision(1, "reject", stories[0], note="too dull")])
    (reject,) = applied.rejects
    assert (reject.stage, reject.key, reject.reason) == ("review", "film_story_000", "rejected")
    assert reject.detail == "a person left it out: words, too dull"


def test_the_last_verdict_counts(film):
    stories, keyframes = film
    both = [decision(1, "reject", stories[0]), decision(2, "accept", stories[0], by="Bob")]
    applied = apply(stories, keyframes, both)
    assert applied.stories[0].accepted and not applied.rejects


def test_an_edited_sentence_says_that_a_person_wrote_it(film):
    stories, keyframes = film
    applied = apply(stories, keyframes, [decision(1, "edit", stories[0], at=3, text="Pip waved.")])
    story = applied.stories[0]
    assert story.captions[2:5] == ["film 0 2.", "Pip waved.", "film 0 4."]
    assert story.writers[3] == REVIEWER and story.writers[2] == "w"
    assert story.descriptions == stories[0].descriptions


def test_a_verdict_on_other_content_is_a_conflict(film):
    stories, keyframes = film
    seen = decision(1, "reject", stories[0])
    now = dataclasses.replace(stories[0], captions=["Another."] * 30)
    applied = apply([now, stories[1]], keyframes, [seen])
    assert reasons(applied) == [(seen.id, "conflict")]
    assert applied.stories[0] == now
    assert "the story has changed since" in applied.rejects[0].detail


def test_an_edit_is_kept_while_other_sentences_change(film):
    stories, keyframes = film
    seen = decision(1, "edit", stories[0], at=3, text="Pip waved.")
    others = [*stories[0].captions[:3], "film 0 3.", *["Another."] * 26]
    applied = apply([dataclasses.replace(stories[0], captions=others)], keyframes, [seen])
    assert applied.stories[0].captions[3:5] == ["Pip waved.", "Another."]
    itself = [*others[:3], "Another.", *others[4:]]
    applied = apply([dataclasses.replace(stories[0], captions=itself)], keyframes, [seen])
    assert reasons(applied) == [(seen.id, "conflict")]


def test_a_picture_that_is_left_out_takes_its_sentence_along(film):
    stories, keyframes = film
    applied = apply(stories, keyframes, [decision(1, "drop", stories[0], at=0)])
    story = applied.stories[0]
    assert len(story.images) == len(story.captions) == 29 and not story.complete
    assert story.captions[0] == "film 0 1." and story.orders == list(range(29))
    assert reasons(applied) == [("film_keyframe_0-0-0-0", "dropped")]


def test_who_is_seen_and_where_stays_with_each_picture(film):
    stories, keyframes = film
    names = [["Pip"] if at == 29 else [] for at in range(30)]
    boxes = [[[1, 2, 30, 40]] if at == 29 else [] for at in range(30)]
    first = dataclasses.replace(stories[0], characters=names, boxes=boxes)
    decisions = [
        decision(1, "drop", stories[0], at=0),
        decision(2, "move", stories[1], keyframe=keyframes[29].id),
    ]
    shorter, longer = apply([first, stories[1]], keyframes, decisions).stories
    assert (shorter.characters, shorter.boxes) == ([[]] * 28, [[]] * 28)
    assert longer.characters == [["Pip"], [], [], [], [], []]
    assert longer.boxes == [[[1, 2, 30, 40]], [], [], [], [], []]


def test_another_frame_of_the_shot_keeps_the_words(film):
    stories, keyframes = film
    applied = apply(stories, keyframes, [decision(1, "swap", stories[0], at=4, time=4.5)])
    story = applied.stories[0]
    assert story.images[4] == "images/film/film_keyframe_0-0-4-500.jpg"
    assert story.captions == stories[0].captions
    assert list(applied.swaps) == ["film_keyframe_0-0-4-0"]
    assert reasons(applied) == [("film_keyframe_0-0-4-0", "swapped")]


@pytest.mark.parametrize(
    ("time", "unreachable", "why"),
    [
        (6.5, (), "not of the same shot"),
        (5.0, (), "is, or is beyond, another picture"),
        (4.5, ("0000000000000001",), "cannot be decoded"),
    ],
)
def test_a_frame_that_cannot_stand_there_is_a_conflict(film, time, unreachable, why):
    stories, keyframes = film
    swap = decision(1, "swap", stories[0], at=4, time=time)
    applied = apply(stories, keyframes, [swap], unreachable)
    assert why in applied.conflicts[swap.id] and applied.stories == stories


def test_a_boundary_moves_where_there_is_room(film):
    stories, keyframes = film
    first = keyframes[28].id
    later = decision(1, "move", stories[1], keyframe=first)
    applied = apply(stories, keyframes, [later])
    assert [len(story.images) for story in applied.stories] == [28, 7]
    assert applied.stories[1].captions[:3] == ["film 0 28.", "film 0 29.", "film 1 0."]
    earlier = decision(1, "move", stories[1], keyframe=keyframes[31].id)
    assert "1 to 30 pictures" in apply(stories, keyframes, [earlier]).conflicts[earlier.id]
    dropped = decision(2, "drop", stories[0], at=0)
    applied = apply(stories, keyframes, [dropped, earlier])
    assert [len(story.images) for story in applied.stories] == [30, 4]


def test_a_story_without_pictures_is_left_out(film):
    stories, keyframes = film
    drops = [decision(at, "drop", stories[1], at=at) for at in range(5)]
    applied = apply(stories, keyframes, drops)
    assert applied.stories[1].images == []
    assert ("film_story_001", "no pictures") in reasons(applied)


def test_a_story_that_is_gone_is_a_conflict(film):
    stories, keyframes = film
    seen = decision(1, "accept", stories[1])
    applied = apply(stories[:1], keyframes, [seen])
    assert "no such story" in applied.conflicts[seen.id]
