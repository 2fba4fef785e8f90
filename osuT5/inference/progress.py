"""Progress as a stream of small typed events that console, web page and notebooks render each in their way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Stage:
    """A part of the work begins: "model", "audio", "timing", "kiai", "map", "sv", "verify", "write"."""

    name: str
    detail: str = ""


@dataclass(frozen=True)
class Window:
    """Window `done` of `total` of a stage is written; `objects` events stand so far up to `time_ms` of the song."""

    stage: str
    done: int
    total: int
    events: int
    time_ms: float


@dataclass(frozen=True)
class Notice:
    """Something the user should know: an option without effect, a fallback, a repair."""

    message: str


Progress = Stage | Window | Notice
OnProgress = Callable[[Progress], None]


def silent(_: Progress) -> None:
    """Renders nothing."""
