"""OCR: reads the text on images.

PP-OCRv4 (rapidocr-onnxruntime, its models inside the wheel) detects lines in a small copy of an
image and reads them in the full one. It reads Latin and Chinese letters. The thresholds were set on
"Big Buck Bunny" and its trailer, a frame per second: no text is read where there is none.
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
from pipeline.runtime.images import decode_bgr

_SIDE = 640  # pixels, the longest side for detection; at 480 small credits are lost
_MOST_LINES = 8  # read of an image: a screen full of names tells no more than its largest
_CONFIDENCE = 0.6  # real lines have 0.61 or more; what is read in fur has 0.58 at most
_EDGE = 40  # 8-bit levels, the sum of both Sobel gradients from which a pixel counts as detail


@dataclasses.dataclass(frozen=True)
class Box:
    """The place of a line, in shares of the image's width and height."""

    x: float  # its centre
    y: float
    height: float


@dataclasses.dataclass(frozen=True)
class ScreenText:
    """The text on one image, in reading order."""

    lines: list[str]
    boxes: list[Box]  # of each line
    coverage: float  # share of the image's area that lies in text boxes, 0..1
    detail: float  # share of the rest that is edges or texture, 0..1


@functools.cache
def _engine() -> Any:
    from rapidocr_onnxruntime import RapidOCR  # takes a second: imported where it is used

    cv2.setNumThreads(1)  # there is a worker per core: more threads would only compete
    return RapidOCR(
        intra_op_num_threads=1, inter_op_num_threads=1, det_limit_type="min", det_limit_side_len=32
    )  # `_read` has scaled the image


def read(images: Sequence[str]) -> list[ScreenText]:
    """Reads the text on each image file, in the order given.

    Raises OSError where a file is missing and ImageError where it is not an image.
    """
    return [_read(path) for path in images]


def _read(path: str) -> ScreenText:
    image = decode_bgr(storage.read_bytes(path), path)
    height, width = image.shape[:2]
    scale = min(1.0, _SIDE / max(height, width))
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    found, _ = _engine().auto_text_det(small)
    if found is None:
        return ScreenText([], [], 0.0, _detail(image, []))
    quads = _largest([quad / np.float32(scale) for quad in found])
    texts, _ = _engine().text_rec(_engine().get_crop_img_list(image, quads))
    sure = [
        (text.strip(), quad)
        for (text, confidence, *_), quad in zip(texts, quads, strict=True)
        if confidence >= _CONFIDENCE and sum(map(str.isalnum, text)) >= 2
    ]
    text_quads = [quad for _, quad in sure]
    covered = cv2.countNonZero(_mask(text_quads, height, width)) / (height * width)
    return ScreenText(
        [text for text, _ in sure],
        [_box(quad, height, width) for quad in text_quads],
        round(covered, 4),
        _detail(image, text_quads),
    )


def _largest(quads: list[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
    """Returns the _MOST_LINES quads with the largest area, in the order given."""
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


def _detail(image: NDArray[np.uint8], quads: Sequence[NDArray[np.float32]]) -> float:
    """Returns the share of pixels, at 320 across and outside the quads, that are on edges."""
    height, width = image.shape[:2]
    size = (320, max(1, round(320 * height / width)))
    luma = cv2.cvtColor(cv2.resize(image, size, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY)
    edges = (
        np.abs(cv2.Sobel(luma, cv2.CV_16S, 1, 0)) + np.abs(cv2.Sobel(luma, cv2.CV_16S, 0, 1))
    ) > _EDGE
    scale = np.array([size[0] / width, size[1] / height], np.float32)
    text = cv2.dilate(
        _mask([quad * scale for quad in quads], size[1], size[0]), np.ones((7, 7), np.uint8)
    )  # letters extend a little beyond their boxes
    outside = text == 0
    return round(float(edges[outside].mean()), 4) if outside.any() else 0.0
