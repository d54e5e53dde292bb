"""Counts what people looked at and decided, and how far they agree, for the dataset card."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pipeline.review.apply import CONFLICT
from pipeline.runtime import decisions
from pipeline.runtime.stage_outputs import Film
from schemas.decisions import Accept, OfFilm, RejectStory
from schemas.rows import Reject


def counts(out: str, version: str, films: Iterable[Film]) -> dict[str, Any] | None:
    """Returns what the manifest says of the decisions about the films of a dataset, None without
    any. Those that were not applied count as conflicts alone."""
    by_film = decisions.by_film(out, version)
    rows: list[OfFilm] = []
    conflicts = 0
    for film in films:
        of_film = by_film.get(film.video.id, [])
        if not of_film:
            continue
        not_applied = {
            reject.key
            for stage in ("scenes", "review")
            for reject in film.rows(stage, Reject)
            if reject.reason == CONFLICT
        }
        conflicts += len(not_applied)
        rows += [row for row in of_film if row.id not in not_applied]
    if not rows and not conflicts:
        return None
    return {"decisions": version, **summary(rows), "conflicts": conflicts}


def summary(rows: Sequence[OfFilm]) -> dict[str, Any]:
    """Sums up applied decisions: stories looked at, by how many people, with what verdicts, and
    Cohen's kappa of the verdicts of people who judged the same stories, None where none did."""
    of_person = verdicts(rows)
    last = {row.story: row for row in rows if isinstance(row, Accept | RejectStory)}
    judged_twice = [story for story, by in _by_story(of_person).items() if len(by) > 1]
    agreed, kappa = agreement(of_person)
    return {
        "looked_at": len({row.story for row in rows}),
        "people": len({row.by for row in rows}),
        "accepted": sum(isinstance(row, Accept) for row in last.values()),
        "rejected": sum(isinstance(row, RejectStory) for row in last.values()),
        "sentences": len({row.keyframe for row in rows if row.what == "edit"}),
        "pictures": len({row.keyframe for row in rows if row.what in ("drop", "swap")}),
        "scenes": len({row.keyframe for row in rows if row.what == "scene"}),
        "judged_twice": len(judged_twice),
        "agreed": None if agreed is None else round(agreed, 4),
        "kappa": None if kappa is None else round(kappa, 4),
    }


def verdicts(rows: Iterable[OfFilm]) -> dict[str, dict[str, bool]]:
    """Returns each person's last verdict on each story: whether it is accepted."""
    found: dict[str, dict[str, bool]] = defaultdict(dict)
    for row in rows:
        if isinstance(row, Accept | RejectStory):
            found[row.by][row.story] = isinstance(row, Accept)
    return found


def _by_story(of_person: Mapping[str, Mapping[str, bool]]) -> dict[str, list[bool]]:
    found: dict[str, list[bool]] = defaultdict(list)
    for of_story in of_person.values():
        for story, accepted in of_story.items():
            found[story].append(accepted)
    return found


def agreement(of_person: Mapping[str, Mapping[str, bool]]) -> tuple[float | None, float | None]:
    """Returns the share of equal verdicts, and Cohen's kappa, of two people on the same stories.

    Of more than two people they are means over the pairs, weighted by the stories that a pair
    shares (Light 1971). Kappa is None where chance alone would agree on everything.
    """
    shares, kappas = [], []
    for one, other in itertools.combinations(of_person.values(), 2):
        shared = one.keys() & other.keys()
        if not shared:
            continue
        pairs = [(one[story], other[story]) for story in shared]
        equal = sum(a == b for a, b in pairs) / len(pairs)
        first, second = (sum(values) / len(pairs) for values in zip(*pairs, strict=True))
        chance = first * second + (1 - first) * (1 - second)
        shares.append((equal, len(pairs)))
        if chance < 1:
            kappas.append(((equal - chance) / (1 - chance), len(pairs)))
    return _weighted(shares), _weighted(kappas)


def _weighted(values: Sequence[tuple[float, int]]) -> float | None:
    total = sum(weight for _, weight in values)
    return sum(value * weight for value, weight in values) / total if total else None
