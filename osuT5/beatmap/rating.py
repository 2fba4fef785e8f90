"""Star rating by rosu-pp, the community's implementation of the game's own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

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
    rated = rate(write(beatmap), (clock_rate,))
    return None if rated is None else rated.stars[0]


class Rated(NamedTuple):
    """Star ratings at the clock rates asked for, and the greatest combo."""

    stars: tuple[float, ...]
    max_combo: int


def rate(text: str, clock_rates: Sequence[float]) -> Rated | None:
    """The text of a .osu file with objects, rated at several playing speeds; None as `stars`."""
    try:
        rated = rosu_pp_py.Beatmap(content=text)
        if rated.is_suspicious():
            return None
        found = [rosu_pp_py.Difficulty(clock_rate=clock_rate).calculate(rated) for clock_rate in clock_rates]
    except rosu_pp_py.ParseError:
        return None
    values = tuple(attributes.stars for attributes in found)
    return Rated(values, found[0].max_combo) if all(map(math.isfinite, values)) else None
