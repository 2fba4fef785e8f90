"""Where a song's pulse is: a comb over the beat frequency and its harmonics, and the profile of one beat.

A steady pulse of f beats a second puts lines at f, 2f, 3f, ... into the spectrum of the onset strength; their summed
magnitude over the whole song peaks at f, sharply enough for a few parts in 100,000. Which of f, 2f, f/2 is *the* beat
is not decided here (see `choice`). Song clock. Facts: the timing issue.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import fft

from osuT5.timing.onset import Onsets

HARMONICS = np.array([1, 2, 3, 4, 6, 8])
WEIGHTS = np.array([1.0, 1.0, 0.7, 1.0, 0.5, 0.7])  # duple divisions carry most of the music we map
SLOWEST_HZ, FASTEST_HZ = 40 / 60, 280 / 60
PADDING = 8  # zero padding of the spectrum; its lines are then at least 8 bins wide
BLOCK_MS = 4000.0  # a whole song is summed over blocks of about this length
PROFILE_SIGMA_MS = 5.0


@dataclass(frozen=True)
class Pulse:
    """A steady pulse and how each part of the song follows it.

    Attributes:
        hz: pulses per second.
        block_ms: (blocks,) song-clock middle of each block.
        shift_ms: (blocks,) how much later than the whole song's profile the block's onsets come.
        weight: (blocks,) how much evidence a block holds; 0 in silence.
        agreement: (blocks,) -1..1, likeness of the block's profile to the song's at `shift_ms`.
    """

    hz: float
    block_ms: np.ndarray
    shift_ms: np.ndarray
    weight: np.ndarray
    agreement: np.ndarray


def pulse_spectrum(onsets: Onsets) -> tuple[np.ndarray, np.ndarray]:
    """(hz, score): the comb's score for each frequency from 40 to 280 beats a minute; empty for silence."""
    values = onsets.strength - onsets.strength.mean() if len(onsets.strength) else onsets.strength
    if not np.any(values):
        return np.zeros(0), np.zeros(0)
    size = fft.next_fast_len(max(len(values) * PADDING, int(60_000 / onsets.period_ms)), real=True)
    magnitude = np.abs(fft.rfft(values, size))
    step = 1000.0 / (onsets.period_ms * size)
    bins = np.arange(int(np.ceil(SLOWEST_HZ / step)), int(FASTEST_HZ / step))
    score = np.zeros(len(bins))
    for harmonic, weight in zip(HARMONICS, WEIGHTS, strict=True):
        score += weight * magnitude[bins * harmonic]
    return bins * step, score


def strongest(hz: np.ndarray, score: np.ndarray, count: int, apart: float = 0.02) -> list[tuple[float, float]]:
    """Up to `count` (hz, score) peaks, strongest first, each at least `apart` octaves from the others."""
    inner = np.flatnonzero((score[1:-1] > score[:-2]) & (score[1:-1] >= score[2:])) + 1
    found: list[tuple[float, float]] = []
    for index in inner[np.argsort(-score[inner])]:
        if all(abs(np.log2(hz[index] / other)) > apart for other, _ in found):
            found.append((float(hz[index]), float(score[index])))
            if len(found) == count:
                break
    return found


def follow(onsets: Onsets, hz: float) -> Pulse:
    """Refine a pulse near `hz` (within a few lines' width) on the whole song, and measure every block against it."""
    blocks, middle_ms = _blocks(onsets, hz)
    seconds = middle_ms / 1000.0
    duration = max(seconds[-1] - seconds[0], 1e-3) + BLOCK_MS / 1000.0
    offsets = np.linspace(-1.0, 1.0, 401) / duration
    for _ in range(2):  # the second round refines between the grid points of the first
        turned = np.exp(-2j * np.pi * HARMONICS[:, None, None] * offsets[None, :, None] * seconds)
        score = (WEIGHTS[:, None] * np.abs((blocks[:, None, :] * turned).sum(axis=2))).sum(axis=0)
        centre = offsets[int(np.argmax(score))]
        offsets = centre + (offsets - offsets.mean()) / 100.0
    blocks = blocks * np.exp(-2j * np.pi * HARMONICS[:, None] * centre * seconds)
    refined = hz + centre
    return Pulse(refined, middle_ms, *_compare(blocks, 1000.0 / refined))


def _blocks(onsets: Onsets, hz: float) -> tuple[np.ndarray, np.ndarray]:
    """((harmonics, blocks) complex sums of the strength against the pulse's harmonics, (blocks,) middles in ms)."""
    length = max(1, round(BLOCK_MS / onsets.period_ms))
    count = max(1, -(-len(onsets.strength) // length))
    values = np.zeros(count * length)
    values[: len(onsets.strength)] = onsets.strength - onsets.strength.mean()
    times = onsets.first_ms + np.arange(len(values)) * onsets.period_ms
    wave = np.exp(-2j * np.pi * hz * times / 1000.0)
    power, sums = np.ones_like(wave), {}
    for harmonic in range(1, int(HARMONICS[-1]) + 1):
        power = power * wave
        if harmonic in HARMONICS:
            sums[harmonic] = (values * power).reshape(count, length).sum(axis=1)
    return np.stack([sums[int(h)] for h in HARMONICS]), times.reshape(count, length).mean(axis=1)


def _compare(blocks: np.ndarray, period_ms: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(shift_ms, weight, agreement) of each block's profile against the sum of all."""
    whole = blocks.sum(axis=1)
    shifts = np.linspace(-0.5, 0.5, 201)[:-1]
    turn = np.exp(2j * np.pi * HARMONICS[:, None] * shifts)  # (harmonics, shifts)
    likeness = np.real((blocks * np.conj(whole)[:, None]).T @ turn)  # (blocks, shifts)
    best = likeness.argmax(axis=1)
    norm = np.linalg.norm(whole) * np.linalg.norm(blocks, axis=0)
    peak = likeness[np.arange(len(best)), best]
    agreement = np.divide(peak, norm, out=np.zeros_like(peak), where=norm > 0)
    return shifts[best] * period_ms, np.linalg.norm(blocks, axis=0), agreement


def profile(onsets: Onsets, values: np.ndarray, period_ms: float) -> np.ndarray:
    """(cells,) mean of `values` at each of about 1 ms of one period, smoothed round the circle.

    Cell k is song-clock time k * period_ms / cells, modulo the period.
    """
    cells = max(8, int(np.ceil(period_ms)))
    phase = (onsets.first_ms + np.arange(len(values)) * onsets.period_ms) / period_ms % 1.0 * cells
    left = phase.astype(int) % cells
    share = phase - np.floor(phase)
    right = (left + 1) % cells
    total = np.bincount(left, values * (1 - share), cells) + np.bincount(right, values * share, cells)
    count = np.bincount(left, 1 - share, cells) + np.bincount(right, share, cells)
    away = np.minimum(np.arange(cells), cells - np.arange(cells)) * period_ms / cells
    kernel = fft.rfft(np.exp(-0.5 * (away / PROFILE_SIGMA_MS) ** 2))
    smooth = fft.irfft(fft.rfft(total) * kernel, cells)
    return smooth / np.maximum(fft.irfft(fft.rfft(count) * kernel, cells), 1e-6)
