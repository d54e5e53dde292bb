"""Captions read back: every fact that the captioner states is found again."""

from __future__ import annotations

import itertools

import pytest

from pipeline.inference.builtin import scene
from pipeline.inference.builtin.image_analysis import Subject
from pipeline.inference.builtin.scene import Scene
from tests.pipeline.inference.builtin.captions import GREY_RABBIT, captioned


def test_a_subject_with_its_place_and_motion():
    caption = captioned(
        subject=GREY_RABBIT, ground="green grass", sky="light blue sky", subject_motion=(-0.9, 0.0)
    )
    assert scene.read(caption) == Scene(
        who="grey animal",
        side="on the left",
        motion="quickly to the left",
        ground="green grass",
        sky="light blue sky",
        light="bright and warm",
    )


def test_surroundings_words_and_a_moving_camera():
    assert scene.read(captioned(light="dark", warmth="")) == Scene(
        colours="green and brown", light="dark"
    )
    assert scene.read(captioned(lettering=True, camera_motion=(0.2, 0.0))) == Scene(
        colours="green and brown", light="bright and warm", pans=True, lettering=True
    )


SUBJECTS = [
    None,
    GREY_RABBIT,
    Subject("animal", "", 0.5, 0.5),
    Subject("", "light blue", 0.8, 0.9),
]


@pytest.mark.parametrize("thing", ["", "teapot"])
@pytest.mark.parametrize("dialogue", [(), ("Pip: Look!",), ("Pip: " + "and so on " * 12,)])
def test_every_caption_of_the_embedded_captioner_is_understood(thing, dialogue):
    for subject, place, motion, text, light in itertools.product(
        SUBJECTS,
        [("", ""), ("green grass", ""), ("brown ground", "light blue sky")],
        [(0.0, 0.0), (0.1, 0.0), (0.0, -0.9)],
        [(), ("THE END",)],
        ["dark", "soft"],
    ):
        caption = captioned(
            subject=subject,
            thing=thing,
            ground=place[0],
            sky=place[1],
            subject_motion=motion,
            camera_motion=motion,
            text=text,
            dialogue=dialogue,
            light=light,
        )
        read = scene.read(caption)
        assert read is not None, caption["sentence"]
        assert (read.ground, read.sky) == place
        assert bool(read.who) == bool(subject or thing) or (read.ground and read.sky)
        assert bool(read.motion) == bool(subject and any(motion))


def test_another_models_caption_is_not_taken_apart():
    caption = captioned()
    assert scene.read({**caption, "sentence": "A white dog runs in a garden."}) is None
    assert scene.read({**caption, "place": "in a garden"}) is None
    known = captioned(subject=GREY_RABBIT)
    assert scene.read({**known, "objects": ["a red kite"]}) is None
