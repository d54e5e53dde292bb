"""The stages `figures` (of a film) and `cast` (of a series): who is in each picture."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import cv2
import numpy as np

from pipeline.cast import (
    characters_file,
    corrections,
    crops,
    decided,
    descriptions,
    detectors,
    features,
    figures,
    identity,
    look_alikes,
    montage,
    names,
    names_in_captions,
    renames,
    views,
)
from pipeline.cast.characters_file import Entry
from pipeline.inference.builtin import efficientnet
from pipeline.ingest.subtitles import split_speaker
from pipeline.runtime import decisions, storage
from pipeline.runtime.images import decode_reduced
from pipeline.runtime.stage_inputs import Inputs, Job
from pipeline.runtime.stage_outputs import AnyRow, Film
from schemas import layout
from schemas.rows import Appearance, CastMember, Figure, Keyframe, Reference, Reject, Spoken

# A group of figures without a name is a character if it has this share of the series' pictures and
# this many of them: places that look like figures seldom come again. It has a larger share when all
# figures have been compared with it, or it was a part of somebody else.
_SHARE, _SETTLED, _PICTURES = 0.04, 0.05, 4
# And if it is near in some pictures: all but this share of its figures may be smaller than this
# share of the picture. A kite always stays far away.
_FAR, _NEAR = 0.8, 0.02
# And if it stands out so clearly, where 2 is the mean of what stands out most (of figures that are
# found by the embedded detector: others have scores of their own).
_CLEAR = 1.5
_ASKED = 1.0  # score of a figure whose box a model gave that tells no scores


def weights(film: Inputs, job: Job) -> Any:
    """Returns digests of the weights that find figures and tell them apart."""
    cast = job.config.cast
    if cast.figures == "none":
        return None
    others = [detectors.identity(spec) for spec in (cast.figures, cast.likeness) if ":" in spec]
    return [efficientnet.version(), *others] if others else efficientnet.version()


def find_figures(film: Inputs, job: Job) -> list[AnyRow]:
    """Returns the figures in the film's pictures."""
    keyframes = film.rows("selection", Keyframe)
    if job.config.cast.figures == "none":
        return []
    return [*figures_of(keyframes, job)]


def figures_of(
    keyframes: Sequence[Keyframe], job: Job, boxes: Sequence[Sequence[figures.Box]] | None = None
) -> list[Figure]:
    """Returns the figures in keyframes: as the configured detector finds them, or in `boxes`."""
    cast = job.config.cast
    own = ":" in cast.figures  # a detector of the user's, which sees whole pictures
    measured: list[features.Measured] = []
    given: list[list[tuple[figures.Box, float]]] = []
    for number, keyframe in enumerate(keyframes):
        picture = _picture(keyframe, job, 1 if own else features.reduction(keyframe))
        measured.append(features.measure(picture))
        if boxes is not None:
            given.append([(box, _ASKED) for box in boxes[number]])
        elif own:
            (found,) = detectors.detect(cast.figures, [picture], cast.least_score, cast.labels)
            given.append([(detection.box, detection.score) for detection in found])
        job.tick(0.8 * (number + 1) / len(keyframes))
    found_in = (
        [figures.within(*pair) for pair in zip(measured, given, strict=True)]
        if given
        else figures.find(measured)
    )
    rows = [
        Figure(
            keyframe.id,
            keyframe.video,
            [round(side, 5) for side in figure.box],
            figure.share,
            figure.score,
            figure.look,
        )
        for keyframe, found in zip(keyframes, found_in, strict=True)
        for figure in found
    ]
    return _compared(rows, keyframes, job) if cast.likeness != "embedded" else rows


def _picture(keyframe: Keyframe, job: Job, reduction: int = 1) -> Any:
    """Returns a keyframe's picture, RGB, at a part of its size."""
    path = storage.join(job.out, keyframe.image)
    pixels = decode_reduced(storage.read_bytes(path), path, reduction)
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)


def _compared(rows: Sequence[Figure], keyframes: Sequence[Keyframe], job: Job) -> list[Figure]:
    """Returns figures with the looks that the configured encoder gives them; the last values, their
    colours, stay."""
    by_keyframe: dict[str, list[Figure]] = defaultdict(list)
    for row in rows:
        by_keyframe[row.keyframe].append(row)
    compared = []
    for keyframe in keyframes:
        found = by_keyframe[keyframe.id]
        if not found:
            continue
        picture = _picture(keyframe, job)
        height, width = picture.shape[:2]
        parts = []
        for row in found:
            left, right = int(row.box[0] * width), math.ceil(row.box[2] * width)
            top, bottom = int(row.box[1] * height), math.ceil(row.box[3] * height)
            parts.append(picture[top : max(bottom, top + 1), left : max(right, left + 1)])
        vectors = detectors.encode(job.config.cast.likeness, parts)
        compared += [
            dataclasses.replace(
                row,
                look=[
                    *(round(float(value), 5) for value in vector),
                    *row.look[-features.COLOURS :],
                ],
            )
            for row, vector in zip(found, vectors, strict=True)
        ]
    return compared


def find_cast(
    films: Sequence[Inputs], job: Job, told: Mapping[str, Collection[str]] | None = None
) -> list[list[AnyRow]]:
    """Returns, for each film of a series, who is in its pictures, and the cast of the series.

    `told` has the names in the captions of keyframes, where they are known: the result is then the
    last one, with a reject for each fault of the user's corrections.
    """
    series = films[0].video.series
    keyframes = [film.rows("selection", Keyframe) for film in films]
    in_order = [keyframe for of_film in keyframes for keyframe in of_film]
    found = _by_keyframe(films)
    pictures = [found[keyframe.id] for keyframe in in_order]
    looks = [[figure.look for figure in figs] for figs in pictures]
    numbers, groups = identity.group(looks)
    shots = _shots(films, in_order, numbers)
    named = names.find(list(shots.values()), groups)
    apart, named = look_alikes.separate(looks, numbers, named, _voices(in_order, shots))
    if apart != numbers:
        numbers, groups = apart, identity.counted(looks, apart)
    clear = _CLEAR if job.config.cast.figures == "embedded" else 0.0
    described = _described(in_order, pictures, numbers, groups, named, clear)
    captioned = names_in_captions.find(
        [
            (seen_in, (told or {}).get(keyframe.id, ()))
            for keyframe, seen_in in zip(in_order, numbers, strict=True)
        ],
        named,
        described,
        groups,
    )
    numbers = identity.settle(looks, numbers, {**captioned, **named}, described)
    entries = _corrections(series, job)
    seen, faults = corrections.correct(
        entries, in_order, pictures, numbers, named, described, captioned
    )
    appearances: dict[str, list[Appearance]] = {film.film.video.id: [] for film in films}
    for keyframe, figs, who in zip(in_order, pictures, seen, strict=True):
        appearances[keyframe.video] += [
            Appearance(
                keyframe.id,
                keyframe.video,
                series,
                name,
                corrections.pixels(figure, keyframe),
                figure.score,
                decided,
            )
            for name, (figure, decided) in _once(figs, who).items()
        ]
    everybody = [row for of_film in appearances.values() for row in of_film]
    best = _best_views(in_order, pictures, seen)
    cast = descriptions.members(series, everybody, _colours(pictures, seen), best)
    of_series: list[AnyRow] = [
        *cast,
        *_references(cast, everybody, in_order),
        *renames.find(series, entries),
    ]
    rows: list[list[AnyRow]] = [[*appearances[film.film.video.id], *of_series] for film in films]
    if told is not None:
        rows[0] += [Reject("cast", series, "not found", fault) for fault in faults]
    return rows


def _references(
    cast: Sequence[CastMember], appearances: Sequence[Appearance], keyframes: Sequence[Keyframe]
) -> list[Reference]:
    """Returns where each character is seen well, those seen most first."""
    boxes = {(row.keyframe, row.character): row.box for row in appearances}
    by_id = {keyframe.id: keyframe for keyframe in keyframes}
    return [
        Reference(
            member.series,
            member.name,
            by_id[keyframe].image,
            by_id[keyframe].sha256,
            boxes[keyframe, member.name],
        )
        for member in cast
        for keyframe in crops.keyframes(member)[: montage.EACH]
    ]


def given_corrections(films: Sequence[Inputs], job: Job) -> Any:
    """Returns what the user says of who is who in a series, as JSON, None where nothing is said.

    Raises CharactersError for a file that cannot be used, and DecisionsError likewise.
    """
    entries = _corrections(films[0].video.series, job)
    return [entry.model_dump(exclude={"look", "role"}) for entry in entries] or None


def _corrections(series: str, job: Job) -> list[Entry]:
    """Returns what the file of characters says, with what people decided on the pages."""
    given = characters_file.given(series, job.config, job.out) or []
    return decided.entries(given, decisions.by_series(job.out, job.decisions).get(series, []))


def _by_keyframe(films: Sequence[Inputs]) -> Mapping[str, list[Figure]]:
    found: dict[str, list[Figure]] = defaultdict(list)
    for film in films:
        for figure in film.rows("figures", Figure):
            found[figure.keyframe].append(figure)
    return found


def _shots(
    films: Sequence[Inputs], keyframes: Sequence[Keyframe], numbers: Sequence[Sequence[int]]
) -> dict[tuple[str, int], names.Shot]:
    """Returns who is seen and who speaks in each shot that has keyframes."""
    lines = {
        film.film.video.id: [
            (line.start, line.end, speaker)
            for line in film.rows("dialogue", Spoken)
            if (speaker := split_speaker(line.text)[0])
        ]
        for film in films
    }
    groups: dict[tuple[str, int], set[int]] = defaultdict(set)
    speakers: dict[tuple[str, int], set[str]] = defaultdict(set)
    for keyframe, found in zip(keyframes, numbers, strict=True):
        shot = keyframe.video, keyframe.shot
        groups[shot].update(found)
        speakers[shot].update(
            speaker
            for start, end, speaker in lines[keyframe.video]
            if keyframe.shot_start <= (start + end) / 2 <= keyframe.shot_end
        )
    return {shot: names.Shot(frozenset(groups[shot]), frozenset(speakers[shot])) for shot in groups}


def _voices(
    keyframes: Sequence[Keyframe], shots: Mapping[tuple[str, int], names.Shot]
) -> list[look_alikes.Voice | None]:
    """Returns who speaks in each picture's shot, if nobody else does and one group is seen."""
    order = {shot: number for number, shot in enumerate(shots)}
    voices: list[look_alikes.Voice | None] = []
    for keyframe in keyframes:
        place = keyframe.video, keyframe.shot
        shot = shots[place]
        alone = len(shot.groups) == len(shot.speakers) == 1
        voices.append(look_alikes.Voice(min(shot.speakers), order[place]) if alone else None)
    return voices


def _described(
    keyframes: Sequence[Keyframe],
    pictures: Sequence[Sequence[Figure]],
    numbers: Sequence[Sequence[int]],
    groups: Sequence[identity.Group],
    named: Mapping[int, str],
    clear: float,
) -> dict[int, str]:
    """Returns descriptions of the groups without a name that are characters.

    `clear` is the least mean score of their figures.
    """
    shots: dict[int, set[tuple[str, int]]] = defaultdict(set)
    of_group: dict[int, list[Figure]] = defaultdict(list)
    for keyframe, figs, found in zip(keyframes, pictures, numbers, strict=True):
        for figure, number in zip(figs, found, strict=True):
            shots[number].add((keyframe.video, keyframe.shot))
            of_group[number].append(figure)
    nameless = [
        number
        for number, group in enumerate(groups)
        if number not in named
        and group.pictures >= max(_PICTURES, _SHARE * len(keyframes))
        and len(shots[number]) >= 3
        and _stands_out(of_group[number], clear)
    ]
    looks = [[figure.look for figure in figs] for figs in pictures]
    settled = identity.settle(looks, numbers, named, {number: str(number) for number in nameless})
    count = Counter(number for found in settled for number in set(found))
    least = max(_PICTURES, _SETTLED * len(keyframes))
    staying = [number for number in nameless if count[number] >= least]
    return descriptions.describe(staying, pictures, numbers)


def _stands_out(figs: Sequence[Figure], clear: float) -> bool:
    """Returns whether figures have so high a mean score, and are near in some pictures."""
    near = float(np.quantile([figure.share for figure in figs], _FAR))
    return near >= _NEAR and statistics.fmean(figure.score for figure in figs) >= clear


def _once(
    figs: Sequence[Figure], who: Sequence[corrections.Given | None]
) -> dict[str, tuple[Figure, str]]:
    """Returns the figures of a picture that are characters, and how that was decided: of each
    character the largest, or the one that a user named."""
    found: dict[str, tuple[Figure, str]] = {}
    in_order = sorted(
        zip(figs, who, strict=True), key=lambda pair: not (pair[1] and pair[1].pictured)
    )
    for figure, given in in_order:
        if given is not None:
            found.setdefault(given.name, (figure, given.decided))
    return found


def _best_views(
    keyframes: Sequence[Keyframe],
    pictures: Sequence[Sequence[Figure]],
    seen: Sequence[Sequence[corrections.Given | None]],
) -> dict[str, list[str]]:
    """Returns the keyframes in which each character is seen best, in order."""
    who = [[given.name if given else None for given in of_picture] for of_picture in seen]
    alike = identity.likeness([[figure.look for figure in figs] for figs in pictures], who)
    sharpness = statistics.median([keyframe.sharpness for keyframe in keyframes] or [0.0])
    qualities: dict[str, dict[str, float]] = defaultdict(dict)
    for keyframe, figs, given, likeness in zip(keyframes, pictures, seen, alike, strict=True):
        of_figure = {id(figure): like for figure, like in zip(figs, likeness, strict=True)}
        for name, (figure, _) in _once(figs, given).items():
            others = [other for other in figs if other is not figure]
            qualities[name][keyframe.id] = views.quality(
                figure, others, keyframe, of_figure[id(figure)], sharpness
            )
    shots = {keyframe.id: (keyframe.video, keyframe.shot) for keyframe in keyframes}
    return {name: views.best(of_name, shots) for name, of_name in qualities.items()}


def _colours(
    pictures: Sequence[Sequence[Figure]], seen: Sequence[Sequence[corrections.Given | None]]
) -> dict[str, str]:
    """Returns the colour of each character."""
    looks: dict[str, list[list[float]]] = defaultdict(list)
    for figs, who in zip(pictures, seen, strict=True):
        for figure, given in zip(figs, who, strict=True):
            if given is not None:
                looks[given.name].append(figure.look)
    return {name: descriptions.colour(of_name) for name, of_name in looks.items()}


def save_crops(
    stage: str,
    films: Sequence[Film],
    out: str,
    forced: Callable[[str, Film], bool],
    replacing: Callable[[], None],
    *,
    after: str | None = None,
) -> None:
    """Puts pictures of each character of a series, as a stage knows them, into the dataset folder.

    In a bucket they are trusted while the stage's output is the same, as each would cost requests;
    on a disk each is compared. Pictures of a cast that is the same `after` an earlier stage are
    there already.
    """
    first = films[0]
    note = storage.join(first.work, layout.PLACED, f"{stage}-{first.video.id}")
    output = first.outputs[stage].encode()
    again = any(forced(name, film) for film in films for name in ("keyframes", stage))
    noted = storage.is_remote(out) and not again and storage.exists(note)
    if noted and storage.read_bytes(note) == output:
        return
    pictured = _pictured(stage, films)
    if after is None or pictured != _pictured(after, films):
        crops.save(out, *pictured, replacing)
    storage.write_bytes(note, output)


def _pictured(stage: str, films: Sequence[Film]) -> tuple[list[CastMember], list[Appearance]]:
    """Returns the characters of a series, and where they are seen in their pictures."""
    cast = films[0].rows(stage, CastMember)
    wanted = {keyframe for member in cast for keyframe in crops.keyframes(member)}
    seen = [row for film in films for row in film.rows(stage, Appearance) if row.keyframe in wanted]
    return cast, seen
