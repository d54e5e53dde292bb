"""Boxes of figures are asked of the captioner, whatever the scale that it knows."""

from __future__ import annotations

import json

import pytest

from pipeline.annotation import figure_boxes
from pipeline.config import load
from pipeline.inference import json_answers
from pipeline.inference.protocol import Answer
from pipeline.runtime.stage_outputs import UNREADABLE
from schemas.answers import FiguresAnswer
from tests.pipeline import rows
from tests.pipeline.scripted import Scripted, in_turn, with_client

# A fox at the left, a bear at the right, in shares of a picture.
FOX, BEAR = (0.1, 0.3, 0.4, 0.9), (0.5, 0.2, 0.95, 1.0)
FILM = [rows.keyframe("film", float(second), width=1280, height=720) for second in range(4)]


def answer(boxes, wide, high, **named) -> str:
    """An answer with boxes in a scale, by the keys left, top, right and bottom."""
    sides = [
        [round(side * whole, 3) for side, whole in zip(box, (wide, high) * 2, strict=True)]
        for box in boxes
    ]
    return json.dumps(
        {
            "figures": [
                dict(zip(("left", "top", "right", "bottom"), box, strict=True)) for box in sides
            ],
            **named,
        }
    )


def found(*answers, says=None):
    backend = Scripted(says or in_turn(*answers))
    boxes_and_rejects = with_client(
        backend,
        lambda client: figure_boxes.find(FILM, client, "/data", load("", ()), lambda _: None),
    )
    return boxes_and_rejects, backend


@pytest.mark.parametrize(
    ("wide", "high"),
    [(1000, 1000), (1, 1), (100, 100), (768, 432), (1280, 720)],
    ids=["thousandths", "shares", "percent", "pixels as sent", "pixels of the file"],
)
def test_boxes_are_read_in_every_scale(wide, high):
    (boxes, rejects), backend = found(*[answer([FOX, BEAR], wide, high)] * 4)

    assert rejects == []
    assert boxes == [[pytest.approx(FOX, abs=0.002), pytest.approx(BEAR, abs=0.002)]] * 4
    assert backend.keys == [keyframe.id for keyframe in FILM]


def test_boxes_in_pixels_are_of_the_picture_as_it_was_sent_in_the_end():
    def says(request):  # the server took the first two at the configured size only
        smaller = request.key in [keyframe.id for keyframe in FILM[2:]]
        sides = (384, 216) if smaller else (768, 432)
        return Answer(answer([FOX, BEAR], *sides), "tiny", longest_side=384 if smaller else 0)

    (boxes, _), _ = found(says=says)

    assert boxes == [[pytest.approx(FOX, abs=0.002), pytest.approx(BEAR, abs=0.002)]] * 4


def test_a_single_answer_is_in_thousandths_as_asked():
    (boxes, _), _ = found(answer([(0.1, 0.1, 0.3, 0.3)], 1000, 1000), *['{"figures": []}'] * 3)

    assert boxes == [[pytest.approx((0.1, 0.1, 0.3, 0.3))], [], [], []]


def test_the_whole_picture_and_boxes_without_an_area_are_no_figures():
    (boxes, _), _ = found(
        answer([(0.0, 0.0, 1.0, 1.0), (0.5, 0.5, 0.5, 0.9), (0.9, 0.1, 0.2, 0.5), FOX], 1000, 1000),
        *['{"figures": []}'] * 3,
    )
    assert boxes[0] == [pytest.approx(FOX)]


def test_an_answer_without_boxes_is_a_reject_and_the_picture_has_nobody():
    def says(request):
        return "I see a fox." if request.key == FILM[0].id else answer([FOX], 1000, 1000)

    (boxes, rejects), _ = found(says=says)

    assert [reject.key for reject in rejects] == [FILM[0].id]
    assert (rejects[0].stage, rejects[0].reason) == ("figures", UNREADABLE)
    assert [len(of_picture) for of_picture in boxes] == [0, 1, 1, 1]


@pytest.mark.parametrize(
    "text",
    [
        '```json\n[{"bbox_2d": [100, 300, 400, 900], "label": "fox"}]\n```',
        '[{"box_2d": [300, 100, 900, 400], "label": "fox"}]',
        '{"objects": [{"bbox": [[100, 300], [400, 900]], "name": "fox"}]}',
        '{"figures": [{"class": "fox", "x": 100, "y": 300, "width": 300, "height": 600}]}',
        '{"figures": [{"label": "fox", "box": "100, 300, 400, 900"}]}',
        '{"figures": [{"label": "fox", "box": {"x1": 100, "y1": 300, "x2": "400px", "y2": 900}}]}',
    ],
    ids=["Qwen", "Gemini", "two corners", "width and height", "a text", "an object"],
)
def test_boxes_are_read_in_the_forms_that_models_were_trained_on(text):
    (fox,) = json_answers.read(text, FiguresAnswer)[0].figures

    assert (fox.label, fox.left, fox.top, fox.right, fox.bottom) == ("fox", 100, 300, 400, 900)


def test_the_embedded_captioner_finds_no_figures():
    with pytest.raises(ValueError, match="the embedded captioner finds no figures"):
        load("", ["cast.figures=captioner"])
