"""Trains, exports and measures the detector: `python -m lifesign_train.detector all`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch

from . import training
from .data import SHARED, ImageStore, load_rows
from .detector_data import SceneDataset, Scenes, training_rows
from .detector_loss import detector_loss
from .detector_measure import measure
from .detector_net import Detector, Exported
from .export import export, folded

SIZE = 256
# Most steps run on small scenes, which cost a quarter; the last ones on whole ones, where faces fill 256 pixels.
PHASES = ((128, 32, 0.85), (256, 16, 0.15))


def checkpoint_path(work: Path) -> Path:
    return work / "detector.pt"


def train(steps: int, seed: int, work: Path, workers: int, device: str = "cpu") -> torch.nn.Module:
    """Trains to `steps`, going on from the checkpoint in `work`."""
    faces, nonfaces = training_rows(load_rows(), "train")
    print(f"{len(faces)} face pictures, {len(nonfaces)} without", flush=True)
    stores = ImageStore(faces, 320), ImageStore(nonfaces, 320)

    def batches(step: int) -> Iterator[tuple]:
        begin = 0
        for size, batch, share in PHASES:
            count = round(steps * share)
            if step < begin + count:
                done = max(0, step - begin)
                data = SceneDataset(Scenes(*stores, size), (seed * 1000 + size) * 10_000_000 + done * batch, (count - done) * batch)
                yield from torch.utils.data.DataLoader(data, batch, num_workers=workers, prefetch_factor=4 if workers else None)
            begin += count

    def loss_of(net: torch.nn.Module, batch: tuple) -> tuple[torch.Tensor, dict[str, float]]:
        image = training.normalised(batch[0])
        return detector_loss(net(image), batch[1])

    net = Detector().to(memory_format=torch.channels_last)
    return training.run(net, batches, loss_of, steps, 2.5e-3, checkpoint_path(work), device=device)


def load(work: Path) -> torch.nn.Module:
    """The averaged net of the last checkpoint."""
    return training.load_average(Detector(), checkpoint_path(work))


def main() -> None:
    training.command(
        __doc__, 20000,
        train=lambda a: train(a.steps, a.seed, a.work, a.workers, a.device),
        export=lambda a: export(Exported(folded(load(a.work)), SIZE).eval(), a.pack / "detector.onnx", SIZE, Exported.NAMES),
        measure=lambda a: measure(a.pack / "detector.onnx", a.split, a.work, SHARED))


if __name__ == "__main__":
    main()
