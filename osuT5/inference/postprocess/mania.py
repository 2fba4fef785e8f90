"""Mania columns, and how close notes of one may follow each other.

Facts: osu! file format v14; verify spec B002, B016.
"""

from __future__ import annotations

import math

COLUMN_Y = 192
MIN_GAP_MS = 30  # between the end of a hold and the next note of its column
MIN_HOLD_MS = 30


def column_of(x: float, keys: int) -> int:
    """Column of an x, clamped to 0..keys-1, as the game reads it."""
    return min(max(math.floor(x * keys / 512), 0), keys - 1)
