#!/usr/bin/env python3
"""Measures what FrameContinuity's limits rest on: how far genuine faces move between frames, and how alike they stay.

usage: continuity.py SHARED [PACK]    SHARED holds models/reference.py, models/open and media/video; PACK is a folder whose
                                      detector and embedding take the open models' place, such as models/builtin
needs: numpy, opencv-python-headless, onnxruntime
"""
import glob, os, pathlib, sys
import cv2, numpy as np

SHARED = sys.argv[1]
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(SHARED, "models"))
import reference

DETECTOR, EMBED = reference.YuNet(score=0.7), reference.Embed()
if len(sys.argv) > 2:
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "models" / "train"))
    from lifesign_train import golden

    pack = golden.Pack(pathlib.Path(sys.argv[2]))
    DETECTOR = lambda image: ([{"box": box, "kps": points} for _, box, points in pack.faces(image)], None)
    EMBED = lambda image, points: pack.nets["embedding"].embedding(image, np.asarray(points))
GENUINE = ["apfol_live", "tran_live", "lp_d3", "lp_d10", "lp_d11", "lp_d18", "lp_d19", "lp_d20", "ff_orig_519"]


def faces(path):
    """Box and embedding of the largest face, ten times a second; None where there is none."""
    video = cv2.VideoCapture(path)
    rate = video.get(cv2.CAP_PROP_FPS)
    rate = rate if 1 < rate < 120 else 30.0
    found, index, due = [], 0, 0.0
    while True:
        ok, image = video.read()
        if not ok:
            return found
        if index / rate >= due:
            due += 0.1
            hits, _ = DETECTOR(image)
            found.append((hits[0]["box"], EMBED(image, hits[0]["kps"])) if hits else None)
        index += 1


def row(name, values):
    quantiles = "  ".join(f"{x:.3f}" for x in np.quantile(values, [0, 0.02, 0.1, 0.5, 0.9, 0.98, 1]))
    print(f"{name:28} {len(values):6}  {quantiles}", flush=True)


def main():
    print(f"{'':28} {'n':>6}  quantiles: 0, 2, 10, 50, 90, 98, 100 %")
    steps, sizes = {1: [], 2: [], 5: []}, {1: [], 2: [], 5: []}
    same, people = [], {}
    for name in GENUINE:
        found = faces(glob.glob(os.path.join(SHARED, "media", "video", name + ".*"))[0])
        for gap in steps:
            for a, b in zip(found, found[gap:]):
                if a and b:
                    (x, y, w, h), (u, v, m, n) = a[0], b[0]
                    size, other = (w * h) ** 0.5, (m * n) ** 0.5
                    steps[gap].append(np.hypot(x + w / 2 - u - m / 2, y + h / 2 - v - n / 2) / min(size, other))
                    sizes[gap].append(max(size / other, other / size))
        vectors = [f[1] for f in found if f]
        cosines = [float(vectors[i] @ w) for i in range(0, len(vectors), 5) for w in vectors[i + 1:i + 40]]
        row(f"cosine within {name}", cosines)
        same += cosines
        people[name] = vectors[::10]
    for gap in steps:
        row(f"step, {10 // gap} a second", steps[gap])
        row(f"size ratio, {10 // gap} a second", sizes[gap])
    row("cosine within four seconds", same)
    names = list(people)
    row("cosine between clips", [float(a @ b) for i, n in enumerate(names) for m in names[i + 1:] for a in people[n] for b in people[m]])


main()
