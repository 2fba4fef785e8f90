"""Where breaks may lie: between two objects, 200 ms after the one and the approach time before the other.

Facts: Mapset Verifier's limits; only gaps of 5 s and more are worth a break (ours).
"""

from __future__ import annotations

import math
from itertools import accumulate

from osuT5.beatmap.types import Beatmap
from osuT5.beatmap.verify.draft import copied
from osuT5.beatmap.verify.facts import Facts
from osuT5.beatmap.verify.limits import BREAK_AFTER_MS, BREAK_MIN_MS, BREAK_WORTHWHILE_GAP_MS

BREAK_KINDS = ("2", "Break")


def is_break_line(line: str) -> bool:
    return line.partition(",")[0].strip() in BREAK_KINDS


def legal_break(ended: float, begins: float, preempt_ms: float) -> tuple[int, int] | None:
    """The longest break between the end of one object and the start of the next (ms); None if there is no room."""
    start, end = math.ceil(ended + BREAK_AFTER_MS), math.floor(begins - preempt_ms)
    return (start, end) if end - start >= BREAK_MIN_MS else None


def with_breaks(beatmap: Beatmap) -> Beatmap:
    """A copy whose breaks are computed anew from its objects: one in every gap of 5 s or more that can hold it."""
    facts = Facts(beatmap)
    lines = []
    for ended, begins in zip(accumulate(facts.ends[:-1], max), facts.starts[1:], strict=True):
        span = legal_break(ended, begins, facts.preempt) if begins - ended >= BREAK_WORTHWHILE_GAP_MS else None
        if span:
            lines.append(f"2,{span[0]},{span[1]}")
    mended = copied(beatmap)
    others = [line for line in beatmap.events if not is_break_line(line)]
    heading = next((i + 1 for i, line in enumerate(others) if line.startswith("//Break")), len(others))
    mended.events = others[:heading] + lines + others[heading:]
    return mended
