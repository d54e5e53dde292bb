"""Which side of the split each film is on.

Whole films go to one side, and films that share near-identical pictures (a trailer and its film, a
clip show) go together, so no picture of `val` was seen in `train`. The name of a group alone says
where it goes, as far as that can be: a film that is added or removed moves no other.
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

Hashes: TypeAlias = Mapping[str, bytes]  # film -> the perceptual hashes of its keyframes, joined

_HASH_BYTES = HASH_BITS // 8
_BANDS = 16  # of 16 bits: hashes with under 15 bits between them are equal in two bands at least


def likeness_groups(hashes: Hashes, likeness: float) -> list[list[str]]:
    """Films in groups that share no near-identical picture, each sorted, by their first film.

    Two pictures are near-identical where at least `likeness`, 0.945 or more, of their 256 bits are
    equal. Takes about 150 bytes of memory a picture.
    """
    films = sorted(hashes)
    owner = np.repeat(
        np.arange(len(films), dtype=np.int32), [len(hashes[film]) // _HASH_BYTES for film in films]
    )
    words = hash_words(b"".join(hashes[film] for film in films))
    joined = _Joined(len(films))
    words, owner = _different(words, owner, joined)
    furthest = max_distance(likeness)
    for run in _runs(words.view(np.uint16), owner, joined):
        _join_alike(words, owner, run, furthest, joined)
    groups: dict[int, list[str]] = defaultdict(list)
    for film, first in zip(films, joined.first.tolist(), strict=True):
        groups[first].append(film)
    return [groups[first] for first in sorted(groups)]


class _Joined:
    """The first film of each film's group, by number. Films are few beside pictures."""

    def __init__(self, films: int) -> None:
        self.first = np.arange(films, dtype=np.int32)

    def join(self, one: int, other: int) -> None:
        low, high = sorted((self.first[one], self.first[other]))
        if low != high:
            self.first[self.first == high] = low


def _different(
    words: NDArray[np.uint64], owner: NDArray[np.int32], joined: _Joined
) -> tuple[NDArray[np.uint64], NDArray[np.int32]]:
    """Each hash once, with one of its films; films of equal hashes are joined.

    Black frames are in every film: left in, each would be compared with all the others.
    """
    order = np.lexsort(words.T)
    words, owner = words[order], owner[order]
    equal = np.all(words[1:] == words[:-1], axis=1)
    pairs = np.column_stack([owner[1:][equal], owner[:-1][equal]])
    for one, other in np.unique(pairs, axis=0).tolist():
        joined.join(one, other)
    once = np.concatenate([[True], ~equal])[: len(words)]
    return words[once], owner[once]


def _runs(
    bands: NDArray[np.uint16], owner: NDArray[np.int32], joined: _Joined
) -> Iterator[NDArray[np.int64]]:
    """Pictures of several groups that are equal in two bands, for each two bands.

    One band alone would leave far more pairs to compare: real pictures have some of its values much
    more often than others.
    """
    for one in range(_BANDS):
        by_one = np.argsort(bands[:, one], kind="stable")
        for other in range(one + 1, _BANDS):
            order = by_one[np.argsort(bands[by_one, other], kind="stable")]
            first, second = bands[order, one], bands[order, other]
            equal = (first[1:] == first[:-1]) & (second[1:] == second[:-1])
            groups = joined.first[owner[order]]
            mixed = np.flatnonzero(equal & (groups[1:] != groups[:-1]))
            if len(mixed):
                starts = np.concatenate([[0], np.flatnonzero(~equal) + 1, [len(order)]])
                for at in np.unique(np.searchsorted(starts, mixed, side="right")):
                    yield order[starts[at - 1] : starts[at]]


def _join_alike(
    words: NDArray[np.uint64],
    owner: NDArray[np.int32],
    run: NDArray[np.int64],
    furthest: int,
    joined: _Joined,
) -> None:
    """Joins the films of those pictures of a run that are near-identical."""
    # Small groups first: what a single picture is like is soon known, and the run is over as soon
    # as all that is left is of one group.
    _, group, sizes = np.unique(joined.first[owner[run]], return_inverse=True, return_counts=True)
    run = run[np.argsort(sizes[group], kind="stable")]
    films, groups = owner[run], joined.first[owner[run]]
    words = np.asfortranarray(words[run])  # a word of all hashes is contiguous
    for at in range(len(run) - 1):
        others = groups[at + 1 :] != groups[at]
        if not others.any():
            return
        near = distances(words[at + 1 :], words[at]) <= furthest
        alike = np.unique(films[at + 1 :][others & near])
        for film in alike.tolist():
            joined.join(int(films[at]), film)
        if len(alike):
            groups = joined.first[films]


def splits(hashes: Hashes, stories: Mapping[str, int], config: OutputConfig) -> dict[str, str]:
    """`train` or `val` for each film of a group that has stories, given the hashes of its pictures
    and its number of stories.

    A group goes to `val` where the digest of its first film's name says so, which it does for
    `val_share` of all names; but a group with more than half of the stories never does. If that
    leaves a side empty, the group whose digest is nearest goes there. One group is all `train`.
    """
    groups = [
        group
        for group in likeness_groups(hashes, config.split_likeness)
        if any(stories.get(film) for film in group)
    ]
    size = {group[0]: sum(stories.get(film, 0) for film in group) for group in groups}
    names = sorted((name for name in size if 2 * size[name] <= sum(size.values())), key=fraction)
    chosen = {name for name in names if fraction(name) < config.val_share}
    if config.val_share > 0 and len(groups) > 1:
        chosen = chosen or set(names[:1])
        if len(chosen) == len(groups):
            chosen.remove(names[-1])
    return {film: "val" if group[0] in chosen else "train" for group in groups for film in group}


def fraction(name: str) -> float:
    """A number from 0 to 1 that a name stands for, spread evenly."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:6]) / 2**48
