"""The deepfake pool: pairs of a genuine and a forged face that agree in everything but the forgery, as far as that can be arranged.

The sources give their classes away: in the OpenForensics crops the height of the face box alone tells genuine from forged (genuine faces fill less of
the picture, and are softer), which no camera's frame would. So both members of a pair come from one source, are given the same room around the face, the same
face height in pixels, the same jitter and the same treatment, and genuine OpenForensics faces are paired with forged ones that are as sharp.
"""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import cv2
import numpy as np

from .augment import jpeg, noise, tone
from .crops import scaled_box
from .data import WORK, ImageStore, Row
from .deepfake_blend import blend

SIZE, SCALE = 128, 1.25
LONGEST = 512
# Sources with genuine and forged pictures: what is genuine and what is forged in each.
SOURCES: dict[str, tuple[tuple[tuple[str, str], ...], tuple[str, str]]] = {
    "openforensics": ((("deepfake_real", "openforensics"),), ("deepfake", "openforensics")),
    "dfdc": ((("deepfake_real", "dfdc"),), ("deepfake", "dfdc")),
    "stylegan2": ((("deepfake_real", "ffhq"), ("faces_portrait", "ffhq")), ("deepfake", "stylegan2")),
    "composite": ((("deepfake_real", "portrait"), ("faces_portrait", "portrait")), ("deepfake", "photoshop_composite")),
}
# Shares of the pool; `blend` are self-blended genuine faces against themselves.
SHARES = {"openforensics": 0.37, "dfdc": 0.21, "stylegan2": 0.03, "composite": 0.03, "blend": 0.36}
# Which genuine faces are blended. LFW outnumbers everything: the kind is drawn first, then the picture.
BLENDED = {("deepfake_real", "openforensics"): 0.34, ("faces_id", "lfw"): 0.26, ("faces_portrait", "ffhq"): 0.1, ("faces_portrait", "portrait"): 0.06,
           ("deepfake_real", "portrait"): 0.06, ("live", "celeba_spoof"): 0.1, ("faces_portrait", "web"): 0.08}
LFW_AT_MOST = 1500  # decoded and kept; more pictures of one kind would add little
HEIGHTS = (60.0, 280.0)  # of the face in pixels before the crop, drawn between these and what both members have, rather high than low
SHARPNESS_AT = 80.0  # face height at which sharpness is compared
NEAREST = 24  # a partner is drawn among so many of the nearest in sharpness


def usable(row: Row) -> bool:
    """Whether the row has one well-found face of a size worth judging."""
    return row.box is not None and row.points is not None and row.score >= 0.6 and row.box[3] >= HEIGHTS[0]


def of_source(rows: list[Row], split: str, source: str) -> tuple[list[Row], list[Row]]:
    """Genuine and forged rows of a source."""
    genuine, forged = SOURCES[source]
    mine = [r for r in rows if r.split == split and usable(r)]
    return [r for r in mine if (r.label, r.kind) in genuine], [r for r in mine if (r.label, r.kind) == forged]


def resized(image: np.ndarray, box: np.ndarray, height: float) -> tuple[np.ndarray, np.ndarray]:
    """The picture scaled down so that the box is `height` pixels high; never up."""
    k = height / float(box[3])
    if k >= 1.0:
        return image, box
    size = (max(8, round(image.shape[1] * k)), max(8, round(image.shape[0] * k)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA), box * k


def sharpness(image: np.ndarray, box: np.ndarray) -> float:
    """Log of the Laplacian's strength within the face over its contrast, at a fixed face height."""
    image, box = resized(image, box, SHARPNESS_AT)
    x, y, w, h = (int(v) for v in box)
    face = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)[max(y, 0):y + h, max(x, 0):x + w].astype(np.float32)
    return float(np.log((cv2.Laplacian(face, cv2.CV_32F).std() + 0.1) / (face.std() + 1.0)))


def room(image: np.ndarray, box: np.ndarray) -> np.ndarray:
    """What lies left, above, right and below the box, in parts of its size; negative where it leaves the picture."""
    h, w = image.shape[:2]
    x, y, bw, bh = box
    return np.array([x / bw, y / bh, (w - x - bw) / bw, (h - y - bh) / bh])


def window(image: np.ndarray, box: np.ndarray, margins: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The picture cut to `margins` (as from `room`) around the box, and the box in it."""
    h, w = image.shape[:2]
    x, y, bw, bh = box
    left, top = int(np.clip(round(x - margins[0] * bw), 0, w - 8)), int(np.clip(round(y - margins[1] * bh), 0, h - 8))
    right, bottom = int(np.clip(round(x + bw * (1 + margins[2])), left + 8, w)), int(np.clip(round(y + bh * (1 + margins[3])), top + 8, h))
    return image[top:bottom, left:right], box - np.array([left, top, 0, 0], np.float32)


def treated(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """What cameras and codecs do, mild enough to leave the marks of a forgery."""
    if rng.random() < 0.6:
        image = tone(image, rng, 0.6)
    if rng.random() < 0.2:
        image = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.3, 0.9)))
    if rng.random() < 0.2:
        image = noise(image, float(rng.uniform(1, 4)), rng)
    if rng.random() < 0.5:
        image = jpeg(image, int(rng.integers(50, 96)))
    return image


def _height(boxes: list[np.ndarray], rng: np.random.Generator) -> float:
    """A face height that none of the boxes has to be enlarged for; small faces, whose marks are gone, are rarer."""
    low, high = HEIGHTS[0], min(HEIGHTS[1], *(float(b[3]) for b in boxes))
    return low + max(0.0, high - low) * float(np.sqrt(rng.random()))


class Pool:
    """Makes pair `seed`: a genuine and a forged crop and how they came about (index into `SHARES`)."""

    def __init__(self, rows: list[Row], split: str):
        self.rows: list[Row] = []
        self.sides: dict[str, tuple[range, range]] = {}
        for source in SOURCES:
            genuine, forged = of_source(rows, split, source)
            self.sides[source] = (self._take(genuine), self._take(forged))
        self.blended: dict[tuple[str, str], list[int]] = {}
        known = {r.file: i for i, r in enumerate(self.rows)}
        for key in BLENDED:
            found = [r for r in rows if r.split == split and (r.label, r.kind) == key and usable(r)][:LFW_AT_MOST]
            fresh = self._take([r for r in found if r.file not in known])
            self.blended[key] = [known[r.file] for r in found if r.file in known] + list(fresh)
        self.store = ImageStore(self.rows, LONGEST)
        self.names = [n for n in SHARES if n == "blend" or all(len(side) for side in self.sides[n])]
        self.weights = np.array([SHARES[n] for n in self.names])
        self.weights /= self.weights.sum()
        # Partners: DFDC forgeries by the video they were made from, all others by sharpness.
        self.by_group: dict[str, list[int]] = {}
        for i in self.sides["dfdc"][1]:
            self.by_group.setdefault(self.rows[i].group, []).append(i)
        self.sharpness = {i: sharpness(*self._picture(i)) for n in SOURCES if n != "dfdc" for side in self.sides[n] for i in side}

    def _take(self, rows: list[Row]) -> range:
        self.rows.extend(rows)
        return range(len(self.rows) - len(rows), len(self.rows))

    def _picture(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        image, k = self.store.get(i)
        return image, self.rows[i].box * k

    def _pair(self, source: str, rng: np.random.Generator) -> tuple[int, int]:
        """Indices of a genuine and a forged picture. Either side leads in turn, so that all pictures of both are seen."""
        genuine, forged = self.sides[source]
        lead = int(rng.integers(2))
        mine, others = ((genuine, forged), (forged, genuine))[lead]
        i = int(rng.choice(mine))
        if source == "dfdc" and lead == 0 and (same := self.by_group.get(self.rows[i].group)):
            return i, int(rng.choice(same))
        if source == "dfdc":
            found = [j for j in others if self.rows[j].group == self.rows[i].group] or list(others)
            j = int(rng.choice(found))
        else:
            away = np.abs(np.array([self.sharpness[j] for j in others]) - self.sharpness[i])
            j = others[int(rng.choice(np.argsort(away)[:min(NEAREST, max(2, len(others) // 4))]))]
        return (i, j) if lead == 0 else (j, i)

    def sample(self, seed: int) -> tuple[np.ndarray, np.ndarray, int]:
        """Genuine crop, forged crop, origin."""
        rng = np.random.default_rng(seed)
        name = self.names[int(rng.choice(len(self.names), p=self.weights))]
        if name == "blend":
            keys = [k for k in BLENDED if self.blended[k]]
            w = np.array([BLENDED[k] for k in keys])
            i = int(rng.choice(self.blended[keys[int(rng.choice(len(keys), p=w / w.sum()))]]))
            real, box = self._picture(i)
            k = self.store.get(i)[1]
            # Blended at the size at which it will be seen, give or take: marks of a known size in pixels.
            height = _height([box], rng)
            points = self.rows[i].points * k
            if rng.random() < 0.6:
                k = min(1.0, height / float(box[3]))
                real, box = resized(real, box, height)
                points = points * k
            members = [(real, box), (blend(real, points, rng), box)]
        else:
            members = [self._picture(i) for i in self._pair(name, rng)]
            height = _height([b for _, b in members], rng)
        margins = np.minimum(*(room(image, box) for image, box in members))
        margins = np.minimum(margins, np.where(rng.random(4) < 0.3, rng.uniform(0.0, 0.3, 4), 9.0))
        jitter, fate, flip = rng.normal(0, 0.03, 4), int(rng.integers(1 << 31)), rng.random() < 0.5
        crops = []
        for image, box in members:
            image, box = resized(*window(image, box, margins), height)
            image = treated(np.ascontiguousarray(image), np.random.default_rng(fate))
            moved = box + jitter * np.array([box[2], box[3], box[2], box[3]])
            crop = scaled_box(image, np.maximum(moved, [0, 0, 8, 8]), SCALE, SIZE)
            crops.append(crop[:, ::-1] if flip else crop)
        return crops[0], crops[1], list(SHARES).index(name)


_WORKER: Pool | None = None


def _make(seed: int) -> tuple[np.ndarray, np.ndarray, int]:
    assert _WORKER is not None
    return _WORKER.sample(seed)


def build(rows: list[Row], split: str, count: int, seed: int, workers: int, work: Path = WORK) -> dict[str, np.ndarray]:
    """The pool of `count` pairs as arrays genuine and forged (uint8 BGR) and origin; kept in the cache by its parameters."""
    global _WORKER
    folder = work / "cache" / f"deepfake-{split}-{count}-{seed}"
    if not (folder / "origin.npy").exists():
        folder.mkdir(parents=True, exist_ok=True)
        _WORKER = Pool(rows, split)
        crops = [np.lib.format.open_memmap(folder / f"{side}.npy", "w+", np.uint8, (count, SIZE, SIZE, 3)) for side in ("genuine", "forged")]
        origins = np.zeros(count, np.int64)
        seeds = range(seed * 10_000_000, seed * 10_000_000 + count)
        with multiprocessing.get_context("fork").Pool(workers) as pool:
            for n, (genuine, forged, origin) in enumerate(pool.imap(_make, seeds, 64)):
                crops[0][n], crops[1][n], origins[n] = genuine, forged, origin
                if (n + 1) % 2000 == 0:
                    print(f"pool {split} {n + 1}/{count}", flush=True)
        for array in crops:
            array.flush()
        np.save(folder / "origin.npy", origins)
    return {name: np.load(folder / f"{name}.npy", mmap_mode=None if name == "origin" else "r") for name in ("genuine", "forged", "origin")}
