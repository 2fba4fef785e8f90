"""How much of a map lies on the true beat grid: quarters and thirds of a beat, within 10 ms."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from osuT5.beatmap import TimingLines

TOLERANCE_MS = 10.0
DIVISORS = (4, 3)
LARGEST_SHIFT_MS = 60
CHANCE_SAMPLES = 50_021


def distances(times: np.ndarray, timing: TimingLines, divisors: Sequence[int] = DIVISORS) -> np.ndarray:
    """Signed ms from the nearest line of the grid to each time; positive is late.

    Args:
        times: (n,) ms.
        divisors: the grid is the union of the n-ths of a beat.
    """
    times = np.asarray(times, dtype=np.float64)
    reds = timing.reds or [timing.red_at(0.0)]
    starts = np.array([red.time for red in reds])
    beats = np.array([red.beat_length for red in reds])
    at = np.maximum(np.searchsorted(starts, times, side="right") - 1, 0)
    since, beat = times - starts[at], beats[at]
    following = np.append(starts[1:], np.inf)[at]
    found = np.where(times < starts[at], np.inf, times - following)  # a section's start is a line for who comes early
    for divisor in divisors:
        part = beat / divisor
        distance = since - np.round(since / part) * part
        found = np.where(np.abs(distance) < np.abs(found), distance, found)
    return found


def share_on_grid(times: np.ndarray, timing: TimingLines, tolerance_ms: float = TOLERANCE_MS) -> float:
    """Share of times within the tolerance of the grid, 0..1; 0 for none."""
    return float(np.mean(np.abs(distances(times, timing)) <= tolerance_ms)) if len(times) else 0.0


def chance_level(timing: TimingLines, start_ms: float, end_ms: float, tolerance_ms: float = TOLERANCE_MS) -> float:
    """The share that times scattered evenly over a stretch reach without any ear for music."""
    return share_on_grid(np.linspace(start_ms, end_ms, CHANCE_SAMPLES), timing, tolerance_ms)


def best_shift(times: np.ndarray, timing: TimingLines, tolerance_ms: float = TOLERANCE_MS) -> tuple[int, float]:
    """(ms added to all times, share on the grid then) that gives the largest share; the smallest such shift.

    A song's sound need not follow its map by the usual lead; this tells a constant error from a wrong grid.
    """
    if not len(times):
        return 0, 0.0
    shifts = sorted(range(-LARGEST_SHIFT_MS, LARGEST_SHIFT_MS + 1), key=abs)
    shares = [share_on_grid(np.asarray(times) + shift, timing, tolerance_ms) for shift in shifts]
    best = int(np.argmax(shares))
    return shifts[best], shares[best]


def beats(timing: TimingLines, start_ms: float, end_ms: float, divisor: int = 1) -> np.ndarray:
    """Sorted ms of all beats (or n-ths of a beat) in start_ms..end_ms, both included."""
    found: list[np.ndarray] = []
    reds = timing.reds or [timing.red_at(0.0)]
    for number, red in enumerate(reds):
        part = red.beat_length / divisor
        low = start_ms if number == 0 else max(start_ms, red.time)
        # the last beat before a new section falls away where it would double that section's first
        high = min(end_ms, reds[number + 1].time - 1.0) if number + 1 < len(reds) else end_ms
        first, last = np.ceil((low - red.time) / part - 1e-9), np.floor((high - red.time) / part + 1e-9)
        if last >= first:
            found.append(red.time + np.arange(first, last + 1) * part)
    return np.concatenate(found) if found else np.zeros(0)
