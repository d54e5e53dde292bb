"""What people decided on the pages about who is who, as entries of a file of characters.

It is as if they had edited that file: the same corrections follow, and the same faults are told.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pipeline.cast.characters_file import Entry
from schemas.decisions import Ignore, OfSeries, Rename, Split


def entries(given: Sequence[Entry], decisions: Iterable[OfSeries]) -> list[Entry]:
    """Returns the entries of a file as changed by decisions, in their order.

    A decision names a character as it was shown: by an entry's name, else as it is called without
    a file.
    """
    found = [entry.model_copy(deep=True) for entry in given]
    for decision in decisions:
        match decision:
            case Rename():
                _into(_taken(found, decision.character), _named(found, decision.name))
            case Ignore():
                entry = _taken(found, decision.character)
                entry.ignore = True
                found.append(entry)
            case Split():
                box = ",".join(map(str, decision.box))
                item = f"{decision.keyframe}#xywh={box}"
                for entry in found:
                    entry.same_as = [other for other in entry.same_as if other != item]
                _named(found, decision.name).same_as.append(item)
    return found


def _same(entry: Entry, name: str) -> bool:
    return entry.name.strip().casefold() == name.casefold()


def _named(entries: list[Entry], name: str) -> Entry:
    """Returns the entry of a name, added if there is none."""
    entry = next((entry for entry in entries if _same(entry, name)), None)
    if entry is None:
        entry = Entry(name=name)
        entries.append(entry)
    return entry


def _taken(entries: list[Entry], name: str) -> Entry:
    """Takes the entry of a character out of the list; what it is called without one is in it.

    An entry may have been made by figures that got the name, beside those that had it: these go
    with it, unless they were given another name before.
    """
    entry = next((entry for entry in entries if _same(entry, name)), None)
    if entry is None:
        return Entry(name=name, same_as=[name])
    if not any(entry.name in (*other.same_as, *other.was) for other in entries):
        entry.was.append(entry.name)
    entries.remove(entry)
    return entry


def _into(entry: Entry, other: Entry) -> None:
    """Makes one character of two: the other has what the entry has, but its own name."""
    other.same_as = [*dict.fromkeys([*other.same_as, *entry.same_as])]
    other.not_same_as = [*dict.fromkeys([*other.not_same_as, *entry.not_same_as])]
    other.called = [*dict.fromkeys([*other.called, *entry.called])]
    other.names = [*dict.fromkeys([*other.names, *entry.names])]
    other.was = [*dict.fromkeys([*other.was, *entry.was])]
    other.look, other.role = other.look or entry.look, other.role or entry.role
