"""Exports a clip per shot, cut from the films to the frame, with its caption.

    clips/<film>/<film>_shot_<number>.mp4    from the shot's first own frame to its last one
    {train,val}.jsonl                        a line per clip: `video`, `prompt`, its film and shot

Where a shot begins at a random access point of its film and none of its frames needs one that comes
after it, its packets are copied, else its frames are encoded again with H.264; either way a clip
has exactly the frames of the shot, at their distances in time. Clips have no sound and keep the
film's whole picture, letterbox too.

The lines are those of DiffSynth-Studio, with which Wan and other video models are fine-tuned:
`--dataset_base_path exported --dataset_metadata_path exported/train.jsonl --data_file_keys video`.
Source: `diffsynth/core/data/unified_dataset.py` of github.com/modelscope/DiffSynth-Studio.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import numpy as np

from pipeline.dataset.exports.documents import (
    json_line,
    require_empty,
    rights_of_films,
    write_sources,
)
from pipeline.dataset.manifest import read_manifest
from pipeline.dataset.reader import read_films, read_rows
from pipeline.dataset.rebuild import find_files, read_film_rows
from pipeline.ingest.video import decoded, first_frame, open_video, packets, video_stream
from pipeline.runtime import progress, storage
from schemas import layout
from schemas.rows import Caption, Keyframe

_COPIED = {"h264", "hevc", "av1", "mpeg4"}  # codecs that MP4 holds
_NEAR = 1e-3  # seconds; times in the tables are rounded to microseconds
_CRF = "18"


@dataclass(frozen=True)
class Clip:
    """A shot of a film that becomes a clip."""

    film: str
    shot: int
    start: float  # seconds, of its first own frame, from the film's first frame
    end: float  # of its last own frame
    prompt: str

    @property
    def path(self) -> str:
        """The path of its file in the export."""
        return f"clips/{self.film}/{self.film}_shot_{self.shot:04d}.mp4"


def shots_of(keyframes: Sequence[Keyframe], captions: dict[str, str]) -> list[Clip]:
    """Returns the shots that keyframes of a film stand for, each with the captions of its own."""
    found: dict[int, list[Keyframe]] = {}
    for keyframe in sorted(keyframes, key=lambda row: row.time):
        found.setdefault(keyframe.shot, []).append(keyframe)
    return [
        Clip(
            rows[0].video,
            shot,
            rows[0].shot_start,
            rows[0].shot_end,
            " ".join(dict.fromkeys(filter(None, (captions.get(row.id, "") for row in rows)))),
        )
        for shot, rows in sorted(found.items())
    ]


def export(out: str, folder: str, source: str, say: Callable[[str], None] = print) -> list[str]:
    """Cuts the clips of the dataset `out` from its films into `folder`, on a disk.

    `source` names the films, as for `rebuild`. Their number, length and about how large they will
    be are said first. Returns the paths of the JSONL. Raises ValueError where a film with stories
    is not there, else as the other exports do.
    """
    splits = sorted(read_manifest(out).splits)
    require_empty(folder)
    if storage.is_remote(folder):
        raise ValueError(f"{folder}: clips are written to a disk")
    films = {film.id: film for film in read_film_rows(out)}
    files = find_files(list(films.values()), source, say)
    captions = {row.keyframe: row.sentence for row in read_rows(out, layout.CAPTIONS, Caption)}
    rights = rights_of_films(out)
    clips: dict[str, list[Clip]] = {split: [] for split in splits}
    for name, stories, keyframes in read_films(out):
        if name not in files:
            raise ValueError(f"{name}: its film is not in {source}")
        clips[stories[0].split] += shots_of(list(keyframes.values()), captions)
    every = [clip for of_split in clips.values() for clip in of_split]
    size = sum(
        (clip.end - clip.start) * films[clip.film].size / max(films[clip.film].duration, 1e-9)
        for clip in every
    )
    seconds = sum(clip.end - clip.start for clip in every)
    say(f"{len(every)} clips of {seconds:.0f} s in all, about {size / 1e6:.0f} MB, go to {folder}")
    paths = []
    for split, of_split in clips.items():
        paths.append(storage.join(folder, f"{split}.jsonl"))
        with storage.writing(paths[-1]) as file:
            for clip in of_split:
                progress.doing("export", clip.path)
                film = films[clip.film]
                path = os.path.join(folder, clip.path)
                frames, copied = cut(files[film.id].uri, clip, path, film.rotation)
                file.write(
                    json_line(
                        {
                            "video": clip.path,
                            "prompt": clip.prompt,
                            "film": clip.film,
                            "shot": clip.shot,
                            "start": clip.start,
                            "end": clip.end,
                            "frames": frames,
                            "copied": copied,
                            **rights[clip.film],
                        }
                    )
                )
    write_sources(out, folder)
    return paths


def cut(uri: str, clip: Clip, path: str, rotation: int = 0) -> tuple[int, bool]:
    """Cuts a shot from a film; returns its number of frames, and whether they were copied.

    `rotation` is that of Video: frames of a film that players turn are turned. Raises ValueError
    where the film has no frame at the shot's times.
    """
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open_video(uri) as container:
        stream = video_stream(container)
        begin = first_frame(container, stream).pts or 0
        base = Fraction(stream.time_base or 1)
        first, last = (begin + round(time / base) for time in (clip.start, clip.end))
        slack = max(1, round(_NEAR / base))
        found = _own_packets(container, stream, first, last, slack)
    if found and not rotation:
        with suppress(av.FFmpegError):  # of packets that MP4 does not take
            if _copy(uri, found, path) and _times(path) == _apart(sorted(found), base):
                return len(found), True
    count = _encode(uri, first, last, slack, rotation, path)
    if not count:
        raise ValueError(f"{uri} has no frames from {clip.start} s to {clip.end} s")
    return count, False


def _own_packets(container: Any, stream: Any, first: int, last: int, slack: int) -> list[int]:
    """Returns the times of the packets of a shot, in decoding order, where they can be copied; none
    where they cannot."""
    if stream.codec_context.name not in _COPIED or container.format.name == "avi":
        return []  # AVI does not tell in which order frames are shown
    with suppress(av.FFmpegError):
        container.seek(first + slack, stream=stream)
    times: list[int] = []
    ended = False
    for packet in packets(container, stream):
        if packet.pts is None or packet.dts is None:
            if packet.size:
                return []
            continue
        if not times:
            if not (packet.is_keyframe and abs(packet.pts - first) <= slack):
                if packet.dts > first:
                    return []
                continue
        elif packet.pts < times[0]:  # shown before the random access point: of the shot before
            continue
        if packet.pts > last + slack:
            if packet.is_keyframe or packet.dts > last:
                break
            ended = True  # what follows it in decoding order may need it
            continue
        if ended:
            return []
        times.append(packet.pts)
    return times if times and abs(max(times) - last) <= slack else []


def _copy(uri: str, times: Sequence[int], path: str) -> bool:
    """Copies the packets with these times into a new file; returns whether all were there."""
    wanted = set(times)
    with open_video(uri) as container, av.open(path, "w", format="mp4", options=_EXACT) as out:
        stream = video_stream(container)
        copy = out.add_stream_from_template(stream)
        with suppress(av.FFmpegError):
            container.seek(times[0], stream=stream)
        for packet in packets(container, stream):
            if packet.pts not in wanted or packet.dts is None:
                if wanted and packet.size:
                    continue
                break
            wanted.discard(packet.pts)
            packet.pts, packet.dts, packet.stream = (
                packet.pts - times[0],
                packet.dts - times[0],
                copy,
            )
            out.mux(packet)
    return not wanted


# The same packets give the same file, whichever version of FFmpeg writes it.
_EXACT = {"fflags": "+bitexact", "movflags": "+faststart"}


def _times(path: str) -> list[float]:
    """Returns the times of a clip's frames as a player shows them, from the first one on."""
    with open_video(path) as container:
        stream = video_stream(container)
        found = sorted(
            frame.pts for frame in decoded(packets(container, stream)) if frame.pts is not None
        )
        return _apart(found, Fraction(stream.time_base or 1))


def _apart(times: Sequence[int], base: Fraction) -> list[float]:
    """Returns times in seconds from the first one on, to the millisecond."""
    return [round(float((time - times[0]) * base), 3) for time in times]


def _encode(uri: str, first: int, last: int, slack: int, rotation: int, path: str) -> int:
    """Encodes the frames of a shot with H.264; returns how many there are."""
    count = 0
    with av.open(path, "w", format="mp4", options=_EXACT) as out:
        stream: Any = None
        for frame in _frames(uri, first, last, slack):
            time = frame.pts
            if rotation:
                turned = np.rot90(frame.to_ndarray(format="rgb24"), -rotation // 90)
                frame = _like(frame, np.ascontiguousarray(turned))
            if stream is None:
                stream = out.add_stream("libx264", rate=_rate(uri), options={"crf": _CRF})
                stream.width, stream.height = frame.width & ~1, frame.height & ~1
                stream.pix_fmt = "yuv420p"
                stream.codec_context.time_base = frame.time_base
                stream.codec_context.thread_count = 1  # the same bytes on every machine
                zero = time
            shown = frame.reformat(stream.width, stream.height, "yuv420p")
            shown.pts, shown.time_base = time - zero, frame.time_base
            shown.pict_type = av.video.frame.PictureType.NONE
            out.mux(stream.encode(shown))
            count += 1
        if stream is not None:
            out.mux(stream.encode(None))
    return count


def _like(frame: Any, picture: Any) -> Any:
    """Returns a frame of a picture, uint8 RGB, with the time base of another frame."""
    turned = av.VideoFrame.from_ndarray(picture, format="rgb24")
    turned.time_base = frame.time_base
    return turned


def _rate(uri: str) -> Fraction:
    with open_video(uri) as container:
        stream = video_stream(container)
        return Fraction(stream.average_rate or stream.guessed_rate or 25)


def _frames(uri: str, first: int, last: int, slack: int) -> Iterator[Any]:
    """Yields the decoded frames of a shot, from the last random access point before it on."""
    with open_video(uri) as container:
        stream = video_stream(container)
        stream.codec_context.thread_count = 1
        with suppress(av.FFmpegError):
            container.seek(first, stream=stream)
        for frame in decoded(packets(container, stream)):
            time = frame.pts or 0
            if time > last + slack:
                return
            if time >= first - slack:
                yield frame
