"""The liveness model's part of the pack: its manifest entry, threshold, self-tests and card."""

from __future__ import annotations

from pathlib import Path

from . import notes
from .cards import size_and_parameters, table, terms
from .liveness import TEACHER
from .liveness_data import SCALE, SHARES, SIZE
from .manifest import model, self_tests

TEXT = """# builtin_liveness

{first}

- **What it is.** A small residual net over one crop: the face box enlarged 2.7 times as far as the frame allows, 80x80 BGR,
  `(x / 255 - 0.5) / 0.25`; logits [spoof, live]; the softmax of `live` is the score.
- **Size.** {size} bytes float32, {parameters} parameters.
- **Cost** (one thread, median CPU milliseconds on a shared machine, interleaved): ONNX Runtime {cost}; rten {rten}.
- **Method.** `python -m lifesign_train.liveness all`: a pool of crops, {simulated} % simulated (genuine pictures, and the same printed, shown on a display or worn as a paper
  mask, after "Joint Physical-Digital Facial Attack Detection via Simulating Spoofing Clues", CVPR 2024 workshop), {real} % real full-frame captures of the train
  split, {tight} % real tight crops. The teacher is the half of the minivision pair that looks at the same crop (MiniFASNetV2, 2.7): where it is on the label's side
  {part} % of the target is its opinion, and the net also guesses its last features but one; tight crops follow their labels alone. {steps}
- **Threshold** {threshold}, chosen on `val`: where the mean error on genuine frames, photographs and simulated genuine crops and the mean error on real and
  simulated prints and replays add up to least.

## Figures on `test` (once)

Intervals are 95 % (Wilson; Hanley and McNeil for AUC). The `test` split holds **no replay in full context**: its full-frame attacks are prints of one origin
(CelebA-Spoof), and its genuine full frames are celebrity photographs from the web. A net can tell those apart by origin alone, so the real figures are an upper bound.

{summary}

{groups}

## Figures on `val` (where the threshold was chosen)

{val_summary}

{val_groups}

## Known failures, in words

{failures}

## Use

A first line against a print or a display held before the camera, in demonstrations and development, beside other checks. It must not be the only thing
between an attacker and an account, it says nothing of masks of silicone or resin, of injected video or of deepfakes, and it was not evaluated under ISO/IEC 30107-3.
Error rates by age, sex and skin tone were not measured.

## Data and terms

{terms}
"""


def models(target: Path, figures: dict[str, dict]) -> list[dict]:
    """The `[[model]]` entries."""
    return [model("liveness", target / "liveness.onnx", SIZE, {"rule": "scaled_box", "scale": SCALE}, {"rule": "softmax", "output": "logits", "live_index": 1})]


def good_enough(figures: dict) -> bool:
    """Whether the figures reach what the check needs to decide: AUC of at least 0.90 on real prints and replays in full context.

    The replays alone may stay below it, and do: a pack without a deciding attack check would judge nothing. The card begins with them instead.
    """
    return float(figures.get("auc context live against print + replay", "0").split()[0]) >= 0.90


def thresholds(figures: dict[str, dict]) -> list[dict]:
    """The `[[threshold]]` of PresentationAttack, chosen on `val`; advisory where `test` fell short."""
    groups = figures["val"].get("per group, weakest first", {})
    measured = "chosen on val for the least sum of the errors on genuine and on attacks; there " + "; ".join(
        f"{name}: {kind} {entry[kind]}" for name in ("context live", "context print", "context replay", "photo live", "simulated live", "simulated print", "simulated replay")
        if (entry := groups.get(name)) for kind in ("BPCER", "APCER") if kind in entry)
    decides = good_enough(figures["val"]) and good_enough(figures["test"])
    return [{"check": "PresentationAttack", "score": figures["val"]["threshold"], "measured": measured, "advisory": not decides}]


def tests(target: Path) -> list[dict]:
    """The `[[self_test]]` entries."""
    return self_tests(target / "liveness.onnx", "builtin_liveness", SIZE, ["logits"], 2)


def _groups(figures: dict) -> str:
    keys = ["APCER", "APCER at BPCER 5 %", "teacher's APCER at BPCER 5 %", "BPCER", "teacher at 0.5", "mean"]
    heads = ["group, weakest first", "attacks accepted (APCER)", "APCER at BPCER 5 %", "teacher's", "genuine rejected (BPCER)", "teacher at 0.5, same error", "mean score"]
    return table(heads, [[name, *(e.get(k, "") for k in keys)] for name, e in figures["per group, weakest first"].items()])


def _summary(figures: dict) -> str:
    return table(["", "AUC [95 %]"], [[k.removeprefix("auc "), v] for k, v in figures.items() if k.startswith("auc")])


def card(target: Path, figures: dict[str, dict]) -> str:
    """The card's text."""
    t, v = figures["test"], figures["val"]
    share = {k: round(100 * sum(w for n, w in SHARES.items() if n.startswith(start))) for k, start in (("simulated", "sim"), ("real", "real"), ("tight", "tight"))}
    c = t["cost"]
    return TEXT.format(
        first=notes.LIVENESS_FIRST, failures=notes.LIVENESS_FAILURES, steps=notes.LIVENESS_STEPS, terms=terms("liveness"),
        **size_and_parameters(target / "liveness.onnx"), **share, part=round(100 * TEACHER), threshold=v["threshold"], rten=t.get("rten", "not measured"),
        cost=f"{c['builtin']} against {c['teacher 2.7']} and {c['teacher 4.0']} for the halves of the minivision pair",
        summary=_summary(t), groups=_groups(t), val_summary=_summary(v), val_groups=_groups(v))
