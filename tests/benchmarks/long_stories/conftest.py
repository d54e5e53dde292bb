"""Stories of random words and features."""

from types import SimpleNamespace

import pytest
import torch

from tests.model.tiny import TOKENS, WIDTH

LENGTH = 12


@pytest.fixture
def stories(teller):
    dice = torch.Generator().manual_seed(1)
    ids = [
        [
            torch.randint(3, 200, (3 + (row + at) % 4,), generator=dice).tolist()
            for at in range(LENGTH)
        ]
        for row in range(2)
    ]
    return SimpleNamespace(ids=ids, features=torch.randn(2, LENGTH, TOKENS, WIDTH, generator=dice))
