"""The split: pictures of `val` that are seen in `train`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from pipeline.dataset.verify.known import Known
from pipeline.dataset.verify.pictures import is_hash
from pipeline.dataset.verify.problems import RUN, Problem
from pipeline.keyframes.near_duplicates import similarity

_BAND_DIGITS = 4  # hex digits; hashes with under 16 bits between them share one of 16 bands


def check_leaks(known: Known) -> Iterator[Problem]:
    """Pictures of `val` that are seen in `train`, each once."""
    likeness = known.manifest.config.output.split_likeness
    by_side: dict[str, list[str]] = defaultdict(list)
    for name, picture in known.pictures.items():
        if is_hash(picture.phash):  # said of the picture
            by_side[known.side.get(picture.video, "")].append(name)
    told: set[str] = set()
    by_digest = {known.pictures[name].sha256: name for name in by_side["train"]}
    for name in by_side["val"]:
        twin = by_digest.get(known.pictures[name].sha256)
        if twin:
            told.add(name)
            yield Problem("leak", name, f"is in val, and in train as {twin}", RUN)
    # One band at a time: the pairs alike share a band, as the likeness asked for is never below
    # 0.945, which is 14 bits.
    for at in range(0, 64, _BAND_DIGITS):
        yield from _leaks_in(known, by_side, at, likeness, told)


def _leaks_in(
    known: Known, by_side: dict[str, list[str]], at: int, likeness: float, told: set[str]
) -> Iterator[Problem]:
    """The leaks among hashes that are equal in the digits from `at` on; what is `told` is over."""

    def band(name: str) -> str:
        return known.pictures[name].phash[at : at + _BAND_DIGITS]

    of_train: dict[str, list[str]] = defaultdict(list)
    for name in by_side["train"]:
        of_train[band(name)].append(name)
    for name in by_side["val"]:
        if name not in told:
            share, twin = max(
                (
                    (similarity(known.pictures[name].phash, known.pictures[other].phash), other)
                    for other in of_train.get(band(name), ())
                ),
                default=(0.0, ""),
            )
            if share >= likeness:
                told.add(name)
                yield Problem(
                    "leak",
                    name,
                    f"is in val, and {twin}, which looks like it ({share:.3f}), in train",
                    RUN,
                )
