"""Simulated presentation attacks: a genuine picture printed, shown on a screen or worn as a paper mask, and filmed again.

After "Joint Physical-Digital Facial Attack Detection via Simulating Spoofing Clues" (CVPR 2024 workshop): colour jitter, halftone and
paper for prints; moire, sub-pixel grid, gamma, glare and bezel for replays; the edges of the medium where the view shows them.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from .augment import noise, photometric

KINDS = ("live", "print", "replay", "mask")


def ellipse_box(box: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """The bounds of the ellipse inscribed in `box` (x, y, w, h) after the 3x3 `matrix`."""
    t = np.linspace(0, 2 * math.pi, 24, endpoint=False)
    p = np.stack([box[0] + box[2] * (0.5 + 0.5 * np.cos(t)), box[1] + box[3] * (0.5 + 0.5 * np.sin(t)), np.ones_like(t)])
    q = matrix @ p
    q = q[:2] / q[2]
    return np.array([q[0].min(), q[1].min(), np.ptp(q[0]), np.ptp(q[1])], np.float32)


def smooth_field(h: int, w: int, cells: int, rng: np.random.Generator) -> np.ndarray:
    """Slowly varying values around 0, height x width x 1: light falling across paper or a wall."""
    return cv2.resize(rng.standard_normal((cells, cells)).astype(np.float32), (w, h), interpolation=cv2.INTER_CUBIC)[..., None]


def printed(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The picture as ink on paper: less contrast and gamut, a cast, dots or lines, texture, gloss."""
    f = image.astype(np.float32)
    h, w = f.shape[:2]
    grey = f.mean(2, keepdims=True)
    f = grey + (f - grey) * float(rng.uniform(0.25, 1.15))
    low, high = float(rng.uniform(5, 60)), float(rng.uniform(170, 250))
    f = low + f * (high - low) / 255
    f *= np.exp(rng.normal(0, 0.08, 3)).astype(np.float32)
    if rng.random() < 0.3:  # halftone or printer lines
        period, angle = float(rng.uniform(1.6, 5)), float(rng.uniform(0, math.pi))
        y, x = np.mgrid[0:h, 0:w].astype(np.float32)
        u = (x * math.cos(angle) + y * math.sin(angle)) * (2 * math.pi / period)
        dots = np.sin(u)
        if rng.random() < 0.6:
            dots = dots * np.sin((y * math.cos(angle) - x * math.sin(angle)) * (2 * math.pi / period))
        f += dots[..., None] * float(rng.uniform(4, 22))
    if rng.random() < 0.6:
        f *= 1 + smooth_field(h, w, int(rng.integers(2, 6)), rng) * float(rng.uniform(0.01, 0.08))
    if rng.random() < 0.3:  # a fold
        m, c = float(rng.normal(0, 1)), float(rng.uniform(0.2, 0.8))
        y, x = np.mgrid[0:h, 0:w].astype(np.float32)
        f += (np.exp(-(((x / w - c) - m * (y / h - 0.5)) * w / 3) ** 2) * float(rng.choice([-1, 1]) * rng.uniform(10, 45)))[..., None]
    return noise(np.clip(f, 0, 255).astype(np.uint8), float(rng.uniform(0.5, 6)), rng)


def on_screen(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The picture as a display shows it: its own gamma, contrast, saturation and colour temperature, often too bright."""
    f = (image.astype(np.float32) / 255) ** float(rng.uniform(0.6, 1.6))
    grey = f.mean(2, keepdims=True)
    f = grey + (f - grey) * float(rng.uniform(0.6, 1.7))
    f = (f - 0.5) * float(rng.uniform(0.75, 1.5)) + 0.5 + float(rng.uniform(-0.08, 0.15))
    tint = np.array([np.exp(rng.normal(0.07, 0.1)), 1.0, np.exp(rng.normal(-0.04, 0.1))], np.float32)
    f = np.clip(f * tint, 0, 1)
    if rng.random() < 0.5:  # the back light shines through black
        lift = float(rng.uniform(0.03, 0.22))
        f = lift + f * (1 - lift) * tint
    out = np.clip(f * 255, 0, 255).astype(np.uint8)
    if rng.random() < 0.35:  # a video call's few pixels, blown up
        h, w = out.shape[:2]
        k = float(rng.uniform(0.3, 0.7))
        out = cv2.resize(cv2.resize(out, (max(4, int(w * k)), max(4, int(h * k))), interpolation=cv2.INTER_AREA), (w, h), interpolation=cv2.INTER_LINEAR)
    return out


def moire(frame: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Beats of the display's grid with the camera's, with coloured fringes; only where `mask` is the display."""
    h, w = frame.shape[:2]
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    bend = smooth_field(h, w, 3, rng)[..., 0] * float(rng.uniform(0, 12))
    field = np.zeros((h, w, 3), np.float32)
    for _ in range(int(rng.integers(1, 4))):
        f = float(np.exp(rng.uniform(math.log(0.03), math.log(0.4))))
        # The grids of display and sensor are nearly parallel more often than not.
        a = float(rng.uniform(0, math.pi) if rng.random() < 0.4 else rng.normal(0, 0.12) + math.pi / 2 * int(rng.random() < 0.3))
        phase = 2 * math.pi * f * (x * math.cos(a) + y * math.sin(a) + bend)
        colour = float(rng.choice([0.0, rng.uniform(0.2, 2.1)]))
        start = float(rng.uniform(0, 6.3))
        for c in range(3):
            field[..., c] += np.sin(phase + start + c * colour)
    strength = float(np.exp(rng.uniform(math.log(0.02), math.log(0.2))))
    out = frame.astype(np.float32) * (1 + strength * field * mask[..., None])
    if rng.random() < 0.25:  # bands of the rolling shutter
        out *= 1 + mask[..., None] * float(rng.uniform(0.02, 0.12)) * np.sin(y * float(rng.uniform(0.02, 0.12)) + rng.uniform(0, 6.3))[..., None]
    return np.clip(out, 0, 255).astype(np.uint8)


def glare(frame: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A lamp or a window mirrored in glass or gloss."""
    h, w = frame.shape[:2]
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    cx, cy, a = rng.uniform(0, w), rng.uniform(0, h), rng.uniform(0, math.pi)
    u, v = (x - cx) * math.cos(a) + (y - cy) * math.sin(a), (y - cy) * math.cos(a) - (x - cx) * math.sin(a)
    blob = np.exp(-((u / (w * rng.uniform(0.05, 0.6))) ** 2 + (v / (h * rng.uniform(0.03, 0.3))) ** 2))
    return np.clip(frame + (blob * mask)[..., None].astype(np.float32) * float(rng.uniform(15, 140)), 0, 255).astype(np.uint8)


def wall(h: int, w: int, rng: np.random.Generator) -> np.ndarray:
    """A plain surface under uneven light."""
    base = rng.uniform(20, 235) + rng.normal(0, 12, 3)
    f = base[None, None] * (1 + smooth_field(h, w, 3, rng) * 0.12)
    return np.clip(f, 0, 255).astype(np.uint8)


def _framed(content: np.ndarray, kind: str, rng: np.random.Generator) -> tuple[np.ndarray, tuple[int, int]]:
    """The medium's own rim: white paper or a bezel. Returns the picture and where the content begins in it."""
    h, w = content.shape[:2]
    if kind == "print":
        if rng.random() < 0.5:
            return content, (0, 0)
        pads = (rng.uniform(0.01, 0.15, 4) * max(h, w)).astype(int)
        colour = np.clip(rng.uniform(175, 250) + rng.normal(0, 5, 3), 0, 255)
    else:
        pads = (rng.uniform(0.015, 0.10, 4) * max(h, w)).astype(int)
        pads[rng.random(4) < 0.15] = 0
        if rng.random() < 0.4:  # menu or player bars
            pads[:2] += int(0.06 * h)
        colour = np.clip((rng.uniform(0, 45) if rng.random() < 0.8 else rng.uniform(150, 245)) + rng.normal(0, 3, 3), 0, 255)
    t, b, left, right = (int(p) for p in pads)
    out = cv2.copyMakeBorder(content, t, b, left, right, cv2.BORDER_CONSTANT, value=tuple(float(c) for c in colour))
    if kind == "replay" and b > 6 and rng.random() < 0.4:
        for k in range(3):
            cv2.circle(out, (int(out.shape[1] * (k + 1) / 4), out.shape[0] - b // 2), max(1, b // 6), (200, 200, 200), -1)
    return out, (left, t)


def _fingers(frame: np.ndarray, corners: np.ndarray, rng: np.random.Generator) -> None:
    """A hand's worth of skin-coloured strokes over an edge of the medium."""
    side = int(rng.integers(4))
    a, b = corners[side], corners[(side + 1) % 4]
    inward = corners.mean(0) - (a + b) / 2
    size = np.linalg.norm(a - b)
    colour = np.clip(np.array([115, 145, 190]) * rng.uniform(0.35, 1.2) + rng.normal(0, 6, 3), 0, 255)
    start = rng.uniform(0.1, 0.7)
    for k in range(int(rng.integers(1, 5))):
        root = a + (b - a) * (start + 0.09 * k)
        tip = root + inward * rng.uniform(0.08, 0.3)
        cv2.line(frame, tuple(int(v) for v in root - inward * 0.5), tuple(int(v) for v in tip), tuple(float(c) for c in colour * rng.uniform(0.9, 1.1)),
                 max(2, int(size * rng.uniform(0.05, 0.09))), cv2.LINE_AA)


def attack(source: np.ndarray, box: np.ndarray, kind: str, scale: float, backdrop: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Print or replay of `source`, seen in a frame of about `scale` times the face. Returns the frame and the face's box in it."""
    h, w = source.shape[:2]
    x, y, bw, bh = (float(v) for v in box)
    fills = rng.random() < 0.35  # the medium covers the whole view: no edge helps
    margin = np.array([rng.uniform(0.1, 1.2), rng.uniform(0.15, 1.0), rng.uniform(0.1, 1.2), rng.uniform(0.1, 1.1)]) * (3 if fills else 1)
    x0, y0 = int(max(0, x - margin[0] * bw)), int(max(0, y - margin[1] * bh))
    x1, y1 = int(min(w, x + bw * (1 + margin[2]))), int(min(h, y + bh * (1 + margin[3])))
    face = float(rng.uniform(60, 150))
    k = face / bh
    content = cv2.resize(source[y0:y1, x0:x1], (max(8, int((x1 - x0) * k)), max(8, int((y1 - y0) * k))), interpolation=cv2.INTER_AREA if k < 1 else cv2.INTER_LINEAR)
    if rng.random() < 0.5:
        content = photometric(content, rng, 0.6)  # the picture was itself taken by some camera
    content = printed(content, rng) if kind == "print" else on_screen(content, rng)
    inner = np.array([(x - x0) * k, (y - y0) * k, bw * k, bh * k], np.float32)
    if not fills:
        content, (left, top) = _framed(content, kind, rng)
        inner[0] += left
        inner[1] += top
    ch, cw = content.shape[:2]
    fw, fh = max(40, int(scale * inner[2] * rng.uniform(1.0, 1.25))), max(40, int(scale * inner[3]))
    if fills:
        fw, fh = min(fw, cw), min(fh, ch)
    angle = math.radians(float(rng.normal(0, 6)))
    m = np.array([[math.cos(angle), -math.sin(angle), 0], [math.sin(angle), math.cos(angle), 0], [0, 0, 1]])
    m[2, :2] = rng.normal(0, 0.10, 2) / max(cw, ch)  # perspective
    centre = m @ np.array([inner[0] + inner[2] / 2, inner[1] + inner[3] / 2, 1])
    centre = centre[:2] / centre[2]
    target = np.array([fw / 2 + rng.normal(0, 0.06) * fw, fh / 2 + rng.normal(0, 0.06) * fh])
    if fills:  # stay inside the content
        target = np.clip(target, [fw - cw + inner[0] + inner[2] / 2, fh - ch + inner[1] + inner[3] / 2], [inner[0] + inner[2] / 2, inner[1] + inner[3] / 2])
    shift = np.eye(3)
    shift[:2, 2] = target - centre
    m = shift @ m
    if fills:
        frame = cv2.warpPerspective(content, m, (fw, fh), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        mask = np.ones((fh, fw), np.float32)
    else:
        bg = wall(fh, fw, rng) if rng.random() < 0.3 else cv2.resize(backdrop, (fw, fh), interpolation=cv2.INTER_AREA)
        if kind == "replay" and rng.random() < 0.5:  # a bright display makes the room dark
            bg = cv2.convertScaleAbs(bg, alpha=float(rng.uniform(0.1, 0.6)))
        if rng.random() < 0.5:
            bg = cv2.GaussianBlur(bg, (0, 0), float(rng.uniform(0.5, 4)))
        warped = cv2.warpPerspective(content, m, (fw, fh), flags=cv2.INTER_LINEAR)
        mask = cv2.warpPerspective(np.ones((ch, cw), np.float32), m, (fw, fh), flags=cv2.INTER_LINEAR)
        if rng.random() < 0.5:  # shadow of the medium
            offset = np.float32([[1, 0, rng.normal(0, 5)], [0, 1, rng.uniform(0, 8)]])
            shadow = cv2.GaussianBlur(cv2.warpAffine(mask, offset, (fw, fh)), (0, 0), float(rng.uniform(2, 8)))
            bg = (bg * (1 - shadow * float(rng.uniform(0.1, 0.5)))[..., None]).astype(np.uint8)
        frame = (bg * (1 - mask[..., None]) + warped * mask[..., None] + 0.5).astype(np.uint8)
        if rng.random() < 0.3:
            q = m @ np.array([[0, cw, cw, 0], [0, 0, ch, ch], [1, 1, 1, 1]], np.float64)
            _fingers(frame, (q[:2] / q[2]).T, rng)
    if kind == "replay" and rng.random() < 0.85:
        frame = moire(frame, mask, rng)
    if rng.random() < (0.35 if kind == "replay" else 0.2):
        frame = glare(frame, mask, rng)
    return frame, ellipse_box(inner, m)


def mask_attack(face: np.ndarray, face_box: np.ndarray, wearer: np.ndarray, wearer_box: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A printed face, cut out and held before another head; same frame and box as the wearer's picture."""
    x, y, w, h = wearer_box
    fx, fy, fw, fh = face_box
    k = np.array([w / fw, h / fh]) * rng.uniform(0.95, 1.15)
    m = np.array([[k[0], 0, x + w / 2 - k[0] * (fx + fw / 2)], [0, k[1], y + h / 2 - k[1] * (fy + fh / 2)]])
    size = (wearer.shape[1], wearer.shape[0])
    paper = cv2.warpAffine(printed(face, rng), m, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    mask = np.zeros(wearer.shape[:2], np.uint8)
    t = np.linspace(0, 2 * math.pi, 20, endpoint=False)
    wobble = 1 + rng.normal(0, 0.05, 20)
    outline = np.stack([x + w / 2 + w * 0.55 * wobble * np.cos(t), y + h / 2 + h * 0.55 * wobble * np.sin(t)], 1).astype(np.int32)
    cv2.fillPoly(mask, [outline], 255)
    if rng.random() < 0.6:  # a white rim where the scissors missed
        rim = cv2.dilate(mask, np.ones((3, 3), np.uint8), iterations=int(rng.integers(1, 4)))
        wearer = np.where((rim > 0)[..., None], np.uint8(rng.uniform(190, 250)), wearer)
    a = cv2.GaussianBlur(mask, (0, 0), 0.7).astype(np.float32)[..., None] / 255
    return (wearer * (1 - a) + paper * a + 0.5).astype(np.uint8)
