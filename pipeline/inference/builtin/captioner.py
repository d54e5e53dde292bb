"""The embedded captioner: puts into words what `image_analysis` measures in a picture.

No captioning network is small enough to be embedded, so this captioner states what can be measured
and what the film itself says: the subject and its colours, the place, the light, how the subject
and the camera move, the text on the screen, the dialogue. Characters have names only where the
dialogue gives them. The same picture and facts always give the same caption.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Sequence
from typing import Any

import cv2

from pipeline.inference.builtin import efficientnet
from pipeline.inference.builtin.image_analysis import ImageAnalysis, Subject, analyse
from pipeline.inference.protocol import Answer, Request
from pipeline.ingest.subtitles import split_speaker
from pipeline.model_specs import EMBEDDED
from pipeline.runtime import storage
from pipeline.runtime.images import decode_bgr
from schemas.answers import CaptionAnswer

STILL, QUICK = 0.03, 0.4  # frame widths per second
MIN_WORDS, MAX_WORDS = 10, 30  # of a sentence


class EmbeddedCaptioner:
    """The model "embedded" for captions. It uses the picture and the facts, not the prompt."""

    name = EMBEDDED["captioner"]

    def answer(self, requests: Sequence[Request]) -> list[Answer]:
        """Returns a `CaptionAnswer` per request, from its picture and facts alone.

        Raises OSError for a file that cannot be read and ImageError for one that is not an image.
        """
        return [Answer(self._caption(request).model_dump_json(), self.name) for request in requests]

    def _caption(self, request: Request) -> CaptionAnswer:
        picture = read(request.images[request.facts["picture"]].path)
        return caption(analyse(picture), request.facts)


def read(path: str) -> efficientnet.Picture:
    """Reads a picture as RGB, uint8 [height, width, 3]. Raises ImageError for another file."""
    return cv2.cvtColor(decode_bgr(storage.read_bytes(path), path), cv2.COLOR_BGR2RGB)


def caption(image: ImageAnalysis, facts: dict[str, Any]) -> CaptionAnswer:
    """Puts a picture's measurements and a keyframe's dialogue, text and motion into words."""
    cast: list[dict[str, Any]] = facts.get("cast", [])
    spoken = [split_speaker(line) for line in facts.get("dialogue", [])]
    text = " ".join(" ".join(facts.get("text", [])).split())
    if cast:
        image = dataclasses.replace(image, subject=_of_cast(cast), thing="")
    verb = _movement(facts.get("subject_motion", (0.0, 0.0))) if image.subject else ""
    camera = ", ".join(filter(None, [_scale(image), _camera(facts.get("camera_motion", (0, 0)))]))
    return CaptionAnswer(
        characters=list(
            dict.fromkeys(
                [*(who["name"] for who in cast), *(speaker for speaker, _ in spoken if speaker)]
            )
        ),
        place=_place(image),
        action=verb,
        mood=" and ".join(filter(None, [image.light, image.warmth])),
        objects=[
            *([_noun(image.subject)] if image.subject and not cast else []),
            *([image.thing] if image.thing else []),
        ],
        camera=camera,
        sentence=_sentence(image, verb, spoken, text, facts.get("camera_motion", (0.0, 0.0))),
    )


def _of_cast(cast: Sequence[dict[str, Any]]) -> Subject:
    """Returns who is seen as the subject, from the left to the right."""
    first = max(cast, key=lambda who: who["width"] * who["height"])
    names = [
        who["name"] if who["named"] else _with_article(who["name"])
        for who in sorted(cast, key=lambda who: who["x"])
    ]
    called = " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
    x = sum(who["x"] for who in cast) / len(cast)
    return Subject(called, "", x, first["height"], len(cast))


def _noun(subject: Subject) -> str:
    if subject.known:
        return subject.kind
    if not subject.kind:
        return f"something {subject.colour}"
    return f"{subject.colour} {subject.kind}".strip()


def _with_article(noun: str) -> str:
    if noun.startswith(("something", "a ", "an ")) or noun[0].isupper():
        return noun
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _place(image: ImageAnalysis) -> str:
    """ "on green grass under a light blue sky", or what of it was seen."""
    parts = [
        f"on {image.ground}" if image.ground else "",
        f"under {_with_article(image.sky)}" if image.sky else "",
    ]
    return " ".join(filter(None, parts))


def _movement(motion: Sequence[float]) -> str:
    x, y = motion
    speed = math.hypot(x, y)
    if speed < STILL:
        return ""
    way = (
        ("to the right" if x > 0 else "to the left")
        if abs(x) >= abs(y)
        else ("down" if y > 0 else "up")
    )
    return f"moves quickly {way}" if speed > QUICK else f"moves {way}"


def _camera(motion: Sequence[float]) -> str:
    return "camera " + _movement(motion) if _movement(motion) else "still camera"


def _scale(image: ImageAnalysis) -> str:
    if image.subject is None:
        return "wide shot" if image.sky and image.ground else ""
    height = image.subject.height
    return "close-up" if height > 0.85 else "medium shot" if height > 0.45 else "wide shot"


def _side(x: float) -> str:
    if 0.38 < x < 0.62:
        return "in the middle of the picture"
    return f"on the {'left' if x < 0.5 else 'right'} of the picture"


def _speech(spoken: Sequence[tuple[str, str]], room: int) -> str:
    """Quotes the first line, or says that somebody speaks if it exceeds `room` words."""
    if not spoken:
        return ""
    speaker, line = spoken[0]
    who = speaker or "someone"
    if len(line.split()) <= room:
        return f'{who} says, "{line}"'
    return f"{who} speaks"


def _sentence(
    image: ImageAnalysis,
    verb: str,
    spoken: Sequence[tuple[str, str]],
    text: str,
    camera: Sequence[float],
) -> str:
    """Makes one sentence of up to `MAX_WORDS` words, the subject first."""
    sentence = _scene(image, verb)
    if text and len(text.split()) <= 12:
        sentence = f'The words "{text}" are on the screen while {sentence[0].lower()}{sentence[1:]}'
    speech = _speech(spoken, MAX_WORDS - 3 - len(sentence.split()))
    if speech:
        sentence = f"{sentence}, and {speech}"
    if len(sentence.split()) < MIN_WORDS and _movement(camera):
        sentence += f" while the camera {_movement(camera)}"
    if len(sentence.split()) < MIN_WORDS:
        light = ", ".join(filter(None, [image.light, image.warmth]))
        sentence += ", and it is dark" if image.light == "dark" else f", in {light} light"
    return sentence if sentence.endswith(('."', '!"', '?"')) else sentence + "."


def _scene(image: ImageAnalysis, verb: str) -> str:
    """Describes the subject and the place, or the colours if there is no subject."""
    subject = image.subject
    behind = " and ".join(name for name in image.colours[:2])
    if subject is None:
        if image.lettering:
            return f"Words are written in front of {behind}"
        if image.thing:
            return f"{_with_article(image.thing).capitalize()} is seen with {behind} around it"
        if image.ground and image.sky:
            return f"{image.ground.capitalize()} lies under {_with_article(image.sky)}"
        return f"Most of the picture is filled with {behind or 'many colours'}"
    noun, place = _with_article(_noun(subject)), _place(image)
    several = subject.known > 1
    verb = re.sub(r"^moves", "move", verb) if several else verb
    around = place or (f"with {behind} around it" if behind else "")
    if _scale(image) == "close-up":
        seen = f"In a close-up, {noun} {verb}" if verb else f"A close-up shows {noun}"
        return f"{seen} {around}".strip()
    if verb:
        return f"{_side(subject.x).capitalize()}, {noun} {verb} {around}".strip()
    seen = f"{noun[0].upper()}{noun[1:]} {'are' if several else 'is'}"
    if several and not 0.38 < subject.x < 0.62:
        return f"{seen} {_side(subject.x)}" + (f", {around}" if around else "")
    if several:
        return f"{seen} together" + (f" {around}" if around else "")
    return f"{seen} {_side(subject.x)}" + (f", {around}" if around else "")
