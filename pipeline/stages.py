"""What each stage does for one film, and how its result is kept so that it is done only once.

A stage takes what its films' earlier part files hold and gives rows. It knows nothing of the order
of the stages, of Beam or of other films; only the selection sees all the films of a series.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import av

from pipeline import backends, keyframes, ocr, parts, prompts, selection, storage, subtitles
from pipeline.captions import caption
from pipeline.config import DatasetConfig
from pipeline.parts import AnyRow
from pipeline.progress import Tick
from pipeline.stories import tell
from pipeline.videos import VideoError, fingerprint, probe
from schemas.rows import Caption, Keyframe, Reject, Row, Story, Video

# A stage's number goes up when its code gives another result for the same input.
VERSIONS = {"keyframes": 1, "text": 1, "selection": 1, "captions": 1, "stories": 1}
# What only a film's content tells; the rest of a `Video` is what the search for films found.
CONTENT = ("size", "fingerprint", "duration", "width", "height", "fps", "rotation")


@dataclasses.dataclass(frozen=True)
class Film:
    """A film on its way through the stages, with the part that each finished stage made of it."""

    video: Video
    work: str  # the folder that part files are in
    parts: dict[str, str] = dataclasses.field(default_factory=dict)  # stage -> name of the part

    def content(self, stage: str) -> list[AnyRow]:
        """All rows that a stage gave."""
        return parts.load(parts.path(self.work, self.parts[stage]))

    def rows(self, stage: str, kind: type[Row]) -> list[Row]:
        """The rows of one kind that a stage gave."""
        return parts.only(kind, self.content(stage))


def part_name(stage: str, film: Film, depends: Any) -> str:
    """The name of a stage's part for a film, given what the stage says it depends on."""
    return parts.name(stage, film.video.id, [stage, VERSIONS[stage], depends])


def pictures(work: str, part: str) -> str:
    """The folder of the pictures that belong to a film's keyframes part."""
    return storage.join(work, "pictures", part.rpartition("/")[2])


backend = functools.cache(backends.load)  # one loaded model a process


def keyframes_depend(film: Film, config: DatasetConfig) -> Any:
    """What keyframes depend on."""
    return [_or_gone(fingerprint, film.video.uri), film.video.id, film.video.series,
            config.keyframes.model_dump()]


def _or_gone(read: Callable[[str], str], uri: str) -> str:
    # A file that went away since it was found is no reason to stop: the stage makes a reject of it.
    try:
        return read(uri)
    except OSError:
        return "gone"


def find_keyframes(film: Film, config: DatasetConfig, part: str, threads: int, tick: Tick
                   ) -> list[AnyRow]:
    """The film as probed, its keyframes and what was left out; a film that is bad is a reject."""
    video = film.video
    try:
        video = probe(video)
        found, rejects = keyframes.extract(video, config.keyframes, pictures(film.work, part),
                                           threads, tick)
    except (VideoError, ValueError, OSError, av.FFmpegError) as error:
        return [video, Reject("video", video.uri, "unreadable", str(error), video.id)]
    if not found:
        rejects.append(Reject("video", video.uri, "no keyframes",
                              "no frame of it is fit to stand for a shot", video.id))
    return [video, *found, *rejects]


def probed(film: Film) -> Video:
    """The film as the search found it now, with what its content told when it was probed."""
    (read,) = film.rows("keyframes", Video)
    return dataclasses.replace(film.video, **{name: getattr(read, name) for name in CONTENT})


def text_depends(film: Film, config: DatasetConfig) -> Any:
    """What the text on the screen depends on."""
    return film.parts["keyframes"]


def read_text(film: Film, tick: Tick) -> list[AnyRow]:
    """Keyframes with the text on them; those that are mostly text are rejected."""
    found = film.rows("keyframes", Keyframe)
    folder = pictures(film.work, film.parts["keyframes"])
    screens = []
    for number, keyframe in enumerate(found, 1):
        screens += ocr.read([storage.join(folder, f"{keyframe.id}.jpg")])
        tick(number / len(found))
    titles = {keyframe.id: " / ".join(screen.lines)[:200]
              for keyframe, screen in zip(found, screens, strict=True) if ocr.mostly_text(screen)}
    with_text = [dataclasses.replace(keyframe, text=screen.lines)
                 for keyframe, screen in zip(found, screens, strict=True)]
    kept, rejects = selection.split_off(with_text, titles, "text")
    return [*kept, *rejects]


def selection_depends(film: Film, series: Sequence[Film], config: DatasetConfig) -> Any:
    """What the selection depends on: the text parts of the series, and the film's subtitles with
    the language that they are chosen and decoded by."""
    sidecar = film.video.subtitles and _or_gone(
        lambda uri: hashlib.sha256(storage.read_bytes(uri)).hexdigest(), film.video.subtitles)
    return [film.video.id, sorted(other.parts["text"] for other in series), sidecar,
            film.video.language, config.selection.model_dump()]


def select(film: Film, series: Sequence[Film], config: DatasetConfig) -> list[AnyRow]:
    """A film's keyframes without what recurs in its series, with the dialogue spoken over them."""
    episodes = {other.video.id: other.rows("text", Keyframe) for other in series}
    lengths = {other.video.id: selection.duration(probed(other), episodes[other.video.id])
               for other in series}
    again = selection.recurring(episodes, lengths, config.selection)
    kept, rejects = selection.split_off(
        episodes[film.video.id],
        {one: f"is also in another episode: {other}" for one, other in again.items()}, "recurring")
    if not kept:  # nothing to say anything over; a film that cannot be read is a reject already
        return list(rejects)
    try:
        lines = subtitles.read(probed(film))
    except (subtitles.SubtitlesError, OSError) as error:
        rejects.append(Reject("subtitles", film.video.subtitles or film.video.uri, "unreadable",
                              str(error), film.video.id))
        lines = []
    return [*subtitles.attach(kept, lines), *rejects]


def place_pictures(film: Film, out: str) -> None:
    """Puts the pictures that a film's rows name under the dataset folder."""
    source = pictures(film.work, film.parts["keyframes"])
    for keyframe in film.rows("selection", Keyframe):
        storage.place(storage.join(source, f"{keyframe.id}.jpg"),
                      storage.join(out, *keyframe.image.split("/")))
    for stage in ("keyframes", "text", "selection"):
        for reject in film.rows(stage, Reject):
            if reject.image:
                folder = ["rejected"] if stage == "keyframes" else []
                storage.place(storage.join(source, *folder, f"{reject.key}.jpg"),
                              storage.join(out, *reject.image.split("/")))


def captions_depend(film: Film, config: DatasetConfig) -> Any:
    """What captions depend on."""
    return [film.parts["selection"], config.captioner, prompts.version("caption")]


def write_captions(film: Film, config: DatasetConfig, out: str, metered: Callable[[Any], Any]
                   ) -> list[AnyRow]:
    """A caption for each selected keyframe, or a reject."""
    chosen = film.rows("selection", Keyframe)
    if not chosen:
        return []
    written, rejects = caption(chosen, metered(backend("captioner", config.captioner)), out)
    return [*written, *rejects]


def stories_depend(film: Film, config: DatasetConfig) -> Any:
    """What stories depend on."""
    return [film.parts["captions"], film.video.title, config.writer, prompts.version("narrate"),
            prompts.version("link"), config.stories.model_dump()]


def tell_stories(film: Film, config: DatasetConfig, metered: Callable[[Any], Any]
                 ) -> list[AnyRow]:
    """The film's stories, or rejects."""
    chosen, written = film.rows("selection", Keyframe), film.rows("captions", Caption)
    if not written:
        return []
    stories, rejects = tell(chosen, written, metered(backend("writer", config.writer)),
                            shortest=config.stories.shortest, title=film.video.title)
    return [*stories, *rejects]


def story_pictures(film: Film) -> tuple[list[Story], dict[str, int]]:
    """A film's stories and the bytes of each of its pictures."""
    return (film.rows("stories", Story),
            {keyframe.image: keyframe.bytes for keyframe in film.rows("selection", Keyframe)})
