"""Star rating by rosu-pp, the community's implementation of the game's own."""

from __future__ import annotations

import math

import rosu_pp_py

from osuT5.beatmap.types import Beatmap
from osuT5.beatmap.writer import write


def stars(beatmap: Beatmap, clock_rate: float = 1.0) -> float | None:
    """Star rating in the map's own mode at a playing speed.

    None where there is none: no objects, a map that rosu-pp calls suspicious (made to break calculators), or
    one that it cannot read. Raises ValueError for a clock rate outside 0.01..100.
    """
    if not 0.01 <= clock_rate <= 100:
        raise ValueError(f"clock rate {clock_rate} is outside 0.01..100")
    if not beatmap.hit_objects:
        return None
    try:
        rated = rosu_pp_py.Beatmap(content=write(beatmap))
        if rated.is_suspicious():
            return None
        value = rosu_pp_py.Difficulty(clock_rate=clock_rate).calculate(rated).stars
    except rosu_pp_py.ParseError:
        return None
    return value if math.isfinite(value) else None
