"""Assembles the pack: files, hashes, sizes, self-tests and thresholds into `pack.toml`; keys as in `core/src/pack/manifest.rs`."""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
from pathlib import Path

import numpy as np

from .cards import write_cards
from .data import REPOSITORY, WORK
from .detector_measure import LONGEST, NMS, SIZE as DETECTOR_SIZE, session
from .detector_net import STRIDES
from .liveness_data import SCALE, SIZE as LIVENESS_SIZE

VERSION = "0.1.0"
# Input values of a self-test: the range that 0..255 has after `divide`, `mean` and `std`.
FROM, TO, TOLERANCE = -2.0, 2.0, 2e-3


def synthetic(shape: tuple[int, ...], seed: int, low: float, high: float) -> np.ndarray:
    """The self-test input: value i is low + (high - low) * ((i * 2654435761 + seed * 40503) mod 2^32) / 2^32."""
    i = np.arange(int(np.prod(shape)), dtype=np.uint64)
    u = ((i * np.uint64(2654435761) + np.uint64(seed) * np.uint64(40503)) % np.uint64(2 ** 32)).astype(np.float64) / 2 ** 32
    return (low + (high - low) * u).astype(np.float32).reshape(shape)


def self_tests(path: Path, model: str, size: int, outputs: list[str], values: int = 8) -> list[dict]:
    """Two inputs, the first `values` numbers of each output."""
    net = session(path)
    tests = []
    for seed in (1, 2):
        out = dict(zip(outputs, net.run(outputs, {"input": synthetic((1, 3, size, size), seed, FROM, TO)})))
        tests += [{"model": model, "seed": seed, "from": FROM, "to": TO, "output": name, "expect": [round(float(v), 6) for v in out[name].ravel()[:values]],
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


def good_enough(figures: dict) -> bool:
    """Whether the liveness figures reach what the check needs to decide: AUC of at least 0.90 on real frames in full context."""
    return float(figures.get("auc context live against print + replay", "0").split()[0]) >= 0.90


def assemble(source: Path, target: Path, work: Path) -> None:
    """Copies the models of `source` into `target` and writes the manifest and the cards from the stored measurements."""
    target.mkdir(parents=True, exist_ok=True)
    face_score = json.loads((work / "detector-threshold.json").read_text())["face_score"]
    live_score = json.loads((work / "liveness-threshold.json").read_text())["score"]
    figures = {f"{role}-{split}": json.loads(p.read_text()) for role in ("detector", "liveness") for split in ("val", "test") if (p := work / f"{role}-{split}.json").exists()}
    for name in ("detector.onnx", "liveness.onnx"):
        shutil.copyfile(source / name, target / name)
    models = [
        model("detector", target / "detector.onnx", DETECTOR_SIZE, {"rule": "letterbox", "longest": list(LONGEST)},
              {"rule": "yunet", "strides": list(STRIDES), "score": round(max(0.3, face_score - 0.15), 2), "face_score": face_score, "nms": NMS}),
        model("liveness", target / "liveness.onnx", LIVENESS_SIZE, {"rule": "scaled_box", "scale": SCALE}, {"rule": "softmax", "output": "logits", "live_index": 1}),
    ]
    live = figures.get("liveness-val", {})
    groups = live.get("per group, weakest first", {})
    measured = "chosen on val: 5 % of genuine rejected, the mean of the thresholds for real frames and for simulated ones; there " + "; ".join(
        f"{name}: {kind} {entry[kind]}" for name in ("context live", "context print", "context replay", "simulated live", "simulated print", "simulated replay")
        if (entry := groups.get(name)) for kind in ("BPCER", "APCER") if kind in entry)
    parts = [
        "# Written by `python -m lifesign_train.pack`; do not edit. Keys: core/src/pack/manifest.rs. What each model is worth: cards/.\n",
        section("[pack]", {"id": "builtin", "version": VERSION, "assurance": "BUILTIN",
                           "description": "Small models trained by this project: a detector and a liveness model. No deepfake, embedding or mesh model: their checks are NOT_RUN."}),
    ]
    parts += [section("[[model]]", m) for m in models]
    parts.append(section("[[threshold]]", {"check": "PresentationAttack", "score": live_score, "measured": measured, "advisory": not good_enough(live)}))
    tests = self_tests(target / "detector.onnx", "builtin_detector", DETECTOR_SIZE, [f"{k}_{s}" for k in ("cls", "obj", "bbox", "kps") for s in STRIDES])
    tests += self_tests(target / "liveness.onnx", "builtin_liveness", LIVENESS_SIZE, ["logits"], 2)
    parts += [section("[[self_test]]", t) for t in tests]
    write_cards(target, figures)
    (target / "pack.toml").write_text("\n".join(parts))
    print(f"{target / 'pack.toml'}: {sum(m['size'] for m in models)} bytes of models")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", type=Path, default=WORK / "pack")
    parser.add_argument("--target", type=Path, default=REPOSITORY / "models" / "builtin")
    parser.add_argument("--work", type=Path, default=WORK)
    args = parser.parse_args()
    assemble(args.source, args.target, args.work)


if __name__ == "__main__":
    main()
