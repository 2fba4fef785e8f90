"""Combo colours: the game's own four, numbered from 1 as the format wants. Facts: verify spec §2, C013."""

from __future__ import annotations

COMBO_COLOURS = ((255, 192, 0), (0, 202, 0), (18, 124, 255), (242, 24, 57))


def colour_lines() -> dict[str, str]:
    """Keys and values of [Colours]."""
    return {f"Combo{i}": ",".join(map(str, rgb)) for i, rgb in enumerate(COMBO_COLOURS, start=1)}
