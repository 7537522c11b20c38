"""The liveness model's figures: on simulated attacks, on real ones in full context, on tight crops, beside its teacher."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import numpy as np

from .attacks import KINDS
from .crops import scaled_box
from .data import Row, load_rows, read_image
from .liveness_data import CONTEXT, SCALE, SIZE, build, real_rows
from .liveness_teacher import HALVES, Pair
from .measuring import cost, session
from .stats import auc, rate, threshold_at_bpcer

ATTACK = {"spoof_print": "print", "spoof_replay": "replay", "spoof_other": "paper mask"}
REJECTED = 0.05  # the share of genuine presentations rejected where attacks are compared with the teacher's
PHOTOS = 150  # genuine photographs measured per kind
SIMULATED = (1200, 2)  # size and seed of the simulated pool that is measured


class Scorer:
    """P(live) of crops, as the exported net gives it."""

    def __init__(self, path: Path):
        self.net = session(path)

    def crop(self, crop: np.ndarray) -> float:
        x = (crop.transpose(2, 0, 1)[None].astype(np.float32) / 255.0 - 0.5) / 0.25
        logits = self.net.run(None, {"input": x})[0][0]
        e = np.exp(logits - logits.max())
        return float(e[1] / e.sum())

    def image(self, image: np.ndarray, box: np.ndarray) -> float:
        return self.crop(scaled_box(image, box, SCALE, SIZE))


def genuine(row: Row) -> bool:
    """Genuine photographs other than the `live` rows: they must pass as well."""
    return row.box is not None and row.score >= 0.8 and (
        row.label in ("faces_portrait", "faces_id", "covered") or (row.label == "deepfake_real" and row.kind in ("openforensics", "portrait", "ffhq")))


def interval(value: tuple[float, float, float]) -> str:
    return f"{value[0]:.3f} [{value[1]:.3f}, {value[2]:.3f}]"


def scored(path: Path, split: str, work: Path, shared: Path) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Every group's scores, and the teacher's on the same pictures (on simulated ones only its 2.7 half's)."""
    scorer, teacher = Scorer(path), Pair(shared)
    rows = [r for r in load_rows(shared) if r.split == split]
    scores: dict[str, list[float]] = defaultdict(list)
    teachers: dict[str, list[float]] = defaultdict(list)

    def note(row: Row, *names: str) -> None:
        image = read_image(row, shared)
        mine, theirs = scorer.image(image, row.box), teacher(image, row.box)
        for name in names:
            scores[name].append(mine)
            teachers[name].append(theirs)
    for row in real_rows(rows, split):
        name = f"{'context' if row.kind in CONTEXT else 'tight'} {'live' if row.label == 'live' else ATTACK[row.label]}"
        note(row, name, f"{name} / {row.source}")
    kinds: dict[str, int] = defaultdict(int)
    for row in rows:
        if genuine(row) and kinds[row.kind] < PHOTOS:
            kinds[row.kind] += 1
            note(row, "photo live", f"photo live / {row.label}/{row.kind}")
    simulated = build(load_rows(shared), split, *SIMULATED, 1, simulated_only=True, work=work)
    for crop, kind, opinion in zip(simulated["crop"], simulated["kind"], simulated["teacher"]):
        scores[f"simulated {KINDS[int(kind)]}"].append(scorer.crop(crop))
        teachers[f"simulated {KINDS[int(kind)]}"].append(float(opinion))
    return {k: np.array(v) for k, v in scores.items()}, {k: np.array(v) for k, v in teachers.items()}


GENUINE = ("context live", "photo live", "simulated live")
ATTACKS = ("context print", "context replay", "simulated print", "simulated replay")


def chosen_threshold(s: dict[str, np.ndarray], split: str, work: Path) -> float:
    """Chosen on `val` and stored; on `test` the stored one.

    Where the mean error on genuine groups and the mean error on attacks add up to least. At 5 % of genuine rejected a weak net lets nearly every
    replay of an unknown display through: such a check would only pretend.
    """
    stored = work / "liveness-threshold.json"
    if split == "val":
        steps = np.round(np.arange(0.05, 0.96, 0.01), 2)
        errors = [np.mean([(s[k] < at).mean() for k in GENUINE]) + np.mean([(s[k] >= at).mean() for k in ATTACKS]) for at in steps]
        stored.write_text(json.dumps({"score": float(steps[int(np.argmin(errors))])}))
    return float(json.loads(stored.read_text())["score"])


def areas(s: dict[str, np.ndarray], t: dict[str, np.ndarray]) -> dict[str, str]:
    """AUC of every pairing, and the teacher's beside it."""
    def attacks(of: dict[str, np.ndarray]) -> np.ndarray:
        return np.concatenate([of.get(f"context {k}", np.zeros(0)) for k in ("print", "replay")])
    out = {"auc context live against print + replay": interval(auc(s["context live"], attacks(s))),
           "auc of the teacher on the same": interval(auc(t["context live"], attacks(t)))}
    pairs = [("context live", f"context {k}") for k in ("print", "replay")] + [("tight live", "tight replay")] + [("simulated live", f"simulated {k}") for k in KINDS[1:]]
    for live, attack in pairs:
        if live in s and attack in s:
            name = f"auc {live} against {attack.split(' ')[1]}"
            out[name], out[f"{name}, teacher"] = interval(auc(s[live], s[attack])), interval(auc(t[live], t[attack]))
    return out


def measure(path: Path, split: str, work: Path, shared: Path) -> dict:
    """Prints and stores every figure for a split."""
    s, t = scored(path, split, work, shared)
    threshold = chosen_threshold(s, split, work)
    report: dict = {"split": split, "threshold": threshold, **areas(s, t)}
    entries = {}
    for name, v in s.items():
        world, good = name.split(" ")[0], name.split(" ")[1] == "live"
        entry = {("BPCER" if good else "APCER"): rate(int((v < threshold).sum() if good else (v >= threshold).sum()), len(v)), "mean": round(float(v.mean()), 3)}
        if not good:
            for key, of in (("APCER at BPCER 5 %", s), ("teacher's APCER at BPCER 5 %", t)):
                entry[key] = rate(int((of[name] >= threshold_at_bpcer(of[f"{world} live"], REJECTED)).sum()), len(v))
        entry["teacher at 0.5"] = rate(int((t[name] < 0.5).sum() if good else (t[name] >= 0.5).sum()), len(v))
        entries[name] = entry

    def worst(item: tuple[str, dict]) -> float:
        return -float(item[1].get("APCER", item[1].get("BPCER")).split("=")[1].split("%")[0])
    report["per group, weakest first"] = dict(sorted(entries.items(), key=worst))
    report["cost"] = cost({"builtin": path, "teacher 2.7": shared / "models" / "open" / HALVES[0][0], "teacher 4.0": shared / "models" / "open" / HALVES[1][0]})
    print(json.dumps(report, indent=1), flush=True)
    (work / f"liveness-{split}.json").write_text(json.dumps(report, indent=1))
    return report
