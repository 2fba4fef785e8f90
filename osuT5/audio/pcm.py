"""Sound as signed integers of a file's own width: whole, or as it is read.

Integers because the published models heard the integer arithmetic of their resampler.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

BLOCK_FRAMES = 1 << 17


@dataclass(frozen=True, eq=False)
class RawAudio:
    """A whole file as signed integers.

    Attributes:
        samples: shape (frames, channels); int8, int16 or int32 as `sample_width` says.
        sample_width: bytes a sample: 1, 2 or 4.
        sample_rate: frames a second.
        format: codec in lower case.
    """

    samples: np.ndarray
    sample_width: int
    sample_rate: int
    format: str = ""

    @property
    def channels(self) -> int:
        return self.samples.shape[1]

    def blocks(self) -> Iterator[np.ndarray]:
        """The samples in pieces, each of shape (frames, channels)."""
        for start in range(0, len(self.samples), BLOCK_FRAMES):
            yield self.samples[start : start + BLOCK_FRAMES]


@dataclass(frozen=True, eq=False)
class AudioStream:
    """A file while it is read; `blocks()` may be called once."""

    sample_rate: int
    channels: int
    sample_width: int
    format: str
    read: Callable[[], Iterator[np.ndarray]]

    def blocks(self) -> Iterator[np.ndarray]:
        """Signed integers, each block of shape (frames, channels). Raises AudioError for damaged or endless files."""
        return self.read()


def float_to_integers(values: np.ndarray, width: int) -> np.ndarray:
    """Samples in [-1, 1] to signed integers of 2 or 4 bytes: rounded half to even and clipped, NaN becomes 0."""
    limit = 1 << (8 * width - 1)
    scaled = np.rint(np.nan_to_num(values.astype(np.float64)) * limit)
    return np.clip(scaled, -limit, limit - 1).astype(f"int{8 * width}")
