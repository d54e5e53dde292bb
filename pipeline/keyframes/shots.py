"""Shot detection: finds hard cuts, dissolves, fades and wipes, and the shots between them.

A hard cut is a frame unlike the one before it, on one side of which little changes; fast motion
changes much on both sides. A dissolve is a run of frames that are weighted means of its ends. A
fade is a run that gradually loses its contrast, whatever the colour that it fades to, and the flat
frames it leads to. In a wipe a shot gives way part by part (`sweeps`). All are frame indices into
`FrameStats`.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.config import ShotsConfig
from pipeline.ingest.video import open_video, video_stream
from pipeline.keyframes import holds
from pipeline.keyframes.decode import frames_from
from pipeline.keyframes.frame_stats import FrameStats, difference, planes, scaled_planes
from pipeline.keyframes.sweeps import Sweep, slid, wiped

# Where a frame beside a cut changes by more than this share of what the cut does, and the picture
# still correlates by more, it is a burst of motion or light.
_BURST, _BURST_CORRELATION = 0.8, 0.4
_BEND = 0.16  # of the change: frames of a dissolve stray less from means of its ends; motion more
_BLEND_CORRELATION = 0.75  # of a dissolve's ends, at most; a lamp that is lit keeps the shapes
_BLEND_AREA = 0.6  # share of the picture that changes in one; a title that appears is less
_AROUND_SWEEP = 0.75  # change before and after a sweep, in that in it; a camera's move goes on
# Times the strays of a sweep: so near, a window beside may fit, and does with so few; of the many
# that are tried in a camera's move one or two have 0.88.
_NEAR_MISS, _GOOD_FIT = 1.3, 0.87
_SWEEP_CORRELATION = 0.6  # of its ends, at most; what moves in a shot leaves the rest
_SHORTEST, _GROWTH = 3, 1.36  # half lengths of gradual transitions that are tried, in frames
_SHORTEST_SWEEP = 2
_GOES_ON = 0.5  # of the change in a sweep: a frame that changes more is of it
_MARGIN = 0.2  # of a sweep, at both ends
_STAYS = 0.15  # seconds beside a sweep that are of the two shots alone
_OPEN = 0.3  # share of the picture that is dark, at most, once an iris is open
_CALM = 1.5  # the change at a cut, in those of the frames beside it, that nothing else explains
_MUCH = 0.3  # of the mean change: what a place has to change to count
_MOVES = 6.0  # levels that the picture changes by in a frame, on average, while a shot slides in
_BLOCK = 4096  # frames processed at once, which bounds memory


@dataclasses.dataclass(frozen=True)
class Transition:
    """What lies between two shots: blended frames from `first` to `last`; a cut has none."""

    kind: str  # "cut", "dissolve", "fade", "wipe"; of a detector that tells no more, "gradual"
    first: int  # for a cut: the new shot's first frame
    last: int  # for a cut: first - 1


@dataclasses.dataclass(frozen=True)
class Shot:
    """Frames from `first` to `last`, both included."""

    first: int
    last: int


def _unit(thumbs: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Returns thumbs as vectors of mean 0 and length 1, whose dot products are correlations."""
    flat = thumbs.reshape(len(thumbs), -1).astype(np.float32)
    flat -= flat.mean(axis=1, keepdims=True)
    return flat / (np.linalg.norm(flat, axis=1, keepdims=True) + 1e-3)


def correlation(thumbs: NDArray[np.uint8], others: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Returns the correlations, pair by pair, of thumbs [n, 18, 32]: float32 [n] in -1..1."""
    return np.concatenate(
        [
            (_unit(thumbs[at : at + _BLOCK]) * _unit(others[at : at + _BLOCK])).sum(axis=1)
            for at in range(0, len(thumbs), _BLOCK)
        ]
        or [np.zeros(0, np.float32)]
    )


def cuts(stats: FrameStats, config: ShotsConfig) -> list[int]:
    """Returns the first frame of each shot that begins with a hard cut."""
    diff = stats.diff
    if len(diff) < 2:
        return []
    correlations = np.concatenate([[1.0], correlation(stats.thumbs[1:], stats.thumbs[:-1])])
    around = np.pad(diff, 2)
    peak = (diff >= around[1:-3]) & (diff >= around[3:-1])
    noisier = np.maximum(around[1:-3], around[3:-1])
    around[:3] = around[-2:] = np.inf  # beyond the film's ends nothing is calm
    calmer = np.minimum(np.maximum(around[:-4], around[1:-3]), np.maximum(around[3:-1], around[4:]))
    found = (
        peak
        & (diff >= config.cut_difference)
        & (diff >= config.cut_ratio * (calmer + 3))
        & (correlations < config.cut_correlation)
        & ~((noisier > _BURST * diff) & (correlations > _BURST_CORRELATION))
    )
    return [int(at) for at in np.flatnonzero(found) if not _flash(stats, int(at))]


def _flash(stats: FrameStats, at: int) -> bool:
    """Whether the image before `at` is back within a few frames: lightning, not a cut."""
    before = stats.thumbs[at - 1].astype(np.int16)
    after = stats.thumbs[at + 1 : at + 4].astype(np.int16)
    return bool(len(after) and np.abs(after - before).mean(axis=(1, 2)).min() < 6.0)


def _calm_cuts(stats: FrameStats, cut_at: list[int]) -> list[int]:
    """Returns the cuts with little change on both sides; where there is more on one, the cut may be
    the begin or end of a wipe."""
    frames = stats.skipped + 1
    rate = np.append(stats.diff / frames, 0.0)
    return [at for at in cut_at if rate[at] >= _CALM * max(rate[at - 1], rate[at + 1])]


def fades(stats: FrameStats, config: ShotsConfig, cut_at: list[int]) -> list[Transition]:
    """Finds runs of low contrast that a gradual loss or gain of contrast leads to or from."""
    flat = stats.std < config.flat
    dark = (stats.thumbs < config.dark).mean(axis=(1, 2))
    starts = np.flatnonzero(flat & ~np.concatenate([[False], flat[:-1]]))
    ends = np.flatnonzero(flat & ~np.concatenate([flat[1:], [False]]))
    correlations = np.concatenate([[1.0], correlation(stats.thumbs[1:], stats.thumbs[:-1])])
    limits = {0, len(flat), *cut_at}
    found: list[Transition] = []
    for start, end in zip(starts, ends, strict=True):
        first = _ramp(stats, config, correlations, dark, limits, int(start), -1)
        last = _ramp(stats, config, correlations, dark, limits, int(end), +1)
        if max(start - first, last - end) >= 2:
            if found and first <= found[-1].last + 1:
                first = found.pop().first
            found.append(Transition("fade", first, last))
    return found


def _ramp(
    stats: FrameStats,
    config: ShotsConfig,
    correlations: NDArray[np.float32],
    dark: NDArray[np.float64],
    limits: set[int],
    at: int,
    step: int,
) -> int:
    """Returns the last frame of the ramp from `at` in the direction of `step`, 1 or -1.

    On a ramp either contrast grows while shapes stay, or much of the frame is still black, as while
    an iris opens, which may look like cuts to `cuts`; but not where it never opens, at night.
    """
    std, times = stats.std, stats.times
    here, origin, opened = at, times[at], False
    iris = dark[at] > 0.9 and 0 <= at + step < len(std) and dark[at + step] > 0.6
    while 0 <= here + step < len(std) and abs(times[here + step] - origin) < config.fade_seconds:
        boundary = max(here, here + step)
        grows = std[here + step] > std[here] * 1.01 + 0.1
        same = correlations[boundary] > 0.8 or std[here] < config.flat
        opens = iris and dark[here + step] > 0.05
        if boundary in limits or not grows or not same:
            if not opens:
                break
            opened = True
        here += step
    beyond = min(max(here + step, 0), len(dark) - 1)
    is_open = dark[min(at, beyond) : max(at, beyond) + 1].min() < _OPEN
    return here if is_open or not opened else at


def _blocked(count: int, cut_at: list[int], taken: list[Transition]) -> NDArray[np.int64]:
    """Returns how many of the frames before each one no other transition may contain."""
    barrier = np.zeros(count, bool)
    barrier[cut_at] = True
    for transition in taken:
        barrier[transition.first : transition.last + 1] = True
    return np.concatenate([[0], np.cumsum(barrier)])


def dissolves(
    stats: FrameStats, config: ShotsConfig, cut_at: list[int], taken: list[Transition]
) -> list[Transition]:
    """Finds runs of frames that are weighted means of the ends, clear of cuts and fades."""
    count = len(stats.times)
    blocked = _blocked(count, cut_at, taken)
    best = np.zeros(count, np.float32)
    width = np.zeros(count, np.int64)
    for half in _halves(stats, config.dissolve_seconds, _SHORTEST):
        if count <= 2 * half:
            continue
        middles = _apart(stats, config, blocked, np.arange(half, count - half), half)[0]
        score = _blend_score(stats.thumbs, middles, half)
        better = score > best[middles]
        best[middles[better]], width[middles[better]] = score[better], half
    found: list[Transition] = []
    while len(best) and best.max() > 0:
        middle_at = int(best.argmax())
        half = int(width[middle_at])
        first, last = _extent(stats.thumbs, middle_at, half)
        found.append(Transition("dissolve", first, last))
        best[max(0, middle_at - 2 * half) : middle_at + 2 * half + 1] = 0
    return sorted(found, key=lambda transition: transition.first)


def _halves(stats: FrameStats, seconds: float, shortest: int) -> list[int]:
    """Returns half lengths in frames, each longer by a third than the one before, up to `seconds`
    of the film for the whole."""
    step = float(np.median(np.diff(stats.times))) if len(stats.times) > 1 else 0.0
    longest = round(seconds / 2 / step) if step > 0 else 0
    halves = [shortest]
    while halves[-1] < longest:
        halves.append(min(longest, max(halves[-1] + 1, round(halves[-1] * _GROWTH))))
    return halves


def _apart(
    stats: FrameStats,
    config: ShotsConfig,
    blocked: NDArray[np.int64],
    middles: NDArray[np.int64],
    half: int,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Returns those middles whose frames half a window before and after differ, with no other
    transition between them, and by how many levels."""
    middles = middles[blocked[middles + half + 1] - blocked[middles - half + 1] == 0]
    span, share = _changed(stats.thumbs, middles - half, middles + half)
    some = (span > config.dissolve_span) & (share > _BLEND_AREA)
    return middles[some], span[some]


def _changed(
    thumbs: NDArray[np.uint8], some: NDArray[np.int64], others: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns by how many levels frames differ, pair by pair, and in what share of the picture they
    differ by as much as counts."""
    levels, shares = np.zeros(len(some)), np.zeros(len(some))
    for at in range(0, len(some), _BLOCK):
        part = slice(at, at + _BLOCK)
        one, other = thumbs[some[part]], thumbs[others[part]]
        change = np.maximum(one, other) - np.minimum(one, other)
        levels[part] = change.mean(axis=(1, 2))
        shares[part] = (change > _MUCH * levels[part, None, None]).mean(axis=(1, 2))
    return levels, shares


def wipes(
    stats: FrameStats, config: ShotsConfig, cut_at: list[int], taken: list[Transition]
) -> list[Transition]:
    """Finds transitions in which a shot gives way part by part, clear of cuts and other ones."""
    count = len(stats.times)
    blocked = _blocked(count, cut_at, taken)
    moved = np.concatenate([[0.0], np.cumsum(stats.diff, dtype=np.float64)])
    sweeps: list[Sweep] = []
    others: list[Sweep] = []  # where none of these are
    for half in _halves(stats, config.wipe_seconds, _SHORTEST_SWEEP):
        if count <= 2 * half:
            continue
        step = max(1, half // 3)
        middles, around = _suited(stats, config, blocked, np.arange(half, count - half, step), half)
        sweeps += wiped(stats.thumbs, middles[around < _AROUND_SWEEP], half)
        per_frame = (moved[middles + half + 1] - moved[middles - half + 1]) / (2 * half)
        moving = (per_frame > _MOVES) & (around < _NEAR_MISS * _AROUND_SWEEP)
        near = list(slid(stats.thumbs, middles[moving], half, _NEAR_MISS))
        calm = set(middles[around < _AROUND_SWEEP].tolist())
        sweeps += [sweep for middle, sweep in near if sweep.score > 0 and middle in calm]
        # A shot that moves in fits its window only where both shots are still outside of it.
        beside = np.unique(
            [at for middle, _ in near for at in range(middle - step + 1, middle + step)]
        )
        beside = beside[(beside >= half) & (beside < count - half)].astype(np.int64)
        middles, around = _suited(stats, config, blocked, beside, half)
        middles = middles[around < _AROUND_SWEEP]
        others += [sweep for _, sweep in slid(stats.thumbs, middles, half, _GOOD_FIT)]
    found: list[Transition] = []
    free = np.ones(count, bool)
    best_first = [
        sorted(some, key=lambda sweep: (-sweep.score, sweep.first)) for some in (sweeps, others)
    ]
    for sweep in itertools.chain(*best_first):
        if free[sweep.first : sweep.last + 1].all():
            first, last = _whole(stats, sweep, blocked)
            if _both_stay(stats, blocked, first, last):
                found.append(Transition("wipe", first, last))
            length = sweep.last - sweep.first + 1
            free[max(0, sweep.first - length // 2) : sweep.last + length // 2 + 1] = False
    return sorted(found, key=lambda transition: transition.first)


def _suited(
    stats: FrameStats,
    config: ShotsConfig,
    blocked: NDArray[np.int64],
    middles: NDArray[np.int64],
    half: int,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Returns those middles of windows between whose ends the picture becomes another, and how much
    it changes before and after the window as a share of that.

    A shot gives way to one that goes on as calmly; a camera that moves, moved before or goes on
    moving.
    """
    middles, span = _apart(stats, config, blocked, middles, half)
    ends = correlation(stats.thumbs[middles - half], stats.thumbs[middles + half])
    middles, span = middles[ends < _SWEEP_CORRELATION], span[ends < _SWEEP_CORRELATION]
    around = np.zeros(len(middles))
    for end, step in ((-half, -half), (half, half)):
        near = middles + end
        far = np.clip(near + step, 0, len(stats.times) - 1)
        far = np.where(
            blocked[np.maximum(near, far) + 1] - blocked[np.minimum(near, far) + 1] == 0,
            far,
            near + step // 2,  # half as far, where another transition is on the way
        )
        around += _changed(stats.thumbs, near, np.clip(far, 0, len(stats.times) - 1))[0]
    return middles, around / np.maximum(span, 1e-3)


def _whole(stats: FrameStats, sweep: Sweep, blocked: NDArray[np.int64]) -> tuple[int, int]:
    """Returns the first and last frame of a sweep with those beside it that change as much, and a
    few more: at its ends an iris or a corner is too small to be seen in figures."""
    rate = stats.diff / (stats.skipped + 1)
    usual = float(rate[sweep.first : sweep.last + 2].mean())
    length = sweep.last - sweep.first + 1
    first, last, count = sweep.first, sweep.last, len(rate)
    while first > 0 and sweep.first - first < length and rate[first] > _GOES_ON * usual:
        first -= 1
    while last + 1 < count and last - sweep.last < length and rate[last + 1] > _GOES_ON * usual:
        last += 1
    more = max(1, round(_MARGIN * length))
    first, last = max(0, first - more), min(count - 1, last + more)
    while blocked[sweep.first] > blocked[first]:
        first += 1
    while blocked[last + 1] > blocked[sweep.last + 1]:
        last -= 1
    return first, last


def _both_stay(stats: FrameStats, blocked: NDArray[np.int64], first: int, last: int) -> bool:
    """Whether both pictures of a sweep are seen outside of it. A camera that pans from cut to cut
    leads to no other shot, nor does what covers the picture right before a cut."""
    earlier, later = stats.times[first] - _STAYS, stats.times[last] + _STAYS
    if earlier < stats.times[0] or later > stats.times[-1]:
        return False
    begin = int(np.searchsorted(stats.times, earlier))
    end = int(np.searchsorted(stats.times, later, side="right")) - 1
    return bool(blocked[first] == blocked[begin] and blocked[end + 1] == blocked[last + 1])


def _blend_score(
    thumbs: NDArray[np.uint8], middles: NDArray[np.int64], half: int
) -> NDArray[np.float32]:
    """Scores, for each middle, that the 2 * half frames around it are a blend; 0: they are not."""
    scores = np.zeros(len(middles), np.float32)
    quarter = half // 2
    for at in range(0, len(middles), _BLOCK):
        some = middles[at : at + _BLOCK]
        before = thumbs[some - half].astype(np.float32)
        after = thumbs[some + half].astype(np.float32)
        span = np.abs(after - before).mean(axis=(1, 2))
        bend = np.zeros(len(some), np.float32)
        for offset in (-quarter, 0, quarter):
            share = (offset + half) / (2 * half)
            expected = before * (1 - share) + after * share
            bend += np.abs(thumbs[some + offset] - expected).mean(axis=(1, 2)) / 3
        straight = 1 - bend / (_BEND * np.maximum(span, 1e-3))
        ends = correlation(thumbs[some - half], thumbs[some + half])
        is_blend = (straight > 0) & (ends < _BLEND_CORRELATION)
        scores[at : at + _BLOCK] = np.where(is_blend, span * straight, 0)
    return scores


def _extent(thumbs: NDArray[np.uint8], middle: int, half: int) -> tuple[int, int]:
    """Returns the first and last frame of the blend around `middle`."""
    begin, end = max(0, middle - 2 * half), min(len(thumbs) - 1, middle + 2 * half)
    before = thumbs[middle - half].astype(np.float32)
    change = thumbs[middle + half].astype(np.float32) - before
    part = thumbs[begin : end + 1].astype(np.float32) - before
    share = (part * change).sum(axis=(1, 2)) / max(float((change**2).sum()), 1e-3)
    steps = np.diff(share)
    steady = 0.25 / (2 * half)  # a blend advances at every frame
    first = last = middle - begin
    while first > 0 and steps[first - 1] > steady:
        first -= 1
    while last < len(steps) and steps[last] > steady:
        last += 1
    return begin + first, begin + last


def find(stats: FrameStats, config: ShotsConfig) -> list[Transition]:
    """Finds the transitions of a film, in order."""
    every, index = holds.repeated(stats)
    return _unrepeated(_transitions(every, config), index)


def between(count: int, transitions: Sequence[Transition]) -> list[Shot]:
    """Returns the shots of a film of `count` frames, in order, from its transitions, in order."""
    shots: list[Shot] = []
    begin = 0
    for transition in transitions:
        if transition.first > begin:
            shots.append(Shot(begin, transition.first - 1))
        begin = max(begin, transition.last + 1)
    if begin < count:
        shots.append(Shot(begin, count - 1))
    return shots


def _unrepeated(transitions: list[Transition], index: NDArray[np.int64]) -> list[Transition]:
    """Returns transitions between frames, given those between entries and the frame of each entry.

    A held frame of which a gradual transition has only some of the entries is not part of it.
    """
    found = []
    for transition in transitions:
        if transition.kind == "cut":
            first = int(index[transition.first])
            found.append(Transition("cut", first, first - 1))
            continue
        begins = int(np.searchsorted(index, index[transition.first]))
        ends = int(np.searchsorted(index, index[transition.last], side="right")) - 1
        first = int(index[transition.first]) + (begins < transition.first)
        last = int(index[transition.last]) - (ends > transition.last)
        if first <= last:
            found.append(Transition(transition.kind, first, last))
        elif transition.first > 0:  # what seemed gradual lies between two held frames
            found.append(Transition("cut", first, first - 1))
    return found


def _transitions(stats: FrameStats, config: ShotsConfig) -> list[Transition]:
    cut_at = cuts(stats, config)
    gradual = fades(stats, config, cut_at)
    gradual += dissolves(stats, config, cut_at, gradual)
    calm = _calm_cuts(stats, cut_at)
    sweeps = wipes(stats, config, calm, gradual)
    inside = np.zeros(len(stats.times), bool)
    for transition in gradual + sweeps:
        inside[transition.first : transition.last + 1] = True
    ends = {transition.last + 1 for transition in sweeps} - set(calm)
    hard = [Transition("cut", at, at - 1) for at in cut_at if not inside[at] and at not in ends]
    gradual += sweeps
    return sorted(hard + gradual, key=lambda transition: transition.first)


def cut_times(uri: str, stats: FrameStats, index: int) -> tuple[float, float]:
    """Returns the exact times of the last frame before and the first after the cut at `index`.

    Frames just before a cut may have been skipped by the scan; they are decoded here, and each goes
    to the side that it differs less from.
    """
    before, after = float(stats.times[index - 1]), float(stats.times[index])
    if stats.skipped[index] <= 0:
        return before, after
    low, high = int(stats.pts[index - 1]), int(stats.pts[index])
    planes_at: dict[int, Any] = {}
    with open_video(uri) as container:
        stream = video_stream(container)
        stream.codec_context.options = {"skip_loop_filter": "all"}
        access = index - int(stats.cost[index - 1])
        start = int(stats.pts[access]) if access else None
        for frame in frames_from(container, stream, start):
            if low <= frame.pts <= high:
                planes_at[frame.pts] = scaled_planes(planes(frame))[1]
            if frame.pts >= high:
                break
    if low not in planes_at or high not in planes_at:
        return before, after
    of_first = [
        pts
        for pts in sorted(planes_at)
        if pts < high
        and difference(planes_at[pts], planes_at[low])
        <= difference(planes_at[pts], planes_at[high])
    ]
    of_second = [pts for pts in sorted(planes_at) if pts > of_first[-1]]
    time_base = (after - before) / (high - low)
    return before + (of_first[-1] - low) * time_base, before + (of_second[0] - low) * time_base
