"""The rows of the dataset: dataclasses, each of which is also an Arrow schema.

A row is small: it names bytes in storage by a path relative to the dataset folder and never holds
them. Times are seconds of presentation time from the film's first frame.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Iterable
from typing import Any, TypeVar

import pyarrow as pa

STORY_LENGTH = 30  # keyframes in a story, as in the published dataset
# How an appearance's name was decided.
SPEECH, CAPTIONS, LIKENESS, GIVEN = "speech", "captions", "likeness", "given"
REVIEWER = "reviewer"  # what wrote a text that a person edited
CHUNK_LENGTH = 10  # keyframes in a chunk: what the paper trains on


@dataclasses.dataclass(frozen=True)
class Video:
    """A film as it was found; `pipeline.ingest.video.probe` adds what only its content tells."""

    id: str  # safe as a folder name, unique in the dataset
    uri: str
    series: str
    title: str
    season: int | None = None
    episode: int | None = None
    language: str = ""  # BCP 47, "" when not known
    license: str = ""
    attribution: str = ""
    subtitles: str = ""  # uri of a sidecar file, "" for none
    size: int = 0  # bytes
    fingerprint: str = ""  # hex digest of size and sampled content
    duration: float = 0.0  # seconds
    width: int = 0  # pixels as displayed, after rotation
    height: int = 0
    fps: float = 0.0  # average frames per second
    rotation: int = 0  # degrees clockwise to turn a decoded frame for display: 0, 90, 180, 270
    # letterbox of a decoded frame: rows above, below, columns left, right
    bars: list[int] = dataclasses.field(default_factory=lambda: [0, 0, 0, 0])
    interlaced: bool = False  # its frames weave two moments: keyframes are whole or deinterlaced
    hdr: str = ""  # "PQ" or "HLG" where keyframes are tone-mapped to SDR


@dataclasses.dataclass(frozen=True)
class Keyframe:
    """A picture that represents a shot or a part of it."""

    id: str  # "<video>_keyframe_<H>-<M>-<S>-<ms>"
    video: str
    series: str
    image: str  # "images/<video>/<id>.jpg"
    time: float
    shot: int  # number of the shot in the film, from 0
    shot_start: float  # time of the shot's first own frame
    shot_end: float  # time of the shot's last own frame
    width: int  # pixels, after cropping
    height: int
    crop: list[int]  # x, y, width, height of the picture in the displayed frame
    bytes: int  # of the JPEG
    sha256: str  # of the JPEG
    phash: str  # 256-bit perceptual hash, hex
    sharpness: float  # variance of the Laplacian of the luma at 320x180, levels squared
    brightness: float  # mean luma, 0..1
    camera_motion: list[float]  # x, y: how the camera moves, frame widths per second
    subject_motion: list[float]  # x, y: how the moving part moves, frame widths per second
    dialogue: list[str] = dataclasses.field(default_factory=list)  # until the next keyframe
    recognised: bool = False  # the film's dialogue is recognised from its sound, not written
    text: list[str] = dataclasses.field(default_factory=list)  # read on the screen
    # How the shot begins: "cut", "dissolve", "fade", "wipe", or "gradual" where the detector does
    # not tell; "" at the film's start.
    transition: str = ""


@dataclasses.dataclass(frozen=True)
class Spoken:
    """A line of a film's dialogue, read from subtitles or recognised from its sound."""

    video: str
    start: float
    end: float
    text: str
    recognised: bool = False


@dataclasses.dataclass(frozen=True)
class Figure:
    """A figure in a picture, whoever it is: what stands out from the place."""

    keyframe: str
    video: str
    box: list[float]  # left, top, right, bottom: shares of the picture
    share: float  # of the picture
    score: float  # how much it is a figure rather than a place, above 0
    look: list[float]  # mean features and colours, by which figures are compared


@dataclasses.dataclass(frozen=True)
class Appearance:
    """A character in a picture: who is seen, and where."""

    keyframe: str
    video: str
    series: str
    character: str  # as in CastMember.name
    box: list[int]  # x, y, width, height in pixels of the picture
    score: float  # how much it is a figure rather than a place, above 0
    decided: str  # SPEECH: from who speaks; CAPTIONS; LIKENESS: a description; GIVEN: by a user


@dataclasses.dataclass(frozen=True)
class CastMember:
    """A character of a series as it is seen: where it appears, and with whom."""

    series: str
    name: str  # "Pip", or "big grey figure" for one whose name is not known
    named: bool  # False where the name is a description
    colour: str  # that most of it has, "" where that is unclear
    pictures: int
    videos: list[str]  # in which it is seen
    first: str  # the keyframe where it is first seen
    last: str
    costars: list[str]  # seen in the same pictures, the most frequent first
    costar_pictures: list[int]  # in how many, for each
    crops: list[str]  # pictures of it: "characters/<series>/<name>/<keyframe>.jpg"


@dataclasses.dataclass(frozen=True)
class Reference:
    """Where a character of a series is seen well, to show a captioner what it looks like."""

    series: str
    character: str
    image: str  # of the keyframe, relative to the dataset folder
    sha256: str  # of that picture
    box: list[int]  # x, y, width, height in pixels of it


@dataclasses.dataclass(frozen=True)
class Renamed:
    """A name in the dialogue of a series that a user replaced."""

    series: str
    spoken: str  # as the film has it
    name: str  # as the user has it
    speaker_only: bool  # True where it stays in what is said: a nickname


@dataclasses.dataclass(frozen=True)
class Scene:
    """A scene of a film: neighbouring keyframes at one place in one light."""

    id: str  # "<video>_scene_<number>"
    video: str
    series: str
    number: int  # in the film, from 0
    place: str  # as in Place.name
    keyframes: list[str]
    shown: str  # the keyframe that stands for it
    start: float  # seconds, of its first shot
    end: float  # seconds, of its last shot
    colours: list[float]  # share of each of 343 colours, by which places are told apart


@dataclasses.dataclass(frozen=True)
class Place:
    """A place of a series in its light, to which scenes of several episodes may come back."""

    series: str
    name: str  # "place_<number>", in order of appearance
    scenes: list[str]
    pictures: int
    videos: list[str]
    shown: list[str]  # keyframes that stand for it, up to three


@dataclasses.dataclass(frozen=True)
class Caption:
    """A caption: what a picture shows, as fields and as a sentence."""

    keyframe: str
    video: str
    characters: list[str]
    place: str
    action: str
    mood: str
    objects: list[str]
    camera: str
    sentence: str
    model: str  # what wrote it


@dataclasses.dataclass(frozen=True)
class Character:
    """A character of a series: its name in stories, and what captions call it."""

    series: str
    name: str
    look: str  # "a small brown monkey"
    role: str  # "the one who gets into trouble"
    called: list[str]  # other names, and what captions call them: "a brown monkey"
    source: str  # "given" by a user, "subtitles", or the model that drafted it
    # its name as the stories' language writes and declines it: "Тильда", "Тильду" for Tilda
    names: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class Scores:
    """How good a story is, as far as `pipeline.annotation.story_scores` can measure it."""

    repetition: float | None  # 0..1, share of runs of 4 words that the story had before
    reading_grade: float | None  # US school years, English only
    language_share: float | None  # 0..1, share of words known in the story's language
    toxic_words: int | None  # how many
    name_consistency: float | None  # 0..1, share of texts that name nobody unknown
    repaired_share: float | None  # 0..1, share of texts that came from a second question
    grounding: float | None  # 0..1, share of what the captions say that the texts say, English only
    similarity: float | None  # -1..1, mean cosine of pictures and texts; None without a model
    naming: float | None = None  # 0..1, share of those who are seen by name that the texts name


@dataclasses.dataclass(frozen=True)
class Story:
    """A story: up to 30 keyframes in film order, each with the next sentence of a narrative."""

    id: str  # "<video>_story_<number>"
    video: str
    series: str
    split: str  # "train", "val", or "" before the split is made
    complete: bool  # False for a tail of fewer than STORY_LENGTH keyframes
    images: list[str]  # as in Keyframe.image
    captions: list[str]  # the narrative, a text per image
    orders: list[int]  # 0..n-1
    descriptions: list[str]  # the caption sentence each text was written from
    caption_model: str
    writers: list[str]  # what wrote each text: a model's name, or "plain" for a joined caption
    repaired: list[bool]  # whether each text is of a second question, as the first answer failed
    linked: bool = True  # False where the windows were not linked: no usable answer
    scores: Scores | None = None  # None before the quality stage
    # who is seen in each picture; none at all where nobody looked
    characters: list[list[str]] = dataclasses.field(default_factory=list)
    # where each of them is: x, y, width, height in pixels of the picture, or of the one selected
    # from the shot where a person put another frame in its place
    boxes: list[list[list[int]]] = dataclasses.field(default_factory=list)
    accepted: bool = False  # by a person, who looked at it


@dataclasses.dataclass(frozen=True)
class Reject:
    """Something that was left out, and why. Nothing is dropped without a reject."""

    stage: str  # "video", "subtitles", "keyframe", "caption", "story", "review"
    key: str  # what was left out: a uri, a keyframe id, a story id
    reason: str  # a word or two, the same for all of a kind: "black", "duplicate"
    detail: str  # for a person: the figures, the other picture, the error
    video: str = ""
    image: str = ""  # a small picture of it, relative to the dataset folder, "" for none


Row = TypeVar(
    "Row",
    Video,
    Keyframe,
    Spoken,
    Figure,
    Appearance,
    CastMember,
    Reference,
    Renamed,
    Scene,
    Place,
    Caption,
    Character,
    Story,
    Reject,
)

_ARROW = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}


def _arrow_type(hint: Any) -> pa.DataType:
    if typing.get_origin(hint) is list:
        return pa.list_(_arrow_type(typing.get_args(hint)[0]))
    if isinstance(hint, types.UnionType):  # `int | None`
        (hint,) = (arg for arg in typing.get_args(hint) if arg is not types.NoneType)
    if dataclasses.is_dataclass(hint):
        return pa.struct(_fields(hint))
    return _ARROW[hint]


def _fields(kind: Any) -> list[pa.Field]:
    hints = typing.get_type_hints(kind)
    return [
        pa.field(
            field.name,
            _arrow_type(hints[field.name]),
            nullable=isinstance(hints[field.name], types.UnionType),
        )
        for field in dataclasses.fields(kind)
    ]


def row(kind: type[Row], values: dict[str, Any]) -> Row:
    """Builds a row from its values, as `dataclasses.asdict` gives them."""
    if kind is Story and values.get("scores") is not None:
        values = {**values, "scores": Scores(**values["scores"])}
    return kind(**values)


def arrow_schema(row_type: type[Row]) -> pa.Schema:
    """Returns the Arrow schema of a row type: a column for each field, nullable if it may be None.

    Raises KeyError for a field whose type has no column type here.
    """
    return pa.schema(_fields(row_type))


def to_table(rows: Iterable[Row], row_type: type[Row]) -> pa.Table:
    """Converts rows to a table with `arrow_schema(row_type)`, in order. No rows make an empty one.

    Raises pyarrow.ArrowException where a value does not fit its column.
    """
    columns = [dataclasses.asdict(row) for row in rows]
    return pa.Table.from_pylist(columns, schema=arrow_schema(row_type))


def from_table(table: pa.Table, row_type: type[Row]) -> list[Row]:
    """Converts a table that `to_table` made back to its rows, equal to those that went in."""
    return [row(row_type, values) for values in table.to_pylist()]
