import math

import pytest
import torch

from model.resampler import Resampler, grid_positions
from model.resampler import stretched as stretch


def test_positions_are_sines_and_cosines_of_column_and_row():
    found = grid_positions(3, 8)

    row, column = 2, 1
    wanted = [
        wave(place / 10000 ** (i / 2))
        for place in (column, row)
        for wave in (math.sin, math.cos)
        for i in (0, 1)
    ]
    assert found[row * 3 + column].tolist() == pytest.approx(wanted)


def normed(values, epsilon):
    """Values less their mean, over their deviation."""
    centred = values - values.mean(-1, keepdim=True)
    return centred / (centred.square().mean(-1, keepdim=True) + epsilon).sqrt()


@pytest.mark.parametrize("epsilon", [1e-6, 1e-5])  # ours, and that of SEED-Story's language side
def test_resampling_is_attention_computed_by_hand(epsilon):
    torch.manual_seed(0)
    sampler = Resampler(grid=2, width=8, heads=2, kv_width=6, epsilon=epsilon).double()
    features = torch.randn(3, 4, 6, dtype=torch.float64)

    found = sampler(features)

    values = normed(features @ sampler.kv.weight.T, epsilon)
    queries = normed(sampler.queries, epsilon) + grid_positions(2, 8)
    query, key, value = sampler.attention.in_proj_weight.chunk(3)
    heads = []
    for part in (slice(0, 4), slice(4, 8)):  # two heads
        q = queries @ query[part].T
        k = (values + grid_positions(2, 8)) @ key[part].T
        heads.append((q @ k.transpose(1, 2) / math.sqrt(4)).softmax(-1) @ (values @ value[part].T))
    wanted = torch.cat(heads, -1) @ sampler.attention.out_proj.weight.T
    assert torch.allclose(found, wanted)


def test_another_number_of_features_gets_the_same_positions_stretched():
    sampler = Resampler(grid=4, width=8, heads=2, kv_width=8)

    stretched = stretch(sampler.positions, 64)

    assert stretched.shape == (64, 8)
    corner = grid_positions(4, 8)[0]  # far inside a corner's square there is nothing to mix
    assert torch.allclose(stretched[0], corner, atol=0.2)
    assert sampler(torch.randn(2, 64, 8)).shape == (2, 16, 8)


def test_what_is_no_square_is_an_error():
    with pytest.raises(ValueError, match="5 features are not a square grid"):
        Resampler(grid=2, width=8, heads=2, kv_width=8)(torch.randn(1, 5, 8))
