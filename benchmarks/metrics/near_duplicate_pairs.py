"""Scores the rule for near-duplicates on pairs of frames of a film that a person has labelled.

A pair is an `event` (who is there, where or in which pose has changed: a story wants both frames),
a `repeat` (nothing has), or `either`, which is not scored. The rule is right where it keeps the
later frame of an event and drops that of a repeat.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from importlib import metadata
from pathlib import Path
from typing import Literal, get_args

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.results.confidence_intervals import bootstrap_mean
from benchmarks.results.tables import Column, Figure, Table
from pipeline.config import KeyframesConfig
from pipeline.keyframes.local_change import largest_change, small_lab
from pipeline.keyframes.near_duplicates import perceptual_hash, similarity

PAIRS = Path(__file__).with_name("big_buck_bunny_pairs.tsv")  # of the 24 fps film, 640x360

Label = Literal["event", "repeat", "either"]


@dataclasses.dataclass(frozen=True)
class Pair:
    """Two frames of a film, by their times in seconds, and what a person says of them."""

    earlier: float
    later: float
    label: Label


def read_pairs(path: Path) -> list[Pair]:
    """Reads pairs from lines of earlier time, later time, label and note, separated by tabs.

    Raises ValueError, naming the line.
    """
    pairs = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        try:
            earlier, later, label = line.split("\t")[:3]
            if label not in get_args(Label):
                raise ValueError
            pairs.append(Pair(float(earlier), float(later), label))  # type: ignore[arg-type]
        except ValueError:
            raise ValueError(
                f"{path}, line {number}: not two times in seconds and one of "
                f"{', '.join(get_args(Label))}, separated by tabs: {line!r}"
            ) from None
    return pairs


def near_duplicate_table(film: str, pairs: Sequence[Pair]) -> Table:
    """Makes the table of events kept and repeats dropped, by the hash alone and by the rule."""
    config = KeyframesConfig()
    frames = _frames(film, {time for pair in pairs for time in (pair.earlier, pair.later)})
    images = [(pair.label, frames[pair.earlier], frames[pair.later]) for pair in pairs]
    alike = [(label, *_measured(first, second)) for label, first, second in images]
    rules = {
        "hash of the image": [(label, similar >= config.likeness) for label, similar, _ in alike],
        "hash and largest change": [
            (label, similar >= config.likeness and change < config.change)
            for label, similar, change in alike
        ],
    }
    return Table(
        "near-duplicates",
        f"Near-duplicates: pairs of frames labelled by hand, of {Path(film).name}",
        "rule",
        (
            Column("events kept", "higher", "%", 1),
            Column("repeats dropped", "higher", "%", 1),
        ),
        {
            rule: {
                "events kept": _share(
                    [not dropped for label, dropped in found if label == "event"]
                ),
                "repeats dropped": _share(
                    [dropped for label, dropped in found if label == "repeat"]
                ),
            }
            for rule, found in rules.items()
        },
        "An event changes who is there, where or in which pose; a repeat changes nothing of it. "
        "The threshold of the largest change was chosen on the pairs that come with the benchmark.",
        {
            "n": "pairs",
            "interval": "95 %, bootstrap over pairs",
            "versions": {name: metadata.version(name) for name in ("opencv-python-headless",)},
        },
    )


def _share(right: Sequence[bool]) -> Figure:
    """Returns the share of pairs that are right, with its interval."""
    return bootstrap_mean(right, [str(number) for number in range(len(right))])


def _measured(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> tuple[float, float]:
    """Returns the similarity of two images' hashes and their largest change."""
    hashes = [perceptual_hash(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)) for image in (first, second)]  # type: ignore[arg-type]
    return similarity(*hashes), largest_change(small_lab(first), small_lab(second))


def _frames(film: str, times: Collection[float]) -> dict[float, NDArray[np.uint8]]:
    """Decodes the frames of a film at these times, in seconds. Raises ValueError where one is not
    there."""
    found: dict[float, NDArray[np.uint8]] = {}
    wanted = sorted(times)
    with av.open(film) as container:
        for frame in container.decode(video=0):
            if not wanted:
                break
            if frame.time is not None and abs(frame.time - wanted[0]) < 0.01:
                found[wanted.pop(0)] = np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)
    if wanted:
        raise ValueError(f"{film}: no frame at {wanted[0]} s; are the pairs of another film?")
    return found
