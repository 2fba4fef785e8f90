"""Class B rules about objects in space. Facts: Mapset Verifier's off-screen check and the game's stacking."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from osuT5.beatmap.types import Hold, Slider, Spinner
from osuT5.beatmap.verify.facts import Facts
from osuT5.beatmap.verify.findings import WARNING, Fault
from osuT5.beatmap.verify.limits import (
    BODY_MARGIN_PX,
    DEGENERATE_MIN_OBJECTS,
    EMPTY_GAP_MS,
    EMPTY_SHARE,
    MANIA_KEYS,
    PLAYFIELD,
    SAME_COLUMN_SHARE,
    SAME_POSITION_SHARE,
    SCREEN_BOTTOM,
    SCREEN_LEFT,
    SCREEN_RIGHT,
    SCREEN_TOP,
)


def overhang(x: float, y: float, radius: float) -> float:
    """How many px a circle reaches beyond a 4:3 screen; negative while it is inside."""
    return max(SCREEN_LEFT - (x - radius), x + radius - SCREEN_RIGHT, SCREEN_TOP - (y - radius),
               y + radius - SCREEN_BOTTOM)  # fmt: skip


def off_screen(facts: Facts) -> Iterator[Fault]:
    """B004: circles and slider bodies stay on screen, as stacked.

    The game itself keeps heads from leaving at the top and the sides, but neither at the bottom nor by stacking.
    """
    radius = facts.radius
    for place, o in enumerate(facts.objects):
        if isinstance(o, (Spinner, Hold)):
            continue
        offset = facts.stack_offset(place)
        index = (facts.indices[place],)
        x, y = o.x + offset, o.y + offset
        by = overhang(x, y, radius)
        if by > 0:
            prevented = y + radius <= SCREEN_BOTTOM and overhang(o.x, o.y, radius) > 0
            how = "would be off screen, which the game prevents" if prevented else "is off screen"
            stacked = " when stacked" if overhang(o.x, o.y, radius) <= 0 else ""
            yield Fault(f"The head {how} by {by:.1f} px{stacked}", o.time, index, by, 0, WARNING if prevented else None)
        elif isinstance(o, Slider) and not _surely_inside(facts, place, offset):
            path = facts.path(place)
            end = path.end
            by = overhang(end[0] + offset, end[1] + offset, radius)
            what = "end"
            if by <= 0:
                by = max(overhang(px + offset, py + offset, radius) for px, py in path.points)
                what = "body"
            if by > 0:
                yield Fault(f"The slider's {what} is off screen by {by:.1f} px", o.time, index, by, 0)
            elif by > -BODY_MARGIN_PX and o.curve != "L":
                yield Fault(f"The slider's body is within {BODY_MARGIN_PX:g} px of the screen's edge", o.time, index,
                            -by, BODY_MARGIN_PX, WARNING)  # fmt: skip


def _surely_inside(facts: Facts, place: int, offset: float) -> bool:
    """Whether no point of a slider can be near the edge: none is farther from the head than the slider is long."""
    o = facts.objects[place]
    reach = o.length if o.length > 0 else facts.path(place).length
    margin = facts.radius + BODY_MARGIN_PX
    x, y = o.x + offset, o.y + offset
    if (
        SCREEN_LEFT <= x - reach - margin and x + reach + margin <= SCREEN_RIGHT
        and SCREEN_TOP <= y - reach - margin and y + reach + margin <= SCREEN_BOTTOM
    ):  # fmt: skip
        return True
    if o.curve not in "BL" or not o.points:
        return False
    # a Bézier curve lies within its control points; it is extended where they are too near one another
    chord = ((o.points[-1][0] - o.x) ** 2 + (o.points[-1][1] - o.y) ** 2) ** 0.5
    margin += max(reach - chord, 0.0)
    xs = [o.x, *(p[0] for p in o.points)]
    ys = [o.y, *(p[1] for p in o.points)]
    return (
        SCREEN_LEFT <= min(xs) + offset - margin and max(xs) + offset + margin <= SCREEN_RIGHT
        and SCREEN_TOP <= min(ys) + offset - margin and max(ys) + offset + margin <= SCREEN_BOTTOM
    )  # fmt: skip


def mania_columns(facts: Facts) -> Iterator[Fault]:
    """B005: a whole number of 1..18 keys, and every note in one of their columns."""
    keys = facts.beatmap.cs
    if keys != int(keys) or not MANIA_KEYS[0] <= keys <= MANIA_KEYS[1]:
        yield Fault(f"CircleSize (the number of keys) is {keys:g}; it must be a whole number of 1 to 18", value=keys)
    for place, o in enumerate(facts.objects):
        if not 0 <= o.x < PLAYFIELD[0]:
            yield Fault(f"The note's x is {o.x:g}, in no column", o.time, (facts.indices[place],), o.x, PLAYFIELD[0])


def outside_playfield(facts: Facts) -> Iterator[Fault]:
    """B010: heads within 512 x 384 (catch: x only)."""
    width, height = PLAYFIELD
    for place, o in enumerate(facts.objects):
        outside = not 0 <= o.x <= width or facts.limits.uses_y and not 0 <= o.y <= height
        if outside and not isinstance(o, Spinner):
            yield Fault(f"The object is at {o.x:g},{o.y:g}, outside the playfield of {width} x {height}; clamp it",
                        o.time, (facts.indices[place],), f"{o.x:g},{o.y:g}", f"{width},{height}")  # fmt: skip


def degenerate(facts: Facts) -> Iterator[Fault]:
    """B018: a map that is one heap, one column, or mostly empty."""
    count = len(facts.objects)
    if count < DEGENERATE_MIN_OBJECTS:
        return
    if facts.limits.per_column:
        share = max(map(len, facts.columns)) / count
        if share > SAME_COLUMN_SHARE and facts.keys > 1:
            yield Fault(f"{share:.0%} of the notes are in one column; generate the map again", value=share,
                        limit=SAME_COLUMN_SHARE)  # fmt: skip
    elif facts.limits.uses_x:
        share = _largest_share((o.x, o.y if facts.limits.uses_y else 0) for o in facts.objects)
        if share > SAME_POSITION_SHARE:
            yield Fault(f"{share:.0%} of the objects are at one place; generate the map again", value=share,
                        limit=SAME_POSITION_SHARE)  # fmt: skip
    empty, ended = 0.0, facts.ends[0]
    for start, end in zip(facts.starts, facts.ends, strict=True):
        if start - ended > EMPTY_GAP_MS and not facts.has_break(ended, start):
            empty += start - ended
        ended = max(ended, end)
    whole = facts.drain_end - facts.drain_start
    if whole > 0 and empty / whole > EMPTY_SHARE:
        yield Fault(f"{empty / whole:.0%} of the map is without objects; map it, or put breaks there",
                    value=empty / whole, limit=EMPTY_SHARE)  # fmt: skip


def _largest_share(places: Iterable[tuple]) -> float:
    counts = Counter(places)
    return max(counts.values()) / counts.total()
