"""Timing taken from a map that exists: the red lines of a `.osu`. Game clock."""

from __future__ import annotations

from dataclasses import replace
from os import PathLike

from osuT5.beatmap import Beatmap, TimingPoint, read
from osuT5.errors import InputError


def timing_of(beatmap: Beatmap) -> list[TimingPoint]:
    """Copies of a map's usable red lines, sorted, as they are: volume, samples and kiai stay."""
    usable = (p for p in beatmap.timing_points if p.uninherited and 0 < p.beat_length < float("inf"))
    return [replace(point) for point in sorted(usable, key=lambda p: p.time)]


def file_timing(path: str | PathLike[str]) -> list[TimingPoint]:
    """The red lines of the `.osu` at `path`.

    Raises BeatmapError when it is no beatmap, InputError when it has no red line.
    """
    points = timing_of(read(path))
    if not points:
        raise InputError(f"{path}: the map has no red timing line; give bpm and offset, or use timing=grid")
    return points
