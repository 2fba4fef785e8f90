"""The curve that a slider ball follows, as a polyline with true arc length.

Control points are cut where two consecutive ones are equal; every piece is flattened by its kind as the game
flattens it. Facts: the game's path approximation (Bézier tolerance 0.25 px, arc tolerance 0.1 px, Catmull-Rom
with 50 pieces a span).
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from osuT5.beatmap.types import Slider

Point = tuple[float, float]

BEZIER_TOLERANCE_PX = 0.25
ARC_TOLERANCE_PX = 0.1
CATMULL_PIECES = 50
_FLAT = 4 * BEZIER_TOLERANCE_PX**2
_ZERO = 1e-8
# a Bézier piece of more points costs seconds and only bends towards its polyline: it is drawn as that
MAX_BEZIER_POINTS = 1000
_MAX_DEPTH = 64  # halvings of one Bézier piece; a finite curve within the coordinate limit needs about 20


class SliderPath:
    """A flattened slider.

    Attributes:
        points: polyline in px, consecutive points differ.
        cumulative: arc length in px from the head to each point.
    """

    __slots__ = ("points", "cumulative")

    def __init__(self, curve: str, control_points: Sequence[Point], expected_length: float | None = None):
        """
        Args:
            curve: B Bézier, C Catmull, L linear, P perfect circle.
            control_points: head first.
            expected_length: px; a longer path is cut there, a shorter one is extended in its end direction.
                None keeps the natural length. A path without extent cannot be extended.
        """
        self.points = flatten(curve, control_points)
        self.cumulative = _cumulative(self.points)
        if expected_length is not None:
            self._fit(expected_length)

    @classmethod
    def of(cls, slider: Slider) -> SliderPath:
        """The path of one slide; a length of 0 in the file means the natural length."""
        return cls(slider.curve, [(slider.x, slider.y), *slider.points], slider.length if slider.length > 0 else None)

    @property
    def length(self) -> float:
        """Arc length in px."""
        return self.cumulative[-1]

    @property
    def end(self) -> Point:
        return self.points[-1]

    def position_at(self, progress: float) -> Point:
        """The point at `progress` (0..1, clipped) of the arc length."""
        return self.position_at_length(min(max(progress, 0.0), 1.0) * self.length)

    def position_at_length(self, distance: float) -> Point:
        """The point `distance` px from the head along the path, clipped to its ends."""
        cumulative, points = self.cumulative, self.points
        index = bisect_left(cumulative, distance)
        if index <= 0:
            return points[0]
        if index >= len(points):
            return points[-1]
        before, after = cumulative[index - 1], cumulative[index]
        if after - before <= 1e-7:
            return points[index - 1]
        part = (distance - before) / (after - before)
        (ax, ay), (bx, by) = points[index - 1], points[index]
        return ax + (bx - ax) * part, ay + (by - ay) * part

    def positions(self, progresses: Iterable[float]) -> list[Point]:
        return [self.position_at(p) for p in progresses]

    def _fit(self, expected: float) -> None:
        points, cumulative = self.points, self.cumulative
        expected = max(expected, 0.0)
        if len(points) < 2 or expected == cumulative[-1]:
            return
        if expected < cumulative[-1]:
            last = max(bisect_left(cumulative, expected), 1)
            del points[last + 1 :], cumulative[last + 1 :]
        (ax, ay), (bx, by) = points[-2], points[-1]
        part = (expected - cumulative[-2]) / math.hypot(bx - ax, by - ay)
        points[-1] = ax + (bx - ax) * part, ay + (by - ay) * part
        cumulative[-1] = expected


def flatten(curve: str, control_points: Sequence[Point]) -> list[Point]:
    """Control points (head first) to a polyline; at least one point, no two consecutive ones equal.

    Raises ValueError for an empty list.
    """
    if not control_points:
        raise ValueError("a slider path needs at least its head")
    points = [(float(x), float(y)) for x, y in control_points]
    flattened: list[Point] = []
    start = 0
    for index in range(1, len(points) + 1):
        if index == len(points) or points[index] == points[index - 1]:
            for point in _flatten_piece(curve, points[start:index], len(points)):
                if not flattened or point != flattened[-1]:
                    flattened.append(point)
            start = index
    return flattened


def _flatten_piece(curve: str, piece: list[Point], whole: int) -> Iterable[Point]:
    if curve == "L" or len(piece) < 3 and curve != "C" or len(piece) > MAX_BEZIER_POINTS:
        return piece
    if curve == "C":
        return _catmull(piece)
    if curve == "P" and len(piece) == whole == 3:
        arc = _arc(*piece)
        if arc is not None:
            return arc
    return _bezier(piece)


def _cumulative(points: list[Point]) -> list[float]:
    total, lengths = 0.0, [0.0]
    for (ax, ay), (bx, by) in zip(points, points[1:], strict=False):
        total += math.hypot(bx - ax, by - ay)
        lengths.append(total)
    return lengths


def _bezier(control: list[Point]) -> list[Point]:
    """Recursive midpoint subdivision, left half first, with a stack of its own."""
    flattened: list[Point] = []
    stack = [(control, 0)]
    while stack:
        piece, depth = stack.pop()
        if depth >= _MAX_DEPTH or _is_flat(piece):
            left, right = _halve(piece)
            flattened.append(piece[0])
            joined = left + right[1:]
            for i in range(1, len(piece) - 1):
                (ax, ay), (bx, by), (cx, cy) = joined[2 * i - 1 : 2 * i + 2]
                flattened.append((0.25 * (ax + 2 * bx + cx), 0.25 * (ay + 2 * by + cy)))
        else:
            left, right = _halve(piece)
            stack.append((right, depth + 1))
            stack.append((left, depth + 1))
    flattened.append(control[-1])
    return flattened


def _is_flat(piece: list[Point]) -> bool:
    ax, ay = piece[0]
    bx, by = piece[1]
    for cx, cy in piece[2:]:
        dx, dy = ax - 2 * bx + cx, ay - 2 * by + cy
        if dx * dx + dy * dy > _FLAT:
            return False
        ax, ay, bx, by = bx, by, cx, cy
    return True


def _halve(piece: list[Point]) -> tuple[list[Point], list[Point]]:
    """De Casteljau at one half: control points of the two halves."""
    xs, ys = [p[0] for p in piece], [p[1] for p in piece]
    left, right = [piece[0]], [piece[-1]]
    for count in range(len(piece) - 1, 0, -1):
        for i in range(count):
            xs[i] = (xs[i] + xs[i + 1]) * 0.5
            ys[i] = (ys[i] + ys[i + 1]) * 0.5
        left.append((xs[0], ys[0]))
        right.append((xs[count - 1], ys[count - 1]))
    right.reverse()
    return left, right


def circle_through(a: Point, b: Point, c: Point) -> tuple[float, float, float, float, float] | None:
    """Centre x, y, radius, angle of a, and signed sweep in radians from a over b to c.

    None where two points coincide or all lie on a line (within 1e-8, squared px).
    """
    (ax, ay), (bx, by), (cx, cy) = a, b, c
    side_a = (bx - cx) ** 2 + (by - cy) ** 2
    side_b = (ax - cx) ** 2 + (ay - cy) ** 2
    side_c = (ax - bx) ** 2 + (ay - by) ** 2
    if side_a <= _ZERO or side_b <= _ZERO or side_c <= _ZERO:
        return None
    weight_a = side_a * (side_b + side_c - side_a)
    weight_b = side_b * (side_a + side_c - side_b)
    weight_c = side_c * (side_a + side_b - side_c)
    total = weight_a + weight_b + weight_c
    if abs(total) <= _ZERO:
        return None
    x = (weight_a * ax + weight_b * bx + weight_c * cx) / total
    y = (weight_a * ay + weight_b * by + weight_c * cy) / total
    start = math.atan2(ay - y, ax - x)
    end = math.atan2(cy - y, cx - x)
    sweep = end - start if end >= start else end - start + 2 * math.pi
    # b on the other side of the chord: the arc runs the other way round
    if (cy - ay) * (bx - ax) - (cx - ax) * (by - ay) < 0:
        sweep -= 2 * math.pi
    return x, y, math.hypot(ax - x, ay - y), start, sweep


def _arc(a: Point, b: Point, c: Point) -> list[Point] | None:
    """Evenly spaced points of the arc from a through b to c; None where the three do not define a circle."""
    circle = circle_through(a, b, c)
    if circle is None:
        return None
    x, y, radius, start, sweep = circle
    count = 2
    if 2 * radius > ARC_TOLERANCE_PX:
        count = max(2, math.ceil(abs(sweep) / (2 * math.acos(1 - ARC_TOLERANCE_PX / radius))))
    step = sweep / (count - 1)
    return [(x + radius * math.cos(start + i * step), y + radius * math.sin(start + i * step)) for i in range(count)]


def _catmull(piece: list[Point]) -> list[Point]:
    flattened: list[Point] = []
    for i in range(len(piece) - 1):
        v1 = piece[i - 1] if i else piece[i]
        v2, v3 = piece[i], piece[i + 1]
        v4 = piece[i + 2] if i + 2 < len(piece) else (2 * v3[0] - v2[0], 2 * v3[1] - v2[1])
        for k in range(CATMULL_PIECES + 1):
            flattened.append(_catmull_point(v1, v2, v3, v4, k / CATMULL_PIECES))
    return flattened or list(piece)


def _catmull_point(v1: Point, v2: Point, v3: Point, v4: Point, u: float) -> Point:
    u2 = u * u
    u3 = u2 * u
    x, y = (
        0.5 * (2 * p1 + (p2 - p0) * u + (2 * p0 - 5 * p1 + 4 * p2 - p3) * u2 + (-p0 + 3 * p1 - 3 * p2 + p3) * u3)
        for p0, p1, p2, p3 in zip(v1, v2, v3, v4, strict=True)
    )
    return x, y
