"""Training pictures for the detector: faces cut, turned, scaled, pasted and covered, with their boxes and landmarks."""

from __future__ import annotations

import math

import cv2
import numpy as np
import torch

from .augment import photometric
from .data import ImageStore, Row
from .detector_net import STRIDES

# Faces of these labels teach. Only pictures in which the teacher saw exactly one face: the manifest has boxes of the largest only.
FACE_LABELS = ("faces_id", "faces_portrait", "covered", "live", "spoof_print", "spoof_replay", "spoof_other", "deepfake_real")
# sqrt(w*h) in pixels that each stride is responsible for; they overlap so that no size falls between two levels.
RANGES = ((8.0, 56.0), (44.0, 128.0), (104.0, 1e9))
RADIUS = 1.25  # cells around the box centre that are positive, in strides
TINY = 12.0  # smaller faces are ignored, neither face nor background
MIRROR = [1, 0, 2, 4, 3]


def training_rows(rows: list[Row], split: str) -> tuple[list[Row], list[Row]]:
    """The face rows and the face-free rows of a split."""
    faces = [r for r in rows if r.split == split and r.label in FACE_LABELS and r.faces == 1 and r.box is not None
             and r.score >= (0.6 if r.label == "covered" else 0.75) and min(r.box[2:]) >= 16]
    return faces, [r for r in rows if r.split == split and r.label == "nonface"]


def turned_box(box: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """The box of a turned head: that of the ellipse inscribed in the box, not that of the turned rectangle, which is too large."""
    cx, cy = box[0] + box[2] / 2, box[1] + box[3] / 2
    a, b = box[2] / 2, box[3] / 2
    centre = matrix[:, :2] @ [cx, cy] + matrix[:, 2]
    half = np.hypot(matrix[:, 0] * a, matrix[:, 1] * b)
    return np.array([centre[0] - half[0], centre[1] - half[1], 2 * half[0], 2 * half[1]], np.float32)


class Scenes:
    """Makes scene `seed`: a picture of `size` x `size` BGR, its faces as (box, points, weight of each point)."""

    def __init__(self, faces: ImageStore, nonfaces: ImageStore, size: int, natural: float = 0.0):
        """`natural` is the part of the scenes that are one picture in its own framing, hardly turned or scaled."""
        self.faces, self.nonfaces, self.size, self.natural = faces, nonfaces, size, natural
        kinds: dict[str, list[int]] = {}
        for i, row in enumerate(faces.rows):
            kinds.setdefault(row.label, []).append(i)
        # LFW is 60 % of the rows: drawn by label, the rarer cameras, masks and screens get their say.
        share = {"faces_id": 0.42, "faces_portrait": 0.14, "covered": 0.12, "live": 0.08, "spoof_print": 0.04,
                 "spoof_replay": 0.05, "spoof_other": 0.01, "deepfake_real": 0.14}
        self.kinds = [(np.array(kinds[k]), share[k]) for k in share if k in kinds]

    def _pick(self, rng: np.random.Generator) -> int:
        weights = np.array([w for _, w in self.kinds])
        pool = self.kinds[int(rng.choice(len(weights), p=weights / weights.sum()))][0]
        return int(rng.choice(pool))

    def _background(self, rng: np.random.Generator, w: int, h: int) -> np.ndarray:
        pick = rng.random()
        if pick < 0.12:
            return np.full((h, w, 3), rng.integers(0, 256, 3), np.uint8)
        if pick < 0.72:
            image, _ = self.nonfaces.get(int(rng.integers(len(self.nonfaces))))
        else:  # a face picture with its face cut away: people's surroundings without people's faces
            i = self._pick(rng)
            source, k = self.faces.get(i)
            x, y, bw, bh = self.faces.rows[i].box * k
            ih, iw = source.shape[:2]
            m = 0.25 * bh
            sides = [source[:, :max(0, int(x - m))], source[:, min(iw, int(x + bw + m)):], source[min(ih, int(y + bh + m)):]]
            image = max(sides, key=lambda s: s.size)
            if min(image.shape[:2]) < 24:
                image, _ = self.nonfaces.get(int(rng.integers(len(self.nonfaces))))
        ih, iw = image.shape[:2]
        k = max(w / iw, h / ih) * float(rng.uniform(1.0, 2.0))
        cw, ch = min(iw, w / k), min(ih, h / k)
        x, y = rng.uniform(0, iw - cw + 1e-6), rng.uniform(0, ih - ch + 1e-6)
        patch = image[int(y):int(y + ch) + 1, int(x):int(x + cw) + 1]
        out = cv2.resize(patch, (w, h), interpolation=cv2.INTER_LINEAR)
        return out[:, ::-1].copy() if rng.random() < 0.5 else out

    def _place(self, canvas: np.ndarray, i: int, face: float, centre: tuple[float, float], rng: np.random.Generator,
               soft: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Draws picture `i` turned and scaled so that its face is `face` pixels high at `centre`."""
        source, k = self.faces.get(i)
        row = self.faces.rows[i]
        box, points = row.box * k, row.points * k
        angle = math.radians(float(np.clip(rng.normal(0, 12), -35, 35)) if rng.random() < 0.75 else float(rng.uniform(-35, 35)))
        scale = face / max(box[3], 1.0)
        aspect = float(np.exp(rng.normal(0, 0.04)))
        flip = rng.random() < 0.5
        m = np.array([[scale * aspect * math.cos(angle), -scale * math.sin(angle)], [scale * aspect * math.sin(angle), scale * math.cos(angle)]])
        if flip:
            m[:, 0] *= -1
        c = box[:2] + box[2:] / 2
        matrix = np.hstack([m, (np.array(centre) - m @ c)[:, None]])
        h, w = canvas.shape[:2]
        if scale < 0.6 and rng.random() < 0.6:  # by area; else aliased, as the letterbox rule's plain bilinear is
            f = max(scale, 0.1) * 1.2
            if f < 1:
                source = cv2.resize(source, None, fx=f, fy=f, interpolation=cv2.INTER_AREA)
                shrunk = matrix.copy()
                shrunk[:, :2] /= f
            else:
                shrunk = matrix
        else:
            shrunk = matrix
        warped = cv2.warpAffine(source, shrunk, (w, h), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        if soft:  # the head only, with a soft rim
            mask = np.zeros((h, w), np.float32)
            half = box[2:] * scale / 2
            cv2.ellipse(mask, (int(centre[0]), int(centre[1])), (max(1, int(half[0] * 1.45)), max(1, int(half[1] * 1.4))), math.degrees(angle), 0, 360, 1.0, -1)
            mask = cv2.GaussianBlur(mask, (0, 0), max(0.6, 0.06 * face))
        else:  # the whole picture, hard edges
            mask = cv2.warpAffine(np.ones(source.shape[:2], np.float32), shrunk, (w, h), flags=cv2.INTER_NEAREST)
        inside = mask > 0.003
        if inside.any():
            ys, xs = np.where(inside.any(1))[0], np.where(inside.any(0))[0]
            win = (slice(ys[0], ys[-1] + 1), slice(xs[0], xs[-1] + 1))
            a = mask[win][..., None]
            canvas[win] = (canvas[win] * (1 - a) + warped[win] * a + 0.5).astype(np.uint8)
        out = points @ matrix[:, :2].T + matrix[:, 2]
        weight = np.ones(5, np.float32)
        if row.label == "covered":
            weight[2:] = 0.3  # the teacher guesses what the mask hides
        return turned_box(box, matrix), (out[MIRROR] if flip else out).astype(np.float32), weight[MIRROR] if flip else weight

    def _cover(self, canvas: np.ndarray, box: np.ndarray, weight: np.ndarray, rng: np.random.Generator) -> None:
        """Lays a patch over part of a face: a mask, a hand, a phone, hair."""
        x, y, w, h = box
        if rng.random() < 0.5:
            px, py, pw, ph = x + w * 0.05, y + h * rng.uniform(0.5, 0.65), w * 0.9, h * 0.5
            weight[2:] = np.minimum(weight[2:], 0.4)
        else:
            pw, ph = w * rng.uniform(0.2, 0.55), h * rng.uniform(0.2, 0.5)
            px, py = x + rng.uniform(-0.2, 0.8) * w, y + rng.uniform(-0.2, 0.8) * h
        x0, y0 = max(0, int(px)), max(0, int(py))
        x1, y1 = min(canvas.shape[1], int(px + pw)), min(canvas.shape[0], int(py + ph))
        if x1 - x0 < 2 or y1 - y0 < 2:
            return
        patch = self._background(rng, x1 - x0, y1 - y0)
        shape = np.zeros((y1 - y0, x1 - x0), np.uint8)
        if rng.random() < 0.5:
            cv2.ellipse(shape, ((x1 - x0) // 2, (y1 - y0) // 2), ((x1 - x0) // 2, (y1 - y0) // 2), 0, 0, 360, 255, -1)
        else:
            shape[:] = 255
        view = canvas[y0:y1, x0:x1]
        view[shape > 0] = patch[shape > 0]

    def _natural(self, rng: np.random.Generator) -> tuple[np.ndarray, list[tuple[np.ndarray, np.ndarray, np.ndarray]]]:
        """One picture as the letterbox rule takes it in, moved, turned and scaled a little."""
        i = self._pick(rng)
        source, k = self.faces.get(i)
        box = self.faces.rows[i].box * k
        fit = min(1.0, self.size / max(source.shape[:2]))
        w, h = max(16, int(source.shape[1] * fit)), max(16, int(source.shape[0] * fit))
        face = float(box[3] * fit * np.exp(rng.normal(0, 0.12)))
        middle = (box[:2] + box[2:] / 2) * fit + rng.normal(0, 0.02, 2) * [w, h]
        frame = self._background(rng, w, h)
        return frame, [self._place(frame, i, face, (float(middle[0]), float(middle[1])), rng, soft=False)]

    def scene(self, seed: int) -> tuple[np.ndarray, list[tuple[np.ndarray, np.ndarray, np.ndarray]]]:
        """One picture. `seed` decides everything about it."""
        rng = np.random.default_rng(seed)
        frame, truth = self._natural(rng) if self.natural and rng.random() < self.natural else self._composed(rng)
        frame = photometric(frame, rng)
        canvas = np.zeros((self.size, self.size, 3), np.uint8)
        canvas[:frame.shape[0], :frame.shape[1]] = frame
        return canvas, truth

    def _composed(self, rng: np.random.Generator) -> tuple[np.ndarray, list[tuple[np.ndarray, np.ndarray, np.ndarray]]]:
        """No face, one of any size, or several, in a frame of any shape."""
        size = self.size
        # Frames of every shape, top left on black, as the letterbox rule makes them.
        ratio = float(rng.choice([1.0, 0.75, 4 / 3, 9 / 16, 16 / 9])) if rng.random() < 0.8 else float(rng.uniform(0.5, 2.0))
        longest = size if rng.random() < 0.8 else int(size * rng.uniform(0.5, 1.0))
        w, h = (longest, max(16, int(longest / ratio))) if ratio >= 1 else (max(16, int(longest * ratio)), longest)
        truth: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        pick = rng.random()
        frame = self._background(rng, w, h)
        if pick < 0.14:
            pass  # no face at all
        elif pick < 0.30:  # several faces, each in its part of the frame
            columns = int(rng.integers(1, 4)) if w >= h else 1
            lines = int(rng.integers(1, 4)) if h >= w else 1
            cw, ch = w / columns, h / lines
            for cell in range(columns * lines):
                if rng.random() < 0.2:
                    continue
                face = min(cw, ch) * float(rng.uniform(0.35, 0.8))
                if face < TINY:
                    continue
                at = ((cell % columns + 0.5) * cw + float(rng.normal(0, 0.05)) * cw, (cell // columns + 0.5) * ch + float(rng.normal(0, 0.05)) * ch)
                truth.append(self._place(frame, self._pick(rng), face, at, rng, soft=True))
        else:
            low = max(0.12 * h, TINY * 1.1)
            high = min(1.05 * h, 1.25 * w)
            # Log-uniform in height, so that small and frame-filling faces are both seen often.
            face = float(np.exp(rng.uniform(math.log(low), math.log(high))))
            bw = face * 0.78
            at = (float(rng.uniform(min(bw * 0.45, w / 2), max(w - bw * 0.45, w / 2))), float(rng.uniform(min(face * 0.45, h / 2), max(h - face * 0.45, h / 2))))
            truth.append(self._place(frame, self._pick(rng), face, at, rng, soft=rng.random() < 0.3))
            if rng.random() < 0.25:
                self._cover(frame, truth[0][0], truth[0][2], rng)
        return frame, truth


def assign(truth: list[tuple[np.ndarray, np.ndarray, np.ndarray]], size: int) -> np.ndarray:
    """Targets per cell, [cells, 21]: state (1 face, 0 background, -1 ignore), cx, cy, w, h, ten landmark numbers, five weights, number of the face.

    All in pixels. Cells of all strides follow one another, finest first, row by row. The state is the rule for a face that the teacher does not
    find; every cell on a face knows which (counted from 1, 0 for none) and its geometry, for the loss to use where the teacher does.
    """
    blocks = []
    for stride, (low, high) in zip(STRIDES, RANGES):
        n = size // stride
        block = np.zeros((n, n, 21), np.float32)
        grid = (np.arange(n) + 0.5) * stride
        for number, (box, points, weight) in enumerate(truth, 1):
            cx, cy, side = box[0] + box[2] / 2, box[1] + box[3] / 2, math.sqrt(max(box[2] * box[3], 0.0))
            dx, dy = np.abs(grid[None, :] - cx), np.abs(grid[:, None] - cy)
            near = (dx < RADIUS * stride) & (dy < RADIUS * stride)
            on = near | ((dx < box[2] / 2) & (dy < box[3] / 2))
            block[on] = np.concatenate([[0, cx, cy, box[2], box[3]], points.ravel(), weight, [number]])
            if side >= TINY and low <= side < high:
                block[near, 0] = 1
            elif side < TINY or low / 1.4 <= side < high * 1.4:
                block[near, 0] = -1
        blocks.append(block.reshape(-1, 21))
    return np.concatenate(blocks)


class SceneDataset(torch.utils.data.Dataset):
    """Scene `first + i` as (uint8 [3, size, size] BGR, targets [cells, 20])."""

    def __init__(self, scenes: Scenes, first: int, count: int):
        self.scenes, self.first, self.count = scenes, first, count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        image, truth = self.scenes.scene(self.first + i)
        return np.ascontiguousarray(image.transpose(2, 0, 1)), assign(truth, self.scenes.size)
