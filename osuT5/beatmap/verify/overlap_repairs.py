"""Repairs of objects that begin while, or only just after, another is there.

A long object is shortened; of two at one time the richer stays; in mania a note moves to a free column, else the hold
note before it is cut.
"""

from __future__ import annotations

from bisect import bisect_left, insort

from osuT5.beatmap.types import Circle, HitObject, Hold, Slider, Spinner
from osuT5.beatmap.verify.draft import Draft
from osuT5.beatmap.verify.facts import Facts
from osuT5.beatmap.verify.findings import Fault
from osuT5.beatmap.verify.object_repairs import shorten
from osuT5.beatmap.verify.position_repairs import column_x
from osuT5.beatmap.writer import format_hit_object

_RANK = {Circle: 0, Spinner: 1, Hold: 2, Slider: 2}


def close_objects(draft: Draft, facts: Facts, faults: list[Fault]) -> None:
    """B001, B002."""
    lanes = _Lanes(facts) if facts.limits.per_column else None
    for fault in sorted(faults, key=lambda f: f.time):
        first, second = draft.objects(fault.objects)
        if draft.is_gone(first) or draft.is_gone(second):
            continue
        code = "B001" if fault.value <= 0 else "B002"
        if second.time - first.time <= facts.limits.close_ms and (lanes is None or second.time == first.time):
            _keep_one(draft, facts, code, first, second)
        elif lanes is not None:
            _separate_columns(draft, facts, code, first, second, lanes)
        else:
            _shorten_or_drop(draft, facts, code, fault.objects[0], first, second)


def _keep_one(draft: Draft, facts: Facts, code: str, first: HitObject, second: HitObject) -> None:
    """Of two objects at (nearly) one time: the better snapped, then the richer one."""

    def worth(o: HitObject) -> tuple:
        distance, divisor = facts.grid.rarity(o.time) if facts.grid and first.time != second.time else (0.0, 0)
        return -round(distance), -divisor, _RANK[type(o)], o.hitsound.bit_count(), o.new_combo

    kept, lost = (second, first) if worth(second) > worth(first) else (first, second)
    same = type(kept) is type(lost) and (kept.x, kept.y, kept.time) == (lost.x, lost.y, lost.time)
    if lost.new_combo and not kept.new_combo:
        before = format_hit_object(kept)
        kept.new_combo = True
        draft.changed(code, kept, before)
    draft.drop(code, lost, duplicate=same)


def _shorten_or_drop(draft: Draft, facts: Facts, code: str, index: int, first: HitObject, second: HitObject) -> None:
    before = format_hit_object(first)
    if isinstance(first, (Slider, Spinner, Hold)) and shorten(facts, first, second.time - facts.limits.close_ms - 1):
        draft.changed(code, first, before)
    elif isinstance(first, (Slider, Hold)):
        draft.to_circle(code, first, index)
    else:
        draft.drop(code, first)


def _separate_columns(
    draft: Draft, facts: Facts, code: str, first: HitObject, second: HitObject, lanes: _Lanes
) -> None:
    before = format_hit_object(second)
    column = lanes.free(facts.column(second), second.time, second.end_time)
    if column is not None:
        lanes.move(second, facts.column(second), column)
        second.x = column_x(column, facts.keys)
        draft.changed(code, second, before)
        return
    before = format_hit_object(first)
    if isinstance(first, Hold) and shorten(facts, first, second.time - facts.limits.close_ms - 1):
        draft.changed(code, first, before)
    else:
        _keep_one(draft, facts, code, first, second)


class _Lanes:
    """What is where in mania: sorted (start, end) of each column."""

    def __init__(self, facts: Facts):
        self.gap = facts.limits.close_ms
        self.columns = [[(facts.starts[p], facts.ends[p]) for p in places] for places in facts.columns]

    def free(self, column: int, start: float, end: float) -> int | None:
        """The nearest other column where an object of start..end has room on both sides."""
        others = sorted(range(len(self.columns)), key=lambda c: abs(c - column))
        return next((c for c in others[1:] if self._has_room(c, start, end)), None)

    def _has_room(self, column: int, start: float, end: float) -> bool:
        lane = self.columns[column]
        place = bisect_left(lane, (start, start))
        # the columns are checked for overlaps, so that the one before is the only one that can reach here
        before = lane[place - 1][1] if place else -1e18
        after = lane[place][0] if place < len(lane) else 1e18
        return start - before > self.gap and after - end > self.gap

    def move(self, o: HitObject, column: int, to: int) -> None:
        lane = self.columns[column]
        place = bisect_left(lane, (o.time, o.end_time))
        if place < len(lane) and lane[place] == (o.time, o.end_time):
            del lane[place]
        insort(self.columns[to], (o.time, o.end_time))
