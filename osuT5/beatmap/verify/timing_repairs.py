"""Repairs of timing lines and breaks. Each takes the draft, the facts of the draft as it is, and the faults."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import replace
from itertools import accumulate

from osuT5.beatmap.numbers import parse_float
from osuT5.beatmap.types import KIAI, TimingPoint
from osuT5.beatmap.verify.breaks import is_break_line, legal_break
from osuT5.beatmap.verify.draft import Draft
from osuT5.beatmap.verify.facts import Facts
from osuT5.beatmap.verify.findings import Change, Fault
from osuT5.beatmap.verify.limits import MAX_LINE_VOLUME, MIN_LINE_VOLUME


def first_line(draft: Draft, facts: Facts, faults: list[Fault]) -> None:
    """B013: the first red line moves back by whole measures, or kiai moves to a green line on top of it."""
    points, first = draft.beatmap.timing_points, facts.timing.points[0]
    if first.uninherited:
        place = next(i for i, p in enumerate(points) if p is first)
        green = next((p for p in points if not p.uninherited and p.time == first.time), None)
        red = replace(first, effects=first.effects & ~KIAI)
        points[place] = red
        draft.line_changed("B013", first, red)
        if green is None:
            green = replace(first, beat_length=-100.0, uninherited=False, effects=KIAI)
            points.insert(place + 1, green)
            draft.line_changed("B013", None, green)
        return
    if not facts.timing.reds:
        return  # A009: there is no tempo to extend
    red = facts.timing.reds[0]
    early = [p for p in facts.timing.points if p.time < red.time]
    if not facts.starts or facts.starts[0] >= red.time:  # nothing is played by them
        gone = {id(p) for p in early}
        draft.beatmap.timing_points = [p for p in points if id(p) not in gone]
        for point in early:
            draft.line_changed("B013", point, None)
        return
    if not any(p.time == red.time and not p.uninherited for p in points):
        # the red line reset the slider velocity where it was
        reset = replace(red, beat_length=-100.0, uninherited=False, effects=red.effects & KIAI)
        points.append(reset)
        draft.line_changed("B013", None, reset)
    extend_first_red(draft, "B013", red, early[0].time)
    draft.beatmap.timing_points.sort(key=lambda p: (p.time, not p.uninherited))


def extend_first_red(draft: Draft, code: str, red: TimingPoint, to: float) -> None:
    """Moves a red line back by as many whole measures as it takes to lie at or before `to`."""
    before = replace(red)
    measure = red.beat_length * max(red.meter, 1)
    red.time -= measure * max(math.ceil((red.time - to) / measure - 1e-9), 1)
    draft.line_changed(code, before, red)


def double_lines(draft: Draft, facts: Facts, faults: list[Fault]) -> None:
    """B014: the last of the lines of one colour at one time stays."""
    last = {(p.time, p.uninherited): id(p) for p in draft.beatmap.timing_points}
    for point in draft.beatmap.timing_points:
        if last[point.time, point.uninherited] != id(point):
            draft.line_changed("B014", point, None)
    draft.beatmap.timing_points = [p for p in draft.beatmap.timing_points if last[p.time, p.uninherited] == id(p)]


def line_volumes(draft: Draft, facts: Facts, faults: list[Fault]) -> None:
    """B015: volumes clamped to 5..100."""
    for point in draft.beatmap.timing_points:
        volume = min(max(point.volume, MIN_LINE_VOLUME), MAX_LINE_VOLUME)
        if volume != point.volume:
            before = replace(point)
            point.volume = volume
            draft.line_changed("B015", before, point)


def breaks(draft: Draft, facts: Facts, faults: list[Fault]) -> None:
    """B012: a faulty break takes all the room of its gap, or goes where there is not enough or it has one already."""
    faulty = {(fault.time, fault.end) for fault in faults}
    ended = list(accumulate(facts.ends, max))
    used: set[int] = set()
    events: list[str] = []
    for line in draft.beatmap.events:
        span = _break_of(line)
        if span is None:
            events.append(line)
            continue
        after = bisect_right(facts.starts, sum(span) / 2)
        new: str | None = line
        if span in faulty:
            room = None
            if 0 < after < len(facts.starts) and after not in used:
                room = legal_break(ended[after - 1], facts.starts[after], facts.preempt)
            new = f"2,{room[0]},{room[1]}" if room else None
            draft.changes.append(Change("B012", span[0], line, new or ""))
        used.add(after)
        if new is not None:
            events.append(new)
    draft.beatmap.events = events


def _break_of(line: str) -> tuple[float, float] | None:
    fields = line.split(",")
    if not is_break_line(line) or len(fields) < 3:
        return None
    try:
        start, end = parse_float(fields[1]), parse_float(fields[2])
    except ValueError:
        return None
    return start, max(start, end)
