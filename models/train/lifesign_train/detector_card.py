"""The detector's part of the pack: its manifest entry, self-tests and card."""

from __future__ import annotations

from pathlib import Path

from . import notes
from .cards import size_and_parameters, table, terms
from .detector_measure import LONGEST, NMS, SIZE
from .detector_net import STRIDES
from .manifest import model, self_tests

TEXT = """# builtin_detector

{first}

- **What it is.** A separable convolutional net with a feature pyramid, distilled from YuNet (face_detection_yunet_2023mar); its weights
  began at random. Input 1x3x256x256 BGR, `(x / 255 - 0.5) / 0.25`, letterboxed top left on black. Outputs and decode rule are YuNet's (strides 8, 16, 32).
- **Size.** {size} bytes float32, {parameters} parameters.
- **Cost** (ONNX Runtime, one thread, median CPU milliseconds on a shared machine, interleaved): {cost}. On rten: {rten}.
- **Method.** `python -m lifesign_train.detector all`: scenes of faces pasted or left in their pictures, 12 % of the frame height up to
  filling it, turned up to 35 degrees, covered, dark, blurred, compressed; face-free pictures. The teacher looks at every scene: its neck's features are
  learnt as hints, its cells and scores where it finds the face, a rule's elsewhere; boxes and landmarks are the whole picture's, moved with it. {steps}
- **Labels** are YuNet's, not people's: it cannot be better than YuNet where YuNet is wrong, and its figures say how well it follows YuNet.
- **Threshold.** `face_score` {face_score}, chosen on `val`: the greatest at which 98.5 % of the faces are found, as long as at most 2 % of the face-free
  pictures raise an alarm.

## Figures on `test` (once)

{once}Intervals are 95 % (Wilson). Recall: the teacher's largest face (teacher's score at least 0.8) is found with IoU at least 0.5. Landmark error: mean distance of
the five points over the eye distance, on faces found.

{recall}

| turned about the face (faces_id, faces_portrait, every third) | found | mean landmark error % |
|---|---|---|
{turned}

| other | |
|---|---|
| YuNet itself at 256 instead of 640: recall | {again[recall]} |
| YuNet itself at 256 instead of 640: mean landmark error % | {again[mean_landmark_error_%]} |
| dark (pictures at 15 % brightness with noise) | {low_light} |
{alarms}

Chosen on `val`: false alarms {val_alarms}; recall {val_recall}.

## Known failures, in words

{failures}

## Use

Finding one near face in a selfie or a webcam frame for the checks that follow. Not for counting people, not for surveillance, not for deciding that a
picture holds no face. Trained on few dark-skinned, old and very young faces; error rates by group were not measured.

## Data and terms

{terms}
"""


def models(target: Path, figures: dict[str, dict]) -> list[dict]:
    """The `[[model]]` entries."""
    face_score = figures["val"]["face_score"]
    return [model("detector", target / "detector.onnx", SIZE, {"rule": "letterbox", "longest": list(LONGEST)},
                  {"rule": "yunet", "strides": list(STRIDES), "score": round(max(0.3, face_score - 0.15), 2), "face_score": face_score, "nms": NMS})]


def thresholds(figures: dict[str, dict]) -> list[dict]:
    """The detector decides no check."""
    return []


def tests(target: Path) -> list[dict]:
    """The `[[self_test]]` entries."""
    return self_tests(target / "detector.onnx", "builtin_detector", SIZE, [f"{k}_{s}" for k in ("cls", "obj", "bbox", "kps") for s in STRIDES])


def card(target: Path, figures: dict[str, dict]) -> str:
    """The card's text."""
    d, dv = figures["test"], figures["val"]
    c = d["cost"]
    recall = table(["faces", "recall", "mean landmark error %", "median %"],
                   [[name, e["recall"], e["mean_landmark_error_%"], e["median_%"]] for name, e in d["recall"].items()])
    return TEXT.format(
        again=d["teacher at this size"], rten=d.get("rten", "not measured"),
        first=notes.DETECTOR_FIRST, once=notes.DETECTOR_ONCE, failures=notes.DETECTOR_FAILURES, steps=notes.DETECTOR_STEPS, terms=terms("detector"),
        **size_and_parameters(target / "detector.onnx"), face_score=d["face_score"],
        cost=f"{c['builtin 256']} against {c['yunet 640']} for YuNet at 640, {c['times cheaper']} times cheaper", recall=recall,
        turned="\n".join(f"| {k} degrees | {v['found']} | {v['mean_landmark_error_%']} |" for k, v in d["turned"].items()), low_light=d["low_light"],
        alarms="\n".join(f"| false alarms, {k} | {v} |" for k, v in d["false_alarms"].items()), val_alarms=dv["false_alarms"]["all"],
        val_recall=dv["recall"]["all"]["recall"])
