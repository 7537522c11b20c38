"""Trains, exports and measures the liveness model: `python -m lifesign_train.liveness all`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from . import training
from .data import SHARED, load_rows
from .export import export, folded
from .liveness_data import SIZE, build
from .liveness_measure import measure
from .liveness_net import Liveness

BATCH = 64
TEACHER = 0.3  # the teacher's part of the target, where it is on the right side


def targets(kind: np.ndarray, teacher: np.ndarray) -> np.ndarray:
    """P(live) to learn: the smoothed label, mixed with the teacher's opinion where it was asked and agrees."""
    hard = np.where(kind == 0, 0.97, 0.03)
    agrees = np.isfinite(teacher) & ((teacher > 0.5) == (kind == 0))
    return np.where(agrees, (1 - TEACHER) * hard + TEACHER * np.nan_to_num(teacher), hard).astype(np.float32)


def jittered(crops: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Cheap variation on every visit: flip, shift and zoom by a few pixels, gain and offset."""
    out = crops if rng.random() < 0.5 else crops[:, :, ::-1]
    a = int(rng.integers(0, 5))
    if a:
        t, left = int(rng.integers(0, a + 1)), int(rng.integers(0, a + 1))
        padded = np.pad(out, ((0, 0), (a, a), (a, a), (0, 0)), mode="edge")
        out = padded[:, t + a // 2:t + a // 2 + SIZE, left + a // 2:left + a // 2 + SIZE]
    gain = np.exp(rng.normal(0, 0.12, (len(out), 1, 1, 1))) * np.exp(rng.normal(0, 0.04, (len(out), 1, 1, 3)))
    return np.clip(out * gain + rng.normal(0, 6, (len(out), 1, 1, 1)), 0, 255).astype(np.float32)


def train(steps: int, samples: int, seed: int, work: Path, workers: int, device: str = "cpu") -> torch.nn.Module:
    """Trains to `steps`, going on from the checkpoint in `work`."""
    pool = build(load_rows(), "train", samples, seed, workers, work=work)
    goal = targets(pool["kind"], pool["teacher"])
    # Attacks and genuine weigh the same, whatever the pool's shares are.
    live = pool["kind"] == 0
    weight = np.where(live, 0.5 / live.mean(), 0.5 / (1 - live.mean())).astype(np.float32)
    per_epoch = samples // BATCH

    def batches(step: int) -> Iterator[tuple]:
        while True:
            order = np.random.default_rng((seed, step // per_epoch)).permutation(samples)
            for k in range(step % per_epoch, per_epoch):
                chosen = np.sort(order[k * BATCH:(k + 1) * BATCH])
                crops = jittered(pool["crop"][chosen], np.random.default_rng((seed, step, 5)))
                yield torch.from_numpy(np.ascontiguousarray(crops.transpose(0, 3, 1, 2))), torch.from_numpy(goal[chosen]), torch.from_numpy(weight[chosen])
                step += 1

    def loss_of(net: torch.nn.Module, batch: tuple) -> tuple[torch.Tensor, dict[str, float]]:
        logits = net(training.normalised(batch[0]))
        p = batch[1]
        loss = (-(p * F.log_softmax(logits, 1)[:, 1] + (1 - p) * F.log_softmax(logits, 1)[:, 0]) * batch[2]).mean()
        right = ((logits[:, 1] > logits[:, 0]) == (p > 0.5)).float().mean()
        return loss, {"loss": loss.item(), "right": right.item()}

    net = Liveness().to(memory_format=torch.channels_last)
    return training.run(net, batches, loss_of, steps, 2e-3, checkpoint_path(work), decay=0.05, device=device)


def checkpoint_path(work: Path) -> Path:
    return work / "liveness.pt"


def load(work: Path) -> torch.nn.Module:
    """The averaged net of the last checkpoint."""
    return training.load_average(Liveness(), checkpoint_path(work))


def main() -> None:
    training.command(
        __doc__, 12000, samples=60000,
        train=lambda a: train(a.steps, a.samples, a.seed, a.work, a.workers, a.device),
        export=lambda a: export(folded(load(a.work)), a.pack / "liveness.onnx", SIZE, ["logits"]),
        measure=lambda a: measure(a.pack / "liveness.onnx", a.split, a.work, SHARED))


if __name__ == "__main__":
    main()
