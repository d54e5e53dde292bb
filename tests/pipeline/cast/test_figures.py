"""Figures are found in pictures drawn here, of which nothing is known beforehand."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from pipeline.cast import features, figures
from pipeline.inference.builtin import colour_names
from pipeline.runtime.images import decode_reduced, encode_jpeg
from tests.pipeline import rows

ORANGE, BLUE = (240, 112, 58), (95, 159, 224)


def place(seed: int) -> np.ndarray:
    """A meadow with soft hills under a sky, other ones for every seed."""
    rng = np.random.default_rng(seed)
    picture = np.full((360, 640, 3), (150, 200, 240), np.uint8)
    for _ in range(6):
        at, wide = rng.integers(0, 640), int(rng.integers(60, 200))
        colour = tuple(int(part) for part in rng.integers((70, 130, 60), (110, 180, 90)))
        cv2.ellipse(picture, (int(at), 330), (wide, 90), 0, 0, 360, colour, -1)
    picture[270:] = (100, 160, 70)
    return cv2.GaussianBlur(picture, (0, 0), 3)


def draw(picture: np.ndarray, x: int, colour: tuple[int, int, int], size: int = 40) -> None:
    """A figure as cartoons have them: head with eyes, body, dark outline."""
    for y, tall in ((180, size), (180 + int(1.7 * size), int(1.1 * size))):
        cv2.ellipse(picture, (x, y), (size, tall), 0, 0, 360, colour, -1, cv2.LINE_AA)
        cv2.ellipse(picture, (x, y), (size, tall), 0, 0, 360, (50, 20, 40), 4, cv2.LINE_AA)
    for side in (-1, 1):
        cv2.circle(picture, (x + side * size // 3, 175), size // 5, (255, 255, 255), -1)
        cv2.circle(picture, (x + side * size // 3, 175), size // 9, (20, 10, 20), -1)


def film(*shots: list[tuple[int, tuple[int, int, int]]]) -> list[features.Measured]:
    measured = []
    for seed, actors in enumerate(shots):
        picture = place(seed)
        for x, colour in actors:
            draw(picture, x, colour)
        measured.append(features.measure(picture))
    return measured


@pytest.fixture(scope="module")
def found() -> list[list[figures.Figure]]:
    """Twelve pictures: one figure in the first eight, two far from each other in the others."""
    alone = [[(200 + 30 * at, ORANGE if at % 2 else BLUE)] for at in range(8)]
    both = [[(200, ORANGE), (430 + 10 * at, BLUE)] for at in range(4)]
    return figures.find(film(*alone, *both))


def middle(figure: figures.Figure) -> float:
    return 640 * (figure.box[0] + figure.box[2]) / 2


def test_a_figure_is_found_where_it_stands(found):
    for at, in_picture in enumerate(found[:8]):
        largest = in_picture[0]
        assert abs(middle(largest) - (200 + 30 * at)) < 30
        assert largest.box[1] < 0.5 < largest.box[3]
        assert largest.score > 0


def test_two_figures_are_found_apart(found):
    for in_picture in found[8:]:
        left, right = sorted(in_picture[:2], key=middle)
        assert middle(left) < 320 < middle(right)


def test_boxes_are_those_of_the_figures(found):
    for at, in_picture in enumerate(found[:8]):
        (figure,) = in_picture
        x = 200 + 30 * at
        assert figure.box == pytest.approx(
            ((x - 42) / 640, 138 / 360, (x + 42) / 640, 294 / 360), abs=0.02
        )


def test_pictures_in_which_nothing_is_outlined_teach_nothing(monkeypatch):
    pictures = film([(320, ORANGE)])
    monkeypatch.setattr(figures, "_ROUNDS", 0)
    first = figures.find(pictures)
    monkeypatch.undo()
    monkeypatch.setattr(figures, "_outlined", lambda *_: np.zeros((28, 48), np.float32))
    assert figures.find(pictures) == first


def test_a_film_without_pictures_has_no_figures():
    assert figures.find([]) == []


def test_a_picture_of_nothing_is_no_error():
    assert figures.find([features.measure(np.full((360, 640, 3), 128, np.uint8))]) == [[]]


def test_the_same_pictures_give_the_same_figures():
    pictures = film([(300, ORANGE)], [(200, BLUE)], [(400, ORANGE)])
    assert figures.find(pictures) == figures.find(pictures)


@pytest.mark.parametrize(
    ("width", "height", "reduction"),
    [(640, 360, 1), (768, 448, 2), (1280, 720, 2), (1920, 800, 2), (3840, 2160, 8)],
)
def test_a_picture_is_decoded_no_smaller_than_the_network_sees_it(width, height, reduction):
    keyframe = rows.keyframe("film", 1.0, width=width, height=height)
    assert features.reduction(keyframe) == reduction


def test_a_reduced_picture_measures_alike():
    """At half its size a picture of 1280x720 has the features that it has at its own."""
    picture = cv2.resize(place(3), (1280, 720))
    draw(picture, 500, ORANGE, 80)
    data = encode_jpeg(picture)
    whole, half = (
        features.measure(decode_reduced(data, "picture", reduction)).cells for reduction in (1, 2)
    )
    assert np.corrcoef(whole.ravel(), half.ravel())[0, 1] > 0.99


def blocks(*columns: tuple[int, int, tuple[int, int, int]]) -> list[np.ndarray]:
    """Cuts one outline of blocks side by side, each with width, height and RGB colour."""
    mask, picture = np.zeros((81, 144), bool), np.zeros((81, 144, 3), np.uint8)
    x = 20
    for width, height, colour in columns:
        mask[70 - height : 70, x : x + width] = True
        picture[:, x : x + width] = colour
        x += width
    return figures._cut(mask, colour_names.to_lab(picture))


def test_two_of_other_colours_in_one_outline_are_cut_where_it_is_thin():
    parts = blocks((20, 60, ORANGE), (4, 30, ORANGE), (20, 60, BLUE))
    assert len(parts) == 2


def test_ears_of_one_colour_are_no_two_figures():
    """Between the ears of a fox an outline is lower too, by less than between two figures."""
    assert len(blocks((20, 60, ORANGE), (8, 40, ORANGE), (20, 60, ORANGE))) == 1


def test_two_who_hardly_touch_are_cut_though_they_are_of_one_colour():
    assert len(blocks((20, 60, ORANGE), (8, 5, ORANGE), (20, 60, ORANGE))) == 2


def test_a_look_has_the_shares_of_colours_and_the_mean_colour(found):
    orange = found[1][0]
    shares = orange.look[-features.COLOURS : features.SHADES - features.COLOURS]
    assert len(orange.look) == 112 + features.COLOURS
    assert colour_names.NAMES[int(np.argmax(shares))] == "orange"
    assert sum(share**2 for share in shares) == pytest.approx(1, abs=0.01)
