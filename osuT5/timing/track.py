"""Songs whose tempo changes: follow the tempo, track the beats, and fit red lines through them.

A path of the best local tempo (comb over 10 s windows, jumps cost) shows whether the tempo changes at all. Where it
does, beats are tracked by dynamic programming on the onset strength (Ellis 2007) and given to the same fitter as a
model's beats. The result replaces the one grid of the whole song only where its beats carry clearly more sound.
Song clock.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import fft

from osuT5.beatmap.types import TimingPoint
from osuT5.timing.choice import TYPICAL_BPM
from osuT5.timing.comb import HARMONICS, WEIGHTS
from osuT5.timing.fit import fit_timing
from osuT5.timing.markers import Marker
from osuT5.timing.onset import Onsets

WINDOW_S, STEP_S = 10.0, 2.0
LOWEST_BPM = 80.0  # tempos are followed within the octave above this
STATES = 96
JUMP_COST, SLIDE_COST = 0.6, 0.05  # in the units of the comb's score, whose largest value is 1 a window
OCTAVE_COST, LEAP_COST = 0.1, 1.0  # a window; per octave jumped
STEADY_STATES = 2  # a path that moves no further is one tempo
TRACK_PERIOD_MS = 5.0
TIGHTNESS = 300.0
REFINE_MS = 12.0
CLEARLY_BETTER = 1.12
MOST_LINES_PER_MINUTE = 6.0


def tempo_path(onsets: Onsets) -> tuple[np.ndarray, np.ndarray]:
    """((windows,) song-clock ms of the middles, (windows,) BPM within one octave); empty for short or silent songs."""
    size = round(WINDOW_S * 1000 / onsets.period_ms)
    step = round(STEP_S * 1000 / onsets.period_ms)
    if len(onsets.strength) < 2 * size:
        return np.zeros(0), np.zeros(0)
    frames = np.lib.stride_tricks.sliding_window_view(onsets.strength, size)[::step]
    frames = (frames - frames.mean(axis=1, keepdims=True)) * np.hanning(size)
    length = fft.next_fast_len(8 * size, real=True)
    magnitude = np.abs(fft.rfft(frames, length, axis=1))
    bpm = LOWEST_BPM * 2.0 ** (np.arange(STATES) / STATES)
    score = np.maximum(_comb(magnitude, bpm, length, onsets), _comb(magnitude, 2 * bpm, length, onsets))
    peak = score.max(axis=1, keepdims=True)
    loud = peak > 0.1 * np.median(peak)
    score = np.where(loud, score / np.maximum(peak, 1e-9), 0.0)
    middle = onsets.first_ms + (np.arange(len(frames)) * step + size / 2) * onsets.period_ms
    return middle, bpm[_best_path(score)]


def track(onsets: Onsets) -> list[TimingPoint]:
    """Red lines of a song whose tempo changes; empty when it has one tempo."""
    middle, bpm = tempo_path(onsets)
    if not len(bpm) or _range_octaves(bpm) <= STEADY_STATES / STATES:
        return []
    beats = _beats(onsets, middle, _in_octaves(bpm))
    points = fit_timing([Marker(t) for t in beats]) if len(beats) > 8 else []
    return points if len(points) <= MOST_LINES_PER_MINUTE * onsets.duration_ms / 60000 else []


def is_better(onsets: Onsets, points: Sequence[TimingPoint], single: Sequence[TimingPoint]) -> bool:
    """Whether the beats of `points` carry clearly more onset strength than those of `single`."""
    return carried(onsets, points) > CLEARLY_BETTER * carried(onsets, single)


def carried(onsets: Onsets, points: Sequence[TimingPoint]) -> float:
    """Mean onset strength at the beats of red lines, relative to the song's mean."""
    end = onsets.first_ms + onsets.duration_ms
    stops = [p.time for p in points[1:]] + [end]
    starts = [onsets.first_ms] + [p.time for p in points[1:]]
    smooth = np.convolve(onsets.strength, np.hanning(9) / 4, mode="same")
    times = [
        np.arange(p.time - np.floor((p.time - start) / p.beat_length) * p.beat_length, stop - 1.0, p.beat_length)
        for p, start, stop in zip(points, starts, stops, strict=True)
    ]
    index = ((np.concatenate(times) - onsets.first_ms) / onsets.period_ms).round().astype(int)
    index = index[(index >= 0) & (index < len(smooth))]
    return float(smooth[index].mean() / (smooth.mean() + 1e-9)) if len(index) else 0.0


def _comb(magnitude: np.ndarray, bpm: np.ndarray, length: int, onsets: Onsets) -> np.ndarray:
    """(windows, tempos)."""
    bins = bpm / 60000.0 * onsets.period_ms * length
    total = np.zeros((len(magnitude), len(bpm)))
    for harmonic, weight in zip(HARMONICS, WEIGHTS, strict=True):
        total += weight * magnitude[:, np.round(bins * harmonic).astype(int)]
    return total


def _in_octaves(bpm: np.ndarray) -> np.ndarray:
    """The path in the octaves where it is near a typical tempo and jumps least."""
    choices = np.stack([bpm, 2 * bpm])
    cost = OCTAVE_COST * np.log2(choices / TYPICAL_BPM) ** 2
    best, back = cost[:, 0], np.zeros(choices.shape, dtype=int)
    for window in range(1, len(bpm)):
        leap = np.abs(np.log2(choices[:, None, window - 1] / choices[None, :, window]))  # (from, to)
        total = best[:, None] + LEAP_COST * leap
        back[:, window] = total.argmin(axis=0)
        best = total.min(axis=0) + cost[:, window]
    row, path = int(best.argmin()), np.empty(len(bpm))
    for window in range(len(bpm) - 1, -1, -1):
        path[window] = choices[row, window]
        row = int(back[row, window])
    return path


def _best_path(score: np.ndarray) -> np.ndarray:
    """(windows,) state indices of the best path: staying is free, sliding by one costs little, jumping much."""
    best, back = score[0].copy(), np.zeros(score.shape, dtype=int)
    states = np.arange(score.shape[1])
    for window in range(1, len(score)):
        below, above = np.roll(best, 1) - SLIDE_COST, np.roll(best, -1) - SLIDE_COST  # the octave is a circle
        jump = np.full(len(best), best.max() - JUMP_COST)
        options = np.stack([best, below, above, jump])
        choice = options.argmax(axis=0)
        sources = np.stack([states, states - 1, states + 1, np.full(len(best), best.argmax())]) % len(best)
        back[window] = sources[choice, states]
        best = options.max(axis=0) + score[window]
    path = [int(best.argmax())]
    for window in range(len(score) - 1, 0, -1):
        path.append(int(back[window, path[-1]]))
    return np.array(path[::-1])


def _range_octaves(bpm: np.ndarray) -> float:
    """Smallest arc of the octave circle that holds all tempos."""
    place = np.sort(np.log2(bpm) % 1.0)
    return float(1.0 - max(np.diff(np.append(place, place[0] + 1.0))))


def _beats(onsets: Onsets, middle: np.ndarray, bpm: np.ndarray) -> list[float]:
    """Song-clock ms of tracked beats."""
    group = max(1, round(TRACK_PERIOD_MS / onsets.period_ms))
    period = group * onsets.period_ms
    count = len(onsets.strength) // group
    values = np.convolve(onsets.strength, np.hanning(9) / 4, mode="same")[: count * group]
    values = values.reshape(count, group).max(axis=1)
    values = values / (values.std() + 1e-9)
    times = onsets.first_ms + (np.arange(count) + 0.5) * period
    nearest = np.clip(np.searchsorted(middle, times - STEP_S * 500), 0, len(middle) - 1)
    beat = 60000.0 / bpm[nearest] / period  # frames per beat
    score, back = values.copy(), np.full(count, -1)
    for now in range(count):
        low, high = int(beat[now] * 0.6), int(beat[now] * 1.6)
        first = now - high
        if first < 0:
            continue
        gaps = np.arange(high, low, -1)
        options = score[first : now - low] - TIGHTNESS * np.log(gaps / beat[now]) ** 2
        winner = int(options.argmax())
        score[now] += options[winner]
        back[now] = first + winner
    tail = max(0, count - int(beat[-1]) - 1)
    at = tail + int(score[tail:].argmax())
    found = []
    while at >= 0:
        found.append(at)
        at = int(back[at])
    return [_refined(onsets, float(times[i])) for i in reversed(found)]


def _refined(onsets: Onsets, time: float) -> float:
    """The strongest onset within a few ms."""
    reach = round(REFINE_MS / onsets.period_ms)
    centre = round((time - onsets.first_ms) / onsets.period_ms)
    first = max(0, centre - reach)
    around = onsets.strength[first : centre + reach + 1]
    return onsets.first_ms + (first + int(around.argmax())) * onsets.period_ms if len(around) else time
