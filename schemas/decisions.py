"""What people decide about a dataset: the rows of `decisions.jsonl`, each a JSON object on a line.

The file only grows: whoever changes their mind adds a row. A row names what it is about by ids and
by a digest of the content that was seen, so that it is applied to that content and to no other.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter

# Reasons for which a story or a picture is left out.
REASONS = ("words", "pictures", "incoherent", "unsuitable", "other")

Text: TypeAlias = Annotated[str, StringConstraints(strip_whitespace=True, max_length=2000)]
Name: TypeAlias = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)
]
Id: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=300)]
Digest: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]


class _Row(BaseModel):
    """What every decision says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Digest  # unique
    by: Name  # who
    at: str = Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")


class _OfFilm(_Row):
    """A decision about a story of a film, or seen with it."""

    film: Id
    story: Id
    digest: Digest  # of what it is about, as the stages before made it


class Accept(_OfFilm):
    """Keeps a story, whatever its scores; the digest is the story's."""

    what: Literal["accept"]


class RejectStory(_OfFilm):
    """Leaves a story out; the digest is the story's."""

    what: Literal["reject"]
    reason: Literal["words", "pictures", "incoherent", "unsuitable", "other"]
    note: Text = ""


class Edit(_OfFilm):
    """Gives a picture another sentence; the digest is that of the sentence and its picture."""

    what: Literal["edit"]
    keyframe: Id
    text: Annotated[Text, StringConstraints(min_length=1)]


class Drop(_OfFilm):
    """Leaves a picture out of its story, with its sentence; the digest is the picture's."""

    what: Literal["drop"]
    keyframe: Id
    reason: Literal["words", "pictures", "incoherent", "unsuitable", "other"]
    note: Text = ""


class Swap(_OfFilm):
    """Puts another frame of the same shot in a picture's place; the digest is the picture's."""

    what: Literal["swap"]
    keyframe: Id
    time: float = Field(ge=0, allow_inf_nan=False)  # seconds from the film's first frame


class Move(_OfFilm):
    """Lets a story begin with another picture, its own or one of the story before.

    The digest is that of the pictures of both.
    """

    what: Literal["move"]
    keyframe: Id  # with which the story is to begin


class SceneBegin(_OfFilm):
    """Says whether a scene begins with a picture; a boundary that is moved is two of them.

    The digest is that of the picture and the one before it in the film. The story is the one that
    shows the picture.
    """

    what: Literal["scene"]
    keyframe: Id
    begins: bool


class _OfSeries(_Row):
    """A decision about who is who in a series, by the names that were shown."""

    series: Text  # "" for single films


class Rename(_OfSeries):
    """Gives a character another name; the name of another one makes one character of both."""

    what: Literal["rename"]
    character: Name
    name: Name


class Ignore(_OfSeries):
    """Says that something is no character: a lamp, a cloud."""

    what: Literal["ignore"]
    character: Name


class Split(_OfSeries):
    """Says who is seen in one picture, and in the others of its shot."""

    what: Literal["split"]
    keyframe: Id
    box: tuple[int, int, int, int]  # x, y, width, height in pixels of the picture
    name: Name


class Undo(_Row):
    """Takes back a decision, maybe an Undo."""

    what: Literal["undo"]
    of: Digest


class Prefer(_Row):
    """Says which of two stories or pictures is better, by each criterion that was asked; changes no
    story."""

    what: Literal["prefer"]
    pair: Digest  # as in `Pair`
    answers: dict[Name, Literal["first", "second", "tie"]]


class Told(BaseModel):
    """A story, or a picture of one, as it is shown to somebody who compares it."""

    texts: list[str]
    images: list[str]  # paths in the folder of the pairs


class Pair(BaseModel):
    """Two stories or pictures to be compared, a line of `pairs.jsonl`; it does not say who made
    them."""

    id: Digest
    kind: Literal["story", "picture"] = "story"
    criteria: dict[str, str]  # name and question of each
    before: Told | None = None  # what both go on from; of pictures
    first: Told
    second: Told


OfStory: TypeAlias = Accept | RejectStory | Edit | Drop | Swap | Move
OfFilm: TypeAlias = OfStory | SceneBegin
OfSeries: TypeAlias = Rename | Ignore | Split
Decision: TypeAlias = OfFilm | OfSeries | Undo | Prefer
_ADAPTER: TypeAdapter[Decision] = TypeAdapter(Annotated[Decision, Field(discriminator="what")])


def parse(values: Any) -> Decision:
    """Returns the decision that JSON values say. Raises pydantic.ValidationError."""
    return _ADAPTER.validate_python(values)


def parse_line(line: bytes) -> Decision:
    """Returns the decision on a line of the file. Raises pydantic.ValidationError."""
    return _ADAPTER.validate_json(line)
