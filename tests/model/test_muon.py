"""Muon's steps: the gradient's directions without their sizes, in the dtype that is asked for."""

import pytest
import torch
from torch import nn

from model import muon

BF16, FP32 = torch.bfloat16, torch.float32


def matrix(rows, columns, seed=0):
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("dtype, near", [(FP32, 0.99), (BF16, 0.97)])
@pytest.mark.parametrize("rows, columns", [(20, 30), (30, 20), (25, 100), (16, 16)])
def test_directions_are_those_of_the_singular_vectors(rows, columns, dtype, near):
    given = matrix(rows, columns)
    found = muon.orthogonal(given, dtype)
    assert found.dtype == dtype and found.shape == given.shape
    left, _, right = torch.linalg.svd(given, full_matrices=False)
    sizes = torch.linalg.svdvals(found.float())
    assert sizes.min() > 0.4 and sizes.max() < 1.3  # Newton and Schulz are not exact
    # The same vectors: between them, what is found is nearly a diagonal.
    between = left.T @ found.float() @ right.T
    assert between.diagonal().norm() / between.norm() > near


@pytest.mark.parametrize("rows, columns", [(20, 30), (64, 16)])
def test_in_bf16_it_is_torchs_own(rows, columns):
    weights = [nn.Parameter(matrix(rows, columns)) for _ in range(2)]
    ours = muon.Muon(weights[:1], 0.02, 0.1, BF16)
    torchs = torch.optim.Muon(
        weights[1:], lr=0.02, weight_decay=0.1, adjust_lr_fn="match_rms_adamw"
    )
    for seed in range(1, 4):
        for weight in weights:
            weight.grad = matrix(rows, columns, seed)
        ours.step()
        torchs.step()
    assert torch.equal(*weights)


def test_in_fp32_a_step_differs_from_that_in_bf16_by_rounding_alone():
    weights = [nn.Parameter(matrix(48, 64)) for _ in range(2)]
    for weight, dtype in zip(weights, (FP32, BF16), strict=True):
        weight.grad = matrix(48, 64, 1)
        muon.Muon([weight], 0.02, 0.0, dtype).step()
    steps = [(matrix(48, 64) - weight.detach()).flatten() for weight in weights]
    assert torch.nn.functional.cosine_similarity(*steps, dim=0) > 0.999
    assert not torch.equal(*steps)
