"""What every training run shares: its command line, seeds, a step-driven loop with checkpoints, weight averaging and the schedule of the rate."""

from __future__ import annotations

import argparse
import copy
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import nn

from .data import WORK

WARM = 200  # steps over which the rate rises
FALL = 0.3  # part of the run, at its end, over which the rate falls to LAST of itself
LAST = 0.01


def command(description: str | None, steps: int, train: Callable[[argparse.Namespace], object], export: Callable[[argparse.Namespace], object],
            measure: Callable[[argparse.Namespace], object], samples: int | None = None) -> None:
    """The command line that every model has: train, export, measure, or all of them in this order."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("what", choices=["train", "export", "measure", "all"])
    parser.add_argument("--steps", type=int, default=steps)
    if samples is not None:
        parser.add_argument("--samples", type=int, default=samples, help="size of the pool of crops")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--work", type=Path, default=WORK, help="pools, checkpoints, measurements")
    parser.add_argument("--pack", type=Path, default=WORK / "pack", help="where the ONNX file goes")
    parser.add_argument("--split", choices=["val", "test"], default="val", help="what `measure` reads")
    parser.add_argument("--workers", type=int, default=1, help="processes that prepare samples")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    seed_everything(args.seed)
    for what, act in (("train", train), ("export", export), ("measure", measure)):
        if args.what in (what, "all"):
            act(args)


def normalised(batch: torch.Tensor) -> torch.Tensor:
    """What the manifest's `divide = 255, mean = 0.5, std = 0.25` does, in the memory layout that is fastest here."""
    return ((batch.float() / 255.0 - 0.5) / 0.25).contiguous(memory_format=torch.channels_last)


def rate_at(step: int, steps: int, rate: float) -> float:
    """Rises over `WARM` steps, stays, and falls in a straight line over the last `FALL` of the run.

    A level middle lets a run be lengthened with `--steps` as long as the fall has not begun, and no step before changes.
    """
    fall = min(1.0, (steps - step) / max(1.0, FALL * steps))
    return rate * min(1.0, (step + 1) / WARM) * max(LAST, fall)


def load_average(net: nn.Module, checkpoint: Path) -> nn.Module:
    """`net` with the averaged weights of a checkpoint, ready for export."""
    net.load_state_dict(torch.load(checkpoint, weights_only=True, map_location="cpu")["average"])
    return net.eval()


def seed_everything(seed: int) -> None:
    """Seeds python, numpy and torch."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


class Average:
    """An exponential moving average of the weights; it is what is exported."""

    def __init__(self, net: nn.Module, decay: float = 0.998):
        self.net, self.decay = copy.deepcopy(net).eval(), decay

    @torch.no_grad()
    def update(self, net: nn.Module, step: int) -> None:
        decay = min(self.decay, (1 + step) / (10 + step))
        for mine, new in zip(self.net.state_dict().values(), net.state_dict().values()):
            if mine.dtype.is_floating_point:
                mine.lerp_(new, 1 - decay)
            else:
                mine.copy_(new)


def run(net: nn.Module, batches: Callable[[int], Iterator[tuple]], loss_of: Callable[[nn.Module, tuple], tuple[torch.Tensor, dict[str, float]]],
        steps: int, rate: float, checkpoint: Path, log_every: int = 25, save_every: int = 100, decay: float = 0.02,
        device: str = "cpu", optimiser_of: Callable[..., torch.optim.Optimizer] = torch.optim.AdamW) -> nn.Module:
    """Trains up to `steps` steps and returns the averaged net. Where `checkpoint` exists the run goes on from it.

    `batches(step)` yields the batches from that step on, so that a resumed run sees what an uninterrupted one would have seen.
    """
    net = net.to(device)
    average = Average(net)
    optimiser = optimiser_of(net.parameters(), lr=rate, weight_decay=decay)
    first = 0
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True, map_location=device)
        net.load_state_dict(state["net"])
        average.net.load_state_dict(state["average"])
        optimiser.load_state_dict(state["optimiser"])
        first = int(state["step"])
        print(f"resumed at step {first}", flush=True)
    net.train()
    started, sums, seen = time.time(), {}, 0
    stream = batches(first)
    for step in range(first, steps):
        for group in optimiser.param_groups:
            group["lr"] = rate_at(step, steps, rate)
        batch = tuple(t.to(device) for t in next(stream))
        optimiser.zero_grad(set_to_none=True)
        loss, parts = loss_of(net, batch)
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimiser.step()
        average.update(net, step)
        for key, value in parts.items():
            sums[key] = sums.get(key, 0.0) + value
        seen += 1
        if (step + 1) % log_every == 0:
            text = " ".join(f"{k} {v / seen:.4f}" for k, v in sums.items())
            print(f"step {step + 1}/{steps} {text} {seen / (time.time() - started):.2f} steps/s", flush=True)
            started, sums, seen = time.time(), {}, 0
        if (step + 1) % save_every == 0 or step + 1 == steps:
            checkpoint.parent.mkdir(parents=True, exist_ok=True)
            partial = checkpoint.with_suffix(".part")
            torch.save({"net": net.state_dict(), "average": average.net.state_dict(), "optimiser": optimiser.state_dict(), "step": step + 1}, partial)
            partial.rename(checkpoint)
    return average.net
