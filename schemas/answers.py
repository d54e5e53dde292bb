"""What a model must answer: pydantic models whose JSON Schema is sent along with the question."""

from __future__ import annotations

from pydantic import BaseModel, Field
from pydantic.json_schema import SkipJsonSchema


class CaptionAnswer(BaseModel):
    """One picture, as fields. Every field but the sentence may be empty: nothing is invented."""

    characters: list[str] = Field(default_factory=list, description="who is seen, a name or a look")
    place: str = Field("", description="where it is")
    action: str = Field("", description="what happens")
    mood: str = Field("", description="the mood of the picture, a word or two")
    objects: list[str] = Field(default_factory=list, description="the things that matter in it")
    camera: str = Field("", description="shot scale and camera movement")
    sentence: str = Field(min_length=1, description="one full sentence that says all of the above")


class Sentence(BaseModel):
    """The text of one picture."""

    frame: int = Field(description="number of the picture, as given in the question")
    text: str = Field(description="the next sentence or two of the story, for this picture")
    plain: SkipJsonSchema[bool] = False  # a caption stands in: for the embedded writer only


class NarrativeAnswer(BaseModel):
    """The texts of a window, one a picture, in order."""

    sentences: list[Sentence]


class CharacterAnswer(BaseModel):
    """Somebody of a series."""

    name: str = Field(min_length=1, description="the one name that stories use")
    look: str = Field("", description="how they look, in a few words")
    role: str = Field("", description="who they are to the others, in a few words")
    called: list[str] = Field(
        default_factory=list, description="other names, and the descriptions that mean them"
    )


class CharactersAnswer(BaseModel):
    """Who is who in a series."""

    characters: list[CharacterAnswer]
