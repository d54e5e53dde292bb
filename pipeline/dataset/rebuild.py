"""The pictures of a dataset that was shared without them, made again from its films.

Films are known by their fingerprint, whatever they are called; a file of a film's name that is
another is tried too. Each picture is decoded at its time, as it was when the dataset was made, and
compared with its row: the same versions of the libraries give the same bytes. What is not the same
must look the same, or it is left out and named. `reshard` then makes the shards of them.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import get_args

import av
import cv2
import numpy as np

from pipeline.dataset import reshard
from pipeline.dataset.manifest import read_manifest
from pipeline.dataset.reader import inside, locate, read_rows
from pipeline.dataset.verify.pictures import SAME_PICTURE
from pipeline.ingest import discovery
from pipeline.ingest.video import fingerprint, open_video, pixel_aspect, video_stream
from pipeline.keyframes import recurring
from pipeline.keyframes.decode_at import frames_at
from pipeline.runtime import isolation, lock, storage
from pipeline.runtime.images import Geometry, alike, displayed, encode, perceptual_hash, thumbnail
from pipeline.runtime.prefetch import prefetch
from schemas.rows import Keyframe, Reject, Video, row
from schemas.storystream import IMAGES, parse_keyframe_id

SHOWN = 20  # pictures of a film that could not be made that are written out
# What may become of a picture. Of rejects' pictures no digest is known.
SAME, OF_REJECT, ALIKE, UNLIKE, MISSING = OUTCOMES = (
    "the same",
    "of rejects",
    "alike",
    "unlike",
    "missing",
)


@dataclasses.dataclass(frozen=True)
class Picture:
    """A picture to be made again."""

    path: str  # in the dataset
    time: float  # seconds from the film's first frame
    keyframe: Keyframe | None  # its row; None for a reject, of whose picture nothing is known
    small: bool = False  # a thumbnail


@dataclasses.dataclass(frozen=True)
class Made:
    """What became of a picture."""

    picture: Picture
    outcome: str  # one of OUTCOMES
    detail: str = ""
    bytes: int = 0  # of a picture that is alike
    sha256: str = ""


def rebuild(out: str, source: str, say: Callable[[str], None] = print) -> int:
    """Makes the pictures and the shards of the dataset in the folder `out`; returns how many
    pictures are still not there.

    `source` names the films as it does for a dataset. What is done is told to `say`, a line at a
    time. Pictures that are there already are kept. Raises ValueError where `out` is no dataset,
    where its tables name other films or lead out of the folders that are for pictures and shards,
    or where there are no films, and OSError where a table is missing, something cannot be written
    or another run is writing to `out`.
    """
    films = _films(out)
    with lock.locked(out):
        return _rebuild(out, films, _find(films, source, say), say)


def _rebuild(
    out: str, films: Sequence[Video], files: Mapping[str, Video], say: Callable[[str], None]
) -> int:
    lacking: list[str] = []  # films
    counts: Counter[str] = Counter()
    differ: dict[str, Made] = {}  # by path: keyframes' pictures that are not as their rows say
    for film, made in _made(out, films, files):
        found = Counter(one.outcome for one in made)
        counts += found
        say(_told(film, files.get(film.id), found))
        if found[MISSING] and film.id not in files:
            lacking.append(film.id)
        bad = [one for one in made if one.outcome in (UNLIKE, MISSING) and film.id in files]
        for one in bad[:SHOWN]:
            say(f"  {one.picture.path} is {one.outcome}: {one.detail}")
        if len(bad) > SHOWN:
            say(f"  and {len(bad) - SHOWN} more")
        differ |= {
            one.picture.path: one for one in made if one.picture.keyframe and one.outcome != SAME
        }
    say(f"{counts.total()} pictures: {_counted(counts)}")
    if lacking:
        say(
            f"missing films: {', '.join(lacking[:SHOWN])}"
            f"{f' and {len(lacking) - SHOWN} more' if len(lacking) > SHOWN else ''}"
        )
    left = counts[UNLIKE] + counts[MISSING]
    if left:
        done, planned = reshard.some(out, differ)
        say(
            f"{done} of {planned} shards have all their pictures and are there. The same command "
            "goes on from here, once there are films to make the rest of."
        )
    elif reshard.all_of_them(out, {path: (one.bytes, one.sha256) for path, one in differ.items()}):
        say("The files are those that dataset.json names.")
    else:
        say(
            "Pictures or shards have other bytes here: the shards, keyframes.parquet, README.md "
            "and dataset.json are written anew, with a new version."
        )
    return left


def _films(out: str) -> list[Video]:
    """The films of a dataset, as its manifest has them."""
    read_manifest(out)
    names = [field.name for field in dataclasses.fields(Video)]
    manifest = json.loads(storage.read_bytes(locate(out, "dataset.json")))
    try:
        return [row(Video, {name: film[name] for name in names}) for film in manifest["videos"]]
    except KeyError as error:
        raise ValueError(
            f"{out}: dataset.json does not say {error} of its films: it was made by "
            "another version of the pipeline, which can rebuild it"
        ) from None


# --- films ---------------------------------------------------------------------------------------


def _find(films: Sequence[Video], source: str, say: Callable[[str], None]) -> dict[str, Video]:
    """The file that each film is made from again, by the film's id; it has its own fingerprint.

    What is there and cannot be read is told to `say`.
    """
    there, rejects = discovery.find(source)
    for reject in rejects:
        say(f"{reject.key}: {reject.detail}")
    sizes, wanted = {film.size for film in films}, {film.fingerprint for film in films} - {""}
    by_content: dict[str, Video] = {}
    by_name: dict[str, Video] = {}
    for file in there:
        try:
            digest = fingerprint(file.uri) if file.size in sizes else ""
        except OSError as error:
            say(f"{file.uri}: cannot be read: {error}")
            continue
        file = dataclasses.replace(file, fingerprint=digest)
        if digest in wanted:
            by_content.setdefault(digest, file)
        else:  # it may be another encoding
            by_name.setdefault(file.id, file)
            by_name.setdefault(_stem(file.uri), file)
    found = {
        film.id: by_content.get(film.fingerprint)
        or by_name.get(film.id)
        or by_name.get(_stem(film.uri))
        for film in films
    }
    return {film: file for film, file in found.items() if file}


def _stem(uri: str) -> str:
    return os.path.splitext(uri.rpartition("/")[2])[0]


def _told(film: Video, file: Video | None, found: Counter[str]) -> str:
    """A line about a film."""
    counted = _counted(found)
    if file is None and found[MISSING]:
        return (
            f"{film.id}: {counted}: no such film: {_stem(film.uri)}, {film.size:,} bytes, "
            "under any name"
        )
    if file is not None and file.fingerprint != film.fingerprint:
        return (
            f"{film.id}: {counted}: {file.uri} is not the file that the dataset was made of, "
            "only its name is"
        )
    return f"{film.id}: {counted}"


def _counted(found: Counter[str]) -> str:
    return ", ".join(f"{found[outcome]} {outcome}" for outcome in OUTCOMES if found[outcome])


# --- pictures ------------------------------------------------------------------------------------


def _made(
    out: str, films: Sequence[Video], files: Mapping[str, Video]
) -> Iterator[tuple[Video, list[Made]]]:
    """What became of the pictures of each film that has any, a film at a time, many at once."""
    cores = os.cpu_count() or 1
    threads = max(1, cores // max(1, len(films)))
    by_id = {film.id: film for film in films}

    def of_film(job: tuple[str, list[Picture]]) -> tuple[Video, list[Made]]:
        name, pictures = job
        if name not in by_id:
            raise ValueError(
                f"{out}: its tables have pictures of the film {name}, which its "
                "dataset.json does not know: they are not of one dataset; copy all of "
                "it again"
            )
        return by_id[name], _of_film(out, by_id[name], files.get(name), pictures, threads)

    yield from prefetch(of_film, _pictures(out), cores)


def _pictures(out: str) -> Iterator[tuple[str, list[Picture]]]:
    """The pictures of each film, in the order of their times."""
    rejected: dict[str, list[Picture]] = defaultdict(list)
    for reject in read_rows(out, "rejects", Reject):
        if reject.image and not reject.image.startswith(f"{IMAGES}/"):  # those are keyframes'
            rejected[reject.video].append(
                Picture(
                    _checked(reject.image),
                    parse_keyframe_id(reject.key)[1],
                    None,
                    reject.reason not in get_args(recurring.Reason),
                )
            )
    keyframes = read_rows(out, "keyframes", Keyframe)
    for video, rows in itertools.groupby(keyframes, lambda one: one.video):
        pictures = [Picture(_checked(one.image), one.time, one) for one in rows]
        yield video, sorted([*pictures, *rejected.pop(video, [])], key=lambda one: one.time)
    for video in sorted(rejected):
        yield video, sorted(rejected[video], key=lambda one: one.time)


def _checked(path: str) -> str:
    """The path of a picture, which whoever made the dataset may have led anywhere."""
    if path.split("/")[0] not in (IMAGES, "rejected") or not inside(path):
        raise ValueError(
            f"{path} is no place for a picture of a dataset: those are in images/ and "
            "rejected/; do not trust these tables"
        )
    return path


def _of_film(
    out: str, film: Video, file: Video | None, pictures: Sequence[Picture], threads: int
) -> list[Made]:
    """What became of the pictures of one film."""
    made = [Made(one, SAME if one.keyframe else OF_REJECT) for one in pictures if _there(out, one)]
    kept = {one.picture.path for one in made}
    left = [one for one in pictures if one.path not in kept]
    if not left:
        return made
    if file is None:
        return [*made, *(Made(one, MISSING) for one in left)]
    try:
        return [*made, *isolation.call(make, out, film, file, left, threads, size=film.size)]
    except (
        isolation.Crashed,
        ValueError,
        av.FFmpegError,
        cv2.error,
        EOFError,
        IndexError,
        MemoryError,
    ) as error:
        return [*made, *(Made(one, MISSING, str(error)) for one in left)]


def _there(out: str, picture: Picture) -> bool:
    """Whether a picture is there; of a keyframe's the bytes are known."""
    path = locate(out, picture.path)
    if not storage.exists(path):
        return False
    return picture.keyframe is None or (
        hashlib.sha256(storage.read_bytes(path)).hexdigest() == picture.keyframe.sha256
    )


def make(
    out: str, film: Video, file: Video, pictures: Sequence[Picture], threads: int
) -> list[Made]:
    """Makes pictures of a film, in the order of their times, from a file.

    Those that are the same or alike are written. Raises as `frames_at` does.
    """
    with open_video(file.uri) as container:
        aspect = float(pixel_aspect(video_stream(container)))
    above, below, left, right = film.bars
    geometry = Geometry((above, below, left, right), aspect, film.rotation)
    same_film = file.fingerprint == film.fingerprint
    made, rejected = [], []
    frames = frames_at(file.uri, [picture.time for picture in pictures], threads, skip=same_film)
    for picture, frame in zip(pictures, frames, strict=True):
        if frame is None or frame.height <= above + below or frame.width <= left + right:
            made.append(Made(picture, UNLIKE, "there is no such frame"))
            continue
        image = displayed(frame, geometry)[0]
        data = encode(thumbnail(image) if picture.small else image)
        if picture.keyframe is None:
            rejected.append((picture, data))
            continue
        made.append(_compared(picture, picture.keyframe, data))
        if made[-1].outcome != UNLIKE:
            storage.write_bytes(locate(out, picture.path), data)
    if not same_film and any(one.outcome == UNLIKE for one in made):
        return [*made, *(Made(one, UNLIKE, "the film's keyframes are") for one, _ in rejected)]
    for picture, data in rejected:
        storage.write_bytes(locate(out, picture.path), data)
        made.append(Made(picture, OF_REJECT))
    return made


def _compared(picture: Picture, keyframe: Keyframe, data: bytes) -> Made:
    """What a JPEG is to the row of the picture that it should be."""
    digest = hashlib.sha256(data).hexdigest()
    if digest == keyframe.sha256:
        return Made(picture, SAME)
    luma = np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE), np.uint8)
    height, width = luma.shape
    if (width, height) != (keyframe.width, keyframe.height):
        return Made(picture, UNLIKE, f"is {width}x{height}, not {keyframe.width}x{keyframe.height}")
    likeness = alike(perceptual_hash(luma), keyframe.phash)
    if likeness < SAME_PICTURE:
        return Made(picture, UNLIKE, f"its likeness is {likeness:.2f}, less than {SAME_PICTURE}")
    return Made(picture, ALIKE, bytes=len(data), sha256=digest)
