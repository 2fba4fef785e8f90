"""Which stretches of a map are shown: whole measures, in order, or samples spread over the map."""

from __future__ import annotations

import math
from dataclasses import dataclass

from osuT5.beatmap import Beatmap, HitObject, TimingLines

SHORTEST_MS, LONGEST_MS = 1500.0, 7000.0  # of a panel, where the tempo allows a choice
TICK_PARTS = 4


@dataclass(frozen=True)
class Span:
    """A stretch of time in ms, its end excluded."""

    start: float
    end: float

    @property
    def length(self) -> float:
        return self.end - self.start

    def part(self, time: float) -> float:
        """Where a time lies, 0 at the start and 1 at the end."""
        return (time - self.start) / self.length


@dataclass(frozen=True)
class Tick:
    """A line of the beat grid. `rank`: 2 starts a measure, 1 a beat, 0 a quarter of one."""

    time: float
    rank: int


def map_span(beatmap: Beatmap, timing: TimingLines) -> Span:
    """From the first object to the end of the last; a measure long at least."""
    starts = [o.time for o in beatmap.hit_objects] or [0.0]
    ends = [beatmap.end_time(o, timing) for o in beatmap.hit_objects] or [0.0]
    ends = [e for e in ends if math.isfinite(e)] or starts
    return Span(min(starts), max(max(ends), min(starts) + 2000.0))


def panel_spans(
    timing: TimingLines, whole: Span, count: int, measures: int, start_ms: float | None, end_ms: float | None,
    most: int,
) -> list[Span]:
    """The stretches to show, in order.

    Args:
        count: panels where no range says how many.
        measures: measures in each, fewer or more where the tempo is extreme.
        start_ms, end_ms: with a range the panels follow each other; without one they are spread over the map.
        most: a longer range is shown in samples.
    """
    if start_ms is None and end_ms is None:
        return _spread(timing, whole, count, measures)
    start = whole.start if start_ms is None else start_ms
    spans = [_panel_at(timing, start, measures)]
    limit = most if end_ms is not None else count
    while len(spans) < limit and spans[-1].end < (whole.end if end_ms is None else end_ms) - 1:
        spans.append(_panel_at(timing, spans[-1].end + 1, measures))
    if end_ms is not None and spans[-1].end < end_ms - 1:
        return _spread(timing, Span(start, end_ms), most, measures)
    return spans


def _spread(timing: TimingLines, whole: Span, count: int, measures: int) -> list[Span]:
    first = _panel_at(timing, whole.start, measures)
    last_start = max(whole.end - first.length, whole.start)
    spans = []
    for i in range(count):
        span = _panel_at(timing, whole.start + (last_start - whole.start) * i / max(count - 1, 1), measures)
        if not spans or span.start >= spans[-1].end - 1:
            spans.append(span)
    return spans


def _panel_at(timing: TimingLines, time: float, measures: int) -> Span:
    """Whole measures, the first of which holds `time`."""
    red = timing.red_at(time)
    beat = timing.beat_length_at(time)
    measure = beat * max(red.meter, 1)
    while measure * measures > LONGEST_MS and measures > 1:
        measures //= 2
    while measure * measures < SHORTEST_MS:
        measures *= 2
    length = measure * measures
    start = red.time + math.floor((time - red.time + 2.0) / measure) * measure
    following = timing.next_red_after(start + 2.0)
    end = start + length
    if following is not None and SHORTEST_MS <= following.time - start < end:
        end = min(end, following.time)
    return Span(start, end)


def ticks(timing: TimingLines, span: Span) -> list[Tick]:
    """The beat grid of a stretch: measures, beats, quarters."""
    found: list[Tick] = []
    time = span.start
    while time < span.end - 0.5:
        red = timing.red_at(time + 0.5)
        following = timing.next_red_after(time + 0.5)
        stop = min(span.end, following.time if following else math.inf)
        part = timing.beat_length_at(time + 0.5) / TICK_PARTS
        number = math.ceil((time - red.time - 0.5) / part)
        while (at := red.time + number * part) < stop - 0.5:
            beat, rest = divmod(number, TICK_PARTS)
            rank = 0 if rest else 2 if beat % max(red.meter, 1) == 0 else 1
            found.append(Tick(at, rank))
            number += 1
        time = max(stop, time + 1.0)
    return found


def objects_in(beatmap: Beatmap, timing: TimingLines, span: Span) -> list[tuple[HitObject, float]]:
    """(object, end in ms) of what sounds within a stretch, in order of time."""
    found = []
    for item in sorted(beatmap.hit_objects, key=lambda o: o.time):
        if item.time >= span.end - 2:
            break
        end = beatmap.end_time(item, timing)
        if item.time >= span.start - 2 or end > span.start + 2:
            found.append((item, end))
    return found
