"""The curve field of a slider line: `B|x:y|x:y`.

The newer editor (format 128) writes several curves into one field (`P|x:y|x:y|B|x:y`) and B-splines (`B3|...`).
The project, as format 14, knows one curve a slider, so those become one Bézier whose pieces are joined by doubled
points. Facts: the game's decoder; B-spline to Bézier by Boehm's knot insertion; arcs and Catmull-Rom spans by cubics.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from osuT5.beatmap.numbers import COORDINATE_LIMIT, parse_float
from osuT5.beatmap.slider_path import circle_through
from osuT5.beatmap.types import Diagnostic

Point = tuple[float, float]

_ARC_PER_CUBIC = math.pi / 4  # an arc this long leaves its cubic by under 1e-5 of the radius


def parse_curve(
    text: str, head: Point, whole: Callable[[float], int], line: int, diagnostics: list[Diagnostic]
) -> tuple[str, list[Point]]:
    """Curve letter and control points without the head.

    Args:
        whole: rounds a coordinate to an integer.
    Raises ValueError for unknown letters, missing points and coordinates that are no numbers.
    """
    tokens = text.strip().split("|")
    segments: list[tuple[str, list[Point]]] = []
    for token in tokens:
        letter = token.strip()
        if letter[:1].isalpha():
            if letter[:1] not in "BCLP" or letter[1:] and not (letter[0] == "B" and letter[1:].isdigit()):
                raise ValueError(f"unknown curve {letter[:16]!r}")
            segments.append((letter, []))
            continue
        if not segments:
            raise ValueError(f"curve letter missing before {token[:16]!r}")
        x, colon, y = token.partition(":")
        if not colon:
            raise ValueError(f"{token[:16]!r} is no curve point")
        segments[-1][1].append((parse_float(x, COORDINATE_LIMIT), parse_float(y.split(":")[0], COORDINATE_LIMIT)))
    segments = [(letter, points) for letter, points in segments if points]
    if not segments:
        diagnostics.append(Diagnostic("curve", line, "slider without curve points"))
        return tokens[0].strip()[:1], []
    if len(segments) == 1 and len(segments[0][0]) == 1:
        curve, points = segments[0]
    else:
        diagnostics.append(Diagnostic("curve", line, f"{len(segments)} curves in one slider became one Bézier"))
        curve, points = "B", join_as_bezier(head, segments)
    rounded = [(whole(x), whole(y)) for x, y in points]
    if rounded != points:
        diagnostics.append(Diagnostic("decimal-position", line, "slider points brought to whole pixels"))
    return curve, rounded


def join_as_bezier(head: Point, segments: list[tuple[str, list[Point]]]) -> list[Point]:
    """Control points (without the head) of one Bézier slider of the same shape; doubled points join its pieces."""
    joined: list[Point] = []
    start = head
    for letter, points in segments:
        for piece in _pieces(letter, [start, *points]):
            if joined:
                joined.append(piece[0])
            joined.extend(piece[1:])
        start = points[-1]
    return joined


def _pieces(letter: str, points: list[Point]) -> list[list[Point]]:
    """Bézier pieces, each starting at the end of the one before."""
    if letter == "L":
        return [list(pair) for pair in zip(points, points[1:], strict=False)]
    if letter == "P" and len(points) == 3:
        arc = _arc_pieces(points)
        if arc:
            return arc
    if letter == "C":
        return _catmull_pieces(points)
    if len(letter) > 1 and 1 <= int(letter[1:]) < len(points) - 1:
        return b_spline_pieces(points, int(letter[1:]))
    return [points]


def _catmull_pieces(points: list[Point]) -> list[list[Point]]:
    """A Catmull-Rom span is a cubic whose handles are a sixth of the chord around each end."""
    pieces = []
    for v2, v3, before, after in zip(points, points[1:], [points[0], *points], [*points[2:], None], strict=False):
        after = after or (2 * v3[0] - v2[0], 2 * v3[1] - v2[1])
        p1 = (v2[0] + (v3[0] - before[0]) / 6, v2[1] + (v3[1] - before[1]) / 6)
        p2 = (v3[0] - (after[0] - v2[0]) / 6, v3[1] - (after[1] - v2[1]) / 6)
        pieces.append([v2, p1, p2, v3])
    return pieces


def _arc_pieces(points: list[Point]) -> list[list[Point]] | None:
    circle = circle_through(*points)
    if circle is None:
        return None
    x, y, radius, start, sweep = circle
    count = max(1, math.ceil(abs(sweep) / _ARC_PER_CUBIC))
    step = sweep / count
    handle = 4 / 3 * math.tan(step / 4) * radius
    pieces = []
    for i in range(count):
        a, b = start + i * step, start + (i + 1) * step
        p0 = (x + radius * math.cos(a), y + radius * math.sin(a))
        p3 = (x + radius * math.cos(b), y + radius * math.sin(b))
        p1 = (p0[0] - handle * math.sin(a), p0[1] + handle * math.cos(a))
        p2 = (p3[0] + handle * math.sin(b), p3[1] - handle * math.cos(b))
        pieces.append([p0, p1, p2, p3])
    pieces[0][0], pieces[-1][3] = points[0], points[2]
    return pieces


def b_spline_pieces(points: list[Point], degree: int) -> list[list[Point]]:
    """The Bézier pieces of a clamped uniform B-spline, by inserting every inner knot `degree` - 1 times."""
    spans = len(points) - degree
    knots = [0.0] * (degree + 1) + [float(i) for i in range(1, spans)] + [float(spans)] * (degree + 1)
    points = list(points)
    for knot in range(1, spans):
        for _ in range(degree - 1):
            points = _insert_knot(points, knots, degree, float(knot))
    return [points[i * degree : (i + 1) * degree + 1] for i in range(spans)]


def _insert_knot(points: list[Point], knots: list[float], degree: int, knot: float) -> list[Point]:
    """Boehm's algorithm; `knots` is changed in place."""
    k = max(i for i in range(len(knots) - 1) if knots[i] <= knot < knots[i + 1])
    inserted = points[: k - degree + 1]
    for i in range(k - degree + 1, k + 1):
        width = knots[i + degree] - knots[i]
        part = (knot - knots[i]) / width if width else 0.0
        (ax, ay), (bx, by) = points[i - 1], points[i if i < len(points) else -1]
        inserted.append((ax + (bx - ax) * part, ay + (by - ay) * part))
    inserted.extend(points[k:])
    knots.insert(k + 1, knot)
    return inserted
