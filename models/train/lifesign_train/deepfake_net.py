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
    """[n, 3, 128, 128] normalised BGR to [n, 1] logits.

    The first layer keeps more numbers than it halves away, and starts as high-pass filters: the marks looked for are pixels wide and weak beside what a
    picture shows. `where` says, for training only, which eighths of the crop were changed.
    """

    def __init__(self, c: tuple[int, ...] = (16, 32, 64, 96), dropout: float = 0.3):
        super().__init__()
        self.trunk = nn.Sequential(
            conv(3, c[0], 5, 2), conv(c[0], c[0], 3),
            conv(c[0], c[1], 3, 2), Block(c[1]),
            conv(c[1], c[2], 3, 2), Block(c[2]),
        )
        self.top = nn.Sequential(conv(c[2], c[3], 3, 2), Block(c[3]))
        self.where = nn.Conv2d(c[2], 1, 1)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.drop = nn.Dropout(dropout)
        self.out = nn.Linear(c[3], 1)
        self._start_as_high_pass(self.trunk[0][0])

    @staticmethod
    @torch.no_grad()
    def _start_as_high_pass(first: nn.Conv2d) -> None:
        """Three of four filters become random 3x3 ones behind a Laplacian, blind to flat areas and even slopes; batch norm brings them up to the others."""
        laplace = torch.tensor([[1.0, 2.0, 1.0], [2.0, -12.0, 2.0], [1.0, 2.0, 1.0]]) / 12
        some = 3 * first.out_channels // 4
        random = torch.randn(some * first.in_channels, 1, 3, 3) / 5
        first.weight[:some] = nn.functional.conv2d(nn.functional.pad(random, (2, 2, 2, 2)), laplace[None, None]).reshape(some, first.in_channels, 5, 5)

    def maps(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits of the crop [n, 1], and of each 8x8 cell having been changed, [n, 1, 16, 16]."""
        y = self.trunk(x)
        return self.out(self.drop(self.pool(self.top(y)).flatten(1))), self.where(y)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.maps(x)[0]


class Exported(nn.Module):
    """What the exported net returns: P(real), [n, 1]."""

    def __init__(self, net: Deepfake):
        super().__init__()
        self.net = net

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(self.net(x))
