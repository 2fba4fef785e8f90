"""Red lines against the truth: tempo as it is and folded by octaves, offset, half-beat slips, beat F1.

The metrical level is a matter of taste, so tempo is also compared after doubling or halving; the offset is measured
within half a beat, so that a slip by half a beat is told apart from being a little early or late.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from osuT5.beatmap import TimingLines
from osuT5.evaluation.grid import beats, distances
from osuT5.evaluation.rhythm import score

SAME_TEMPO = 0.005  # share by which a right tempo may be off
OCTAVES = (-2, -1, 0, 1, 2)
SAMPLES = 400
BEAT_TOLERANCES_MS = (20.0, 70.0)


@dataclass(frozen=True)
class TimingScore:
    """How red lines compare with the true ones, over the whole song.

    Attributes:
        bpm_true, bpm_found: typical (median over time).
        bpm_error: found / true - 1, as it is.
        bpm_error_folded: the same after the power of two that makes it smallest.
        octave: that power: 1 = twice the true tempo was found.
        tempo_share: share of the song in which the folded tempo is within 0.5 %.
        offset_ms: typical signed distance of our beats from the true ones, within a quarter beat each way; None where
            the tempo is wrong and the distance means nothing.
        offset_worst_ms: the largest distance of any beat: a tempo a little off drifts.
        half_beat_slip: our beats are nearer to the true half beats than to the beats.
        beat_f1: at 20 and 70 ms.
        beat_f1_shifted: the same after taking out `offset_ms`.
    """

    bpm_true: float
    bpm_found: float
    bpm_error: float
    bpm_error_folded: float
    octave: int
    tempo_share: float
    offset_ms: float | None
    offset_worst_ms: float | None
    half_beat_slip: bool | None
    beat_f1: tuple[float, float]
    beat_f1_shifted: tuple[float, float]


def compare_timing(found: TimingLines, truth: TimingLines, duration_ms: float) -> TimingScore:
    """Compares red lines, both on the game clock, from 0 to the end of the song."""
    at = (np.arange(SAMPLES) + 0.5) * duration_ms / SAMPLES
    true_beat = np.array([truth.red_at(t).beat_length for t in at])
    our_beat = np.array([found.red_at(t).beat_length for t in at])
    ratio = true_beat / our_beat
    folded = np.array([_fold(r) for r in ratio])
    octave = round(math.log2(float(np.median(ratio)) / _fold(float(np.median(ratio)))))
    tempo_share = float(np.mean(np.abs(folded - 1) <= SAME_TEMPO))
    ours, theirs = beats(found, 0.0, duration_ms), beats(truth, 0.0, duration_ms)
    offset = worst = slip = None
    shifted = ours
    if tempo_share > 0.5 and len(ours):
        offset, worst, slip = _offset(ours, truth, octave)
        shifted = ours - offset - (float(np.median(true_beat)) / 2 if slip else 0.0)
    return TimingScore(
        bpm_true=60000 / float(np.median(true_beat)),
        bpm_found=60000 / float(np.median(our_beat)),
        bpm_error=float(np.median(ratio)) - 1,
        bpm_error_folded=float(np.median(folded)) - 1,
        octave=octave,
        tempo_share=tempo_share,
        offset_ms=offset,
        offset_worst_ms=worst,
        half_beat_slip=slip,
        beat_f1=tuple(score(ours, theirs, t).f1 for t in BEAT_TOLERANCES_MS),
        beat_f1_shifted=tuple(score(shifted, theirs, t).f1 for t in BEAT_TOLERANCES_MS),
    )


def _fold(ratio: float) -> float:
    """The ratio times the power of two that brings it nearest to one."""
    return min((ratio * 2.0**-o for o in OCTAVES), key=lambda r: abs(math.log2(r)))


def _offset(ours: np.ndarray, truth: TimingLines, octave: int) -> tuple[float, float, bool]:
    """(typical, worst) distance from the true grid, and whether it is off by half a beat."""
    # a grid of twice the tempo holds the beats and the half beats: it cannot slip between them
    finest = 2 ** max(octave, 1)
    beat = np.array([truth.red_at(t).beat_length for t in ours])
    typical = float(np.median(beat))
    distance = distances(ours, truth, (finest,))
    centre = _circular_mean(distance, beat / finest) * typical / finest
    # around the typical distance, lest values on both sides of the wrap look far apart
    apart = distance - centre
    apart -= np.round(apart * finest / beat) * beat / finest
    middle = centre + float(np.median(apart))
    slip = octave <= 0 and abs(_circular_mean(distances(ours, truth, (1,)), beat)) > 0.25
    return middle, float(np.max(np.abs(centre + apart))), bool(slip)


def _circular_mean(distance: np.ndarray, period: np.ndarray) -> float:
    """Mean place on a circle, in -0.5..0.5 of the period."""
    return float(np.angle(np.mean(np.exp(2j * np.pi * distance / period)))) / (2 * np.pi)
