"""The crop rules `scaled_box` and `arcface` in Python, as the Rust core cuts them."""

from __future__ import annotations

import cv2
import numpy as np

ARCFACE = np.array([[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]])
ARCFACE_SIDE = 112  # the crop for which the template is given


def scaled_box(image: np.ndarray, box: np.ndarray, scale: float, size: int) -> np.ndarray:
    """The box truncated to whole pixels, enlarged by `scale` as far as the frame allows, shifted inside, resized to `size` squared."""
    height, width = image.shape[:2]
    x, y, w, h = (int(v) for v in box)
    w, h = max(w, 1), max(h, 1)
    s = min((height - 1) / h, min((width - 1) / w, scale))
    nw, nh = w * s, h * s
    left, top, right, bottom = w / 2 + x - nw / 2, h / 2 + y - nh / 2, w / 2 + x + nw / 2, h / 2 + y + nh / 2
    if left < 0:
        right, left = right - left, 0
    if top < 0:
        bottom, top = bottom - top, 0
    if right > width - 1:
        left, right = left - (right - width + 1), width - 1
    if bottom > height - 1:
        top, bottom = top - (bottom - height + 1), height - 1
    cut = image[max(int(top), 0):int(bottom) + 1, max(int(left), 0):int(right) + 1]
    return cv2.resize(cut, (size, size), interpolation=cv2.INTER_LINEAR)


def similarity(points: np.ndarray, template: np.ndarray) -> np.ndarray:
    """2x3: the least-squares similarity that maps `points` onto `template`."""
    src, dst = np.asarray(points, np.float64), np.asarray(template, np.float64)
    ms, md = src.mean(0), dst.mean(0)
    s, d = src - ms, dst - md
    n = (s ** 2).sum()
    c, q = (s * d).sum() / n, (s[:, 0] * d[:, 1] - s[:, 1] * d[:, 0]).sum() / n
    r = np.array([[c, -q], [q, c]])
    return np.hstack([r, (md - r @ ms)[:, None]])


def arcface(image: np.ndarray, points: np.ndarray, size: int = ARCFACE_SIDE, margin: int = 0) -> np.ndarray:
    """The face on the ArcFace template scaled to `size` pixels, with `margin` more on each side; black outside the frame."""
    side = size + 2 * margin
    # Template onto face, as the core and the reference fit it: the other way round the least squares give another scale.
    fit = similarity(ARCFACE * (size / ARCFACE_SIDE) + margin, points)
    return cv2.warpAffine(image, fit, (side, side), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)


def eyes_mouth(image: np.ndarray, points: np.ndarray, scale: float, size: int) -> np.ndarray:
    """A square levelled on eyes and mouth, half-sides `scale` times the larger of eye distance and eye-mouth distance; edges repeat. Float32."""
    p = np.asarray(points, np.float64)
    eyes, mouth = p[:2].mean(0), p[3:].mean(0)
    centre = 0.75 * p[2] + 0.25 * eyes
    q = 2 * scale * max(float(np.linalg.norm(p[0] - p[1])), float(np.linalg.norm(mouth - eyes))) / size
    down = mouth - eyes
    down = down / np.linalg.norm(down) if down.any() else np.array([0.0, 1.0])
    right = np.array([down[1], -down[0]])
    turn = np.stack([right * q, down * q], 1)
    back = np.hstack([turn, (centre - turn.sum(1) * (size - 1) / 2)[:, None]])
    return cv2.warpAffine(image.astype(np.float32), back, (size, size), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE)
