"""Motion between two frames: of the camera, and of what moves in front of it."""

from __future__ import annotations

import av
import cv2
import numpy as np

from pipeline.keyframes.geometry import Geometry, displayed_luma

_SIZE = (160, 90)  # width, height at which motion is measured
_CUT = 40.0  # mean difference in 8-bit levels: the next frame is of another shot
_MOVES = 0.5  # pixels of flow that differ from the camera's
_LEAST = 0.01  # share of the image that must move for a subject


def motion(
    frame: av.VideoFrame, beside: av.VideoFrame | None, geometry: Geometry
) -> tuple[list[float], list[float]]:
    """Measures camera and subject motion, each x, y in frame widths per second.

    By dense optical flow between the frame and the one before or after it: the camera's is the
    median flow at the border, the subject's the mean flow of what moves otherwise. Returns 0, 0
    where nothing is certain.
    """
    still = [0.0, 0.0], [0.0, 0.0]
    if beside is None or beside.time is None or frame.time is None:
        return still
    frame, following = sorted((frame, beside), key=lambda each: float(each.time or 0))
    seconds = float(following.time or 0) - float(frame.time or 0)
    if seconds <= 0:
        return still
    luma, next_luma = (displayed_luma(each, geometry, _SIZE) for each in (frame, following))
    if cv2.mean(cv2.absdiff(luma, next_luma))[0] > _CUT:
        return still
    optical_flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    flow = optical_flow.calc(luma, next_luma, None)  # type: ignore[call-overload]
    border = np.ones(flow.shape[:2], bool)
    border[10:-10, 16:-16] = False
    camera = np.median(flow[border], axis=0)
    relative = flow - camera
    moving = np.linalg.norm(relative, axis=2) > _MOVES
    subject = relative[moving].mean(axis=0) if moving.mean() > _LEAST else np.zeros(2)
    per_second = 1 / seconds / _SIZE[0]
    return (
        [round(float(v) * per_second, 3) for v in camera],
        [round(float(v) * per_second, 3) for v in subject],
    )
