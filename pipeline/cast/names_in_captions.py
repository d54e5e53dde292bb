"""Finds the names of groups of figures that nobody speaks for: whom captions name where they are
seen.

A captioner that knows its films, or that reads a name off the dialogue, writes "Pip the fox looks
out". Most captions of a group's pictures must name the same one, and clearly more of them than of
other pictures do: a hero whom every caption names is no evidence. Who is in a picture by name
already explains the name there. Two groups that are seen together cannot have one name.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence

from pipeline.cast.identity import Group, may_be_one

_LEAST = 3  # captions that name it
_MOST = 0.5  # share of the captions of a group's pictures that must name it
_CLEARER = 2.0  # times the share of other pictures' captions that do


def find(
    pictures: Sequence[tuple[Collection[int], Collection[str]]],
    named: Mapping[int, str],
    nameless: Collection[int],
    groups: Sequence[Group],
) -> dict[int, str]:
    """Returns the names of nameless groups, by their numbers.

    `pictures` has the groups seen in each picture, and the names in its caption; `named` the names
    of groups that have one.
    """
    shown: Counter[int] = Counter()  # by group: captioned pictures
    called: dict[tuple[int, str], int] = defaultdict(int)
    told: Counter[str] = Counter()  # by name: pictures whose caption has it
    for seen, names in pictures:
        told.update(set(names))
        here = {named[number] for number in seen if number in named}
        for number in set(seen) & set(nameless):
            shown[number] += 1
            for name in set(names) - here:
                called[number, name] += 1
    found = dict(named)
    clearest = sorted(
        called, key=lambda pair: (-called[pair] / shown[pair[0]], -called[pair], pair)
    )
    for number, name in clearest:
        count = called[number, name]
        others = (told[name] - count) / max(1, len(pictures) - shown[number])
        if (
            number not in found
            and count >= _LEAST
            and count > _MOST * shown[number]
            and count / shown[number] >= _CLEARER * others
            and all(
                may_be_one(groups[number], groups[other], other)
                for other, known in found.items()
                if known == name
            )
        ):
            found[number] = name
    return {number: name for number, name in found.items() if number not in named}
