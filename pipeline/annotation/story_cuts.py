"""Cuts a film into stories: after every 30 keyframes, or where scenes end."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.rows import STORY_LENGTH

_Cost = tuple[int, int, int, int]  # left out, cuts within scenes, stories, squares of lengths


def by_length(count: int) -> list[int]:
    """Returns where the stories of so many keyframes end: after every 30, as in the published
    dataset, and after the last."""
    return [*range(STORY_LENGTH, count, STORY_LENGTH), count] if count else []


def at_scenes(begins: Sequence[bool], shortest: int) -> list[int]:
    """Returns where stories end if they end with scenes; `begins` says which keyframes begin one.

    A story has `shortest` to 30 keyframes. So a long scene makes several, and short ones are put
    together: of all ways to cut, the one that leaves out the fewest keyframes (in a last part that
    is too short), then cuts within the fewest scenes, then makes the fewest stories, of lengths as
    equal as can be. By dynamic programming, in time that grows with the film's length.
    """
    best: list[tuple[_Cost, int]] = [
        ((0, 0, 0, 0), 0)
    ]  # up to here: the cost, where the last begins
    for end in range(1, len(begins) + 1):
        is_last = end == len(begins)
        within = 0 if is_last or begins[end] else 1
        ways = []
        for start in range(max(0, end - STORY_LENGTH), end):
            length = end - start
            left_out = length if length < shortest else 0
            if (left_out and not is_last) or best[start][0][0]:
                continue
            cuts, stories, squares = best[start][0][1:]
            cost = (left_out, cuts + within, stories + 1, squares + length * length)
            ways.append((cost, start))
        # Where no story can end yet, more than the whole film is left out.
        best.append(min(ways, default=((len(begins) + 1, 0, 0, 0), 0)))
    ends, end = [], len(begins)
    while end:
        ends.append(end)
        end = best[end][1]
    return ends[::-1]
