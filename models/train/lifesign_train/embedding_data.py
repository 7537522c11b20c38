"""The embedding's pool: aligned crops with a margin, cut once, each with what the teacher says of it; and the views that training makes of them."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime

from .augment import photometric
from .crops import ARCFACE_SIDE as SIDE
from .crops import arcface
from .data import SHARED, WORK, Row, read_image

# The teacher sees crops of SIDE, 112 pixels.
SIZE = 80  # the student's input: half of the arithmetic of 112, an eye distance of 25 pixels
MARGIN = 16  # pixels kept around SIDE, so that a turned or shifted view finds picture there
DIMENSIONS = 128
GRID = 5  # the student's last map; the teacher's 7 x 7 is averaged down to it
SMALLEST, SURE = 36.0, 0.6  # least box width in pixels and detector score: below them the teacher only guesses
MIXTURES = 9000  # blends in the pool; the teacher takes two minutes for them
MIX = (0.35, 0.65)  # share of the second face in a blend
FLIP = True  # whether the mirrored crop is added, as the manifest says
TEACHER = "embed_mobilefacenet_foamliu.onnx"


def usable(row: Row) -> bool:
    """Whether a row's face is large and sure enough to learn from."""
    return row.points is not None and row.box is not None and row.score >= SURE and float(row.box[2]) >= SMALLEST


def averaging(n_in: int, n_out: int) -> np.ndarray:
    """[n_out, n_in]: the mean over each of `n_out` equal parts of `n_in` cells."""
    edges = np.linspace(0, n_in, n_out + 1)
    cells = np.arange(n_in)
    overlap = np.minimum(edges[1:, None], cells + 1) - np.maximum(edges[:-1, None], cells)
    return np.clip(overlap, 0, None) * n_out / n_in


class Teacher:
    """MobileFaceNet by the reference's contract: RGB, ImageNet's mean and deviation; the sum over both mirror images, scaled to length 1."""

    MEAN = np.array([0.485, 0.456, 0.406], np.float32).reshape(1, 3, 1, 1)
    STD = np.array([0.229, 0.224, 0.225], np.float32).reshape(1, 3, 1, 1)

    def __init__(self, shared: Path = SHARED):
        model = onnx.load(shared / "models" / "open" / TEACHER)
        # The last residual map, 128 x 7 x 7, says where on the face each feature lies: a second thing to learn from.
        self.map = [n.output[0] for n in model.graph.node if n.op_type == "Add"][-1]
        model.graph.output.append(onnx.helper.make_tensor_value_info(self.map, onnx.TensorProto.FLOAT, None))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self.net = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        self.pool = averaging(7, GRID)

    def both(self, crop: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of a 112 x 112 BGR crop: the embedding [128], and the maps of the crop and of its mirror image, [2, GRID * GRID, 128]."""
        x = (crop[:, :, ::-1].transpose(2, 0, 1)[None].astype(np.float32) / np.float32(255) - self.MEAN) / self.STD
        total, maps = np.zeros(DIMENSIONS, np.float32), []
        for given in (x, x[..., ::-1]):
            vector, feature = self.net.run(["output0", self.map], {"input0": np.ascontiguousarray(given)})
            total += vector[0]
            maps.append(np.einsum("ai,bj,cij->abc", self.pool, self.pool, feature[0]).reshape(GRID * GRID, DIMENSIONS))
        return total / np.linalg.norm(total), np.stack(maps)

    def __call__(self, crop: np.ndarray) -> np.ndarray:
        return self.both(crop)[0]


def build(rows: list[Row], split: str, seed: int, mixtures: int = MIXTURES, work: Path = WORK, shared: Path = SHARED) -> dict[str, np.ndarray]:
    """The pool: every usable face of the split, then `mixtures` blends of two of them.

    A blend of two aligned faces is a face that nobody has; the teacher's opinion of it widens what 11,000 pictures show of its space.
    Arrays: view (uint8 BGR, SIDE + 2 MARGIN squared), target (the teacher's embedding), hint (its maps), person (-1: not known). Kept in the cache.
    """
    chosen = [r for r in rows if r.split == split and usable(r)]
    folder = work / "cache" / f"embedding-{split}-{len(chosen)}-{mixtures}-{seed}"
    count, wide = len(chosen) + mixtures, SIDE + 2 * MARGIN
    if not (folder / "person.npy").exists():
        folder.mkdir(parents=True, exist_ok=True)
        teacher, rng = Teacher(shared), np.random.default_rng(seed)
        views = np.lib.format.open_memmap(folder / "view.npy", "w+", np.uint8, (count, wide, wide, 3))
        targets = np.zeros((count, DIMENSIONS), np.float32)
        hints = np.zeros((count, 2, GRID * GRID, DIMENSIONS), np.float16)
        for n in range(count):
            if n < len(chosen):
                views[n] = arcface(read_image(chosen[n], shared), chosen[n].points, SIDE, MARGIN)
            else:
                a, b = rng.choice(len(chosen), 2, replace=False)
                share = float(rng.uniform(*MIX))
                views[n] = cv2.addWeighted(views[a], 1 - share, views[b], share, 0)
            targets[n], hints[n] = teacher.both(views[n][MARGIN:-MARGIN, MARGIN:-MARGIN])
            if (n + 1) % 1000 == 0:
                print(f"pool {split} {n + 1}/{count}", flush=True)
        views.flush()
        names = sorted({r.identity for r in chosen if r.label == "faces_id"})
        number = {name: k for k, name in enumerate(names)}
        np.save(folder / "target.npy", targets)
        np.save(folder / "hint.npy", hints)
        np.save(folder / "person.npy", np.array([number[r.identity] if r.label == "faces_id" else -1 for r in chosen] + [-1] * mixtures))
    return {name: np.load(folder / f"{name}.npy", mmap_mode="r" if name == "view" else None) for name in ("view", "target", "hint", "person")}


def jittered(view: np.ndarray, rng: np.random.Generator, mirror: bool) -> np.ndarray:
    """What the student sees of a pool's view: landmarks that are a little off, a turned or narrower face, another camera. SIZE squared, BGR uint8."""
    scale = math.exp(rng.normal(0, 0.05)) * SIZE / SIDE
    wide = scale * math.exp(rng.normal(0, 0.025))
    turn, shear = rng.normal(0, math.radians(5)), rng.normal(0, 0.02)
    c, s = math.cos(turn), math.sin(turn)
    m = np.array([[c, -s + shear], [s, c]]) @ np.diag([-wide if mirror else wide, scale])
    middle = (view.shape[0] - 1) / 2
    offset = (SIZE - 1) / 2 + rng.normal(0, 1.2, 2) - m @ np.array([middle, middle])
    out = cv2.warpAffine(view, np.column_stack([m, offset]), (SIZE, SIZE), flags=cv2.INTER_LINEAR)
    if rng.random() < 0.6:  # a short training spends its time better on pictures that can be recognised
        out = photometric(out, rng)
    if rng.random() < 0.08:  # a hand, hair, the edge of a phone
        h, w = (int(v) for v in rng.integers(8, SIZE // 3, 2))
        y, x = int(rng.integers(0, SIZE - h)), int(rng.integers(0, SIZE - w))
        out = out.copy()
        out[y:y + h, x:x + w] = rng.integers(0, 256, 3)
    return out
