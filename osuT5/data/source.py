"""What the training stream reads: units (a set, a song) that turn into windows.

A source is a table of units of which an epoch sees every one once, in an order drawn anew. What a unit becomes depends
on (epoch, unit) alone, so workers and ranks can share the units out as they like.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from osuT5.data.samples import Sample


@dataclass(frozen=True)
class Window:
    """One training example with its sound.

    Attributes:
        sound: mono samples at the model's rate, shape (window_samples,); int16 stands for sample * 32767.
    """

    sound: np.ndarray
    sample: Sample


class Source(Protocol):
    """Anything that windows come from. It is sent to worker processes, so it has to be picklable."""

    def __len__(self) -> int:
        """Units in an epoch."""
        ...

    def windows(self, epoch: int, unit: int) -> list[Window]:
        """All windows of a unit in that epoch, always the same; empty where it cannot be used (it is then logged)."""
        ...

    def scheme(self) -> dict[str, Any]:
        """What a resumed run must find unchanged, as plain JSON values: number of units, filters, files' identity."""
        ...


class NoUnits:
    """A source without any unit: the share that is held out of very few sets."""

    def __len__(self) -> int:
        return 0

    def windows(self, epoch: int, unit: int) -> list[Window]:
        return []

    def scheme(self) -> dict[str, Any]:
        return {"source": "none"}
