"""What is in force when: tempo, slider velocity, volume and kiai, looked up by binary search.

A sorted view of timing points. At one instant a red line comes before a green one, so that a green line on top
of a red one gives the velocity of the new section. Sounds look 5 ms ahead, as the game does. Facts: osu! file
format v14 and the game's control point look-ups.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from osuT5.beatmap.types import TimingPoint

SOUND_LENIENCY_MS = 5.0
MIN_BEAT_LENGTH_MS, MAX_BEAT_LENGTH_MS = 6.0, 60000.0


@lru_cache(maxsize=1)
def _default_red() -> TimingPoint:
    """The game's tempo where a map has no red line at all: 60 BPM."""
    from osuT5.beatmap.types import TimingPoint  # types imports this module for `Beatmap.timing`

    return TimingPoint(0.0, 1000.0)


class TimingLines:
    """A snapshot of timing points for look-ups at a time in ms. Later changes of the list do not reach it."""

    def __init__(self, points: Iterable[TimingPoint]):
        self.points = sorted(points, key=lambda p: (p.time, not p.uninherited))
        self.reds = [p for p in self.points if p.uninherited]
        self._times = [p.time for p in self.points]
        self._red_times = [p.time for p in self.reds]

    def __len__(self) -> int:
        return len(self.points)

    def line_at(self, time: float) -> TimingPoint | None:
        """The last line, red or green, at or before `time`; None before the first."""
        index = bisect_right(self._times, time)
        return self.points[index - 1] if index else None

    def red_at(self, time: float) -> TimingPoint:
        """The red line in force; the first one before it; 60 BPM at 0 where there is none."""
        if not self.reds:
            return _default_red()
        return self.reds[max(bisect_right(self._red_times, time) - 1, 0)]

    def green_at(self, time: float) -> TimingPoint | None:
        """The green line whose slider velocity is in force; None when a red line has reset it."""
        line = self.line_at(time)
        return None if line is None or line.uninherited else line

    def beat_length_at(self, time: float) -> float:
        """Milliseconds of a beat as the game plays it, within 6..60000."""
        return min(max(self.red_at(time).beat_length, MIN_BEAT_LENGTH_MS), MAX_BEAT_LENGTH_MS)

    def velocity_at(self, time: float) -> float:
        """Slider velocity multiplier, 0.1..10; 1 on a red line and before the first line."""
        green = self.green_at(time)
        return 1.0 if green is None else green.slider_velocity

    def sound_line_at(self, time: float) -> TimingPoint | None:
        """The line that gives set, index and volume to a sound at `time`: the last at or before `time` + 5 ms.

        The first line before it; None only when there is no line.
        """
        if not self.points:
            return None
        return self.points[max(bisect_right(self._times, time + SOUND_LENIENCY_MS) - 1, 0)]

    def volume_at(self, time: float) -> int:
        """Volume of a sound at `time`, percent; 100 where there is no line."""
        line = self.sound_line_at(time)
        return 100 if line is None else line.volume

    def kiai_at(self, time: float) -> bool:
        line = self.line_at(time)
        return line is not None and line.kiai

    def next_red_after(self, time: float) -> TimingPoint | None:
        """The first red line later than `time`."""
        index = bisect_right(self._red_times, time)
        return self.reds[index] if index < len(self.reds) else None
