"""Timing lines as an encoder sees them: which line holds at a time, what tempo, speed, volume and kiai it gives.

The view depends on the event rules (`rules.py`): the published models saw the lines in file order, the last line of
the file with an offset at or before the time being in force. Times are whole microseconds (`_us`), as that is the
resolution at which the published models' times were kept.
"""

from __future__ import annotations

import math
import sys
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from osuT5.beatmap import TimingPoint
from osuT5.errors import BeatmapError
from osuT5.events.rules import EventRules

MIN_SPEED, MAX_SPEED = 0.01, 10.0
MAX_SNAP_DIVISOR = 16
SNAP_TOLERANCE_MS = 2
LARGEST_BEAT = 1e12  # beyond it a beat number has no fraction left to judge
VOLUME_FIELDS = 6  # a line with fewer fields says no volume
DEFAULT_METER = 4
DEFAULT_SAMPLE_SET = 2  # soft
MIN_BEAT_LENGTH_MS = 6.0  # 10000 bpm, the fastest that the game counts


def to_us(time_ms: float) -> int:
    return round(time_ms * 1000)


@dataclass(frozen=True, slots=True)
class Line:
    """One timing line. `parent` is the index of the red line that holds for a green one, None for a red one."""

    time_us: int
    beat_length: float
    meter: int
    sample_set: int
    volume: int
    kiai: bool
    parent: int | None

    @property
    def is_tempo(self) -> bool:
        """Whether beats can be counted from it: 1 bpm or more after rounding (half to even, so 0.5 is none)."""
        return self.beat_length > 0 and 60000 / self.beat_length > 0.5

    @property
    def raw_speed(self) -> float:
        """Scroll speed of a green line, finite but not clipped otherwise; 1 for a red one."""
        if self.parent is None or not self.beat_length:
            return 1.0
        return min(max(-100.0 / self.beat_length, -sys.float_info.max), sys.float_info.max)

    @property
    def speed(self) -> float:
        """Speed multiplier for objects, 0.01..10; 1 where the line says none."""
        if self.parent is None or not self.beat_length < 0:
            return 1.0
        return min(max(-100.0 / self.beat_length, MIN_SPEED), MAX_SPEED)


class LineView:
    """The timing lines of a map under a set of rules; no lines at all if none of them sets a tempo."""

    def __init__(
        self,
        timing_points: Sequence[TimingPoint],
        rules: EventRules,
        offset_us: int = 0,
        sample_set: int = DEFAULT_SAMPLE_SET,
    ):
        """
        Args:
            offset_us: taken off all times.
            sample_set: the map's own set, for lines that name none under rules that follow the map.
        """
        self.rules = rules
        points = [p for p in timing_points if p.beat_length or not p.uninherited]  # nothing counts with 0 ms a beat
        points = [p for p in points if not (math.isnan(p.beat_length) or math.isnan(p.time))]
        if rules.sort:
            points.sort(key=lambda p: (p.time, not p.uninherited))
        default_set = sample_set if rules.map_sample_set else DEFAULT_SAMPLE_SET
        self.lines: list[Line] = []
        # lines before the first tempo have that tempo; where green lines may set one, any but 0 ms a beat is a tempo
        tempos = (bool(p.beat_length) if rules.green_tempo else _sets_tempo(p) for p in points)
        first = next((i for i, is_tempo in enumerate(tempos) if is_tempo), None)
        if first is None:
            points = []
        parent = first
        for i, p in enumerate(points):
            is_red = p.uninherited if rules.green_tempo else _sets_tempo(p)
            if is_red or i == first:
                own_parent, parent = None, i
            else:
                own_parent = parent
            self.lines.append(
                Line(
                    to_us(p.time) - offset_us,
                    p.beat_length if rules.green_tempo or is_red or p.beat_length < 0 else -100.0,
                    p.meter if p.meter > 0 else DEFAULT_METER,
                    p.sample_set or default_set,
                    min(max(p.volume if p.fields >= VOLUME_FIELDS else rules.missing_volume, 0), 100),
                    bool(p.effects & rules.kiai_mask),
                    own_parent,
                )
            )
        # The line in force at T is the last in the list with an offset <= T: only lines that no later line undercuts.
        self._order: list[int] = []
        lowest = math.inf
        for i in range(len(self.lines) - 1, -1, -1):
            if self.lines[i].time_us < lowest:
                lowest = self.lines[i].time_us
                self._order.append(i)
        self._order.reverse()
        self._times = [self.lines[i].time_us for i in self._order]

    def at(self, time_us: int) -> Line:
        """The line in force; the first one before all lines. Raises BeatmapError if there is none."""
        if not self._times:
            self.require()
        i = bisect_right(self._times, time_us) - 1
        return self.lines[self._order[i] if i >= 0 else 0]

    def require(self) -> None:
        """Raises BeatmapError if there is no line."""
        if not self.lines:
            raise BeatmapError("the map has no timing line that sets a tempo; give it at least one red line")

    def red_at(self, time_us: int) -> Line:
        """The line whose tempo holds."""
        return self.red_of(self.at(time_us))

    def red_of(self, line: Line) -> Line:
        return line if line.parent is None else self.lines[line.parent]

    def snap(self, time_us: int) -> int:
        """Smallest beat divisor 1..16 on which the time falls within 2 ms; 0 if there is none."""
        red = self.red_at(time_us)
        beat_length = red.beat_length
        beat = (time_us - red.time_us) / 1000 / beat_length
        if not abs(beat) < LARGEST_BEAT:
            return 0
        for divisor in range(1, MAX_SNAP_DIVISOR + 1):
            if abs(beat - round(beat * divisor) / divisor) * beat_length < SNAP_TOLERANCE_MS:
                return divisor
        return 0


def _sets_tempo(point: TimingPoint) -> bool:
    """Whether the game can count beats from the line."""
    return point.uninherited and MIN_BEAT_LENGTH_MS <= point.beat_length < math.inf
