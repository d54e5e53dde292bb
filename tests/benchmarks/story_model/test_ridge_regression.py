"""Ridge regression by kernels."""

import numpy as np
import pytest

from benchmarks.story_model import ridge_regression


@pytest.mark.parametrize("noise", [0.01, 3.0])
def test_the_regression_is_a_ridges_with_the_penalty_that_does_best_on_what_is_left_out(noise):
    dice = np.random.default_rng(0)
    learned, asked = dice.normal(size=(20, 6)) / 6**0.5, dice.normal(size=(4, 6)) / 6**0.5
    wanted = learned @ dice.normal(size=(6, 3)) + noise * dice.normal(size=(20, 3)) + 5
    inputs, mean = learned - learned.mean(0), wanted.mean(0)

    def ridge(rows, outputs, penalty):
        return np.linalg.solve(rows.T @ rows + penalty * np.eye(6), rows.T @ (outputs - mean))

    def left_out(penalty):
        rest = [np.arange(20) != i for i in range(20)]
        return sum(
            np.square(
                inputs[~keep] @ ridge(inputs[keep], wanted[keep], penalty) + mean - wanted[~keep]
            ).sum()
            for keep in rest
        )

    best = min(ridge_regression.PENALTIES, key=left_out)
    assert best == {0.01: 0.1, 3.0: 3.0}[noise]
    found = ridge_regression.ridge_regression(learned, asked, wanted.reshape(20, 3, 1))
    np.testing.assert_allclose(
        found[..., 0], (asked - learned.mean(0)) @ ridge(inputs, wanted, best) + mean, rtol=1e-6
    )
