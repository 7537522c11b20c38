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
from .liveness_data import SHARES, SIZE, build
from .liveness_measure import measure
from .liveness_net import Student
from .liveness_teacher import HINTS

BATCH = 64
TEACHER = 0.7  # the teacher's part of the target, where it is on the right side
DOUBT = 0.5  # the weight of a simulated sample about which the teacher errs: the simulation may be to blame
HINT = 0.25  # the weight of guessing the teacher's features
SHIFT = 4  # pixels by which a crop moves between visits


def targets(kind: np.ndarray, teacher: np.ndarray, tight: np.ndarray) -> np.ndarray:
    """P(live) to learn: the smoothed label, mixed with the teacher's opinion where it agrees; of tight crops the teacher knows nothing."""
    hard = np.where(kind == 0, 0.97, 0.03)
    return np.where(agreeing(kind, teacher) & ~tight, (1 - TEACHER) * hard + TEACHER * teacher, hard).astype(np.float32)


def agreeing(kind: np.ndarray, teacher: np.ndarray) -> np.ndarray:
    """Where the teacher is on the label's side."""
    return (teacher > 0.5) == (kind == 0)


def weights(kind: np.ndarray, teacher: np.ndarray, simulated: np.ndarray) -> np.ndarray:
    """Attacks and genuine weigh the same, whatever the pool's shares are."""
    w = np.where(simulated & ~agreeing(kind, teacher), DOUBT, 1.0)
    live = kind == 0
    return np.where(live, w * 0.5 / (w * live).mean(), w * 0.5 / (w * ~live).mean()).astype(np.float32)


def jittered(crops: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Cheap variation on every visit: flip and shift by a few pixels, gain, offset and cast."""
    padded = np.pad(crops, ((0, 0), (SHIFT, SHIFT), (SHIFT, SHIFT), (0, 0)), mode="edge")
    out = np.empty(crops.shape, np.float32)
    for k, (top, left) in enumerate(rng.integers(0, 2 * SHIFT + 1, (len(crops), 2))):
        cut = padded[k, top:top + SIZE, left:left + SIZE]
        out[k] = cut[:, ::-1] if rng.random() < 0.5 else cut
    gain = np.exp(rng.normal(0, 0.1, (len(out), 1, 1, 1)) + rng.normal(0, 0.03, (len(out), 1, 1, 3)))
    out *= gain.astype(np.float32)
    out += rng.normal(0, 5, (len(out), 1, 1, 1)).astype(np.float32)
    return np.clip(out, 0, 255, out=out)


def train(steps: int, samples: int, seed: int, work: Path, workers: int, device: str = "cpu") -> torch.nn.Module:
    """Trains to `steps`, going on from the checkpoint in `work`."""
    pool = build(load_rows(), "train", samples, seed, workers, work=work)
    names = np.array(list(SHARES))[pool["origin"].astype(int)]
    tight, simulated = names == "tight", np.char.startswith(names, "sim")
    goal, weight = targets(pool["kind"], pool["teacher"], tight), weights(pool["kind"], pool["teacher"], simulated)
    known = pool["hint"].astype(np.float32)
    hint = (known - known.mean(0)) / (known.std(0) + 1e-3)
    hinted = (~tight).astype(np.float32)
    per_epoch = samples // BATCH

    def batches(step: int) -> Iterator[tuple]:
        while True:
            order = np.random.default_rng((seed, step // per_epoch)).permutation(samples)
            for k in range(step % per_epoch, per_epoch):
                chosen = np.sort(order[k * BATCH:(k + 1) * BATCH])
                crops = jittered(pool["crop"][chosen], np.random.default_rng((seed, step, 5)))
                yield tuple(torch.from_numpy(a) for a in (crops.transpose(0, 3, 1, 2), goal[chosen], weight[chosen], hint[chosen], hinted[chosen]))
                step += 1

    def loss_of(net: torch.nn.Module, batch: tuple) -> tuple[torch.Tensor, dict[str, float]]:
        logits, guess = net(training.normalised(batch[0]))
        p, w, wanted, use = batch[1:]
        logs = F.log_softmax(logits, 1)
        opinion = (-(p * logs[:, 1] + (1 - p) * logs[:, 0]) * w).mean()
        # Features have outliers: beyond one deviation the error counts as is, not squared.
        copied = (F.smooth_l1_loss(guess, wanted, reduction="none").mean(1) * use).mean()
        right = ((logits[:, 1] > logits[:, 0]) == (p > 0.5)).float().mean()
        return opinion + HINT * copied, {"loss": opinion.item(), "hint": copied.item(), "right": right.item()}

    net = Student(HINTS).to(memory_format=torch.channels_last)
    return training.run(net, batches, loss_of, steps, 2e-3, checkpoint_path(work), decay=0.05, device=device).net


def checkpoint_path(work: Path) -> Path:
    return work / "liveness.pt"


def load(work: Path) -> torch.nn.Module:
    """The averaged net of the last checkpoint."""
    return training.load_average(Student(HINTS), checkpoint_path(work)).net


def main() -> None:
    training.command(
        __doc__, 5500, samples=32000,
        train=lambda a: train(a.steps, a.samples, a.seed, a.work, a.workers, a.device),
        export=lambda a: export(folded(load(a.work)), a.pack / "liveness.onnx", SIZE, ["logits"]),
        measure=lambda a: measure(a.pack / "liveness.onnx", a.split, a.work, SHARED))


if __name__ == "__main__":
    main()
