"""What a model must answer: pydantic models, and the JSON Schema that is sent with the question.

The schemas keep to what all servers and grammars take: no references, every field required (it may
be empty), no others allowed. The models take more than that, as not every server holds an answer to
its schema.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pydantic import BaseModel, Field, field_validator, model_validator
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


class FigureAnswer(BaseModel):
    """Where somebody is in a picture, in the scale that the model uses."""

    reads_forms: ClassVar[bool] = True  # of its own, for `inference.answer_forms`

    label: str = Field("", description="who or what it is, in a few words")
    left: float = Field(description="0 at the left edge of the picture, 1000 at the right one")
    top: float = Field(description="0 at the upper edge, 1000 at the lower one")
    right: float = Field(description="as left")
    bottom: float = Field(description="as top")

    @model_validator(mode="before")
    @classmethod
    def _in_any_form(cls, value: Any) -> Any:
        return _corners(value)


class FiguresAnswer(BaseModel):
    """Who is where in a picture."""

    figures: list[FigureAnswer] = Field(json_schema_extra=_LONG)


def _corners(value: Any) -> Any:
    """Reads a box as models were trained to give it: Qwen's `bbox_2d` (left, top, right, bottom),
    Gemini's `box_2d` (top, left, bottom, right), corners or width and height by any names."""
    if not isinstance(value, Mapping):
        return value
    plain = {re.sub(r"[\W_]+", "", str(key).casefold()): part for key, part in value.items()}
    named = next((plain[key] for key in _LABELS if isinstance(plain.get(key), str)), "")
    for keys in _SIDES:
        if all(key in plain for key in keys):
            sides = [_side(plain[key]) for key in keys]
            return _box(named, sides, sized=keys[2].startswith("w"))
    for key in _BOXES:
        if isinstance(plain.get(key), Mapping):
            return _corners({"label": named, **plain[key]})
        sides = _numbers(plain.get(key))
        if len(sides) == 4:
            if key == "box2d":
                sides = [sides[1], sides[0], sides[3], sides[2]]
            return _box(named, sides)
    return value


_LABELS = ("label", "name", "description", "class", "object", "category", "character")
_SIDES = (
    ("left", "top", "right", "bottom"),
    ("x1", "y1", "x2", "y2"),
    ("xmin", "ymin", "xmax", "ymax"),
    ("x", "y", "width", "height"),
    ("left", "top", "width", "height"),
    ("x", "y", "w", "h"),
)
_BOXES = ("bbox2d", "box2d", "bbox", "box", "boundingbox", "boxes", "coordinates", "position")


def _side(value: Any) -> Any:
    """Returns a number of a box, also of "12 %" and "120px"."""
    if not isinstance(value, str):
        return value
    found = re.fullmatch(r"\s*(-?\d+(?:\.\d+)?)\s*(?:%|px)?\s*", value)
    return float(found[1]) if found else value


def _numbers(value: Any) -> list[Any]:
    """Returns the numbers of a box in one list: of a list, of two corners, of a text."""
    if isinstance(value, str):
        return [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?", value)]
    if isinstance(value, list):
        return [
            number
            for part in value
            for number in (_numbers(part) if isinstance(part, list) else [_side(part)])
        ]
    return []


def _box(label: str, sides: Sequence[Any], sized: bool = False) -> dict[str, Any]:
    left, top, right, bottom = sides
    if sized and all(isinstance(side, int | float) for side in sides):
        right, bottom = left + right, top + bottom
    return {"label": label, "left": left, "top": top, "right": right, "bottom": bottom}


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
