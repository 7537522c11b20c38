"""Proportions with Wilson intervals, the area under the ROC curve with its interval, and thresholds at an error rate."""

from __future__ import annotations

import math

import numpy as np


def wilson(hits: int, count: int, z: float = 1.96) -> tuple[float, float]:
    """The 95 % interval of hits/count (Wilson, 1927)."""
    if count == 0:
        return 0.0, 1.0
    p = hits / count
    centre, half = p + z * z / (2 * count), z * math.sqrt(p * (1 - p) / count + z * z / (4 * count * count))
    return max(0.0, (centre - half) / (1 + z * z / count)), min(1.0, (centre + half) / (1 + z * z / count))


def rate(hits: int, count: int) -> str:
    """`hits/count = x % [low, high]` for tables."""
    if count == 0:
        return "0/0"
    low, high = wilson(hits, count)
    return f"{hits}/{count} = {100 * hits / count:.1f} % [{100 * low:.1f}, {100 * high:.1f}]"


def auc(positive: np.ndarray, negative: np.ndarray) -> tuple[float, float, float]:
    """Area under the ROC curve and its 95 % interval (Hanley and McNeil, 1982). Ties count half."""
    n, m = len(positive), len(negative)
    if n == 0 or m == 0:
        return float("nan"), 0.0, 1.0
    ranks = np.searchsorted(np.sort(negative), positive, "left") + np.searchsorted(np.sort(negative), positive, "right")
    a = float(ranks.sum()) / (2 * n * m)
    q1, q2 = a / (2 - a), 2 * a * a / (1 + a)
    se = math.sqrt(max(0.0, (a * (1 - a) + (n - 1) * (q1 - a * a) + (m - 1) * (q2 - a * a)) / (n * m)))
    return a, max(0.0, a - 1.96 * se), min(1.0, a + 1.96 * se)


def threshold_at_bpcer(live: np.ndarray, rejected: float) -> float:
    """The greatest threshold at which at most `rejected` of the genuine scores lie below it."""
    ordered = np.sort(live)
    k = int(math.floor(rejected * len(ordered)))
    return float(ordered[min(k, len(ordered) - 1)])
