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


FOUND = 0.5  # the teacher's score from which it has found a face
PART = 0.3  # its score from which a cell belongs to the face it found
SAME = 0.5  # IoU of its box with the truth


def from_teacher(target: torch.Tensor, scores: torch.Tensor, boxes: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """State per cell, soft class and soft objectness, [n, cells] each: the teacher's where it finds the face, the rule's elsewhere.

    Its boxes are not learnt: it finds a face anew in a scaled and turned picture, the manifest's box was found in the whole one.
    """
    n, cells, _ = target.shape
    score = scores.prod(2).sqrt()
    number = target[..., 20].long()
    iou, _ = overlap(boxes.reshape(-1, 4), target[..., 1:5].reshape(-1, 4))
    match = (number > 0) & (iou.reshape(n, cells) >= SAME)
    best = torch.zeros(n, int(number.max()) + 1, device=target.device).scatter_reduce(1, number, score * match, "amax")
    known = (number > 0) & (best >= FOUND).gather(1, number)
    theirs = torch.where(match & (score >= PART), 1.0, torch.where(score >= PART, -1.0, 0.0))
    state = torch.where(known, theirs, target[..., 0])
    # Something found where no face was put may be a bystander in the picture: neither learnt nor forbidden.
    state = torch.where((number == 0) & (score >= PART), -1.0, state)
    soft = known & match
    return state, torch.where(soft, scores[..., 0], state.clamp(min=0)), torch.where(soft, scores[..., 1], state.clamp(min=0))


def detector_loss(raw: list[torch.Tensor], target: torch.Tensor, taught: tuple[torch.Tensor, torch.Tensor] | None = None) -> tuple[torch.Tensor, dict[str, float]]:
    """The weighted sum, and its parts for the log. `target` is what `detector_data.assign` makes, batched; `taught` the teacher's scores and boxes."""
    flat, corner, stride = flatten(raw)
    if taught is None:
        state = target[..., 0]
        soft_class = soft_object = None
    else:
        state, soft_class, soft_object = from_teacher(target, *taught)
    positive = state > 0.5
    count = positive.sum().clamp(min=1).float()
    row, cell = positive.nonzero(as_tuple=True)
    p, t, c, s = flat[row, cell], target[row, cell], corner[cell], stride[cell]
    box = torch.cat([(c + p[:, 2:4]) * s, torch.exp(p[:, 4:6].clamp(max=6)) * s], 1)
    iou, diou = overlap(box, t[:, 1:5])
    if soft_class is None:
        soft_class = torch.zeros_like(state)
        soft_class[row, cell] = iou.detach().clamp(0, 1)
        soft_object = positive.float()
    seen = (state > -0.5).float()
    cls = (focal(flat[..., 0], soft_class) * seen).sum() / count
    obj = (focal(flat[..., 1], soft_object) * seen).sum() / count
    side = (t[:, 3] * t[:, 4]).clamp(min=1).sqrt()[:, None, None]
    points = (p[:, 6:16].reshape(-1, 5, 2) + c[:, None]) * s[:, None]
    error = (points - t[:, 5:15].reshape(-1, 5, 2)) / side
    # Pictures cut at the frame keep landmarks outside it; they count as well, as the teacher's do.
    kps = (F.smooth_l1_loss(error, torch.zeros_like(error), reduction="none", beta=0.01).sum(2) * t[:, 15:20]).sum() / count
    bbox = (1 - diou).sum() / count
    total = cls + obj + 2.0 * bbox + 4.0 * kps
    return total, {"cls": cls.item(), "obj": obj.item(), "box": bbox.item(), "kps": kps.item(), "iou": iou.mean().item() if len(iou) else 0.0}
