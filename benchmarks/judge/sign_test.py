"""The sign test: whether preferences are more uneven than chance."""

from __future__ import annotations

import math


def sign_test(wins: int, losses: int) -> float:
    """Computes the probability that a fair coin is at least as uneven, two-sided and exact. Ties
    are left out.

    Source: Conover, Practical Nonparametric Statistics (1999), 3.4.
    """
    both = wins + losses
    tail = sum(math.comb(both, count) for count in range(min(wins, losses) + 1))
    return min(1.0, 2 * tail / 2**both)
