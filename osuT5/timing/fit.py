"""From beats to red lines: the robust timing fitter.

Beats written by a model lie on a 10 ms grid, jitter, are missing or doubled. Straight lines are fitted through all of
them at once, so that offset and tempo are far more exact than any single beat. Game clock in, game clock out.
Facts: the sketch of the robust timing fitter and its acceptance, `tests/golden/postprocess/timing_fit.json` (`truth`).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from osuT5.beatmap.types import TimingPoint
from osuT5.events.types import EventSequence
from osuT5.timing.constant import constant_timing, red_line
from osuT5.timing.lines import Line, noise_ms, partition
from osuT5.timing.markers import Beats, Marker, clean, markers_from_events, recount
from osuT5.timing.meter import downbeats

log = logging.getLogger(__name__)

SLOWEST_BPM = 30.0
ROUNDINGS = (1, 2, 10, 100, 1000)
ROUNDING_ERRORS = 2.5  # standard errors of the period
ROUNDING_DRIFT_MS = 6.0  # over the whole section
SAME_PLACE_MS = 12.0
MAIN_MARKERS = 8  # a section of so many beats is sure to be one
SIGMA_ERROR_MS = 1.0  # no model's beats are better than this, whatever their scatter


@dataclass
class Section:
    """A stretch of one tempo: beat number `beat` (of the song) is at `time`."""

    beat: float
    time: float
    period: float
    scatter: float
    size: int
    last_beat: float

    def at(self, beat: float) -> float:
        return self.time + (beat - self.beat) * self.period


def fit_timing(
    beats: Sequence[Marker] | EventSequence,
    types_first: bool = True,
    start_ms: float | None = None,
    fallback: Sequence[TimingPoint] = (),
) -> list[TimingPoint]:
    """Red lines through beat events, one per tempo or meter; never empty.

    Args:
        beats: markers, or events that contain beat, measure and timing-point events.
        types_first: for events: the time shift follows (true) or precedes the event.
        start_ms: the first line is moved back by whole measures to this time or before it (the first object's).
        fallback: lines to use when there are no beats; without it 120 BPM from 0, with a warning.
    """
    markers = markers_from_events(beats, types_first) if isinstance(beats, EventSequence) else list(beats)
    if not markers:
        if fallback:
            return list(fallback)
        log.warning("no beats to fit a timing to; using 120 BPM from 0 ms")
        return constant_timing(120.0, 0.0)
    cleaned = _counted_twice(clean(markers))
    sections = _sections(cleaned, fallback)
    points = _points(cleaned, sections)
    for point in points:
        halvings = max(0, int(np.ceil(np.log2(point.beat_length * SLOWEST_BPM / 60000.0))))
        point.beat_length = float(point.beat_length) / 2**halvings
    if start_ms is not None:
        first = points[0]
        measure_ms = first.beat_length * first.meter
        first.time -= max(0.0, np.ceil((first.time - start_ms) / measure_ms)) * measure_ms
    return [_rounded(point) for point in points]


def round_period(period: float, error: float, beats: float) -> float:
    """The roundest tempo's ms per beat that the section cannot tell from `period`; else `period` itself."""
    for parts in ROUNDINGS:
        bpm = round(60000.0 / period * parts) / parts
        if bpm <= 0:
            continue
        moved = abs(60000.0 / bpm - period)
        if moved <= ROUNDING_ERRORS * error and moved * beats <= ROUNDING_DRIFT_MS:
            return 60000.0 / bpm
    return period


def _rounded(point: TimingPoint) -> TimingPoint:
    point.time = float(np.floor(point.time + 0.5))
    return point


def _sections(beats: Beats, fallback: Sequence[TimingPoint]) -> list[Section]:
    """Tempo sections of a whole song in order, beat numbers running on."""
    if len(beats.time) == 1:
        period = fallback[0].beat_length if fallback else 500.0
        return [Section(0.0, float(beats.time[0]), period, 0.0, 1, 0.0)]
    sections, sigma = _fitted(beats)
    return _joined(_without_repeats(sections, sigma), sigma)


def _counted_twice(beats: Beats) -> Beats:
    """Beats whose counts were checked against the tempos that a first fit found."""
    if len(beats.time) < MAIN_MARKERS:
        return beats
    periods = [s.period for s in _fitted(beats)[0] if s.size >= MAIN_MARKERS]
    return recount(beats, periods) if len(periods) > 1 else beats


def _fitted(beats: Beats) -> tuple[list[Section], float]:
    """Sections between the breaks and the tempo changes, and the noise in ms."""
    sigma = noise_ms(beats.time, beats.count)
    edges = [0, *beats.breaks, len(beats.time)]
    found: list[Section] = []
    for a, b in zip(edges[:-1], edges[1:], strict=True):
        if b - a < 2:
            continue
        part = slice(a, b)
        lines = partition(
            beats.time[part], beats.count[part], beats.weight[part], beats.measure[part], beats.change[part], sigma
        )
        found += [_section(beats, line, a, sigma) for line in lines]
    if not found:  # every gap is a break: take them all as beats of the median gap
        period = float(np.median(np.diff(beats.time)))
        found = [Section(0.0, float(beats.time[0]), period, 0.0, len(beats.time), float(beats.count[-1]))]
    return found, sigma


def _section(beats: Beats, line: Line, start: int, sigma: float) -> Section:
    """A line with its tempo rounded and its offset refitted: the mean of the central half of the residuals."""
    part = slice(start + line.first, start + line.last + 1)
    time, count, weight = beats.time[part], beats.count[part], beats.weight[part]
    extent = float(count[-1] - count[0])
    error = max(line.error, 1e-6, SIGMA_ERROR_MS * np.sqrt(12.0 / (len(time) * (extent + 1) ** 2)))
    period = round_period(line.period, error, extent)
    rest = time - period * count
    order = np.argsort(rest)
    quarter = len(rest) // 4
    central = order[quarter : len(rest) - quarter]
    offset = float(np.average(rest[central], weights=weight[central]))
    beat = float(count[0])
    return Section(beat, offset + period * beat, period, max(line.scatter, 1.0), len(time), float(count[-1]))


def _without_repeats(sections: list[Section], sigma: float) -> list[Section]:
    """Merge neighbours that are one grid interrupted by a break or a slip of the beat count."""
    kept = [sections[0]]
    for section in sections[1:]:
        last = kept[-1]
        steps = (section.time - last.time) / last.period
        distance = abs(steps - round(steps)) * last.period
        same_tempo = abs(section.period - last.period) * max(section.size, 1) <= 2 * sigma
        if same_tempo and distance <= max(SAME_PLACE_MS, 2 * sigma) or section.size < 3:
            continue
        kept.append(section)
    return kept


def _joined(sections: list[Section], sigma: float) -> list[Section]:
    """Where one section's end and the next one's start agree within the noise, make them agree exactly."""
    for last, section in zip(sections[:-1], sections[1:], strict=True):
        gap = last.at(section.beat) - section.time
        if abs(gap) <= 2 * sigma / np.sqrt(min(last.size, section.size)):
            section.time += gap / 2 if section.size > last.size else gap
    return sections


def _points(beats: Beats, sections: list[Section]) -> list[TimingPoint]:
    """One red line per section and per change of meter or downbeat."""
    total = int(beats.count[-1]) + 1
    measure, heard = np.zeros(total), np.zeros(total, dtype=bool)
    at = beats.count.astype(int)
    measure[at], heard[at] = beats.measure, bool(beats.measure.any())  # without any downbeat nothing is known
    borders = {int(s.beat) for s in sections[1:]}
    meter, position = downbeats(measure, heard, borders)
    points: list[TimingPoint] = []
    for index, section in enumerate(sections):
        first = int(section.beat)
        stop = int(sections[index + 1].beat) if index + 1 < len(sections) else total
        beat = _first_downbeat(first, stop, meter, position, is_first=index == 0)
        points.append(red_line(section.at(beat), section.period, int(meter[max(first, min(beat, total - 1))])))
        expected = beat
        for here in range(max(beat, first), stop):
            if position[here] == 0 and here != beat:
                step = (here - expected) % points[-1].meter
                if step or meter[here] != points[-1].meter:
                    points.append(red_line(section.at(here), section.period, int(meter[here])))
                    expected = here
    return points


def _first_downbeat(first: int, stop: int, meter: np.ndarray, position: np.ndarray, is_first: bool) -> int:
    """Beat number of a section's red line: the downbeat nearest its border; before the song's first beat if need be."""
    back = first - int(position[first])
    if is_first or position[first] == 0:
        return back
    ahead = first + int(meter[first] - position[first])
    return ahead if ahead < stop and ahead - first < first - back else back
