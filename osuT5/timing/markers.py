"""Beat markers: what a model (or a tapping human) says about beats, before anything is fitted.

A marker has a time, a kind and a weight. Times are on whichever clock the events are on (the game clock for events);
fitting does not care.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from osuT5.events.types import EventSequence, EventType

BEAT_TYPES = (EventType.BEAT, EventType.MEASURE, EventType.TIMING_POINT)
MERGE_MS = 30.0  # two beats are never closer: 400 BPM has 150 ms, its quarters 37 ms
FASTEST_BPM = 400.0
NEIGHBOURS = 9  # gaps that say what a beat is
BREAK = 0.2  # beats that a gap may miss a whole number by
MISSING_COST = 0.1  # beats; one beat is likelier than two with one missing
SPURIOUS_SHARE = 0.35  # of the local vote: fewer passes than this saw the marker


@dataclass(frozen=True)
class Marker:
    """One beat event. `weight` > 0: a probability or a number of votes."""

    time: float
    kind: EventType = EventType.BEAT
    weight: float = 1.0


@dataclass(frozen=True)
class Beats:
    """Markers as arrays, sorted, merged and counted.

    Attributes:
        time: (n,) ms.
        weight: (n,) total weight.
        measure: (n,) share 0..1 of the weight that says downbeat (MEASURE or TIMING_POINT).
        change: (n,) share 0..1 that says TIMING_POINT.
        count: (n,) beats since the first marker, estimated from the gaps; missing beats are counted.
        breaks: indices i where the gap before marker i is no whole number of beats.
    """

    time: np.ndarray
    weight: np.ndarray
    measure: np.ndarray
    change: np.ndarray
    count: np.ndarray
    breaks: tuple[int, ...]


def markers_from_events(sequence: EventSequence, types_first: bool) -> list[Marker]:
    """Markers of all beat, measure and timing-point events that have a time of their own.

    Args:
        sequence: events with absolute times; other events are skipped.
        types_first: the time shift of an event follows it (true) or precedes it (false), as the profile says.
    """
    step = 1 if types_first else -1
    markers = []
    for index, event in enumerate(sequence.events):
        neighbour = index + step
        if event.type not in BEAT_TYPES or not 0 <= neighbour < len(sequence.events):
            continue
        if sequence.events[neighbour].type is EventType.TIME_SHIFT:
            markers.append(Marker(float(sequence.times[neighbour]), event.type))
    return markers


def markers_from_passes(passes: Iterable[tuple[Sequence[Marker], float]], end_ms: float) -> list[Marker]:
    """All votes of several decodings of one song whose audio was shifted (super timing), as one list.

    Args:
        passes: (markers, shift) pairs; a marker's time in the song is its time minus the shift in ms.
        end_ms: markers outside 0..end_ms are left out.
    """
    moved = (Marker(m.time - shift, m.kind, m.weight) for markers, shift in passes for m in markers)
    return sorted((m for m in moved if 0 <= m.time < end_ms), key=lambda m: m.time)


def clean(markers: Sequence[Marker]) -> Beats:
    """Merge markers that mean the same beat, drop what stands between beats, count the beats. Needs one marker."""
    merged = _merged(sorted(markers, key=lambda m: m.time))
    merged = _without_rare(merged)
    merged = _without_spurious(_at_most(merged, FASTEST_BPM))
    time, weight, measure, change = merged
    return Beats(time, weight, measure, change, *_counted(beat_ratios(time)))


def recount(beats: Beats, periods: Sequence[float]) -> Beats:
    """Count again when it is known which tempos follow each other: every gap in the tempo it belongs to.

    Args:
        periods: ms per beat of the song's main sections, in their order.
    """
    gaps = np.diff(beats.time)
    ratios = gaps / np.asarray(periods)[:, None]  # (sections, gaps)
    steps = np.maximum(1, np.round(ratios))
    cost = np.minimum(np.abs(ratios - steps), 0.5) + MISSING_COST * (steps - 1)
    # Cheapest way from the first section to the last: section s from gap i on.
    total = np.cumsum(cost, axis=1)
    best, came = total[0].copy(), []
    for section in range(1, len(periods)):
        before = np.concatenate([[0.0], best[:-1]]) - np.concatenate([[0.0], total[section][:-1]])
        start = np.maximum.accumulate(np.where(before <= np.minimum.accumulate(before), np.arange(len(gaps)), 0))
        came.append(start)
        best = before[start] + total[section]
    owner, end = np.zeros(len(gaps), dtype=int), len(gaps) - 1
    for section in range(len(periods) - 1, 0, -1):
        start = int(came[section - 1][end])
        owner[start : end + 1] = section
        end = start - 1
        if end < 0:
            break
    chosen = ratios[owner, np.arange(len(gaps))]
    count, breaks = _counted(chosen)
    return replace(beats, count=count, breaks=breaks)


def _counted(ratio: np.ndarray) -> tuple[np.ndarray, tuple[int, ...]]:
    """(count, breaks) of gaps measured in beats."""
    steps = np.maximum(1, np.round(ratio))
    count = np.concatenate([[0.0], np.cumsum(steps)])
    return count, tuple(int(i) + 1 for i in np.flatnonzero(np.abs(ratio - steps) > BREAK))


def local_period(time: np.ndarray) -> np.ndarray:
    """(n - 1,) ms: what a beat is around each gap, the median of the gaps near it."""
    gaps = np.diff(time)
    if len(gaps) <= NEIGHBOURS:
        return np.full(len(gaps), np.median(gaps) if len(gaps) else 0.0)
    windows = np.lib.stride_tricks.sliding_window_view(gaps, NEIGHBOURS)
    medians = np.median(windows, axis=1)
    side = NEIGHBOURS // 2
    return np.concatenate([np.full(side, medians[0]), medians, np.full(side, medians[-1])])


def beat_ratios(time: np.ndarray) -> np.ndarray:
    """(n - 1,) each gap in beats. A beat is what the gaps up to it, from it on, or around it say: whichever makes the
    gap most nearly one beat or few, so that gaps beside a tempo change are counted in their own tempo."""
    gaps = np.diff(time)
    side = NEIGHBOURS
    if len(gaps) <= side:
        return gaps / np.median(gaps) if len(gaps) else gaps
    runs = np.median(np.lib.stride_tricks.sliding_window_view(gaps, side), axis=1)
    onward = np.concatenate([runs, np.full(side - 1, runs[-1])])
    sofar = np.concatenate([np.full(side - 1, runs[0]), runs])
    ratios = gaps / np.stack([local_period(time), sofar, onward])
    steps = np.maximum(1, np.round(ratios))
    odd = np.abs(ratios - steps) + MISSING_COST * (steps - 1)
    return ratios[odd.argmin(axis=0), np.arange(len(gaps))]


Merged = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def _merged(markers: Sequence[Marker]) -> Merged:
    groups: list[list[Marker]] = []
    for marker in markers:
        if groups and marker.time - groups[-1][-1].time < MERGE_MS and marker.time - groups[-1][0].time < 2 * MERGE_MS:
            groups[-1].append(marker)
        else:
            groups.append([marker])
    time, weight, measure, change = [], [], [], []
    for group in groups:
        total = sum(m.weight for m in group)
        time.append(sum(m.time * m.weight for m in group) / total)
        weight.append(total)
        down = sum(m.weight for m in group if m.kind is not EventType.BEAT)
        measure.append(down / total)
        change.append(sum(m.weight for m in group if m.kind is EventType.TIMING_POINT) / total)
    return np.array(time), np.array(weight), np.array(measure), np.array(change)


def _at_most(merged: Merged, bpm: float) -> Merged:
    """Every second marker, and again, while the beats are faster than any music."""
    while len(merged[0]) > 2 and np.median(np.diff(merged[0])) < 60000.0 / bpm:
        keep = np.arange(len(merged[0])) % 2 == int(np.argmax(merged[2])) % 2
        merged = _kept(merged, keep)
    return merged


def _without_rare(merged: Merged) -> Merged:
    """Drop markers that few of several passes saw."""
    weight = merged[1]
    if len(weight) < NEIGHBOURS:
        return merged
    padded = np.pad(weight, NEIGHBOURS // 2, mode="reflect")
    usual = np.median(np.lib.stride_tricks.sliding_window_view(padded, NEIGHBOURS), axis=1)
    return _kept(merged, weight >= SPURIOUS_SHARE * usual)


def _without_spurious(merged: Merged) -> Merged:
    """Drop single markers between two beats: both their gaps are short and together make one."""
    time = merged[0]
    if len(time) < NEIGHBOURS:
        return merged
    period = local_period(time)
    keep = np.ones(len(time), dtype=bool)
    last = 0
    for i in range(1, len(time) - 1):
        before, after = (time[i] - time[last]) / period[i - 1], (time[i + 1] - time[i]) / period[i - 1]
        if before < 0.8 and after < 0.8 and abs(before + after - 1.0) < 0.15:
            keep[i] = False
        else:
            last = i
    return _kept(merged, keep)


def _kept(merged: Merged, keep: np.ndarray) -> Merged:
    return merged[0][keep], merged[1][keep], merged[2][keep], merged[3][keep]
