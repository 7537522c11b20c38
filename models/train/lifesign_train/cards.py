"""Model cards: prose written by hand, tables from the stored measurements, the weakest figures first."""

from __future__ import annotations

from pathlib import Path

TERMS = """| trained on | terms |
|---|---|
| LFW (deep-funneled) | public research benchmark, news photographs, no licence granted; research use by custom |
| Caltech Faces 1999 | free for research, no explicit licence |
| CelebA-Spoof (a subset) | non-commercial research only |
| OpenForensics crops, genuine ones | believed CC BY 4.0, not verified |
| DFDC crops, genuine ones (detector only) | Meta DFDC licence: research |
| FFHQ (a subset) | CC BY-NC-SA 4.0; photographs CC or public domain |
| ImageNet samples (face-free) | non-commercial research |
| CIPLAB real portraits | research |
| web portraits, people with masks, sample pictures of libraries | repositories without or with permissive licences; photographs of unclear terms |
| self-recorded live and replay captures | repositories that grant nothing |
| synthetic documents | CC0 |

The repository holds none of these pictures. The weights are licensed MIT OR Apache-2.0 as far as they are this project's to license;
whoever uses them commercially must judge for themselves what the terms of research data mean for weights trained on them.
"""

DETECTOR = """# builtin_detector

{first}

- **What it is.** A separable convolutional net with a feature pyramid, distilled from YuNet's boxes and landmarks
  (face_detection_yunet_2023mar). Input 1x3x256x256 BGR, `(x / 255 - 0.5) / 0.25`, letterboxed top left on black; a picture in which nothing is
  found at 256 is tried again at 128. Outputs and decode rule are YuNet's (strides 8, 16, 32).
- **Size.** {size} bytes float32, {parameters} parameters.
- **Cost** (ONNX Runtime, one thread, median CPU milliseconds on a shared machine, interleaved): {cost}.
- **Method.** `python -m lifesign_train.detector all`: scenes of faces pasted or left in their pictures, 12 % of the frame height up to
  filling it, turned up to 35 degrees, covered, dark, blurred, compressed; face-free pictures; most steps on
  128-pixel scenes. {steps}
- **Labels** are YuNet's, not people's: it cannot be better than YuNet where YuNet is wrong, and its figures say how well it follows YuNet.
- **Threshold.** `face_score` {face_score}, the least at which at most 2 % of the face-free `val` pictures raise an alarm, and at least 0.5.

## Figures on `test` (once)

Intervals are 95 % (Wilson). Recall: the teacher's largest face (teacher's score at least 0.8) is found with IoU at least 0.5. Landmark error: mean distance of
the five points over the eye distance, on faces found.

{recall}

| turned about the face (faces_id, faces_portrait, every third) | found | mean landmark error % |
|---|---|---|
{turned}

| other | |
|---|---|
| dark (pictures at 15 % brightness with noise) | {low_light} |
{alarms}

Chosen on `val`: false alarms {val_alarms}; recall {val_recall}.

## Known failures, in words

{failures}

## Use

Finding one near face in a selfie or a webcam frame for the checks that follow. Not for counting people, not for surveillance, not for deciding that a
picture holds no face. Trained on few dark-skinned, old and very young faces; error rates by group were not measured.

## Data and terms

{terms}"""

LIVENESS = """# builtin_liveness

{first}

- **What it is.** A separable residual net over one crop: the face box enlarged 2.7 times as far as the frame allows, 80x80 BGR,
  `(x / 255 - 0.5) / 0.25`; logits [spoof, live]; the softmax of `live` is the score.
- **Size.** {size} bytes float32, {parameters} parameters.
- **Method.** `python -m lifesign_train.liveness all`: a pool of crops, 73 % simulated (genuine pictures, and the same printed, shown on a display or worn as a paper
  mask, after "Joint Physical-Digital Facial Attack Detection via Simulating Spoofing Clues", CVPR 2024 workshop), 21 % real full-frame captures of the train
  split, 6 % real tight crops; where the minivision pair was asked (every second sample) and was right, 30 % of the target is its opinion. {steps}
- **Threshold** {threshold}, chosen on `val`: the mean of the two thresholds that reject 5 % of the real genuine frames and 5 % of the simulated pool's genuine crops.

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

{terms}"""


def table(head: list[str], rows: list[list[object]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(str(c) for c in row) + " |" for row in rows])


def _recall(figures: dict) -> str:
    return table(["faces", "recall", "mean landmark error %", "median %"],
                 [[name, e["recall"], e["mean_landmark_error_%"], e["median_%"]] for name, e in figures["recall"].items()])


def _groups(figures: dict) -> str:
    keys = ["APCER", "APCER at BPCER 5 %", "BPCER", "teacher at 0.5", "mean"]
    heads = ["group, weakest first", "attacks accepted (APCER)", "APCER at BPCER 5 %", "genuine rejected (BPCER)", "teacher at 0.5, same error", "mean score"]
    return table(heads, [[name, *(e.get(k, "") for k in keys)] for name, e in figures["per group, weakest first"].items()])


def _summary(figures: dict) -> str:
    return table(["", "AUC [95 %]"], [[k.removeprefix("auc "), v] for k, v in figures.items() if k.startswith("auc")])


def write_cards(target: Path, figures: dict[str, dict]) -> None:
    """Writes `cards/detector.md` and `cards/liveness.md`; the hand-written parts come from `notes.py`."""
    from . import notes
    from .export import parameters
    blank = [name for name, text in vars(notes).items() if name.isupper() and name != "BLANK" and text == notes.BLANK]
    if blank:
        raise ValueError(f"notes.py: still to be written by hand: {', '.join(blank)}")
    missing = [name for name in ("detector-test", "liveness-test", "detector-val", "liveness-val") if name not in figures]
    if missing:
        raise ValueError(f"not measured yet: {', '.join(missing)}")
    folder = target / "cards"
    folder.mkdir(exist_ok=True)
    d, dv = figures["detector-test"], figures["detector-val"]
    c = d["cost"]
    (folder / "detector.md").write_text(DETECTOR.format(
        first=notes.DETECTOR_FIRST, failures=notes.DETECTOR_FAILURES, steps=notes.DETECTOR_STEPS, terms=TERMS,
        size=(target / "detector.onnx").stat().st_size, parameters=parameters(target / "detector.onnx"), face_score=d["face_score"],
        cost=f"{c['builtin 256']} against {c['yunet 640']} for YuNet at 640, {c['times cheaper']} times cheaper", recall=_recall(d),
        turned="\n".join(f"| {k} degrees | {v['found']} | {v['mean_landmark_error_%']} |" for k, v in d["turned"].items()), low_light=d["low_light"],
        alarms="\n".join(f"| false alarms, {k} | {v} |" for k, v in d["false_alarms"].items()), val_alarms=dv["false_alarms"]["all"],
        val_recall=dv["recall"]["all"]["recall"]))
    t, v = figures["liveness-test"], figures["liveness-val"]
    (folder / "liveness.md").write_text(LIVENESS.format(
        first=notes.LIVENESS_FIRST, failures=notes.LIVENESS_FAILURES, steps=notes.LIVENESS_STEPS, terms=TERMS,
        size=(target / "liveness.onnx").stat().st_size, parameters=parameters(target / "liveness.onnx"), threshold=t["threshold"],
        summary=_summary(t), groups=_groups(t), val_summary=_summary(v), val_groups=_groups(v)))
