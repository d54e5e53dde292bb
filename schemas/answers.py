"""What a model must answer: pydantic models whose JSON Schema is sent along with the question."""

from __future__ import annotations

from pydantic import BaseModel, Field


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
    plain: bool = Field(False, description="leave false: set where a caption stands in for a text")


class NarrativeAnswer(BaseModel):
    """The texts of a window, one a picture, in order."""

    sentences: list[Sentence]
