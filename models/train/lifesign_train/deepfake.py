"""Trains, exports and measures the deepfake model: `python -m lifesign_train.deepfake all`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from . import training
from .data import SHARED, load_rows
from .deepfake_data import SHARES, SIZE, build
from .deepfake_measure import measure
from .deepfake_net import Deepfake, Exported
from .export import export, folded

BATCH = 32  # pairs
SMOOTHING = 0.05
RANKING = 0.5  # weight of the loss that asks only that the genuine one of a pair score higher
LOCATING = 0.5  # weight of the loss on where a self-blend was changed
CHANGED = (2.0, 8.0)  # mean difference in levels at which a cell counts as untouched and as changed


def jittered(pairs: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Cheap variation on every visit, the same for both members of a pair: flip, shift, gain, and a patch of grey over some.

    `pairs` is [n, 2, SIZE, SIZE, 3].
    """
    out = pairs if rng.random() < 0.5 else pairs[:, :, :, ::-1]
    a = int(rng.integers(0, 7))
    top, left = int(rng.integers(0, a + 1)), int(rng.integers(0, a + 1))
    padded = np.pad(out, ((0, 0), (0, 0), (a, a), (a, a), (0, 0)), mode="edge")
    out = padded[:, :, top + a // 2:top + a // 2 + SIZE, left + a // 2:left + a // 2 + SIZE]
    n = len(out)
    gain = np.exp(rng.normal(0, 0.12, (n, 1, 1, 1, 1))) * np.exp(rng.normal(0, 0.05, (n, 1, 1, 1, 3)))
    out = np.clip(out * gain.astype(np.float32) + rng.normal(0, 6, (n, 1, 1, 1, 1)).astype(np.float32), 0, 255)
    for k in np.nonzero(rng.random(n) < 0.3)[0]:
        h, w = rng.integers(SIZE // 8, SIZE // 2, 2)
        y, x = int(rng.integers(0, SIZE - h)), int(rng.integers(0, SIZE - w))
        out[k, :, y:y + h, x:x + w] = rng.uniform(0, 255, 3)
    return out


def changed(pixels: torch.Tensor) -> torch.Tensor:
    """[n, 1, 15, 15], 0..1: where the forged second half of the batch differs from the genuine first half, cell by cell."""
    n = len(pixels) // 2
    difference = F.avg_pool2d((pixels[:n] - pixels[n:]).abs().mean(1, keepdim=True), 16, 8)
    return ((difference - CHANGED[0]) / (CHANGED[1] - CHANGED[0])).clamp(0, 1)


def loss_of(net: torch.nn.Module, batch: tuple) -> tuple[torch.Tensor, dict[str, float]]:
    """Cross entropy on smoothed labels, a ranking loss within pairs, and for self-blends a loss on where they were changed.

    The batch holds all genuine crops, then their partners in the same order; and which pairs are self-blends.
    A label for the whole crop says little about marks in a part of it, hence the last loss.
    """
    pixels, blends = batch
    logits, where = net.maps(training.normalised(pixels))
    logits, n = logits[:, 0], len(logits) // 2
    goal = torch.cat([torch.full((n,), 1 - SMOOTHING), torch.full((n,), SMOOTHING)]).to(logits.device)
    entropy = F.binary_cross_entropy_with_logits(logits, goal)
    margin = logits[:n] - logits[n:]
    located = logits.new_zeros(())
    if blends.any():
        there = changed(pixels)[blends]
        located = F.binary_cross_entropy_with_logits(where[n:][blends], there) + F.binary_cross_entropy_with_logits(where[:n][blends], torch.zeros_like(there))
    right = ((logits > 0) == (goal > 0.5)).float().mean()
    told = {"entropy": entropy.item(), "right": right.item(), "ranked": (margin > 0).float().mean().item(), "located": float(located.detach())}
    for name, chosen in (("blends", blends), ("others", ~blends)):
        told[name] = (margin[chosen] > 0).float().mean().item() if chosen.any() else 0.5
    return entropy + RANKING * F.softplus(-margin).mean() + LOCATING * located, told


def train(steps: int, samples: int, seed: int, work: Path, workers: int, device: str = "cpu") -> torch.nn.Module:
    """Trains to `steps`, going on from the checkpoint in `work`."""
    pool = build(load_rows(), "train", samples, seed, workers, work=work)
    per_epoch, blend = samples // BATCH, list(SHARES).index("blend")

    def batches(step: int) -> Iterator[tuple]:
        while True:
            order = np.random.default_rng((seed, step // per_epoch)).permutation(samples)
            for k in range(step % per_epoch, per_epoch):
                chosen = np.sort(order[k * BATCH:(k + 1) * BATCH])
                pairs = jittered(np.stack([pool["genuine"][chosen], pool["forged"][chosen]], 1), np.random.default_rng((seed, step, 9)))
                flat = np.concatenate([pairs[:, 0], pairs[:, 1]]).transpose(0, 3, 1, 2)
                yield torch.from_numpy(np.ascontiguousarray(flat, np.float32)), torch.from_numpy(pool["origin"][chosen] == blend)
                step += 1

    net = Deepfake().to(memory_format=torch.channels_last)
    return training.run(net, batches, loss_of, steps, 2e-3, checkpoint_path(work), decay=0.05, device=device)


def checkpoint_path(work: Path) -> Path:
    return work / "deepfake.pt"


def load(work: Path) -> torch.nn.Module:
    """The averaged net of the last checkpoint, as it is exported."""
    return Exported(training.load_average(Deepfake(), checkpoint_path(work))).eval()


def main() -> None:
    training.command(
        __doc__, 6000, samples=24000,
        train=lambda a: train(a.steps, a.samples, a.seed, a.work, a.workers, a.device),
        export=lambda a: export(folded(load(a.work)), a.pack / "deepfake.onnx", SIZE, ["real_prob"]),
        measure=lambda a: measure(a.pack / "deepfake.onnx", a.split, a.work, SHARED))


if __name__ == "__main__":
    main()
