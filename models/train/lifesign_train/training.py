"""What every training run shares: seeds, a step-driven loop with checkpoints, weight averaging and a cosine schedule."""

from __future__ import annotations

import copy
import math
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import nn


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
        device: str = "cpu") -> nn.Module:
    """Trains up to `steps` steps and returns the averaged net. Where `checkpoint` exists the run goes on from it.

    `batches(step)` yields the batches from that step on, so that a resumed run sees what an uninterrupted one would have seen.
    """
    net = net.to(device)
    average = Average(net)
    optimiser = torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=decay)
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
        warm = min(1.0, (step + 1) / 200)
        for group in optimiser.param_groups:
            group["lr"] = rate * warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / steps)))
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
