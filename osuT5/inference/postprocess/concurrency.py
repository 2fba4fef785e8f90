"""No two objects at one time: duplicates are merged, long objects end before the next one begins.

In osu!, taiko and catch the whole map is one lane; in mania every column is.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass, replace

from osuT5.inference.postprocess.difficulty_settings import MANIA
from osuT5.inference.postprocess.drafts import Draft, Kind
from osuT5.inference.postprocess.grid import Grid
from osuT5.inference.postprocess.moments import MIN_HOLD_MS, MIN_LONG_MS, MIN_SPAN_MS

# A shortened object ends this fraction of a beat before the next one, the largest that leaves it long enough.
_REST_BEATS = (1 / 2, 1 / 4, 1 / 8, 1 / 16)
# A shortened object keeps at least this part of its duration, else it becomes a tap.
_KEEP = 0.25
_RICHNESS = {Kind.CIRCLE: 0, Kind.DENDEN: 1, Kind.SPINNER: 1, Kind.DRUMROLL: 2, Kind.HOLD: 2, Kind.SLIDER: 2}


@dataclass(frozen=True)
class LaneRules:
    """`gap_ms`: objects start more than this after the one before; `min_long_ms`: shortest long object."""

    gap_ms: float
    min_long_ms: float


LANE = LaneRules(10, MIN_LONG_MS)
COLUMN = LaneRules(30, MIN_HOLD_MS)


class Lanes:
    """Frees objects of overlaps while they come in, each out again as soon as nothing later can change it.

    Objects go in by order of time, are changed, and come out in order of (time, x). One waits for the object after
    it, whose start may cut it; and that one's start is certain once a third begins more than `gap_ms` later.

    Args:
        min_spinner_ms: a shorter spinner cannot be cleared.
    """

    def __init__(self, grid: Grid, gamemode: int, min_spinner_ms: float):
        self.grid = grid
        self.by_column = gamemode == MANIA
        self.min_spinner_ms = min_spinner_ms
        self.lanes: dict[float, _Lane] = {}
        self.settled: list[Draft] = []

    @property
    def warnings(self) -> list[str]:
        return [text for lane in self.lanes.values() for text in lane.merged + lane.left_out]

    def add(self, draft: Draft) -> None:
        """The next object; it starts no earlier than those before it."""
        key = draft.x if self.by_column else 0
        if key not in self.lanes:
            self.lanes[key] = _Lane(self.grid, COLUMN if self.by_column else LANE, self.min_spinner_ms)
        self.settled += self.lanes[key].add(draft)

    def settle(self, earliest_ms: float) -> list[Draft]:
        """The objects that are final if all that are still to be added start at `earliest_ms` or later."""
        for lane in self.lanes.values():
            self.settled += lane.settle(earliest_ms)
        self.settled.sort(key=_order)
        waiting = min((_order(lane.starts[0]) for lane in self.lanes.values() if lane.starts), default=(math.inf, 0))
        count = bisect_left(self.settled, waiting, key=_order)
        out, self.settled = self.settled[:count], self.settled[count:]
        return out


class _Lane:
    """One lane. `starts`: the last object, which the next may still join, and before it one that waits for its end."""

    def __init__(self, grid: Grid, rules: LaneRules, min_spinner_ms: float):
        self.grid = grid
        self.rules = rules
        self.min_spinner_ms = min_spinner_ms
        self.starts: list[Draft] = []
        self.merged: list[str] = []
        self.left_out: list[str] = []

    def add(self, draft: Draft) -> list[Draft]:
        """Takes the next object; returns the one that it settles, if any."""
        if self.starts and draft.time - self.starts[-1].time <= self.rules.gap_ms:
            self.starts[-1] = _merged(self.starts[-1], draft)
            self.merged.append(f"Two objects at {self.starts[-1].time} ms were merged into one.")
            return []
        self.starts.append(draft)
        return self._end(self.starts.pop(0), self.starts[0].time) if len(self.starts) > 2 else []

    def settle(self, earliest_ms: float) -> list[Draft]:
        """The objects that no start at `earliest_ms` or later can change."""
        gap, settled = self.rules.gap_ms, []
        last_is_certain = bool(self.starts) and earliest_ms - self.starts[-1].time > gap
        if len(self.starts) == 2 and last_is_certain:
            settled += self._end(self.starts.pop(0), self.starts[0].time)
        if len(self.starts) == 2 or last_is_certain:
            first = self.starts[0]
            following = self.starts[1].time if len(self.starts) == 2 else earliest_ms
            if not first.is_long or self._wanted_end(first) < following - gap:
                settled += self._end(self.starts.pop(0), math.inf)
        return settled

    def _wanted_end(self, draft: Draft) -> float:
        """Where an object would end if nothing came after it: a short spinner lasts until it can be cleared."""
        if draft.kind is not Kind.SPINNER or draft.end - draft.time >= self.min_spinner_ms:
            return draft.end
        step = self.grid.beat_at(draft.time) / 4
        return float(round(draft.time + math.ceil(self.min_spinner_ms / step) * step))

    def _end(self, draft: Draft, limit: float) -> list[Draft]:
        """The object with an end before `limit`, the next start; none if that leaves a spinner no time."""
        if not draft.is_long:
            return [draft]
        draft.end = self._wanted_end(draft)
        if draft.end >= limit - self.rules.gap_ms:
            _shorten(draft, limit, self.grid, self.rules)
        if draft.kind is Kind.SPINNER and draft.end - draft.time < self.min_spinner_ms:
            self.left_out.append(f"The spinner at {draft.time} ms left no time to spin; it was left out.")
            return []
        if draft.end - draft.time < self.rules.min_long_ms or draft.span_ms < MIN_SPAN_MS:
            draft.become_circle()
        return [draft]


def _order(draft: Draft) -> tuple[float, float]:
    return draft.time, draft.x


def _merged(first: Draft, second: Draft) -> Draft:
    """Of two objects that start together the richer, else the one that moved less, with the sounds of both."""
    stays, goes = (first, second) if _rank(first) >= _rank(second) else (second, first)
    if stays.sounds and goes.sounds:
        bits = stays.sounds[0].bits | goes.sounds[0].bits
        stays.sounds = [replace(stays.sounds[0], bits=bits), *stays.sounds[1:]]
    stays.new_combo |= goes.new_combo
    return stays


def _rank(draft: Draft) -> tuple[int, float]:
    return _RICHNESS[draft.kind], -draft.moved_ms


def _shorten(draft: Draft, limit: float, grid: Grid, rules: LaneRules) -> None:
    """Ends an object before `limit`: fewer repeats if that is enough, else an end on a tick, else a tap."""
    span, wanted = draft.span_ms, draft.end - draft.time
    slides = draft.slides
    while slides > 1 and draft.time + span * slides >= limit - rules.gap_ms:
        slides -= 1
    end = draft.time + span * slides
    if end >= limit - rules.gap_ms:
        end = _end_before(draft, limit, grid, rules, wanted)
    if slides != draft.slides:
        draft.sounds = draft.sounds[:slides] + draft.sounds[-1:]
    draft.slides, draft.end = slides, end


def _end_before(draft: Draft, limit: float, grid: Grid, rules: LaneRules, wanted: float) -> float:
    """An end on a tick before `limit`, or the start where none leaves enough of the object."""
    beat = grid.beat_at(draft.time)
    for rest in _REST_BEATS:
        end = limit - rest * beat
        duration = end - draft.time
        if limit - end > rules.gap_ms and duration >= max(_KEEP * wanted, rules.min_long_ms):
            whole_ms = draft.kind in (Kind.HOLD, Kind.SPINNER, Kind.DENDEN)
            tick = grid.nearest_sensible(end)
            if tick is not None and tick.time < limit - rules.gap_ms:
                end = float(tick.time) if whole_ms else tick.exact
            return float(round(end)) if whole_ms else end
    return float(draft.time)
