"""The liveness model's figures: on simulated attacks, on real ones in full context, on tight crops, beside its teacher."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import numpy as np

from .attacks import KINDS
from .crops import scaled_box
from .data import Row, load_rows, read_image
from .measuring import session
from .liveness_data import CONTEXT, SCALE, SIZE, Teacher, build, real_rows
from .stats import auc, rate, threshold_at_bpcer

ATTACK = {"spoof_print": "print", "spoof_replay": "replay", "spoof_other": "paper mask"}


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


def measure(path: Path, split: str, work: Path, shared: Path) -> dict:
    """Prints and stores every figure for a split. The threshold is chosen on `val` and used on `test`."""
    scorer, teacher = Scorer(path), Teacher(shared)
    rows = [r for r in load_rows(shared) if r.split == split]
    scores: dict[str, list[float]] = defaultdict(list)
    teachers: dict[str, list[float]] = defaultdict(list)
    for row in real_rows(rows, split):
        image = read_image(row, shared)
        where = "context" if row.kind in CONTEXT else "tight"
        what = "live" if row.label == "live" else ATTACK[row.label]
        mine, theirs = scorer.image(image, row.box), teacher(image, row.box)
        for name in (f"{where} {what}", f"{where} {what} / {row.source}"):
            scores[name].append(mine)
            teachers[name].append(theirs)
    kinds: dict[str, int] = defaultdict(int)
    for row in rows:
        if genuine(row) and kinds[row.kind] < 150:
            kinds[row.kind] += 1
            scores[f"genuine photo / {row.label}/{row.kind}"].append(scorer.image(read_image(row, shared), row.box))
    simulated = build(load_rows(shared), split, 1200, 2, 1, simulated_only=True, work=work)
    for crop, kind in zip(simulated["crop"], simulated["kind"]):
        scores[f"simulated {KINDS[int(kind)]}"].append(scorer.crop(crop))
    s = {k: np.array(v) for k, v in scores.items()}
    empty = np.zeros(0)
    stored = work / "liveness-threshold.json"
    if split == "val":
        # Genuine of both worlds: 5 % of the simulated pool's genuine crops and of the real genuine frames may fail.
        both = [v for k, v in s.items() if k in ("context live", "simulated live")]
        threshold = float(np.mean([threshold_at_bpcer(v, 0.05) for v in both])) if both else 0.5
        stored.write_text(json.dumps({"score": round(threshold, 3)}))
    else:
        threshold = json.loads(stored.read_text())["score"]
    report: dict = {"split": split, "threshold": round(threshold, 3)}
    live = s.get("context live", empty)
    attack = np.concatenate([s.get("context print", empty), s.get("context replay", empty)])
    report["auc context live against print + replay"] = interval(auc(live, attack))
    t_live = np.array(teachers.get("context live", []))
    t_attack = np.array(teachers.get("context print", []) + teachers.get("context replay", []))
    report["auc of the teacher on the same"] = interval(auc(t_live, t_attack))
    report["auc tight live against replay"] = interval(auc(s.get("tight live", empty), s.get("tight replay", empty)))
    report["auc tight, teacher"] = interval(auc(np.array(teachers.get("tight live", [])), np.array(teachers.get("tight replay", []))))
    for kind in KINDS[1:]:
        report[f"auc simulated {kind}"] = interval(auc(s["simulated live"], s.get(f"simulated {kind}", empty)))
    at_five = {"context": threshold_at_bpcer(live, 0.05) if len(live) else threshold, "simulated": threshold_at_bpcer(s["simulated live"], 0.05),
               "tight": threshold_at_bpcer(s["tight live"], 0.05) if len(s.get("tight live", empty)) else threshold}
    table = {}
    for name, v in s.items():
        good = name.split(" ", 1)[1].startswith("live") or name.startswith("genuine")
        entry = {("BPCER" if good else "APCER"): rate(int((v < threshold).sum() if good else (v >= threshold).sum()), len(v)), "mean": round(float(v.mean()), 3)}
        if not good:
            cut = at_five[name.split(" ")[0]]
            entry["APCER at BPCER 5 %"] = rate(int((v >= cut).sum()), len(v))
        if name in teachers:
            t = np.array(teachers[name])
            entry["teacher at 0.5"] = rate(int((t < 0.5).sum() if good else (t >= 0.5).sum()), len(t))
        table[name] = entry
    def worst(item: tuple[str, dict]) -> float:
        text = item[1].get("APCER", item[1].get("BPCER"))
        return -float(text.split("=")[1].split("%")[0])
    report["per group, weakest first"] = dict(sorted(table.items(), key=worst))
    print(json.dumps(report, indent=1), flush=True)
    (work / f"liveness-{split}.json").write_text(json.dumps(report, indent=1))
    return report
