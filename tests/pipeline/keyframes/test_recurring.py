from pipeline.config import SelectionConfig
from pipeline.keyframes.recurring import find_recurring, near_edges, split_rejects
from tests.pipeline.rows import flipped, keyframe, phash

CONFIG = SelectionConfig()


def episode(name: str, intro: bool = True):
    title = phash("the title sequence")
    frames = [keyframe(name, 2.0, phash=flipped(title, 10))] if intro else []
    return [*frames, keyframe(name, 30.0), keyframe(name, 500.0), keyframe(name, 990.0)]


def recurs(episodes):
    """Finds what recurs in episodes of 1000 s."""
    return find_recurring(
        {
            name: [
                (keyframe.id, keyframe.phash) for keyframe in near_edges(keyframes, 1000.0, CONFIG)
            ]
            for name, keyframes in episodes.items()
        },
        CONFIG,
    )


def test_a_title_sequence_recurs():
    episodes = {name: episode(name) for name in "abc"}
    found = recurs(episodes)
    assert sorted(found) == [f"{name}_keyframe_0-0-2-0" for name in "abc"]
    assert found["a_keyframe_0-0-2-0"] == "b_keyframe_0-0-2-0"


def test_a_picture_in_the_middle_may_come_back():
    episodes = {name: [keyframe(name, 500.0, phash=phash("home"))] for name in "abc"}
    assert recurs(episodes) == {}


def test_a_picture_of_too_few_episodes_does_not_recur():
    episodes = {name: episode(name, intro=name in "ab") for name in "abcdef"}
    assert recurs(episodes) == {}


def test_one_episode_has_nothing_that_recurs():
    assert recurs({"a": episode("a")}) == {}


def test_keyframes_with_a_detail_become_rejects():
    frames = [keyframe("a", 1.0), keyframe("a", 2.0)]
    kept, rejects = split_rejects(frames, {frames[0].id: "THE END"}, "text")
    assert kept == [frames[1]]
    (reject,) = rejects
    assert (reject.key, reject.reason, reject.detail) == (frames[0].id, "text", "THE END")
    assert reject.image == f"rejected/a/{frames[0].id}.jpg"
