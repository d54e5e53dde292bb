"""The embedded captioner: what can truly be seen in a picture without a captioning network.

No network that writes captions can be had offline and small, so this one measures, and says in
plain words what it measured: where an animal or a patch of colour is and how large, which colours
the subject, the ground and the sky have, how light it is, how it moves, what is written and what is
said. It says less rather than guess: an animal is never called by its kind, which the network does
not know in a drawn one, and nobody has a name unless the dialogue gives one.

`look` measures, `tell` puts into words; the same picture and facts always give the same answer.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.inference.backends import Answer, Request
from pipeline.inference.builtin import colour_names, efficientnet
from pipeline.ingest.subtitles import split_speaker
from pipeline.model_specs import EMBEDDED
from pipeline.runtime import storage
from pipeline.runtime.images import decode_bgr
from schemas.answers import CaptionAnswer

STILL, QUICK = 0.03, 0.4  # frame widths a second
SHORTEST, LONGEST = 10, 30  # words in a sentence

_SMALL = (96, 54)  # width and height at which colours are measured
_FINE = (192, 108)  # and at which smooth parts are found
_SMOOTH = 2.5  # mean roughness of lightness under which a part is a body rather than leaves or bark
_COATS = (("grey", "white", "beige", "purple", "pink"), ("brown", "orange", "beige", "red"))
_BODY = 0.02  # the least share of the picture for a body
_ANIMAL = 0.3  # how much like an animal it must look to the network
_SURE = 0.8  # likelihood of a class; drawn pictures get up to 0.7 for what they do not show
_CONTRAST = 32.0  # Lab distance from everything at the picture's edge that makes a thing of its own
_OUTLINE = 6.0  # by how much its outline is darker
_BACKDROP = {"green", "turquoise", "brown", "beige"}  # trees and their trunks, seldom the subject


@dataclasses.dataclass(frozen=True)
class Subject:
    """What the picture is of."""

    kind: str  # "animal", or "" where it has no name
    colour: str  # "" where it has none of its own
    x: float  # its centre, 0 (left) to 1 (right)
    height: float  # its share of the picture's height


@dataclasses.dataclass(frozen=True)
class Sight:
    """What was measured in one picture."""

    subject: Subject | None
    ground: str  # "green grass", "brown ground", or ""
    sky: str  # "light blue sky", or ""
    colours: list[str]  # the two or three that make up most of it
    light: str  # "dark", "dim", "soft", "bright"
    warmth: str  # "warm", "cool", or ""
    lettering: bool  # looks like a page of words
    thing: str = ""  # the ImageNet word that it is surely a picture of


class EmbeddedCaptioner:
    """The backend "embedded" for captions. It reads the pictures and the facts, not the prompt."""

    name = EMBEDDED["captioner"]

    def answer(self, requests: Sequence[Request]) -> list[Answer]:
        """A `CaptionAnswer` a request, each from its picture and facts alone.

        Raises OSError for a file that cannot be read and ImageError for one that is not an image.
        """
        return [
            Answer(
                tell(
                    look(read(request.images[request.facts["picture"]].path)), request.facts
                ).model_dump_json(),
                self.name,
            )
            for request in requests
        ]


def read(path: str) -> efficientnet.Picture:
    """A picture from storage as RGB [height, width, 3]. Raises ImageError for another file."""
    return cv2.cvtColor(decode_bgr(storage.read_bytes(path), path), cv2.COLOR_BGR2RGB)


# --- measuring ---------------------------------------------------------------------------------


def look(picture: efficientnet.Picture) -> Sight:
    """What there is to see in an RGB picture [height, width, 3]."""
    lab = colour_names.to_lab(cv2.resize(picture, _SMALL, interpolation=cv2.INTER_AREA))
    numbers = colour_names.named(lab)
    cells = efficientnet.cells(picture)
    whole = efficientnet.likelihoods(cells.mean(axis=(0, 1)))
    ground, sky = _ground(numbers, lab), _sky(numbers, lab)
    lightness, _, yellow = lab.reshape(-1, 3).mean(axis=0)
    return Sight(
        subject=_animal(picture, cells) or _patch(lab, numbers),
        ground=ground,
        sky=sky if sky and ground else "",
        colours=[name for name, share in colour_names.shares(numbers)[:3] if share > 0.15],
        light=_light(float(lightness)),
        warmth="warm" if yellow > 12 else "cool" if yellow < -6 else "",
        lettering=_lettering(whole),
        thing=efficientnet.words()[int(whole.argmax())] if whole.max() > _SURE else "",
    )


def _light(lightness: float) -> str:
    """Words for a mean lightness of 0..100."""
    return (
        "dark"
        if lightness < 18
        else "dim"
        if lightness < 38
        else "soft"
        if lightness < 58
        else "bright"
    )


def _largest(mask: NDArray[Any]) -> NDArray[np.bool_] | None:
    """The largest connected part of a mask, None for an empty one."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(
        mask.astype(np.uint8), connectivity=4
    )
    if count < 2:
        return None
    return labels == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())


def _box(mask: NDArray[np.bool_]) -> tuple[float, float]:
    """Centre from left to right and height of a mask, as shares of the picture."""
    rows, columns = np.nonzero(mask)
    x = (float(columns.mean()) + 0.5) / mask.shape[1]
    return x, (int(rows.max()) - int(rows.min()) + 1) / mask.shape[0]


def _animal(picture: efficientnet.Picture, cells: efficientnet.Floats) -> Subject | None:
    """The largest body that looks like an animal to the network.

    The network alone finds animals in every wood: bark, stones and clouds pass for them. A body is
    what it does not ask for: a smooth part, in a colour that coats have and leaves and skies
    have not, that the upper edge of the picture does not cut as it cuts skies and trees.
    """
    lab = colour_names.to_lab(cv2.resize(picture, _FINE, interpolation=cv2.INTER_AREA))
    numbers = colour_names.named(lab)
    smooth = cv2.blur(np.abs(cv2.Laplacian(lab[..., 0], cv2.CV_32F)), (7, 7)) < _SMOOTH
    likely = cv2.resize(
        efficientnet.likelihoods(cells)[..., list(efficientnet.WARM)].sum(axis=-1), _FINE
    )
    found = None
    for coat in _COATS:
        mask = smooth & np.logical_or.reduce([colour_names.of_family(numbers, of) for of in coat])
        count, labels, boxes, _ = cv2.connectedComponentsWithStats(
            mask.astype(np.uint8), connectivity=4
        )
        for number in range(1, count):
            part = labels == number
            if (
                part.mean() > max(_BODY, found.mean() if found is not None else 0.0)
                and boxes[number, cv2.CC_STAT_TOP] > 7
                and likely[part].mean() > _ANIMAL
            ):
                found = part
    if found is None:
        return None
    _, colour, share = colour_names.main_family(numbers, found)
    return Subject("animal", colour if share > 0.6 else "", *_box(found))


def _patch(lab: NDArray[np.float32], numbers: NDArray[np.int64]) -> Subject | None:
    """An outlined patch of a colour that next to nothing along the edge of the picture has.

    Cartoonists draw a dark line around who matters and leave beds and roofs without one.
    """
    edge = np.concatenate([lab[0], lab[-1], lab[:, 0], lab[:, -1]])[::4]
    distance = np.sqrt(((lab[:, :, None, :] - edge) ** 2).sum(axis=-1))
    rank = len(edge) // 25  # a flower at the edge must not hide a fox in the middle
    apart = np.partition(distance, rank, axis=-1)[..., rank] > _CONTRAST
    best: tuple[float, str, NDArray[np.bool_]] | None = None
    for family in sorted({colour_names.family(name) for name in colour_names.NAMES} - _BACKDROP):
        part = _largest(apart & colour_names.of_family(numbers, family))
        if (
            part is not None
            and 0.006 < part.mean() < 0.5
            and _outline(part, lab) > _OUTLINE
            and (not best or part.mean() > best[0])
        ):
            best = float(part.mean()), colour_names.commonest(family, numbers, part), part
    return Subject("", best[1], *_box(best[2])) if best else None


def _outline(part: NDArray[np.bool_], lab: NDArray[np.float32]) -> float:
    """How much darker the rim of a part is than both what is in it and what is around it."""
    mask, light = part.astype(np.uint8), lab[..., 0]
    core = cv2.erode(mask, np.ones((3, 3)))
    rim = (cv2.dilate(mask, np.ones((5, 5))) - core) > 0
    around = (cv2.dilate(mask, np.ones((13, 13))) - cv2.dilate(mask, np.ones((7, 7)))) > 0
    if not core.any() or not around.any():
        return 0.0
    within, without = np.median(light[core > 0]), np.median(light[around])
    return float(min(within, without) - np.percentile(light[rim], 25))


def _ground(numbers: NDArray[np.int64], lab: NDArray[np.float32]) -> str:
    """What the picture stands on, by the colour along its lower edge."""
    lower = slice(-len(numbers) // 5, None)
    best, name, share = colour_names.main_family(numbers[lower])
    if share < 0.6 or best not in ("green", "brown", "beige", "white"):
        return ""
    rough = float(np.abs(np.diff(lab[lower, :, 0], axis=1)).mean())
    if best == "green":
        return f"{name} grass" if rough > 1.5 else f"{name} ground"
    return f"{name} ground" if best != "white" else ""


def _sky(numbers: NDArray[np.int64], lab: NDArray[np.float32]) -> str:
    """The sky over it, by an even, light colour along the upper edge."""
    upper = slice(0, len(numbers) // 5)
    best, name, share = colour_names.main_family(numbers[upper])
    even = float(np.abs(np.diff(lab[upper, :, 0], axis=1)).mean()) < 2.5
    if share < 0.6 or not even or best not in ("blue", "pink", "white", "orange", "purple"):
        return ""
    return f"{name} sky"


def _lettering(whole: efficientnet.Floats) -> bool:
    return bool(whole[list(efficientnet.LETTERING)].sum() > 0.4)


# --- telling -----------------------------------------------------------------------------------


def tell(sight: Sight, facts: dict[str, Any]) -> CaptionAnswer:
    """What was seen, and what the film's own words and movements add to it, as a caption."""
    spoken = [split_speaker(line) for line in facts.get("dialogue", [])]
    text = " ".join(" ".join(facts.get("text", [])).split())
    verb = _movement(facts.get("subject_motion", (0.0, 0.0))) if sight.subject else ""
    camera = ", ".join(filter(None, [_scale(sight), _camera(facts.get("camera_motion", (0, 0)))]))
    return CaptionAnswer(
        characters=list(dict.fromkeys(speaker for speaker, _ in spoken if speaker)),
        place=_place(sight),
        action=verb,
        mood=" and ".join(filter(None, [sight.light, sight.warmth])),
        objects=[
            *([_noun(sight.subject)] if sight.subject else []),
            *([sight.thing] if sight.thing else []),
        ],
        camera=camera,
        sentence=_sentence(sight, verb, spoken, text, facts.get("camera_motion", (0.0, 0.0))),
    )


def _noun(subject: Subject) -> str:
    if not subject.kind:
        return f"something {subject.colour}"
    return f"{subject.colour} {subject.kind}".strip()


def _with_article(noun: str) -> str:
    if noun.startswith("something"):
        return noun
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _place(sight: Sight) -> str:
    """ "on green grass under a light blue sky", or what of it was seen."""
    parts = [
        f"on {sight.ground}" if sight.ground else "",
        f"under {_with_article(sight.sky)}" if sight.sky else "",
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


def _scale(sight: Sight) -> str:
    if sight.subject is None:
        return "wide shot" if sight.sky and sight.ground else ""
    height = sight.subject.height
    return "close-up" if height > 0.85 else "medium shot" if height > 0.45 else "wide shot"


def _side(x: float) -> str:
    if 0.38 < x < 0.62:
        return "in the middle of the picture"
    return f"on the {'left' if x < 0.5 else 'right'} of the picture"


def _speech(spoken: Sequence[tuple[str, str]], room: int) -> str:
    """What is said, in so many words or, where there is no room for them, that somebody speaks."""
    if not spoken:
        return ""
    speaker, said = spoken[0]
    who = speaker or "someone"
    if len(said.split()) <= room:
        return f'{who} says, "{said}"'
    return f"{who} speaks"


def _sentence(
    sight: Sight, verb: str, spoken: Sequence[tuple[str, str]], text: str, camera: Sequence[float]
) -> str:
    """One sentence of what there is room for, the subject first."""
    said = _seen(sight, verb)
    if text and len(text.split()) <= 12:
        said = f'The words "{text}" are on the screen while {said[0].lower()}{said[1:]}'
    speech = _speech(spoken, LONGEST - 3 - len(said.split()))
    if speech:
        said = f"{said}, and {speech}"
    if len(said.split()) < SHORTEST and _movement(camera):
        said += f" while the camera {_movement(camera)}"
    if len(said.split()) < SHORTEST:
        light = ", ".join(filter(None, [sight.light, sight.warmth]))
        said += ", and it is dark" if sight.light == "dark" else f", in {light} light"
    return said if said.endswith(('."', '!"', '?"')) else said + "."


def _seen(sight: Sight, verb: str) -> str:
    subject = sight.subject
    behind = " and ".join(name for name in sight.colours[:2])
    if subject is None:
        if sight.lettering:
            return f"Words are written in front of {behind}"
        if sight.thing:
            return f"{_with_article(sight.thing).capitalize()} is seen with {behind} around it"
        if sight.ground and sight.sky:
            return f"{sight.ground.capitalize()} lies under {_with_article(sight.sky)}"
        return f"Most of the picture is filled with {behind or 'many colours'}"
    noun, place = _with_article(_noun(subject)), _place(sight)
    around = place or (f"with {behind} around it" if behind else "")
    if _scale(sight) == "close-up":
        seen = f"In a close-up, {noun} {verb}" if verb else f"A close-up shows {noun}"
        return f"{seen} {around}".strip()
    if verb:
        return f"{_side(subject.x).capitalize()}, {noun} {verb} {around}".strip()
    return f"{noun.capitalize()} is {_side(subject.x)}" + (f", {around}" if around else "")
