"""Extracts the keyframes of one film: scans, selects and decodes frames, and writes them as JPEG.

What is left out (near-duplicates, black frames, frames that cannot be decoded, a film that cannot
be read) becomes a Reject with its reason.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Sequence

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.config import KeyframesConfig
from pipeline.ingest.probe import probe
from pipeline.ingest.video import VideoError, open_video, video_stream
from pipeline.keyframes import segment_scan, shots
from pipeline.keyframes.decode import frames_at_indices
from pipeline.keyframes.detectors import detect
from pipeline.keyframes.frame_stats import FrameStats, join_segments, scan_segment
from pipeline.keyframes.geometry import Geometry, displayed
from pipeline.keyframes.interlacing import INTERLACED
from pipeline.keyframes.local_change import largest_change, small_lab
from pipeline.keyframes.motion import motion
from pipeline.keyframes.near_duplicates import most_similar, perceptual_hash
from pipeline.keyframes.select import Selection, all_candidates, frame_reject, select
from pipeline.keyframes.shots import Transition
from pipeline.runtime import progress, storage
from pipeline.runtime.images import encode_jpeg, thumbnail
from pipeline.runtime.stage_outputs import AnyRow
from schemas import layout
from schemas.published import keyframe_id
from schemas.rows import Keyframe, Reject, Video

SCAN_SHARE = 0.7  # of the time that extraction takes is spent in the scan

_CUT_SHORT = 0.05  # share of a film that may be missing at its end without a reject
_REJECT_IMAGES = 4  # written for each reason, of a film
_COMPARED = 8  # most similar keyframes by hash that a candidate is compared with pixel by pixel


def extract_film(
    video: Video,
    config: KeyframesConfig,
    folder: str,
    segments: str,
    threads: int,
    tick: Callable[[float], None],
) -> list[AnyRow]:
    """Returns the film as probed, its keyframes and rejects; a film that fails is a reject.

    Images go to `folder`, as `extract_keyframes` says. segments: the folder with the figures of a
    long film's segments, where they were scanned before. tick: progress callback, takes the share
    that is done. Raises storage.CannotWrite, and OSError where storage does not respond.
    """
    try:
        video = probe(video)
        stats, transitions = detect(
            video,
            config,
            segment_scan.load(video.uri, segments),
            threads,
            lambda time: _report(video, time, tick),
        )
        video = dataclasses.replace(
            video, bars=list(stats.bars), interlaced=stats.combed >= INTERLACED
        )
        keyframes, rejects = extract_keyframes(
            video, stats, config, folder, threads, tick, transitions
        )
    except storage.CannotWrite:  # a full disk is no fault of the film's
        raise
    except (
        VideoError,
        ValueError,
        OSError,
        av.FFmpegError,
        cv2.error,
        IndexError,
        MemoryError,
    ) as error:
        if storage.is_unavailable(video.uri, error):
            raise
        return [
            video,
            Reject("video", video.uri, "unreadable", str(error) or type(error).__name__, video.id),
        ]
    end = float(stats.times[-1]) + stats.frame_time
    if video.duration - end > max(1.0, _CUT_SHORT * video.duration):
        rejects.append(
            Reject(
                "keyframe",
                video.id,
                "cut short",
                f"nothing can be decoded from {end:.1f} s to its end at {video.duration:.1f} s",
                video.id,
            )
        )
    if not keyframes:
        rejects.append(
            Reject(
                "video",
                video.uri,
                "no keyframes",
                "no frame of it is fit to stand for a shot",
                video.id,
            )
        )
    return [video, *keyframes, *rejects]


def _report(video: Video, time: float, tick: Callable[[float], None]) -> None:
    """Reports that a film is decoded up to this time."""
    tick(SCAN_SHARE * min(time / video.duration, 1) if video.duration else 0)
    minutes = f"{int(time) // 60}:{int(time) % 60:02d}"
    progress.doing("keyframes", f"decoding {video.id} at {minutes}")


def extract_keyframes(
    video: Video,
    stats: FrameStats,
    config: KeyframesConfig,
    folder: str,
    threads: int = 1,
    tick: Callable[[float], None] = lambda share: None,
    transitions: Sequence[Transition] | None = None,
) -> tuple[list[Keyframe], list[Reject]]:
    """Returns a film's keyframes, in order, and rejects; writes images to `folder` as `<id>.jpg`.

    Images of some rejects go to `folder/rejected/<id>.jpg`. threads: changes the time taken and
    nothing else. tick: progress callback, takes the share that is done, from SCAN_SHARE on.
    transitions: of the film, in order; those that `ours` finds, if None. Raises av.FFmpegError or
    ValueError where the film cannot be read.
    """
    if transitions is None:
        transitions = shots.find(stats, config.shots)
    selection = select(video, stats, transitions, config, threads)
    shown = _shown(selection.rejected, stats)
    geometry = Geometry(
        stats.bars, stats.aspect, video.rotation, interlaced=stats.combed >= INTERLACED
    )
    keyframes: list[Keyframe] = []
    pictures: list[NDArray[np.uint8]] = []  # of the keyframes, small
    rejects: list[Reject] = []
    decoded = set()
    wanted = sorted(selection.candidates.keys() | shown)
    for index, frame, beside in frames_at_indices(video.uri, stats, wanted, threads):
        tick(SCAN_SHARE + (1 - SCAN_SHARE) * index / len(stats.pts))
        decoded.add(index)
        image, crop = displayed(frame, geometry)
        if index in shown:
            rejects += [
                _with_image(reject, image, folder)
                for rejected_index, reject in selection.rejected
                if rejected_index == index
            ]
        if index in selection.candidates:
            keyframe = _keyframe(video, stats, selection, index, image, crop)
            picture = small_lab(image)
            duplicate_of = _near_duplicate(keyframe, picture, keyframes, pictures, config)
            if duplicate_of:
                detail = f"looks like {duplicate_of}"
                reject = frame_reject(video, stats, index, "duplicate", detail)
                rejects.append(_with_image(reject, image, folder))
            else:
                pictures.append(picture)
                keyframes.append(_written(keyframe, image, motion(frame, beside, geometry), folder))
    rejects += [reject for index, reject in selection.rejected if index not in shown & decoded]
    rejects += [
        frame_reject(video, stats, index, "undecodable", "it could not be reached again")
        for index in selection.candidates.keys() - decoded
    ]
    return keyframes, sorted(rejects, key=lambda reject: (reject.key, reject.reason))


def _near_duplicate(
    keyframe: Keyframe,
    picture: NDArray[np.uint8],
    keyframes: Sequence[Keyframe],
    pictures: Sequence[NDArray[np.uint8]],
    config: KeyframesConfig,
) -> str:
    """Returns the id of a keyframe that shows the same, in the same place and pose; "" for none."""
    alike = most_similar(
        keyframe.phash, [other.phash for other in keyframes], config.likeness, _COMPARED
    )
    for index in alike:
        if largest_change(picture, pictures[index]) < config.change:
            return keyframes[index].id
    return ""


def keyframes_per_second(
    video: Video, config: KeyframesConfig, begin: float, seconds: float, threads: int = 1
) -> float:
    """Estimates how many keyframes per second a film has, from a part of it that begins at a time.

    Counts candidates, near-duplicates included. Raises as `scan_segment` does.
    """
    with open_video(video.uri) as container:
        ticks = 1 / float(video_stream(container).time_base or 1)
    segment = scan_segment(
        video.uri, threads, begin=round(begin * ticks), end=round((begin + seconds) * ticks)
    )
    stats = join_segments(video.uri, [segment])
    found = shots.between(len(stats.times), shots.find(stats, config.shots))
    candidates = all_candidates(stats, found, config)
    length = float(stats.times[-1] - stats.times[0]) + stats.frame_time
    return sum(not candidate.reason for candidate in candidates) / max(length, 1.0)


def _shown(rejected: Sequence[tuple[int, Reject]], stats: FrameStats) -> set[int]:
    """Returns the frames of the rejects whose images are written: of each reason the few that cost
    least to decode."""
    by_reason: dict[str, list[int]] = {}
    for index, reject in rejected:
        by_reason.setdefault(reject.reason, []).append(index)
    return {
        index
        for indices in by_reason.values()
        for index in sorted(indices, key=lambda index: (stats.cost[index], index))[:_REJECT_IMAGES]
    }


def _with_image(reject: Reject, image: NDArray[np.uint8], folder: str) -> Reject:
    """Writes a reject's thumbnail and returns the reject with its path in the dataset."""
    path = layout.rejected_stage_picture(reject.key).split("/")
    storage.write_bytes(storage.join(folder, *path), encode_jpeg(thumbnail(image)))
    return dataclasses.replace(reject, image=layout.rejected_image_path(reject.video, reject.key))


def _keyframe(
    video: Video,
    stats: FrameStats,
    selection: Selection,
    index: int,
    image: NDArray[np.uint8],
    crop: list[int],
) -> Keyframe:
    """Returns a keyframe's row without its motion, bytes and sha256."""
    time, shot = float(stats.times[index]), selection.candidates[index].shot
    name = keyframe_id(video.id, time)
    luma = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    start, end = selection.shot_times[shot]
    return Keyframe(
        id=name,
        video=video.id,
        series=video.series,
        image=layout.image_path(video.id, name),
        time=round(time, 6),
        shot=shot,
        shot_start=round(start, 6),
        shot_end=round(end, 6),
        transition=selection.transitions[shot],
        width=image.shape[1],
        height=image.shape[0],
        crop=crop,
        bytes=0,
        sha256="",
        phash=perceptual_hash(luma),
        sharpness=round(float(stats.sharp[index]), 3),
        brightness=round(float(luma.mean()) / 255, 4),
        camera_motion=[],
        subject_motion=[],
    )


def _written(
    keyframe: Keyframe,
    image: NDArray[np.uint8],
    motions: tuple[list[float], list[float]],
    folder: str,
) -> Keyframe:
    """Writes a keyframe's image and returns its row complete."""
    data = encode_jpeg(image)
    storage.write_bytes(storage.join(folder, layout.stage_picture(keyframe.id)), data)
    camera, subject = motions
    return dataclasses.replace(
        keyframe,
        bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        camera_motion=camera,
        subject_motion=subject,
    )
