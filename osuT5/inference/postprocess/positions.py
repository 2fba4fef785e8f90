"""Where objects sit: the position of a group, mania's columns, distances without a direction, near-perfect overlaps."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from osuT5.inference.postprocess.drafts import Anchor, Draft, Kind, Point

if TYPE_CHECKING:
    from osuT5.events import Group

PLAYFIELD = (512.0, 384.0)
CENTRE = (256.0, 192.0)
COLUMN_Y = 192  # of every mania note
STACK_PX = 3.8  # closer than this was meant to be the same place
STACK_MS = 1000
_DIRECTIONS = 72
_TURN = math.radians(30)  # a distance without direction goes on, turning gently


class Pen:
    """Follows the objects from position to position."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.x, self.y = CENTRE
        self.heading = 0.0

    def move(self, group: Group) -> Point:
        """The group's position in px; a free place at its distance, or the last position, where it has none."""
        if group.x is not None and group.y is not None:
            x, y = float(group.x), float(group.y)
        elif group.distance is not None:
            x, y = self._at_distance(float(group.distance))
        else:
            x, y = self.x, self.y
        if (x, y) != (self.x, self.y):
            self.heading = math.atan2(y - self.y, x - self.x)
        self.x, self.y = x, y
        return x, y

    def _at_distance(self, distance: float) -> Point:
        """The direction inside the playfield that turns least from a gentle curve; the far corner if there is none."""
        wanted = self.heading + _TURN
        best, best_turn = None, math.inf
        for i in range(_DIRECTIONS):
            turn = math.tau * i / _DIRECTIONS
            x, y = self.x + distance * math.cos(wanted + turn), self.y + distance * math.sin(wanted + turn)
            turn = min(turn, math.tau - turn)
            if turn < best_turn and 0 <= x <= PLAYFIELD[0] and 0 <= y <= PLAYFIELD[1]:
                best, best_turn = (x, y), turn
        if best is not None:
            return best
        return PLAYFIELD[0] if self.x < PLAYFIELD[0] / 2 else 0.0, PLAYFIELD[1] if self.y < PLAYFIELD[1] / 2 else 0.0


def column_of(x: float, keys: int) -> int:
    """Column of an x, clamped to 0..keys-1, as the game reads it."""
    return min(max(math.floor(x * keys / 512), 0), keys - 1)


class NearOverlaps:
    """Brings heads that almost share a place, within a second, onto one place; sliders move as a whole.

    Each object joins the place of the nearest earlier one, so chains of near overlaps become one stack whatever
    the order of the stream.
    """

    def __init__(self) -> None:
        self.recent: list[Draft] = []

    def join(self, draft: Draft) -> Draft:
        """The next draft in order of time, moved if it nearly overlaps one of the last second."""
        if draft.kind not in (Kind.CIRCLE, Kind.SLIDER):
            return draft
        self.recent = [other for other in self.recent if draft.time - other.time <= STACK_MS]
        near = min(self.recent, key=lambda other: _distance(other, draft), default=None)
        if near is not None and 0 < _distance(near, draft) < STACK_PX:
            draft = moved(draft, near.x - draft.x, near.y - draft.y)
        self.recent.append(draft)
        return draft


def moved(draft: Draft, dx: float, dy: float) -> Draft:
    """An object moved with its whole path."""
    end = draft.end_position
    return replace(
        draft, x=draft.x + dx, y=draft.y + dy,
        anchors=[Anchor(a.x + dx, a.y + dy, a.kind) for a in draft.anchors],
        end_position=None if end is None else (end[0] + dx, end[1] + dy),
    )


def with_head_inside(draft: Draft, bottom: float) -> Draft:
    """An object moved so that its head lies in the playfield; `bottom` is its lowest allowed y in px."""
    x = min(max(draft.x, 0.0), PLAYFIELD[0])
    y = min(max(draft.y, 0.0), bottom)
    return draft if (x, y) == (draft.x, draft.y) else moved(draft, x - draft.x, y - draft.y)


def _distance(a: Draft, b: Draft) -> float:
    return math.hypot(a.x - b.x, a.y - b.y)
