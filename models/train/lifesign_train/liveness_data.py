"""The liveness pool: crops of genuine, simulated and real presentations, cut once and kept with the teacher's opinion."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import cv2
import numpy as np

from . import attacks
from .augment import blur, jpeg, low_light, noise, tone
from .crops import scaled_box
from .data import WORK, ImageStore, Row
from .liveness_teacher import HINTS, Teacher

SIZE, SCALE = 80, 2.7
VERSION = 2  # of the recipe below and of `attacks`: a pool of another one is not taken from the cache
LONGEST = 512
CONTEXT = ("celeba_spoof", "photo", "vfull", "papermask")  # kinds with the whole frame; `vframe` is a tight crop
# Shares of the pool. Real attacks are few and of few origins: more than half of the pool is simulated.
SHARES = {"sim_live": 0.24, "sim_print": 0.12, "sim_replay": 0.18, "sim_mask": 0.02, "real_live": 0.18, "real_attack": 0.18, "tight": 0.08}
CHUNK = 64


def genuine_rows(rows: list[Row], split: str) -> list[Row]:
    """Genuine pictures with room around the face, on which attacks are simulated."""
    def fits(r: Row) -> bool:
        if r.split != split or r.box is None or r.faces < 1 or r.score < 0.6 or min(r.box[2:]) < 36:
            return False
        return (r.label in ("faces_portrait", "faces_id") or (r.label == "covered" and r.kind == "web_mask")
                or (r.label == "deepfake_real" and r.kind in ("openforensics", "portrait", "ffhq")) or (r.label == "live" and r.kind in CONTEXT))
    return [r for r in rows if fits(r)]


def real_rows(rows: list[Row], split: str) -> list[Row]:
    """Real presentations with a box: live and attacks, full frames and tight crops."""
    return [r for r in rows if r.split == split and r.label in ("live", "spoof_print", "spoof_replay", "spoof_other") and r.box is not None]


def camera(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """What the last camera does. Milder than the detector's: blur and darkness hide what separates an attack from a face."""
    if rng.random() < 0.7:
        image = tone(image, rng, 0.6)
    if rng.random() < 0.03:
        image = low_light(image, rng)
    if rng.random() < 0.12:
        image = blur(image, rng)
    if rng.random() < 0.2:
        image = noise(image, float(rng.uniform(1, 6)), rng)
    if rng.random() < 0.3:
        image = jpeg(image, int(rng.integers(35, 92)))
    return image


def kind_of(row: Row) -> int:
    """Index into `attacks.KINDS`."""
    return {"live": 0, "spoof_print": 1, "spoof_replay": 2, "spoof_other": 3}[row.label]


class Pool:
    """Makes sample `seed`: the crop, its kind (index into `attacks.KINDS`) and how it came about (index into `SHARES`)."""

    def __init__(self, rows: list[Row], split: str, simulated_only: bool = False):
        genuine, real = genuine_rows(rows, split), real_rows(rows, split)
        self.rows = genuine + real + [r for r in rows if r.split == split and r.label == "nonface"]
        self.store = ImageStore(self.rows, LONGEST)
        index = range(len(self.rows))
        self.genuine: dict[str, list[int]] = {}
        for i in index[:len(genuine)]:
            # LFW outnumbers everything: draw the group first, then the picture.
            self.genuine.setdefault("live" if self.rows[i].label == "live" else self.rows[i].kind, []).append(i)
        reals = index[len(genuine):len(genuine) + len(real)]
        self.live = self._by_source([i for i in reals if self.rows[i].label == "live" and self.rows[i].kind in CONTEXT])
        self.attacks = self._by_source([i for i in reals if self.rows[i].label != "live" and self.rows[i].kind in CONTEXT])
        self.tight = self._by_source([i for i in reals if self.rows[i].kind not in CONTEXT])
        self.nonface = list(index[len(genuine) + len(real):])
        names = [n for n in SHARES if not simulated_only or n.startswith("sim")]
        weights = np.array([SHARES[n] for n in names])
        self.names, self.weights = names, weights / weights.sum()

    def _by_source(self, indices: list[int]) -> tuple[list[list[int]], np.ndarray]:
        """Rows per source and label, and how often to draw each: by the root of its size, so that neither many nor few frames of one room rule."""
        groups: dict[tuple[str, str], list[int]] = {}
        for i in indices:
            groups.setdefault((self.rows[i].source, self.rows[i].label), []).append(i)
        share = np.sqrt([len(g) for g in groups.values()])
        return list(groups.values()), share / share.sum()

    def _genuine(self, rng: np.random.Generator) -> int:
        weight = {"lfw": 0.28, "openforensics": 0.12, "live": 0.25}
        groups = list(self.genuine)
        w = np.array([weight.get(g, 0.07) for g in groups])
        return int(rng.choice(self.genuine[groups[int(rng.choice(len(groups), p=w / w.sum()))]]))

    def _source(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        image, k = self.store.get(i)
        return image, self.rows[i].box * k

    def _view(self, image: np.ndarray, box: np.ndarray, scale: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """A window of about `scale` faces around the face, as a camera nearer or further would frame it."""
        h, w = image.shape[:2]
        x, y, bw, bh = box
        side_w, side_h = min(w, int(bw * scale * rng.uniform(1.0, 1.25))), min(h, int(bh * scale))
        left = int(np.clip(x + bw / 2 - side_w / 2 + rng.normal(0, 0.06) * side_w, 0, w - side_w))
        top = int(np.clip(y + bh / 2 - side_h / 2 + rng.normal(0, 0.06) * side_h, 0, h - side_h))
        view = image[top:top + side_h, left:left + side_w]
        out = np.array([x - left, y - top, bw, bh], np.float32)
        face = float(rng.uniform(60, 150))
        if bh > face:
            view = cv2.resize(view, (max(8, int(side_w * face / bh)), max(8, int(side_h * face / bh))), interpolation=cv2.INTER_AREA)
            out *= face / bh
        return view, out

    def sample(self, seed: int) -> tuple[np.ndarray, np.ndarray, int, int]:
        """Frame, box, kind, origin."""
        rng = np.random.default_rng(seed)
        origin = int(rng.choice(len(self.names), p=self.weights))
        name = self.names[origin]
        i = self._genuine(rng)
        image, box = self._source(i)
        room = min(image.shape[0] / box[3], image.shape[1] / box[2], 4.0)
        scale = float(rng.uniform(1.3, max(1.4, room)))
        kind = 0
        if name == "sim_live":
            frame, box = self._view(image, box, scale, rng)
        elif name in ("sim_print", "sim_replay"):
            kind = 1 if name == "sim_print" else 2
            j = int(rng.choice(self.nonface)) if rng.random() < 0.5 else self._genuine(rng)
            backdrop, other = self._source(j) if self.rows[j].box is not None else (self.store.get(j)[0], None)
            if other is not None:  # a room without its person: what lies beside the face
                x0, x1 = int(other[0]), int(other[0] + other[2])
                sides = [s for s in (backdrop[:, :max(x0, 0)], backdrop[:, x1:]) if s.shape[1] >= 16]
                backdrop = max(sides, key=lambda s: s.size) if sides else backdrop[:max(8, int(other[1]))]
            frame, box = attacks.attack(image, box, ("", "print", "replay")[kind], scale, backdrop, rng)
        elif name == "sim_mask":
            kind = 3
            j = self._genuine(rng)
            wearer, worn = self._source(j)
            frame, box = self._view(attacks.mask_attack(image, box, wearer, worn, rng), worn, scale, rng)
        else:
            groups = {"real_live": self.live, "real_attack": self.attacks, "tight": self.tight}[name]
            i = int(rng.choice(groups[0][int(rng.choice(len(groups[0]), p=groups[1]))]))
            image, box = self._source(i)
            kind = kind_of(self.rows[i])
            frame, box = self._view(image, box, float(rng.uniform(1.4, 5.0)), rng)
        # The same camera for everybody, so that its marks tell nothing.
        frame = camera(np.ascontiguousarray(frame), rng)
        if rng.random() < 0.5:
            frame = np.ascontiguousarray(frame[:, ::-1])
            box = np.array([frame.shape[1] - box[0] - box[2], box[1], box[2], box[3]], np.float32)
        jitter = rng.normal(0, 0.03, 4) * [box[2], box[3], box[2], box[3]]
        return frame, np.maximum(box + jitter, [0, 0, 4, 4]).astype(np.float32), kind, origin


_WORKER: Pool | None = None


def _make(seed: int) -> tuple[np.ndarray, int, int]:
    assert _WORKER is not None
    frame, box, kind, origin = _WORKER.sample(seed)
    return scaled_box(frame, box, SCALE, SIZE), kind, origin


def build(rows: list[Row], split: str, count: int, seed: int, workers: int, simulated_only: bool = False, work: Path = WORK) -> dict[str, np.ndarray]:
    """The pool of `count` samples as arrays crop (uint8 BGR), kind, origin, teacher (its P(live)) and hint (its features).

    It is kept in the cache by its parameters. The teacher looks at the finished crops in batches while the workers make the next.
    """
    global _WORKER
    folder = work / "cache" / f"liveness-{VERSION}-{split}-{count}-{seed}{'-sim' if simulated_only else ''}"
    names = ("crop", "hint", "kind", "origin", "teacher")
    if not (folder / "teacher.npy").exists():
        folder.mkdir(parents=True, exist_ok=True)
        _WORKER = Pool(rows, split, simulated_only)
        crops = np.lib.format.open_memmap(folder / "crop.npy", "w+", np.uint8, (count, SIZE, SIZE, 3))
        hints = np.lib.format.open_memmap(folder / "hint.npy", "w+", np.float16, (count, HINTS))
        rest = np.zeros((count, 3), np.float32)
        seeds = range(seed * 10_000_000, seed * 10_000_000 + count)
        with multiprocessing.get_context("fork").Pool(workers) as pool:
            teacher = Teacher()
            for n, (crop, kind, origin) in enumerate(pool.imap(_make, seeds, CHUNK)):
                crops[n], rest[n, :2] = crop, (kind, origin)
                if (n + 1) % CHUNK == 0 or n + 1 == count:
                    first = n // CHUNK * CHUNK
                    rest[first:n + 1, 2], hints[first:n + 1] = teacher(crops[first:n + 1])
                if (n + 1) % 2000 < 1:
                    print(f"pool {split} {n + 1}/{count}", flush=True)
        crops.flush()
        hints.flush()
        for k, name in enumerate(names[2:]):
            np.save(folder / f"{name}.npy", rest[:, k])
    return {name: np.load(folder / f"{name}.npy", mmap_mode="r" if name == "crop" else None) for name in names}
