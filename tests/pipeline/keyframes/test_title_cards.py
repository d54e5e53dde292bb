import pytest

from pipeline.keyframes.ocr import Box, ScreenText
from pipeline.keyframes.title_cards import is_title_card


# Boxes, coverage and detail as measured on frames of "Big Buck Bunny" and its trailer.
@pytest.mark.parametrize(
    ("what", "boxes", "coverage", "detail", "card"),
    [
        (
            "opening credit over the sky",
            [Box(0.49, 0.46, 0.067), Box(0.49, 0.54, 0.058)],
            0.0431,
            0.263,
            True,
        ),
        ("the film's name over its first scene", [Box(0.51, 0.39, 0.417)], 0.2032, 0.708, True),
        (
            "rolling credits beside a drawing",
            [Box(0.5, 0.42, 0.058), Box(0.5, 0.53, 0.075)],
            0.0439,
            0.019,
            True,
        ),
        (
            "first credits rolling in",
            [Box(0.47, 0.93, 0.058), Box(0.52, 0.97, 0.039)],
            0.0142,
            0.017,
            True,
        ),
        ("one line over a scene", [Box(0.5, 0.5, 0.083)], 0.0486, 0.555, False),
        ("a subtitle of two lines", [Box(0.5, 0.86, 0.08), Box(0.5, 0.94, 0.08)], 0.09, 0.3, False),
        ("a subtitle over a plain picture", [Box(0.5, 0.9, 0.08)], 0.04, 0.01, False),
        ("two signs far apart", [Box(0.2, 0.4, 0.05), Box(0.8, 0.5, 0.05)], 0.05, 0.4, False),
        ("no text", [], 0.0, 0.0, False),
    ],
)
def test_title_cards_and_credits_are_told_from_signs_and_subtitles(
    what, boxes, coverage, detail, card
):
    screen = ScreenText(["text"] * len(boxes), boxes, coverage, detail)
    assert is_title_card(screen) == card, what
