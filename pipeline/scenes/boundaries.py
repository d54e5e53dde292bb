"""Finds scenes: runs of pictures that are at one place in one light.

The pictures of a film are cut into runs so that those of a run are as alike as can be, where each
run costs something: a scene that comes back after one picture of something else (a face between two
views of a room) is cheaper as one scene than as three. The best of all ways to cut is found by
dynamic programming, as in D. Rotman, D. Porat and G. Ashour, "Optimal sequential grouping for
robust video scene detection using multiple modalities" (2017), with a fixed price of a scene
instead of a known number of scenes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# The price of a scene, in distances of a picture from the others of its scene. On six episodes of
# the sample any price from 0.3 to 0.5 finds all boundaries; a low one cuts up scenes that have
# several views of a place.
PRICE = 0.5
_LONGEST = 300  # pictures of a scene; a bound of the work, as it grows with its square


def find(distances: NDArray[np.float64]) -> list[int]:
    """Returns the indices of the pictures that begin a scene, the first among them.

    distances: [n, n], of each picture from each other one, 0 to 1.
    """
    count = len(distances)
    best = np.zeros(count + 1)  # cost of the first pictures, by how many
    begins = np.zeros(count + 1, int)  # where their last scene begins
    within = np.zeros(count + 1)  # sum of distances among pictures from an index on, so far
    for end in range(1, count + 1):
        first = max(0, end - _LONGEST)
        # The new picture's distances from those from `first`, from the next, and so on.
        added = np.cumsum(distances[end - 1, first:end][::-1])[::-1]
        within[first:end] += added
        costs = best[first:end] + within[first:end] / np.arange(end - first, 0, -1) + PRICE
        begins[end] = first + int(costs.argmin())
        best[end] = costs.min()
    found = []
    end = count
    while end > 0:
        end = int(begins[end])
        found.append(end)
    return found[::-1]
