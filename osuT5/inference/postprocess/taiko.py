"""Taiko's drumrolls: sliders that run to and fro over the playfield for as long as their time needs.

Facts: spec of post-processing, "per type"; golden `drumroll_control_points`.
"""

from __future__ import annotations

import math

DRUMROLL_HEAD = (0, 192)
_WIDTH = 512


def drumroll_points(length: float) -> list[tuple[int, int]]:
    """Control points, head first, of a line of at least `length` px."""
    turns = math.ceil(length / _WIDTH)
    return [DRUMROLL_HEAD] + [(_WIDTH if i % 2 == 0 else 0, DRUMROLL_HEAD[1]) for i in range(turns)]
