"""Pieces of `pack.toml`: model entries with hashes, self-tests with recorded outputs, and TOML itself; keys as in `core/src/pack/manifest.rs`."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np

from .measuring import session

VERSION = "0.1.0"
# Input values of a self-test: the range that 0..255 has after `divide`, `mean` and `std`.
FROM, TO, TOLERANCE = -2.0, 2.0, 2e-3


def synthetic(shape: tuple[int, ...], seed: int, low: float, high: float) -> np.ndarray:
    """The self-test input: value i is low + (high - low) * ((i * 2654435761 + seed * 40503) mod 2^32) / 2^32."""
    i = np.arange(int(np.prod(shape)), dtype=np.uint64)
    u = ((i * np.uint64(2654435761) + np.uint64(seed) * np.uint64(40503)) % np.uint64(2 ** 32)).astype(np.float64) / 2 ** 32
    return (low + (high - low) * u).astype(np.float32).reshape(shape)


def self_tests(path: Path, model: str, size: int, outputs: list[str], values: int = 8, low: float = FROM, high: float = TO) -> list[dict]:
    """Two inputs of values between `low` and `high`, the first `values` numbers of each output."""
    net = session(path)
    tests = []
    for seed in (1, 2):
        out = dict(zip(outputs, net.run(outputs, {"input": synthetic((1, 3, size, size), seed, low, high)})))
        tests += [{"model": model, "seed": seed, "from": low, "to": high, "output": name, "expect": [round(float(v), 6) for v in out[name].ravel()[:values]],
                   "tolerance": TOLERANCE} for name in outputs]
    return tests


def value(v: object) -> str:
    """A TOML value."""
    if isinstance(v, bool):
        return "true" if v else "false"
    if isinstance(v, str):
        return json.dumps(v, ensure_ascii=False)
    if isinstance(v, (list, tuple)):
        return "[" + ", ".join(value(x) for x in v) + "]"
    if isinstance(v, dict):
        return "{ " + ", ".join(f"{k} = {value(x)}" for k, x in v.items()) + " }"
    return repr(v)


def section(header: str, entries: dict) -> str:
    return "\n".join([header, *(f"{k} = {value(v)}" for k, v in entries.items())]) + "\n"


def model(role: str, path: Path, size: int, crop: dict, output: dict) -> dict:
    """A `[[model]]` entry for a file that wants (x / 255 - 0.5) / 0.25 in BGR order."""
    data = path.read_bytes()
    return {"role": role, "name": f"builtin_{role}", "version": VERSION, "file": path.name, "sha256": hashlib.sha256(data).hexdigest(), "size": len(data),
            "license": "MIT OR Apache-2.0", "source": f"trained by this project; see cards/{role}.md and models/train", "fetchable": False,
            "input": {"name": "input", "shape": [1, 3, size, size], "colour": "bgr", "divide": 255.0, "mean": [0.5] * 3, "std": [0.25] * 3, "crop": crop},
            "output": output}
