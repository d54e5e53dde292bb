"""Text read from images drawn here, some of them title cards."""

from pathlib import Path

import cv2
import matplotlib
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from pipeline.keyframes.ocr import read
from pipeline.keyframes.title_cards import is_card
from pipeline.testing.films import card, drawing, scene


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
    assert [line.replace(" ", "").lower() for line in screen.texts] == ["thekite", "afilmbypip"]
    assert 0.03 < screen.coverage < 0.5
    assert screen.detail == 0.0
    assert screen.lines[0].y < screen.lines[1].y
    assert is_card(screen)


def test_pictures_without_text(tmp_path):
    paths = [written(tmp_path, scene(seed, 360, 640), f"{seed}.jpg") for seed in range(6)]
    for screen in read(paths):
        assert screen.texts == []
        assert screen.coverage == 0.0
        assert screen.detail > 0.1
        assert not is_card(screen)


def test_picture_with_a_sign_and_a_subtitle_is_a_picture(tmp_path):
    picture = lettered(
        lettered(scene(3, 360, 640), "BAKERY", 0.4, 0.8, x=0.25), "Pip: Where is the kite?", 0.93
    )
    (screen,) = read([written(tmp_path, picture)])
    assert [line.replace(" ", "") for line in screen.texts] == ["BAKERY", "Pip:Whereisthekite?"]
    assert not is_card(screen)


def test_same_picture_larger_has_the_same_text(tmp_path):
    picture = lettered(scene(3, 360, 640), "BAKERY", 0.4, 0.8)
    large = cv2.resize(picture, (1280, 720), interpolation=cv2.INTER_CUBIC)
    one, other = read([written(tmp_path, picture), written(tmp_path, large, "large.jpg")])
    assert one.texts == other.texts == ["BAKERY"]
    assert one.coverage == pytest.approx(other.coverage, abs=0.01)


def test_upright_and_tiny_pictures(tmp_path):
    tall = np.rot90(scene(1, 360, 640)).copy()
    assert [
        screen.texts
        for screen in read(
            [written(tmp_path, tall), written(tmp_path, scene(2, 16, 24), "tiny.jpg")]
        )
    ] == [[], []]


@pytest.mark.parametrize("text", ["Конец фильма", "סוף הסרט", "نهاية الفيلم", "დასასრული ფილმის"])
def test_a_card_in_a_script_that_is_not_read_is_a_card(tmp_path, text):
    """Its lines have boxes."""
    picture = Image.new("RGB", (640, 360), (30, 60, 160))
    font = ImageFont.truetype(
        str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans-Bold.ttf"), 32
    )
    for y in (130, 210):
        ImageDraw.Draw(picture).text((320, y), text, "white", font=font, anchor="mm")
    (screen,) = read([written(tmp_path, np.asarray(picture))])
    assert len(screen.lines) == 2
    assert is_card(screen)


def test_a_flat_drawing_with_a_logo_a_sign_or_a_number_is_a_picture(tmp_path):
    """It has as few edges as a card has."""
    for text, x, y, size in (
        ("TOON", 0.9, 0.1, 1.2),
        ("KIDS TV", 0.14, 0.1, 1.0),
        ("FunBox", 0.86, 0.93, 1.4),
        ("23", 0.3, 0.72, 1.2),
        ("BAKERY", 0.65, 0.5, 1.2),
    ):
        (screen,) = read([written(tmp_path, lettered(drawing(1), text, y, size, x))])
        assert [line.replace(" ", "") for line in screen.texts] == [text.replace(" ", "")]
        assert screen.detail < 0.08
        assert not is_card(screen), text


def test_a_file_that_is_not_an_image(tmp_path):
    (tmp_path / "x.jpg").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"x\.jpg is not an image"):
        read([str(tmp_path / "x.jpg")])
