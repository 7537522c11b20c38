"""What every model card shares: the terms of the data, tables, and the refusal to write one without its figures."""

from __future__ import annotations

from pathlib import Path

from . import notes
from .export import parameters

# Which model's training saw which data.
ALL = ("detector", "liveness", "deepfake", "embedding")
TERMS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("LFW (deep-funneled)", "public research benchmark, news photographs, no licence granted; research use by custom", ALL),
    ("Caltech Faces 1999", "free for research, no explicit licence", ALL),
    ("CelebA-Spoof (a subset)", "non-commercial research only", ("detector", "liveness", "embedding")),
    ("OpenForensics crops, genuine ones", "believed CC BY 4.0, not verified", ALL),
    ("OpenForensics crops, fakes", "believed CC BY 4.0, not verified", ("deepfake", "embedding")),
    ("DFDC crops, genuine ones", "Meta DFDC licence: research", ("detector", "deepfake", "embedding")),
    ("DFDC crops, fakes", "Meta DFDC licence: research", ("deepfake", "embedding")),
    ("FFHQ (a subset)", "CC BY-NC-SA 4.0; photographs CC or public domain", ALL),
    ("StyleGAN2 output", "NVIDIA, non-commercial", ("deepfake", "embedding")),
    ("CIPLAB real portraits", "research", ALL),
    ("CIPLAB composites", "research", ("deepfake", "embedding")),
    ("ImageNet samples (face-free)", "non-commercial research", ("detector", "liveness")),
    ("web portraits, people with masks, sample pictures of libraries", "repositories without or with permissive licences; photographs of unclear terms", ALL),
    ("self-recorded live and replay captures", "repositories that grant nothing", ("detector", "liveness", "embedding")),
    ("synthetic documents", "CC0", ("detector", "liveness")),
)


def terms(role: str) -> str:
    """The table of a model's data and its terms."""
    return table(["trained on", "terms"], [[name, text] for name, text, roles in TERMS if role in roles]) + """

The repository holds none of these pictures. The weights are licensed MIT OR Apache-2.0 as far as they are this project's to license;
whoever uses them commercially must judge for themselves what the terms of research data mean for weights trained on them."""


def table(head: list[str], rows: list[list[object]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(str(c) for c in row) + " |" for row in rows])


def size_and_parameters(path: Path) -> dict[str, int]:
    """`size` in bytes and `parameters`, for a card's text."""
    return {"size": path.stat().st_size, "parameters": parameters(path)}


def require_notes(role: str) -> None:
    """Refuses to go on while a hand-written part of the card of `role` is blank."""
    blank = [name for name, text in vars(notes).items() if name.startswith(role.upper() + "_") and text == notes.BLANK]
    if blank:
        raise ValueError(f"notes.py: still to be written by hand: {', '.join(blank)}")
