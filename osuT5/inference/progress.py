"""Progress as a stream of small typed events that console, web page and notebooks render each in their way."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from osuT5.errors import Cancelled
from osuT5.inference.postprocess.drafts import Draft

T = TypeVar("T")


@dataclass(frozen=True)
class Stage:
    """A part of the work begins: "model", "audio", "timing", "verify", "write"."""

    name: str
    detail: str = ""


@dataclass(frozen=True)
class Window:
    """Window `done` of `total` of a stage is written; `events` stand so far up to `time_ms` of the song."""

    stage: str
    done: int
    total: int
    events: int
    time_ms: float
    track: int = 0


@dataclass(frozen=True)
class Objects:
    """Objects of a track that no later window can change, in order of time; their sum is what is placed in the end.

    Verification may still move or drop some, and a refiner may move their positions. With `replaces` they are all
    objects so far and what was said before is void (a model that wrote times in disorder).
    """

    objects: tuple[Draft, ...]
    track: int = 0
    replaces: bool = False


@dataclass(frozen=True)
class Notice:
    """Something the user should know: an option without effect, a fallback, a repair."""

    message: str


@dataclass(frozen=True)
class Restart:
    """A track's map did not pass verification and is written anew: what `Objects` said of it is void."""

    attempt: int
    track: int = 0


Progress = Stage | Window | Objects | Notice | Restart
OnProgress = Callable[[Progress], None]


def silent(_: Progress) -> None:
    """Renders nothing."""


class CancelToken:
    """Ends a generation from another thread, or from `on_progress`: within one decoder step, leaving no files."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def cancel(self) -> None:
        self._event.set()

    @property
    def is_cancelled(self) -> bool:
        return self._event.is_set()

    def check(self) -> None:
        """Raises Cancelled once `cancel` has been called."""
        if self.is_cancelled:
            raise Cancelled("cancelled")

    def watch(self, items: Iterable[T]) -> Iterator[T]:
        """The same items, with a check before each."""
        for item in items:
            self.check()
            yield item
