"""Pictures of characters are cut from those of their keyframes."""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.cast import crops
from pipeline.runtime.images import decode_bgr, encode_jpeg
from schemas.rows import SPEECH, Appearance, CastMember
from tests.pipeline import rows

FRAME = rows.keyframe("film", 1.0)
CROP = crops.path("Forest Tales", "Big Otto", FRAME.id)
OTTO = CastMember(
    "Forest Tales", "Big Otto", True, "grey", 1, ["film"], FRAME.id, FRAME.id, [], [], [CROP]
)
BOX = [40, 30, 60, 80]
APPEARANCE = Appearance(FRAME.id, "film", "Forest Tales", "Big Otto", BOX, 1.0, SPEECH)


def dataset(tmp_path) -> str:
    """A dataset with a picture that is black but for a red figure."""
    picture = np.zeros((180, 320, 3), np.uint8)
    x, y, width, height = BOX
    cv2.rectangle(picture, (x, y), (x + width - 1, y + height - 1), (0, 0, 255), -1)
    path = tmp_path / FRAME.image
    path.parent.mkdir(parents=True)
    path.write_bytes(encode_jpeg(picture))
    return str(tmp_path)


def test_a_path_has_names_that_every_system_takes():
    assert f"characters/Forest-Tales/Big-Otto/{FRAME.id}.jpg" == CROP
    assert crops.keyframes(OTTO) == [FRAME.id]


def test_a_crop_shows_the_box_and_nothing_else(tmp_path):
    assert crops.save(dataset(tmp_path), [OTTO], [APPEARANCE]) == [CROP]
    crop = decode_bgr((tmp_path / CROP).read_bytes(), CROP)
    assert crop.shape == (80, 60, 3)
    blue, green, red = crop.mean(axis=(0, 1))
    assert red > 200 and max(blue, green) < 40


def test_what_is_the_same_is_not_written_again(tmp_path):
    out, replaced = dataset(tmp_path), []
    crops.save(out, [OTTO], [APPEARANCE])
    crops.save(out, [OTTO], [APPEARANCE], lambda: replaced.append("first"))
    assert replaced == []
    (tmp_path / CROP).write_bytes(b"another")
    crops.save(out, [OTTO], [APPEARANCE], lambda: replaced.append("second"))
    assert replaced == ["second"]
    assert decode_bgr((tmp_path / CROP).read_bytes(), CROP).shape == (80, 60, 3)


def test_without_its_keyframe_there_is_no_crop(tmp_path):
    out = dataset(tmp_path)
    (tmp_path / FRAME.image).unlink()
    assert crops.save(out, [OTTO], [APPEARANCE]) == []
    assert crops.save(out, [OTTO], []) == []
