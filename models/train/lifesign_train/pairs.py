"""Comparison of pairs: FNMR at an FMR, with intervals that know that one person's pairs are not independent."""

from __future__ import annotations

import numpy as np

ROUNDS = 400  # of the bootstrap


class Pairs:
    """All pairs of unit vectors [n, d] whose people are known, [n]: cosines and who met whom."""

    def __init__(self, vectors: np.ndarray, people: np.ndarray, probes: np.ndarray | None = None):
        """`probes`: other vectors of the same pictures (worse versions); a pair is then a probe against a later picture."""
        self.count = int(people.max()) + 1
        a, b = np.triu_indices(len(people), 1)
        cosines = ((vectors if probes is None else probes) @ vectors.T)[a, b]
        first, second = people[a], people[b]
        same = first == second
        self.genuine, self.owner = cosines[same], first[same]
        self.impostor, self.first, self.second = cosines[~same], first[~same], second[~same]

    def threshold(self, fmr: float) -> float:
        """The least cosine at which at most `fmr` of the impostor pairs match."""
        return least(self.impostor, np.ones(len(self.impostor)), fmr)

    def fnmr(self, cosine: float) -> float:
        return float((self.genuine < cosine).mean())

    def fmr(self, cosine: float) -> float:
        return float((self.impostor >= cosine).mean())

    def per_person(self, cosine: float) -> float:
        """FNMR with every person who has a genuine pair weighing the same."""
        missed = np.bincount(self.owner, self.genuine < cosine, self.count)
        pairs = np.bincount(self.owner, minlength=self.count)
        return float((missed[pairs > 0] / pairs[pairs > 0]).mean())

    def weights(self, seed: int = 1) -> np.ndarray:
        """[ROUNDS, people]: how often each person is drawn when as many as there are are drawn with replacement."""
        rng = np.random.default_rng(seed)
        return np.stack([np.bincount(rng.integers(0, self.count, self.count), minlength=self.count) for _ in range(ROUNDS)]).astype(np.float64)

    def fnmr_interval(self, fmr: float | None = None, cosine: float | None = None, per_person: bool = False) -> tuple[float, float]:
        """95 % by bootstrap over people, at an FMR (its threshold is found anew in every round) or at a fixed cosine."""
        if (fmr is None) == (cosine is None):
            raise ValueError("either an FMR or a cosine")
        pairs = np.bincount(self.owner, minlength=self.count)
        # Only the tail decides where the threshold lies.
        tail = np.argsort(-self.impostor)[:max(1, int(len(self.impostor) * min(1.0, 20 * (fmr or 0))))]
        scores, one, two = self.impostor[tail], self.first[tail], self.second[tail]
        share = 1 / np.maximum(pairs, 1) if per_person else np.ones(self.count)
        table = np.zeros((self.count, self.count))
        np.add.at(table, (self.first, self.second), 1.0)
        found = []
        for w in self.weights():
            cut = cosine
            if cut is None:
                cut = least(scores, w[one] * w[two], fmr or 0.0, float(w @ table @ w))
            per_pair = (w * share)[self.owner]
            if per_pair.sum() > 0:
                found.append(float((per_pair * (self.genuine < cut)).sum() / per_pair.sum()))
        return float(np.percentile(found, 2.5)), float(np.percentile(found, 97.5))

    def fmr_interval(self, cosine: float) -> tuple[float, float]:
        """95 % of the FMR at a fixed cosine, by bootstrap over people."""
        hits, every = np.zeros((self.count, self.count)), np.zeros((self.count, self.count))
        np.add.at(every, (self.first, self.second), 1.0)
        matched = self.impostor >= cosine
        np.add.at(hits, (self.first[matched], self.second[matched]), 1.0)
        found = [float(w @ hits @ w) / max(1.0, float(w @ every @ w)) for w in self.weights()]
        return float(np.percentile(found, 2.5)), float(np.percentile(found, 97.5))


def least(scores: np.ndarray, weights: np.ndarray, share: float, total: float | None = None) -> float:
    """The least threshold that at most `share` of the weight reaches (>=). `total` where `scores` are only the tail."""
    order = np.argsort(-scores, kind="stable")
    reached = np.cumsum(weights[order])
    allowed = share * (float(weights.sum()) if total is None else total)
    k = int(np.searchsorted(reached, allowed, "right"))
    if k >= len(scores):
        return float(scores[order[-1]])
    return float(np.nextafter(scores[order[k]], np.inf))


def percent(value: float, interval: tuple[float, float], digits: int = 1) -> str:
    """`x % [low, high]`."""
    return f"{100 * value:.{digits}f} % [{100 * interval[0]:.{digits}f}, {100 * interval[1]:.{digits}f}]"
