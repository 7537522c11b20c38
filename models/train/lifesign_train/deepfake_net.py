"""The deepfake net: fixed high-pass filters at three scales, their strength cell by cell, and a small convolutional net over these maps.

Forgeries differ from genuine faces in fine texture, which is weak beside what a picture shows. A net of plain convolutions did not find it within
the steps that could be paid for (AUC 0.51 and 0.59 on the two large sources of `val` after 38,000 crops); maps of the texture's logarithmic strength show it at once.
"""

from __future__ import annotations

import torch
from torch import nn

from .detector_net import conv

CELLS = 15  # per side; a cell is 8 x 8 pixels of the crop
# BGR to luma and to what red and blue have beyond it (ITU-R BT.601 weights).
PLANES = ((0.114, 0.587, 0.299), (-0.114, -0.587, 0.701), (0.886, -0.587, -0.299))
# Laplacian, second differences across, down and on the diagonal: all blind to flat areas and even slopes.
FILTERS = (((1, 2, 1), (2, -12, 2), (1, 2, 1)), ((0, 0, 0), (6, -12, 6), (0, 0, 0)), ((0, 6, 0), (0, -12, 0), (0, 6, 0)), ((3, 0, -3), (0, 0, 0), (-3, 0, 3)))
# Strengths in levels of 0..255 between which a logarithm is followed, and what a level is after normalisation.
STRENGTHS, LEVEL = (0.3, 0.6, 1.2, 2.5, 5.0, 10.0, 20.0, 40.0), 1 / 255 / 0.25


class Texture(nn.Module):
    """[n, 3, 128, 128] to [n, 21, 15, 15]: the planes' means, and per scale the strength of every filter in luma and of the first in the other planes.

    Nothing in it is trained.
    """

    PER_SCALE = len(FILTERS) + 2
    CHANNELS = 3 + 3 * PER_SCALE

    def __init__(self) -> None:
        super().__init__()
        self.planes = nn.Conv2d(3, 3, 1, bias=False)
        self.filters = nn.Conv2d(3, self.PER_SCALE, 3, bias=False)
        planes, filters = torch.tensor(PLANES), torch.tensor(FILTERS) / 12.0
        pairs = [(planes[0], f) for f in filters] + [(planes[1], filters[0]), (planes[2], filters[0])]
        with torch.no_grad():
            self.planes.weight.copy_(planes[:, :, None, None])
            self.filters.weight.copy_(torch.stack([plane[:, None, None] * f for plane, f in pairs]))
        self.requires_grad_(False)

    @staticmethod
    def logarithm(h: torch.Tensor) -> torch.Tensor:
        """A sum of clipped lines, about -2 to 2, which grows by about the same for every doubling; the operators that packs may use know no logarithm."""
        return sum(torch.clamp(h * (1 / (LEVEL * s)), 0.0, 1.0) for s in STRENGTHS) * 0.5 + -2.0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = [self.planes(nn.functional.avg_pool2d(x, 16, 8))]
        for cell in (8, 4, 2):
            edges = self.filters(x)
            # Strength before pooling has no sign: the two halves of a wave must not cancel.
            strength = torch.relu(edges) + torch.relu(edges * -1.0)
            out.append(self.logarithm(nn.functional.avg_pool2d(strength, cell, cell)))
            x = nn.functional.avg_pool2d(x, 2)
        return torch.cat(out, 1)


class Block(nn.Module):
    """Two 3x3 convolutions beside a shortcut."""

    def __init__(self, width: int):
        super().__init__()
        self.body = nn.Sequential(conv(width, width, 3), conv(width, width, 3, act=False))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(x + self.body(x))


class Deepfake(nn.Module):
    """[n, 3, 128, 128] normalised BGR to [n, 1] logits, positive for genuine. `where` says, for training only, which cells were changed."""

    def __init__(self, c: tuple[int, ...] = (48, 64, 16), dropout: float = 0.4):
        super().__init__()
        self.texture = Texture()
        self.trunk = nn.Sequential(conv(Texture.CHANNELS, c[0], 3), Block(c[0]))
        self.top = nn.Sequential(conv(c[0], c[1], 3, 2), Block(c[1]), conv(c[1], c[2], 1))
        self.where = nn.Conv2d(c[0], 1, 1)
        self.drop = nn.Dropout(dropout)
        # Faces lie alike in their crops: where in it something is odd may count.
        self.out = nn.Linear(c[2] * 64, 1)

    def maps(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits of the crop [n, 1], and of each cell having been changed, [n, 1, 15, 15]."""
        y = self.trunk(self.texture(x))
        return self.out(self.drop(self.top(y).flatten(1))), self.where(y)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.maps(x)[0]


class Exported(nn.Module):
    """What the exported net returns: P(real), [n, 1]."""

    def __init__(self, net: Deepfake):
        super().__init__()
        self.net = net

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(self.net(x))
