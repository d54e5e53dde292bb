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
_OUTLINE = 60  # the same at 80 across, where texture is averaged away and outlines are left
_BLOCK = 5  # pixels, the side of a block at 80 across
_LONG = 2.0  # width over height of a line that cannot be read: faces are taken for text, too
_TALL = 0.25  # share of the image's height that such a line has at most


@dataclasses.dataclass(frozen=True)
class Line:
    """A line of text and its place, in shares of the image's width and height."""

    text: str  # "" for a line that cannot be read, as in a script other than Latin and Chinese
    x: float  # its centre
    y: float
    width: float
    height: float
    area: float  # share of the image's area
    confidence: float = 1.0  # of the reading, 0..1


@dataclasses.dataclass(frozen=True)
class ScreenText:
    """The text on one image, in reading order."""

    lines: list[Line]
    detail: float  # share of what is outside of the lines read that is edges or texture, 0..1
    outlines: float  # share of the image's blocks, outside of all lines, that outlines cross

    @property
    def coverage(self) -> float:
        """Returns the share of the image's area that lies in lines that can be read, 0..1."""
        return sum(line.area for line in self.lines if line.text)

    @property
    def texts(self) -> list[str]:
        """Returns the text of each line that can be read."""
        return [line.text for line in self.lines if line.text]


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
    quads = [quad / np.float32(scale) for quad in found] if found is not None else []
    read_of = _texts(image, quads)
    lines = [
        _line(*read_of.get(number, ("", 0.0)), quad, height, width)
        for number, quad in enumerate(quads)
    ]
    return ScreenText(
        [
            line
            for line in lines
            if line.text
            or (line.height <= _TALL and line.width * width > _LONG * line.height * height)
        ],
        _detail(image, [quads[number] for number in sorted(read_of)]),
        _outlines(image, quads),
    )


def _texts(
    image: NDArray[np.uint8], quads: Sequence[NDArray[np.float32]]
) -> dict[int, tuple[str, float]]:
    """Reads the _MOST_LINES largest quads; returns text and confidence of those that are read, by
    number."""
    order = sorted(range(len(quads)), key=lambda i: -cv2.contourArea(quads[i]))[:_MOST_LINES]
    numbers = sorted(order)
    if not numbers:
        return {}
    crops = _engine().get_crop_img_list(image, [quads[number] for number in numbers])
    return {
        number: (text.strip(), float(confidence))
        for number, (text, confidence, *_) in zip(
            numbers, _engine().text_rec(crops)[0], strict=True
        )
        if confidence >= _CONFIDENCE and sum(map(str.isalnum, text)) >= 2
    }


def _line(text: str, confidence: float, quad: NDArray[np.float32], height: int, width: int) -> Line:
    x, y = quad.mean(axis=0)
    wide = (quad[1:3, 0].sum() - quad[[0, 3], 0].sum()) / 2
    tall = (quad[2:, 1].sum() - quad[:2, 1].sum()) / 2
    return Line(
        text,
        round(float(x) / width, 4),
        round(float(y) / height, 4),
        round(float(wide) / width, 4),
        round(float(tall) / height, 4),
        round(float(cv2.contourArea(quad)) / (height * width), 4),
        round(confidence, 4),
    )


def _mask(quads: Sequence[NDArray[np.float32]], height: int, width: int) -> NDArray[np.uint8]:
    mask = np.zeros((height, width), np.uint8)
    for quad in quads:
        cv2.fillPoly(mask, [np.round(quad).astype(np.int32)], 255)
    return mask


def _detail(image: NDArray[np.uint8], quads: Sequence[NDArray[np.float32]]) -> float:
    """Returns the share of pixels, at 320 across and outside the quads, that are on edges."""
    edges, outside = _edges(image, quads, 320, _EDGE, 7)
    return round(float(edges[outside].mean()), 4) if outside.any() else 0.0


def _outlines(image: NDArray[np.uint8], quads: Sequence[NDArray[np.float32]]) -> float:
    """Returns the share of blocks, outside the quads, that outlines cross.

    A flat drawing has few pixels on edges, as a plain ground has, but they lie all over it.
    """
    edges, outside = _edges(image, quads, 80, _OUTLINE, 5)
    rows, columns = (max(1, side // _BLOCK) for side in edges.shape)
    crossed = total = 0
    for block, free in zip(
        _blocks(edges & outside, rows, columns), _blocks(outside, rows, columns), strict=True
    ):
        if free.mean() > 0.3:
            total += 1
            crossed += bool(block.any())
    return round(crossed / total, 4) if total else 0.0


def _blocks(values: NDArray[np.bool_], rows: int, columns: int) -> list[NDArray[np.bool_]]:
    return [
        block for row in np.array_split(values, rows) for block in np.array_split(row, columns, 1)
    ]


def _edges(
    image: NDArray[np.uint8],
    quads: Sequence[NDArray[np.float32]],
    across: int,
    levels: int,
    margin: int,
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Returns which pixels of an image made `across` wide are on edges and which lie outside the
    quads and a margin, as letters extend a little beyond their boxes."""
    height, width = image.shape[:2]
    size = (across, max(1, round(across * height / width)))
    luma = cv2.cvtColor(cv2.resize(image, size, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY)
    edges = (
        np.abs(cv2.Sobel(luma, cv2.CV_16S, 1, 0)) + np.abs(cv2.Sobel(luma, cv2.CV_16S, 0, 1))
    ) > levels
    scale = np.array([size[0] / width, size[1] / height], np.float32)
    text = cv2.dilate(
        _mask([quad * scale for quad in quads], size[1], size[0]),
        np.ones((margin, margin), np.uint8),
    )
    return edges, text == 0
