"""Event sequences as arrays of ids, so that cutting and tokenising a window is a few vector operations."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import repeat

import numpy as np

from osuT5.events import Event, EventSequence, EventType, Vocabulary

NO_ID = -1  # of a time, or of an event that the vocabulary lacks


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

    def window_ids(self, first: int, end: int, window_start_ms: float, vocabulary: Vocabulary) -> list[int]:
        """Ids of events [first, end) with times counted from the window's start in steps of 10 ms, clipped."""
        low = vocabulary.event_start[EventType.TIME_SHIFT]
        steps_range = vocabulary.ranges[EventType.TIME_SHIFT]
        steps = np.trunc((self.time_values[first:end] - window_start_ms) * 0.1)
        steps = steps.clip(steps_range.min_value, steps_range.max_value) - steps_range.min_value
        return np.where(self.is_time[first:end], low + steps.astype(np.int64), self.ids[first:end]).tolist()

    def state_before(self, rows: np.ndarray, time_ms: float, default: int) -> int:
        """Value of the last kiai or speed event before a time; `rows` is `kiai` or `speeds`."""
        earlier = np.flatnonzero(self.times[rows[:, 0]] < time_ms)
        return int(rows[earlier[-1], 1]) if len(earlier) else default


def compile_context(sequence: EventSequence, vocabulary: Vocabulary) -> CompiledContext:
    """Raises TokenError for an event that the vocabulary does not have."""
    events = sequence.events
    ids = np.fromiter(map(_ids_of(vocabulary).get, events, repeat(NO_ID)), dtype=np.int64, count=len(events))
    values = np.zeros(len(events))
    others = np.flatnonzero(ids == NO_ID)
    for index in others.tolist():
        kind, value = events[index]
        if kind is not EventType.TIME_SHIFT:
            vocabulary.encode(events[index])  # raises, naming the event
        values[index] = value
    is_time = np.zeros(len(events), dtype=bool)
    is_time[others] = True
    ids[others] = 0

    def rows(kind: EventType) -> np.ndarray:
        if not vocabulary.has(kind):
            return np.zeros((0, 2), dtype=np.int64)
        found = np.flatnonzero((ids >= vocabulary.event_start[kind]) & (ids < vocabulary.event_end[kind]))
        return np.stack([found, vocabulary.value_of_id[ids[found]]], axis=1)

    times = np.asarray(sequence.times, dtype=np.float64)
    return CompiledContext(ids, values, is_time, times, rows(EventType.KIAI), rows(EventType.SCROLL_SPEED))


@lru_cache(maxsize=16)
def _ids_of(vocabulary: Vocabulary) -> dict[Event, int]:
    """Id of every event but times, which depend on the window."""
    found = {}
    for kind, limits in vocabulary.ranges.items():
        if kind is not EventType.TIME_SHIFT:
            values = range(limits.min_value, limits.max_value + 1)
            found.update((Event(kind, value), vocabulary.event_start[kind] + i) for i, value in enumerate(values))
    return found
