import cv2
import numpy as np
import pytest

from pipeline.keyframes.local_change import largest_change, small_lab
from pipeline.runtime.images import decode_bgr, encode_jpeg
from pipeline.testing.films import scene

PLACE = cv2.cvtColor(scene(1, 360, 640), cv2.COLOR_RGB2BGR)


def with_figure(x=300, lean=0, colour=(40, 60, 220)):
    """The place with somebody in it, a twelfth of its height: `lean` moves the head, in pixels."""
    image = PLACE.copy()
    cv2.ellipse(image, (x, 200), (12, 24), 0, 0, 360, colour, -1)
    cv2.circle(image, (x + lean, 168), 12, colour, -1)
    return image


def change(image, other):
    return largest_change(small_lab(image), small_lab(other))


def test_who_enters_moves_or_is_somebody_else_has_changed_the_image():
    here = with_figure()
    assert change(PLACE, here) > 0.005
    assert change(here, with_figure(x=360)) > 0.005
    assert change(here, with_figure(colour=(220, 120, 40))) > 0.005


def test_it_is_the_share_of_the_largest_changed_region():
    image, other = np.full((360, 640, 3), 90, np.uint8), np.full((360, 640, 3), 90, np.uint8)
    other[100:200, 100:300] = (30, 30, 240)
    other[300:320, 500:540] = (30, 30, 240)  # a smaller one does not count
    assert change(image, other) == pytest.approx(100 * 200 / (360 * 640), rel=0.2)  # edges blur


@pytest.mark.parametrize(
    "again",
    [
        lambda image: image,
        lambda image: decode_bgr(encode_jpeg(image), "image.jpg"),
        lambda image: np.roll(image, 8, axis=1)[:, 8:],  # the camera moves a little
        lambda image: (image * 0.92).astype(np.uint8),  # it gets darker
        lambda image: cv2.resize(image[6:-6, 10:-10], (640, 360)),  # the camera comes nearer
        lambda image: np.clip(
            image + np.random.default_rng(0).normal(0, 10, image.shape), 0, 255
        ).astype(np.uint8),
    ],
    ids=["same", "compressed", "shifted", "darker", "zoomed", "grainy"],
)
def test_the_same_picture_taken_again_has_not_changed(again):
    image = with_figure()
    assert change(image, cv2.resize(again(image), (640, 360))) < 0.005


def test_images_of_other_proportions_have_changed_altogether():
    assert change(PLACE, PLACE[:200]) == 1
