"""Timing that the user states: a tempo and an offset. Also the look of every red line that this package makes."""

from __future__ import annotations

import math

from osuT5.beatmap.types import TimingPoint
from osuT5.errors import InputError

SOFT = 2
SLOWEST_BPM, FASTEST_BPM = 1.0, 2000.0


def red_line(time: float, beat_length: float, meter: int = 4) -> TimingPoint:
    """A new red line: soft samples, volume 100, no kiai. Times in ms of the game clock."""
    return TimingPoint(time, beat_length, meter, sample_set=SOFT, sample_index=0, volume=100, uninherited=True)


def constant_timing(bpm: float, offset_ms: float, meter: int = 4) -> list[TimingPoint]:
    """One red line of `bpm` at `offset_ms` (game clock).

    Raises InputError for a tempo or offset that is no number or a tempo outside SLOWEST_BPM..FASTEST_BPM.
    """
    if not math.isfinite(bpm) or not SLOWEST_BPM <= bpm <= FASTEST_BPM:
        raise InputError(f"bpm={bpm:g} is no tempo; give a number from {SLOWEST_BPM:g} to {FASTEST_BPM:g}")
    if not math.isfinite(offset_ms):
        raise InputError(f"offset={offset_ms} is no time; give milliseconds of the first beat")
    return [red_line(float(offset_ms), 60000.0 / bpm, meter)]
