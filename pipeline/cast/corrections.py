"""Corrects who is seen in which picture by what a user says of the characters of a series.

Names in `same_as` are those that figures have without the file, so that one correction does not
change what another means: a whole group of figures gets the entry's name. Pictures in `same_as` and
`not_same_as` move the figures that they name, and those of the same group in the same shot. Who
speaks by a name that an entry has under `called` or `names` gets the entry's name too.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType

from pipeline.cast import characters_file
from pipeline.cast.boxes import overlap
from pipeline.cast.characters_file import Entry
from schemas.published import parse_keyframe_id
from schemas.rows import CAPTIONS, GIVEN, LIKENESS, SPEECH, Figure, Keyframe

_SAME_BOX = 0.3  # overlap from which a box that a user gives is a figure's

Place = tuple[int, int]  # a figure: number of the picture, number in the picture


@dataclasses.dataclass(frozen=True)
class Given:
    """Who a figure is."""

    name: str
    decided: str  # SPEECH, CAPTIONS, LIKENESS or GIVEN
    pictured: bool = False  # by a picture in the file


def correct(
    entries: Sequence[Entry],
    keyframes: Sequence[Keyframe],
    pictures: Sequence[Sequence[Figure]],
    groups: Sequence[Sequence[int]],
    named: Mapping[int, str],
    described: Mapping[int, str],
    captioned: Mapping[int, str] = MappingProxyType({}),
) -> tuple[list[list[Given | None]], list[str]]:
    """Returns who each figure is, None for nobody, and what is wrong with the entries.

    `groups` has the number of each figure's group, picture by picture; `named` and `described` have
    the names of groups from who speaks, and descriptions of others, some of which have a name from
    captions in `captioned`.
    """
    by_group, faults = _groups(entries, named, described, captioned)
    finder = _Finder(keyframes, pictures, groups)
    itself: dict[Place, str] = {}  # named by a picture
    in_shot: dict[Place, str] = {}
    barred: dict[Place, set[str]] = defaultdict(set)
    for entry in entries:
        for item in entry.same_as:
            place, others = finder.find(item, entry.name, faults)
            itself.update(dict.fromkeys(place, entry.name))
            in_shot.update(dict.fromkeys(others, entry.name))
        called = [number for number, given in by_group.items() if given.name == entry.name]
        for item in entry.not_same_as:
            place, others = finder.find(item, entry.name, faults, called)
            for other in (*place, *others):
                barred[other].add(entry.name)
    ignored = {entry.name for entry in entries if entry.ignore}

    def who(place: Place, number: int) -> Given | None:
        given: Given | None
        if place in itself:
            given = Given(itself[place], GIVEN, pictured=True)
        else:
            given = Given(in_shot[place], GIVEN) if place in in_shot else by_group.get(number)
            if given and given.name in barred[place]:
                given = None
        return None if given is None or given.name in ignored else given

    return [
        [who((at, figure), number) for figure, number in enumerate(of_picture)]
        for at, of_picture in enumerate(groups)
    ], faults


def _groups(
    entries: Sequence[Entry],
    named: Mapping[int, str],
    described: Mapping[int, str],
    captioned: Mapping[int, str],
) -> tuple[dict[int, Given], list[str]]:
    """Returns who groups of figures are, by their numbers, and faults of the entries."""
    renamed: dict[str, str] = {}  # as it is without the file -> by same_as
    spoken: dict[str, str] = {}  # as it is spoken of, in any case -> by called and names
    was: dict[str, str] = {}  # as it was called on the pages, in any case; maybe nobody without
    forms: set[str] = set()  # all under called and names
    faults = []
    known = {*named.values(), *described.values(), *captioned.values()}
    for entry in entries:
        for item in entry.same_as:
            if characters_file.picture(item) is None:
                renamed[item] = entry.name
                if item not in known:
                    faults.append(_unknown(entry, item, known))
        for form in (entry.name, *entry.called, *entry.names):
            spoken.setdefault(form.strip().casefold(), entry.name)
        was |= {name.strip().casefold(): entry.name for name in entry.was}
        forms |= {form.strip().casefold() for form in (*entry.called, *entry.names)}
    found = {}
    for number, name in {**described, **captioned, **named}.items():
        by_user = renamed.get(name) or renamed.get(described.get(number, ""))
        by_voice = number in named or number in captioned
        if not by_user and not (by_voice and name.casefold() in forms):
            by_user = was.get(name.casefold())
        if by_user:
            found[number] = Given(by_user, GIVEN)
        elif by_voice:
            decided = SPEECH if number in named else CAPTIONS
            found[number] = Given(spoken.get(name.casefold(), name), decided)
        else:
            found[number] = Given(name, LIKENESS)
    return found, faults


def _unknown(entry: Entry, item: str, known: Collection[str]) -> str:
    return (
        f"{entry.name}: same_as: nobody is called {item!r} without the file; those who are seen "
        f"are {', '.join(sorted(known)) or 'nobody'}: name one of them, or a picture"
    )


class _Finder:
    """Finds the figures that pictures in a file name."""

    def __init__(
        self,
        keyframes: Sequence[Keyframe],
        pictures: Sequence[Sequence[Figure]],
        groups: Sequence[Sequence[int]],
    ) -> None:
        self._at = {keyframe.id: number for number, keyframe in enumerate(keyframes)}
        self._films = {keyframe.video for keyframe in keyframes}
        self._shots: dict[tuple[str, int], list[int]] = defaultdict(list)
        for number, keyframe in enumerate(keyframes):
            self._shots[keyframe.video, keyframe.shot].append(number)
        self._keyframes, self._pictures, self._groups = keyframes, pictures, groups

    def find(
        self, item: str, name: str, faults: list[str], called: Collection[int] | None = None
    ) -> tuple[list[Place], list[Place]]:
        """Returns the figure that an item names, and its group's others in the same shot.

        Both are empty, and a fault of the entry `name` is added, where there is no such figure; for
        pictures of films that are not there it is none. Without a box the figure must be the only
        one in its picture, or the only one of the groups `called`.
        """
        named = characters_file.picture(item)
        if named is None or parse_keyframe_id(named.keyframe)[0] not in self._films:
            return [], []
        figure = self._figure(named, called)
        if figure is None:
            faults.append(f"{name}: {self._fault(item, named)}")
            return [], []
        at = self._at[named.keyframe]
        return [(at, figure)], [
            (other, number)
            for other in self._shots[self._keyframes[at].video, self._keyframes[at].shot]
            for number, group in enumerate(self._groups[other])
            if group == self._groups[at][figure] and other != at
        ]

    def _figure(self, named: characters_file.Picture, called: Collection[int] | None) -> int | None:
        """Returns the number of a figure in its picture, None if there is none."""
        at = self._at.get(named.keyframe)
        if at is None:
            return None
        if named.box is None:
            groups = self._groups[at]
            found = [
                figure for figure, number in enumerate(groups) if called is None or number in called
            ]
            return found[0] if len(found) == 1 else None
        best, number = max(
            (
                (
                    overlap(_corners(named.box), _corners(pixels(figure, self._keyframes[at]))),
                    -number,
                )
                for number, figure in enumerate(self._pictures[at])
            ),
            default=(0.0, 0),
        )
        return -number if best >= _SAME_BOX else None

    def _fault(self, item: str, named: characters_file.Picture) -> str:
        if named.keyframe not in self._at:
            return f"{item!r} is no keyframe now: name one that is"
        at = self._at[named.keyframe]
        boxes = [
            f"{named.keyframe}#xywh={','.join(map(str, pixels(figure, self._keyframes[at])))}"
            for figure in self._pictures[at]
        ]
        return f"{item!r}: which figure? There are {', '.join(boxes) or 'none'}: name one of them"


def pixels(figure: Figure, keyframe: Keyframe) -> list[int]:
    """Returns the box of a figure in pixels of its picture: x, y, width, height."""
    left, top, right, bottom = figure.box
    x, y = round(left * keyframe.width), round(top * keyframe.height)
    return [x, y, round(right * keyframe.width) - x, round(bottom * keyframe.height) - y]


def _corners(box: Sequence[int]) -> tuple[int, int, int, int]:
    """Returns the corners of a box that is given as x, y, width, height."""
    return box[0], box[1], box[0] + box[2], box[1] + box[3]
