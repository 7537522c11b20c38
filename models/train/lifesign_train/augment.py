"""Photometric and geometric augmentation on BGR uint8 images. Every function takes its random generator: same seed, same pictures."""

from __future__ import annotations

import math

import cv2
import numpy as np

# A pool of unit noise: drawing it anew per picture would cost more than all the rest.
_NOISE = np.random.default_rng(7).standard_normal((512, 512, 3)).astype(np.float32)


def noise(image: np.ndarray, sigma: float, rng: np.random.Generator) -> np.ndarray:
    """Adds Gaussian noise of standard deviation `sigma` (levels of 0..255)."""
    h, w = image.shape[:2]
    y, x = int(rng.integers(0, 512)), int(rng.integers(0, 512))
    pool = np.roll(_NOISE, (-y, -x), (0, 1))
    reps = (math.ceil(h / 512), math.ceil(w / 512), 1)
    field = np.tile(pool, reps)[:h, :w] if max(reps) > 1 else pool[:h, :w]
    return np.clip(image.astype(np.float32) + sigma * field, 0, 255).astype(np.uint8)


def jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    """Through JPEG and back."""
    ok, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(quality)])
    return cv2.imdecode(data, cv2.IMREAD_COLOR) if ok else image


def tone(image: np.ndarray, rng: np.random.Generator, strength: float = 1.0) -> np.ndarray:
    """Gamma, gain, offset, white balance and saturation by one table per channel."""
    gamma = float(np.exp(rng.normal(0, 0.25 * strength)))
    gain = float(np.exp(rng.normal(0, 0.15 * strength)))
    offset = float(rng.normal(0, 10 * strength))
    cast = np.exp(rng.normal(0, 0.06 * strength, 3))
    ramp = (np.arange(256) / 255.0) ** gamma * 255 * gain + offset
    table = np.clip(ramp[:, None] * cast[None], 0, 255).astype(np.uint8).reshape(256, 1, 3)
    out = cv2.LUT(np.ascontiguousarray(image), table)
    if rng.random() < 0.3:
        grey = cv2.cvtColor(out, cv2.COLOR_BGR2GRAY)
        mix = float(rng.uniform(0.0, 1.0))
        out = cv2.addWeighted(out, 1 - mix, cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), mix, 0)
    return out


def low_light(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A dark picture with the noise that comes with it."""
    factor = float(rng.uniform(0.12, 0.45))
    dark = cv2.convertScaleAbs(image, alpha=factor, beta=float(rng.uniform(0, 6)))
    return noise(dark, float(rng.uniform(2, 9)), rng)


def blur(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Out of focus, shaken, or scaled down and up."""
    pick = rng.random()
    if pick < 0.4:
        return cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.5, 2.2)))
    if pick < 0.7:
        n = int(rng.integers(3, 10))
        kernel = np.zeros((n, n), np.float32)
        angle = rng.uniform(0, math.pi)
        c = (n - 1) / 2
        for t in np.linspace(-c, c, 2 * n):
            kernel[int(round(c + t * math.sin(angle))), int(round(c + t * math.cos(angle)))] = 1
        return cv2.filter2D(image, -1, kernel / kernel.sum())
    h, w = image.shape[:2]
    k = float(rng.uniform(0.35, 0.8))
    small = cv2.resize(image, (max(2, int(w * k)), max(2, int(h * k))), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (w, h), interpolation=cv2.INTER_LINEAR)


def photometric(image: np.ndarray, rng: np.random.Generator, strength: float = 1.0) -> np.ndarray:
    """What cameras and codecs do to any picture."""
    if rng.random() < 0.75:
        image = tone(image, rng, strength)
    if rng.random() < 0.08 * strength:
        image = low_light(image, rng)
    if rng.random() < 0.22:
        image = blur(image, rng)
    if rng.random() < 0.25:
        image = noise(image, float(rng.uniform(1, 8)), rng)
    if rng.random() < 0.25:
        image = jpeg(image, int(rng.integers(25, 90)))
    return image


def contact_sheet(images: list[np.ndarray], columns: int, tile: int = 128) -> np.ndarray:
    """Images side by side, each scaled into a square tile; for looking at what an augmentation does."""
    rows = math.ceil(len(images) / columns)
    sheet = np.zeros((rows * tile, columns * tile, 3), np.uint8)
    for i, image in enumerate(images):
        k = tile / max(image.shape[:2])
        small = cv2.resize(image, (max(1, int(image.shape[1] * k)), max(1, int(image.shape[0] * k))))
        y, x = (i // columns) * tile, (i % columns) * tile
        sheet[y:y + small.shape[0], x:x + small.shape[1]] = small
    return sheet
