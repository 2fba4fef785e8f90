"""Mania scroll speeds as velocities.

Models that normalise by tempo mean "as fast as the usual tempo scrolls": the velocity is the speed times the beat
length in force over the usual beat length, and it is set again at every red line. Facts: spec of post-processing,
"mania scroll speed".
"""

from __future__ import annotations

from osuT5.inference.postprocess.drafts import Change
from osuT5.inference.postprocess.snap import Grid

MIN_SPEED, MAX_SPEED = 0.01, 10.0


def usual_beat_ms(grid: Grid, end_ms: float) -> float:
    """The beat length that lasts longest up to `end_ms`; the later one on ties, the first line's if none lasts."""
    lasting: dict[float, float] = {}
    following = end_ms
    for index in range(len(grid.reds) - 1, -1, -1):
        start, beat = grid.offsets[index] if index else min(0, grid.offsets[0]), grid.beats[index]
        if start < following:
            lasting[beat] = lasting.get(beat, 0.0) + following - start
            following = start
    return max(lasting, key=lambda beat: lasting[beat], default=grid.beats[0])


def mania_velocities(changes: list[Change], grid: Grid, end_ms: float, normalised: bool) -> dict[int, float]:
    """Velocity from a whole ms on. Without changes the speed is 1 throughout, so tempo changes do not scroll faster."""
    beat = usual_beat_ms(grid, end_ms)
    speeds = {change.time: change.value for change in sorted(changes, key=lambda c: c.time)}
    velocities: dict[int, float] = {}
    current = 1.0
    for time in sorted({*speeds, *(grid.offsets if normalised else ())}):
        current = speeds.get(time, current)
        scale = grid.beat_at(time) / beat if normalised else 1.0
        velocities[time] = min(max(current * scale, MIN_SPEED), MAX_SPEED)
    return velocities
