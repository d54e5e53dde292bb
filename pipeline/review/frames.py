"""Decodes frames of a film that may stand in a keyframe's place: others of the same shot."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.ingest.video import first_frame, open_video, pixel_aspect, video_stream
from pipeline.keyframes.decode import frames_at_times
from pipeline.keyframes.geometry import Geometry, displayed
from pipeline.keyframes.near_duplicates import perceptual_hash
from pipeline.runtime.images import encode_jpeg
from schemas import layout
from schemas.published import keyframe_id
from schemas.rows import Keyframe, Video

OFFERED = 8  # frames of a shot
_MEASURED = (320, 180)  # pixels at which sharpness is measured, as by the scan
# What reading a film may raise.
ERRORS = (OSError, ValueError, av.FFmpegError, cv2.error, EOFError, IndexError, MemoryError)


def times_in_shot(keyframe: Keyframe, fps: float) -> list[float]:
    """Returns times in a keyframe's shot, evenly spaced, to offer frames at."""
    frame_time = 1 / fps if fps > 0 else 0.04
    start, end = keyframe.shot_start, keyframe.shot_end
    count = min(OFFERED, int((end - start) / frame_time) + 1)
    return [start + (end - start) * at / max(1, count - 1) for at in range(count)]


def decode(film: Video, times: Sequence[float], threads: int = 1) -> dict[float, NDArray[np.uint8]]:
    """Decodes the frames nearest to some times: as shown, BGR uint8, by their own times.

    `film` is as probed, with its place now. Times without a frame are left out. Raises ERRORS
    where the film cannot be read.
    """
    with open_video(film.uri) as container:
        stream = video_stream(container)
        aspect = float(pixel_aspect(stream))
        start, base = first_frame(container, stream).pts or 0, float(stream.time_base or 1)
    above, below, left, right = film.bars
    geometry = Geometry((above, below, left, right), aspect, film.rotation, film.interlaced)
    found = {}
    for frame in frames_at_times(film.uri, sorted(times), threads, skip=True):
        if frame is None or frame.height <= above + below or frame.width <= left + right:
            continue
        found[round(((frame.pts or 0) - start) * base, 6)] = displayed(frame, geometry)[0]
    return found


def swapped(
    keyframes: Mapping[float, Keyframe], film: Video, threads: int = 1
) -> dict[str, tuple[Keyframe, bytes]]:
    """Returns the keyframes that stand in others' places, and their JPEGs, by the others' ids.

    `keyframes` are those replaced, by the times of the frames that replace them; those without a
    frame there are left out. What is said of the whole shot stays. Raises as `decode` does.
    """
    images = decode(film, list(keyframes), threads)
    found = {}
    for time, keyframe in keyframes.items():
        image = images.get(round(time, 6))
        if image is None or image.shape[:2] != (keyframe.height, keyframe.width):
            continue
        data, name = encode_jpeg(image), keyframe_id(film.id, time)
        luma = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        small = cv2.resize(luma, _MEASURED, interpolation=cv2.INTER_AREA)
        found[keyframe.id] = (
            dataclasses.replace(
                keyframe,
                id=name,
                image=layout.image_path(film.id, name),
                time=round(time, 6),
                bytes=len(data),
                sha256=hashlib.sha256(data).hexdigest(),
                phash=perceptual_hash(np.asarray(luma, np.uint8)),
                sharpness=round(float(cv2.Laplacian(small, cv2.CV_64F).var()), 3),
                brightness=round(float(luma.mean()) / 255, 4),
            ),
            data,
        )
    return found
