"""The detector: a small depthwise-separable backbone with a feature pyramid, a shared head and YuNet's outputs."""

from __future__ import annotations

import torch
from torch import nn

STRIDES = (8, 16, 32)


def conv(i: int, o: int, kernel: int, stride: int = 1, groups: int = 1, padding: int | None = None, act: bool = True) -> nn.Sequential:
    """Convolution, batch norm and (where `act`) ReLU."""
    pad = kernel // 2 if padding is None else padding
    layers: list[nn.Module] = [nn.Conv2d(i, o, kernel, stride, pad, groups=groups, bias=False), nn.BatchNorm2d(o)]
    return nn.Sequential(*layers, *([nn.ReLU(inplace=True)] if act else []))


class Separable(nn.Module):
    """3x3 depthwise, then 1x1; a shortcut where the shapes allow it."""

    def __init__(self, i: int, o: int, stride: int = 1):
        super().__init__()
        self.depth = conv(i, i, 3, stride, groups=i)
        self.point = conv(i, o, 1, act=False)
        self.shortcut = stride == 1 and i == o

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.point(self.depth(x))
        return torch.relu(x + y if self.shortcut else y)


class Branch(nn.Sequential):
    """3x3 depthwise, 1x1, output. Without batch norm, because one branch serves three levels with statistics of their own."""

    def __init__(self, width: int, out: int):
        super().__init__(nn.Conv2d(width, width, 3, 1, 1, groups=width), nn.ReLU(inplace=True), nn.Conv2d(width, width, 1), nn.ReLU(inplace=True),
                         nn.Conv2d(width, out, 1))
        nn.init.normal_(self[-1].weight, std=0.01)
        nn.init.zeros_(self[-1].bias)


class Detector(nn.Module):
    """`forward` gives raw maps per stride, [n, 16, h, w]: class, objectness, box (4), five landmarks (10).

    The two branches of the head are shared by all strides: boxes and landmarks are in strides, so that one face looks the same on every level.
    """

    def __init__(self, c: tuple[int, ...] = (24, 32, 56, 76, 88), width: int = 64):
        super().__init__()
        self.stem = conv(3, c[0], 6, 4, padding=1)
        self.s4 = nn.Sequential(Separable(c[0], c[1]))
        self.s8 = nn.Sequential(Separable(c[1], c[2], 2), Separable(c[2], c[2]), Separable(c[2], c[2]))
        self.s16 = nn.Sequential(Separable(c[2], c[3], 2), Separable(c[3], c[3]), Separable(c[3], c[3]))
        self.s32 = nn.Sequential(Separable(c[3], c[4], 2), Separable(c[4], c[4]), Separable(c[4], c[4]))
        # A coarser level lets a cell see a face that fills the frame.
        self.s64 = nn.Sequential(Separable(c[4], c[4], 2), Separable(c[4], c[4]))
        self.lateral = nn.ModuleList([conv(w, width, 1, act=False) for w in (c[2], c[3], c[4], c[4])])
        self.smooth = nn.ModuleList([Separable(width, width) for _ in STRIDES])
        self.score, self.place = Branch(width, 2), Branch(width, 14)
        with torch.no_grad():
            self.score[-1].bias[:] = -4.0  # few cells are faces
            self.place[-1].bias[0:2] = 0.5  # the middle of the cell
            self.place[-1].bias[2:4] = 1.3  # a box of some four cells

    def features(self, x: torch.Tensor) -> list[torch.Tensor]:
        """The maps that the head reads, per stride, [n, width, h, w]."""
        x8 = self.s8(self.s4(self.stem(x)))
        x16 = self.s16(x8)
        x32 = self.s32(x16)
        maps = [lateral(m) for lateral, m in zip(self.lateral, (x8, x16, x32, self.s64(x32)))]
        out: list[torch.Tensor] = []
        top = maps[3]
        for level in (2, 1, 0):
            up = nn.functional.interpolate(top, scale_factor=2.0, mode="nearest")
            top = self.smooth[level](torch.relu(maps[level] + up))
            out.insert(0, top)
        return out

    def head(self, features: list[torch.Tensor]) -> list[torch.Tensor]:
        """Raw maps of features."""
        return [torch.cat([self.score(f), self.place(f)], 1) for f in features]

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        return self.head(self.features(x))


class Exported(nn.Module):
    """YuNet's twelve outputs in YuNet's order: cls, obj (after the sigmoid), bbox and kps for strides 8, 16, 32."""

    NAMES = [f"{kind}_{s}" for kind in ("cls", "obj", "bbox", "kps") for s in STRIDES]

    def __init__(self, net: Detector, size: int):
        super().__init__()
        self.net, self.size = net, size

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        groups: list[list[torch.Tensor]] = [[], [], [], []]
        for stride, raw in zip(STRIDES, self.net(x)):
            n = (self.size // stride) ** 2
            flat = raw.permute(0, 2, 3, 1).reshape(1, n, 16)
            groups[0].append(torch.sigmoid(flat[:, :, 0:1]))
            groups[1].append(torch.sigmoid(flat[:, :, 1:2]))
            groups[2].append(flat[:, :, 2:6])
            groups[3].append(flat[:, :, 6:16])
        return tuple(t for g in groups for t in g)
