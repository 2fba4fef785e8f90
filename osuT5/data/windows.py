"""Where training windows lie in a song, and which events fall into them.

A song of n samples has n // hop + 1 frames; frame k starts at k * hop / rate. Windows are counted in frames.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

OFFSET_LIMIT = 2000  # frames: a random first offset is never larger


@dataclass(frozen=True)
class FrameGrid:
    """Frames of one song."""

    n_frames: int
    hop_length: int
    sample_rate: int

    @classmethod
    def of(cls, n_samples: int, hop_length: int, sample_rate: int) -> FrameGrid:
        return cls(n_samples // hop_length + 1, hop_length, sample_rate)

    def time_ms(self, frame: int) -> float:
        return frame * self.hop_length * 1000 / self.sample_rate

    def first_events(self, times_ms: np.ndarray) -> np.ndarray:
        """Per frame, the index of the first event that does not lie before it; shape (n_frames,)."""
        ordered = np.maximum.accumulate(times_ms) if len(times_ms) else times_ms
        starts = np.arange(self.n_frames) * (self.hop_length * 1000 / self.sample_rate)
        return np.searchsorted(ordered, starts, side="left")


@dataclass(frozen=True)
class TrainingWindow:
    """Frames [start, end) are heard; events of [start, label_end) are written, labelled from `label_start` on."""

    start: int
    end: int
    label_start: int
    label_end: int


def training_windows(
    n_frames: int, window_frames: int, *, offset: int = 0, lookback: float = 0.0, lookahead: float = 0.0
) -> list[TrainingWindow]:
    """Windows of one map in one epoch.

    Args:
        window_frames: src_seq_len - 1.
        offset: first frame of the first window.
        lookback, lookahead: shares of a window whose events are context only, or not written.
    """
    skip = round(lookback * window_frames)
    write = round((1 - lookahead) * window_frames)
    return [
        TrainingWindow(
            start,
            min(start + window_frames, n_frames),
            min(start + skip, n_frames - 1),
            min(start + write, n_frames),
        )
        for start in range(offset, n_frames - skip, window_frames)
    ]


def slice_bounds(first_events: np.ndarray, start: int, end: int) -> tuple[int, int]:
    """Indices of the events of frames [start, end). Events at or after the last frame's start belong to no window."""
    last = len(first_events) - 1
    return int(first_events[start]), int(first_events[min(end, last)])


def cut_sound(samples: np.ndarray, start_frame: int, hop: int, window_samples: int) -> np.ndarray:
    """Sound of the window that begins at a frame, zeros past the song; shape (window_samples,), type as `samples`."""
    heard = samples[start_frame * hop : start_frame * hop + window_samples]
    if len(heard) == window_samples:
        return heard.copy()  # a view would keep the whole song
    out = np.zeros(window_samples, dtype=samples.dtype)
    out[: len(heard)] = heard
    return out


def window_sound(samples: np.ndarray, start_frame: int, hop: int, window_samples: int) -> np.ndarray:
    """The same as int16 (sample * 32767), as windows are handed around."""
    heard = cut_sound(samples, start_frame, hop, window_samples)
    return np.clip(heard * 32767, -32768, 32767).astype(np.int16)
