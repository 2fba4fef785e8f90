"""Objects on their way from events to the file: what the model said, with times that may still move.

A `Draft` is one hit object of any mode. Snapping sets its whole-millisecond times, `concurrency.py` shortens or
drops it, `hit_objects.py` turns it into the file's hit object.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum

from osuT5.events.types import EventType

Point = tuple[float, float]


class Kind(Enum):
    CIRCLE = "circle"
    SLIDER = "slider"
    SPINNER = "spinner"
    HOLD = "hold note"
    DRUMROLL = "drumroll"
    DENDEN = "denden"


@dataclass(frozen=True, slots=True)
class Moment:
    """A time in ms as generated, and the snap divisor that came with it (0 unsnapped, None not said)."""

    time: float
    divisor: int | None = None


@dataclass(frozen=True, slots=True)
class Sound:
    """Bits 2 whistle, 4 finish, 8 clap; sets 1 normal, 2 soft, 3 drum, 0 as the line says; volume percent or None."""

    bits: int = 0
    normal_set: int = 0
    addition_set: int = 0
    volume: int | None = None


@dataclass(frozen=True, slots=True)
class Anchor:
    """A control point of a slider; `kind` is one of the anchor event types."""

    x: float
    y: float
    kind: EventType


@dataclass(slots=True)
class Draft:
    """One object. `time` is whole ms, `end` and `span_ms` keep fractions of a ms once they are snapped."""

    kind: Kind
    start: Moment
    x: float = 256.0
    y: float = 192.0
    new_combo: bool = False
    velocity: float | None = None
    sounds: list[Sound] = field(default_factory=list)  # circle, spinner, hold: one; slider: head, repeats, tail
    body: Sound | None = None
    # long objects
    finish: Moment | None = None
    first_span: Moment | None = None  # when the ball first reaches the end of the path
    anchors: list[Anchor] = field(default_factory=list)
    end_position: Point | None = None
    # after snapping
    time: int = 0
    end: float = 0.0
    slides: int = 1
    moved_ms: float = 0.0

    @property
    def sound(self) -> Sound:
        return self.sounds[0] if self.sounds else Sound()

    @property
    def span_ms(self) -> float:
        """Duration of one slide."""
        return (self.end - self.time) / self.slides

    @property
    def is_long(self) -> bool:
        return self.kind is not Kind.CIRCLE

    def copy(self) -> Draft:
        """A draft of its own; what the two share cannot change."""
        return replace(self, sounds=list(self.sounds), anchors=list(self.anchors))

    def become_circle(self) -> None:
        """Drops everything after the head."""
        self.kind = Kind.CIRCLE
        self.end = float(self.time)
        self.slides = 1
        self.sounds = self.sounds[:1]
        self.body = None
        self.anchors = []


@dataclass(slots=True)
class Change:
    """A state that begins at a moment: kiai (0 or 1) or a scroll speed."""

    start: Moment
    value: float
    time: int = 0
