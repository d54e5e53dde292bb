"""Runs detectors and image encoders that come as an ONNX file.

Detectors have no common form, so it is read off the outputs (boxes in shares of the picture):

    YOLOv5, v7          [1, boxes, 5 + classes]      middle, size, objectness, classes; in pixels
    YOLOv8, v9, v11     [1, 4 + classes, boxes]      middle, size, classes; in pixels
    YOLOv10, or NMS in  [1, boxes, 6]                corners, score, class; in pixels
    RT-DETR (YOLO's)    [1, boxes, 4 + classes]      middle, size, classes; in shares
    DETR, RT-DETR       logits and pred_boxes        as transformers exports them
    RT-DETR, D-FINE     labels, boxes, scores        as their authors export them

Masks and key points beside the boxes are passed over. Nothing in a file is run but its graph.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.cast.boxes import overlap

Picture = NDArray[np.uint8]  # RGB, [height, width, 3]
Floats = NDArray[np.float32]

_SIDE = 640  # of the input, where the file does not say
_GREY = 114  # around a picture that is not as wide or high as the input, as YOLO was trained
_SAME = 0.5  # overlap from which two boxes are of one figure
_END_TO_END = 6  # values of a box from a file that suppresses doubles itself
_FEW = 1000  # boxes, at most, from such a file
# Of ImageNet, for encoders.
_MEAN = np.array((0.485, 0.456, 0.406), np.float32)
_STD = np.array((0.229, 0.224, 0.225), np.float32)


class UnusableFile(ValueError):
    """An ONNX file that is not what it was given as; the message says why. Ends the run."""

    exit_code = 2


@dataclasses.dataclass(frozen=True)
class Detection:
    """A box that a detector found."""

    box: tuple[float, float, float, float]  # left, top, right, bottom: shares of the picture
    score: float  # 0..1
    label: str = ""


@functools.cache
def session(path: str) -> Any:
    """Opens an ONNX file on one thread. Raises UnusableFile."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # sums in one order
    try:
        opened = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its own errors have no common base
        raise UnusableFile(f"onnx:{path} cannot be opened: {error}") from None
    first = opened.get_inputs()[0]
    if len(first.shape) != 4:
        raise UnusableFile(f"onnx:{path} takes {first.shape}, not pictures [1, 3, height, width]")
    return opened


def detect(
    path: str, picture: Picture, least: float, labels: Sequence[str] = ()
) -> list[Detection]:
    """Returns what the detector in a file finds in a picture, the most certain first.

    Boxes with a score below `least`, and those of other `labels` than these, if any, are left out.
    Raises UnusableFile for a file whose outputs are no detector's.
    """
    opened = session(path)
    high, wide = _size(opened)
    names = [output.name for output in opened.get_outputs()]
    detr = {"logits", "pred_boxes"} <= set(names) or {"labels", "boxes", "scores"} <= set(names)
    pixels, frame = _fitted(picture, high, wide, stretch=detr)
    outputs = dict(zip(names, _run(opened, pixels, (high, wide)), strict=True))
    if {"logits", "pred_boxes"} <= set(names):
        scores = 1 / (1 + np.exp(-outputs["logits"][0].astype(np.float64)))
        boxes = _corners(outputs["pred_boxes"][0])
    elif {"labels", "boxes", "scores"} <= set(names):
        boxes = outputs["boxes"].reshape(-1, 4) / (wide, high, wide, high)
        scores = _one_hot(outputs["labels"].ravel(), outputs["scores"].ravel())
    else:
        boxes, scores = _yolo(path, list(outputs.values()), high, wide)
    left, top, width, height = frame
    boxes = (boxes - (left, top, left, top)) / (width, height, width, height)
    return chosen(np.clip(boxes, 0, 1), scores, least, _classes(opened), labels)


def encode(path: str, pictures: Sequence[Picture]) -> Floats:
    """Returns what the image encoder in a file makes of each picture, [pictures, values].

    Pictures are scaled to its input and normalised as for ImageNet. Raises UnusableFile for a file
    that does not give as many values for each.
    """
    opened = session(path)
    high, wide = _size(opened, 224)
    rows = []
    for picture in pictures:
        small = cv2.resize(picture, (wide, high), interpolation=cv2.INTER_AREA)
        scaled = (small.astype(np.float32) / np.float32(255) - _MEAN) / _STD
        found = _run(opened, scaled.transpose(2, 0, 1)[None], (high, wide))[0]
        if found.shape[0] != 1 or found.ndim < 2:
            raise UnusableFile(f"onnx:{path} gives {found.shape}, not a vector for each picture")
        if found.ndim == 3:  # tokens of a transformer, the first for the whole picture
            found = found[:, 0]
        elif found.ndim == 4:
            found = found.mean(axis=(2, 3))
        rows.append(found[0].astype(np.float32))
    return np.stack(rows) if rows else np.zeros((0, 0), np.float32)


def _size(opened: Any, usual: int = _SIDE) -> tuple[int, int]:
    """Returns height and width of a file's input; dynamic ones are as its metadata says."""
    shape = opened.get_inputs()[0].shape[2:]
    said = _metadata(opened, "imgsz")
    if isinstance(said, int):
        said = [said, said]
    if not (isinstance(said, list) and len(said) == 2):
        said = [usual, usual]
    high, wide = (
        side if isinstance(side, int) and side > 0 else int(other)
        for side, other in zip(shape, said, strict=True)
    )
    return high, wide


def _metadata(opened: Any, name: str) -> Any:
    try:
        return ast.literal_eval(opened.get_modelmeta().custom_metadata_map.get(name, "None"))
    except (ValueError, SyntaxError):
        return None


def _classes(opened: Any) -> dict[int, str]:
    """Returns the names of a file's classes, as YOLO's metadata says them."""
    names = _metadata(opened, "names")
    if isinstance(names, list):
        return dict(enumerate(map(str, names)))
    return {int(key): str(name) for key, name in names.items()} if isinstance(names, dict) else {}


def _run(opened: Any, pixels: Floats, size: tuple[int, int]) -> list[NDArray[Any]]:
    first, *others = opened.get_inputs()
    kind = np.float16 if "float16" in first.type else np.float32
    given: dict[str, NDArray[Any]] = {first.name: np.ascontiguousarray(pixels.astype(kind))}
    for other in others:  # such as the size that boxes are to be scaled to
        whole = np.int32 if "int32" in other.type else np.int64
        given[other.name] = np.array([[size[1], size[0]]], whole)  # width, height
    found: list[NDArray[Any]] = opened.run(None, given)
    return found


def _fitted(
    picture: Picture, high: int, wide: int, *, stretch: bool
) -> tuple[Floats, tuple[float, float, float, float]]:
    """Returns a picture as a detector's input, [1, 3, high, wide], and where it lies in that: left,
    top, width and height as shares."""
    height, width = picture.shape[:2]
    scale = min(high / height, wide / width)
    inner = (wide, high) if stretch else (round(width * scale), round(height * scale))
    canvas = np.full((high, wide, 3), _GREY, np.uint8)
    left, top = (wide - inner[0]) // 2, (high - inner[1]) // 2
    canvas[top : top + inner[1], left : left + inner[0]] = cv2.resize(
        picture, inner, interpolation=cv2.INTER_AREA
    )
    pixels = canvas.astype(np.float32).transpose(2, 0, 1)[None] / np.float32(255)
    return pixels, (left / wide, top / high, inner[0] / wide, inner[1] / high)


def _yolo(
    path: str, outputs: Sequence[NDArray[Any]], high: int, wide: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns corners, in shares of the input, and the scores of each class."""
    rows = next((output[0] for output in outputs if output.ndim == 3), None)
    if rows is None:
        shapes = [list(output.shape) for output in outputs]
        raise UnusableFile(f"onnx:{path} gives {shapes}, which no known detector does")
    masks = next((output.shape[1] for output in outputs if output.ndim == 4), 0)
    rows = np.asarray(rows, np.float64)
    upright = rows.shape[0] < rows.shape[1] and rows.shape[1] > _END_TO_END + masks
    if upright:  # a column for each box, as YOLOv8 has it
        rows = rows.T
    if masks:
        rows = rows[:, : rows.shape[1] - masks]
    if rows.shape[1] < 5:
        raise UnusableFile(f"onnx:{path} gives {rows.shape[1]} values for a box, fewer than 5")
    size = np.array([wide, high, wide, high], np.float64)
    boxes = rows[:, :4]
    if not upright and _is_end_to_end(rows):
        return boxes / size, _one_hot(rows[:, 5], rows[:, 4])
    if len(boxes) and boxes.max() <= 2:  # RT-DETR
        return _corners(boxes), rows[:, 4:]
    if upright:
        return _corners(boxes) / size, rows[:, 4:]
    return _corners(boxes) / size, rows[:, 4:5] * (rows[:, 5:] if rows.shape[1] > 5 else 1.0)


def _is_end_to_end(rows: NDArray[np.float64]) -> bool:
    """Returns whether rows are corners, score and the number of a class."""
    if rows.shape[1] != _END_TO_END or len(rows) > _FEW:
        return False
    numbers = rows[:, 5]
    ordered = (rows[:, 2] >= rows[:, 0]) & (rows[:, 3] >= rows[:, 1])
    return bool((numbers == np.rint(numbers)).all() and ordered.all())


def _corners(boxes: NDArray[Any]) -> NDArray[np.float64]:
    """Returns the corners of boxes that are given by middle and size."""
    middle, half = boxes[:, :2].astype(np.float64), boxes[:, 2:4].astype(np.float64) / 2
    return np.concatenate([middle - half, middle + half], axis=1)


def _one_hot(numbers: NDArray[Any], scores: NDArray[Any]) -> NDArray[np.float64]:
    """Returns the scores of each class of boxes that have one class and its score."""
    kinds = np.maximum(numbers.astype(int), 0)
    rows = np.zeros((len(kinds), int(kinds.max(initial=0)) + 1))
    rows[np.arange(len(kinds)), kinds] = scores
    return rows


def chosen(
    boxes: NDArray[np.float64],
    scores: NDArray[np.float64],
    least: float,
    names: Mapping[int, str] = MappingProxyType({}),
    labels: Sequence[str] = (),
) -> list[Detection]:
    """Returns the boxes (corners, [n, 4]) whose best score ([n, classes]) is not below `least`,
    without doubles, the most certain first."""
    wanted = {label.casefold() for label in labels}
    if wanted and names:
        others = [at for at, name in names.items() if name.casefold() not in wanted]
        scores = scores.copy()
        scores[:, [at for at in others if at < scores.shape[1]]] = 0
    best = scores.max(axis=1) if scores.size else np.zeros(0)
    kinds = scores.argmax(axis=1) if scores.size else np.zeros(0, int)
    found: list[Detection] = []
    for at in np.argsort(-best, kind="stable"):
        if best[at] < least:
            break
        left, top, right, bottom = (round(float(side), 5) for side in boxes[at])
        box = left, top, right, bottom
        if (
            right <= left
            or bottom <= top
            or any(overlap(box, other.box) > _SAME for other in found)
        ):
            continue
        name = names.get(int(kinds[at]), "")
        found.append(Detection(box, round(float(best[at]), 4), name))
    return found
