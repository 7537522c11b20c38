"""The deepfake model's part of the pack: its manifest entry, threshold, self-tests and card."""

from __future__ import annotations

from pathlib import Path

from . import notes
from .cards import size_and_parameters, table, terms
from .deepfake_data import SCALE, SIZE
from .deepfake_measure import TREATMENTS
from .manifest import model, self_tests

TARGET = 0.80  # AUC on OpenForensics, as it is and on matched pairs, and on all sources together
SELF_TEST = 0.1  # the self-tests' noise in normalised units: 6 levels either way
FALSE_ALARMS = 10.0  # per cent of genuine faces of any other kind that the check may reject and still decide

TEXT = """# builtin_deepfake

{first}

- **What it is.** Fixed high-pass filters at three scales over one crop, the logarithm of their strength in 15x15 cells, and a small residual net over these maps. The crop
  is the face box enlarged {scale} times as far as the frame allows, {size_px}x{size_px} BGR, `(x / 255 - 0.5) / 0.25`; output P(real) of one frame. The session averages over frames.
- **Size.** {size} bytes float32, {parameters} parameters.
- **Cost** (median CPU milliseconds of one run, one thread, interleaved on a shared machine): {cost}.
- **Method.** `python -m lifesign_train.deepfake all`: pairs of a genuine and a forged crop; two thirds are real and forged faces of the train split, always from one
  source, the rest genuine faces against self-blended copies of themselves ("Detecting Deepfakes with Self-Blended Images", Shiohara and Yamasaki, CVPR 2022; own
  code). Both members of a pair have the same face height in pixels, the same room around the face and the same treatment; OpenForensics pairs are
  alike in sharpness, DFDC pairs come from one video. Loss: cross entropy on smoothed labels, a ranking loss within pairs, and for self-blends
  where they were changed. {steps}
- **Threshold.** `fake_at` {threshold}, chosen on `val`: the mean over the kinds of genuine faces rejects at most 5 %. A face fails at or below it.
- **When the check may decide.** Not advisory only where on `test` the AUC on OpenForensics is at least {target:.2f}, as the crops are and on matched pairs, the AUC over all sources
  together is as high, and no other kind of genuine face (of 15 pictures or more) is rejected more often than {alarms:.0f} %. Here: **{verdict}**.

## What the sources give away

In the OpenForensics crops genuine faces fill less of the picture than forged ones, so that the height of the detector's box alone tells them apart
(column "box height"), which it would do in no camera's frame. The crop takes the framing away, but not the resolution that came with it. The honest
column is therefore **matched pairs**: each picture once, paired by sharpness (DFDC: by original video), both scaled to the same face height and cut with the same room.
The same pairs with the face hidden under a flat ellipse are the control: what is told from them is told from the picture, not from the face.

## Figures on `test` (once)

Intervals are 95 % (Hanley and McNeil for AUC, Wilson for rates). APCER: forgeries accepted; BPCER: genuine faces rejected. The MesoNets are the open
pack's three, fused as the core fuses them, on the same pictures at their threshold. One picture per person or video: what averaging over frames brings could not be measured.

{test}

## Figures on `val` (where the threshold was chosen)

{val}

## Known failures, in words

{failures}

## Use

A hint beside other checks, in demonstrations and development. It must not decide alone about anybody, it has seen face swaps and one generator of years past and
knows nothing of today's diffusion models, re-enactment or injected video streams, and it must not be used to call pictures of people genuine or forged in public.
Error rates by age, sex and skin tone were not measured.

## Data and terms

{terms}
"""


def _auc(text: str) -> float:
    """The number that a cell of AUC begins with; 0 where there is none."""
    return float(text.split()[0]) if text else 0.0


def _percent(text: str) -> float:
    """The percentage of a cell made by `stats.rate`."""
    return float(text.split("=")[1].split("%")[0]) if "=" in text else 0.0


def good_enough(figures: dict) -> bool:
    """Whether the figures reach what the check needs to decide; the card says the rule in words."""
    forensics = figures.get("per source, weakest first", {}).get("openforensics", {})
    reached = [forensics.get("auc", ""), forensics.get("auc of matched pairs", ""), figures.get("all sources together", {}).get("auc", "")]
    # Kinds of a few pictures are left out: one rejection among three would decide.
    alarms = [_percent(v) for v in figures.get("genuine of other kinds rejected, worst first", {}).values() if int(v.split("/")[1].split()[0]) >= 15]
    return bool(alarms) and all(_auc(text) >= TARGET for text in reached) and max(alarms) <= FALSE_ALARMS


def models(target: Path, figures: dict[str, dict]) -> list[dict]:
    """The `[[model]]` entries."""
    return [model("deepfake", target / "deepfake.onnx", SIZE, {"rule": "scaled_box", "scale": SCALE},
                  {"rule": "probability_real", "output": "real_prob", "group": "blend", "fake_at": figures["val"]["threshold"]})]


def thresholds(figures: dict[str, dict]) -> list[dict]:
    """The `[[threshold]]` of Deepfake: the core maps `fake_at` to 0.5. Advisory where `val` or `test` fell short."""
    decides = good_enough(figures["val"]) and good_enough(figures["test"])
    measured = "fake_at chosen on val: 5 % of genuine rejected, the mean over their kinds; on test " + "; ".join(
        f"{name}: AUC {entry['auc'].split(' (')[0]}, matched pairs {entry['auc of matched pairs'].split(' (')[0]}, APCER {entry['APCER']}, BPCER {entry['BPCER']}"
        for name, entry in figures["test"].get("per source, weakest first", {}).items()) + "; genuine of other kinds rejected: " + figures["test"].get(
        "genuine of other kinds rejected, all", "not measured")
    return [{"check": "Deepfake", "score": 0.5, "measured": measured, "advisory": not decides}]


def tests(target: Path) -> list[dict]:
    """The `[[self_test]]` entries."""
    # Noise over the whole range is stronger than any texture and would look alike to the net, whatever it is.
    return self_tests(target / "deepfake.onnx", "builtin_deepfake", SIZE, ["real_prob"], 1, -SELF_TEST, SELF_TEST)


def _figures(f: dict) -> str:
    sources = f["per source, weakest first"]
    together, blends = f["all sources together"], f["self-blends of genuine faces of other kinds"]
    aucs = table(["source, weakest first", "AUC", "AUC of matched pairs", "MesoNets, AUC", "box height alone", "sharpness alone"],
                 [[name, e["auc"], e["auc of matched pairs"], e["auc of the MesoNets"], e["auc of the box height"], e["auc of sharpness"]] for name, e in sources.items()]
                 + [["all sources together", together["auc"], "", together["auc of the MesoNets"], "", ""], ["self-blends of other genuine faces", blends["auc"], "", "", "", ""]])
    controls = table(["matched pairs of", *TREATMENTS], [[name, *(e[f"auc of matched pairs, {t}"] for t in TREATMENTS)] for name, e in sources.items()])
    rates = table(["source", "APCER", "BPCER", "APCER of the MesoNets", "BPCER of the MesoNets"],
                  [[name, e["APCER"], e["BPCER"], e["APCER of the MesoNets"], e["BPCER of the MesoNets"]] for name, e in sources.items()]
                  + [["self-blends of other genuine faces", blends["APCER"], "", "", ""]])
    others = table(["genuine faces of other kinds, worst first", "rejected (BPCER)"],
                   [[k, v] for k, v in f["genuine of other kinds rejected, worst first"].items()] + [["all", f["genuine of other kinds rejected, all"]]])
    return f"{aucs}\n\n{controls}\n\n{rates}\n\n{others}"


def card(target: Path, figures: dict[str, dict]) -> str:
    """The card's text."""
    t = figures["test"]
    cost = "ONNX Runtime " + ", ".join(f"{k} {v}" for k, v in t["cost"].items() if k != "times cheaper") + (f"; rten {t['rten']}" if "rten" in t else "")
    advisory = thresholds(figures)[0]["advisory"]
    return TEXT.format(
        first=notes.DEEPFAKE_FIRST, failures=notes.DEEPFAKE_FAILURES, steps=notes.DEEPFAKE_STEPS, terms=terms("deepfake"),
        **size_and_parameters(target / "deepfake.onnx"), scale=SCALE, size_px=SIZE, cost=cost, threshold=figures["val"]["threshold"], target=TARGET, alarms=FALSE_ALARMS,
        verdict="advisory" if advisory else "it may decide", test=_figures(t), val=_figures(figures["val"]))
