"""The red lines a map stands on: cleaned, on whole milliseconds, beginning before the first object.

Facts: spec of post-processing, "Warts" 11, 23 and 25; verify spec B011, B013, B014.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

from osuT5.beatmap.timing_lines import MAX_BEAT_LENGTH_MS, MIN_BEAT_LENGTH_MS
from osuT5.beatmap.types import TimingPoint
from osuT5.inference.postprocess.settings import MapSettings

_SEARCH_MEASURES = 8
FALLBACK_BEAT_MS = 500.0


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
        beat = 60000 / settings.bpm if settings.bpm > 0 else FALLBACK_BEAT_MS
        reds = [TimingPoint(round(settings.offset), beat)]
        warnings.append(f"No timing was given; a constant {60000 / beat:g} BPM from {reds[0].time} ms was used.")
    first = reds[0]
    if first_object_ms is not None and first_object_ms < first.time:
        measure = first.beat_length * first.meter
        least = math.ceil((first.time - first_object_ms) / measure)
        count = min(range(least, least + _SEARCH_MEASURES), key=lambda n: (_fraction(n * measure), n))
        reds[0] = replace(first, time=round(first.time - count * measure))
    return reds, warnings


def _fraction(length: float) -> float:
    """Distance to the next whole ms, in steps of 0.05 ms so that fewer measures win among equals."""
    return round(abs(length - round(length)) * 20)
