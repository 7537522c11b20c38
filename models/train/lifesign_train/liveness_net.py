"""The liveness net: a small residual net over an 80 x 80 crop; logits for spoof (0) and live (1)."""

from __future__ import annotations

import torch
from torch import nn

from .detector_net import Separable, conv


class Dense(nn.Module):
    """3x3 over all channels with a shortcut: at fine resolutions cheaper in time than a separable one, and it sees texture."""

    def __init__(self, width: int):
        super().__init__()
        self.body = conv(width, width, 3, act=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(x + self.body(x))


class Liveness(nn.Module):
    """[n, 3, 80, 80] normalised RGB-or-BGR (the manifest says which) to [n, 2] logits."""

    def __init__(self, c: tuple[int, ...] = (24, 48, 96, 128, 208), dropout: float = 0.2):
        super().__init__()
        self.body = nn.Sequential(
            # Moire and print dots live in the finest pixels: a wide stem, and a dense layer before the next halving.
            conv(3, c[0], 5, 2), Dense(c[0]),
            conv(c[0], c[1], 3, 2), Dense(c[1]),
            Separable(c[1], c[2], 2), Separable(c[2], c[3]), Separable(c[3], c[3]), Separable(c[3], c[3]),
            Separable(c[3], c[4], 2), Separable(c[4], c[4]),
        )
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.drop = nn.Dropout(dropout)
        self.out = nn.Linear(c[4], 2)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        return self.pool(self.body(x)).flatten(1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.drop(self.features(x)))


class Student(nn.Module):
    """The net with a second head that guesses the teacher's features; only `net` is exported."""

    def __init__(self, hints: int):
        super().__init__()
        self.net = Liveness()
        self.hint = nn.Linear(self.net.out.in_features, hints)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        features = self.net.features(x)
        return self.net.out(self.net.drop(features)), self.hint(features)
