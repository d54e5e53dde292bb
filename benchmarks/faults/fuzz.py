"""The pipeline against broken films: small films of many kinds, mutated by a seeded generator.

Each mutated film goes through what the pipeline does with a film (its keyframes, its subtitles) in
a process of its own with limits of time and memory, as there. What counts is what never happens: an
exception that escapes, a process that dies, a limit that is passed, a file that lies where it
should not. Films that did that are kept under their number, from which the same seed makes them.
"""

from __future__ import annotations

import collections
import concurrent.futures
import os
import random
import re
import shutil
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from benchmarks.faults.tables import table
from pipeline.config import load
from pipeline.ingest import discovery, subtitles
from pipeline.keyframes.extract import extract_film
from pipeline.runtime import isolation, stage_outputs
from schemas.rows import Keyframe, Reject, Video
from tests.films import make_film, moving, scene

KEPT = Path("bench/fuzz")  # where films that passed a limit are kept
_AT_ONCE = 2
_HEADER = 1024  # bytes at the start of a film that most of what its header tells is in
_HUGE = (0, 1, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
_Table: TypeAlias = tuple[str, Sequence[str], Sequence[Sequence[Any]]]  # title, heads, rows
_TALK = [(0.1, 0.5, "Pip: Hello!"), (0.6, 1.0, "<i>Who</i> is there?"), (1.1, 1.4, "{\\b1}Me.")]


class Outcome(NamedTuple):
    """What came of one film."""

    kind: str  # "read", "rejected", or what must not happen: "escaped", "outside", "crashed"
    detail: str  # the reason of a reject, the trace of an exception, why a process died
    keyframes: int = 0
    subtitles: str = ""  # "read", "none" or why they are not
    seconds: float = 0.0  # CPU
    memory: float = 0.0  # MB, the most that the process had


# --- films ---------------------------------------------------------------------------------------


def films(folder: Path) -> dict[str, bytes]:
    """The films that are mutated, by name: short, of many containers and codecs."""
    kinds = {
        "h264.mp4": {"subtitles": {"eng": _TALK}, "audio": True, "bframes": 2},
        "h264-faststart.mp4": {"container_options": {"movflags": "faststart"}, "rotation": 90},
        "h264-fragments.mp4": {"container_options": {"movflags": "frag_keyframe+empty_moov"}},
        "h264.mkv": {"subtitles": {"eng": _TALK}, "audio": True},
        "hevc.mkv": {
            "codec": "libx265",
            "options": {"x265-params": "log-level=none", "preset": "ultrafast"},
        },
        "hevc.mp4": {
            "codec": "libx265",
            "options": {"x265-params": "log-level=none", "preset": "ultrafast"},
        },
        "av1.mp4": {"codec": "libsvtav1", "options": {"preset": "13"}},
        "mpeg4.avi": {"codec": "mpeg4"},
        "mjpeg.avi": {"codec": "mjpeg", "pix_fmt": "yuvj420p"},
        "vp9.webm": {"codec": "libvpx-vp9", "options": {"deadline": "realtime", "cpu-used": "8"}},
        "mpeg2.ts": {"codec": "mpeg2video"},
        "h264.ts": {"audio": True},
        "mpeg2.mpg": {"codec": "mpeg2video"},
        "flv.flv": {"codec": "flv"},
        "wmv.wmv": {"codec": "wmv2"},
        "prores.mov": {"codec": "prores_ks", "pix_fmt": "yuv422p10le"},
        "gif.gif": {"codec": "gif", "pix_fmt": "rgb8"},
        "ffv1.nut": {"codec": "ffv1"},
    }
    os.environ["SVT_LOG"] = "0"  # what SVT-AV1 says while it encodes
    made = {}
    for number, (name, options) in enumerate(kinds.items()):
        frames = [
            frame
            for seed in range(3)
            for frame in moving(scene(10 * number + seed, height=96, width=160), 24)
        ]
        path = folder / name
        make_film(path, frames, gop=6, **options)
        made[name] = path.read_bytes()
        path.unlink()
    return made


# --- mutations -----------------------------------------------------------------------------------


def _few(chance: random.Random, most: int) -> int:
    """A number from 1 to `most`; small ones are as likely as large ones."""
    return max(1, min(most, round(most ** chance.random())))


def _range(chance: random.Random, data: bytes) -> tuple[int, int]:
    """Begin and end of a part of a film, at most a quarter of it."""
    begin = chance.randrange(len(data))
    return begin, begin + _few(chance, max(1, len(data) // 4))


def _truncate(chance: random.Random, data: bytes, other: bytes) -> bytes:
    return data[: chance.randrange(1, len(data) + 1)]


def _zeros(chance: random.Random, data: bytes, other: bytes) -> bytes:
    begin, end = _range(chance, data)
    return data[:begin] + bytes(len(data[begin:end])) + data[end:]


def _flip_bits(chance: random.Random, data: bytes, other: bytes) -> bytes:
    flipped = bytearray(data)
    for _ in range(_few(chance, 2000)):
        flipped[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(flipped)


def _insert(chance: random.Random, data: bytes, other: bytes) -> bytes:
    at = chance.randrange(len(data))
    return data[:at] + chance.randbytes(_few(chance, 4096)) + data[at:]


def _delete(chance: random.Random, data: bytes, other: bytes) -> bytes:
    begin, end = _range(chance, data)
    return data[:begin] + data[end:] or data


def _swap(chance: random.Random, data: bytes, other: bytes) -> bytes:
    first, second, third = sorted(chance.randrange(len(data)) for _ in range(3))
    return data[:first] + data[second:third] + data[first:second] + data[third:]


def _repeat(chance: random.Random, data: bytes, other: bytes) -> bytes:
    begin, end = _range(chance, data)
    return data[:end] + data[begin:end] * _few(chance, 8) + data[end:]


def _header(chance: random.Random, data: bytes, other: bytes) -> bytes:
    edited = bytearray(data)
    for _ in range(_few(chance, 32)):
        edited[chance.randrange(min(_HEADER, len(data)))] = chance.randrange(256)
    return bytes(edited)


def _number(chance: random.Random, data: bytes, other: bytes) -> bytes:
    """A number of four bytes made 0, 1 or huge, half the time near one end: in a header or index"""
    edited = bytearray(data)
    for _ in range(_few(chance, 4)):
        near = min(2 * _HEADER, len(data))
        at = chance.choice(
            (
                chance.randrange(near),
                len(data) - 1 - chance.randrange(near),
                chance.randrange(len(data)),
                chance.randrange(len(data)),
            )
        )
        order = chance.choice(("big", "little"))
        edited[at : at + 4] = chance.choice(_HUGE).to_bytes(4, order)[: len(data) - at]
    return bytes(edited)


def _splice(chance: random.Random, data: bytes, other: bytes) -> bytes:
    return data[: chance.randrange(1, len(data))] + other[chance.randrange(len(other)) :]


def _join(chance: random.Random, data: bytes, other: bytes) -> bytes:
    return data + other


MUTATIONS: tuple[Callable[[random.Random, bytes, bytes], bytes], ...] = (
    _truncate,
    _zeros,
    _flip_bits,
    _insert,
    _delete,
    _swap,
    _repeat,
    _header,
    _number,
    _splice,
    _join,
)


def mutated(sound: dict[str, bytes], seed: int, number: int) -> tuple[str, bytes]:
    """The name of mutated film `number` and its content. The same seed gives the same films."""
    chance = random.Random(f"{seed}/{number}")
    name = chance.choice(sorted(sound))
    data = sound[name]
    done = []
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        mutation = chance.choice(MUTATIONS)
        # Another film of the same kind of file gets further than one of another kind.
        alike = [other for other in sound if Path(other).suffix == Path(name).suffix]
        data = mutation(chance, data, sound[chance.choice((*sorted(sound), *sorted(alike) * 6))])
        done.append(mutation.__name__.strip("_"))
    stem, ending = os.path.splitext(name)
    return f"{number:05}-{stem}-{'-'.join(done)}{ending}", data


# --- running -------------------------------------------------------------------------------------


def watch(path: str, out: str, here: str) -> Outcome:
    """What the pipeline makes of a film, its work under `out`. For `apart`, on Linux.

    `here` is an empty folder that is made the working and the temporary folder of the process.
    """
    os.chdir(here)
    tempfile.tempdir = here
    Path("/proc/self/clear_refs").write_text("5")  # from here on, the most memory counts anew
    started = time.process_time()
    try:
        kind, detail, count, said = _through(path, out)
    except Exception:
        kind, detail, count, said = "escaped", traceback.format_exc(), 0, ""
    most = re.search(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text())
    return Outcome(
        kind,
        detail,
        count,
        said,
        time.process_time() - started,
        int(most[1]) / 1024 if most else 0.0,
    )


def _through(path: str, out: str) -> tuple[str, str, int, str]:
    videos, rejects = discovery.find(path)
    if rejects:
        return "rejected", rejects[0].reason, 0, ""
    rows = extract_film(
        videos[0],
        load().keyframes,
        os.path.join(out, "pictures"),
        os.path.join(out, "segments"),
        1,
        lambda share: None,
    )
    try:
        said = "read" if subtitles.read(stage_outputs.only(Video, rows)[0])[0] else "none"
    except (subtitles.SubtitlesError, OSError):
        said = "rejected"
    whole = [reject for reject in stage_outputs.only(Reject, rows) if reject.stage == "video"]
    found = len(stage_outputs.only(Keyframe, rows))
    if bool(found) == bool(whole):
        raise AssertionError(f"{found} keyframes and these rejects of the film: {whole}")
    if not whole:
        return "read", "", found, said
    # Without the path and what else differs from film to film.
    detail = re.sub(r"\[Errno \d+\] |: '.*", "", whole[0].detail, flags=re.DOTALL)
    detail = re.sub(r"\d+(\.\d+)?", "N", detail)
    return "rejected", f"{whole[0].reason}: {detail}", 0, said


def one(name: str, data: bytes, folder: Path) -> Outcome:
    """What came of one film, in a process of its own. `folder` is made for it and removed."""
    out, here = folder / "out", folder / "here"
    here.mkdir(parents=True)
    film = folder / f"film{Path(name).suffix}"
    film.write_bytes(data)
    try:
        outcome = isolation.call(watch, str(film), str(out), str(here), size=len(data))
    except RuntimeError as error:  # apart.Crashed, or killed by the system
        return Outcome("crashed", str(error))
    else:
        strange = [
            *here.iterdir(),
            *(
                path
                for path in folder.rglob("*")
                if path.is_file() and path != film and out not in path.parents
            ),
            *out.rglob("*.tmp"),
        ]
        if strange or film.read_bytes() != data:
            return Outcome("outside", f"{[str(path) for path in strange]} or the film's own bytes")
        return outcome
    finally:
        shutil.rmtree(folder)


def outcomes(
    sound: dict[str, bytes], seed: int, count: int, folder: Path
) -> Iterator[tuple[str, Outcome]]:
    """Name and outcome of each of `count` mutated films, in their order."""

    def run(number: int) -> tuple[str, Outcome]:
        name, data = mutated(sound, seed, number)
        outcome = one(name, data, folder / str(number))
        if outcome.kind not in ("read", "rejected"):
            KEPT.mkdir(parents=True, exist_ok=True)
            (KEPT / f"seed-{seed}-{name}").write_bytes(data)
        return name, outcome

    with concurrent.futures.ThreadPoolExecutor(_AT_ONCE) as pool:
        yield from pool.map(run, range(count))


def run(count: int = 2000, seed: int = 0) -> tuple[str, int]:
    """Runs `count` mutated films; returns the tables and how many of them did what must not be."""
    with tempfile.TemporaryDirectory(prefix="storystream-fuzz-") as name:
        folder = Path(name)
        sound = films(folder)
        whole = {ending: one(ending, data, folder / "sound") for ending, data in sound.items()}
        if lost := {film: outcome for film, outcome in whole.items() if outcome.kind != "read"}:
            raise RuntimeError(f"films that nothing was done to are not read: {lost}")
        started = time.monotonic()
        found = list(outcomes(sound, seed, count, folder))
        wall = time.monotonic() - started
        left = [path.name for path in folder.iterdir()]
    bad = [(film, outcome) for film, outcome in found if outcome.kind not in ("read", "rejected")]
    tables = [
        table(*one) for one in (_counts(found, whole), _reasons(found), _figures(found, wall, left))
    ]
    return "\n\n".join(
        [*tables, *(f"{film}: {outcome.kind}: {outcome.detail}" for film, outcome in bad)]
    ), len(bad) + len(left)


def _base(film: str, whole: dict[str, Outcome]) -> str:
    """The sound film that a mutated one is made of."""
    return max(
        (
            name
            for name in whole
            if film[6:].startswith(os.path.splitext(name)[0] + "-")
            and film.endswith(os.path.splitext(name)[1])
        ),
        key=len,
    )


def _counts(found: list[tuple[str, Outcome]], whole: dict[str, Outcome]) -> _Table:
    rows = []
    for name in sorted(whole):
        of = [outcome for film, outcome in found if _base(film, whole) == name]
        kinds = collections.Counter(outcome.kind for outcome in of)
        fewer = sum(
            outcome.kind == "read" and outcome.keyframes < whole[name].keyframes for outcome in of
        )
        rows.append(
            [
                name,
                len(of),
                kinds["read"] - fewer,
                fewer,
                kinds["rejected"],
                kinds["crashed"],
                kinds["escaped"],
                kinds["outside"],
            ]
        )
    rows.append(["all", *(sum(row[i] for row in rows) for i in range(1, 8))])
    return (
        "Mutated films",
        [
            "made of",
            "films",
            "read",
            "read with fewer keyframes",
            "rejected",
            "process died or passed a limit",
            "exception escaped",
            "wrote elsewhere",
        ],
        rows,
    )


def _reasons(found: list[tuple[str, Outcome]]) -> _Table:
    reasons = collections.Counter(
        outcome.detail.partition("\n")[0]
        for _, outcome in found
        if outcome.kind in ("rejected", "crashed")
    )
    return ("Why they were rejected", ["reason", "films"], reasons.most_common())


def _figures(found: list[tuple[str, Outcome]], wall: float, left: list[str]) -> _Table:
    slow = max(found, key=lambda one: one[1].seconds)
    large = max(found, key=lambda one: one[1].memory)
    said = collections.Counter(outcome.subtitles for _, outcome in found if outcome.subtitles)
    return (
        "Figures",
        ["what", "figure"],
        [
            ["films a second", f"{len(found) / wall:.1f}"],
            ["slowest", f"{slow[1].seconds:.2f} s of CPU, {slow[0]}"],
            ["most memory", f"{large[1].memory:.0f} MB, {large[0]}"],
            ["subtitles", ", ".join(f"{kind}: {number}" for kind, number in sorted(said.items()))],
            ["left in the temporary folder", ", ".join(left) or "nothing"],
        ],
    )
