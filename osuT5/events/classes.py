"""From a real value to the class number that the prompt carries, and back.

Facts: input classes of the published models.
"""

from __future__ import annotations

from osuT5.errors import TokenError
from osuT5.events.layout import (
    COLUMNS,
    GLOBAL_SV_MAX,
    GLOBAL_SV_MIN,
    RATIO_STEPS,
    SONG_LENGTH_MAX,
    SONG_POSITION_STEPS,
    YEAR_MIN,
    YEAR_UNKNOWN,
)

CS_MAX = 10.0
RATIO_UNKNOWN = RATIO_STEPS + 2


def _clip(value: int, low: int, high: int) -> int:
    return min(max(value, low), high)


def difficulty_class(stars: float | None, num_classes: int, max_stars: float) -> int:
    """Star rating -> 0..num_classes-1; None -> num_classes (unknown)."""
    if stars is None:
        return num_classes
    return _clip(int(stars * num_classes / max_stars), 0, num_classes - 1)


def difficulty_of_class(index: int, num_classes: int, max_stars: float) -> float:
    """Lower edge of the class in stars; -1 for unknown."""
    return -1.0 if index >= num_classes else index * max_stars / num_classes


def circle_size_class(circle_size: float | None, num_classes: int) -> int:
    """Circle size 0..10 -> 0..num_classes-1; None -> num_classes (unknown)."""
    if circle_size is None:
        return num_classes
    return _clip(int(circle_size * (num_classes - 1) / CS_MAX), 0, num_classes - 1)


def year_class(year: int | None) -> int:
    """The year itself; None -> 2077 (unknown). Raises TokenError outside 2007..2077."""
    if year is None:
        return YEAR_UNKNOWN
    if not YEAR_MIN <= year <= YEAR_UNKNOWN:
        raise TokenError(f"year {year} is outside {YEAR_MIN}..{YEAR_UNKNOWN}; leave it out to let the model choose")
    return int(year)


def song_length_class(length_ms: float) -> int:
    """Length in steps of 10 s, at most 60."""
    return _clip(int(length_ms // 10000), 0, SONG_LENGTH_MAX)


def ratio_class(ratio: float, steps: int) -> int:
    """Exactly none -> -1, exactly all -> steps + 1, between them 0..steps."""
    if ratio <= 0:
        return -1
    if ratio >= 1:
        return steps + 1
    return _clip(round(ratio * steps), 0, steps)


def song_position_class(position: float) -> int:
    """Place in the song (0 start, 1 end) in steps of 1/100; at or before the start -1, at or after the end 101."""
    return ratio_class(position, SONG_POSITION_STEPS)


def optional_ratio_class(ratio: float | None) -> int:
    """Hold note and scroll speed ratio; None -> 12 (unknown)."""
    return RATIO_UNKNOWN if ratio is None else ratio_class(ratio, RATIO_STEPS)


def global_sv_class(slider_multiplier: float) -> int:
    return _clip(round(min(max(slider_multiplier, 0.4), 3.6) * 100), GLOBAL_SV_MIN, GLOBAL_SV_MAX)


def keycount_class(keycount: int) -> int:
    """Raises TokenError outside 1..18."""
    if not 1 <= keycount <= COLUMNS:
        raise TokenError(f"keycount {keycount} is outside 1..{COLUMNS}")
    return int(keycount)
