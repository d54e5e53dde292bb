"""Geometry of a frame: letterbox bars, pixel aspect and rotation between it and the image shown."""

from __future__ import annotations

import dataclasses

import av
import cv2
import numpy as np
from av.video.reformatter import Colorspace
from numpy.typing import NDArray

from pipeline.keyframes.combing import is_combed
from pipeline.keyframes.frame_stats import planes
from pipeline.keyframes.interlacing import deinterlaced
from pipeline.keyframes.tone_mapping import is_hdr, tone_mapped

_UNSPECIFIED = 2  # AVCOL_SPC_UNSPECIFIED
_TURNS = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}


@dataclasses.dataclass(frozen=True)
class Geometry:
    """What turns a decoded frame into the image that people see."""

    bars: tuple[int, int, int, int] = (0, 0, 0, 0)  # rows above, below, columns left, right
    aspect: float = 1.0  # width of a decoded pixel over its height
    rotation: int = 0  # degrees clockwise
    interlaced: bool = False  # combed frames are deinterlaced


def displayed_luma(
    frame: av.VideoFrame, geometry: Geometry, size: tuple[int, int]
) -> NDArray[np.uint8]:
    """Returns the luma of a frame without its bars, turned and scaled to a width and height: uint8
    [height, width]."""
    luma = planes(frame)[0]
    above, below, left, right = geometry.bars
    luma = luma[above : luma.shape[0] - below, left : luma.shape[1] - right]
    turned = geometry.rotation in (90, 270)
    rows = max(1, luma.shape[0] // (2 * size[0 if turned else 1]))  # two for each of the image
    scaled = cv2.resize(luma[::rows], size[::-1] if turned else size, interpolation=cv2.INTER_AREA)
    if geometry.rotation in _TURNS:
        scaled = cv2.rotate(scaled, _TURNS[geometry.rotation])
    return np.asarray(scaled, np.uint8)


def displayed(frame: av.VideoFrame, geometry: Geometry) -> tuple[NDArray[np.uint8], list[int]]:
    """Returns a frame without its bars, with square pixels, turned: BGR uint8 [height, width, 3].

    In an interlaced film it is deinterlaced, if it is combed; HDR is tone-mapped.
    Also returns x, y, width, height of the area kept, in the turned frame with its bars.
    """
    if geometry.interlaced and is_combed(planes(frame)[0]):
        frame = deinterlaced(frame)
    # Film that does not say how it codes colour is BT.709 in HD and BT.601 below, by custom.
    matrix = (
        None
        if frame.colorspace != _UNSPECIFIED
        else (Colorspace.ITU709 if frame.height >= 720 else Colorspace.ITU601)
    )
    image = np.asarray(
        tone_mapped(frame)
        if is_hdr(frame)
        else frame.to_ndarray(format="bgr24", src_colorspace=matrix),
        np.uint8,
    )
    above, below, left, right = geometry.bars
    height, width = image.shape[:2]
    image = image[above : height - below, left : width - right]
    if abs(geometry.aspect - 1) > 0.01:
        size = max(1, round(image.shape[1] * geometry.aspect)), image.shape[0]
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        left, right = round(left * geometry.aspect), round(right * geometry.aspect)
    if geometry.rotation in _TURNS:
        image = cv2.rotate(image, _TURNS[geometry.rotation])
    for _ in range(geometry.rotation // 90):  # a clockwise turn brings the left side to the top
        above, right, below, left = left, above, right, below
    return np.ascontiguousarray(image), [left, above, image.shape[1], image.shape[0]]
