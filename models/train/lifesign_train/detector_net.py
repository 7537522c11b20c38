"""The detector: a small depthwise-separable backbone with a feature pyramid and YuNet's outputs."""

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


class Head(nn.Module):
    """Per cell: class, objectness, box (4) and five landmarks (10), from one 1x1 convolution."""

    def __init__(self, width: int):
        super().__init__()
        self.body = Separable(width, width)
        self.out = nn.Conv2d(width, 16, 1)
        nn.init.normal_(self.out.weight, std=0.01)
        nn.init.zeros_(self.out.bias)
        with torch.no_grad():
            self.out.bias[0:2] = -4.0  # few cells are faces
            self.out.bias[2:4] = 0.5  # the middle of the cell
            self.out.bias[4:6] = 1.3  # a box of some four cells

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.body(x))


class Detector(nn.Module):
    """`forward` gives raw maps per stride, [n, 16, h, w]; `decoded` gives what the exported net returns."""

    def __init__(self, c: tuple[int, ...] = (24, 32, 56, 76, 88), width: int = 56):
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
        self.heads = nn.ModuleList([Head(width) for _ in STRIDES])

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        x8 = self.s8(self.s4(self.stem(x)))
        x16 = self.s16(x8)
        x32 = self.s32(x16)
        maps = [lateral(m) for lateral, m in zip(self.lateral, (x8, x16, x32, self.s64(x32)))]
        out: list[torch.Tensor] = []
        top = maps[3]
        for level in (2, 1, 0):
            up = nn.functional.interpolate(top, scale_factor=2.0, mode="nearest")
            top = self.smooth[level](torch.relu(maps[level] + up))
            out.insert(0, self.heads[level](top))
        return out


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
