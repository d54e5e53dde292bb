"""PySceneDetect's detectors on the frames of the cheap pass (Castellano, scenedetect.com)."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from pipeline.keyframes.frame_stats import FrameStats
from pipeline.keyframes.shots import Transition

_WIDTH = 256  # pixels that frames are scaled down to, as scenedetect does by default
_USUAL_RATE = 24.0  # frames per second, where a film states none

_BLACK = 16  # luma of black

Parameters = Mapping[str, bool | int | float | str]


def check(name: str, parameters: Parameters) -> None:
    """Raises ValueError where scenedetect is not installed or its detector takes no such
    parameters."""
    if importlib.util.find_spec("scenedetect") is None:
        raise ValueError(
            f"keyframes.detector=scenedetect:{name} needs scenedetect: "
            "pip install 'storystream[scenedetect]'"
        )
    _detector(name, parameters)


def _detector(name: str, parameters: Parameters) -> Any:
    """Returns scenedetect's detector, such as its AdaptiveDetector for "adaptive"."""
    kind = getattr(importlib.import_module("scenedetect"), f"{name.capitalize()}Detector")
    known = [
        word
        for word, parameter in inspect.signature(kind).parameters.items()
        if isinstance(parameter.default, bool | int | float | str | None)
    ]
    if unknown := sorted(set(parameters) - set(known)):
        raise ValueError(
            f"keyframes.detector_parameters: {kind.__name__} of scenedetect has no "
            f"{', '.join(unknown)}; it has {', '.join(known)}"
        )
    try:
        return kind(**parameters)
    except (TypeError, ValueError, AssertionError) as error:
        raise ValueError(
            f"keyframes.detector_parameters: {kind.__name__} of scenedetect does not take "
            f"{dict(parameters)}: {error or 'a value is out of range'}"
        ) from error


class SceneDetect:
    """A detector of scenedetect with the cuts that it has found so far."""

    def __init__(self, name: str, parameters: Parameters, fps: float) -> None:
        """fps: of the film, by which scenedetect counts lengths that are given in frames."""
        self._name, self._detector = name, _detector(name, parameters)
        self._fps = fps or _USUAL_RATE
        self._first: int | None = None  # time of the first frame, in the stream's time base
        self._at: Any = None  # scenedetect's time of the last frame
        self._cuts: list[int] = []  # times of the frames that begin a shot, likewise

    def watch(self, frame: av.VideoFrame) -> None:
        """Takes the next frame of the film."""
        from scenedetect.common import FrameTimecode, Timecode

        time, time_base = int(frame.pts or 0), Fraction(frame.time_base or 1)
        self._first = time if self._first is None else self._first
        self._at = FrameTimecode(Timecode(time - self._first, time_base), self._fps)
        width = min(_WIDTH, frame.width)
        height = max(1, round(frame.height * width / frame.width))
        picture = frame.to_ndarray(format="bgr24", width=width, height=height)
        self._add(self._detector.process_frame(self._at, picture))

    def _add(self, found: Any) -> None:
        for cut in found:
            self._cuts.append(round(cut.seconds / float(self._at.time_base)))

    def transitions(self, stats: FrameStats) -> list[Transition]:
        """Returns the transitions of the film, whose last frame was watched."""
        if self._at is not None:
            self._add(self._detector.post_process(self._at))
        starts = np.searchsorted(stats.pts - stats.pts[0], sorted(set(self._cuts)))
        inner = sorted({int(at) for at in starts if 0 < at < len(stats.pts)})
        if self._name == "threshold":  # a moment in the dark between two fades
            dark = stats.mean <= self._detector.threshold + _BLACK
            return [Transition("fade", *_run(dark, at)) for at in inner]
        return [Transition("cut", at, at - 1) for at in inner]


def _run(inside: NDArray[np.bool_], at: int) -> tuple[int, int]:
    """Returns the first and last frame of the run that a frame lies in; itself, if in none."""
    outside = np.flatnonzero(~inside)
    before, after = outside[outside < at], outside[outside > at]
    if not inside[at]:
        return at, at
    return int(before[-1]) + 1 if len(before) else 0, int(after[0]) - 1 if len(after) else len(
        inside
    ) - 1
