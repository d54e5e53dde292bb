"""Probes this machine for two seconds: how much longer it takes than the one of the built-in rates.

Two kinds of work are timed as a run does them, on one core: a film is scanned, and the text on a
picture is read by a network. The times are wall time, so that a machine that does something else as
well counts as slow.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import cv2
import numpy as np

from pipeline.keyframes import ocr
from pipeline.keyframes.frame_stats import scan_film
from pipeline.runtime.images import encode_jpeg

# Seconds of the same work on the machine that the built-in rates were measured on.
SCAN, NETWORK = 0.1, 0.047
_FRAMES, _WIDTH, _HEIGHT = 360, 640, 360
_ROUNDS = 3


class Speed(NamedTuple):
    """Time that this machine takes as a multiple of that of the built-in rates."""

    scan: float = 1.0  # of decoding and measuring frames, which all other work is taken for, too
    network: float = 1.0  # of neural networks on pictures


def measure(clock: Callable[[], float] = time.perf_counter) -> Speed:
    """Measures the speed of this machine by the median of some rounds."""
    with tempfile.TemporaryDirectory(prefix="storystream-") as folder:
        film, picture = f"{folder}/probe.mp4", f"{folder}/probe.jpg"
        _write_film(film)
        Path(picture).write_bytes(encode_jpeg(_frame(0)))
        ocr.read([picture])  # loads the network
        return Speed(
            _median(lambda: scan_film(film), clock) / SCAN,
            _median(lambda: ocr.read([picture]), clock) / NETWORK,
        )


def _median(work: Callable[[], object], clock: Callable[[], float]) -> float:
    times = []
    for _ in range(_ROUNDS):
        began = clock()
        work()
        times.append(clock() - began)
    return statistics.median(times)


def _write_film(path: str) -> None:
    with av.open(path, "w") as container:
        video = container.add_stream("libx264", rate=24)
        video.width, video.height, video.pix_fmt = _WIDTH, _HEIGHT, "yuv420p"
        video.codec_context.time_base = Fraction(1, 24)
        video.options = {"preset": "ultrafast", "threads": "1"}
        for number in range(_FRAMES):
            frame = av.VideoFrame.from_ndarray(_frame(number), format="bgr24")
            frame.pts = number
            container.mux(video.encode(frame))
        container.mux(video.encode(None))


def _frame(number: int) -> np.ndarray:
    """Draws a frame of a film: a coarse background that moves, and a line of text."""
    coarse = np.random.default_rng(number // 40).integers(0, 256, (9, 17, 3), dtype=np.uint8)
    large = cv2.resize(coarse, (_WIDTH + 80, _HEIGHT), interpolation=cv2.INTER_CUBIC)
    left = 2 * (number % 40)
    frame = np.ascontiguousarray(large[:, left : left + _WIDTH])
    cv2.putText(frame, "STORY STREAM", (120, 200), cv2.FONT_HERSHEY_SIMPLEX, 2, (255, 255, 255), 4)
    return frame
