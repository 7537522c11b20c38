"""The embedding net: dense 3x3 convolutions on few cells, inverted residuals at the end, one weight per cell in place of an average."""

from __future__ import annotations

import torch
from torch import nn

from .detector_net import conv
from .embedding_data import DIMENSIONS, GRID


class Dense(nn.Module):
    """Two 3x3 convolutions and a shortcut. On a CPU a dense convolution takes less time for its arithmetic than a separable one."""

    def __init__(self, c: int):
        super().__init__()
        self.first, self.second = conv(c, c, 3), conv(c, c, 3, act=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(x + self.second(self.first(x)))


class Inverted(nn.Module):
    """1x1 wider, 3x3 depthwise, 1x1 back, and a shortcut (MobileNetV2)."""

    def __init__(self, c: int, wide: int):
        super().__init__()
        self.wide, self.depth, self.narrow = conv(c, wide, 1), conv(wide, wide, 3, groups=wide), conv(wide, c, 1, act=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.narrow(self.depth(self.wide(x)))


class Embedding(nn.Module):
    """[n, 3, 80, 80] normalised BGR to [n, 128]; the direction is the face, the length means nothing."""

    def __init__(self, c: tuple[int, ...] = (16, 32, 64, 112), wide: int = 256):
        super().__init__()
        self.body = nn.Sequential(
            conv(3, c[0], 3, 2),
            conv(c[0], c[1], 3, 2), Dense(c[1]),
            conv(c[1], c[2], 3, 2), Dense(c[2]), Dense(c[2]),
            conv(c[2], c[3], 3, 2), Inverted(c[3], 2 * c[3]), Inverted(c[3], 2 * c[3]),
        )
        # A weight per cell instead of an average: where a feature lies matters in an aligned face (MobileFaceNet, Chen et al. 2018).
        self.head = nn.Sequential(conv(c[3], wide, 1), conv(wide, wide, GRID, groups=wide, padding=0, act=False))
        self.out = nn.Linear(wide, DIMENSIONS)

    def maps(self, x: torch.Tensor) -> torch.Tensor:
        """[n, c, GRID, GRID]: what the hints are held against in training."""
        return self.body(x)

    def embed(self, maps: torch.Tensor) -> torch.Tensor:
        """[n, 128] of the maps."""
        return self.out(self.head(maps).flatten(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.embed(self.maps(x))


class Trained(nn.Module):
    """The net with the adaptor that only training needs: it turns the student's map into the teacher's."""

    def __init__(self) -> None:
        super().__init__()
        self.net = Embedding()
        self.adaptor = nn.Conv2d(self.net.body[6][0].out_channels, DIMENSIONS, 1)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        maps = self.net.maps(x)
        return self.net.embed(maps), self.adaptor(maps)
