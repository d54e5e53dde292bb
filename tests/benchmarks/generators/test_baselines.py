"""Generators without a model."""

from benchmarks.generators import baselines
from benchmarks.stories import Story, make_opening


def _story(name: str, *texts: str) -> Story:
    return Story(name, texts, tuple(f"{name}/{at}.jpg" for at in range(len(texts))))


TRUE = _story("a", "Pip wakes up.", "Momo swims in the lake.", "Pip eats a red apple.")
OTHERS = [
    _story("b", "Bo sees a red apple on a tree.", "Bo sleeps.", "Bo sings a song."),
    _story("c", "A lake at night.", "Momo swims in the cold lake.", "The end."),
]


def test_the_truth_is_the_story_itself() -> None:
    for illustrate in (True, False):
        assert baselines.ground_truth([TRUE, *OTHERS])(make_opening(TRUE, illustrate)) == TRUE


def test_copying_repeats_the_first_picture() -> None:
    told = baselines.repeat_first(make_opening(TRUE, illustrate=True))
    assert told.images == ("a/0.jpg",) * 3
    assert told.texts == TRUE.texts
    assert (
        baselines.repeat_first(make_opening(TRUE, illustrate=False)).texts == ("Pip wakes up.",) * 3
    )


def test_retrieval_illustrates_with_the_picture_of_the_likest_sentence() -> None:
    told = baselines.retrieve(OTHERS)(make_opening(TRUE, illustrate=True))
    assert told.images == ("a/0.jpg", "c/1.jpg", "b/0.jpg")
    assert told.texts == TRUE.texts


def test_retrieval_goes_on_with_the_likest_story() -> None:
    begin = make_opening(_story("d", "Bo sleeps deeply.", "", ""), illustrate=False)
    told = baselines.retrieve(OTHERS)(begin)
    assert told.texts == ("Bo sleeps deeply.", "Bo sings a song.", OTHERS[0].texts[0])
    assert told.images == ("d/0.jpg", "b/2.jpg", "b/0.jpg")  # round and round


def test_shuffled_panels_are_of_other_stories_and_differ_by_seed() -> None:
    told = baselines.shuffle([TRUE, *OTHERS])(make_opening(TRUE, illustrate=False))
    assert told.images[0] == "a/0.jpg"
    assert all(image[0] in "bc" for image in told.images[1:])
    assert told == baselines.shuffle([TRUE, *OTHERS])(make_opening(TRUE, illustrate=False))
    texts = {
        image: text
        for story in OTHERS
        for image, text in zip(story.images, story.texts, strict=True)
    }
    assert list(told.texts[1:]) == [texts[image] for image in told.images[1:]]
