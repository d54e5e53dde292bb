"""Finds leaks between the sides of the split: pictures of `val` that are also in `train`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from pipeline.dataset.verify.index import Index
from pipeline.dataset.verify.pictures import is_hash
from pipeline.dataset.verify.problems import RUN, Problem
from pipeline.keyframes.near_duplicates import similarity
from schemas.layout import TRAIN, VAL

_BAND_DIGITS = 4  # hex digits; hashes that differ in fewer than 16 bits share one of 16 bands


def check_leaks(index: Index) -> Iterator[Problem]:
    """Checks each picture of `val` against those of `train`. Needs the keyframes."""
    likeness = index.manifest.config.output.split_likeness
    by_split: dict[str, list[str]] = defaultdict(list)
    for keyframe, picture in index.pictures.items():
        if is_hash(picture.phash):  # another is reported with the picture
            by_split[index.splits.get(picture.video, "")].append(keyframe)
    reported: set[str] = set()
    by_digest = {index.pictures[keyframe].sha256: keyframe for keyframe in by_split[TRAIN]}
    for keyframe in by_split[VAL]:
        twin = by_digest.get(index.pictures[keyframe].sha256)
        if twin:
            reported.add(keyframe)
            yield Problem("leak", keyframe, f"is in val, and in train as {twin}", RUN)
    # One band at a time: near-duplicates share a band, as the likeness of a config is never below
    # 0.945, which is 14 bits.
    for start in range(0, 64, _BAND_DIGITS):
        yield from _check_band(index, by_split, start, likeness, reported)


def _check_band(
    index: Index, by_split: dict[str, list[str]], start: int, likeness: float, reported: set[str]
) -> Iterator[Problem]:
    """Finds leaks not yet `reported` among hashes that are equal in the digits from `start` on."""

    def band(keyframe: str) -> str:
        return index.pictures[keyframe].phash[start : start + _BAND_DIGITS]

    in_train: dict[str, list[str]] = defaultdict(list)
    for keyframe in by_split[TRAIN]:
        in_train[band(keyframe)].append(keyframe)
    for keyframe in by_split[VAL]:
        if keyframe not in reported:
            share, twin = max(
                (
                    (similarity(index.pictures[keyframe].phash, index.pictures[other].phash), other)
                    for other in in_train.get(band(keyframe), ())
                ),
                default=(0.0, ""),
            )
            if share >= likeness:
                reported.add(keyframe)
                yield Problem(
                    "leak",
                    keyframe,
                    f"is in val, and {twin}, which looks the same ({share:.3f}), in train",
                    RUN,
                )
