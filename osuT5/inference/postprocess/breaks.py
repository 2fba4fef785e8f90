"""Break periods, and silence before the first object. Facts: verify spec B012 and §10 (preempt, breaks)."""

from __future__ import annotations

import math

from osuT5.inference.postprocess.build import Built

MIN_GAP_MS = 5000  # pauses from here on become breaks
AFTER_OBJECT_MS = 200
MIN_BREAK_MS = 650
_LEAD_STEP_MS = 100


def preempt_ms(ar: float) -> float:
    """How long before its time an object appears."""
    return 1800 - 120 * ar if ar <= 5 else 1200 - 150 * (ar - 5)


def find_breaks(built: list[Built], ar: float) -> list[tuple[int, int]]:
    """(start, end) in whole ms of every break, in order."""
    found = []
    end = built[0].end if built else 0.0
    for item in built[1:]:
        start = item.hit_object.time
        opens, closes = math.ceil(end) + AFTER_OBJECT_MS, math.floor(start - preempt_ms(ar))
        if start - end >= MIN_GAP_MS and closes - opens >= MIN_BREAK_MS:
            found.append((opens, closes))
        end = max(end, item.end)
    return found


def lead_in_ms(built: list[Built], ar: float) -> int:
    """Silence before the audio that lets the first object appear in time, in steps of 100 ms; 0 if it does anyway."""
    if not built:
        return 0
    missing = preempt_ms(ar) - built[0].hit_object.time
    return max(math.ceil(missing / _LEAD_STEP_MS) * _LEAD_STEP_MS, 0)
