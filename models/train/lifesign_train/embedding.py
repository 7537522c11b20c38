"""Trains, exports and measures the embedding model: `python -m lifesign_train.embedding all`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from . import training
from .data import SHARED, load_rows
from .embedding_data import MIXTURES, SIZE, build, jittered
from .embedding_measure import measure
from .embedding_net import Embedding, Trained
from .export import export, folded
from .muon import Muon

BATCH = 96
RATE = 4e-3
MIXED = 1 / 3  # share of blends in a batch
RELATION, HINT = 8.0, 0.5  # weights of the two further terms; at the start each is about a third of the loss


def losses(vector: torch.Tensor, maps: torch.Tensor, target: torch.Tensor, hint: torch.Tensor) -> tuple[torch.Tensor, dict[str, float]]:
    """The angle to the teacher's vector; the faces' likeness among each other (Park et al., CVPR 2019); the angle to the teacher's map, cell by cell (FitNets)."""
    unit = F.normalize(vector)
    angle = (1 - (unit * target).sum(1)).mean()
    apart = (unit @ unit.T - target @ target.T).square()
    relation = apart.sum() / (len(unit) * (len(unit) - 1))
    cells = maps.flatten(2).transpose(1, 2)
    where = (1 - F.cosine_similarity(cells, hint, dim=2)).mean()
    return angle + RELATION * relation + HINT * where, {"angle": angle.item(), "relation": relation.item(), "hint": where.item()}


class Endless(torch.utils.data.IterableDataset):
    """Whole batches from a step on, so that another process can make them."""

    def __init__(self, make: Callable[[int], Iterator[tuple]], step: int):
        self.make, self.step = make, step

    def __iter__(self) -> Iterator[tuple]:
        return self.make(self.step)


def train(steps: int, seed: int, work: Path, workers: int, device: str = "cpu") -> torch.nn.Module:
    """Trains to `steps`, going on from the checkpoint in `work`."""
    pool = build(load_rows(), "train", seed, work=work)
    real = len(pool["target"]) - MIXTURES
    # Channels of the teacher's map differ in size and offset; without both every cell looks alike.
    flat = pool["hint"].reshape(-1, pool["hint"].shape[-1])[::17].astype(np.float32)
    mean, deviation = flat.mean(0), flat.std(0) + 1e-6

    def batches(step: int) -> Iterator[tuple]:
        mixed = round(BATCH * MIXED)
        while True:
            rng = np.random.default_rng((seed, step))
            chosen = np.concatenate([rng.choice(real, BATCH - mixed, replace=False), real + rng.choice(MIXTURES, mixed, replace=False)])
            mirror = rng.random(BATCH) < 0.5
            views = np.stack([jittered(pool["view"][i], rng, bool(m)) for i, m in zip(chosen, mirror)])
            hint = (pool["hint"][chosen, mirror.astype(int)].astype(np.float32) - mean) / deviation
            yield torch.from_numpy(np.ascontiguousarray(views.transpose(0, 3, 1, 2))), torch.from_numpy(pool["target"][chosen]), torch.from_numpy(hint)
            step += 1

    def loaded(step: int) -> Iterator[tuple]:
        # More than one process would each make every step.
        return iter(torch.utils.data.DataLoader(Endless(batches, step), None, num_workers=min(workers, 1), prefetch_factor=4 if workers else None))

    def loss_of(net: torch.nn.Module, batch: tuple) -> tuple[torch.Tensor, dict[str, float]]:
        vector, maps = net(training.normalised(batch[0]))
        return losses(vector, maps, batch[1], batch[2])

    net = Trained().to(memory_format=torch.channels_last)
    return training.run(net, loaded, loss_of, steps, RATE, checkpoint_path(work), device=device, optimiser_of=Muon)


def checkpoint_path(work: Path) -> Path:
    return work / "embedding.pt"


def load(work: Path) -> Embedding:
    """The averaged net of the last checkpoint, without the adaptor."""
    trained = training.load_average(Trained(), checkpoint_path(work))
    assert isinstance(trained, Trained)
    return trained.net


def main() -> None:
    training.command(
        __doc__, 4000,
        train=lambda a: train(a.steps, a.seed, a.work, a.workers, a.device),
        export=lambda a: export(folded(load(a.work)), a.pack / "embedding.onnx", SIZE, ["embedding"]),
        measure=lambda a: measure(a.pack / "embedding.onnx", a.split, a.work, SHARED))


if __name__ == "__main__":
    main()
