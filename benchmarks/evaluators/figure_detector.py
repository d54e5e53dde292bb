"""Finds the figures of pictures with an open-vocabulary detector, as ViStoryBench does.

The benchmark asks GroundingDINO for "character" and takes every box above 0.25. Any network that
transformers calls one for zero-shot object detection will do, such as Grounding DINO, MM Grounding
DINO and OWL-ViT.

Source: `vistorybench/bench/content/cids_evaluator.py` of github.com/ViStoryBench/vistorybench.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from PIL import Image

from benchmarks.array_types import Pictures
from model import checkpoints

WORDS, THRESHOLD = "character", 0.25

Boxes = Sequence[tuple[float, float, float, float]]  # left, top, right, bottom: shares of a picture
# Finds the figures of a picture, uint8 RGB [height, width, 3], the most certain first.
Detector = Callable[[Pictures], Boxes]


def load_detector(folder: str) -> Detector:
    """Loads a detector from a folder in transformers' layout, weights as safetensors.

    Raises ValueError where it cannot be loaded.
    """
    from transformers import AutoModelForZeroShotObjectDetection, AutoProcessor

    safe = {"trust_remote_code": False, "local_files_only": True}
    try:
        processor = AutoProcessor.from_pretrained(folder, **safe)
        network = checkpoints.pretrained(
            AutoModelForZeroShotObjectDetection, folder, use_safetensors=True, **safe
        )
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(
            f"{folder} cannot be loaded as a zero-shot object detector: {error}; download one, "
            "such as IDEA-Research/grounding-dino-tiny, and give its folder"
        ) from error
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = network.eval().to(device)

    @torch.inference_mode()
    def detect(picture: Pictures) -> Boxes:
        asked = processor(images=Image.fromarray(picture), text=[[WORDS]], return_tensors="pt").to(
            device
        )
        [found] = processor.post_process_grounded_object_detection(
            network(**asked), threshold=THRESHOLD, target_sizes=[(1, 1)]
        )
        order = found["scores"].argsort(descending=True, stable=True)
        boxes = found["boxes"][order].clamp(0, 1).tolist()
        return [(left, top, right, bottom) for left, top, right, bottom in boxes]

    return detect
