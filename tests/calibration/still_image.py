#!/usr/bin/env python3
"""Measures what StillImage's limit rests on: how much genuine clips move, and how much videos made of one picture do.

usage: still_image.py SHARED      SHARED holds models/reference.py, models/open and media/video
needs: numpy, opencv-python-headless, onnxruntime

Every clip is read at 10 frames a second; windows of five frames at 10, 5 and 2 a second become one measure each, as
core/src/session/still.rs makes it: the greatest residual of a later frame against the window's first, after the best
brightness gain and offset and the best small shift, turn, zoom and shear. Stills are made of five frames of each genuine clip.
"""
import glob, os, sys
import cv2, numpy as np

SHARED = sys.argv[1]
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(SHARED, "models"))
import reference

SIDE, FRAMES, MARGIN = 32, 5, 7
DETECTOR = reference.YuNet(score=0.7)
RNG = np.random.default_rng(7)
GENUINE = ["apfol_live", "tran_live", "lp_d3", "lp_d10", "lp_d11", "lp_d18", "lp_d19", "lp_d20", "ff_orig_519"]


def look(image):
    """The smoothed motion print of the largest face; None without one."""
    faces, _ = DETECTOR(image)
    if not faces:
        return None
    x, y, w, h = faces[0]["box"]
    side, cx, cy = 2 * max(w, h), x + w / 2, y + h / 2
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(np.float32)
    n = SIDE * 8                                     # 8 x 8 bilinear samples a cell stand in for its area mean
    scale = side / n
    warp = np.float32([[scale, 0, cx - side / 2 + scale / 2 - 0.5], [0, scale, cy - side / 2 + scale / 2 - 0.5]])
    blur = cv2.GaussianBlur(grey, (0, 0), scale / 2) if scale > 1 else grey
    cells = cv2.warpAffine(blur, warp, (n, n), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE)
    return smooth(cells.reshape(SIDE, 8, SIDE, 8).mean((1, 3)).astype(np.float64))


def smooth(print_):
    return cv2.GaussianBlur(print_, (11, 11), 1.5, borderType=cv2.BORDER_REPLICATE)


def residual(first, later):
    """What no gain, offset and affine motion explains, as RMS over the middle cells and over their contrast."""
    cut = (slice(MARGIN, SIDE - MARGIN),) * 2
    v, u = np.mgrid[0:SIDE, 0:SIDE] / (SIDE / 2) - 1 + 1 / SIDE
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    target = later[cut].ravel()
    motion, least = np.zeros(6), np.inf
    for _ in range(3):
        from_x = (x + motion[0] + motion[1] * u + motion[2] * v).astype(np.float32)
        from_y = (y + motion[3] + motion[4] * u + motion[5] * v).astype(np.float32)
        warped = cv2.remap(first, from_x, from_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        gy, gx = np.gradient(warped)
        columns = [warped, np.ones_like(warped), gx, u * gx, v * gx, gy, u * gy, v * gy]
        a = np.stack([c[cut].ravel() for c in columns], 1)
        fit, *_ = np.linalg.lstsq(a, target, rcond=None)
        least = min(least, float(np.sqrt(np.mean((a @ fit - target) ** 2))))
        gain = fit[0] if abs(fit[0]) > 0.1 else 0.1
        motion += np.clip(fit[2:] / gain, -1.5, 1.5)
    return least / max(target.std(), 1.0)


def measure(looks):
    return max(residual(looks[0], later) for later in looks[1:])


def frames(path):
    video = cv2.VideoCapture(path)
    rate = video.get(cv2.CAP_PROP_FPS)
    rate = rate if 1 < rate < 120 else 30.0
    kept, i, due = [], 0, 0.0
    while True:
        ok, image = video.read()
        if not ok:
            return kept
        if i / rate >= due:
            kept.append(image)
            due += 0.1
        i += 1


def jpeg(image, quality):
    return cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)


def move(image, dx, dy, zoom, turn):
    h, w = image.shape[:2]
    m = cv2.getRotationMatrix2D((w / 2, h / 2), turn, zoom)
    m[:, 2] += dx, dy
    return cv2.warpAffine(image, m, (w, h), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def noisy(image, levels):
    return np.clip(image.astype(np.int16) + RNG.integers(-levels, levels + 1, image.shape), 0, 255).astype(np.uint8)


STILLS = {
    "identical": lambda i, k: i,
    "jpeg 95..60": lambda i, k: jpeg(i, (95, 88, 80, 70, 60)[k]),
    "noise +-2": lambda i, k: noisy(i, 2),
    "noise +-10": lambda i, k: noisy(i, 10),
    "brightness": lambda i, k: cv2.convertScaleAbs(i, alpha=1 - 0.04 * k, beta=4 * k),
    "shift <=1%": lambda i, k: move(i, *(RNG.uniform(-0.01, 0.01, 2) * i.shape[1]), 1, 0),
    "shift <=5%": lambda i, k: move(i, *(RNG.uniform(-0.05, 0.05, 2) * i.shape[1]), 1, 0),
    "zoom <=5%": lambda i, k: move(i, 0, 0, 1 + 0.0125 * k, 0),
    "zoom <=20%": lambda i, k: move(i, 0, 0, 1 + 0.05 * k, 0),
    "hand <=2%, 2 deg, jpeg": lambda i, k: jpeg(move(i, *(RNG.uniform(-0.02, 0.02, 2) * i.shape[1]), RNG.uniform(0.98, 1.02), RNG.uniform(-2, 2)), 80),
}


def row(name, values):
    quantiles = "  ".join(f"{x:.4f}" for x in np.quantile(values, [0, 0.02, 0.1, 0.5, 0.9, 0.98, 1]))
    print(f"{name:28} {len(values):5}  {quantiles}", flush=True)


def main():
    print(f"{'':28} {'n':>5}  quantiles: 0, 2, 10, 50, 90, 98, 100 %")
    genuine = {rate: [] for rate in (10, 5, 2)}
    stills = {name: [] for name in STILLS}
    for name in GENUINE:
        images = frames(glob.glob(os.path.join(SHARED, "media", "video", name + ".*"))[0])
        looks = [look(image) for image in images]
        for rate in genuine:
            step = 10 // rate
            windows = [looks[i:i + FRAMES * step:step] for i in range(len(looks) - (FRAMES - 1) * step)]
            values = [measure(w) for w in windows if all(p is not None for p in w)]
            row(f"{name}, {rate} a second", values)
            genuine[rate] += values
        for k in (0.1, 0.3, 0.5, 0.7, 0.9):
            image = images[int(k * (len(images) - 1))]
            for kind, make in STILLS.items():
                window = [look(make(image, j)) for j in range(FRAMES)]
                if all(p is not None for p in window):
                    stills[kind].append(measure(window))
    for rate, values in genuine.items():
        row(f"genuine, {rate} a second", values)
    for kind, values in stills.items():
        row(f"still, {kind}", values)


main()
