"""Which difficulty level a map is: E(asy) N(ormal) H(ard) I(nsane) X (expert) U(ltra).

From the difficulty's name, else from the star rating; taiko's "Oni" trusts the star rating when that says more.
Facts: Mapset Verifier's name table and star limits.
"""

from __future__ import annotations

import re

from osuT5.beatmap.types import Beatmap, GameMode

LEVELS = ("E", "N", "H", "I", "X", "U")
STAR_LIMITS = (2.0, 2.7, 4.0, 5.3, 6.5)

_NAMES = {
    GameMode.STD: {
        "E": "beginner,easy,novice",
        "N": "basic,normal,medium,intermediate",
        "H": "advanced,hard",
        "I": "hyper,insane",
        "X": "expert,extra,extreme",
    },
    GameMode.TAIKO: {
        "E": "kantan",
        "N": "futsuu",
        "H": "muzukashii",
        "I": "oni",
        "X": "inner oni,ura oni",
        "U": "hell oni",
    },
    GameMode.CATCH: {"E": "cup", "N": "salad", "H": "platter", "I": "rain", "X": "overdose,deluge"},
    GameMode.MANIA: {
        "E": "ez,beginner,beginning,basic,easy",
        "N": "nm,normal,novice",
        "H": "hd,hard,advanced,hyper",
        "I": "mx,sc,another,exhaust,insane,lunatic",
        "X": "shd,ex,black another,infinite,gravity,heavenly,maximum,extra,white another,vivid,exceed",
    },
}
LEVEL_OF_NAME = {
    mode: {name: level for level, names in table.items() for name in names.split(",")}
    for mode, table in _NAMES.items()
}
_OWNER = re.compile(r"^\S{1,40}s? ?'s? ")


def level_of_name(name: str, mode: GameMode) -> str | None:
    """The level that a difficulty's name means, None if it means none."""
    plain = _OWNER.sub("", name.lower()).replace("collab", "")
    plain = " ".join("".join(c for c in plain if c.isascii() and (c.isalnum() or c == " ")).split())
    return LEVEL_OF_NAME[mode].get(plain)


def level_of_stars(stars: float) -> str:
    return LEVELS[sum(stars >= limit for limit in STAR_LIMITS)]


def level_of(beatmap: Beatmap) -> str:
    """Level of a map; "I" where neither name nor star rating says."""
    from osuT5.beatmap.rating import stars  # needs a compiled library that plain checking does not

    named = level_of_name(beatmap.version, beatmap.mode)
    if named and not (beatmap.mode == GameMode.TAIKO and named == "I"):
        return named
    rating = stars(beatmap)
    by_stars = level_of_stars(rating) if rating is not None else None
    if named:
        return by_stars if by_stars in ("X", "U") else named
    return by_stars or "I"
