"""The beat grid of a map: its red lines, cleaned, and the ticks that generated times move onto.

Decoded times lie on a 10 ms grid, and most carry the divisor of the tick they mean. A tick is the exact position
offset + k/d beats, cut down to whole milliseconds, the convention of ranked maps; only ticks whose fraction k/d
cannot be shortened count for divisor d, so "1/2" never means a beat. A time moves at most `LIMIT_MS`: where the
tick that was named is further away, the divisors that mappers use are tried, and where none is near the time stays.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from osuT5.beatmap.timing_lines import MAX_BEAT_LENGTH_MS, MIN_BEAT_LENGTH_MS
from osuT5.beatmap.types import TimingPoint
from osuT5.inference.postprocess.settings import MapSettings

LIMIT_MS = 20.0
BORDER_MS = 20  # ticks of a tempo section count this far beyond its borders
# Divisors tried when none was named, and what a tick of theirs must be nearer by, in ms, than one on the beat.
FALLBACK_COST_MS = {1: 0.0, 2: 0.0, 4: 1.0, 3: 3.0, 8: 5.0, 6: 5.0, 12: 8.0, 16: 8.0}
SPAN_DIVISORS = (1, 2, 3, 4, 6, 8, 12, 16)
# Absorbs the noise of beat lengths written with 12 digits, so that beat 3 of 333.333333333333 ms is 1000, not 999.
_NOISE_MS = 1e-4
_SEARCH_MEASURES = 8
_FALLBACK_BEAT_MS = 500.0


def prepare_red_lines(
    timing: Iterable[TimingPoint], first_object_ms: float | None, settings: MapSettings
) -> tuple[list[TimingPoint], list[str]]:
    """New red lines, sorted by time, and warnings. The caller's timing stays as it is.

    Lines without a usable tempo are left out, of two at one time the last stays, times are rounded to whole ms. If
    the first object is earlier than the first line, that line is moved back by whole measures, choosing the number
    of measures whose length is nearest to whole ms. Without any line a constant grid is made from the settings.
    """
    usable = [
        p for p in timing
        if p.uninherited and math.isfinite(p.time) and MIN_BEAT_LENGTH_MS <= p.beat_length <= MAX_BEAT_LENGTH_MS
    ]
    by_time = {round(p.time): p for p in sorted(usable, key=lambda p: p.time)}
    reds = [
        replace(p, time=time, meter=p.meter if p.meter > 0 else 4, sample_index=max(p.sample_index, 0))
        for time, p in by_time.items()
    ]
    warnings = []
    if not reds:
        beat = 60000 / settings.bpm if settings.bpm > 0 else _FALLBACK_BEAT_MS
        reds = [TimingPoint(round(settings.offset), beat)]
        warnings.append(f"No timing was given; a constant {60000 / beat:g} BPM from {reds[0].time} ms was used.")
    first = reds[0]
    if first_object_ms is not None and first_object_ms < first.time:
        measure = first.beat_length * first.meter
        least = math.ceil((first.time - first_object_ms) / measure)
        count = min(range(least, least + _SEARCH_MEASURES), key=lambda n: (_off_whole_ms(n * measure), n))
        reds[0] = replace(first, time=round(first.time - count * measure))
    return reds, warnings


def _off_whole_ms(length: float) -> float:
    """Distance to the next whole ms, in steps of 0.05 ms so that fewer measures win among equals."""
    return round(abs(length - round(length)) * 20)


@dataclass(frozen=True, slots=True)
class Tick:
    """`time` is whole ms as written; `exact` the unrounded position; `section` the index of the red line."""

    time: int
    exact: float
    section: int
    divisor: int


class Grid:
    """The ticks of the red lines. Line offsets count as whole milliseconds, as they will be written."""

    def __init__(self, timing: Iterable[TimingPoint]):
        """Needs at least one red line; beat lengths must be positive."""
        self.reds = sorted((p for p in timing if p.uninherited), key=lambda p: p.time)
        self.offsets = [round(p.time) for p in self.reds]
        self.beats = [p.beat_length for p in self.reds]
        self.meters = [max(p.meter, 1) for p in self.reds]

    def section_at(self, time: float) -> int:
        return max(bisect_right(self.offsets, time) - 1, 0)

    def beat_at(self, time: float) -> float:
        """Length of a beat in ms."""
        return self.beats[self.section_at(time)]

    def tick(self, section: int, numerator: int, divisor: int) -> Tick:
        exact = self.offsets[section] + self.beats[section] * numerator / divisor
        return Tick(math.floor(exact + _NOISE_MS), exact, section, divisor)

    def nearest(self, time: float, divisor: int) -> Tick | None:
        """The nearest tick whose fraction of a beat has exactly this denominator, however far; the earlier on ties."""
        best: Tick | None = None
        current = self.section_at(time)
        start = self.offsets[current]
        following = self.offsets[current + 1] if current + 1 < len(self.reds) else math.inf
        windows = [(current, start - BORDER_MS if current else -math.inf, following + BORDER_MS)]
        if current:
            windows.append((self.section_at(start - 1), -math.inf, start + BORDER_MS))
        if following < math.inf:
            windows.append((current + 1, following - BORDER_MS, math.inf))
        for section, low, high in windows:
            for tick in self._around(section, time, divisor):
                if low <= tick.time <= high and (best is None or _distance(tick, time) < _distance(best, time)):
                    best = tick
        return best

    def _around(self, section: int, time: float, divisor: int) -> list[Tick]:
        """Ticks near a time in rising order; four numerators reach past every gap between shortened fractions."""
        middle = math.floor((time - self.offsets[section]) / self.beats[section] * divisor + _NOISE_MS)
        numerators = (n for n in range(middle - 3, middle + 5) if math.gcd(n, divisor) == 1)
        return [self.tick(section, n, divisor) for n in numerators]

    def snap(self, time: float, divisor: int | None) -> Tick | None:
        """The tick that a generated time means, within `LIMIT_MS`; None where there is none."""
        if divisor:
            named = self.nearest(time, divisor)
            if named is not None and _distance(named, time) <= LIMIT_MS:
                return named
        return self.nearest_sensible(time)

    def nearest_sensible(self, time: float, divisors: Sequence[int] = tuple(FALLBACK_COST_MS)) -> Tick | None:
        """The best tick of the usual divisors within `LIMIT_MS`, coarse ones preferred."""
        best, best_cost = None, math.inf
        for divisor in divisors:
            tick = self.nearest(time, divisor)
            if tick is None or _distance(tick, time) > LIMIT_MS:
                continue
            cost = _distance(tick, time) + FALLBACK_COST_MS[divisor]
            if cost < best_cost:
                best, best_cost = tick, cost
        return best

    def downbeat_near(self, time: float) -> Tick:
        """The nearest start of a measure."""
        found = []
        section = self.section_at(time)
        for index in {section, min(section + 1, len(self.reds) - 1)}:
            measure = self.beats[index] * self.meters[index]
            numerator = max(round((time - self.offsets[index]) / measure), 0) if index else round(
                (time - self.offsets[index]) / measure)
            found.append(self.tick(index, numerator * self.meters[index], 1))
        return min(found, key=lambda tick: _distance(tick, time))

    def is_sensible(self, tick_beats: float) -> bool:
        """Whether a length in beats is a multiple of a divisor that mappers use."""
        return any(abs(tick_beats * d - round(tick_beats * d)) < 1e-3 * d for d in SPAN_DIVISORS)


def _distance(tick: Tick, time: float) -> float:
    return abs(tick.time - time)
