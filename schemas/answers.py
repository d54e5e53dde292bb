"""What a model must answer: pydantic models, and the JSON Schema that is sent with the question.

The schemas keep to what all servers and grammars take: no references, every field required (it may
be empty), no others allowed. The models take more than that, as not every server holds an answer to
its schema.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, Field, field_validator
from pydantic.json_schema import SkipJsonSchema

# Lists end, even where a model does not know how.
_SHORT: dict[str, Any] = {"maxItems": 12}
_LONG: dict[str, Any] = {"maxItems": 20}


class CaptionAnswer(BaseModel):
    """One picture, as fields. Every field but the sentence may be empty: nothing is invented."""

    characters: list[str] = Field(
        default_factory=list, description="who is seen, a name or a look", json_schema_extra=_SHORT
    )
    place: str = Field("", description="where it is")
    action: str = Field("", description="what happens")
    mood: str = Field("", description="the mood of the picture, a word or two")
    objects: list[str] = Field(
        default_factory=list, description="the things that matter in it", json_schema_extra=_SHORT
    )
    camera: str = Field("", description="shot scale and camera movement")
    sentence: str = Field(min_length=1, description="one full sentence that says all of the above")


class Sentence(BaseModel):
    """The text of one picture."""

    frame: int = Field(description="number of the picture, as given in the question")
    text: str = Field(description="the next sentence or two of the story, for this picture")
    plain: SkipJsonSchema[bool] = False  # a caption stands in: for the embedded writer only


class NarrativeAnswer(BaseModel):
    """The texts of a window, one a picture, in order: a list, or an object by picture."""

    sentences: list[Sentence]

    @field_validator("sentences", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        """Reads {"picture_3": "..."}, the form asked for (`narrative_schema`)."""
        if not isinstance(value, Mapping):
            return value
        numbers = [re.fullmatch(r"\D*(\d+)\W*", str(key)) for key in value]
        if not all(numbers):
            return value
        return [
            {"frame": int(number[1]), "text": text}
            for number, text in zip(numbers, value.values(), strict=True)
            if number
        ]

    def numbered(self, frames: Sequence[int]) -> NarrativeAnswer:
        """Returns the texts under the numbers of these pictures, itself where they are not clear.

        They are clear if there are as many texts as pictures in a row, counted from 0 or 1.
        """
        numbers = [sentence.frame for sentence in self.sentences]
        count = len(numbers)
        counted = numbers in (list(range(count)), list(range(1, count + 1)))
        if not counted or list(frames) != list(range(frames[0], frames[0] + count)):
            return self
        return NarrativeAnswer(
            sentences=[
                sentence.model_copy(update={"frame": frame})
                for frame, sentence in zip(frames, self.sentences, strict=True)
            ]
        )


class CharacterAnswer(BaseModel):
    """Somebody of a series."""

    name: str = Field(min_length=1, description="the one name that stories use")
    look: str = Field("", description="how they look, in a few words")
    role: str = Field("", description="who they are to the others, in a few words")
    called: list[str] = Field(
        default_factory=list,
        description="other names, and the descriptions that mean them",
        json_schema_extra=_LONG,
    )
    names: list[str] = Field(
        default_factory=list,
        description="the name as the stories' language writes it, in the forms that it takes",
        json_schema_extra=_SHORT,
    )

    @field_validator("names", mode="before")
    @classmethod
    def _flat(cls, value: Any) -> Any:
        """Reads {"ru": "Тильда", "pl": ["Tilda", "Tildę"]}, as people write it."""
        if not isinstance(value, Mapping):
            return value or []
        return [
            form
            for forms in value.values()
            for form in (forms if isinstance(forms, list) else [forms])
        ]


class CharactersAnswer(BaseModel):
    """Who is who in a series."""

    characters: list[CharacterAnswer] = Field(json_schema_extra=_LONG)


def json_schema(model: type[BaseModel]) -> dict[str, Any]:
    """Returns the JSON Schema of an answer."""
    schema = model.model_json_schema()
    strict: dict[str, Any] = _strict(schema, schema.get("$defs", {}))
    return strict


def narrative_schema(frames: Sequence[int]) -> dict[str, Any]:
    """Returns the JSON Schema of the texts of these pictures: an entry for each, and no other."""
    texts = {f"picture_{frame}": {"type": "string", "minLength": 1} for frame in frames}
    return _object({"sentences": _object(texts)})


def frames_asked_for(schema: Mapping[str, Any] | None) -> list[int]:
    """Returns the pictures of a schema that `narrative_schema` made, none for any other."""
    sentences = (schema or {}).get("properties", {}).get("sentences", {})
    return [int(name.removeprefix("picture_")) for name in sentences.get("properties", {})]


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _strict(schema: Any, definitions: Mapping[str, Any]) -> Any:
    """Returns pydantic's schema with definitions in place, all fields required and no others."""
    if isinstance(schema, list):
        return [_strict(item, definitions) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if reference := schema.get("$ref"):
        return _strict(definitions[reference.rpartition("/")[2]], definitions)
    if "properties" in schema:
        return _object(
            {name: _strict(value, definitions) for name, value in schema["properties"].items()}
        )
    return {
        name: _strict(value, definitions)
        for name, value in schema.items()
        if name not in ("title", "default", "$defs")
    }
