"""HP, CS, OD and AR for a star rating, where they were left open.

Straight lines between knots that satisfy the ranking guidelines on both sides of every difficulty level and lie
where human maps of that rating do.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

DEFAULT_STARS = 5.0
STD, TAIKO, CATCH, MANIA = range(4)

_STARS = (1.0, 2.0, 2.7, 4.0, 5.3, 6.5, 8.0)  # levels change at 2.0, 2.7, 4.0, 5.3 and 6.5


@dataclass(frozen=True)
class DifficultyValues:
    """Each 0..10, one decimal; `cs` of mania is its number of keys."""

    hp: float
    cs: float
    od: float
    ar: float


_KNOTS: dict[int, dict[str, tuple[float, ...]]] = {
    STD: {
        "hp": (1.5, 3.0, 4.2, 5.0, 5.2, 5.5, 6.0),
        "cs": (3.0, 3.3, 3.6, 4.0, 4.0, 4.0, 4.2),
        "od": (1.5, 3.0, 5.0, 7.0, 8.3, 9.0, 9.4),
        "ar": (3.0, 4.8, 6.0, 8.0, 9.2, 9.5, 9.7),
    },
    TAIKO: {
        "cs": (5.0,) * 7,
        "od": (3.0, 3.7, 4.5, 5.2, 5.8, 6.0, 6.5),
        "ar": (5.0,) * 7,
    },
    CATCH: {
        "hp": (2.2, 3.0, 4.0, 5.0, 6.0, 6.0, 6.0),
        "cs": (2.3, 2.5, 3.0, 3.5, 4.0, 4.2, 4.2),
        "od": (5.0, 6.0, 7.0, 8.0, 9.0, 9.3, 9.5),
        "ar": (5.0, 6.0, 7.0, 8.0, 9.0, 9.3, 9.5),
    },
    MANIA: {
        "hp": (6.0, 6.7, 7.0, 7.5, 8.0, 8.0, 8.5),
        "cs": (4.0,) * 7,
        "od": (6.0, 6.7, 7.0, 7.5, 8.0, 8.5, 9.0),
        "ar": (5.0,) * 7,
    },
}
# taiko drains by the length of the song: (up to ms, HP at the knots)
_TAIKO_HP = (
    (60_000.0, (9.0, 8.5, 7.5, 7.0, 6.5, 6.0, 6.0)),
    (225_000.0, (8.0, 7.5, 6.5, 5.7, 5.5, 5.0, 5.0)),
    (285_000.0, (7.0, 6.5, 5.5, 5.0, 5.0, 4.5, 4.5)),
    (float("inf"), (6.0, 5.5, 4.5, 4.0, 4.0, 4.0, 4.0)),
)


def difficulty_values(
    gamemode: int,
    stars: float | None = None,
    *,
    keycount: int = 4,
    song_length_ms: float | None = None,
    hp: float | None = None,
    cs: float | None = None,
    od: float | None = None,
    ar: float | None = None,
) -> DifficultyValues:
    """Difficulty values of a map: those that are given (clamped to 0..10), the others by star rating.

    Args:
        stars: None counts as 5.
        song_length_ms: taiko's HP depends on it; None counts as three minutes.
    """
    rating = DEFAULT_STARS if stars is None else stars
    knots = dict(_KNOTS[gamemode])
    if gamemode == TAIKO:
        length = 180_000.0 if song_length_ms is None else song_length_ms
        knots["hp"] = next(row for limit, row in _TAIKO_HP if length <= limit)
    given = {"hp": hp, "cs": cs, "od": od, "ar": ar}
    values = {}
    for name, value in given.items():
        value = _at(knots[name], rating) if value is None else min(max(float(value), 0.0), 10.0)
        values[name] = round(value, 1)
    if gamemode == MANIA:
        values["cs"] = float(keycount)
    return DifficultyValues(**values)


def _at(knots: tuple[float, ...], stars: float) -> float:
    """Linear between the knots, constant beyond them."""
    stars = min(max(stars, _STARS[0]), _STARS[-1])
    right = min(bisect_right(_STARS, stars), len(_STARS) - 1)
    low, high = _STARS[right - 1], _STARS[right]
    part = (stars - low) / (high - low)
    return knots[right - 1] + (knots[right] - knots[right - 1]) * part
