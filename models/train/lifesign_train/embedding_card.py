"""The embedding's part of the pack: its manifest entry, threshold, self-tests and card."""

from __future__ import annotations

from pathlib import Path

from . import notes
from .cards import size_and_parameters, table, terms
from .embedding_data import DIMENSIONS, FLIP, SIZE
from .embedding_measure import CHOSEN, OTHER
from .manifest import model, self_tests

MOST = 0.20  # FNMR at an FMR of 1e-3 above which a match cannot decide
KEY = f"{CHOSEN:g}"

TEXT = """# builtin_embedding

{first}

- **What it is.** A face as a direction in {dimensions} dimensions, for comparing a frame with a reference picture: the five landmarks mapped onto the ArcFace template,
  scaled to {pixels}x{pixels}, BGR, `(x / 255 - 0.5) / 0.25`; {flip}; the score of a pair is (cosine + 1) / 2.
- **Size.** {size} bytes float32, {parameters} parameters.
- **Cost** of one run, one thread, ONNX Runtime: {cost}.{rten}
- **Method.** `python -m lifesign_train.embedding all`: distilled from foamliu's MobileFaceNet (128-d, Apache-2.0). No labels: every usable face of the train split and blends of two of them, each with the
  teacher's vector of the clean crop (both mirror images summed) and its last 7x7 map; the student sees turned, shifted, blurred, recoloured, compressed and partly covered views and learns the
  vector's direction, the faces' likeness among each other, and the map. {steps}
- **Threshold** {threshold} (a cosine of {cosine}), chosen on `val` for one false match in 1,000 impostor pairs.

## Figures on `test` (once)

{counts}

Intervals are 95 %, by bootstrap over people: one person's pairs are not independent. "Per person" lets every person with a pair weigh the same; without it the few who were photographed most decide.

At an FMR, the threshold found on these very pairs:

{at_fmr}

At the threshold that was chosen on `val`:

{at_threshold}

Misses when one picture of the pair is worse, at the same thresholds:

{worse}

The same picture again, at the threshold:

{same}

## Figures on `val` (where the threshold was chosen)

{val_counts}

{val_at_fmr}

{val_at_threshold}

{val_worse}

## Known failures, in words

{failures}

## Use

Telling whether the person before the camera resembles one reference picture, as one sign among others, in demonstrations and development. It must not decide alone who gets in, search a crowd or a
database, or compare people without their consent. It says nothing about liveness: a photograph of the right person matches.
Error rates by age, sex and skin tone were not measured; the training pictures are mostly of adults, many of them in the news, so expect worse figures for children and for people whom the news shows less.

## Data and terms

The teacher's weights are Apache-2.0. By its author's account it was trained on a cleaned MS-Celeb-1M (3.8 million faces, 85,164 people), which its publisher has withdrawn. That set was not
compared with LFW: some of the people tested here were probably among those on whom the teacher was trained, so the teacher's figures, and through it the student's, are likely better than for strangers.

{terms}
"""


def models(target: Path, figures: dict[str, dict]) -> list[dict]:
    """The `[[model]]` entries."""
    return [model("embedding", target / "embedding.onnx", SIZE, {"rule": "arcface"}, {"rule": "embedding", "output": "embedding", "dimensions": DIMENSIONS, "flip": FLIP})]


def good_enough(figures: dict) -> bool:
    """Whether a match can decide: at most MOST of the genuine pairs missed at an FMR of 1e-3, over all pairs and over people."""
    found = figures.get("at FMR", {}).get("builtin", {}).get(KEY, {})
    return max(found.get("fnmr", 1.0), found.get("fnmr per person", 1.0)) <= MOST


def thresholds(figures: dict[str, dict]) -> list[dict]:
    """The `[[threshold]]` of FaceMatch, chosen on `val`; advisory where `test` fell short."""
    v, t = figures["val"], figures["test"]
    given = t["at threshold"]["builtin"]
    measured = (f"cosine {v['cosine']}, chosen on val for an FMR of {KEY}; on test, {t['genuine pairs']} genuine and {t['impostor pairs']} impostor pairs of LFW: "
                f"FNMR {given['FNMR']}, per person {given['FNMR per person']}, FMR {given['FMR']}")
    return [{"check": "FaceMatch", "score": v["threshold"], "measured": measured, "advisory": not (good_enough(v) and good_enough(t))}]


def tests(target: Path) -> list[dict]:
    """The `[[self_test]]` entries."""
    return self_tests(target / "embedding.onnx", "builtin_embedding", SIZE, ["embedding"])


def _counts(f: dict) -> str:
    return (f"LFW, people who are in no other split: {f['pictures']} pictures of {f['people']} people, {f['people with pairs']} of them with two or more (at most {f['most pictures of one']}): "
            f"all {f['genuine pairs']} genuine and all {f['impostor pairs']} impostor pairs. Mean cosine to the teacher's vector: {f['agreement']}.")


def _named(model: str) -> str:
    return model.replace(OTHER, "builtin, without the mirror image" if FLIP else "builtin, with the mirror image")


def _at_fmr(f: dict) -> str:
    rows = [[fmr, _named(name), e["cosine"], e["FNMR"], e["FNMR per person"]] for fmr in f["at FMR"]["builtin"] for name, entries in f["at FMR"].items() for e in [entries[fmr]]]
    return table(["FMR", "model", "cosine", "FNMR", "FNMR per person"], rows)


def _at_threshold(f: dict) -> str:
    return table(["model", "FMR", "FNMR", "FNMR per person"], [[_named(name), e["FMR"], e["FNMR"], e["FNMR per person"]] for name, e in f["at threshold"].items()])


def _worse(f: dict) -> str:
    weakest_first = sorted(f["worse pictures"].items(), key=lambda item: -float(item[1]["builtin"]["FNMR"].split()[0]))
    rows = [[what, name, e["FNMR"], e["FNMR per person"], e["FMR"]] for what, both in weakest_first for name, e in both.items()]
    return table(["", "model", "FNMR", "FNMR per person", "FMR"], rows)


def _same(f: dict) -> str:
    return table(["", "mean cosine", "least", "match"], [[what, e["mean"], e["least"], e["match"]] for what, e in f["same picture"].items()])


def _cost(c: dict) -> str:
    student, teacher = f"builtin {SIZE}", "mobilefacenet 112"
    return f"{c[student]} ms against {c[teacher]} ms for MobileFaceNet, {c['times cheaper']} times cheaper; {'both run' if FLIP else 'the teacher runs'} twice per picture"


def card(target: Path, figures: dict[str, dict]) -> str:
    """The card's text."""
    t, v = figures["test"], figures["val"]
    return TEXT.format(
        first=notes.EMBEDDING_FIRST, failures=notes.EMBEDDING_FAILURES, steps=notes.EMBEDDING_STEPS, terms=terms("embedding"), **size_and_parameters(target / "embedding.onnx"),
        dimensions=DIMENSIONS, pixels=SIZE, flip="the vectors of the crop and of its mirror image are added" if FLIP else "one run per picture",
        cost=_cost(t["cost"]), rten=f" On rten: {t['rten']}." if "rten" in t else "", threshold=t["threshold"], cosine=t["cosine"],
        counts=_counts(t), at_fmr=_at_fmr(t), at_threshold=_at_threshold(t), worse=_worse(t), same=_same(t),
        val_counts=_counts(v), val_at_fmr=_at_fmr(v), val_at_threshold=_at_threshold(v), val_worse=_worse(v))
