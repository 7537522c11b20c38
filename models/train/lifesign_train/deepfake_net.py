"""The deepfake net: dense 3x3 convolutions with few channels and shortcuts over a 128 x 128 crop; one logit, positive for genuine."""

from __future__ import annotations

import torch
from torch import nn

from .detector_net import conv


class Block(nn.Module):
    """Two 3x3 convolutions beside a shortcut."""

    def __init__(self, width: int):
        super().__init__()
        self.body = nn.Sequential(conv(width, width, 3), conv(width, width, 3, act=False))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(x + self.body(x))


class Deepfake(nn.Module):
    """[n, 3, 128, 128] normalised BGR to [n, 1] logits. The first layer keeps more numbers than it halves away: the marks looked for are pixels wide."""

    def __init__(self, c: tuple[int, ...] = (16, 32, 64, 96), dropout: float = 0.3):
        super().__init__()
        self.body = nn.Sequential(
            conv(3, c[0], 5, 2), conv(c[0], c[0], 3),
            conv(c[0], c[1], 3, 2), Block(c[1]),
            conv(c[1], c[2], 3, 2), Block(c[2]),
            conv(c[2], c[3], 3, 2), Block(c[3]),
        )
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.drop = nn.Dropout(dropout)
        self.out = nn.Linear(c[3], 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.drop(self.pool(self.body(x)).flatten(1)))


class Exported(nn.Module):
    """What the exported net returns: P(real), [n, 1]."""

    def __init__(self, net: Deepfake):
        super().__init__()
        self.net = net

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(self.net(x))
