"""Image files: decodes and encodes them, and scales images down.

OpenCV decodes wherever pixels are measured or sent to a model; Pillow decodes for CLIP scores only,
as open_clip's own transforms do. The two may differ by a level, so neither replaces the other.
"""

from __future__ import annotations

import io

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

JPEG_QUALITY = 95

_REDUCED = {
    1: cv2.IMREAD_COLOR,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}


class ImageError(ValueError):
    """The bytes of a file are not an image that can be decoded."""


def decode_bgr(data: bytes, name: str) -> NDArray[np.uint8]:
    """Decodes an image file of any common format: BGR uint8 [height, width, 3].

    Raises ImageError, naming it `name`.
    """
    return _decode(data, name, cv2.IMREAD_COLOR)


def decode_reduced(data: bytes, name: str, reduction: int) -> NDArray[np.uint8]:
    """Decodes an image file like `decode_bgr`, at a `reduction`-th of its size: 1, 2, 4 or 8.

    A JPEG is hardly decoded at the size that it has, so that is several times as fast.
    """
    return _decode(data, name, _REDUCED[reduction])


def decode_luma(data: bytes, name: str) -> NDArray[np.uint8]:
    """Decodes the luma of an image file: uint8 [height, width], of a JPEG as it is stored there.

    Raises ImageError, naming it `name`.
    """
    return _decode(data, name, cv2.IMREAD_GRAYSCALE)


def _decode(data: bytes, name: str, flags: int) -> NDArray[np.uint8]:
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags) if data else None
    if pixels is None:
        raise ImageError(f"{name} is not an image")
    return np.asarray(pixels, np.uint8)


def decode_pil(data: bytes, name: str) -> Image.Image:
    """Decodes an image file to a Pillow image in RGB. Raises ImageError, naming it `name`."""
    try:
        return Image.open(io.BytesIO(data)).convert("RGB")
    except OSError as error:
        raise ImageError(f"{name} is not an image") from error


def encode_jpeg(image: NDArray[np.uint8]) -> bytes:
    """Encodes a BGR or grey image as JPEG. The same image gives the same bytes."""
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].tobytes()


def thumbnail(image: NDArray[np.uint8], longest: int = 320) -> NDArray[np.uint8]:
    """Scales an image down so that its longer side has at most `longest` pixels."""
    scale = min(1.0, longest / max(image.shape[:2]))
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)
