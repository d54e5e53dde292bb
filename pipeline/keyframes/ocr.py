"""Text on the screen: what it says, and whether a picture is little else than text.

PP-OCRv4 (rapidocr-onnxruntime, its models inside the wheel) finds text in a small copy of a picture
and reads the places it found in the full one. It reads Latin and Chinese letters. The thresholds
were tried on "Big Buck Bunny" and its trailer, a frame a second: each title and credit card is
found, no other frame is, and no text is read where there is none.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.runtime import storage

_SIDE = 640  # pixels, the longest side text is looked for at; at 480 small credits are lost
_MOST_LINES = 8  # read of one picture: a screen full of names tells no more than its largest
_CONFIDENCE = 0.6  # lines that are there have 0.61 and more; what is read in fur, 0.58 at most
_EDGE = 40  # 8-bit levels, the sum of both Sobel gradients from which a pixel counts as detail
_CARD_DETAIL = 0.05  # below: nothing to see but the text; the plainest tenth of pictures has 0.2
_CARD_COVERAGE = 0.01
_TITLE_COVERAGE = 0.04  # two lines or more that are large or in the middle of a picture
_TITLE_HEIGHT = 0.07  # of the picture: no sign in a street has lines so large
_LOGO_COVERAGE = 0.1  # so large that it hides the picture


@dataclasses.dataclass(frozen=True)
class Box:
    """Where a line is, in shares of the picture's width and height."""

    x: float  # its centre
    y: float
    height: float


@dataclasses.dataclass(frozen=True)
class ScreenText:
    """The text on one picture, in reading order."""

    lines: list[str]
    boxes: list[Box]  # of each line
    coverage: float  # share of the picture's area that lies in text boxes, 0..1
    detail: float  # share of the rest that is edges or texture, 0..1


@functools.cache
def _engine() -> Any:
    from rapidocr_onnxruntime import RapidOCR  # takes a second: only who reads text waits for it

    cv2.setNumThreads(1)  # a worker a core: threads inside would only fight
    return RapidOCR(
        intra_op_num_threads=1, inter_op_num_threads=1, det_limit_type="min", det_limit_side_len=32
    )  # we scale pictures ourselves


def read(images: Sequence[str]) -> list[ScreenText]:
    """The text on each picture file, in the order given.

    Raises OSError where a picture is not there and ValueError where it is no picture.
    """
    return [_read(path) for path in images]


def _read(path: str) -> ScreenText:
    picture = cv2.imdecode(np.frombuffer(storage.read_bytes(path), np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise ValueError(f"{path} is not a picture")
    height, width = picture.shape[:2]
    scale = min(1.0, _SIDE / max(height, width))
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    found, _ = _engine().auto_text_det(small)
    if found is None:
        return ScreenText([], [], 0.0, _detail(picture, []))
    quads = _largest([quad / np.float32(scale) for quad in found])
    texts, _ = _engine().text_rec(_engine().get_crop_img_list(picture, quads))
    sure = [
        (text.strip(), quad)
        for (text, confidence, *_), quad in zip(texts, quads, strict=True)
        if confidence >= _CONFIDENCE and sum(map(str.isalnum, text)) >= 2
    ]
    kept = [quad for _, quad in sure]
    covered = cv2.countNonZero(_mask(kept, height, width)) / (height * width)
    return ScreenText(
        [text for text, _ in sure],
        [_box(quad, height, width) for quad in kept],
        round(covered, 4),
        _detail(picture, kept),
    )


def _largest(quads: list[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
    """The _MOST_LINES quads with the largest area, in the order given."""
    areas = [cv2.contourArea(quad) for quad in quads]
    order = sorted(range(len(quads)), key=lambda i: -areas[i])[:_MOST_LINES]
    return [quads[i] for i in sorted(order)]


def _box(quad: NDArray[np.float32], height: int, width: int) -> Box:
    x, y = quad.mean(axis=0)
    tall = (quad[2:, 1].sum() - quad[:2, 1].sum()) / 2
    return Box(
        round(float(x) / width, 4), round(float(y) / height, 4), round(float(tall) / height, 4)
    )


def _mask(quads: Sequence[NDArray[np.float32]], height: int, width: int) -> NDArray[np.uint8]:
    mask = np.zeros((height, width), np.uint8)
    for quad in quads:
        cv2.fillPoly(mask, [np.round(quad).astype(np.int32)], 255)
    return mask


def _detail(picture: NDArray[np.uint8], quads: Sequence[NDArray[np.float32]]) -> float:
    """Share of a picture's pixels, at 320 across and outside the quads, that edges run through."""
    height, width = picture.shape[:2]
    size = (320, max(1, round(320 * height / width)))
    luma = cv2.cvtColor(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY)
    edges = (
        np.abs(cv2.Sobel(luma, cv2.CV_16S, 1, 0)) + np.abs(cv2.Sobel(luma, cv2.CV_16S, 0, 1))
    ) > _EDGE
    scale = np.array([size[0] / width, size[1] / height], np.float32)
    text = cv2.dilate(
        _mask([quad * scale for quad in quads], size[1], size[0]), np.ones((7, 7), np.uint8)
    )  # letters reach a little out of their boxes
    outside = text == 0
    return round(float(edges[outside].mean()), 4) if outside.any() else 0.0


def mostly_text(screen: ScreenText) -> bool:
    """Whether a picture is a title card or credits and no picture with a sign or a subtitle in it.

    It is one where the text hides the picture, where there is nothing to see but the text, or
    where several lines are large or in the middle. Subtitles do not count.
    """
    if all(_is_subtitle(box) for box in screen.boxes):
        return False
    if screen.coverage >= _LOGO_COVERAGE:
        return True
    if screen.detail < _CARD_DETAIL and screen.coverage >= _CARD_COVERAGE:
        return True
    title = [
        box
        for box in screen.boxes
        if not _is_subtitle(box) and (abs(box.x - 0.5) < 0.1 or box.height >= _TITLE_HEIGHT)
    ]
    return len(title) >= 2 and screen.coverage >= _TITLE_COVERAGE


def _is_subtitle(box: Box) -> bool:
    """A line in the middle of the lowest quarter, larger than rolling credits are."""
    return box.y > 0.75 and abs(box.x - 0.5) < 0.2 and box.height > 0.05
