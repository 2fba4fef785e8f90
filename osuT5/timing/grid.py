"""Timing from the signal alone: one steady grid for a whole song, with its likely rivals.

Needs no model: onset strength, a comb over the beat frequency, phase by circular histogram. Tempo and phase come out
within a few parts in 100,000 and a few ms; what the signal tells less surely is the octave (150 or 75 BPM?) and the
half beat (on the kick or between?), so every rival is returned with a score for a model or a user to choose from.
Song clock.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from osuT5.timing.choice import Candidate, Scorer, choose, confidence, find_downbeat, with_priors
from osuT5.timing.comb import Pulse, follow, profile, pulse_spectrum, strongest
from osuT5.timing.onset import Onsets, find_onsets

RATIOS = (1.0, 1 / 2, 2.0, 2 / 3, 3 / 2, 3 / 4, 4 / 3, 1 / 3, 3.0, 1 / 4)
SLOWEST_BPM, FASTEST_BPM = 55.0, 300.0
# Parts of a BPM, and how far a tempo so rounded may move either end of the song: 90 % of human maps have whole BPM.
ROUNDINGS_MS = ((1, 6.0), (2, 3.0), (10, 3.0), (100, 3.0))
PHASES = 3
PHASE_APART = 0.2  # beats
FALLBACK_BPM = 120.0


@dataclass(frozen=True)
class GridTiming:
    """One grid for a whole song, on the song clock.

    Attributes:
        beat_length: ms.
        offset_ms: a beat (a downbeat where known), in 0..meter beats.
        confidence: 0..1, probability of the chosen octave and half beat by the prior.
        residual_ms: weighted median of the distances of 4 s blocks from the grid.
        candidates: rivals with their scores, best first; the chosen one is among them.
        pulse: how each part of the song follows the grid; None for silence.
    """

    beat_length: float
    offset_ms: float
    confidence: float
    residual_ms: float
    candidates: list[Candidate] = field(default_factory=list)
    pulse: Pulse | None = None

    @property
    def bpm(self) -> float:
        return 60000.0 / self.beat_length


def find_grid(samples: np.ndarray, sample_rate: int, score: Scorer | None = None) -> GridTiming:
    """The grid of a song.

    Args:
        samples: (n,) mono floats.
        sample_rate: Hz.
        score: optional `f(candidates) -> scores`, natural-log odds added to the prior's (see `choice.choose`).
    """
    return grid_of(find_onsets(samples, sample_rate), score)


def grid_of(onsets: Onsets, score: Scorer | None = None) -> GridTiming:
    """`find_grid` for onsets already found."""
    hz, strength = pulse_spectrum(onsets)
    peaks = strongest(hz, strength, 1)
    if not peaks:
        return GridTiming(60000.0 / FALLBACK_BPM, 0.0, 0.0, float("inf"))
    pulse = follow(onsets, peaks[0][0])
    duration_ms = onsets.duration_ms
    candidates = []
    for ratio in RATIOS:
        bpm = round_bpm(60.0 * pulse.hz * ratio, duration_ms)
        if SLOWEST_BPM <= bpm <= FASTEST_BPM:
            candidates += [Candidate(60000.0 / bpm, offset) for offset in phases(onsets, 60000.0 / bpm)]
    ranked = choose(with_priors(onsets, candidates), score)
    best = ranked[0]
    offset = find_downbeat(onsets, best.beat_length, best.offset_ms)
    return GridTiming(best.beat_length, offset, confidence(ranked), residual_ms(pulse), ranked, pulse)


def round_bpm(bpm: float, duration_ms: float) -> float:
    """The roundest tempo that the whole song cannot tell from `bpm`."""
    for parts, drift_ms in ROUNDINGS_MS:
        rounded = round(bpm * parts) / parts
        if rounded > 0 and abs(rounded / bpm - 1.0) * duration_ms / 2 <= drift_ms:
            return rounded
    return bpm


def phases(onsets: Onsets, beat_length: float) -> list[float]:
    """Song-clock ms of likely beat phases in 0..beat_length: the profile's peaks and the strongest one's half beat."""
    shape = profile(onsets, onsets.strength, beat_length)
    cell_ms = beat_length / len(shape)
    peaks = np.flatnonzero((shape > np.roll(shape, 1)) & (shape >= np.roll(shape, -1)))
    found: list[float] = []
    for cell in peaks[np.argsort(-shape[peaks])]:
        offset = _peak(shape, int(cell)) * cell_ms
        if all(_circular(offset - other, beat_length) > PHASE_APART * beat_length for other in found):
            found.append(offset)
            if len(found) == PHASES:
                break
    half = (found[0] + beat_length / 2) % beat_length
    if all(_circular(half - other, beat_length) > PHASE_APART * beat_length for other in found):
        found.append(half)
    return [offset % beat_length for offset in found]


def _peak(shape: np.ndarray, cell: int) -> float:
    """Top of the parabola through a peak cell and its neighbours, in cells."""
    left, middle, right = shape[cell - 1], shape[cell], shape[(cell + 1) % len(shape)]
    bend = left - 2 * middle + right
    return cell + (0.5 * (left - right) / bend if bend < 0 else 0.0)


def _circular(distance: float, period: float) -> float:
    distance = abs(distance) % period
    return min(distance, period - distance)


def residual_ms(pulse: Pulse) -> float:
    """Weighted median of the blocks' distances from the pulse."""
    order = np.argsort(np.abs(pulse.shift_ms))
    weight = np.cumsum(pulse.weight[order])
    return float(np.abs(pulse.shift_ms)[order][np.searchsorted(weight, weight[-1] / 2)])
