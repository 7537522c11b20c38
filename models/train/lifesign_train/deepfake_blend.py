"""Self-blended images: a genuine face pasted over a slightly changed copy of itself, which leaves the marks that swaps leave and nothing else.

The idea is that of "Detecting Deepfakes with Self-Blended Images" (Shiohara and Yamasaki, CVPR 2022). The masks are drawn from the box and five landmarks,
as the detector gives no more. Every function takes its random generator: same seed, same pictures.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

# Outline of a face in the frame of its eyes and mouth: the origin between the eyes, one unit right is half the eye distance, one unit down
# is the way to the mouth. Forehead, temples, cheeks, jaw, chin; drawn by eye on pictures of the train split.
OUTLINE = np.array([[-1.1, -0.75], [0.0, -0.95], [1.1, -0.75], [1.75, -0.1], [1.7, 0.6], [1.3, 1.25], [0.6, 1.7], [0.0, 1.8],
                    [-0.6, 1.7], [-1.3, 1.25], [-1.7, 0.6], [-1.75, -0.1]])
# How much of the source shows, as in the paper: whole more often than not.
RATIOS = (0.25, 0.5, 0.75, 1.0, 1.0, 1.0)


def axes(points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Origin between the eyes, half the eye distance and the way to the mouth as vectors. A profile keeps some width."""
    eyes, mouth = points[:2].mean(0), points[3:].mean(0)
    right, down = (points[1] - points[0]) / 2, mouth - eyes
    length = float(np.hypot(*down))
    if np.hypot(*right) < 0.45 * length:
        right = np.array([down[1], -down[0]]) * 0.45
    return eyes, right, down


def smooth_field(h: int, w: int, step: float, amount: float, rng: np.random.Generator) -> np.ndarray:
    """[h, w, 2]: random displacement in pixels of standard deviation about `amount`, smooth over `step` pixels."""
    rows, columns = max(3, int(h / step) + 2), max(3, int(w / step) + 2)
    coarse = rng.normal(0, amount, (rows, columns, 2)).astype(np.float32)
    return cv2.resize(coarse, (w, h), interpolation=cv2.INTER_CUBIC)


def displaced(image: np.ndarray, field: np.ndarray, affine: np.ndarray | None = None) -> np.ndarray:
    """`image` looked up where `affine` (2x3, of output onto input pixels) and then `field` point; edges repeat."""
    h, w = image.shape[:2]
    x, y = np.meshgrid(np.arange(w, dtype=np.float32), np.arange(h, dtype=np.float32))
    if affine is not None:
        a = affine.astype(np.float32)
        x, y = a[0, 0] * x + a[0, 1] * y + a[0, 2], a[1, 0] * x + a[1, 1] * y + a[1, 2]
    return cv2.remap(image, x + field[..., 0], y + field[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def mask(shape: tuple[int, ...], points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A soft mask, 0..1: the whole face as a hull or an ellipse, its lower half, or the band of the eyes; bent and blurred."""
    h, w = shape[:2]
    origin, right, down = axes(np.asarray(points, np.float64))
    size = float(np.hypot(*down))
    pick = rng.random()
    hard = np.zeros((h, w), np.float32)
    if pick < 0.5:
        outline = OUTLINE * rng.uniform(0.75, 1.1, 2) + rng.normal(0, 0.07, OUTLINE.shape)
    else:
        # Ellipses in the same frame: face, mouth and nose, eyes.
        middle, radius = ((0.0, 0.45), (1.5, 1.3)) if pick < 0.75 else (((0.0, 0.9), (1.1, 0.75)) if pick < 0.88 else ((0.0, 0.05), (1.65, 0.5)))
        t = np.linspace(0, 2 * math.pi, 24, endpoint=False)
        outline = np.array(middle) + np.stack([np.cos(t), np.sin(t)], 1) * radius * rng.uniform(0.8, 1.15, 2)
    corners = origin + outline[:, :1] * right + outline[:, 1:] * down
    cv2.fillConvexPoly(hard, cv2.convexHull(np.round(corners).astype(np.int32)), 1.0)
    hard = displaced(hard, smooth_field(h, w, 0.6 * size, float(rng.uniform(0, 0.1)) * size, rng))
    # Blurred before and after a cut at a random level, so that the edge is now steep, now wide, inside or outside the outline.
    soft = cv2.GaussianBlur(hard, (0, 0), float(rng.uniform(0.02, 0.12)) * size + 0.3)
    soft = np.clip((soft - rng.uniform(0.0, 0.3)) / 0.7, 0, 1)
    return np.minimum(cv2.GaussianBlur(soft, (0, 0), float(rng.uniform(0.01, 0.1)) * size + 0.3), 1.0)


def toned(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A slight shift of hue, saturation, brightness, contrast and of the channels against each other."""
    hsv = cv2.cvtColor(image, cv2.COLOR_BGR2HSV).astype(np.float32)
    hsv[..., 0] = (hsv[..., 0] + rng.normal(0, 3)) % 180
    hsv[..., 1] = np.clip(hsv[..., 1] * np.exp(rng.normal(0, 0.15)), 0, 255)
    out = cv2.cvtColor(np.round(hsv).astype(np.uint8), cv2.COLOR_HSV2BGR).astype(np.float32)
    gain, cast = float(np.exp(rng.normal(0, 0.1))), rng.normal(0, 6, 3)
    middle = float(out.mean())
    return np.clip((out - middle) * gain + middle + cast, 0, 255).astype(np.uint8)


def resharpened(image: np.ndarray, size: float, rng: np.random.Generator) -> np.ndarray:
    """Sharper, softer, or through a lower resolution: what a generator of another resolution does to a face of `size` pixels (eyes to mouth)."""
    pick = rng.random()
    if pick < 0.3:
        soft = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.6, 1.6)))
        return cv2.addWeighted(image, 1 + (k := float(rng.uniform(0.4, 1.2))), soft, -k, 0)
    if pick < 0.6:
        return cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.4, 1.0)) * max(1.0, size / 50))
    h, w = image.shape[:2]
    k = float(rng.uniform(0.3, 0.75))
    small = cv2.resize(image, (max(4, int(w * k)), max(4, int(h * k))), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (w, h), interpolation=cv2.INTER_LINEAR if rng.random() < 0.5 else cv2.INTER_CUBIC)


def blend(image: np.ndarray, points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A self-blend of `image` (BGR uint8); what lies away from the face is what it was.

    One of the two copies is changed in colour and sharpness; the source is also moved, scaled and bent a little. It shows through `mask`.
    """
    h, w = image.shape[:2]
    points = np.asarray(points, np.float64)
    origin, _, down = axes(points)
    size = float(np.hypot(*down))
    altered = toned(image, rng) if rng.random() < 0.8 else image
    if rng.random() < 0.7 or altered is image:
        altered = resharpened(altered, size, rng)
    # Mostly the face that is pasted was changed, else what is around it.
    face, ground = (altered, image) if rng.random() < 0.5 else (image, altered)
    angle, zoom = float(rng.normal(0, 0.02)), float(rng.uniform(0.95, 1 / 0.95))
    c, s = zoom * math.cos(angle), zoom * math.sin(angle)
    r = np.array([[c, -s], [s, c]])
    centre = origin + down / 2
    moved = np.hstack([r, (centre - r @ centre + rng.normal(0, 0.05, 2) * size)[:, None]])
    face = displaced(face, smooth_field(h, w, 0.5 * size, float(rng.uniform(0, 0.03)) * size, rng), moved)
    m = mask(image.shape, points, rng)
    if ground is altered:
        # The ground's change fades out away from the face; else whole pictures would differ, not the face from its surroundings.
        near = np.zeros((h, w), np.float32)
        cv2.circle(near, tuple(int(v) for v in centre), max(2, int(2.4 * size)), 1.0, -1)
        near = cv2.GaussianBlur(near, (0, 0), 0.25 * size + 0.3)[..., None]
        ground = (altered * near + image * (1 - near)).astype(np.float32)
    share = m[..., None] * float(rng.choice(RATIOS))
    return np.clip(face * share + ground * (1 - share) + 0.5, 0, 255).astype(np.uint8)
