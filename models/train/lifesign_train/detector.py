"""Trains, exports and measures the detector: `python -m lifesign_train.detector all`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import torch

from . import training
from .data import SHARED, WORK, ImageStore, load_rows
from .detector_data import SceneDataset, Scenes, training_rows
from .detector_loss import detector_loss
from .detector_net import Detector

SIZE = 256
# Most steps run on small scenes, which cost a quarter; the last ones on whole ones, where faces fill 256 pixels.
PHASES = ((128, 32, 0.85), (256, 16, 0.15))


def normalised(batch: torch.Tensor) -> torch.Tensor:
    """What the manifest's `divide = 255, mean = 0.5, std = 0.25` does."""
    return (batch.float() / 255.0 - 0.5) / 0.25


def checkpoint_path(work: Path) -> Path:
    return work / "detector.pt"


def train(steps: int, seed: int, work: Path, workers: int, device: str = "cpu") -> torch.nn.Module:
    """Trains to `steps`, going on from the checkpoint in `work`."""
    training.seed_everything(seed)
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
        image = normalised(batch[0]).contiguous(memory_format=torch.channels_last)
        return detector_loss(net(image), batch[1])

    net = Detector().to(memory_format=torch.channels_last)
    return training.run(net, batches, loss_of, steps, 2.5e-3, checkpoint_path(work), device=device)


def load(work: Path) -> torch.nn.Module:
    """The averaged net of the last checkpoint."""
    net = Detector()
    net.load_state_dict(torch.load(checkpoint_path(work), weights_only=True, map_location="cpu")["average"])
    return net.eval()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["train", "export", "measure", "all"])
    parser.add_argument("--steps", type=int, default=40000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--work", type=Path, default=WORK)
    parser.add_argument("--pack", type=Path, default=WORK / "pack")
    parser.add_argument("--split", choices=["val", "test"], default="val")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    if args.what in ("train", "all"):
        train(args.steps, args.seed, args.work, args.workers, args.device)
    if args.what in ("export", "all"):
        from .export import export_detector
        export_detector(load(args.work), args.pack / "detector.onnx", SIZE)
    if args.what in ("measure", "all"):
        from .detector_measure import measure
        measure(args.pack / "detector.onnx", args.split, args.work, SHARED)


if __name__ == "__main__":
    main()
