"""Measures what can be seen in a picture without a captioning network.

Where an animal or a patch of colour is and how large, which colours the subject, the ground and the
sky have, how light it is, whether it is a page of words. It reports less rather than guess: an
animal has no kind, as the network does not recognise drawn ones.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.inference.builtin import colour_names, efficientnet

_SMALL = (96, 54)  # width and height at which colours are measured
_FINE = (192, 108)  # width and height at which smooth regions are found
_SMOOTH = 2.5  # mean |Laplacian| of lightness below which a region is a body, not leaves or bark
_COAT_COLOURS = (("grey", "white", "beige", "purple", "pink"), ("brown", "orange", "beige", "red"))
_MIN_BODY = 0.02  # share of the picture
_MIN_ANIMAL = 0.3  # mean probability of the animal classes in a body
_MIN_THING = 0.8  # probability of a class; drawn pictures get up to 0.7 for what they do not show
_CONTRAST = 32.0  # Lab distance of a patch from all colours at the picture's edge
_OUTLINE = 6.0  # lightness by which the outline of a patch is darker
_BACKDROP = {"green", "turquoise", "brown", "beige"}  # of trees and trunks, seldom of the subject


@dataclasses.dataclass(frozen=True)
class Subject:
    """The subject of a picture."""

    kind: str  # "animal", or "" if unknown
    colour: str  # "" if it has no main colour
    x: float  # its centre, 0 (left) to 1 (right)
    height: float  # its share of the picture's height
    known: int = 0  # how many characters `kind` names, 0 if it is a kind


@dataclasses.dataclass(frozen=True)
class ImageAnalysis:
    """The measurements of one picture."""

    subject: Subject | None
    ground: str  # "green grass", "brown ground", or ""
    sky: str  # "light blue sky", or ""
    colours: list[str]  # up to three that make up most of it
    light: str  # "dark", "dim", "soft", "bright"
    warmth: str  # "warm", "cool", or ""
    lettering: bool  # whether it looks like a page of words
    thing: str = ""  # the ImageNet class that it shows with high probability


def analyse(picture: efficientnet.Picture) -> ImageAnalysis:
    """Measures an RGB picture, uint8 [height, width, 3]."""
    lab = colour_names.to_lab(cv2.resize(picture, _SMALL, interpolation=cv2.INTER_AREA))
    numbers = colour_names.named(lab)
    cells = efficientnet.cells(picture)
    classes = efficientnet.likelihoods(cells.mean(axis=(0, 1)))
    ground, sky = _ground(numbers, lab), _sky(numbers, lab)
    lightness, _, yellow = lab.reshape(-1, 3).mean(axis=0)
    return ImageAnalysis(
        subject=_animal(picture, cells) or _patch(lab, numbers),
        ground=ground,
        sky=sky if sky and ground else "",
        colours=[name for name, share in colour_names.shares(numbers)[:3] if share > 0.15],
        light=_light(float(lightness)),
        warmth="warm" if yellow > 12 else "cool" if yellow < -6 else "",
        lettering=_lettering(classes),
        thing=efficientnet.words()[int(classes.argmax())] if classes.max() > _MIN_THING else "",
    )


def _light(lightness: float) -> str:
    """Names a mean lightness of 0..100."""
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
    """Returns the largest connected component of a mask, None for an empty one."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(
        mask.astype(np.uint8), connectivity=4
    )
    if count < 2:
        return None
    return labels == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())


def _box(mask: NDArray[np.bool_]) -> tuple[float, float]:
    """Returns the horizontal centre and the height of a mask, as shares of the picture."""
    rows, columns = np.nonzero(mask)
    x = (float(columns.mean()) + 0.5) / mask.shape[1]
    return x, (int(rows.max()) - int(rows.min()) + 1) / mask.shape[0]


def _animal(picture: efficientnet.Picture, cells: efficientnet.Floats) -> Subject | None:
    """Finds the largest body that looks like an animal to the network.

    The network alone takes bark, stones and clouds for animals. So it must also be a body: a smooth
    region, in a colour that coats have and leaves and skies do not, and not cut by the upper edge
    of the picture as skies and trees are.
    """
    lab = colour_names.to_lab(cv2.resize(picture, _FINE, interpolation=cv2.INTER_AREA))
    numbers = colour_names.named(lab)
    smooth = cv2.blur(np.abs(cv2.Laplacian(lab[..., 0], cv2.CV_32F)), (7, 7)) < _SMOOTH
    animal = cv2.resize(
        efficientnet.likelihoods(cells)[..., list(efficientnet.WARM)].sum(axis=-1), _FINE
    )
    found = None
    for coat in _COAT_COLOURS:
        mask = smooth & np.logical_or.reduce([colour_names.of_family(numbers, of) for of in coat])
        count, labels, boxes, _ = cv2.connectedComponentsWithStats(
            mask.astype(np.uint8), connectivity=4
        )
        for number in range(1, count):
            part = labels == number
            if (
                part.mean() > max(_MIN_BODY, found.mean() if found is not None else 0.0)
                and boxes[number, cv2.CC_STAT_TOP] > 7
                and animal[part].mean() > _MIN_ANIMAL
            ):
                found = part
    if found is None:
        return None
    _, colour, share = colour_names.main_family(numbers, found)
    return Subject("animal", colour if share > 0.6 else "", *_box(found))


def _patch(lab: NDArray[np.float32], numbers: NDArray[np.int64]) -> Subject | None:
    """Finds an outlined patch of a colour that hardly occurs along the edge of the picture.

    Cartoonists outline characters in a dark line, and leave beds and roofs without one.
    """
    edge = np.concatenate([lab[0], lab[-1], lab[:, 0], lab[:, -1]])[::4]
    distance = np.sqrt(colour_names.squared_distances(lab, edge))
    rank = len(edge) // 25  # so that a flower at the edge does not hide a fox in the middle
    distinct = np.partition(distance, rank, axis=-1)[..., rank] > _CONTRAST
    best: tuple[float, str, NDArray[np.bool_]] | None = None
    for family in sorted({colour_names.family(name) for name in colour_names.NAMES} - _BACKDROP):
        part = _largest(distinct & colour_names.of_family(numbers, family))
        if (
            part is not None
            and 0.006 < part.mean() < 0.5
            and _outline(part, lab) > _OUTLINE
            and (not best or part.mean() > best[0])
        ):
            best = float(part.mean()), colour_names.most_frequent(family, numbers, part), part
    return Subject("", best[1], *_box(best[2])) if best else None


def _outline(part: NDArray[np.bool_], lab: NDArray[np.float32]) -> float:
    """Returns by how much the rim of a part is darker than its inside and its surroundings."""
    mask, light = part.astype(np.uint8), lab[..., 0]
    core = cv2.erode(mask, np.ones((3, 3)))
    rim = (cv2.dilate(mask, np.ones((5, 5))) - core) > 0
    around = (cv2.dilate(mask, np.ones((13, 13))) - cv2.dilate(mask, np.ones((7, 7)))) > 0
    if not core.any() or not around.any():
        return 0.0
    inside, outside = np.median(light[core > 0]), np.median(light[around])
    return float(min(inside, outside) - np.percentile(light[rim], 25))


def _ground(numbers: NDArray[np.int64], lab: NDArray[np.float32]) -> str:
    """Names the ground by the colour along the lower edge, "" if there is none."""
    lower = slice(-len(numbers) // 5, None)
    best, name, share = colour_names.main_family(numbers[lower])
    if share < 0.6 or best not in ("green", "brown", "beige", "white"):
        return ""
    rough = float(np.abs(np.diff(lab[lower, :, 0], axis=1)).mean())
    if best == "green":
        return f"{name} grass" if rough > 1.5 else f"{name} ground"
    return f"{name} ground" if best != "white" else ""


def _sky(numbers: NDArray[np.int64], lab: NDArray[np.float32]) -> str:
    """Names the sky by an even, light colour along the upper edge, "" if there is none."""
    upper = slice(0, len(numbers) // 5)
    best, name, share = colour_names.main_family(numbers[upper])
    even = float(np.abs(np.diff(lab[upper, :, 0], axis=1)).mean()) < 2.5
    if share < 0.6 or not even or best not in ("blue", "pink", "white", "orange", "purple"):
        return ""
    return f"{name} sky"


def _lettering(classes: efficientnet.Floats) -> bool:
    return bool(classes[list(efficientnet.LETTERING)].sum() > 0.4)
