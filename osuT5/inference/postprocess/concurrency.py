"""No two objects at one time: duplicates are merged, long objects end before the next one begins.

In osu!, taiko and catch the whole map is one lane; in mania every column is.
"""

from __future__ import annotations

import math
from collections import defaultdict
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


def separate(drafts: list[Draft], grid: Grid, gamemode: int, min_spinner_ms: float) -> tuple[list[Draft], list[str]]:
    """Drafts sorted by time without overlaps, and warnings. `min_spinner_ms`: a shorter spinner cannot be cleared."""
    warnings: list[str] = []
    lanes: dict[float, list[Draft]] = defaultdict(list)
    for draft in drafts:
        lanes[draft.x if gamemode == MANIA else 0].append(draft)
    rules = COLUMN if gamemode == MANIA else LANE
    kept = [d for lane in lanes.values() for d in _separate_lane(lane, grid, rules, min_spinner_ms, warnings)]
    return sorted(kept, key=lambda d: (d.time, d.x)), warnings


def _separate_lane(
    lane: list[Draft], grid: Grid, rules: LaneRules, min_spinner_ms: float, warnings: list[str]
) -> list[Draft]:
    starts = _merge_duplicates(sorted(lane, key=lambda d: d.time), rules.gap_ms, warnings)
    kept: list[Draft] = []
    for index, draft in enumerate(starts):
        limit = starts[index + 1].time if index + 1 < len(starts) else None
        if draft.is_long:
            if draft.kind is Kind.SPINNER and draft.end - draft.time < min_spinner_ms:
                step = grid.beat_at(draft.time) / 4
                # cut again below where the next object is near
                draft.end = float(round(draft.time + math.ceil(min_spinner_ms / step) * step))
            if limit is not None and draft.end >= limit - rules.gap_ms:
                _shorten(draft, limit, grid, rules)
            if draft.kind is Kind.SPINNER and draft.end - draft.time < min_spinner_ms:
                warnings.append(f"The spinner at {draft.time} ms left no time to spin; it was left out.")
                continue
            if draft.end - draft.time < rules.min_long_ms or draft.span_ms < MIN_SPAN_MS:
                draft.become_circle()
        kept.append(draft)
    return kept


def _merge_duplicates(lane: list[Draft], gap_ms: float, warnings: list[str]) -> list[Draft]:
    """Of two objects that start together the richer, else the one that moved less, stays with the sounds of both."""
    kept: list[Draft] = []
    for draft in lane:
        if kept and draft.time - kept[-1].time <= gap_ms:
            other = kept[-1]
            stays, goes = (other, draft) if _rank(other) >= _rank(draft) else (draft, other)
            if stays.sounds and goes.sounds:
                bits = stays.sounds[0].bits | goes.sounds[0].bits
                stays.sounds = [replace(stays.sounds[0], bits=bits), *stays.sounds[1:]]
            stays.new_combo |= goes.new_combo
            kept[-1] = stays
            warnings.append(f"Two objects at {stays.time} ms were merged into one.")
        else:
            kept.append(draft)
    return kept


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
