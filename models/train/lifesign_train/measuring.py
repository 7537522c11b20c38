"""What every measurement shares: one-thread sessions and what a run costs."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import onnxruntime


def session(path: Path) -> onnxruntime.InferenceSession:
    """One thread, so that costs can be compared."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def cost(paths: dict[str, Path], turns: int = 25) -> dict[str, float]:
    """Median CPU milliseconds of one run of each file, one thread, ONNX Runtime; interleaved, so that all meet the same load.

    `times cheaper` is the last file's cost over the first's.
    """
    nets = {name: session(path) for name, path in paths.items()}
    times: dict[str, list[float]] = {name: [] for name in nets}
    for turn in range(turns):
        for name, net in nets.items():
            given = net.get_inputs()[0]
            x = np.random.default_rng(turn).uniform(0, 255, given.shape).astype(np.float32)
            start = time.process_time()
            net.run(None, {given.name: x})
            times[name].append((time.process_time() - start) * 1e3)
    out = {name: round(float(np.median(t)), 2) for name, t in times.items()}
    first, last = out[next(iter(paths))], out[list(paths)[-1]]
    return {**out, "times cheaper": round(last / max(first, 1e-9), 1)}
