"""Rebuilding the pictures of a dataset that was shared without them, from its films.

Films are found by their fingerprint, whatever their names; a file with a film's name and other
content is tried too. Each picture is decoded at its time, as it was when the dataset was made, and
compared with its row: the same versions of the libraries give the same bytes. A picture with other
bytes must look the same, or it is left out and named. `reshard` then writes the shards.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import get_args

import av
import cv2
import pyarrow as pa

from pipeline.cast import crops
from pipeline.dataset import reshard
from pipeline.dataset.manifest import read_json, read_manifest
from pipeline.dataset.reader import (
    has_file,
    is_inside,
    locate,
    read_batches,
    read_file,
    read_rows,
    schema_fault,
)
from pipeline.dataset.verify.pictures import SAME_PICTURE
from pipeline.ingest import discovery
from pipeline.ingest.fingerprint import fingerprint
from pipeline.ingest.video import open_video, pixel_aspect, video_stream
from pipeline.keyframes import recurring
from pipeline.keyframes.decode import frames_at_times
from pipeline.keyframes.geometry import Geometry, displayed
from pipeline.keyframes.near_duplicates import perceptual_hash, similarity
from pipeline.runtime import isolation, lock, progress, storage
from pipeline.runtime.images import decode_luma, encode_jpeg, thumbnail
from pipeline.runtime.prefetch import prefetch
from schemas import layout
from schemas.published import parse_keyframe_id
from schemas.rows import Appearance, CastMember, Keyframe, Reject, Video, row

SHOWN = 20  # pictures of a film that could not be made, and missing films, that are named
# What may become of a picture. Of rejects' pictures no digest is known.
IDENTICAL, OF_REJECT, SIMILAR, DIFFERENT, MISSING = OUTCOMES = (
    "identical",
    "of rejects",
    "similar",
    "different",
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
class Result:
    """What became of a picture."""

    picture: Picture
    outcome: str  # one of OUTCOMES
    detail: str = ""
    bytes: int = 0  # of a similar picture
    sha256: str = ""


def rebuild(out: str, source: str, log: Callable[[str], None] = print) -> int:
    """Makes the pictures and the shards of the dataset in the folder `out`.

    Returns how many pictures are still missing. `source` names the films as it does for a dataset.
    Progress goes to `log`, a line at a time. Pictures that are there already are not made again.
    Raises ValueError where `out` is not a dataset, where its tables name other films or lead out of
    the folders that are for pictures and shards, or where there are no films, and OSError where a
    table is missing, something cannot be written or another run is writing to `out`.
    """
    films = read_film_rows(out)
    _check_folders(out, {path.rpartition("/")[0] for path in _checked_tables(out, films)})
    with lock.locked(out):
        return _rebuild(out, films, find_files(films, source, log), log)


def _rebuild(
    out: str, films: Sequence[Video], files: Mapping[str, Video], log: Callable[[str], None]
) -> int:
    missing_films: list[str] = []
    counts: Counter[str] = Counter()
    changed: dict[str, Result] = {}  # by path: keyframes' pictures that are not as their rows say
    for film, results in _make_all(out, films, files):
        progress.advance("rebuild")
        found = Counter(result.outcome for result in results)
        counts += found
        log(_film_line(film, files.get(film.id), found))
        if found[MISSING] and film.id not in files:
            missing_films.append(film.id)
        bad = [
            result
            for result in results
            if result.outcome in (DIFFERENT, MISSING) and film.id in files
        ]
        for result in bad[:SHOWN]:
            log(f"  {result.picture.path} is {result.outcome}: {result.detail}")
        if len(bad) > SHOWN:
            log(f"  and {len(bad) - SHOWN} more")
        changed |= {
            result.picture.path: result
            for result in results
            if result.picture.keyframe and result.outcome != IDENTICAL
        }
    log(f"{counts.total()} pictures: {_describe_counts(counts)}")
    if missing_films:
        log(
            f"missing films: {', '.join(missing_films[:SHOWN])}"
            f"{f' and {len(missing_films) - SHOWN} more' if len(missing_films) > SHOWN else ''}"
        )
    missing = counts[DIFFERENT] + counts[MISSING]
    _make_crops(out)
    progress.doing("rebuild", "writing the shards")
    if missing:
        written, planned = reshard.write_complete(out, changed)
        log(
            f"{written} of {planned} shards have all their pictures and are there. The same "
            "command continues from here, once there are films to make the rest from."
        )
    elif reshard.write_all(
        out, {path: (result.bytes, result.sha256) for path, result in changed.items()}
    ):
        log("The files are those that dataset.json names.")
    else:
        log(
            "Pictures or shards have other bytes here: the shards, keyframes.parquet, README.md "
            "and dataset.json are written anew, with a new version."
        )
    return missing


def read_film_rows(out: str) -> list[Video]:
    """Reads the films of a dataset from its manifest."""
    read_manifest(out)
    names = [field.name for field in dataclasses.fields(Video)]
    try:
        return [
            row(Video, {name: film[name] for name in names}) for film in read_json(out)["videos"]
        ]
    except KeyError as error:
        raise ValueError(
            f"{out}: dataset.json does not say {error} of its films: it was made by "
            "another version of the pipeline, which can rebuild it"
        ) from None


def _check_folders(out: str, of_pictures: Collection[str]) -> None:
    """Raises ValueError where a folder that is written to is a link that leads out of `out`."""
    if storage.is_remote(out):
        return
    root = os.path.realpath(out)
    for name in (layout.WORK, layout.SHARDS, *sorted(of_pictures)):
        real = os.path.realpath(locate(out, name))
        if os.path.commonpath([root, real]) != root:
            raise ValueError(
                f"{locate(out, name)} is a link to {real}, out of the dataset: put a folder in "
                "its place, or do not trust this dataset"
            )


def _checked_tables(out: str, films: Sequence[Video]) -> set[str]:
    """Checks all that is read of the tables, before anything is written; returns the pictures.

    Raises ValueError where their columns or the films and pictures in them are not of this dataset.
    """
    for table in (
        layout.KEYFRAMES,
        layout.CAST,
        layout.APPEARANCES,
        layout.STORIES,
        layout.REJECTS,
    ):
        try:
            wrong = schema_fault(out, table, layout.TABLES[table])
        except pa.ArrowException as error:
            wrong = str(error).splitlines()[0]
        if wrong:
            raise ValueError(f"{locate(out, layout.table_path(table))}: {wrong}; copy it again")
    known = {film.id for film in films}
    for member in read_rows(out, layout.CAST, CastMember):
        for crop, keyframe in zip(member.crops, crops.keyframes(member), strict=True):
            if crop != crops.path(member.series, member.name, keyframe):
                raise ValueError(
                    f"{crop} is no place for a picture of {member.name}; do not trust these tables"
                )
    images: set[str] = set()
    of_rejects: set[str] = set()
    for film, pictures in _pictures(out):
        if film not in known:
            raise ValueError(
                f"{out}: its tables have pictures of the film {film}, which its dataset.json does "
                "not know: they are not of one dataset; copy all of it again"
            )
        for picture in pictures:
            (images if picture.keyframe else of_rejects).add(picture.path)
    for batch in read_batches(out, layout.STORIES, ["id", "video", "images"]):
        for story in batch.to_pylist():
            unknown = set(story["images"]) - images
            if story["video"] not in known or unknown:
                raise ValueError(
                    f"{out}: the story {story['id']} is of "
                    f"{min(unknown, default=story['video'])}, which its other files do not know: "
                    "they are not of one dataset; copy all of it again"
                )
    return images | of_rejects


def _make_crops(out: str) -> None:
    """Makes the pictures of characters, of the keyframes that are there."""
    cast = list(read_rows(out, layout.CAST, CastMember))
    wanted = {keyframe for member in cast for keyframe in crops.keyframes(member)}
    rows = read_rows(out, layout.APPEARANCES, Appearance)
    crops.save(out, cast, [row for row in rows if row.keyframe in wanted])


# --- films ---------------------------------------------------------------------------------------


def find_files(films: Sequence[Video], source: str, log: Callable[[str], None]) -> dict[str, Video]:
    """Finds the file to make each film's pictures from, by the film's id, with its fingerprint.

    Files that cannot be read are logged.
    """
    found, rejects = discovery.find(source)
    for reject in rejects:
        log(f"{reject.key}: {reject.detail}")
    sizes, wanted = {film.size for film in films}, {film.fingerprint for film in films} - {""}
    by_content: dict[str, Video] = {}
    by_name: dict[str, Video] = {}
    for file in found:
        try:
            digest = fingerprint(file.uri) if file.size in sizes else ""
        except OSError as error:
            log(f"{file.uri}: cannot be read: {error}")
            continue
        file = dataclasses.replace(file, fingerprint=digest)
        if digest in wanted:
            by_content.setdefault(digest, file)
        else:  # it may be another encoding
            by_name.setdefault(file.id, file)
            by_name.setdefault(_stem(file.uri), file)
    matches = {
        film.id: by_content.get(film.fingerprint)
        or by_name.get(film.id)
        or by_name.get(_stem(film.uri))
        for film in films
    }
    return {film: file for film, file in matches.items() if file}


def _stem(uri: str) -> str:
    return os.path.splitext(uri.rpartition("/")[2])[0]


def _film_line(film: Video, file: Video | None, found: Counter[str]) -> str:
    """Describes in a line what became of a film's pictures."""
    counts = _describe_counts(found)
    if file is None and found[MISSING]:
        return (
            f"{film.id}: {counts}: no such film: {_stem(film.uri)}, {film.size:,} bytes, "
            "under any name"
        )
    if file is not None and file.fingerprint != film.fingerprint:
        return (
            f"{film.id}: {counts}: {file.uri} is not the file that the dataset was made of, "
            "only its name is"
        )
    return f"{film.id}: {counts}"


def _describe_counts(found: Counter[str]) -> str:
    return ", ".join(f"{found[outcome]} {outcome}" for outcome in OUTCOMES if found[outcome])


# --- pictures ------------------------------------------------------------------------------------


def _make_all(
    out: str, films: Sequence[Video], files: Mapping[str, Video]
) -> Iterator[tuple[Video, list[Result]]]:
    """Makes the pictures of each film that has any, several films at once; yields in order."""
    cores = os.cpu_count() or 1
    threads = max(1, cores // max(1, len(films)))
    by_id = {film.id: film for film in films}

    def of_film(job: tuple[str, list[Picture]]) -> tuple[Video, list[Result]]:
        name, pictures = job
        return by_id[name], _make_film(out, by_id[name], files.get(name), pictures, threads)

    yield from prefetch(of_film, _pictures(out), cores)


def _pictures(out: str) -> Iterator[tuple[str, list[Picture]]]:
    """Lists the pictures of each film, sorted by time."""
    rejected: dict[str, list[Picture]] = defaultdict(list)
    for reject in read_rows(out, layout.REJECTS, Reject):
        if reject.image and not reject.image.startswith(f"{layout.IMAGES}/"):  # those: keyframes'
            rejected[reject.video].append(
                Picture(
                    _checked(reject.image),
                    parse_keyframe_id(reject.key)[1],
                    None,
                    reject.reason not in get_args(recurring.Reason),
                )
            )
    keyframes = read_rows(out, layout.KEYFRAMES, Keyframe)
    for video, rows in itertools.groupby(keyframes, lambda keyframe: keyframe.video):
        pictures = [Picture(_checked(keyframe.image), keyframe.time, keyframe) for keyframe in rows]
        yield video, sorted([*pictures, *rejected.pop(video, [])], key=_time)
    for video in sorted(rejected):
        yield video, sorted(rejected[video], key=_time)


def _time(picture: Picture) -> float:
    return picture.time


def _checked(path: str) -> str:
    """Returns the path of a picture, after checking it: tables may come from anybody."""
    if path.split("/")[0] not in (layout.IMAGES, layout.REJECTED) or not is_inside(path):
        raise ValueError(
            f"{path} is no place for a picture of a dataset: those are in images/ and "
            "rejected/; do not trust these tables"
        )
    return path


def _make_film(
    out: str, film: Video, file: Video | None, pictures: Sequence[Picture], threads: int
) -> list[Result]:
    """Makes the pictures of a film that are not there yet."""
    results = [
        Result(picture, IDENTICAL if picture.keyframe else OF_REJECT)
        for picture in pictures
        if _is_there(out, picture)
    ]
    there = {result.picture.path for result in results}
    missing = [picture for picture in pictures if picture.path not in there]
    if not missing:
        return results
    if file is None:
        return [*results, *(Result(picture, MISSING) for picture in missing)]
    progress.doing("rebuild", f"decoding {film.id}")
    try:
        return [
            *results,
            *isolation.call(make_pictures, out, film, file, missing, threads, size=film.size),
        ]
    except (
        isolation.Crashed,
        ValueError,
        av.FFmpegError,
        cv2.error,
        EOFError,
        IndexError,
        MemoryError,
    ) as error:
        return [*results, *(Result(picture, MISSING, str(error)) for picture in missing)]


def _is_there(out: str, picture: Picture) -> bool:
    """Tells whether a picture is there; of a keyframe's picture the bytes are checked."""
    if not has_file(out, picture.path):
        return False
    return picture.keyframe is None or (
        hashlib.sha256(read_file(out, picture.path)).hexdigest() == picture.keyframe.sha256
    )


def make_pictures(
    out: str, film: Video, file: Video, pictures: Sequence[Picture], threads: int
) -> list[Result]:
    """Makes pictures of a film, sorted by time, from a file.

    Those that are identical or similar are written. Raises as `frames_at_times` does.
    """
    with open_video(file.uri) as container:
        aspect = float(pixel_aspect(video_stream(container)))
    above, below, left, right = film.bars
    geometry = Geometry((above, below, left, right), aspect, film.rotation, film.interlaced)
    same_film = file.fingerprint == film.fingerprint
    results, of_rejects = [], []
    times = [picture.time for picture in pictures]
    frames = frames_at_times(file.uri, times, threads, skip=same_film)
    for picture, frame in zip(pictures, frames, strict=True):
        if frame is None or frame.height <= above + below or frame.width <= left + right:
            results.append(Result(picture, DIFFERENT, "there is no such frame"))
            continue
        image = displayed(frame, geometry)[0]
        data = encode_jpeg(thumbnail(image) if picture.small else image)
        if picture.keyframe is None:
            of_rejects.append((picture, data))
            continue
        results.append(_compare(picture, picture.keyframe, data))
        if results[-1].outcome != DIFFERENT:
            storage.write_bytes(locate(out, picture.path), data)
    if not same_film and any(result.outcome == DIFFERENT for result in results):
        # Of rejects' pictures nothing is known: they are as good as the film's keyframes.
        return [
            *results,
            *(Result(picture, DIFFERENT, "the film's keyframes are") for picture, _ in of_rejects),
        ]
    for picture, data in of_rejects:
        storage.write_bytes(locate(out, picture.path), data)
        results.append(Result(picture, OF_REJECT))
    return results


def _compare(picture: Picture, keyframe: Keyframe, data: bytes) -> Result:
    """Compares a JPEG with the row of the picture that it should be."""
    digest = hashlib.sha256(data).hexdigest()
    if digest == keyframe.sha256:
        return Result(picture, IDENTICAL)
    luma = decode_luma(data, picture.path)
    height, width = luma.shape
    if (width, height) != (keyframe.width, keyframe.height):
        return Result(
            picture, DIFFERENT, f"is {width}x{height}, not {keyframe.width}x{keyframe.height}"
        )
    likeness = similarity(perceptual_hash(luma), keyframe.phash)
    if likeness < SAME_PICTURE:
        return Result(
            picture, DIFFERENT, f"its similarity is {likeness:.2f}, less than {SAME_PICTURE}"
        )
    return Result(picture, SIMILAR, bytes=len(data), sha256=digest)
