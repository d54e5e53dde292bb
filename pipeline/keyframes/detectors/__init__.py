"""Shot detectors: from a film to its transitions, by the detector that the config names.

All work on one cheap pass over the film (`frame_stats.scan_film`). `ours` needs its figures only;
those of scenedetect and TransNetV2 watch its frames; cuts of the user's own are read from files.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pipeline.config import KeyframesConfig
from pipeline.keyframes import segment_scan, shots
from pipeline.keyframes.detectors import cut_files
from pipeline.keyframes.frame_stats import FrameStats, scan_film
from pipeline.keyframes.shots import Transition
from schemas.rows import Video

_WATCHING = ("scenedetect", "transnetv2")


def detect(
    video: Video,
    config: KeyframesConfig,
    scanned: FrameStats | None = None,
    threads: int = 1,
    tick: Callable[[float], None] = lambda time: None,
) -> tuple[FrameStats, list[Transition]]:
    """Returns the figures of a film's frames and its transitions, in order.

    scanned: the figures, where the film was scanned before; a detector that watches frames scans it
    again. threads, tick: as for `scan_film`, which also says what is raised. Raises ValueError for
    cuts of the user's that cannot be read or are not this film's.
    """
    kind, _, name = config.detector.partition(":")
    if kind in _WATCHING:
        watcher = _watcher(kind, name, video, config, threads)
        stats = scan_film(video.uri, threads, tick, watcher.watch)
        return stats, watcher.transitions(stats)
    stats = scanned or segment_scan.scan_film(video.uri, threads, tick)
    if kind == "cuts":
        return stats, cut_files.transitions(name, video, stats)
    return stats, shots.find(stats, config.shots)


def _watcher(kind: str, name: str, video: Video, config: KeyframesConfig, threads: int) -> Any:
    """Returns a detector that is shown each frame; its package is imported only here."""
    if kind == "scenedetect":
        from pipeline.keyframes.detectors.scenedetect import SceneDetect

        return SceneDetect(name, config.detector_parameters, video.fps)
    from pipeline.keyframes.detectors.transnetv2 import TransNetV2

    return TransNetV2(config.detector_parameters, threads)


def watches_frames(config: KeyframesConfig) -> bool:
    """Whether the detector needs the frames of a film in order, so that segments are no help."""
    return config.detector.partition(":")[0] in _WATCHING


def check(config: KeyframesConfig, videos: Sequence[Video]) -> None:
    """Raises ValueError, with what to do, where the detector cannot process these films: a package
    is missing, a parameter is unknown, or a file of cuts cannot be read."""
    kind, _, name = config.detector.partition(":")
    if kind == "scenedetect":
        from pipeline.keyframes.detectors import scenedetect

        scenedetect.check(name, config.detector_parameters)
    elif kind == "transnetv2":
        from pipeline.keyframes.detectors import transnetv2

        transnetv2.check(config.detector_parameters)
    elif kind == "cuts":
        cut_files.check(name, videos)
