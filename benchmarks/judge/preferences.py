"""Derives preferences from single answers: what both orders of a pair amount to.

A judge of two stories may be biased by their position. So a story is preferred only where it is
preferred in both orders; all else is a tie (the rule of MT-Bench: Zheng et al., Judging
LLM-as-a-Judge with MT-Bench and Chatbot Arena, 2023, arXiv 2306.05685, 3.4). Pairs where the story
shown first is preferred both times, or the one shown second, are counted as decided by position.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from benchmarks.judge.client import JudgedQuestion
from benchmarks.judge.questions import answer_field

Place = Literal["first", "second", "tie"]
_PLACES: dict[str, Place] = {"A": "first", "B": "second", "tie": "tie"}


@dataclass(frozen=True)
class JudgedPair:
    """A judge's answers about two stories of one opening, by one criterion, in both orders."""

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


def judged_pairs(answers: Sequence[JudgedQuestion], criterion: str) -> list[JudgedPair]:
    """Returns the pairs with answers in both orders. A pair is named in the order it was shown in
    first."""
    found: dict[tuple[str, tuple[str, ...], int], Place] = {}
    same = set()
    for answer in answers:
        if len(answer.question.shown) == 2 and answer.state == "answered":
            found[answer.question.item] = (
                _PLACES[getattr(answer.value, answer_field(criterion)).better]
                if answer.value
                else "tie"
            )
            if answer.question.request is None:
                same.add(answer.question.item)
    both, done = [], set()
    for item, place in found.items():
        opening, (first, second), repeat = item
        turned = (opening, (second, first), repeat)
        if turned in found and item not in done:
            done.add(turned)
            both.append(
                JudgedPair(opening, (first, second), repeat, place, found[turned], item not in same)
            )
    return both


def compared_pairs(answers: Sequence[JudgedQuestion]) -> list[tuple[str, str]]:
    """Returns the pairs of generators that were compared, answered or not, in the order shown
    first."""
    found: dict[tuple[str, ...], None] = {}
    for answer in answers:
        if len(shown := answer.question.shown) == 2 and shown[::-1] not in found:
            found[shown] = None
    return [(first, second) for first, second in found]


def outcomes_by_opening(found: Sequence[JudgedPair]) -> dict[tuple[tuple[str, str], str], int]:
    """Returns one outcome per pair of generators and opening: of repeats, the story preferred more
    often."""
    sums: dict[tuple[tuple[str, str], str], int] = {}
    for pair in found:
        key = pair.stories, pair.opening
        sums[key] = sums.get(key, 0) + pair.outcome
    return {key: int(np.sign(total)) for key, total in sums.items()}


def win_matrix(found: Sequence[JudgedPair], generators: Sequence[str]) -> NDArray[np.float64]:
    """Counts how often row was preferred to column, a tie as half a win of each: [openings, n,
    n]."""
    outcomes = outcomes_by_opening(found)
    openings = {name: at for at, name in enumerate(dict.fromkeys(pair.opening for pair in found))}
    place = {name: at for at, name in enumerate(generators)}
    table = np.zeros((len(openings), len(place), len(place)))
    for ((first, second), opening), outcome in outcomes.items():
        row, column = place[first], place[second]
        table[openings[opening], row, column] += (1 + outcome) / 2
        table[openings[opening], column, row] += (1 - outcome) / 2
    return table
