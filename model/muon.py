"""The Muon optimizer: that of torch, with a choice of the dtype of its orthogonalisation.

torch's always runs in bfloat16, which takes four fifths of a training step on a CPU without
instructions for it. Source: Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/, with
steps of AdamW's size (arXiv 2502.16982).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

_MOMENTUM, _ITERATIONS = 0.95, 5
_A, _B, _C = 3.4445, -4.7750, 2.0315  # of the quintic; steepest at 0, they end within 0.7 and 1.2


class Muon(torch.optim.Optimizer):
    """Muon for matrices: each step is the momentum, orthogonalised."""

    def __init__(
        self, params: Iterable[nn.Parameter], lr: float, weight_decay: float, dtype: torch.dtype
    ) -> None:
        """`params` are matrices; `dtype` is that of the orthogonalisation."""
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})
        self.dtype = dtype

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Makes one step with the gradients that are there; `closure` is not called."""
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                state = self.state[weight]
                if not state:
                    state["momentum_buffer"] = torch.zeros_like(weight.grad)
                momentum = state["momentum_buffer"].lerp_(weight.grad, 1 - _MOMENTUM)
                direction = orthogonal(weight.grad.lerp(momentum, _MOMENTUM), self.dtype)
                weight.mul_(1 - group["lr"] * group["weight_decay"])
                weight.add_(direction, alpha=-group["lr"] * 0.2 * math.sqrt(max(weight.shape)))


def orthogonal(matrix: Tensor, dtype: torch.dtype) -> Tensor:
    """Returns a matrix with the same singular vectors and singular values near 1, in `dtype`, by
    the Newton-Schulz iteration."""
    tall = matrix.shape[0] > matrix.shape[1]
    wide = (matrix.T if tall else matrix).to(dtype)
    wide = wide / wide.norm().clamp(min=1e-7)
    for _ in range(_ITERATIONS):
        gram = wide @ wide.T
        wide = torch.addmm(wide, torch.addmm(gram, gram, gram, beta=_B, alpha=_C), wide, beta=_A)
    return wide.T if tall else wide
