"""Parts of a beatmap that hold NaN or infinity, which no file can: set aside before any rule computes with them."""

from __future__ import annotations

import math
from dataclasses import replace

from osuT5.beatmap.types import Beatmap, HitObject, Slider, TimingPoint
from osuT5.beatmap.verify.findings import FATAL, Finding


def finite_part(beatmap: Beatmap) -> tuple[Beatmap, list[Finding]]:
    """The beatmap without those parts, and a finding for each; the same object where there are none."""
    bad_points = {id(p) for p in beatmap.timing_points if not _is_finite(p)}
    bad_objects = {id(o) for o in beatmap.hit_objects if not _is_finite(o)}
    if not bad_points and not bad_objects:
        return beatmap, []
    findings = [_finding("A010", "timing line") for _ in bad_points] + [_finding("A012", "object") for _ in bad_objects]
    points = [p for p in beatmap.timing_points if id(p) not in bad_points]
    objects = [o for o in beatmap.hit_objects if id(o) not in bad_objects]
    return replace(beatmap, timing_points=points, hit_objects=objects), findings


def _is_finite(part: HitObject | TimingPoint) -> bool:
    if isinstance(part, TimingPoint):
        return math.isfinite(part.time) and math.isfinite(part.beat_length)
    numbers = (part.x, part.y, part.time, part.end_time)
    if isinstance(part, Slider):
        numbers = (*numbers, part.length, *(c for p in part.points for c in p))
    return all(map(math.isfinite, numbers))


def _finding(code: str, name: str) -> Finding:
    return Finding(code, FATAL, None, f"A {name} holds a number that is not finite; drop it", "dropped", fixable=True)
