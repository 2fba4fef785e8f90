"""Robust straight lines through beats: where the tempo changes, and what it is between the changes.

Optimal partition of the markers into segments of one tempo. Candidate borders come from a dynamic programme on
least-squares costs (prefix sums, so a 20-minute song is quick), which outliers make too many; neighbours are then
merged wherever one Huber line explains both. Facts: the sketch of the robust timing fitter, steps 2 to 5.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SIGMA_FLOOR_MS = 3.0  # the 10 ms grid of the events alone makes 10 / sqrt(12) = 2.9
HUBER = 1.5
NEW_SEGMENT, NEW_SEGMENT_MARKED = 14.0, 5.0  # cost of a tempo change; the second where the model says so
DOWNBEAT_BONUS = 1.5  # tempo changes on a downbeat rather than beside it
MIN_MARKERS = 3
GRID_MS = 7.0  # residuals that the 10 ms grid and a rounding explain; slow beats against it look like tempo changes
MAD = 1.4826


@dataclass(frozen=True)
class Line:
    """Markers first..last (inclusive) lie on time = offset + period * count.

    `error` is the standard error of the period, `scatter` the robust standard deviation of the residuals, both ms;
    `farthest` the largest residual.
    """

    first: int
    last: int
    offset: float
    period: float
    scatter: float
    error: float
    cost: float
    farthest: float

    @property
    def size(self) -> int:
        return self.last - self.first + 1


def noise_ms(time: np.ndarray, count: np.ndarray) -> float:
    """Standard deviation of the beat times, from second differences over equal steps; at least 3 ms."""
    steps = np.diff(count)
    if len(steps) < 2:
        return SIGMA_FLOOR_MS
    second = np.diff(time, n=2)[steps[1:] == steps[:-1]]
    if len(second) < 4:
        return SIGMA_FLOOR_MS
    spread = MAD * float(np.median(np.abs(second - np.median(second)))) / np.sqrt(6.0)
    return max(SIGMA_FLOOR_MS, spread)


def fit_line(time: np.ndarray, count: np.ndarray, weight: np.ndarray, sigma: float, first: int, last: int) -> Line:
    """Huber line through markers first..last."""
    t, k, w = time[first : last + 1], count[first : last + 1], weight[first : last + 1]
    robust = np.ones(len(t))
    offset, period = float(t[0]), 0.0
    for _ in range(8):
        offset, period = _weighted_line(t, k, w * robust)
        residual = np.abs(t - offset - period * k) / sigma
        robust = np.minimum(1.0, HUBER / np.maximum(residual, 1e-9))
    residual = t - offset - period * k
    scaled = np.abs(residual) / sigma
    cost = float(np.where(scaled <= HUBER, scaled**2 / 2, HUBER * scaled - HUBER**2 / 2).sum())
    scatter = MAD * float(np.median(np.abs(residual)))
    extent = max(float(k[-1] - k[0] + 1), 1.0)
    error = scatter * np.sqrt(12.0 / (len(t) * extent**2))
    return Line(first, last, offset, period, scatter, error, cost, float(np.abs(residual).max()))


def _weighted_line(t: np.ndarray, k: np.ndarray, w: np.ndarray) -> tuple[float, float]:
    total = w.sum()
    mean_k, mean_t = float((w * k).sum() / total), float((w * t).sum() / total)
    spread = float((w * (k - mean_k) ** 2).sum())
    period = float((w * (k - mean_k) * (t - mean_t)).sum() / spread) if spread > 0 else 0.0
    return mean_t - period * mean_k, period


def partition(
    time: np.ndarray, count: np.ndarray, weight: np.ndarray, measure: np.ndarray, change: np.ndarray, sigma: float
) -> list[Line]:
    """Lines in order; each begins on the marker on which the one before ends."""
    n = len(time)
    penalty = np.where(change > 0.5, NEW_SEGMENT_MARKED, NEW_SEGMENT - DOWNBEAT_BONUS * (measure > 0.5))
    if n <= MIN_MARKERS:
        return [fit_line(time, count, weight, sigma, 0, n - 1)]
    borders = _least_squares_borders(time, count, penalty, sigma)
    pieces = [fit_line(time, count, weight, sigma, a, b) for a, b in zip(borders[:-1], borders[1:], strict=True)]
    return _merge(time, count, weight, sigma, penalty, pieces)


def _least_squares_borders(time: np.ndarray, count: np.ndarray, penalty: np.ndarray, sigma: float) -> list[int]:
    """Marker indices 0 = b0 < b1 < ... < n - 1 of the best partition with squared residuals."""
    n = len(time)
    # Residuals from the overall line keep the sums small enough for doubles.
    k = count - count.mean()
    offset, period = _weighted_line(time, k, np.ones(n))
    y = (time - offset - period * k) / sigma
    sums = [np.concatenate([[0.0], np.cumsum(v)]) for v in (k, y, k * k, k * y, y * y)]
    best = np.full(n, np.inf)
    best[0] = 0.0
    back = np.zeros(n, dtype=int)
    alive = np.array([0])  # starts that can still win (PELT)
    for end in range(1, n):
        size = end + 1 - alive
        sk, sy, skk, sky, syy = (s[end + 1] - s[alive] for s in sums)
        variance = skk - sk * sk / size
        covariance = sky - sk * sy / size
        cost = syy - sy * sy / size - covariance**2 / np.maximum(variance, 1e-12)
        cost = np.maximum(cost, 0.0) / 2
        cost[(size < MIN_MARKERS) & (alive > 0) & (end < n - 1)] = np.inf
        total = best[alive] + cost + np.where(alive > 0, penalty[alive], 0.0)
        winner = int(np.argmin(total))
        best[end], back[end] = total[winner], alive[winner]
        # A short start is kept: its cost is not known yet.
        alive = np.append(alive[(best[alive] + cost <= best[end]) | (size < MIN_MARKERS)], end)
    borders = [n - 1]
    while borders[-1] > 0:
        borders.append(int(back[borders[-1]]))
    return borders[::-1]


def _merge(
    time: np.ndarray, count: np.ndarray, weight: np.ndarray, sigma: float, penalty: np.ndarray, pieces: list[Line]
) -> list[Line]:
    """Join neighbours, cheapest first, while one robust line costs less than two and a change."""
    pieces = list(pieces)
    pairs = zip(pieces[:-1], pieces[1:], strict=True)
    joined = [fit_line(time, count, weight, sigma, a.first, b.last) for a, b in pairs]
    while joined:
        gains = [
            a.cost + b.cost + penalty[b.first] - (j.cost if j.farthest > GRID_MS else 0.0)
            for a, b, j in zip(pieces[:-1], pieces[1:], joined, strict=True)
        ]
        at = int(np.argmax(gains))
        if gains[at] <= 0:
            break
        pieces[at : at + 2] = [joined[at]]
        joined[at : at + 1] = []
        if at > 0:
            joined[at - 1] = fit_line(time, count, weight, sigma, pieces[at - 1].first, pieces[at].last)
        if at < len(joined):
            joined[at] = fit_line(time, count, weight, sigma, pieces[at].first, pieces[at + 1].last)
    return pieces
