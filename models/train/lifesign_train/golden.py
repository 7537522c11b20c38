"""What the pack says of the sample pictures, by the training code's crops and rules: `golden.json`, to which the Rust core is held.

Written from the manifest, so that a number that is right here and wrong in `pack.toml` shows.
"""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import cv2
import numpy as np

from . import crops, yunet
from .data import REPOSITORY
from .measuring import session

SAMPLES = REPOSITORY / "samples"
# As in the core's detector: the least longer side of a face, as a part of the frame's shorter side.
LEAST_SIDE = 0.05


class Net:
    """One model of the manifest: from a frame and a face to its outputs."""

    def __init__(self, folder: Path, entry: dict):
        self.net, self.entry, self.given = session(folder / entry["file"]), entry, entry["input"]
        self.size = self.given["shape"][-1]

    def tensor(self, picture: np.ndarray) -> np.ndarray:
        """BGR picture to the model's input."""
        channels = picture if self.given["colour"] == "bgr" else picture[..., ::-1]
        mean, std = np.array(self.given.get("mean", [0.0] * 3)), np.array(self.given.get("std", [1.0] * 3))
        return np.ascontiguousarray(((channels / self.given["divide"] - mean) / std).transpose(2, 0, 1)[None].astype(np.float32))

    def crop(self, frame: np.ndarray, box: np.ndarray, points: np.ndarray) -> np.ndarray:
        """The crop that the manifest's rule cuts."""
        rule = self.given["crop"]
        if rule["rule"] == "scaled_box":
            return crops.scaled_box(frame, box, rule["scale"], self.size)
        if rule["rule"] == "arcface":
            return crops.arcface(frame, points, self.size)
        raise ValueError(f"{self.entry['name']}: the crop rule {rule['rule']} is not known here")

    def run(self, picture: np.ndarray) -> dict[str, np.ndarray]:
        """Outputs by name."""
        names = [o.name for o in self.net.get_outputs()]
        return dict(zip(names, self.net.run(names, {self.given["name"]: self.tensor(picture)})))

    def score(self, frame: np.ndarray, box: np.ndarray, points: np.ndarray) -> float:
        """The probability of a classifier that the face is bona fide; for `probability_real`, after `fake_at` is mapped to 0.5."""
        rule, out = self.entry["output"], self.run(self.crop(frame, box, points))
        if rule["rule"] == "softmax":
            logits = out[rule["output"]].ravel().astype(np.float64)
            e = np.exp(logits - logits.max())
            return float(e[rule["live_index"]] / e.sum())
        real, fake_at = float(out[rule["output"]].ravel()[0]), rule["fake_at"]
        return 0.5 * real / fake_at if real < fake_at else 0.5 + 0.5 * (real - fake_at) / (1 - fake_at)

    def embedding(self, frame: np.ndarray, points: np.ndarray) -> np.ndarray:
        """The unit vector of a face."""
        rule, crop = self.entry["output"], self.crop(frame, np.zeros(4), points)
        vector = self.run(crop)[rule["output"]].ravel().astype(np.float64)
        if rule["flip"]:
            vector = vector + self.run(np.ascontiguousarray(crop[:, ::-1]))[rule["output"]].ravel()
        return vector / np.linalg.norm(vector)


class Pack:
    """The models of a folder by their role, and the faces that its detector finds."""

    def __init__(self, folder: Path):
        manifest = tomllib.loads((folder / "pack.toml").read_text())
        self.nets = {entry["role"]: Net(folder, entry) for entry in manifest["model"]}

    def faces(self, frame: np.ndarray) -> list[yunet.Detection]:
        """What counts as a face, largest first: score, box and landmarks."""
        detector = self.nets["detector"]
        rule, longest = detector.entry["output"], tuple(detector.given["crop"]["longest"])

        # The decode rule hands out letterboxed pictures as tensors; the model's own normalisation takes pictures.
        def run(x: np.ndarray) -> dict[str, np.ndarray]:
            return detector.run(x[0].transpose(1, 2, 0))

        found = yunet.detect(run, frame, detector.size, longest, tuple(rule["strides"]), rule["score"], rule["nms"], rule["face_score"])
        least = LEAST_SIDE * min(frame.shape[:2])
        return sorted((f for f in found if f[0] >= rule["face_score"] and max(f[1][2:]) >= least), key=lambda f: -float(f[1][2] * f[1][3]))


def golden(folder: Path, samples: Path = SAMPLES) -> dict:
    """Boxes, landmarks and scores of every face in the sample pictures, largest face first; the cosine is to the first face of all."""
    pack = Pack(folder)
    first, pictures = None, []
    for path in sorted(samples.glob("*.jpg")):
        frame = cv2.imread(str(path), cv2.IMREAD_COLOR)
        entries = []
        for score, box, points in pack.faces(frame):
            vector = pack.nets["embedding"].embedding(frame, points)
            first = vector if first is None else first
            entries.append({"box": [round(float(v), 2) for v in box], "landmarks": [[round(float(v), 2) for v in p] for p in points], "score": round(score, 4),
                            "liveness": round(pack.nets["liveness"].score(frame, box, points), 4),
                            "deepfake": round(pack.nets["deepfake"].score(frame, box, points), 4),
                            "cosine_to_first": round(float(vector @ first), 4)})
        pictures.append({"file": path.name, "faces": entries})
    return {"written_by": "python -m lifesign_train.pack", "pictures": pictures}


def write(folder: Path) -> None:
    """Writes `golden.json` beside the manifest."""
    (folder / "golden.json").write_text(json.dumps(golden(folder), indent=1) + "\n")
