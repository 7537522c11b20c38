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
from .detector_teacher import Hinted, Teacher, hint_loss
from .export import export, folded

SIZE = 256
# First small scenes, which cost half; then whole ones, where faces fill 256 pixels; in the end most pictures in their own framing, as cameras
# give them. (size, batch, part of the steps, part of natural scenes)
PHASES = ((128, 32, 0.3, 0.0), (256, 16, 0.2, 0.0), (256, 16, 0.5, 0.65))
HINT = 1.0  # weight of the teacher's features


def checkpoint_path(work: Path) -> Path:
    return work / "detector.pt"


def train(steps: int, seed: int, work: Path, workers: int, device: str = "cpu") -> torch.nn.Module:
    """Trains to `steps`, going on from the checkpoint in `work`."""
    faces, nonfaces = training_rows(load_rows(), "train")
    print(f"{len(faces)} face pictures, {len(nonfaces)} without", flush=True)
    stores = ImageStore(faces, 320), ImageStore(nonfaces, 320)

    def batches(step: int) -> Iterator[tuple]:
        begin, shares = 0, 0.0
        for size, batch, share, natural in PHASES:
            shares += share
            count = round(steps * shares) - begin
            if step < begin + count:
                done = max(0, step - begin)
                data = SceneDataset(Scenes(*stores, size, natural), (seed * 1000 + size + bool(natural)) * 10_000_000 + done * batch, (count - done) * batch)
                yield from torch.utils.data.DataLoader(data, batch, num_workers=workers, prefetch_factor=4 if workers else None)
            begin += count

    teacher = Teacher()

    def loss_of(net: torch.nn.Module, batch: tuple) -> tuple[torch.Tensor, dict[str, float]]:
        scores, boxes, features = teacher(batch[0])
        raw, hints = net(training.normalised(batch[0]))
        loss, parts = detector_loss(raw, batch[1], (scores, boxes))
        hint = hint_loss(hints, features, batch[1][..., 20] > 0)
        return loss + HINT * hint, {**parts, "hint": hint.item()}

    net = Hinted(Detector()).to(memory_format=torch.channels_last)
    return training.run(net, batches, loss_of, steps, 2.5e-3, checkpoint_path(work), device=device)


def load(work: Path) -> Detector:
    """The averaged net of the last checkpoint."""
    return training.load_average(Hinted(Detector()), checkpoint_path(work)).student


def main() -> None:
    training.command(
        __doc__, 12000,
        train=lambda a: train(a.steps, a.seed, a.work, a.workers, a.device),
        export=lambda a: export(Exported(folded(load(a.work)), SIZE).eval(), a.pack / "detector.onnx", SIZE, Exported.NAMES),
        measure=lambda a: measure(a.pack / "detector.onnx", a.split, a.work, SHARED))


if __name__ == "__main__":
    main()
