"""Where a slider ends: as the published models were taught, and as the game plays it.

`by_parameter` keeps an approximation that is some px off (curves are cut at a share of their parameter, not of their
length; Catmull ends are never cut): the published models' slider_end positions were made so.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from osuT5.beatmap import Slider, SliderPath

CHORD_SAMPLES = 50
FLAT = 1e-8
Point = tuple[float, float]


def by_arc_length(slider: Slider) -> Point:
    """The point at the slider's length along its path (px)."""
    x, y = SliderPath.of(slider).position_at(1.0)
    return float(x), float(y)


def by_parameter(slider: Slider) -> Point:
    """The end as the published models were taught it (px)."""
    points = [(slider.x, slider.y), *slider.points]
    length = slider.length
    kind = curve_kind(slider)
    if kind == "C":
        return points[-1]
    if kind == "P":
        return _arc_end(points, length)
    if kind == "L":
        pieces = [[a, b] for a, b in zip(points, points[1:], strict=False)] or [points]
    else:
        pieces = split_pieces(points)
    lengths = [_piece_length(p) for p in pieces]
    if len(pieces) > 1:
        length = max(0.0, lengths[-1] - (sum(lengths) - length))
    elif kind == "B":
        length = max(0.0, length)
    return _piece_at(pieces[-1], length / lengths[-1] if lengths[-1] else 0.0)


def curve_kind(slider: Slider) -> str:
    """`B`, `L`, `C` or `P`; perfect curves that make no circle (not three points, or on one line) count as `B`."""
    if slider.curve == "P" and (len(slider.points) != 2 or _centre((slider.x, slider.y), *slider.points) is None):
        return "B"
    return slider.curve


def split_pieces(points: list[Point]) -> list[list[Point]]:
    """Bézier pieces: the points are cut between two equal consecutive ones."""
    pieces, start = [], 0
    for i in range(1, len(points)):
        if points[i] == points[i - 1]:
            pieces.append(points[start:i])
            start = i
    pieces.append(points[start:])
    return pieces


@lru_cache(maxsize=256)
def _bernstein(degree: int) -> np.ndarray:
    """Weights of the control points at evenly spaced parameters; shape (samples, degree + 1)."""
    return _weights(np.linspace(0, 1, CHORD_SAMPLES), degree)


def _weights(t: np.ndarray, degree: int) -> np.ndarray:
    t = np.asarray(t, dtype=float).reshape(-1, 1)
    i = np.arange(degree + 1)
    binomials = np.array([float(math.comb(degree, k)) for k in range(degree + 1)])
    return binomials * (1 - t) ** (degree - i) * t**i


def _piece_length(points: list[Point]) -> float:
    if len(points) < 2:
        return 0.0
    chords = np.diff(_blend(_bernstein(len(points) - 1), points))
    return float(np.sum(np.sqrt(np.sum(np.square(chords), axis=0))))


def _blend(weights: np.ndarray, points: list[Point]) -> np.ndarray:
    """Curve points, shape (2, samples). Products first, then sums: a matrix product rounds otherwise."""
    return np.sum(weights * np.asarray(points, dtype=float).T[:, None, :], axis=-1)


def _piece_at(points: list[Point], t: float) -> Point:
    """The point at a parameter, which may lie far beyond 1; the last control point where that is beyond all floats."""
    if len(points) < 2:
        return points[0]
    with np.errstate(over="ignore", invalid="ignore"):
        x, y = _blend(_weights(np.array([t]), len(points) - 1), points)[:, 0]
    return (float(x), float(y)) if math.isfinite(x) and math.isfinite(y) else points[-1]


def _centre(a: Point, b: Point, c: Point) -> Point | None:
    """Centre of the circle through three points; None if they lie on one line (or two are equal)."""
    opposite_a, opposite_b, opposite_c = _squared(b, c), _squared(a, c), _squared(a, b)
    s = opposite_a * (opposite_b + opposite_c - opposite_a)
    t = opposite_b * (opposite_a + opposite_c - opposite_b)
    u = opposite_c * (opposite_a + opposite_b - opposite_c)
    total = s + t + u  # 16 times the squared area of the triangle
    if min(opposite_a, opposite_b, opposite_c, abs(total)) < FLAT:
        return None
    return (s * a[0] + t * b[0] + u * c[0]) / total, (s * a[1] + t * b[1] + u * c[1]) / total


def _squared(p: Point, q: Point) -> float:
    return (p[0] - q[0]) ** 2 + (p[1] - q[1]) ** 2


def _arc_end(points: list[Point], length: float) -> Point:
    # Written to round as the published models' data did: arcs often end exactly on a whole px, where the last bit
    # decides the cell (NumPy's arctan2 and the order of the operations matter).
    x, y = _centre(*points)
    (dx, dy), (over_x, over_y), (end_x, end_y) = ((p[0] - x, p[1] - y) for p in points)
    start, over, end = (float(np.arctan2(*d)) for d in ((dy, dx), (over_y, over_x), (end_y, end_x)))
    if end < start:
        end += math.tau
    turn = end - start
    if (over - start) % math.tau > turn:
        turn -= math.tau
    arc = abs(turn * math.sqrt(dx * dx + dy * dy))
    if arc > length:
        turn *= length / arc
    cosine, sine = math.cos(turn), math.sin(turn)
    return dx * cosine - dy * sine + x, dx * sine + dy * cosine + y
