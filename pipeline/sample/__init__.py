"""The sample: a cartoon that the project draws itself, to try everything on.

`draw` writes episodes with subtitles, a manifest and the ground truth of every shot. `script` makes
up the episodes from the seed, `places` and `figures` define how things look, `actions` how they
move, `film` draws the frames of a shot; this module joins the shots by cuts, fades and dissolves,
encodes the films and writes the ground truth. All files are local.

    <folder>/S01E01.mp4  S01E01.srt  S01E01.truth.json ...  manifest.csv  sample.json
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from pipeline.sample import variants
from pipeline.sample.cards import credits_card, logo, title_card
from pipeline.sample.film import FPS, Picture, boxes, filmed
from pipeline.sample.music import tune
from pipeline.sample.pen import HEIGHT, WIDTH, Canvas
from pipeline.sample.script import SERIES, Episode, Shot, write

DISSOLVE, FADE, BLACK = 16, 20, 4  # frames; a fade is half out, black, half in
BOX_FRAMES = 6  # from one box of a figure in the truth to the next


def draw(
    folder: str,
    episodes: int = 4,
    seed: int = 0,
    shots: int | None = None,
    variant: str = "",
    drawn: Callable[[str, int, int], None] = lambda name, done, total: None,
) -> list[str]:
    """Draws the sample into `folder` and returns the paths of its videos, in order.

    Films that are there already, drawn with the same parameters by the same code, are not drawn
    again; others of an earlier call are replaced. `shots` limits each episode to its first story
    shots, `variant` is one of `variants.VARIANTS`. `drawn` is told each episode that is done, their
    number and that of all. Equal parameters give equal bytes with equal versions of the libraries.
    Episodes are drawn in parallel by fresh processes, so a script that calls this needs the usual
    `if __name__ == "__main__"`. Raises ValueError where there is nothing to draw.
    """
    if episodes < 1 or (shots is not None and shots < 1):
        raise ValueError("a sample has at least one episode of at least one shot")
    home = Path(folder)
    home.mkdir(parents=True, exist_ok=True)
    names = [f"S01E{number:02d}" for number in range(1, episodes + 1)]
    parameters = {"seed": seed, "shots": shots, "code": _code()}
    if variant:
        parameters["variant"] = variant
    _remove_others(home, names, parameters)
    missing = [
        (folder, name, number, seed, shots, variant)
        for number, name in enumerate(names, 1)
        if not (home / f"{name}.mp4").exists()
    ]
    workers = min(len(missing), os.cpu_count() or 1)
    if workers > 1:
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            jobs = {pool.submit(_draw_episode, job): job[1] for job in missing}
            for done, future in enumerate(as_completed(jobs), 1):
                future.result()
                drawn(jobs[future], done, len(missing))
    else:
        for done, job in enumerate(missing, 1):
            _draw_episode(job)
            drawn(job[1], done, len(missing))
    _write(home / "manifest.csv", _manifest(names).encode())
    return [str(home / f"{name}.mp4") for name in names]


def _code() -> str:
    """Digests the modules that draw: other code gives another sample."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _remove_others(home: Path, names: list[str], parameters: dict[str, Any]) -> None:
    """Removes the films of an earlier call, by `sample.json`, that this call does not ask for."""
    record = home / "sample.json"
    before = (
        json.loads(record.read_text()) if record.exists() else {"episodes": [], "parameters": {}}
    )
    keep = set(names) if before["parameters"] == parameters else set()
    for name in set(before["episodes"]) - keep:
        for ending in (".mp4", ".srt", ".truth.json"):
            (home / f"{name}{ending}").unlink(missing_ok=True)
    _write(record, json.dumps({"parameters": parameters, "episodes": names}, indent=2).encode())


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """Yields a temporary path that is renamed to `path` when the block ends without an error."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    yield temporary
    temporary.replace(path)


def _write(path: Path, data: bytes) -> None:
    with _replacing(path) as temporary:
        temporary.write_bytes(data)


def _manifest(names: list[str]) -> str:
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(
        ["uri", "series", "season", "episode", "language", "license", "attribution", "subtitles"]
    )
    for number, name in enumerate(names, 1):
        rows.writerow(
            [
                f"{name}.mp4",
                SERIES,
                1,
                number,
                "en",
                "CC0-1.0",
                "drawn by StoryStream",
                f"{name}.srt",
            ]
        )
    return text.getvalue()


def _draw_episode(job: tuple[str, str, int, int, int | None, str]) -> None:
    folder, name, number, seed, shots, variant = job
    cv2.setNumThreads(1)  # the episodes share the cores already
    episode = write(seed, number, shots)
    episode = replace(episode, shots=variants.apply(episode.shots, variant))
    spans = timeline(episode.shots)
    home = Path(folder)
    _write(home / f"{name}.srt", _srt(episode.shots, spans).encode())
    truth = {"video": f"{name}.mp4", "number": number, "seed": seed, **_truth(episode, spans)}
    _write(home / f"{name}.truth.json", json.dumps(truth, indent=1).encode())
    with _replacing(home / f"{name}.mp4") as temporary:  # last: a video always has its other files
        _encode(temporary, episode.shots, spans, seed + number)


# Time --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Span:
    """The frames of a shot: [first, last) are its own; in [enter, leave) something of it is seen.

    Outside its own frames, and in as many of them on the other side of the border, a neighbour is
    seen too (dissolve) or black (fade).
    """

    first: int
    last: int
    enter: int
    leave: int


def timeline(shots: tuple[Shot, ...]) -> list[Span]:
    """Returns where each shot lies in the film, in frames."""
    spans, clock = [], 0
    for i, shot in enumerate(shots):
        long = round(shot.seconds * FPS / 2) * 2
        before = DISSOLVE // 2 if i and shots[i - 1].into == "dissolve" else 0
        after = DISSOLVE // 2 if shot.into == "dissolve" and i + 1 < len(shots) else 0
        spans.append(Span(clock, clock + long, clock - before, clock + long + after))
        clock += long
    return spans


def _pictures(shots: tuple[Shot, ...], spans: list[Span]) -> Iterator[Canvas]:
    """Draws all frames of the film in order, each a uint8 RGB [360, 640, 3]."""
    drawers: dict[int, _ShotDrawer] = {}

    def seen(i: int, frame: int) -> Canvas:
        if i not in drawers:  # painting a place is slow: once a shot, and only when it is needed
            drawers[i] = _ShotDrawer(shots[i], spans[i])
        return drawers[i].at(frame)

    for i, span in enumerate(spans):
        for frame in range(span.first, span.last):
            here = seen(i, frame)
            for other, border, into in (
                (i + 1, span.last, shots[i].into),
                (i - 1, span.first, shots[i - 1].into if i else "cut"),
            ):
                if not 0 <= other < len(shots) or into == "cut":
                    continue
                if into == "dissolve" and spans[other].enter <= frame < spans[other].leave:
                    there = seen(other, frame)
                    passed = (frame - (border - DISSOLVE // 2) + 1) / (DISSOLVE + 1)
                    share = passed if other > i else 1 - passed
                    here = cv2.addWeighted(here, 1 - share, there, share, 0)
                elif into == "fade":
                    here = _dimmed(here, frame - border)
            yield here
        drawers.pop(i - 1, None)


def _dimmed(picture: Canvas, after: int) -> Canvas:
    """Dims a frame that lies `after` frames behind the middle of a fade (negative: before it)."""
    away = after if after >= 0 else -after - 1
    light = (away - BLACK // 2 + 1) / (FADE // 2 - BLACK // 2 + 1)
    if light >= 1:
        return picture
    return cv2.convertScaleAbs(picture, alpha=max(0.0, light))


class _ShotDrawer:
    """A shot being drawn: paints its place when first asked, holds each drawing for two frames."""

    def __init__(self, shot: Shot, span: Span) -> None:
        self.shot, self.span, self.draw = shot, span, _drawer(shot)
        self.step, self.held = -1, np.zeros((HEIGHT, WIDTH, 3), np.uint8)

    def at(self, frame: int) -> Canvas:
        step = (frame - self.span.enter) // 2
        if step != self.step:
            t = (2 * step + self.span.enter - self.span.first) / FPS
            self.step, self.held = step, self.draw(t)
        return self.held


def _drawer(shot: Shot) -> Picture:
    if shot.kind == "credits":
        return credits_card(shot)
    picture = filmed(shot)
    if shot.kind == "title":
        return title_card(shot, picture)
    return logo(shot, picture) if shot.text else picture


# What is written ---------------------------------------------------------------------------------


def _encode(path: Path, shots: tuple[Shot, ...], spans: list[Span], seed: int) -> None:
    options = {"fflags": "+bitexact", "movflags": "+faststart"}
    with av.open(str(path), "w", format="mp4", container_options=options) as container:
        video = container.add_stream("libx264", rate=FPS)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        video.codec_context.time_base = Fraction(1, FPS)
        # One thread: with more, x264's output depends on how many cores there are.
        video.options = {
            "preset": "ultrafast",
            "crf": "25",
            "bf": "2",
            "threads": "1",
            "g": "120",
            # What the preset leaves out that costs little and shows.
            "x264-params": "scenecut=40:cabac=1:deblock=1,0,0:8x8dct=1",
        }
        sound = container.add_stream("aac", rate=24000, layout="mono")
        sound.bit_rate = 48000
        sound.options = {"aac_coder": "fast"}
        for frame in tune(spans[-1].last / FPS, seed):
            container.mux(sound.encode(frame))
        container.mux(sound.encode(None))
        last: Canvas | None = None
        image = av.VideoFrame(WIDTH, HEIGHT, "yuv420p")
        for number, picture in enumerate(_pictures(shots, spans)):
            if picture is not last:
                last, image = picture, av.VideoFrame.from_ndarray(_yuv(picture), format="yuv420p")
            image.pts = number
            container.mux(video.encode(image))
        container.mux(video.encode(None))


def _yuv(picture: Canvas) -> Canvas:
    """Converts a picture to planar YUV 4:2:0 (BT.601), uint8 [540, 640].

    OpenCV is much faster at it than swscale but takes each chroma sample from one pixel of four, so
    chroma comes from a picture of half the size.
    """
    small = cv2.resize(picture, (WIDTH // 2, HEIGHT // 2), interpolation=cv2.INTER_AREA)
    full = cv2.cvtColor(small, cv2.COLOR_RGB2YCrCb)
    _, red, blue = cv2.split(cv2.convertScaleAbs(full, alpha=224 / 255, beta=128 * (1 - 224 / 255)))
    yuv = cv2.cvtColor(picture, cv2.COLOR_RGB2YUV_I420)
    yuv[HEIGHT:] = np.concatenate([blue, red]).reshape(-1, WIDTH)
    return yuv


def _clock(seconds: float) -> str:
    ms = round(seconds * 1000)
    return f"{ms // 3600000:02d}:{ms // 60000 % 60:02d}:{ms // 1000 % 60:02d},{ms % 1000:03d}"


def _spoken(shots: tuple[Shot, ...], spans: list[Span]) -> list[list[dict[str, Any]]]:
    """Returns the dialogue of each shot, in seconds of the film, never beyond the shot."""
    spoken = []
    for shot, span in zip(shots, spans, strict=True):
        start, end = span.first / FPS, span.last / FPS
        spoken.append(
            [
                {
                    "speaker": line.speaker,
                    "text": line.text,
                    "start": round(start + line.start, 3),
                    "end": round(min(start + line.end, end - 0.02), 3),
                }
                for line in shot.lines
            ]
        )
    return spoken


def _srt(shots: tuple[Shot, ...], spans: list[Span]) -> str:
    lines = [line for spoken in _spoken(shots, spans) for line in spoken]
    return "\n".join(
        f"{i}\n{_clock(line['start'])} --> {_clock(line['end'])}\n"
        f"{line['speaker']}: {line['text']}\n"
        for i, line in enumerate(lines, 1)
    )


def _truth(episode: Episode, spans: list[Span]) -> dict[str, Any]:
    cuts, gradual = [], []
    for shot, span in zip(episode.shots[:-1], spans[:-1], strict=True):
        if shot.into == "cut":
            cuts.append({"frame": span.last, "time": round(span.last / FPS, 4)})
        else:
            half = (DISSOLVE if shot.into == "dissolve" else FADE) // 2
            gradual.append(
                {
                    "kind": shot.into,
                    "first": span.last - half,
                    "last": span.last + half - 1,
                    "start": round((span.last - half) / FPS, 4),
                    "end": round((span.last + half) / FPS, 4),
                }
            )
    spoken = _spoken(episode.shots, spans)
    return {
        "series": SERIES,
        "title": episode.title,
        "fps": FPS,
        "width": WIDTH,
        "height": HEIGHT,
        "frames": spans[-1].last,
        "duration": spans[-1].last / FPS,
        "cuts": cuts,
        "gradual": gradual,
        "shots": [
            _shot_truth(shot, span, lines)
            for shot, span, lines in zip(episode.shots, spans, spoken, strict=True)
        ],
    }


def _boxes(shot: Shot, span: Span) -> dict[str, list[str]]:
    """Returns where each figure is, every `BOX_FRAMES` frames from the shot's first own frame on:
    left, top, right and bottom in pixels, which may lie outside the frame."""
    found: dict[str, list[str]] = {actor.name: [] for actor in shot.actors}
    if not shot.actors or shot.kind == "credits":
        return {}
    for frame in range(span.first, span.last + BOX_FRAMES, BOX_FRAMES):
        for name, box in boxes(shot, (frame - span.first) / FPS).items():
            found[name].append(" ".join(str(round(side)) for side in box))
    return found


def _shot_truth(shot: Shot, span: Span, spoken: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "kind": shot.kind,
        "first": span.first,
        "last": span.last - 1,
        "start": round(span.first / FPS, 4),
        "end": round(span.last / FPS, 4),
        "place": shot.place,
        "time_of_day": shot.time,
        "weather": shot.weather,
        "scale": shot.scale,
        "characters": [actor.name for actor in shot.actors],
        "count": len(shot.actors),
        "actions": {actor.name: actor.action for actor in shot.actors},
        "boxes": _boxes(shot, span),
        "action": shot.actors[0].action if shot.actors else "",
        "text": list(shot.text),
        "dialogue": spoken,
    }
