"""What each stage does for one film, and how its result is kept so that it is done only once.

A stage takes what its films' earlier part files hold and gives rows. It knows nothing of the order
of the stages, of Beam or of other films; only the selection sees all the films of a series.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import av

from pipeline import model_specs
from pipeline.annotation import characters, prompts, story_scores
from pipeline.annotation.captions import NO_ANSWER, caption
from pipeline.annotation.checks import character_names, grounding
from pipeline.annotation.stories import tell
from pipeline.config import DatasetConfig
from pipeline.inference.backends import loading
from pipeline.inference.client import ModelClient
from pipeline.ingest import speech, subtitles
from pipeline.ingest.video import VideoError, content_of, fingerprint
from pipeline.keyframes import ocr, segment_scan
from pipeline.keyframes import recurring as _recurring
from pipeline.keyframes import select as _select
from pipeline.runtime import isolation, stage_outputs, storage
from pipeline.runtime.progress import Tick
from pipeline.runtime.stage_outputs import AnyRow
from schemas.rows import Caption, Character, Keyframe, Reject, Row, Scores, Spoken, Story, Video

# A stage's number goes up when its code gives another result for the same input.
VERSIONS = {
    "keyframes": 3,
    "text": 1,
    "selection": 3,
    "captions": 1,
    "characters": 1,
    "stories": 1,
    "quality": 1,
}
_NO_SUBTITLES = (subtitles.SubtitlesError, isolation.Crashed, OSError)  # they cannot be read
# What only a film's content tells; the rest of a `Video` is what the search for films found.
CONTENT = ("size", "fingerprint", "duration", "width", "height", "fps", "rotation", "bars")


@dataclasses.dataclass(frozen=True)
class Film:
    """A film on its way through the stages, with the part that each finished stage made of it."""

    video: Video
    work: str  # the folder that part files are in
    parts: dict[str, str] = dataclasses.field(default_factory=dict)  # stage -> name of the part

    def content(self, stage: str) -> list[AnyRow]:
        """All rows that a stage gave."""
        return stage_outputs.load(stage_outputs.path(self.work, self.parts[stage]))

    def digest(self, stage: str) -> str:
        """What stands for a stage's rows: two parts of one name differ once a question that got no
        answer has got one, or a stage was done again."""
        return stage_outputs.seal(stage_outputs.path(self.work, self.parts[stage]))

    def rows(self, stage: str, kind: type[Row]) -> list[Row]:
        """The rows of one kind that a stage gave."""
        return stage_outputs.only(kind, self.content(stage))


def part_name(stage: str, film: Film, depends: Any) -> str:
    """The name of a stage's part for a film, given what the stage says it depends on."""
    return stage_outputs.name(stage, film.video.id, [stage, VERSIONS[stage], depends])


def pictures(work: str, part: str) -> str:
    """The folder of the pictures that belong to a film's keyframes part."""
    return storage.join(work, "pictures", part.rpartition("/")[2])


def final(film: Film, part: str) -> bool:
    """Whether a part of a film is there, undamaged, with its pictures, and without a question that
    got no answer."""
    file = stage_outputs.path(film.work, part)
    if not storage.exists(file):
        return False
    try:
        rows = stage_outputs.load(file)
    except ValueError:
        return False
    if any(reject.reason == NO_ANSWER for reject in stage_outputs.only(Reject, rows)):
        return False
    return not part.startswith("keyframes/") or _pictures_there(pictures(film.work, part), rows)


def _pictures_there(folder: str, rows: Sequence[AnyRow]) -> bool:
    """Whether the pictures of a keyframes part are in its folder, those of keyframes in full."""
    sizes = dict(storage.find_in(folder, "**"))
    return all(
        sizes.get(storage.join(folder, f"{row.id}.jpg")) == row.bytes
        for row in stage_outputs.only(Keyframe, rows)
    ) and all(
        sizes.get(storage.join(folder, "rejected", f"{row.key}.jpg"))
        for row in stage_outputs.only(Reject, rows)
        if row.image
    )


def keyframes_depend(film: Film, config: DatasetConfig) -> Any:
    """What keyframes depend on."""
    return [
        _or_gone(film.video.uri),
        film.video.id,
        film.video.series,
        config.keyframes.model_dump(),
    ]


def _or_gone(uri: str) -> str:
    # A file that went away since it was found is no reason to stop: the stage makes a reject of it.
    try:
        return fingerprint(uri)
    except OSError as error:
        if storage.silent(uri, error):
            raise
        return "gone"


def segment_bounds(film: Film, seconds: float) -> list[segment_scan.Bounds]:
    """Where the segments begin and end that a film's keyframes are looked for in."""
    try:
        return isolation.call(segment_scan.bounds, film.video.uri, seconds, size=film.video.size)
    except (isolation.Crashed, VideoError, ValueError, OSError, av.FFmpegError):
        return [(None, None)]  # the stage makes a reject of it


def measure_segment(
    film: Film, part: str, bounds: Sequence[segment_scan.Bounds], number: int, threads: int
) -> None:
    """Passes over a segment of a film and keeps the figures, where they are not there yet."""
    file = segment_scan.path(_segments(film.work, part), number, len(bounds))
    if storage.exists(file):
        return
    with contextlib.suppress(isolation.Crashed, ValueError, OSError, av.FFmpegError, MemoryError):
        isolation.call(
            segment_scan.keep, film.video.uri, bounds[number], threads, file, size=film.video.size
        )


def _segments(work: str, part: str) -> str:
    return storage.join(work, "segments", part.rpartition("/")[2])


def find_keyframes(
    film: Film, config: DatasetConfig, part: str, threads: int, tick: Tick
) -> list[AnyRow]:
    """The film as probed, its keyframes and what was left out; a film that is bad is a reject."""
    video, kept = film.video, _segments(film.work, part)
    try:
        rows: list[AnyRow] = isolation.call(
            _select.of_film,
            video,
            config.keyframes,
            pictures(film.work, part),
            kept,
            threads,
            size=video.size,
            tick=tick,
        )
    except isolation.Crashed as error:
        rows = [video, Reject("video", video.uri, "crashed", str(error), video.id)]
    storage.remove([file for file, _ in storage.find_in(kept, "*")])
    return rows


def probed(film: Film) -> Video:
    """The film as the search found it now, with what its content told when it was probed."""
    (read,) = film.rows("keyframes", Video)
    return dataclasses.replace(film.video, **{name: getattr(read, name) for name in CONTENT})


def text_depends(film: Film, config: DatasetConfig) -> Any:
    """What the text on the screen depends on, and the speech where that is recognised."""
    if not config.speech:
        return film.parts["keyframes"]
    return [
        film.parts["keyframes"],
        config.speech,
        content_of(config.speech),
        film.video.language,
        _sidecar(film),
    ]


def read_text(film: Film, config: DatasetConfig, threads: int, tick: Tick) -> list[AnyRow]:
    """Keyframes with the text on them; those that are mostly text are rejected. Where the config
    names a model for it, what is spoken in a film without subtitles too."""
    found = film.rows("keyframes", Keyframe)
    folder = pictures(film.work, film.parts["keyframes"])
    screens = []
    for number, keyframe in enumerate(found, 1):
        screens += ocr.read([storage.join(folder, f"{keyframe.id}.jpg")])
        tick(number / len(found) * (0.2 if config.speech else 1.0))
    titles = {
        keyframe.id: " / ".join(screen.lines)[:200]
        for keyframe, screen in zip(found, screens, strict=True)
        if ocr.mostly_text(screen)
    }
    with_text = [
        dataclasses.replace(keyframe, text=screen.lines)
        for keyframe, screen in zip(found, screens, strict=True)
    ]
    kept, rejects = _recurring.split_off(with_text, titles, "text")
    spoken = _speech(film, config, threads, tick) if kept and config.speech else []
    return [*kept, *rejects, *spoken]


def _speech(film: Film, config: DatasetConfig, threads: int, tick: Tick) -> list[AnyRow]:
    """What is spoken in a film that has no subtitles, or why that is not known."""
    video = probed(film)
    with contextlib.suppress(*_NO_SUBTITLES):  # the selection says so
        if isolation.call(subtitles.read, video, size=video.size)[0]:
            return []
    try:
        isolation.call(
            speech.hear, video, size=video.size
        )  # where it crashes, it does not do so here
        return [
            Spoken(video.id, line.start, line.end, line.text)
            for line in speech.recognise(
                video,
                config.speech,
                video.language,
                threads,
                lambda share: tick(0.2 + 0.79 * share),
            )
        ]
    except (speech.SpeechError, isolation.Crashed, OSError) as error:
        return [Reject("speech", video.uri, "unreadable", str(error), video.id)]


def _sidecar(film: Film) -> str:
    """The digest of a film's sidecar file, "" for none."""
    return film.video.subtitles and _or_gone(film.video.subtitles)


def selection_depends(film: Film, series: Sequence[Film], config: DatasetConfig) -> Any:
    """What the selection depends on: the text parts of the series, and the film's subtitles with
    the language that they are chosen and decoded by."""
    return [
        film.video.id,
        sorted(other.parts["text"] for other in series),
        _sidecar(film),
        film.video.language,
        config.selection.model_dump(),
    ]


def recurring(series: Sequence[Film], config: DatasetConfig) -> dict[str, str]:
    """The keyframes that recur in a series, each with its like in another film."""
    episodes = {}
    for film in series:  # of each only what is compared stays in memory
        found = film.rows("text", Keyframe)
        near = _recurring.near_edges(
            found, _recurring.duration(probed(film), found), config.selection
        )
        episodes[film.video.id] = [(one.id, one.phash) for one in near]
    return _recurring.recurring(episodes, config.selection)


def select(film: Film, recurring: Mapping[str, str], config: DatasetConfig) -> list[AnyRow]:
    """A film's keyframes without what recurs in its series, with the dialogue spoken over them."""
    kept, rejects = _recurring.split_off(
        film.rows("text", Keyframe),
        {one: f"is also in another episode: {other}" for one, other in recurring.items()},
        "recurring",
    )
    if not kept:  # nothing to say anything over; a film that cannot be read is a reject already
        return list(rejects)
    try:
        lines, left_out = isolation.call(subtitles.read, probed(film), size=film.video.size)
    except _NO_SUBTITLES as error:
        if storage.silent(film.video.subtitles or film.video.uri, error):
            raise
        rejects.append(
            Reject(
                "subtitles",
                film.video.subtitles or film.video.uri,
                "unreadable",
                str(error),
                film.video.id,
            )
        )
        lines, left_out = [], ""
    if left_out:
        rejects.append(
            Reject(
                "subtitles",
                film.video.subtitles or film.video.uri,
                "left out",
                left_out,
                film.video.id,
            )
        )
    recognised = not lines
    if recognised:  # written lines and recognised ones are never mixed
        lines = [subtitles.Line(one.start, one.end, one.text) for one in film.rows("text", Spoken)]
    with_lines = subtitles.attach(kept, lines)
    return [
        *(
            dataclasses.replace(keyframe, recognised=recognised and bool(keyframe.dialogue))
            for keyframe in with_lines
        ),
        *rejects,
    ]


def place_pictures(film: Film, out: str, again: bool, replacing: Callable[[], None]) -> None:
    """Puts the pictures that a film's rows name under the dataset folder; `again` where they have
    been made again, and those that are there are not to be trusted. `replacing` is called before
    the first that is there is replaced."""
    part = film.parts["keyframes"]
    source = pictures(film.work, part)
    pairs = [
        (f"{keyframe.id}.jpg", keyframe.image) for keyframe in film.rows("selection", Keyframe)
    ]
    for stage in ("keyframes", "text", "selection"):
        folder = "rejected/" if stage == "keyframes" else ""
        pairs += [
            (f"{folder}{reject.key}.jpg", reject.image)
            for reject in film.rows(stage, Reject)
            if reject.image
        ]
    note = storage.join(film.work, "placed", film.video.id)  # whose pictures are there, all of them
    same = storage.exists(note) and storage.read_bytes(note) == part.encode()
    if not same:
        storage.remove([note])
    storage.place(
        [
            (storage.join(source, *name.split("/")), storage.join(out, *image.split("/")))
            for name, image in pairs
        ],
        again or not same,
        replacing,
    )
    if not same:
        storage.write_bytes(note, part.encode())


def captions_depend(film: Film, config: DatasetConfig) -> Any:
    """What captions depend on."""
    return [
        film.digest("selection"),
        *_asked("captioner", config, "caption"),
        config.captions.model_dump(),
    ]


def _asked(role: str, config: DatasetConfig, *names: str) -> list[Any]:
    """What the answers of a role's model depend on, beside what they are about."""
    spec = model_specs.parse(getattr(config, role))
    calls = ["max_tokens", "temperature"] if spec.kind != "embedded" else []
    if calls and role == "captioner":  # a writer sees no pictures
        calls.append("longest_side")
    return [
        loading.identity(spec),
        [getattr(config.calls, name) for name in calls],
        [prompts.identity(name, config.prompts) for name in names],
    ]


async def write_captions(
    film: Film, config: DatasetConfig, out: str, client: ModelClient, tick: Tick
) -> list[AnyRow]:
    """A caption for each selected keyframe, or a reject."""
    chosen = film.rows("selection", Keyframe)
    if not chosen:
        return []
    written, rejects = await caption(chosen, client, out, config, tick)
    return [*written, *rejects]


def characters_depend(series: Sequence[Film], config: DatasetConfig, out: str) -> Any:
    """What the characters of a series depend on. Raises CharactersError for a file of them that
    cannot be used."""
    given = characters.given(series[0].video.series, config, out)
    if given is not None:
        return [dataclasses.asdict(one) for one in given]
    return [
        sorted(film.digest("captions") for film in series),
        *_asked("writer", config, "characters"),
    ]


async def name_characters(
    series: Sequence[Film], config: DatasetConfig, out: str, client: ModelClient
) -> list[AnyRow]:
    """Who is who in a series: given by the user, or drafted from its captions and dialogue."""
    name = series[0].video.series
    found = characters.given(name, config, out)
    if found is not None:
        return list(found)
    written = [row for film in series for row in film.rows("captions", Caption)]
    if not written:
        return []
    keyframes_ = [row for film in series for row in film.rows("selection", Keyframe)]
    titles = [film.video.title for film in series]
    drafted, outcome = await characters.draft(name, keyframes_, written, titles, client, config)
    if outcome.value is not None:
        return list(drafted)
    reason = "unreadable answer" if outcome.answered else NO_ANSWER
    return [
        *drafted,
        Reject(
            "characters", name, reason, f"only those who speak by name are known: {outcome.fault}"
        ),
    ]


def keep_characters(film: Film, out: str, replacing: Callable[[], None]) -> None:
    """Puts the characters of a film's series into the dataset folder, to be read and edited.
    `replacing` is called before others that are there are replaced."""
    found = film.rows("characters", Character)
    if found and characters.edited(film.video.series, out) is None:
        characters.save(out, film.video.series, found, replacing)


def stories_depend(film: Film, config: DatasetConfig) -> Any:
    """What stories depend on: of the characters what they are, not how that was found out."""
    return [
        film.digest("captions"),
        film.video.title,
        *_asked("writer", config, "narrate", "link"),
        [dataclasses.asdict(one) for one in film.rows("characters", Character)],
        config.stories.model_dump(),
    ]


async def tell_stories(
    film: Film, config: DatasetConfig, client: ModelClient, tick: Tick
) -> list[AnyRow]:
    """The film's stories, or rejects."""
    chosen, written = film.rows("selection", Keyframe), film.rows("captions", Caption)
    if not written:
        return []
    stories, rejects = await tell(
        chosen,
        written,
        film.rows("characters", Character),
        client,
        config,
        tick,
        title=film.video.title,
    )
    return [*stories, *rejects]


def told(film: Film) -> tuple[list[Story], list[Story]]:
    """The film's stories that are kept, and those that are dropped for a score."""
    judged = film.content("quality")
    dropped = {reject.key for reject in stage_outputs.only(Reject, judged)}
    stories = stage_outputs.only(Story, judged)
    return (
        [story for story in stories if story.id not in dropped],
        [story for story in stories if story.id in dropped],
    )


def quality_depends(film: Film, config: DatasetConfig) -> Any:
    """What the scores of stories and the judgement on them depend on."""
    return [
        film.digest("stories"),
        film.digest("captions"),
        [dataclasses.asdict(one) for one in film.rows("characters", Character)],
        config.stories.language,
        config.quality.model_dump(),
        sorted(_toxic(config.stories.language, config.quality.toxic_words_file) or []),
        content_of(config.quality.clip.partition(":")[2]),
    ]


def judge(film: Film, config: DatasetConfig, out: str) -> list[AnyRow]:
    """The film's stories with their scores, and a reject for each that misses a threshold."""
    stories = film.rows("stories", Story)
    if not stories:
        return []
    keyframe_of = {row.image: row for row in film.rows("selection", Keyframe)}
    caption_of = {row.keyframe: row for row in film.rows("captions", Caption)}
    cast = film.rows("characters", Character)
    judged: list[AnyRow] = []
    for story in stories:
        frames = [(keyframe_of[image], caption_of[keyframe_of[image].id]) for image in story.images]
        scores = _scores(story, frames, cast, film.video.title, config, out)
        judged.append(dataclasses.replace(story, scores=scores))
        if misses := story_scores.gate(scores, config.quality):
            judged.append(
                Reject(
                    "quality",
                    story.id,
                    misses[0][0],
                    "; ".join(detail for _, detail in misses),
                    film.video.id,
                    story.images[0],
                )
            )
    return judged


def _scores(
    story: Story,
    frames: Sequence[tuple[Keyframe, Caption]],
    cast: Sequence[Character],
    title: str,
    config: DatasetConfig,
    out: str,
) -> Scores:
    language = config.stories.language
    grounds = " ".join(
        [
            title,
            *(
                word
                for keyframe, caption in frames
                for word in (*keyframe.dialogue, *keyframe.text, caption.place, *caption.objects)
            ),
        ]
    )
    kept_to = [
        grounding.grounding(
            text,
            [*caption.characters, *caption.objects],
            character_names.resolve(caption.characters, cast),
            caption.action,
            caption.sentence,
            before,
        )
        for text, before, (_, caption) in zip(
            story.captions, ["", *story.captions], frames, strict=False
        )
    ]
    similar: list[float] = []
    if config.quality.clip:
        from pipeline.annotation import clip_score  # loads PyTorch

        similar = clip_score.similarities(
            _clip(config.quality.clip),
            [storage.join(out, image) for image in story.images],
            story.captions,
        )
    return story_scores.score(
        story.captions,
        language=language,
        names=[one.name for one in cast],
        toxic=_toxic(language, config.quality.toxic_words_file),
        strangers=[
            character_names.unknown(text, cast, grounds, language) for text in story.captions
        ],
        repaired=story.repaired,
        similarity=similar,
        grounding=kept_to if language.partition("-")[0] == "en" else [],
    )


_toxic = functools.cache(story_scores.word_list)


@functools.cache
def _clip(spec: str) -> Any:
    from pipeline.annotation import clip_score

    return clip_score.load(spec)
