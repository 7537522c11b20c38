"""The detector's loss: quality-focal scores, distance-IoU boxes, landmark error in units of the face's size."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from .detector_net import STRIDES


def flatten(raw: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Maps per stride to [n, cells, 16], with each cell's corner in strides, [cells, 2], and its stride, [cells, 1]."""
    flat, corner, stride = [], [], []
    for s, m in zip(STRIDES, raw):
        n, c, h, w = m.shape
        flat.append(m.permute(0, 2, 3, 1).reshape(n, h * w, c))
        ys, xs = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
        corner.append(torch.stack([xs, ys], -1).reshape(-1, 2).float())
        stride.append(torch.full((h * w, 1), float(s)))
    device = raw[0].device
    return torch.cat(flat, 1).float(), torch.cat(corner).to(device), torch.cat(stride).to(device)


def overlap(p: torch.Tensor, t: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """IoU and distance-IoU of boxes given as cx, cy, w, h (Zheng et al., AAAI 2020)."""
    p0, p1 = p[:, :2] - p[:, 2:] / 2, p[:, :2] + p[:, 2:] / 2
    t0, t1 = t[:, :2] - t[:, 2:] / 2, t[:, :2] + t[:, 2:] / 2
    inter = (torch.minimum(p1, t1) - torch.maximum(p0, t0)).clamp(min=0).prod(1)
    iou = inter / (p[:, 2:].prod(1) + t[:, 2:].prod(1) - inter + 1e-6)
    hull = (torch.maximum(p1, t1) - torch.minimum(p0, t0)).square().sum(1) + 1e-6
    return iou, iou - (p[:, :2] - t[:, :2]).square().sum(1) / hull


def focal(logit: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Quality focal loss with exponent 2 (Li et al., NeurIPS 2020)."""
    return F.binary_cross_entropy_with_logits(logit, target, reduction="none") * (torch.sigmoid(logit) - target).square()


def detector_loss(raw: list[torch.Tensor], target: torch.Tensor) -> tuple[torch.Tensor, dict[str, float]]:
    """The weighted sum, and its parts for the log. `target` is what `detector_data.assign` makes, batched."""
    flat, corner, stride = flatten(raw)
    state = target[..., 0]
    positive = state > 0.5
    count = positive.sum().clamp(min=1).float()
    row, cell = positive.nonzero(as_tuple=True)
    p, t, c, s = flat[row, cell], target[row, cell], corner[cell], stride[cell]
    box = torch.cat([(c + p[:, 2:4]) * s, torch.exp(p[:, 4:6].clamp(max=6)) * s], 1)
    iou, diou = overlap(box, t[:, 1:5])
    quality = torch.zeros_like(state)
    quality[row, cell] = iou.detach().clamp(0, 1)
    seen = (state > -0.5).float()
    cls = (focal(flat[..., 0], quality) * seen).sum() / count
    obj = (focal(flat[..., 1], positive.float()) * seen).sum() / count
    side = (t[:, 3] * t[:, 4]).clamp(min=1).sqrt()[:, None, None]
    points = (p[:, 6:16].reshape(-1, 5, 2) + c[:, None]) * s[:, None]
    error = (points - t[:, 5:15].reshape(-1, 5, 2)) / side
    # Pictures cut at the frame keep landmarks outside it; they count as well, as the teacher's do.
    kps = (F.smooth_l1_loss(error, torch.zeros_like(error), reduction="none", beta=0.02).sum(2) * t[:, 15:20]).sum() / count
    bbox = (1 - diou).sum() / count
    total = cls + obj + 2.0 * bbox + 2.5 * kps
    return total, {"cls": cls.item(), "obj": obj.item(), "box": bbox.item(), "kps": kps.item(), "iou": iou.mean().item() if len(iou) else 0.0}
