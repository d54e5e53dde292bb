"""The train/val split: which side each film is on.

Whole films go to one side, and films that share near-duplicate pictures (a trailer and its film, a
clip show) go together, so no picture of `val` was seen in `train`. The name of a group alone says
where it goes, as far as possible: a film that is added or removed moves no other.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from pipeline.config import OutputConfig
from pipeline.keyframes.near_duplicates import HASH_BITS, distances, hash_words, max_distance
from schemas.layout import TRAIN, VAL

Hashes: TypeAlias = Mapping[str, bytes]  # film -> the perceptual hashes of its keyframes, joined

_HASH_BYTES = HASH_BITS // 8
_BANDS = 16  # of 16 bits: hashes that differ in fewer than 15 bits are equal in at least two bands


def near_duplicate_groups(hashes: Hashes, likeness: float) -> list[list[str]]:
    """Groups films such that no two groups share a near-duplicate picture.

    Each group is sorted, and groups are in the order of their first films. Two pictures are
    near-duplicates where at least `likeness`, 0.945 or more, of their 256 bits are equal. Takes
    about 150 bytes of memory per picture.
    """
    films = sorted(hashes)
    owner = np.repeat(
        np.arange(len(films), dtype=np.int32), [len(hashes[film]) // _HASH_BYTES for film in films]
    )
    words = hash_words(b"".join(hashes[film] for film in films))
    groups = _Groups(len(films))
    words, owner = _distinct(words, owner, groups)
    furthest = max_distance(likeness)
    for candidates in _candidates(words.view(np.uint16), owner, groups):
        _join_near_duplicates(words, owner, candidates, furthest, groups)
    by_first: dict[int, list[str]] = defaultdict(list)
    for film, first in zip(films, groups.first.tolist(), strict=True):
        by_first[first].append(film)
    return [by_first[first] for first in sorted(by_first)]


class _Groups:
    """Groups of films, by number: `first[film]` is the first film of a film's group.

    Joining two takes a pass over all films, which are few beside pictures.
    """

    def __init__(self, films: int) -> None:
        self.first = np.arange(films, dtype=np.int32)

    def join(self, film: int, other: int) -> None:
        low, high = sorted((self.first[film], self.first[other]))
        if low != high:
            self.first[self.first == high] = low


def _distinct(
    words: NDArray[np.uint64], owner: NDArray[np.int32], groups: _Groups
) -> tuple[NDArray[np.uint64], NDArray[np.int32]]:
    """Returns each hash once, with one of its films; films of equal hashes are joined.

    Black frames are in every film: left in, each would be compared with all the others.
    """
    order = np.lexsort(words.T)
    words, owner = words[order], owner[order]
    equal = np.all(words[1:] == words[:-1], axis=1)
    pairs = np.column_stack([owner[1:][equal], owner[:-1][equal]])
    for film, other in np.unique(pairs, axis=0).tolist():
        groups.join(film, other)
    first_of_equal = np.concatenate([[True], ~equal])[: len(words)]
    return words[first_of_equal], owner[first_of_equal]


def _candidates(
    bands: NDArray[np.uint16], owner: NDArray[np.int32], groups: _Groups
) -> Iterator[NDArray[np.int64]]:
    """Finds pictures of several groups that are equal in two bands, for each two bands.

    One band alone would leave far more pairs to compare: real pictures have some of its values much
    more often than others.
    """
    for band in range(_BANDS):
        by_band = np.argsort(bands[:, band], kind="stable")
        for other in range(band + 1, _BANDS):
            order = by_band[np.argsort(bands[by_band, other], kind="stable")]
            first, second = bands[order, band], bands[order, other]
            equal = (first[1:] == first[:-1]) & (second[1:] == second[:-1])
            group = groups.first[owner[order]]
            mixed = np.flatnonzero(equal & (group[1:] != group[:-1]))
            if len(mixed):
                starts = np.concatenate([[0], np.flatnonzero(~equal) + 1, [len(order)]])
                for at in np.unique(np.searchsorted(starts, mixed, side="right")):
                    yield order[starts[at - 1] : starts[at]]


def _join_near_duplicates(
    words: NDArray[np.uint64],
    owner: NDArray[np.int32],
    candidates: NDArray[np.int64],
    furthest: int,
    groups: _Groups,
) -> None:
    """Joins the films of those candidates that are near-duplicates."""
    # Small groups first: what a single picture is near is soon known, and the candidates are done
    # as soon as all that are left are of one group.
    _, inverse, sizes = np.unique(
        groups.first[owner[candidates]], return_inverse=True, return_counts=True
    )
    candidates = candidates[np.argsort(sizes[inverse], kind="stable")]
    films, group = owner[candidates], groups.first[owner[candidates]]
    words = np.asfortranarray(words[candidates])  # a word of all hashes is contiguous
    for at in range(len(candidates) - 1):
        others = group[at + 1 :] != group[at]
        if not others.any():
            return
        apart = distances(words[at + 1 :], words[at])
        near = np.unique(films[at + 1 :][others & (apart <= furthest)])
        for film in near.tolist():
            groups.join(int(films[at]), film)
        if len(near):
            group = groups.first[films]


def assign_splits(
    hashes: Hashes, stories: Mapping[str, int], config: OutputConfig
) -> dict[str, str]:
    """Assigns "train" or "val" to each film of a group that has stories.

    `hashes` are those of each film's pictures, `stories` the number of its stories. A group goes to
    `val` where the digest of its first film's name says so, which it does for `val_share` of all
    names; but a group with more than half of the stories never does. If that leaves a side empty,
    the group whose digest is nearest goes there. A single group is all `train`.
    """
    groups = [
        group
        for group in near_duplicate_groups(hashes, config.split_likeness)
        if any(stories.get(film) for film in group)
    ]
    size = {group[0]: sum(stories.get(film, 0) for film in group) for group in groups}
    names = sorted((name for name in size if 2 * size[name] <= sum(size.values())), key=fraction)
    chosen = {name for name in names if fraction(name) < config.val_share}
    if config.val_share > 0 and len(groups) > 1:
        chosen = chosen or set(names[:1])
        if len(chosen) == len(groups):
            chosen.remove(names[-1])
    return {film: VAL if group[0] in chosen else TRAIN for group in groups for film in group}


def fraction(name: str) -> float:
    """Maps a name to a number from 0 to 1, evenly spread: its digest as a fraction."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:6]) / 2**48
