"""A decoded frame as people see it, and what can be read off two pictures without a network.

Turning, cropping and square pixels; JPEG; the perceptual hash and likeness by it; motion between
two frames.
"""

from __future__ import annotations

import dataclasses

import av
import cv2
import numpy as np
from av.video.reformatter import Colorspace
from numpy.typing import NDArray

JPEG_QUALITY = 95
_HASH_SIDE = 16  # 16 x 16 = 256 bits
_UNSPECIFIED = 2  # AVCOL_SPC_UNSPECIFIED
_FLOW = (160, 90)  # width, height at which motion is measured

_TURNS = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}


@dataclasses.dataclass(frozen=True)
class Geometry:
    """What lies between a decoded frame and the picture that people see."""

    bars: tuple[int, int, int, int] = (0, 0, 0, 0)  # rows above, below, columns left, right
    aspect: float = 1.0  # width of a decoded pixel over its height
    rotation: int = 0  # degrees clockwise


def displayed(frame: av.VideoFrame, geometry: Geometry) -> tuple[NDArray[np.uint8], list[int]]:
    """A frame without its bars, with square pixels, turned: BGR uint8 [height, width, 3].

    Also returns x, y, width, height of what was kept, in the turned frame with its bars.
    """
    # Film that does not say how it codes colour is BT.709 in HD and BT.601 below, by custom.
    matrix = (
        None
        if frame.colorspace != _UNSPECIFIED
        else (Colorspace.ITU709 if frame.height >= 720 else Colorspace.ITU601)
    )
    picture = frame.to_ndarray(format="bgr24", src_colorspace=matrix)
    above, below, left, right = geometry.bars
    height, width = picture.shape[:2]
    picture = picture[above : height - below, left : width - right]
    if abs(geometry.aspect - 1) > 0.01:
        size = max(1, round(picture.shape[1] * geometry.aspect)), picture.shape[0]
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        left, right = round(left * geometry.aspect), round(right * geometry.aspect)
    if geometry.rotation in _TURNS:
        picture = cv2.rotate(picture, _TURNS[geometry.rotation])
    for _ in range(geometry.rotation // 90):  # a clockwise turn brings the left side to the top
        above, right, below, left = left, above, right, below
    return np.ascontiguousarray(picture), [left, above, picture.shape[1], picture.shape[0]]


def encode(picture: NDArray[np.uint8]) -> bytes:
    """A BGR picture as JPEG. The same picture gives the same bytes."""
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].tobytes()


def thumbnail(picture: NDArray[np.uint8], longest: int = 320) -> NDArray[np.uint8]:
    """The picture with its longer side at most `longest` pixels."""
    scale = min(1.0, longest / max(picture.shape[:2]))
    size = max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


def perceptual_hash(luma: NDArray[np.uint8]) -> str:
    """256 bits as 64 hex digits: the signs of the low frequencies against their median.

    The DCT hash of C. Zauner, "Implementation and benchmarking of perceptual image hash
    functions" (2010), with 16 x 16 coefficients.
    """
    little = cv2.resize(luma, (64, 64), interpolation=cv2.INTER_AREA).astype(np.float32)
    low = cv2.dct(little)[:_HASH_SIDE, :_HASH_SIDE]
    bits = (low > np.median(low)).flatten()
    return np.packbits(bits).tobytes().hex()


def alike(one: str, other: str) -> float:
    """Share of equal bits of two hashes: 1 for the same picture, about 0.5 for unrelated ones."""
    return 1 - (int(one, 16) ^ int(other, 16)).bit_count() / (4 * len(one))


def motion(
    frame: av.VideoFrame, after: av.VideoFrame | None, geometry: Geometry
) -> tuple[list[float], list[float]]:
    """How the camera and how the subject moves, each x, y in frame widths a second.

    Dense flow between the frame and the next one: the camera is the median flow at the border, the
    subject the mean flow of what moves differently. Nothing certain is 0, 0.
    """
    still = [0.0, 0.0], [0.0, 0.0]
    if after is None or after.time is None or frame.time is None or after.time <= frame.time:
        return still
    now, then = (
        cv2.resize(
            cv2.cvtColor(displayed(each, geometry)[0], cv2.COLOR_BGR2GRAY),
            _FLOW,
            interpolation=cv2.INTER_AREA,
        )
        for each in (frame, after)
    )
    if cv2.mean(cv2.absdiff(now, then))[0] > 40:  # the next frame is another shot's
        return still
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST).calc(now, then, None)  # type: ignore[call-overload]
    border = np.ones(flow.shape[:2], bool)
    border[10:-10, 16:-16] = False
    camera = np.median(flow[border], axis=0)
    own = flow - camera
    moving = np.linalg.norm(own, axis=2) > 0.5
    subject = own[moving].mean(axis=0) if moving.mean() > 0.01 else np.zeros(2)
    a_second = 1 / (float(after.time) - float(frame.time)) / _FLOW[0]
    return (
        [round(float(v) * a_second, 3) for v in camera],
        [round(float(v) * a_second, 3) for v in subject],
    )
