"""The stages that ask models: captions, characters, stories; and quality, which scores stories.

Each takes rows that earlier stages made and returns rows. What is asked, and how answers are
checked, is said in the module of that name.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Collection, Sequence
from typing import Any

from pipeline import model_specs
from pipeline.annotation import characters, figure_boxes, story_scores
from pipeline.annotation.captions import caption
from pipeline.annotation.checks import character_names, described_characters, grounding
from pipeline.annotation.stories import tell
from pipeline.cast import characters_file, montage, renames
from pipeline.cast import stages as cast_stages
from pipeline.config import DatasetConfig
from pipeline.inference.repair import reason_of
from pipeline.ingest.fingerprint import model_fingerprint
from pipeline.runtime import storage
from pipeline.runtime.stage_inputs import Inputs, Job
from pipeline.runtime.stage_outputs import UNREADABLE, AnyRow, Film
from schemas.rows import (
    LIKENESS,
    Appearance,
    Caption,
    CastMember,
    Character,
    Keyframe,
    Reference,
    Reject,
    Renamed,
    Scene,
    Scores,
    Story,
)


async def ask_for_figures(film: Inputs, job: Job) -> list[AnyRow]:
    """Returns the figures in the film's pictures as the captioner finds them, and a reject for each
    picture about which it gave no usable answer."""
    keyframes = film.rows("selection", Keyframe)
    if not keyframes:
        return []
    boxes, rejects = await figure_boxes.find(keyframes, job.client, job.out, job.config, job.tick)
    return [*cast_stages.figures_of(keyframes, job, boxes), *rejects]


async def write_captions(film: Inputs, job: Job) -> list[AnyRow]:
    """Returns a caption for each selected keyframe, or a reject."""
    chosen = _renamed(film, film.rows("selection", Keyframe))
    if not chosen:
        return []
    written, rejects = await caption(
        chosen,
        job.client,
        job.out,
        job.config,
        job.tick,
        appearances=film.rows("cast", Appearance),
        characters=_montage(film, job),
    )
    return [*written, *rejects]


def shows_references(config: DatasetConfig) -> bool:
    """Returns whether the captioner is shown a picture of the characters."""
    model = model_specs.parse(config.captioner)
    return config.captions.references and model.kind != "embedded"


def _montage(film: Inputs, job: Job) -> montage.Montage | None:
    """Returns the picture of the characters that the captioner is shown, if any."""
    if not shows_references(job.config):
        return None
    return montage.save(film.rows("cast", Reference), job.out, film.film.work)


def _renamed(film: Inputs, keyframes: Sequence[Keyframe]) -> list[Keyframe]:
    """Returns keyframes with the names in their dialogue that a user gave."""
    return renames.apply(keyframes, film.rows("cast", Renamed))


def given_characters(films: Sequence[Inputs], job: Job) -> Any:
    """Returns the characters of a series that the user gave, as JSON, None where none were given.

    Raises CharactersError for a file of them that cannot be used.
    """
    found = characters.given(films[0].video.series, job.config, job.out)
    return found and [dataclasses.asdict(character) for character in found]


async def name_characters(films: Sequence[Inputs], job: Job) -> list[list[AnyRow]]:
    """Returns, for each film of a series, the series' characters: given by the user, or drafted
    from its captions and dialogue. A reject stands with the first film alone."""
    series = films[0].video.series
    found = characters.given(series, job.config, job.out)
    if found is not None:
        return [list(found) for _ in films]
    written = [row for film in films for row in film.rows("captions", Caption)]
    if not written:
        return [[] for _ in films]
    keyframes = [row for film in films for row in _renamed(film, film.rows("selection", Keyframe))]
    titles = [film.video.title for film in films]
    drafted, outcome = await characters.draft(
        series,
        keyframes,
        written,
        titles,
        job.client,
        job.config,
        cast=films[0].rows("cast", CastMember),
    )
    rows: list[list[AnyRow]] = [list(drafted) for _ in films]
    if outcome.value is None:
        reason = reason_of(outcome, UNREADABLE)
        detail = f"only those who speak by name are known: {outcome.fault}"
        rows[0].append(Reject("characters", series, reason, detail))
    return rows


def save_characters(
    films: Sequence[Film],
    out: str,
    forced: Callable[[str, Film], bool],
    replacing: Callable[[], None],
) -> None:
    """Puts the characters of a series into the dataset folder, to be read and edited.

    `replacing` is called before others that are there are replaced.
    """
    series, found = films[0].video.series, films[0].rows("characters", Character)
    if found and characters_file.edited(series, out) is None:
        characters.save(out, series, found, replacing)


def name_cast(films: Sequence[Inputs], job: Job) -> list[list[AnyRow]]:
    """Returns, for each film of a series, who is in its pictures and the cast of the series, named
    by captions too. Those of the embedded captioner have no names but the cast's."""
    told: dict[str, list[str]] = {}
    for film in films:
        known = film.rows("characters", Character)
        names = {character.name for character in known}
        for row in film.rows("captions", Caption):
            if row.model != model_specs.EMBEDDED["captioner"]:
                resolved = described_characters.resolve(row.characters, known)
                told[row.keyframe] = [name for name in resolved if name in names]
    return cast_stages.find_cast(films, job, told)


async def write_stories(film: Inputs, job: Job) -> list[AnyRow]:
    """Returns the film's stories, or rejects."""
    written = film.rows("captions", Caption)
    if not written:
        return []
    stories, rejects = await tell(
        _renamed(film, film.rows("selection", Keyframe)),
        written,
        film.rows("characters", Character),
        job.client,
        job.config,
        job.tick,
        title=film.video.title,
        appearances=film.rows("named", Appearance),
        scenes=film.rows("scenes", Scene),
    )
    return [*stories, *rejects]


def scoring_files(film: Inputs, job: Job) -> Any:
    """Returns what scores depend on beside rows and settings: the list of toxic words, and the
    weights that compare pictures and texts."""
    quality = job.config.quality
    return [
        sorted(_toxic(job.config.stories.language, quality.toxic_words_file) or []),
        model_fingerprint(quality.clip.partition(":")[2]),
    ]


def score_stories(film: Inputs, job: Job) -> list[AnyRow]:
    """Returns the film's stories with their scores, and a reject for each below a threshold that no
    person accepted."""
    stories = film.rows("review", Story)
    if not stories:
        return []
    # Those of the stage review were put in the place of others by people.
    keyframes = [*film.rows("selection", Keyframe), *film.rows("review", Keyframe)]
    keyframes = _renamed(film, keyframes)
    captions = [*film.rows("captions", Caption), *film.rows("review", Caption)]
    keyframe_of = {row.image: row for row in keyframes}
    caption_of = {row.keyframe: row for row in captions}
    cast = film.rows("characters", Character)
    named = {row.character for row in film.rows("named", Appearance) if row.decided != LIKENESS}
    rows: list[AnyRow] = []
    for story in stories:
        frames = [(keyframe_of[image], caption_of[keyframe_of[image].id]) for image in story.images]
        scores = _scores(story, frames, cast, named, film.video.title, job)
        rows.append(dataclasses.replace(story, scores=scores))
        if story.accepted:  # by a person, whatever its scores
            continue
        misses = story_scores.gate(scores, job.config.quality)
        if job.config.quality.accepted:
            misses = [("not accepted", "no person accepted it, as quality.accepted asks")]
        if misses:
            rows.append(
                Reject(
                    "quality",
                    story.id,
                    misses[0][0],
                    "; ".join(detail for _, detail in misses),
                    film.video.id,
                    story.images[0],
                )
            )
    return rows


def _scores(
    story: Story,
    frames: Sequence[tuple[Keyframe, Caption]],
    cast: Sequence[Character],
    named: Collection[str],
    title: str,
    job: Job,
) -> Scores:
    language, quality = job.config.stories.language, job.config.quality
    context = " ".join(
        [
            title,
            *(
                word
                for keyframe, caption in frames
                for word in (*keyframe.dialogue, *keyframe.text, caption.place, *caption.objects)
            ),
        ]
    )
    grounded = [
        grounding.grounding(
            text,
            [*caption.characters, *caption.objects],
            described_characters.resolve(caption.characters, cast),
            caption.action,
            caption.sentence,
            before,
        )
        for text, before, (_, caption) in zip(
            story.captions, ["", *story.captions], frames, strict=False
        )
    ]
    forms = {character.name: character.names for character in cast}  # in the story's language
    similar: list[float] = []
    if quality.clip:
        from pipeline.annotation import clip_score  # loads PyTorch

        similar = clip_score.similarities(
            _clip(quality.clip),
            [storage.join(job.out, image) for image in story.images],
            story.captions,
        )
    return story_scores.score(
        story.captions,
        language=language,
        names=[name for character in cast for name in (character.name, *character.names)],
        toxic=_toxic(language, quality.toxic_words_file),
        strangers=[
            character_names.unknown(text, cast, context, language) for text in story.captions
        ],
        repaired=story.repaired,
        similarity=similar,
        grounding=grounded if language.partition("-")[0] == "en" else [],
        naming=[
            character_names.mentions(text, (name, *forms.get(name, ())), language)
            for text, present in zip(story.captions, story.characters, strict=False)
            for name in present
            if name in named
        ],
    )


_toxic = functools.cache(story_scores.word_list)


@functools.cache
def _clip(spec: str) -> Any:
    from pipeline.annotation import clip_score

    return clip_score.load(spec)
