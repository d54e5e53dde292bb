"""Text on the screen, read from pictures drawn here, and what is called mostly text."""

import cv2
import numpy as np
import pytest

from pipeline.keyframes.ocr import Box, ScreenText, mostly_text, read
from pipeline.testing.films import card, scene


def written(tmp_path, picture, name="picture.jpg"):
    cv2.imwrite(str(tmp_path / name), picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])
    return str(tmp_path / name)


def lettered(picture, text, y, size=1.0, x=0.5):
    """A picture with a line of outlined text, its middle at x and y in shares of the picture."""
    picture = picture.copy()
    height, width = picture.shape[:2]
    (text_width, _), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, size, 2)
    at = (round(x * width - text_width / 2), round(y * height))
    for color, thickness in (((0, 0, 0), 6), ((255, 255, 255), 2)):
        cv2.putText(
            picture, text, at, cv2.FONT_HERSHEY_SIMPLEX, size, color, thickness, cv2.LINE_AA
        )
    return picture


def test_title_card(tmp_path):
    (screen,) = read([written(tmp_path, card(["The Kite", "A film by Pip"], 360, 640))])
    assert [line.replace(" ", "").lower() for line in screen.lines] == ["thekite", "afilmbypip"]
    assert 0.03 < screen.coverage < 0.5
    assert screen.detail == 0.0
    assert screen.boxes[0].y < screen.boxes[1].y
    assert mostly_text(screen)


def test_pictures_without_text(tmp_path):
    paths = [written(tmp_path, scene(seed, 360, 640), f"{seed}.jpg") for seed in range(6)]
    for screen in read(paths):
        assert screen.lines == []
        assert screen.coverage == 0.0
        assert screen.detail > 0.1
        assert not mostly_text(screen)


def test_picture_with_a_sign_and_a_subtitle_is_a_picture(tmp_path):
    picture = lettered(
        lettered(scene(3, 360, 640), "BAKERY", 0.4, 0.8, x=0.25), "Pip: Where is the kite?", 0.93
    )
    (screen,) = read([written(tmp_path, picture)])
    assert [line.replace(" ", "") for line in screen.lines] == ["BAKERY", "Pip:Whereisthekite?"]
    assert not mostly_text(screen)


def test_same_picture_larger_has_the_same_text(tmp_path):
    picture = lettered(scene(3, 360, 640), "BAKERY", 0.4, 0.8)
    large = cv2.resize(picture, (1280, 720), interpolation=cv2.INTER_CUBIC)
    one, other = read([written(tmp_path, picture), written(tmp_path, large, "large.jpg")])
    assert one.lines == other.lines == ["BAKERY"]
    assert one.coverage == pytest.approx(other.coverage, abs=0.01)


def test_upright_and_tiny_pictures(tmp_path):
    tall = np.rot90(scene(1, 360, 640)).copy()
    assert [
        screen.lines
        for screen in read(
            [written(tmp_path, tall), written(tmp_path, scene(2, 16, 24), "tiny.jpg")]
        )
    ] == [[], []]


def test_file_that_is_no_picture(tmp_path):
    (tmp_path / "x.jpg").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"x\.jpg is not a picture"):
        read([str(tmp_path / "x.jpg")])


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
def test_mostly_text(what, boxes, coverage, detail, card):
    screen = ScreenText(["text"] * len(boxes), boxes, coverage, detail)
    assert mostly_text(screen) == card, what
