"""The stages that choose pictures: keyframes and text of one film, selection over a series.

Films are anybody's and decoders are native code, so each film is decoded in a process of its own
(`pipeline.runtime.isolation`); what goes wrong there is a reject of that film.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import av
import numpy as np

from pipeline.ingest import subtitles
from pipeline.ingest.fingerprint import fingerprint
from pipeline.ingest.subtitle_lines import Line
from pipeline.ingest.video import VideoError
from pipeline.keyframes import copies, extract, legible, ocr, overlays, recurring, segment_scan
from pipeline.keyframes.detectors import cut_files, watches_frames
from pipeline.keyframes.near_duplicates import pack_hashes
from pipeline.keyframes.title_cards import shows_nothing, title_cards
from pipeline.runtime import isolation, stage_outputs, storage
from pipeline.runtime.stage_inputs import Inputs, Job
from pipeline.runtime.stage_outputs import AnyRow, Film
from schemas import layout
from schemas.rows import Keyframe, Reject, Spoken

SCAN_SHARE = extract.SCAN_SHARE  # of the keyframes stage's time is spent in the scan


def content(film: Inputs, job: Job) -> Any:
    """Returns the fingerprint of a film's file, or "gone" where it went away since it was found,
    which is no reason to stop: the stage makes a reject of it. With cuts of the user's own, also
    the digest of their file."""
    found = _fingerprint(film)
    kind, _, path = job.config.keyframes.detector.partition(":")
    return [found, cut_files.digest(path, film.film.video)] if kind == "cuts" else found


def _fingerprint(film: Inputs) -> str:
    try:
        return fingerprint(film.film.video.uri)
    except OSError as error:
        if storage.is_unavailable(film.film.video.uri, error):
            raise
        return "gone"


def segments(film: Inputs, job: Job, seconds: float) -> list[segment_scan.Bounds]:
    """Returns where the segments of a film begin and end that several workers may pass over."""
    if watches_frames(job.config.keyframes):
        return [(None, None)]
    video = film.video
    try:
        return isolation.call(segment_scan.bounds, video.uri, seconds, job.threads, size=video.size)
    except (isolation.Crashed, VideoError, ValueError, OSError, av.FFmpegError):
        return [(None, None)]  # the stage makes a reject of it


def scan_segment(film: Inputs, job: Job, bounds: Sequence[segment_scan.Bounds], at: int) -> None:
    """Passes over a segment of a film and saves its figures, where they are not there yet."""
    file = segment_scan.path(_segments(film, job), at, len(bounds))
    if storage.exists(file):
        return
    with contextlib.suppress(isolation.Crashed, ValueError, OSError, av.FFmpegError, MemoryError):
        isolation.call(
            segment_scan.scan,
            film.video.uri,
            bounds[at],
            job.threads,
            file,
            size=film.video.size,
        )


def _segments(film: Inputs, job: Job) -> str:
    return storage.join(film.film.work, layout.SEGMENTS, job.output.rpartition("/")[2])


def find_keyframes(film: Inputs, job: Job) -> list[AnyRow]:
    """Returns the film's row as probed, its keyframes and rejects; a bad film is a reject."""
    video, scanned = film.video, _segments(film, job)
    folder = stage_outputs.images_folder(film.film.work, job.output)
    try:
        rows: list[AnyRow] = isolation.call(
            extract.extract_film,
            video,
            job.config.keyframes,
            folder,
            scanned,
            job.threads,
            size=video.size,
            tick=job.tick,
        )
    except isolation.Crashed as error:
        rows = [video, Reject("video", video.uri, "crashed", str(error), video.id)]
    storage.remove([file for file, _ in storage.find_in(scanned, "*")])
    return rows


def pictures_intact(film: Film, output: str, rows: Sequence[AnyRow]) -> bool:
    """Returns whether the pictures of a keyframes output are there, those of keyframes unchanged.

    They were written before the output. One that was written to since has its digest compared:
    whoever edits a picture in `images` edits this one, which may be the same file.
    """
    folder = stage_outputs.images_folder(film.work, output)
    sizes = dict(storage.find_in(folder, "**"))
    changed = set(storage.changed_since(folder, stage_outputs.path(film.work, output)))
    paths = {
        storage.join(folder, layout.stage_picture(row.id)): row
        for row in stage_outputs.only(Keyframe, rows)
    }
    return all(
        sizes.get(path) == row.bytes and (path not in changed or _digest(path) == row.sha256)
        for path, row in paths.items()
    ) and all(
        sizes.get(storage.join(folder, *layout.rejected_stage_picture(row.key).split("/")))
        for row in stage_outputs.only(Reject, rows)
        if row.image
    )


def _digest(path: str) -> str:
    return hashlib.sha256(storage.read_bytes(path)).hexdigest()


def read_text(film: Inputs, job: Job) -> list[AnyRow]:
    """Returns keyframes with the text on them, that of logos and clocks left out; those that are
    mostly text are rejects."""
    found = film.rows("keyframes", Keyframe)
    screens = []
    for number, keyframe in enumerate(found, 1):
        screens += ocr.read([storage.join(film.images_folder, layout.stage_picture(keyframe.id))])
        job.tick(number / len(found))
    rest = overlays.without_overlays(screens)
    cards = title_cards(
        rest,
        [keyframe.time for keyframe in found],
        max((keyframe.shot_end for keyframe in found), default=0.0),
    )
    titles = {
        keyframe.id: " / ".join(screen.texts)[:200] or "in letters that are not read"
        for keyframe, screen, card in zip(found, screens, cards, strict=True)
        if card or shows_nothing(screen)
    }
    with_text = [
        dataclasses.replace(keyframe, text=told)
        for keyframe, told in zip(found, legible.legible(rest), strict=True)
    ]
    kept, rejects = recurring.split_rejects(with_text, titles, "text")
    return [*kept, *rejects]


def find_copies(films: Sequence[Inputs], job: Job) -> list[list[AnyRow]]:
    """Returns a reject for each film of a source that shows the same as a better one, which may lie
    in another folder."""
    copy_of = copies.find_copies([_pictures(film, job) for film in films])
    return [
        [_copy_reject(film, copy_of[film.video.id])] if film.video.id in copy_of else []
        for film in films
    ]


def select_keyframes(films: Sequence[Inputs], job: Job) -> list[list[AnyRow]]:
    """Returns, for each film of a series, its keyframes without those that recur in the series,
    each with the dialogue spoken over it, and the rejects; of copies of other films nothing."""
    originals = {film.video.id: film for film in films if not film.rows("copies", Reject)}
    repeats = recurring.find_recurring(
        _near_edges(list(originals.values()), job), job.config.selection
    )
    return [_select(film, repeats) if film.video.id in originals else [] for film in films]


def _pictures(film: Inputs, job: Job) -> copies.Pictures:
    """Returns what is compared of a film to find copies of it."""
    found = film.rows("text", Keyframe)
    video, seconds = film.video, recurring.duration(film.video, found)
    return copies.Pictures(
        video.id,
        max((keyframe.width * keyframe.height for keyframe in found), default=0),
        seconds,
        video.size,
        np.array([keyframe.time for keyframe in found]),
        pack_hashes(keyframe.phash for keyframe in found),
        recurring.edge(seconds, job.config.selection.recurring_edge),
    )


def _copy_reject(film: Inputs, best: str) -> Reject:
    detail = f"shows the same as {best}, which is larger or longer"
    return Reject("video", film.video.uri, copies.COPY, detail, film.video.id)


def _near_edges(films: Sequence[Inputs], job: Job) -> dict[str, list[tuple[str, str]]]:
    """Id and perceptual hash of the keyframes near the ends of each film: all that is compared."""
    edges = {}
    # Of several films that show the same, a reject names the largest.
    for film in sorted(films, key=lambda film: (-film.video.size, film.video.id)):
        found = film.rows("text", Keyframe)
        near = recurring.near_edges(
            found, recurring.duration(film.video, found), job.config.selection
        )
        edges[film.video.id] = [(keyframe.id, keyframe.phash) for keyframe in near]
    return edges


def _select(film: Inputs, repeats: Mapping[str, str]) -> list[AnyRow]:
    kept, rejects = recurring.split_rejects(
        film.rows("text", Keyframe),
        {keyframe: f"is also in another episode: {twin}" for keyframe, twin in repeats.items()},
        "recurring",
    )
    spoken = film.rows("dialogue", Spoken)
    lines = [Line(line.start, line.end, line.text) for line in spoken]
    recognised = any(line.recognised for line in spoken)
    return [
        *(
            dataclasses.replace(
                keyframe,
                series=film.video.series,
                recognised=recognised and bool(keyframe.dialogue),
            )
            for keyframe in subtitles.attach(kept, lines)
        ),
        *rejects,
    ]


def place_pictures(
    films: Sequence[Film],
    out: str,
    forced: Callable[[str, Film], bool],
    replacing: Callable[[], None],
) -> None:
    """Puts the pictures that films' rows name under the dataset folder.

    `forced` tells for a stage and a film whether it was done again, so that pictures that are there
    are not to be trusted; `replacing` is called before the first that is there is replaced.
    """
    for film in films:
        _place(film, out, forced("keyframes", film), replacing)


def _place(film: Film, out: str, again: bool, replacing: Callable[[], None]) -> None:
    output = film.outputs["keyframes"]
    source = stage_outputs.images_folder(film.work, output)
    pairs = [
        (layout.stage_picture(keyframe.id), keyframe.image)
        for keyframe in film.rows("selection", Keyframe)
    ]
    for stage in ("keyframes", "text", "selection"):
        name = layout.rejected_stage_picture if stage == "keyframes" else layout.stage_picture
        pairs += [
            (name(reject.key), reject.image) for reject in film.rows(stage, Reject) if reject.image
        ]
    note = storage.join(
        film.work, layout.PLACED, film.video.id
    )  # whose pictures are there, all of them
    same = storage.exists(note) and storage.read_bytes(note) == output.encode()
    if not same:
        storage.remove([note])
    storage.link_or_copy(
        [
            (storage.join(source, *name.split("/")), storage.join(out, *image.split("/")))
            for name, image in pairs
        ],
        again or not same,
        replacing,
    )
    if not same:
        storage.write_bytes(note, output.encode())
