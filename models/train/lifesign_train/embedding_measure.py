"""The embedding's figures: pairs of people who were not trained on, worse pictures, the same picture again; beside its teacher."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from .augment import jpeg
from .crops import arcface
from .data import Row, load_rows, read_image
from .embedding_data import FLIP, SIDE, SIZE, TEACHER, Teacher, usable
from .measuring import cost, session
from .pairs import Pairs, percent
from .stats import rate

FMRS = (1e-2, 1e-3, 1e-4)
CHOSEN = 1e-3  # the FMR whose threshold goes into the manifest
OTHER = "builtin, the other flip"
SAME = 200  # pictures in the table of the same picture again

Embed = Callable[[np.ndarray, np.ndarray], np.ndarray]  # image and landmarks to a unit vector


class Student:
    """The exported net by the manifest's contract."""

    def __init__(self, path: Path, flip: bool = FLIP):
        self.net, self.flip = session(path), flip

    def __call__(self, image: np.ndarray, points: np.ndarray) -> np.ndarray:
        crop = arcface(image, points, SIZE)
        total = np.zeros(0, np.float32)
        for given in (crop, crop[:, ::-1])[:2 if self.flip else 1]:
            x = (given.transpose(2, 0, 1)[None].astype(np.float32) / 255.0 - 0.5) / 0.25
            vector = self.net.run(None, {"input": x})[0][0]
            total = vector if total.size == 0 else total + vector
        return total / np.linalg.norm(total)


def smaller(eyes: float) -> Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """The picture scaled down until the eyes are `eyes` pixels apart."""
    def change(image: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        k = eyes / max(1e-6, float(np.linalg.norm(points[1] - points[0])))
        if k >= 1:
            return image, points
        size = (max(8, round(image.shape[1] * k)), max(8, round(image.shape[0] * k)))
        factor = np.array([size[0] / image.shape[1], size[1] / image.shape[0]])
        return cv2.resize(image, size, interpolation=cv2.INTER_AREA), (points + 0.5) * factor - 0.5
    return change


def inexact(part: float) -> Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Landmarks with a mean error of `part` of the eye distance, as a weaker detector gives them."""
    rng = np.random.default_rng(5)

    def change(image: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        # A two-dimensional normal error has a mean length of sigma * sqrt(pi / 2).
        sigma = part * float(np.linalg.norm(points[1] - points[0])) / math.sqrt(math.pi / 2)
        return image, points + rng.normal(0, sigma, points.shape)
    return change


CHANGES = {
    "one picture of the pair with 20 pixels between the eyes": smaller(20),
    "one picture of the pair with 12 pixels between the eyes": smaller(12),
    "one picture of the pair with landmarks off by 5 % of the eye distance": inexact(0.05),
    "one picture of the pair with landmarks off by 10 % of the eye distance": inexact(0.10),
}


def same_picture(embed: Embed, images: list[tuple[np.ndarray, np.ndarray]], cosine: float) -> dict[str, dict]:
    """Cosines between a picture and a version of it that a camera could as well have made."""
    rng = np.random.default_rng(9)

    def mirrored(image: np.ndarray, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        q = np.column_stack([image.shape[1] - 1 - p[:, 0], p[:, 1]])
        return np.ascontiguousarray(image[:, ::-1]), q[[1, 0, 2, 4, 3]]

    def cropped(image: np.ndarray, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        h, w = image.shape[:2]
        low, high = np.maximum(0, p.min(0) - 0.8 * np.ptp(p, 0)).astype(int), np.minimum([w, h], p.max(0) + 0.8 * np.ptp(p, 0)).astype(int)
        return image[low[1]:high[1], low[0]:high[0]], p - low

    versions = {
        "mirrored": mirrored,
        "cut close to the face": cropped,
        "landmarks off by 3 % of the eye distance": inexact(0.03),
        "JPEG at quality 30": lambda image, p: (jpeg(image, 30), p),
        "half as bright": lambda image, p: (cv2.convertScaleAbs(image, alpha=0.5), p),
    }
    order = rng.permutation(len(images))[:SAME]
    plain = {i: embed(*images[i]) for i in order}
    table = {}
    for name, change in versions.items():
        cosines = np.array([float(plain[i] @ embed(*change(*images[i]))) for i in order])
        table[name] = {"mean": round(float(cosines.mean()), 3), "least": round(float(cosines.min()), 3), "match": rate(int((cosines >= cosine).sum()), len(cosines))}
    return table


def pairs_of(embed: Embed, images: list[tuple[np.ndarray, np.ndarray]], people: np.ndarray,
             change: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]] | None = None, vectors: np.ndarray | None = None) -> tuple[Pairs, np.ndarray]:
    """All pairs; with `change`, its version of the one picture against the other as it is (`vectors`)."""
    made = np.stack([embed(*(change(*pair) if change else pair)) for pair in images])
    return (Pairs(vectors, people, made) if vectors is not None else Pairs(made, people)), made


def faces(rows: list[Row], shared: Path) -> tuple[list[tuple[np.ndarray, np.ndarray]], np.ndarray]:
    """LFW's pictures with landmarks, and their people as numbers. No other source says with certainty who is who."""
    chosen = [r for r in rows if (r.label, r.kind) == ("faces_id", "lfw") and usable(r)]
    number = {name: k for k, name in enumerate(sorted({r.identity for r in chosen}))}
    return [(read_image(r, shared), r.points) for r in chosen], np.array([number[r.identity] for r in chosen], int)


def at_fmrs(pairs: Pairs) -> dict[str, dict]:
    """FNMR at each FMR, the threshold found on these very pairs."""
    out = {}
    for fmr in FMRS:
        cut_at = pairs.threshold(fmr)
        out[f"{fmr:g}"] = {"cosine": round(cut_at, 4), "fnmr": pairs.fnmr(cut_at), "FNMR": percent(pairs.fnmr(cut_at), pairs.fnmr_interval(fmr=fmr)),
                           "fnmr per person": pairs.per_person(cut_at), "FNMR per person": percent(pairs.per_person(cut_at), pairs.fnmr_interval(fmr=fmr, per_person=True))}
    return out


def at_cosine(pairs: Pairs, cosine: float) -> dict[str, str]:
    """What a threshold that was chosen elsewhere gives here."""
    out = {"FNMR": percent(pairs.fnmr(cosine), pairs.fnmr_interval(cosine=cosine)),
           "FNMR per person": percent(pairs.per_person(cosine), pairs.fnmr_interval(cosine=cosine, per_person=True))}
    if len(pairs.impostor):
        out["FMR"] = percent(pairs.fmr(cosine), pairs.fmr_interval(cosine), 3)
    return out


def measure(path: Path, split: str, work: Path, shared: Path) -> dict:
    """Prints and stores every figure for a split. The thresholds are chosen on `val` and used on `test`."""
    rows = [r for r in load_rows(shared) if r.split == split]
    images, people = faces(rows, shared)
    net = Teacher(shared)
    embedders: dict[str, Embed] = {"builtin": Student(path), "teacher": lambda image, points: net(arcface(image, points, SIDE))}
    if split == "val":  # what the manifest's `flip` is chosen by
        embedders[OTHER] = Student(path, not FLIP)
    found = {name: pairs_of(embed, images, people) for name, embed in embedders.items()}
    stored = work / "embedding-threshold.json"
    if split == "val":
        # Rounded up to what the manifest holds: the score is (cosine + 1) / 2.
        cosines = {name: 2 * math.ceil(1000 * (pairs.threshold(CHOSEN) + 1) / 2) / 1000 - 1 for name, (pairs, _) in found.items()}
        stored.write_text(json.dumps(cosines))
    else:
        cosines = json.loads(stored.read_text())
    mine = found["builtin"][0]
    several = np.bincount(people)
    report: dict = {
        "split": split, "flip": FLIP, "threshold": round((cosines["builtin"] + 1) / 2, 3), "cosine": round(cosines["builtin"], 3), "teacher's cosine": round(cosines["teacher"], 3),
        "pictures": len(people), "people": int((several > 0).sum()), "people with pairs": int((several > 1).sum()), "most pictures of one": int(several.max()),
        "genuine pairs": len(mine.genuine), "impostor pairs": len(mine.impostor),
        "agreement": round(float((found["builtin"][1] * found["teacher"][1]).sum(1).mean()), 3),
        "at FMR": {name: at_fmrs(pairs) for name, (pairs, _) in found.items()},
        "at threshold": {name: at_cosine(pairs, cosines[name]) for name, (pairs, _) in found.items()},
    }
    report["worse pictures"] = {}
    for what, change in CHANGES.items():
        report["worse pictures"][what] = {}
        for name in ("builtin", "teacher"):
            pairs = pairs_of(embedders[name], images, people, change, found[name][1])[0]
            report["worse pictures"][what][name] = at_cosine(pairs, cosines[name])
    report["same picture"] = same_picture(embedders["builtin"], images, cosines["builtin"])
    report["cost"] = cost({f"builtin {SIZE}": path, f"mobilefacenet {SIDE}": shared / "models" / "open" / TEACHER})
    print(json.dumps(report, indent=1), flush=True)
    (work / f"embedding-{split}.json").write_text(json.dumps(report, indent=1))
    return report
