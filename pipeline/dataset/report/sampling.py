"""Choosing a few of many to show, as evenly as can be, the same each time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import TypeVar

Item = TypeVar("Item")


def evenly(items: Sequence[Item], count: int) -> list[Item]:
    """Chooses at most `count` items, at even distances."""
    count = min(count, len(items))
    return [items[at * len(items) // count] for at in range(count)]


def over_groups(
    items: Sequence[Item], count: int, keys: Sequence[Callable[[Item], str]]
) -> list[Item]:
    """Chooses `count` of the items, as evenly as can be over the groups of each key in turn."""
    if not keys:
        return evenly(items, count)
    groups: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        groups[keys[0](item)].append(item)
    shares = _shares([len(group) for group in groups.values()], count)
    return [
        item
        for group, share in zip(groups.values(), shares, strict=True)
        for item in over_groups(group, share, keys[1:])
    ]


def _shares(sizes: Sequence[int], count: int) -> list[int]:
    """Divides `count` among groups: one each in turn, until all are found or used up."""
    shares = [0] * len(sizes)
    while count > 0:
        with_more = [at for at, size in enumerate(sizes) if shares[at] < size]
        if not with_more:
            break
        for at in evenly(with_more, count):
            shares[at] += 1
            count -= 1
    return shares
