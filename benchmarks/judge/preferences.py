"""From single answers to preferences: what both orders of a pair come to.

A judge that looks at two stories may go by the place where each is shown. So a story is preferred
only where it is preferred in both orders; all else is a tie (the rule of MT-Bench: Zheng et al.,
Judging LLM-as-a-Judge with MT-Bench and Chatbot Arena, 2023, arXiv 2306.05685, 3.4). Where the
story shown first is preferred both times, or the one shown second, the order has decided, and that
is counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from benchmarks.judge.asking import Judged
from benchmarks.judge.questions import field

Place = Literal["first", "second", "tie"]
_PLACES: dict[str, Place] = {"A": "first", "B": "second", "tie": "tie"}


@dataclass(frozen=True)
class Pair:
    """What a judge says of two stories of one opening, by one criterion, in both orders."""

    opening: str
    stories: tuple[str, str]  # generators
    repeat: int
    forth: Place  # whose story was better as shown in the order of `stories`
    back: Place  # the same, as shown in the other order
    asked: bool = True  # False: both stories are the same

    @property
    def outcome(self) -> int:
        """1: the first of `stories` is preferred in both orders, -1: the second, 0: a tie."""
        return {("first", "second"): 1, ("second", "first"): -1}.get((self.forth, self.back), 0)

    @property
    def by_order(self) -> int:
        """1: the story shown first is preferred both times, -1: the one shown second, else 0."""
        return {("first", "first"): 1, ("second", "second"): -1}.get((self.forth, self.back), 0)


def pairs(answers: Sequence[Judged], criterion: str) -> list[Pair]:
    """The pairs of which both orders were answered. A pair is named as it was shown at first."""
    found: dict[tuple[str, tuple[str, ...], int], Place] = {}
    same = set()
    for one in answers:
        if len(one.question.shown) == 2 and one.state == "answered":
            found[one.question.item] = (
                _PLACES[getattr(one.value, field(criterion)).better] if one.value else "tie"
            )
            if one.question.request is None:
                same.add(one.question.item)
    both, done = [], set()
    for item, place in found.items():
        opening, (one, other), repeat = item
        turned = (opening, (other, one), repeat)
        if turned in found and item not in done:
            done.add(turned)
            both.append(Pair(opening, (one, other), repeat, place, found[turned], item not in same))
    return both


def named(answers: Sequence[Judged]) -> list[tuple[str, str]]:
    """The pairs of generators that were compared, answered or not, as they were shown at first."""
    found: dict[tuple[str, ...], None] = {}
    for one in answers:
        if len(shown := one.question.shown) == 2 and shown[::-1] not in found:
            found[shown] = None
    return [(one, other) for one, other in found]


def settled(found: Sequence[Pair]) -> dict[tuple[tuple[str, str], str], int]:
    """One outcome a pair of generators and opening: of repeats, the story preferred more often."""
    sums: dict[tuple[tuple[str, str], str], int] = {}
    for one in found:
        key = one.stories, one.opening
        sums[key] = sums.get(key, 0) + one.outcome
    return {key: int(np.sign(total)) for key, total in sums.items()}


def wins(found: Sequence[Pair], generators: Sequence[str]) -> NDArray[np.float64]:
    """How often row was preferred to column, a tie as half a win of each: [openings, n, n]."""
    outcomes = settled(found)
    openings = {name: at for at, name in enumerate(dict.fromkeys(one.opening for one in found))}
    place = {name: at for at, name in enumerate(generators)}
    table = np.zeros((len(openings), len(place), len(place)))
    for ((one, other), opening), outcome in outcomes.items():
        row, column = place[one], place[other]
        table[openings[opening], row, column] += (1 + outcome) / 2
        table[openings[opening], column, row] += (1 - outcome) / 2
    return table
