"""The embedded captioner on pictures drawn here, whose truth is known because we drew it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.inference.builtin import captioner, efficientnet
from pipeline.inference.builtin.captioner import EmbeddedCaptioner
from pipeline.inference.builtin.image_analysis import analyse
from pipeline.inference.protocol import Picture, Request
from schemas.answers import CaptionAnswer

STILL = {"dialogue": [], "text": [], "camera_motion": [0.0, 0.0], "subject_motion": [0.0, 0.0]}


def field(colour: tuple[int, int, int]) -> np.ndarray:
    """An RGB picture of one colour."""
    return np.full((360, 640, 3), colour, np.uint8)


def red_disc_on_green(x: int = 160, radius: int = 60) -> np.ndarray:
    """Drawn as a cartoon's figures are, with a dark outline."""
    disc = cv2.circle(field((70, 150, 60)), (x, 180), radius, (210, 30, 30), -1)
    return cv2.circle(disc, (x, 180), radius, (40, 10, 10), 8)


def meadow() -> np.ndarray:
    """A light blue sky over green ground."""
    picture = field((160, 200, 240))
    picture[200:] = (100, 160, 50)
    return picture


def caption(picture: np.ndarray, **facts: object) -> CaptionAnswer:
    return captioner.caption(analyse(picture), {**STILL, **facts})


def test_says_what_it_is_where_it_is_and_what_is_around():
    seen = caption(red_disc_on_green())
    assert seen.objects == ["something red"]
    assert seen.sentence == "Something red is on the left of the picture, on green ground."
    assert seen.camera == "wide shot, still camera"
    assert seen.characters == []


@pytest.mark.parametrize(
    ("x", "side"), [(160, "on the left"), (320, "in the middle"), (480, "on the right")]
)
def test_tells_left_from_right(x, side):
    assert f"is {side} of the picture" in caption(red_disc_on_green(x)).sentence


def seen(name: str, x: float, *, named: bool = True, height: float = 0.4) -> dict[str, object]:
    """Who is in a picture, as the stage of captions says it."""
    return {"name": name, "named": named, "x": x, "top": 0.5, "width": 0.2, "height": height}


def test_says_who_is_there():
    alone = caption(red_disc_on_green(), cast=[seen("Pip", 0.25)])
    assert alone.sentence == "Pip is on the left of the picture, on green ground."
    assert (alone.characters, alone.objects) == (["Pip"], [])
    two = caption(meadow(), cast=[seen("Momo", 0.7), seen("Pip", 0.3)])
    assert two.sentence.startswith("Pip and Momo are together on green ground under a light blue")
    assert two.characters == ["Momo", "Pip"]
    moving = caption(meadow(), cast=[seen("Pip", 0.5)], subject_motion=[0.2, 0.0])
    assert "Pip moves to the right on green ground" in moving.sentence


def test_who_has_no_name_is_described():
    stranger = caption(meadow(), cast=[seen("grey figure", 0.2, named=False)])
    assert stranger.sentence.startswith("A grey figure is on the left of the picture, on green")


def test_a_close_up_shows_who_fills_it():
    near = caption(meadow(), cast=[seen("Pip", 0.5, height=0.9)])
    assert near.sentence.startswith("A close-up shows Pip on green ground under")


def test_tells_a_close_up_from_a_medium_shot():
    assert caption(red_disc_on_green(320, 100)).camera == "medium shot, still camera"
    assert caption(red_disc_on_green(320, 165)).camera == "close-up, still camera"


def test_sees_ground_and_sky_and_nobody():
    seen = caption(meadow())
    assert seen.place == "on green ground under a light blue sky"
    assert seen.sentence == "Green ground lies under a light blue sky, in bright light."
    assert seen.objects == []


def test_darkness_is_dark():
    night = caption(field((10, 10, 14)))
    assert night.mood == "dark"
    assert night.sentence == "Most of the picture is filled with black, and it is dark."
    assert caption(field((250, 240, 200))).mood == "bright and warm"


def test_movement_comes_from_the_facts():
    moving = caption(red_disc_on_green(), subject_motion=[-0.6, 0.1], camera_motion=[0.2, 0.0])
    assert moving.action == "moves quickly to the left"
    assert moving.camera == "wide shot, camera moves to the right"
    assert moving.sentence == (
        "On the left of the picture, something red moves quickly to the left on green ground."
    )


def test_a_speaker_is_a_character_and_is_quoted():
    seen = caption(red_disc_on_green(), dialogue=["Pip: Look up there!", "What is it?"])
    assert seen.characters == ["Pip"]
    assert seen.sentence == (
        "Something red is on the left of the picture, on green ground, "
        'and Pip says, "Look up there!"'
    )


def test_a_long_speech_is_not_cut_short_but_left_out():
    seen = caption(red_disc_on_green(), dialogue=["Pip: " + "and so on " * 10])
    assert seen.sentence.endswith("on green ground, and Pip speaks.")


def test_words_on_the_screen_are_read_out():
    assert caption(meadow(), text=["THE END"]).sentence == (
        'The words "THE END" are on the screen while green ground lies under a light blue sky.'
    )


def test_sentences_have_ten_to_thirty_words():
    for picture in (red_disc_on_green(), meadow(), field((10, 10, 14)), field((250, 240, 200))):
        for dialogue in ([], ["Pip: Yes."], ["Now " * 40]):
            words = caption(picture, dialogue=dialogue).sentence.split()
            assert 10 <= len(words) <= 30


def test_answers_each_picture_the_same_alone_and_among_others(tmp_path: Path):
    paths = []
    for number, picture in enumerate([red_disc_on_green(), meadow()]):
        paths.append(str(tmp_path / f"{number}.jpg"))
        cv2.imwrite(paths[-1], cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    requests = [
        Request(path, "caption", "", {**STILL, "picture": 0}, CaptionAnswer, (Picture(path, ""),))
        for path in paths
    ]
    backend = EmbeddedCaptioner()
    together = backend.answer(requests)
    assert together == [backend.answer([request])[0] for request in requests]
    assert CaptionAnswer.model_validate_json(together[0].text).objects == ["something red"]
    assert together[0].model == "embedded-captioner-4"


def test_a_file_that_is_not_an_image_is_named(tmp_path: Path):
    path = tmp_path / "broken.jpg"
    path.write_bytes(b"not an image")
    with pytest.raises(ValueError, match=r"broken\.jpg is not an image"):
        EmbeddedCaptioner().answer(
            [
                Request(
                    "k",
                    "caption",
                    "",
                    {**STILL, "picture": 0},
                    CaptionAnswer,
                    (Picture(str(path), ""),),
                )
            ]
        )


def test_a_patch_without_an_outline_is_part_of_the_scene():
    plain = cv2.circle(field((70, 150, 60)), (160, 180), 60, (210, 30, 30), -1)
    assert caption(plain).objects == []


def test_stones_and_clouds_are_not_animals():
    """A smooth grey body is an animal only where the network says so too."""
    stone = cv2.circle(meadow(), (320, 200), 90, (128, 128, 128), -1)
    assert "animal" not in caption(stone).sentence


def test_a_thing_is_named_only_where_the_network_is_sure(monkeypatch):
    def classifying(share: float):
        classes = np.full(1000, (1 - share) / 999, np.float32)
        classes[efficientnet.words().index("teapot")] = share
        return lambda features: np.broadcast_to(classes, (*features.shape[:-1], 1000))

    monkeypatch.setattr(efficientnet, "likelihoods", classifying(0.9))
    sure = caption(field((200, 190, 170)))
    assert sure.objects == ["teapot"] and sure.sentence.startswith("A teapot is seen with")
    monkeypatch.setattr(efficientnet, "likelihoods", classifying(0.7))
    unsure = caption(field((200, 190, 170)))
    assert unsure.objects == [] and "teapot" not in unsure.sentence
