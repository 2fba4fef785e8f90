"""Rhythm against a human's: onsets of a map, and how many of them find a partner, one to one.

What counts as an onset follows the project's training metrics: circles, slider heads and hold heads are hit
(active); slider repeats and ends and spinner ends sound without being hit (passive).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from osuT5.beatmap import Beatmap, Slider, Spinner

TOLERANCE_MS = 25.0
CHORD_MS = 12.0  # onsets closer than this are one


@dataclass(frozen=True)
class Score:
    """Precision, recall and their harmonic mean, 0..1."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


def onsets(beatmap: Beatmap, with_ends: bool = False) -> np.ndarray:
    """Sorted ms at which something is hit; chords are one.

    Args:
        with_ends: slider repeats and ends and spinner ends too.
    """
    timing = beatmap.timing
    found: list[float] = []
    for item in beatmap.hit_objects:
        if not isinstance(item, Spinner):
            found.append(item.time)
        if not with_ends:
            continue
        if isinstance(item, Slider):
            span = beatmap.span_duration(item, timing)
            found += [item.time + span * turn for turn in range(1, item.slides + 1)]
        elif isinstance(item, Spinner):
            found.append(item.end)
    return without_chords(found)


def without_chords(times: Sequence[float]) -> np.ndarray:
    """Sorted times, each more than `CHORD_MS` after the one before."""
    kept: list[float] = []
    for time in sorted(times):
        if not kept or time - kept[-1] > CHORD_MS:
            kept.append(time)
    return np.asarray(kept, dtype=np.float64)


def matches(ours: np.ndarray, theirs: np.ndarray, tolerance_ms: float = TOLERANCE_MS) -> int:
    """The most pairs that can be made with no time used twice.

    Args:
        ours, theirs: sorted ms. The earliest possible partner is always the best one, which takes linear time.
    """
    i = j = pairs = 0
    a, b = ours.tolist(), theirs.tolist()
    while i < len(a) and j < len(b):
        apart = a[i] - b[j]
        if abs(apart) <= tolerance_ms:
            pairs, i, j = pairs + 1, i + 1, j + 1
        elif apart < 0:
            i += 1
        else:
            j += 1
    return pairs


def score(ours: np.ndarray, theirs: np.ndarray, tolerance_ms: float = TOLERANCE_MS) -> Score:
    """Ours against theirs, both sorted ms; 0 where one has nothing."""
    if not len(ours) or not len(theirs):
        return Score(0.0, 0.0)
    pairs = matches(ours, theirs, tolerance_ms)
    return Score(pairs / len(ours), pairs / len(theirs))


def nearest_in_density(count: int, counts: Sequence[int]) -> int:
    """Index of the count whose ratio to `count` is nearest to one."""
    return min(range(len(counts)), key=lambda i: abs(math.log(max(counts[i], 1) / max(count, 1))))
