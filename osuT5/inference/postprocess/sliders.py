"""Slider geometry: control points, velocity and length from anchors, the body inside the playfield.

The game ends a slider at start + slides * length * beat length / (100 * slider multiplier * velocity) and cuts its
path at `length`, extending a shorter one. So the length follows from the time that the events give and the velocity;
the path is made at least that long, first by growing it about the head, then by a lower velocity, and its body is
turned, moved or shrunk into the playfield.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from osuT5.beatmap import SliderPath
from osuT5.events import EventType
from osuT5.inference.postprocess.drafts import Anchor, Draft, Point
from osuT5.inference.postprocess.positions import CENTRE, PLAYFIELD

MIN_VELOCITY, MAX_VELOCITY = 0.1, 10.0
MIN_LENGTH_PX = 1.0
DRUMROLL_HEAD = (0, 192)
MAX_GROWTH = 3.0  # a path is grown at most this much before the velocity gives way
MIN_SHARE = 0.5  # a path of which less than this would be used is shrunk instead of cut
_SPARE_PX = 4.0  # a shrunk body leaves this much room for rounding
_SMALL_SHIFT_PX, _SHIFT_PX = 12.0, 48.0
_TURNS = [math.radians(sign * degrees) for degrees in range(10, 181, 10) for sign in (1, -1)]
_SMALL_TURNS = 6  # the first entries of _TURNS: up to 30 degrees
_ATTEMPTS, _PUSH_PX = 12, 0.75
_DIGITS = 6  # of a px, in written lengths


@dataclass(frozen=True, slots=True)
class Shape:
    """A finished slider: head and control points in whole px, length in px of one slide."""

    curve: str
    head: tuple[int, int]
    points: list[tuple[int, int]]
    length: float
    velocity: float


def control_points(head: Point, anchors: Sequence[Anchor]) -> tuple[str, list[Point]]:
    """Curve letter and control points, head first.

    L and P are chosen where they are exact: all inner anchors red, or one perfect anchor off the line. Mixed kinds
    become a Bézier whose red anchors are doubled points.
    """
    inner = [a.kind for a in anchors[:-1]]
    points = [head, *((a.x, a.y) for a in anchors)]
    if all(kind is EventType.RED_ANCHOR for kind in inner):
        return "L", _without_repeats(points)
    if all(kind is EventType.CATMULL_ANCHOR for kind in inner):
        return "C", _without_repeats(points)
    if inner == [EventType.PERFECT_ANCHOR] and len(set(points)) == 3:
        return ("L" if _collinear(points) else "P"), points
    joined = [head]
    for anchor in anchors:
        point = (anchor.x, anchor.y)
        if point != joined[-1]:
            joined.append(point)
            if anchor.kind is EventType.RED_ANCHOR and anchor is not anchors[-1]:
                joined.append(point)
    return "B", joined


def _without_repeats(points: list[Point]) -> list[Point]:
    return [p for i, p in enumerate(points) if i == 0 or p != points[i - 1]]


def _collinear(points: Sequence[Point]) -> bool:
    (ax, ay), (bx, by), (cx, cy) = points
    return abs((bx - ax) * (cy - ay) - (by - ay) * (cx - ax)) < 1e-3


def drumroll_points(length: float) -> list[tuple[int, int]]:
    """Control points of taiko's drumroll, head first: a line of at least `length` px, to and fro over the playfield."""
    width = int(PLAYFIELD[0])
    turns = math.ceil(length / width)
    return [DRUMROLL_HEAD] + [(width if i % 2 == 0 else 0, DRUMROLL_HEAD[1]) for i in range(turns)]


def length_px(velocity: float, span_ms: float, beat_ms: float, multiplier: float) -> float:
    """Path length that lasts `span_ms` at a slider velocity."""
    return velocity * span_ms * 100 / beat_ms * multiplier


def human_velocity(
    required_px: float, span_ms: float, beat_ms: float, multiplier: float, last: float, new_combo: bool
) -> float:
    """The velocity a mapper would set for a path length: the last one if it is near, else in steps of 0.05 or 0.01.

    Args:
        last: velocity in force. It is kept within 5 % at a new combo and within 15 % elsewhere.
    """
    velocity = required_px / 100 / span_ms * beat_ms / multiplier
    if abs(velocity - last) / last <= (0.05 if new_combo else 0.15):
        return last
    coarse = round(20 * velocity) / 20
    if coarse >= 0.1:
        return coarse
    fine = round(100 * velocity) / 100
    return fine if fine > 1e-5 else velocity


def progress_of(path: SliderPath, point: Point) -> float:
    """Share of the path's length (0..1) at which it comes nearest to `point`; the latest on ties."""
    best, best_distance = 1.0, math.inf
    for i in range(len(path.points) - 2, -1, -1):
        (ax, ay), (bx, by) = path.points[i], path.points[i + 1]
        dx, dy = bx - ax, by - ay
        squared = dx * dx + dy * dy
        part = min(max(((point[0] - ax) * dx + (point[1] - ay) * dy) / squared, 0.0), 1.0) if squared else 0.0
        distance = math.hypot(point[0] - ax - part * dx, point[1] - ay - part * dy)
        if distance < best_distance - 1e-9:
            best_distance = distance
            best = (path.cumulative[i] + part * math.sqrt(squared)) / path.length
    return best


def shape_slider(
    draft: Draft, beat_ms: float, multiplier: float, last_velocity: float, bottom: float = PLAYFIELD[1]
) -> Shape:
    """The slider of a draft whose times are set and whose head lies in the playfield.

    Args:
        beat_ms: beat length at its start.
        last_velocity: velocity in force, used when the draft carries none.
        bottom: largest y in px that the body may reach.
    """
    head = (draft.x, draft.y)
    curve, points = control_points(head, draft.anchors)
    points = points if len(points) > 1 else [head]
    path = SliderPath(curve, points)
    if path.length < MIN_LENGTH_PX:
        curve, points = "L", [head, _towards_centre(head)]
        path = SliderPath(curve, points)

    def length_at(velocity: float) -> float:
        return length_px(velocity, draft.span_ms, beat_ms, multiplier)

    velocity = draft.velocity
    if velocity is None:
        required = path.length
        if draft.end_position is not None:
            required = max(required * progress_of(path, draft.end_position), MIN_LENGTH_PX)
        velocity = human_velocity(required, draft.span_ms, beat_ms, multiplier, last_velocity, draft.new_combo)
    velocity = min(max(velocity, MIN_VELOCITY), MAX_VELOCITY)
    growth = length_at(velocity) / path.length
    if growth > MAX_GROWTH:
        velocity = _lower(velocity, MAX_GROWTH / growth)
        growth = max(length_at(velocity) / path.length, 1.0)
    if growth > 1 or growth < MIN_SHARE:
        points = _scaled(points, growth)
    curve, points, velocity = _fit_inside(curve, points, velocity, length_at, bottom)
    return _settled(_rounded(curve, points, velocity, length_at), bottom)


def _settled(shape: Shape, bottom: float) -> Shape:
    """The shape moved by the px that rounding has pushed its body out of the playfield."""
    shift = _outside(SliderPath(shape.curve, [shape.head, *shape.points], shape.length).points, bottom)
    dx, dy = (round(s) for s in shift or (0, 0))
    if not dx and not dy:
        return shape
    head = (shape.head[0] + dx, shape.head[1] + dy)
    return replace(shape, head=head, points=[(x + dx, y + dy) for x, y in shape.points])


def _towards_centre(head: Point) -> Point:
    """A point a little nearer to the centre of the playfield; to the right for a head in the centre."""
    dx, dy = CENTRE[0] - head[0], CENTRE[1] - head[1]
    distance = math.hypot(dx, dy)
    return (head[0] + 40 * dx / distance, head[1] + 40 * dy / distance) if distance > 1 else (head[0] + 40, head[1])


def _lower(velocity: float, factor: float) -> float:
    """The velocity times `factor`, cut down to steps of 0.05, or 0.01 for slow ones; never below the game's least."""
    wanted = velocity * factor
    step = 20 if wanted >= 0.5 else 100
    return max(math.floor(wanted * step + 1e-9) / step, MIN_VELOCITY)


def _scaled(points: Sequence[Point], factor: float) -> list[Point]:
    (hx, hy) = points[0]
    return [(hx + (x - hx) * factor, hy + (y - hy) * factor) for x, y in points]


def _turned(points: Sequence[Point], angle: float) -> list[Point]:
    (hx, hy), cos, sin = points[0], math.cos(angle), math.sin(angle)
    return [(hx + (x - hx) * cos - (y - hy) * sin, hy + (x - hx) * sin + (y - hy) * cos) for x, y in points]


def _moved(points: Sequence[Point], shift: Point) -> list[Point]:
    return [(x + shift[0], y + shift[1]) for x, y in points]


def _outside(body: Sequence[Point], bottom: float) -> Point | None:
    """The shift in px that brings a polyline into the playfield; None if it is too large for it."""
    shift = []
    for axis, limit in ((0, PLAYFIELD[0]), (1, bottom)):
        low, high = min(p[axis] for p in body), max(p[axis] for p in body)
        if high - low > limit:
            return None
        shift.append(-low if low < 0 else limit - high if high > limit else 0.0)
    return shift[0], shift[1]


def _fit_inside(
    curve: str, points: list[Point], velocity: float, length_at: Callable[[float], float], bottom: float
) -> tuple[str, list[Point], float]:
    """Turns, moves or shrinks a slider, the least of these that brings its body into the playfield."""
    body = SliderPath(curve, points, length_at(velocity)).points
    shift = _outside(body, bottom)
    if shift is not None and math.hypot(*shift) <= _SMALL_SHIFT_PX:
        return curve, _moved(points, shift), velocity
    for turns in (_TURNS[:_SMALL_TURNS], _TURNS[_SMALL_TURNS:]):
        for angle in turns:
            if _outside(_turned(body, angle), bottom) == (0.0, 0.0):
                return curve, _turned(points, angle), velocity
        if shift is not None and math.hypot(*shift) <= _SHIFT_PX:
            return curve, _moved(points, shift), velocity
    if shift is not None:
        return curve, _moved(points, shift), velocity
    return _shrunk(curve, points, body, velocity, length_at, bottom)


def _shrunk(
    curve: str, points: list[Point], body: Sequence[Point], velocity: float, length_at: Callable, bottom: float
) -> tuple[str, list[Point], float]:
    """A body wider than the playfield gets a lower velocity and a smaller shape; at the least velocity a zigzag."""
    width = max(p[0] for p in body) - min(p[0] for p in body)
    height = max(p[1] for p in body) - min(p[1] for p in body)
    factor = min((PLAYFIELD[0] - _SPARE_PX) / max(width, 1.0), (bottom - _SPARE_PX) / max(height, 1.0))
    lower = _lower(velocity, factor)
    if lower > velocity * factor + 1e-9:
        return "L", _zigzag(points[0], length_at(lower)), lower
    points = _scaled(points, lower / velocity)
    shift = _outside(SliderPath(curve, points, length_at(lower)).points, bottom)
    return curve, _moved(points, shift or (0.0, 0.0)), lower


def _zigzag(head: Point, length: float) -> list[Point]:
    """A polyline of at least `length` px that runs to and fro between the left and right border."""
    points, total, right = [head], 0.0, head[0] < CENTRE[0]
    while total < length + 2 and len(points) < 1000:
        target = (PLAYFIELD[0] if right else 0.0, head[1])
        total += abs(target[0] - points[-1][0])
        points.append(target)
        right = not right
    return points


def _rounded(curve: str, points: Sequence[Point], velocity: float, length_at: Callable[[float], float]) -> Shape:
    """Whole px with a path at least as long as the length: the end is pushed out until rounding leaves enough.

    Where even that fails, the length is what the path has and the velocity follows, so that the time stays right.
    """
    length = round(length_at(velocity), _DIGITS)
    grown = list(points)
    for attempt in range(1, _ATTEMPTS + 1):
        whole = _whole(curve, grown)
        natural = SliderPath(curve, whole).length
        if natural >= length:
            break
        if attempt < _ATTEMPTS:
            grown = _pushed(curve, grown, length - natural + _PUSH_PX * attempt)
    else:
        velocity *= natural / length
        length = natural
    return Shape(curve, whole[0], whole[1:], length, velocity)


def _whole(curve: str, points: Sequence[Point]) -> list[tuple[int, int]]:
    """Rounded points; points that rounding made equal are joined, except the doubled ones of a Bézier."""
    whole: list[tuple[int, int]] = []
    for i, (x, y) in enumerate(points):
        point = (round(x), round(y))
        doubled = curve == "B" and i > 0 and points[i] == points[i - 1]
        if not whole or point != whole[-1] or doubled:
            whole.append(point)
    while len(whole) > 1 and whole[-1] == whole[-2]:
        whole.pop()
    return whole


def _pushed(curve: str, points: list[Point], by: float) -> list[Point]:
    """Moves the last point outwards; arcs are scaled about the head."""
    if curve == "P":
        reach = math.hypot(points[-1][0] - points[0][0], points[-1][1] - points[0][1])
        return _scaled(points, 1 + by / max(SliderPath(curve, points).length, reach, 1.0))
    end = points[-1]
    before = next((p for p in reversed(points[:-1]) if p != end), points[0])
    dx, dy = end[0] - before[0], end[1] - before[1]
    distance = math.hypot(dx, dy) or 1.0
    return [*points[:-1], (end[0] + dx / distance * by, end[1] + dy / distance * by)]
