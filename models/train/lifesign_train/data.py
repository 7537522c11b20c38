"""The training data: manifest rows, and a cache of decoded images so that an epoch does not decode JPEG again."""

from __future__ import annotations

import csv
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

REPOSITORY = Path(__file__).resolve().parents[3]
SHARED = Path(os.environ.get("LIFESIGN_SHARED", REPOSITORY.parent / "shared"))
WORK = Path(os.environ.get("LIFESIGN_TRAIN_DIR", REPOSITORY / "target" / "train"))
LANDMARKS = ("re", "le", "nose", "rm", "lm")
# Never spread one decode over threads: the loaders already run beside the training threads.
cv2.setNumThreads(1)


@dataclass(frozen=True)
class Row:
    """One image of the manifest. Box and landmarks are in pixels of the file; both are None where no face was found."""

    file: str
    label: str
    split: str
    source: str
    kind: str
    identity: str
    group: str
    faces: int
    score: float
    box: np.ndarray | None  # x, y, w, h
    points: np.ndarray | None  # 5 x 2: right eye, left eye, nose, right and left corner of the mouth


def load_rows(shared: Path = SHARED) -> list[Row]:
    """All rows of `data/manifest.csv`, in file order."""
    rows = []
    with open(shared / "data" / "manifest.csv", newline="") as handle:
        for raw in csv.DictReader(handle):
            box = points = None
            if raw["x"]:
                box = np.array([float(raw[k]) for k in "xywh"], np.float32)
                points = np.array([[float(raw[f"{n}_x"]), float(raw[f"{n}_y"])] for n in LANDMARKS], np.float32)
            rows.append(Row(raw["file"], raw["label"], raw["split"], raw["source_repo"], raw["kind"], raw["identity"],
                            raw["group"], int(raw["faces"] or 0), float(raw["score"] or 0), box, points))
    return rows


def read_image(row: Row, shared: Path = SHARED) -> np.ndarray:
    """The image as BGR, height x width x 3, uint8."""
    image = cv2.imread(str(shared / "data" / row.file), cv2.IMREAD_COLOR)
    if image is None:
        raise ValueError(f"{row.file} cannot be decoded")
    return image


class ImageStore:
    """Images of some rows, decoded once, scaled down to `longest` and kept in one flat uint8 file.

    `get(i)` returns the image and the factor by which the manifest's coordinates must be multiplied.
    """

    def __init__(self, rows: list[Row], longest: int, cache: Path = WORK / "cache", shared: Path = SHARED):
        key = hashlib.sha256("\n".join([str(longest), *(r.file for r in rows)]).encode()).hexdigest()[:16]
        cache.mkdir(parents=True, exist_ok=True)
        self.rows = rows
        data, index = cache / f"images-{key}.bin", cache / f"images-{key}.npy"
        if not index.exists():
            table, offset = [], 0
            with open(data, "wb") as out:
                for row in rows:
                    image = read_image(row, shared)
                    factor = min(1.0, longest / max(image.shape[:2]))
                    if factor < 1.0:
                        size = (max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor)))
                        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
                    out.write(np.ascontiguousarray(image).tobytes())
                    table.append((offset, image.shape[0], image.shape[1], factor))
                    offset += image.size
            partial = index.with_suffix(".part.npy")
            np.save(partial, np.array(table, np.float64))
            partial.rename(index)
        self.table = np.load(index)
        self.flat = np.memmap(data, np.uint8, "r") if len(rows) else np.zeros(0, np.uint8)

    def __len__(self) -> int:
        return len(self.rows)

    def get(self, i: int) -> tuple[np.ndarray, float]:
        """Image `i` as BGR uint8, and its scale against the file."""
        offset, height, width, factor = self.table[i]
        start, h, w = int(offset), int(height), int(width)
        return np.asarray(self.flat[start:start + h * w * 3]).reshape(h, w, 3), float(factor)
