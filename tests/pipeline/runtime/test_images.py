import cv2
import numpy as np
import pytest

from pipeline.runtime.images import (
    ImageError,
    decode_bgr,
    decode_luma,
    decode_pil,
    encode_jpeg,
    thumbnail,
)
from pipeline.testing.films import scene


def test_an_encoded_image_is_decoded_in_each_form():
    image = scene(1)[..., ::-1].copy()  # BGR
    data = encode_jpeg(image)
    assert data == encode_jpeg(image)
    bgr = decode_bgr(data, "image.jpg")
    assert bgr.shape == image.shape and bgr.dtype == np.uint8
    assert np.abs(bgr.astype(int) - image).mean() < 5
    luma = decode_luma(data, "image.jpg")
    assert np.abs(luma.astype(int) - cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)).mean() < 3
    rgb = decode_pil(data, "image.jpg")
    assert (rgb.mode, rgb.size) == ("RGB", (image.shape[1], image.shape[0]))
    assert np.abs(np.asarray(rgb)[..., ::-1].astype(int) - bgr).max() <= 8


@pytest.mark.parametrize("decode", [decode_bgr, decode_luma, decode_pil])
@pytest.mark.parametrize("data", [b"", b"words"])
def test_what_is_not_an_image_is_an_error_that_names_it(decode, data):
    with pytest.raises(ImageError, match=r"^words\.jpg is not an image$"):
        decode(data, "words.jpg")


def test_a_thumbnail_has_a_longest_side_and_is_never_enlarged():
    assert thumbnail(scene(1, 720, 1280)).shape == (180, 320, 3)
    assert thumbnail(scene(1, 1280, 720), 640).shape == (640, 360, 3)
    assert thumbnail(scene(1, 90, 160)).shape == (90, 160, 3)
