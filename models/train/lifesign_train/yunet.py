"""The letterbox crop rule and the `yunet` output rule in numpy, as the Rust core runs them (formulas: design MODELS.md)."""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np

Run = Callable[[np.ndarray], dict[str, np.ndarray]]
Detection = tuple[float, np.ndarray, np.ndarray]  # score, box, landmarks


def letterbox(image: np.ndarray, size: int, longest: int) -> tuple[np.ndarray, float, float]:
    """Scaled down (never up) to `longest`, top left on black. Returns the canvas and the factors back to the image in x and y."""
    h, w = image.shape[:2]
    k = min(1.0, longest / max(h, w))
    nw, nh = max(1, int(round(w * k))), max(1, int(round(h * k)))
    canvas = np.zeros((size, size, 3), np.uint8)
    canvas[:nh, :nw] = cv2.resize(image, (nw, nh), interpolation=cv2.INTER_LINEAR) if (nw, nh) != (w, h) else image
    return canvas, w / nw, h / nh


def iou(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two boxes x, y, w, h."""
    w = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    h = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    inter = max(0.0, float(w)) * max(0.0, float(h))
    return inter / (float(a[2] * a[3] + b[2] * b[3]) - inter + 1e-9)


def decode(out: dict[str, np.ndarray], size: int, strides: tuple[int, ...], score: float, nms: float) -> list[tuple[float, np.ndarray, np.ndarray]]:
    """Detections (score, box x y w h, 5 x 2 points) in canvas pixels, best first, after suppression of overlaps above `nms`."""
    found = []
    for s in strides:
        n = size // s
        scores = np.sqrt(np.clip(out[f"cls_{s}"].ravel(), 0, 1) * np.clip(out[f"obj_{s}"].ravel(), 0, 1))
        for i in np.nonzero(scores >= score)[0]:
            row, col = divmod(int(i), n)
            b, k = out[f"bbox_{s}"].reshape(-1, 4)[i], out[f"kps_{s}"].reshape(-1, 10)[i].reshape(5, 2)
            w, h = math.exp(b[2]) * s, math.exp(b[3]) * s
            cx, cy = (col + b[0]) * s, (row + b[1]) * s
            found.append((float(scores[i]), np.array([cx - w / 2, cy - h / 2, w, h]), (k + [col, row]) * s))
    found.sort(key=lambda d: -d[0])
    kept: list[tuple[float, np.ndarray, np.ndarray]] = []
    for d in found:
        if all(iou(d[1], q[1]) <= nms for q in kept):
            kept.append(d)
    return kept


def detect(run: Run, image: np.ndarray, size: int, longest: tuple[int, ...], strides: tuple[int, ...], score: float, nms: float = 0.3,
           face_score: float | None = None) -> list[tuple[float, np.ndarray, np.ndarray]]:
    """All faces in image pixels. The next length is tried where the one before found none of at least `face_score`."""
    best: list[tuple[float, np.ndarray, np.ndarray]] = []
    for length in longest:
        canvas, kx, ky = letterbox(image, size, length)
        out = run(np.ascontiguousarray(canvas.transpose(2, 0, 1)[None].astype(np.float32)))
        found = [(s, b * [kx, ky, kx, ky], p * [kx, ky]) for s, b, p in decode(out, size, strides, score, nms)]
        if any(s >= (face_score or score) for s, _, _ in found):
            return found
        best = best or found
    return best
