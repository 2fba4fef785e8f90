"""Class B and C rules about timing lines, breaks and volumes. Facts: Mapset Verifier's checks; see `limits.py`."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import pairwise

from osuT5.beatmap.types import OMIT_BAR_LINE, TimingPoint
from osuT5.beatmap.verify.facts import Facts
from osuT5.beatmap.verify.findings import INFO, WARNING, Fault
from osuT5.beatmap.verify.limits import (
    BREAK_AFTER_MS,
    BREAK_LENIENCY_MS,
    BREAK_MIN_MS,
    MAX_LINE_VOLUME,
    MIN_LINE_VOLUME,
)

_DOWNBEATS_OF_CYMBALS = 4  # the nightcore mod plays its cymbals every fourth measure
_SAME_MS = 1.0


def breaks(facts: Facts) -> Iterator[Fault]:
    """B012: a break starts 200 ms after an object, ends the approach time before the next, lasts 650 ms."""
    for start, end in facts.beatmap.breaks:
        after = bisect_right(facts.starts, start)
        if after > 0:
            since = start - facts.starts[after - 1]
            if since < BREAK_AFTER_MS - BREAK_LENIENCY_MS:
                yield Fault(f"The break starts {since:g} ms after an object; {BREAK_AFTER_MS:g} are needed", start,
                            (facts.indices[after - 1],), since, BREAK_AFTER_MS, end=end)  # fmt: skip
                continue
        if after < len(facts.starts):
            until = facts.starts[after] - end
            if until < facts.preempt - BREAK_LENIENCY_MS:
                yield Fault(f"The break ends {until:g} ms before the next object; {facts.preempt:g} are needed", start,
                            (facts.indices[after],), until, facts.preempt, end=end)  # fmt: skip
                continue
        if end - start < BREAK_MIN_MS:
            yield Fault(f"The break lasts {end - start:g} ms; shorter than {BREAK_MIN_MS:g} it is no break", start,
                        value=end - start, limit=BREAK_MIN_MS, severity=WARNING, end=end)  # fmt: skip


def first_line(facts: Facts) -> Iterator[Fault]:
    """B013: the first timing line is red and has no kiai."""
    points = facts.timing.points
    if not points:
        return
    first = points[0]
    if not first.uninherited:
        yield Fault("The first timing line is inherited; a red line must come first", first.time)
    elif first.kiai:
        yield Fault("The first timing line has kiai on; put it on a green line", first.time)


def double_lines(facts: Facts) -> Iterator[Fault]:
    """B014: no two red and no two green lines at one time."""
    for red in (True, False):
        lines = [p for p in facts.timing.points if p.uninherited is red]
        for a, b in pairwise(lines):
            if a.time == b.time:
                colour = "red" if red else "green"
                yield Fault(f"Two {colour} lines at {a.time:g} ms; parsers differ on which wins, keep one", a.time)


def line_volumes(facts: Facts) -> Iterator[Fault]:
    """B015: line volumes within 5..100 %."""
    for point in facts.timing.points:
        if not MIN_LINE_VOLUME <= point.volume <= MAX_LINE_VOLUME:
            yield Fault(f"The line's volume is {point.volume} %; it must be {MIN_LINE_VOLUME} to {MAX_LINE_VOLUME}",
                        point.time, value=point.volume, limit=MIN_LINE_VOLUME)  # fmt: skip


def useless_lines(facts: Facts) -> Iterator[Fault]:
    """C014: red lines that change nothing; green lines that change nothing (info)."""
    points = facts.timing.points
    times = [p.time for p in points]
    at_red = {p.time: p for p in points if not p.uninherited}
    for last, red in pairwise(facts.timing.reds):
        if not red.beat_length > 0 or not last.beat_length > 0 or (red.effects ^ last.effects) & OMIT_BAR_LINE:
            continue
        same = abs(red.beat_length - last.beat_length) < 1e-6 and red.meter == last.meter
        if not same:
            continue
        measure = last.beat_length * last.meter
        measures = round((red.time - last.time) / measure)
        off = abs(red.time - last.time - measures * measure)
        if off > _SAME_MS:
            continue
        before = points[bisect_left(times, red.time) - 1]
        green = at_red.get(red.time)
        sounds = (red.sample_set, red.sample_index, red.volume, red.effects & 1)
        changes = sounds != (before.sample_set, before.sample_index, before.volume, before.effects & 1) or (
            green is None and before.slider_velocity != 1
        )
        if measures % _DOWNBEATS_OF_CYMBALS:
            yield Fault("The red line only resets the nightcore cymbals", red.time, severity=WARNING)
        elif changes and green is None:
            yield Fault("The red line changes no tempo; a green line is enough", red.time, severity=WARNING)
        else:
            yield Fault("The red line changes nothing; remove it", red.time)
    yield from _useless_greens(points)


def _useless_greens(points: list[TimingPoint]) -> Iterator[Fault]:
    for before, green in pairwise(points):
        if not green.uninherited and (
            green.slider_velocity, green.sample_set, green.sample_index, green.volume, green.effects & 1
        ) == (before.slider_velocity, before.sample_set, before.sample_index, before.volume, before.effects & 1):
            yield Fault("The green line changes nothing", green.time, severity=INFO)  # fmt: skip
