"""Assembles the pack: models, thresholds and self-tests into `pack.toml`, and the cards, from what is in the work folder."""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from types import ModuleType

from . import deepfake_card, detector_card, embedding_card, golden, liveness_card
from .cards import require_notes
from .data import REPOSITORY, WORK
from .manifest import VERSION, section

# Each part has `models`, `thresholds`, `tests` and `card`.
PARTS: dict[str, ModuleType] = {"detector": detector_card, "liveness": liveness_card, "deepfake": deepfake_card, "embedding": embedding_card}


def figures_of(role: str, work: Path) -> dict[str, dict]:
    """The stored measurements of a model on `val` and `test`."""
    found = {split: work / f"{role}-{split}.json" for split in ("val", "test")}
    missing = [path.name for path in found.values() if not path.exists()]
    if missing:
        raise ValueError(f"not measured yet: {', '.join(missing)}")
    figures = {split: json.loads(path.read_text()) for split, path in found.items()}
    # What the core's own runtime needs is measured by the program: `lifesign bench --pack builtin --onnxruntime off`.
    if (rten := work / "rten.json").exists() and role in (found_ms := json.loads(rten.read_text())):
        figures["test"]["rten"] = found_ms[role]
    return figures


def assemble(source: Path, target: Path, work: Path) -> None:
    """Copies the models of `source` into `target` and writes the manifest and the cards from the stored measurements."""
    for role in PARTS:
        require_notes(role)
    figures = {role: figures_of(role, work) for role in PARTS}
    (target / "cards").mkdir(parents=True, exist_ok=True)
    size, entries = 0, {"[[model]]": [], "[[threshold]]": [], "[[self_test]]": []}
    for role, part in PARTS.items():
        shutil.copyfile(source / f"{role}.onnx", target / f"{role}.onnx")
        entries["[[model]]"] += part.models(target, figures[role])
        entries["[[threshold]]"] += part.thresholds(figures[role])
        entries["[[self_test]]"] += part.tests(target)
        (target / "cards" / f"{role}.md").write_text(part.card(target, figures[role]))
        size += (target / f"{role}.onnx").stat().st_size
    text = ["# Written by `python -m lifesign_train.pack`; do not edit. Keys: core/src/pack/manifest.rs. What each model is worth: cards/.\n",
            section("[pack]", {"id": "builtin", "version": VERSION, "assurance": "BUILTIN",
                               "description": f"Small models trained by this project: {', '.join(PARTS)}. What they are worth: models/builtin/cards."})]
    text += [section(header, entry) for header, found in entries.items() for entry in found]
    (target / "pack.toml").write_text("\n".join(text))
    golden.write(target)
    print(f"{target / 'pack.toml'}: {size} bytes of models")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", type=Path, default=WORK / "pack")
    parser.add_argument("--target", type=Path, default=REPOSITORY / "models" / "builtin")
    parser.add_argument("--work", type=Path, default=WORK)
    args = parser.parse_args()
    assemble(args.source, args.target, args.work)


if __name__ == "__main__":
    main()
