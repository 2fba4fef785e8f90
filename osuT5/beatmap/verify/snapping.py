"""How far a time lies from the nearest tick, and which tick to move it to.

Facts: Mapset Verifier's snapping arithmetic. Written times are whole milliseconds and a tick at 333.33 is written
333, so the distance that counts is to the truncated tick ("practical unsnap").
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from osuT5.beatmap.timing_lines import MAX_BEAT_LENGTH_MS, MIN_BEAT_LENGTH_MS, TimingLines
from osuT5.beatmap.verify.limits import SNAP_DIVISORS

_COVERING_DIVISORS = (16, 12, 9, 7, 5)  # their ticks include those of 1, 2, 3, 4, 6 and 8
_EPSILON = 1e-6  # float noise must not push a tick below a whole millisecond
# what it costs, in ms of movement, to choose a rarer divisor when a time is moved to a tick
DIVISOR_COST_MS = {1: 0, 2: 0, 4: 0, 3: 2, 6: 3, 8: 6, 12: 10, 16: 12, 5: 14, 7: 16, 9: 16}


class Grid:
    """The red lines as arrays, for many times at once.

    Args:
        timing: lines with at least one red line.
    """

    def __init__(self, timing: TimingLines):
        self.offsets = np.array([red.time for red in timing.reds], dtype=np.float64)
        lengths = np.array([red.beat_length for red in timing.reds], dtype=np.float64)
        self.beat_lengths = np.clip(np.nan_to_num(lengths, nan=MIN_BEAT_LENGTH_MS), MIN_BEAT_LENGTH_MS,
                                    MAX_BEAT_LENGTH_MS)  # fmt: skip

    def line_at(self, times: np.ndarray) -> np.ndarray:
        """Index of the red line in force at each time; the first one before it.

        A whole millisecond that is a red line's truncated time belongs to that line: its downbeat is written so.
        """
        ahead = np.where(times == np.floor(times), times + 1 - _EPSILON, times)
        return np.maximum(np.searchsorted(self.offsets, ahead, side="right") - 1, 0)

    def unsnaps(self, times: np.ndarray) -> np.ndarray:
        """Signed practical distance in ms of each time to its nearest tick, shape = (times,)."""
        lines = self.line_at(times)
        return practical_unsnap(times, self.offsets[lines], self.beat_lengths[lines])

    def unsnap(self, time: float) -> float:
        return float(self.unsnaps(np.array([time], dtype=np.float64))[0])

    def at(self, time: float) -> tuple[float, float]:
        """(offset, beat length) of the red line in force at a time."""
        line = int(self.line_at(np.array([time], dtype=np.float64))[0])
        return float(self.offsets[line]), float(self.beat_lengths[line])

    def ticks(self, time: float) -> Iterator[tuple[int, int]]:
        """(written time, divisor) of the nearest tick of every divisor, cheapest first."""
        offset, beat = self.at(time)
        found = []
        for divisor in SNAP_DIVISORS:
            step = beat / divisor
            tick = written(offset + round((time - offset) / step) * step)
            found.append((abs(tick - time) + DIVISOR_COST_MS[divisor], tick, divisor))
        return ((tick, divisor) for _, tick, divisor in sorted(found))

    def tick_before(self, limit: float, divisor: int = 4) -> int:
        """The last written tick of a divisor at or before `limit`."""
        offset, beat = self.at(limit)
        step = beat / divisor
        count = math.floor((limit - offset) / step + 1e-9)
        return written(offset + count * step)

    def tick_after(self, limit: float, divisor: int = 4) -> int:
        """The first written tick of a divisor at or after `limit`."""
        offset, beat = self.at(limit)
        step = beat / divisor
        count = math.ceil((limit - offset) / step - 1e-9)
        tick = written(offset + count * step)
        return tick if tick >= limit else written(offset + (count + 1) * step)

    def rarity(self, time: float) -> tuple[float, int]:
        """How badly a time is snapped: (distance in ms, lowest divisor that it is on), larger is worse."""
        offset, beat = self.at(time)
        fraction = (time - offset) / beat
        best = (math.inf, SNAP_DIVISORS[-1])
        for divisor in SNAP_DIVISORS:
            exact = offset + round(fraction * divisor) / divisor * beat
            distance = abs(time - written(exact))
            if distance <= 2:
                return distance, divisor
            best = min(best, (distance, divisor))
        return best


def practical_unsnap(times: np.ndarray, offsets: np.ndarray, beat_lengths: np.ndarray) -> np.ndarray:
    """Distance in ms of each time to the nearest truncated tick of 1/16, 1/12, 1/9, 1/7 and 1/5, signed."""
    beats = (times - offsets) / beat_lengths
    fraction = beats - np.floor(beats)
    best = np.full(times.shape, np.inf)
    for divisor in _COVERING_DIVISORS:
        theoretical = (fraction - np.rint(fraction * divisor) / divisor) * beat_lengths
        practical = times - np.trunc(times - theoretical + np.copysign(_EPSILON, times))
        best = np.where(np.abs(practical) < np.abs(best), practical, best)
    return best


def written(exact: float) -> int:
    """The whole millisecond in which a tick is written."""
    return math.trunc(exact + math.copysign(_EPSILON, exact))
