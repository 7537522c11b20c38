"""The deepfake model's figures: per source, on matched pairs, on genuine faces of other kinds, beside the MesoNets and beside what the framing alone tells."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np

from .augment import jpeg
from .crops import eyes_mouth, scaled_box
from .data import Row, load_rows, read_image
from .deepfake_blend import blend
from .deepfake_data import SCALE, SIZE, SOURCES, resized, room, sharpness, window
from .measuring import cost, session
from .stats import auc, rate

MESONETS = (("deepfake_meso4_df.onnx", "deepfake_mesoinception4_df.onnx"), ("deepfake_mesoinception4_f2f.onnx",))
MESO_FAKE_AT, MESO_SCALE, MESO_SIZE = (0.5, 0.4), 1.43, 256  # as in models/open/pack.toml
REJECTED = 0.05  # of the genuine faces, the mean over their kinds, at the threshold
MATCH = 0.12  # greatest difference in sharpness within a matched pair
KIND_AT_MOST = 150  # genuine pictures of one other kind that are measured
KIND_AT_LEAST = 15  # a kind with fewer says too little to choose a threshold by


class Scorer:
    """P(real) of crops, as the exported net gives it."""

    def __init__(self, path: Path):
        self.net = session(path)

    def crop(self, crop: np.ndarray) -> float:
        x = (crop.transpose(2, 0, 1)[None].astype(np.float32) / 255.0 - 0.5) / 0.25
        return float(self.net.run(None, {"input": x})[0].ravel()[0])

    def image(self, image: np.ndarray, box: np.ndarray) -> float:
        return self.crop(scaled_box(image, box, SCALE, SIZE))


class MesoNets:
    """The open pack's three nets, fused as the core fuses them: means within a group, calibrated at `fake_at`, the least counts."""

    def __init__(self, shared: Path):
        self.groups = [[session(shared / "models" / "open" / name) for name in group] for group in MESONETS]

    def __call__(self, image: np.ndarray, points: np.ndarray) -> float:
        x = eyes_mouth(image, points, MESO_SCALE, MESO_SIZE)[:, :, ::-1].transpose(2, 0, 1)[None] / np.float32(255)
        x, scores = np.ascontiguousarray(x), []
        for nets, at in zip(self.groups, MESO_FAKE_AT):
            p = float(np.mean([net.run(None, {net.get_inputs()[0].name: x})[0].ravel()[0] for net in nets]))
            scores.append(0.5 * p / at if p <= at else 0.5 + 0.5 * (p - at) / (1 - at))
        return min(scores)


def interval(genuine: list[float], forged: list[float]) -> str:
    """AUC of scores that are high for genuine, with its interval and counts."""
    a, low, high = auc(np.array(genuine), np.array(forged))
    return f"{a:.3f} [{low:.3f}, {high:.3f}] ({len(genuine)} genuine, {len(forged)} forged)"


def either_way(genuine: list[float], forged: list[float]) -> str:
    """AUC of a property that was not made to tell the classes apart, whichever way it does."""
    a = auc(np.array(genuine), np.array(forged))[0]
    return f"{max(a, 1 - a):.3f}"


def pairs(genuine: list[tuple], forged: list[tuple], by_group: bool) -> list[tuple[int, int]]:
    """Matched pairs of indices, each picture in one at most: of one original video, or alike in sharpness. Entries are (row, image, sharpness)."""
    free, made = set(range(len(forged))), []
    for i, (row, _, sharp) in enumerate(genuine):
        near = [j for j in sorted(free) if (forged[j][0].group == row.group if by_group else abs(forged[j][2] - sharp) <= MATCH)]
        if near:
            j = min(near, key=lambda k: abs(forged[k][2] - sharp))
            free.discard(j)
            made.append((i, j))
    return made


def levelled(a: tuple[np.ndarray, np.ndarray], b: tuple[np.ndarray, np.ndarray]) -> list[np.ndarray]:
    """Both faces' crops after both got the same face height and the same room, so that neither tells anything."""
    height, margins = min(float(a[1][3]), float(b[1][3])), np.minimum(room(*a), room(*b))
    return [scaled_box(*resized(*window(image, box, margins), height), SCALE, SIZE) for image, box in (a, b)]


def hidden(crop: np.ndarray) -> np.ndarray:
    """The crop with its face under a flat ellipse. What a net still tells from the rest, it tells from the picture and not from the face."""
    y, x = np.mgrid[0:SIZE, 0:SIZE] - (SIZE - 1) / 2
    reach = 0.55 * SIZE / SCALE
    out = crop.copy()
    out[(x / reach) ** 2 + (y / (1.04 * reach)) ** 2 < 1] = crop.reshape(-1, 3).mean(0)
    return out


# What is done to matched pairs before they are scored again.
TREATMENTS = {"face hidden": hidden, "blurred, sigma 1": lambda crop: cv2.GaussianBlur(crop, (0, 0), 1.0), "JPEG 50": lambda crop: jpeg(crop, 50)}


def other_kind(row: Row) -> str | None:
    """The kind under which a genuine picture counts that belongs to no source with forgeries."""
    sources = {key for genuine, _ in SOURCES.values() for key in genuine}
    if row.box is None or row.score < 0.6 or row.label not in ("faces_id", "faces_portrait", "live", "covered") or (row.label, row.kind) in sources:
        return None
    return f"{row.label}/{row.kind}"


def threshold_at(kinds: dict[str, list[float]]) -> float:
    """The greatest threshold at which the mean over kinds of the rejected share is at most `REJECTED`; three decimals, rounded down."""
    useful = [np.array(v) for v in kinds.values() if len(v) >= KIND_AT_LEAST]
    steps = np.arange(0.001, 0.999, 0.001)
    good = [t for t in steps if np.mean([(v <= t).mean() for v in useful]) <= REJECTED] if useful else []
    return round(float(max(good, default=steps[0])), 3)


def measure(path: Path, split: str, work: Path, shared: Path) -> dict:
    """Prints and stores every figure for a split. The threshold is chosen on `val` and used on `test`."""
    scorer, meso = Scorer(path), MesoNets(shared)
    rows = [r for r in load_rows(shared) if r.split == split]
    mine: dict[str, tuple[list[float], list[float]]] = {}
    theirs: dict[str, tuple[list[float], list[float]]] = {}
    report: dict = {"split": split}
    table: dict[str, dict] = {}
    for source, (genuine_keys, forged_key) in SOURCES.items():
        sides = []
        for keys in (genuine_keys, (forged_key,)):
            loaded = [(r, read_image(r, shared)) for r in rows if (r.label, r.kind) in keys and r.box is not None]
            sides.append([(r, image, sharpness(image, r.box)) for r, image in loaded])
        mine[source] = tuple([scorer.image(image, r.box) for r, image, _ in side] for side in sides)
        theirs[source] = tuple([meso(image, r.points) for r, image, _ in side] for side in sides)
        chosen = pairs(*sides, by_group=source == "dfdc")
        matched = [levelled(*((image, row.box) for row, image, _ in (sides[0][i], sides[1][j]))) for i, j in chosen]
        across = lambda treat: interval(*([scorer.crop(treat(both[side])) for both in matched] for side in (0, 1)))
        table[source] = {"auc": interval(*mine[source]), "auc of matched pairs": across(lambda crop: crop),
                         **{f"auc of matched pairs, {name}": across(treat) for name, treat in TREATMENTS.items()}, "auc of the MesoNets": interval(*theirs[source]),
                         "auc of the box height": either_way(*([float(r.box[3]) for r, _, _ in side] for side in sides)),
                         "auc of sharpness": either_way(*([s for _, _, s in side] for side in sides))}
    others: dict[str, list[float]] = defaultdict(list)
    blends: list[tuple[float, float]] = []
    for k, row in enumerate(rows):
        if (kind := other_kind(row)) and len(others[kind]) < KIND_AT_MOST:
            image = read_image(row, shared)
            others[kind].append(scorer.image(image, row.box))
            if row.label != "covered" and row.box[3] >= 60:
                blends.append((others[kind][-1], scorer.image(blend(image, row.points, np.random.default_rng((k, 17))), row.box)))
    stored = work / "deepfake-threshold.json"
    if split == "val":
        threshold = threshold_at({**{n: v[0] for n, v in mine.items()}, **others})
        stored.write_text(json.dumps({"fake_at": threshold}))
    else:
        threshold = json.loads(stored.read_text())["fake_at"]
    report["threshold"] = threshold
    for source, (genuine, forged) in mine.items():
        table[source] |= {"APCER": rate(sum(s > threshold for s in forged), len(forged)), "BPCER": rate(sum(s <= threshold for s in genuine), len(genuine)),
                          "APCER of the MesoNets": rate(sum(s > 0.5 for s in theirs[source][1]), len(forged)),
                          "BPCER of the MesoNets": rate(sum(s <= 0.5 for s in theirs[source][0]), len(genuine))}
    every = lambda found, side: [s for v in found.values() for s in v[side]]
    report["all sources together"] = {"auc": interval(every(mine, 0), every(mine, 1)), "auc of the MesoNets": interval(every(theirs, 0), every(theirs, 1))}
    report["self-blends of genuine faces of other kinds"] = {"auc": interval([a for a, _ in blends], [b for _, b in blends]),
                                                             "APCER": rate(sum(b > threshold for _, b in blends), len(blends))}
    report["per source, weakest first"] = dict(sorted(table.items(), key=lambda item: float(item[1]["auc"].split()[0])))
    rejected = {kind: (sum(s <= threshold for s in v), len(v)) for kind, v in others.items()}
    report["genuine of other kinds rejected, worst first"] = {k: rate(*v) for k, v in sorted(rejected.items(), key=lambda item: -item[1][0] / item[1][1])}
    report["genuine of other kinds rejected, all"] = rate(sum(a for a, _ in rejected.values()), sum(n for _, n in rejected.values()))
    report["cost"] = cost({"builtin": path, **{Path(n).stem: shared / "models" / "open" / n for group in MESONETS for n in group}})
    print(json.dumps(report, indent=1), flush=True)
    (work / f"deepfake-{split}.json").write_text(json.dumps(report, indent=1))
    return report
