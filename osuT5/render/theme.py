"""Colours of the pictures: dark, and the game's own where it has some."""

from __future__ import annotations

from osuT5.beatmap import Beatmap
from osuT5.render.canvas import Colour, mix

BACKGROUND: Colour = (17, 19, 25)
PANEL: Colour = (26, 29, 38)
LINE: Colour = (52, 58, 74)
BEAT: Colour = (84, 92, 116)
MEASURE: Colour = (160, 170, 200)
TEXT: Colour = (226, 230, 240)
DIM: Colour = (134, 142, 162)
KIAI: Colour = (255, 150, 70)
ACCENT: Colour = (102, 204, 255)
WHITE: Colour = (250, 250, 252)
WARN: Colour = (255, 92, 110)

# the game's default combo colours
COMBO: tuple[Colour, ...] = ((255, 192, 0), (0, 202, 0), (18, 124, 255), (242, 24, 57))
DON: Colour = (235, 69, 44)
KAT: Colour = (68, 141, 171)
ROLL: Colour = (252, 183, 30)
SPINNER: Colour = (176, 132, 240)
FRUITS: tuple[Colour, ...] = ((250, 96, 96), (255, 178, 66), (120, 214, 96), (88, 164, 255))
BANANA: Colour = (255, 225, 80)
# mania columns from the middle outward
MIDDLE_COLUMN: Colour = (255, 205, 84)
COLUMNS: tuple[Colour, Colour] = ((236, 238, 244), (96, 168, 255))


def combo_colours(beatmap: Beatmap) -> tuple[Colour, ...]:
    """`Combo1`, `Combo2`, … of the map, lightened where they would drown in the background; the game's without them."""
    found: list[tuple[int, Colour]] = []
    for key, text in beatmap.colours.values.items():
        fields = text.split(",")
        if not (key.startswith("Combo") and key[5:].isdigit() and len(fields) >= 3):
            continue
        try:
            r, g, b = (min(max(int(f), 0), 255) for f in fields[:3])
        except ValueError:
            continue
        colour = (r, g, b)
        found.append((int(key[5:]), colour if max(colour) > 90 else mix(colour, WHITE, 0.4)))
    return tuple(colour for _, colour in sorted(found)) or COMBO


def column_colour(column: int, columns: int) -> Colour:
    """White and blue by turns, gold in the middle of an odd number of columns."""
    if columns % 2 and column == columns // 2:
        return MIDDLE_COLUMN
    mirrored = min(column, columns - 1 - column)
    return COLUMNS[mirrored % 2]
