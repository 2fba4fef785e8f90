"""Event sequences as arrays of ids, so that cutting and tokenising a window is a few vector operations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from osuT5.events import EventSequence, EventType, Vocabulary


@dataclass(frozen=True)
class CompiledContext:
    """One context of one map, ready for any window.

    Attributes:
        ids: id of every event, 0 where the event is a time; shape (n,), int64.
        time_values: the absolute ms of time events, 0 elsewhere; shape (n,), float64.
        is_time: shape (n,), bool.
        times: time of every event in ms, shape (n,), float64.
        kiai, speeds: positions of such events and their values, shapes (k, 2).
    """

    ids: np.ndarray
    time_values: np.ndarray
    is_time: np.ndarray
    times: np.ndarray
    kiai: np.ndarray
    speeds: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)

    def window_ids(self, first: int, end: int, window_start_ms: float, vocabulary: Vocabulary) -> np.ndarray:
        """Ids of events [first, end) with times counted from the window's start in steps of 10 ms, clipped."""
        low = vocabulary.event_start[EventType.TIME_SHIFT]
        steps_range = vocabulary.ranges[EventType.TIME_SHIFT]
        steps = np.trunc((self.time_values[first:end] - window_start_ms) * 0.1)
        steps = steps.clip(steps_range.min_value, steps_range.max_value) - steps_range.min_value
        return np.where(self.is_time[first:end], low + steps.astype(np.int64), self.ids[first:end])

    def state_before(self, rows: np.ndarray, time_ms: float, default: int) -> int:
        """Value of the last kiai or speed event before a time; `rows` is `kiai` or `speeds`."""
        for index, value in rows[::-1]:
            if self.times[index] < time_ms:
                return int(value)
        return default


def compile_context(sequence: EventSequence, vocabulary: Vocabulary) -> CompiledContext:
    """Raises TokenError for an event that the vocabulary does not have."""
    is_time = np.array([e.type is EventType.TIME_SHIFT for e in sequence.events], dtype=bool)
    ids = np.array(
        [0 if t else vocabulary.encode(e) for e, t in zip(sequence.events, is_time, strict=True)], dtype=np.int64
    )
    values = np.array([float(e.value) if t else 0.0 for e, t in zip(sequence.events, is_time, strict=True)])

    def rows(kind: EventType) -> np.ndarray:
        found = [(i, e.value) for i, e in enumerate(sequence.events) if e.type is kind]
        return np.array(found, dtype=np.int64).reshape(-1, 2)

    return CompiledContext(
        ids,
        values,
        is_time,
        np.asarray(sequence.times, dtype=np.float64),
        rows(EventType.KIAI),
        rows(EventType.SCROLL_SPEED),
    )
