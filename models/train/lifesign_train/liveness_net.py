"""The liveness net: a separable residual net over an 80 x 80 crop; logits for spoof (0) and live (1)."""

from __future__ import annotations

import torch
from torch import nn

from .detector_net import Separable, conv


class Liveness(nn.Module):
    """[n, 3, 80, 80] normalised RGB-or-BGR (the manifest says which) to [n, 2] logits."""

    def __init__(self, c: tuple[int, ...] = (24, 48, 88, 144, 208), dropout: float = 0.2):
        super().__init__()
        self.body = nn.Sequential(
            conv(3, c[0], 3, 2),
            Separable(c[0], c[1]),
            Separable(c[1], c[2], 2), Separable(c[2], c[2]),
            Separable(c[2], c[3], 2), Separable(c[3], c[3]), Separable(c[3], c[3]), Separable(c[3], c[3]),
            Separable(c[3], c[4], 2), Separable(c[4], c[4]),
        )
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.drop = nn.Dropout(dropout)
        self.out = nn.Linear(c[4], 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.drop(self.pool(self.body(x)).flatten(1)))
