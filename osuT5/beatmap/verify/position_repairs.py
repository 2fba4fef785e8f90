"""Repairs of objects in space: into the playfield, onto the screen, curves to their length, notes into columns.

A slider's length is its duration, so it is never scaled to fit: it is shifted, else turned about its head, else
folded.
"""

from __future__ import annotations

import math

from osuT5.beatmap.types import HitObject, Slider
from osuT5.beatmap.verify.draft import Draft
from osuT5.beatmap.verify.facts import Facts
from osuT5.beatmap.verify.findings import Fault
from osuT5.beatmap.verify.limits import (
    BODY_MARGIN_PX,
    PATH_STRETCH,
    PLAYFIELD,
    SCREEN_BOTTOM,
    SCREEN_LEFT,
    SCREEN_RIGHT,
    SCREEN_TOP,
)
from osuT5.beatmap.writer import format_hit_object

_TURNS = [math.radians(sign * degrees) for degrees in range(15, 181, 15) for sign in (1, -1)]
_FOLD_STEP_PX = 24

Box = tuple[float, float, float, float]  # left, right, top, bottom


def column_x(column: int, keys: int) -> int:
    """x of the middle of a mania column."""
    return math.floor((column + 0.5) * 512 / keys)


def mania_columns(draft: Draft, facts: Facts, faults: list[Fault]) -> None:
    """B005: a whole number of keys, every note in the middle of a column."""
    if draft.beatmap.cs != facts.keys:
        draft.beatmap.cs = facts.keys
    for fault in faults:
        for o in draft.objects(fault.objects):
            before = format_hit_object(o)
            o.x = column_x(facts.column(o), facts.keys)
            draft.changed("B005", o, before)


def outside_playfield(draft: Draft, facts: Facts, faults: list[Fault]) -> None:
    """B010: heads are clamped, a slider's curve moves along."""
    for fault in faults:
        o = draft.beatmap.hit_objects[fault.objects[0]]
        before = format_hit_object(o)
        x, y = min(max(o.x, 0), PLAYFIELD[0]), min(max(o.y, 0), PLAYFIELD[1])
        _shift(o, x - o.x, y - o.y)
        draft.changed("B010", o, before)


def stretched_paths(draft: Draft, facts: Facts, faults: list[Fault]) -> None:
    """B008: the control points are rescaled about the head, so that the curve is as long as the slider."""
    for fault in faults:
        o = draft.beatmap.hit_objects[fault.objects[0]]
        if o.length < 1:  # no curve on whole px is that short
            draft.to_circle("B008", o, fault.objects[0])
            continue
        before = format_hit_object(o)
        scale = o.length / facts.paths.natural(o).length
        points = [(round(o.x + (x - o.x) * scale), round(o.y + (y - o.y) * scale)) for x, y in o.points]
        kept, o.points = o.points, points
        low, high = PATH_STRETCH
        if not low <= facts.paths.natural(o).length / o.length <= high or not _fits(facts, o, 0.0):
            o.points = kept
            _fold(o, _room(facts, 0.0))
        draft.changed("B008", o, before)


def off_screen(draft: Draft, facts: Facts, faults: list[Fault]) -> None:
    """B004: circles are clamped, sliders shifted, else turned, else folded."""
    place_of = {index: place for place, index in enumerate(facts.indices)}
    for index in dict.fromkeys(fault.objects[0] for fault in faults):
        o = draft.beatmap.hit_objects[index]
        before = format_hit_object(o)
        offset = facts.stack_offset(place_of[index])
        room = _room(facts, offset)
        if not isinstance(o, Slider):
            left, right, top, bottom = _heads(room)
            o.x, o.y = round(min(max(o.x, left), right)), round(min(max(o.y, top), bottom))
        elif not _shift_into(facts, o, room):
            _turn_into(facts, o, room) or _fold(o, room)
        draft.changed("B004", o, before)


def _room(facts: Facts, offset: float) -> Box:
    """Where centres may be before stacking moves them by `offset`; whole px, a margin inside the screen."""
    edge = facts.radius + BODY_MARGIN_PX
    return (
        math.ceil(SCREEN_LEFT + edge - offset), math.floor(SCREEN_RIGHT - edge - offset),
        math.ceil(SCREEN_TOP + edge - offset), math.floor(SCREEN_BOTTOM - edge - offset),
    )  # fmt: skip


def _heads(room: Box) -> Box:
    """The part of the room that lies in the playfield; heads stay there."""
    left, right, top, bottom = room
    return max(left, 0), min(right, PLAYFIELD[0]), max(top, 0), min(bottom, PLAYFIELD[1])


def _box(facts: Facts, o: Slider) -> Box:
    points = facts.paths.of(o).points
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    return min(xs), max(xs), min(ys), max(ys)


def _fits(facts: Facts, o: Slider, offset: float) -> bool:
    left, right, top, bottom = _room(facts, offset)
    a, b, c, d = _box(facts, o)
    return left <= a and b <= right and top <= c and d <= bottom


def _shift(o: HitObject, dx: float, dy: float) -> None:
    o.x, o.y = round(o.x + dx), round(o.y + dy)
    if isinstance(o, Slider):
        o.points = [(round(x + dx), round(y + dy)) for x, y in o.points]


def _shift_into(facts: Facts, o: Slider, room: Box) -> bool:
    """Shifts a slider by the least whole px that bring its curve into the room and its head into the playfield."""
    left, right, top, bottom = room
    a, b, c, d = _box(facts, o)
    head_left, head_right, head_top, head_bottom = _heads(room)
    low_x, high_x = max(left - a, head_left - o.x), min(right - b, head_right - o.x)
    low_y, high_y = max(top - c, head_top - o.y), min(bottom - d, head_bottom - o.y)
    if math.ceil(low_x) > math.floor(high_x) or math.ceil(low_y) > math.floor(high_y):
        return False
    dx = min(max(0, math.ceil(low_x)), math.floor(high_x))
    dy = min(max(0, math.ceil(low_y)), math.floor(high_y))
    _shift(o, dx, dy)
    return True


def _turn_into(facts: Facts, o: Slider, room: Box) -> bool:
    """Turns a slider about its head by the least of the 15 degree steps with which it can be shifted in."""
    points = o.points
    for angle in _TURNS:
        cos, sin = math.cos(angle), math.sin(angle)
        o.points = [
            (round(o.x + (x - o.x) * cos - (y - o.y) * sin), round(o.y + (x - o.x) * sin + (y - o.y) * cos))
            for x, y in points
        ]
        if _shift_into(facts, o, room):
            return True
    o.points = points
    return False


def _fold(o: Slider, room: Box) -> bool:
    """Replaces the curve by straight lines to and fro across the playfield, as long as the slider is."""
    left, right, top, bottom = (round(edge) for edge in _heads(room))
    x, y = min(max(round(o.x), left), right), min(max(round(o.y), top), bottom)
    o.x, o.y, o.curve, o.points = x, y, "L", []
    rest = o.length
    down = 1 if y < (top + bottom) / 2 else -1
    right_next = x < (left + right) / 2
    while rest > 0:
        wall = right if right_next else left
        run = min(abs(wall - x), rest)
        if run >= 1:
            x += math.ceil(run) if right_next else -math.ceil(run)
            x = min(max(x, left), right)
            o.points.append((x, y))
            rest -= run
        right_next = not right_next
        if rest > 0:
            step = min(_FOLD_STEP_PX, math.ceil(rest))
            if not top <= y + down * step <= bottom:
                down = -down
            y = min(max(y + down * step, top), bottom)
            o.points.append((x, y))
            rest -= step
    return True
