"""Muon (Jordan 2024, scaled after Liu et al. 2025): matrices and dense kernels take orthogonal steps, the rest Adam's.

A short run on a CPU has few steps; an orthogonal step moves along all directions of a matrix at once and not only along the strongest.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

# Coefficients of the quintic Newton-Schulz iteration: singular values end near 1 after FIVE rounds, which is near enough.
A, B, C, FIVE = 3.4445, -4.7750, 2.0315, 5
# Size of a step's elements as a part of the rate, as Adam's come out.
RMS = 0.2


def orthogonal(gradient: torch.Tensor) -> torch.Tensor:
    """The nearest (semi-)orthogonal matrix, roughly."""
    x = gradient / (gradient.norm() + 1e-7)
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    for _ in range(FIVE):
        square = x @ x.T
        x = A * x + (B * square + C * square @ square) @ x
    return x.T if tall else x


class Muon(torch.optim.Optimizer):
    """Decoupled weight decay on everything, as AdamW has it."""

    def __init__(self, parameters: Iterable[nn.Parameter], lr: float, weight_decay: float, momentum: float = 0.95, betas: tuple[float, float] = (0.9, 0.99)):
        super().__init__(list(parameters), {"lr": lr, "weight_decay": weight_decay, "momentum": momentum, "betas": betas})

    @staticmethod
    def dense(p: torch.Tensor) -> bool:
        """Whether a parameter is a matrix that mixes channels; depthwise kernels do not."""
        return p.ndim >= 2 and p.shape[1] > 1

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        for group in self.param_groups:
            rate, momentum, (one, two) = group["lr"], group["momentum"], group["betas"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if not state:
                    state["first"] = torch.zeros_like(p)
                    state["step"] = 0
                    if not self.dense(p):
                        state["second"] = torch.zeros_like(p)
                state["step"] += 1
                p.mul_(1 - rate * group["weight_decay"])
                if self.dense(p):
                    state["first"].lerp_(p.grad, 1 - momentum)
                    ahead = p.grad.lerp(state["first"], momentum)
                    step = orthogonal(ahead.reshape(len(p), -1))
                    p.add_(step.reshape(p.shape), alpha=-rate * RMS * max(step.shape) ** 0.5)
                else:
                    state["first"].lerp_(p.grad, 1 - one)
                    state["second"].lerp_(p.grad.square(), 1 - two)
                    first, second = state["first"] / (1 - one ** state["step"]), state["second"] / (1 - two ** state["step"])
                    p.add_(first / (second.sqrt() + 1e-8), alpha=-rate)
