"""Onset strength: how much new sound begins at each moment of a song.

Half-wave rectified rise of log band energies (spectral flux), from 16 ms windows every 2.5 ms: short, because the phase
of the grid is wanted within a few ms. Song clock. Facts: the timing issue asks for onset strength at 5 ms or finer;
the delay constant is measured on clicks (`tests/timing/test_onset.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import fft

from osuT5.errors import InputError

HOP_S = 0.0025
WINDOW_S = 0.016
LAG_FRAMES = 3  # the rise is taken over 7.5 ms, half a window
BAND_EDGES_HZ = (30, 90, 150, 220, 300, 400, 510, 630, 770, 920, 1080, 1270, 1480, 1720, 2000, 2320, 2700, 3150, 3700,
                 4400, 5300, 6400, 7700)
LOW_HZ = 220.0  # kick drum and bass
HIGH_HZ = 2000.0  # snare noise, hats
DELAY_MS = 2.0  # a rise is seen this much before the sound is at its sharpest
COMPRESSION = 100.0
FLOOR_SHARE = 0.02  # bands quieter than this share of the loudest count as silence
CHANGE_MS = 200.0
CHUNK_FRAMES = 8192
MIN_SAMPLE_RATE = 4000


@dataclass(frozen=True)
class Onsets:
    """Onset strength of a song, in parts.

    Attributes:
        period_ms: time between two values.
        first_ms: song-clock time of value 0.
        strength: (n,) all bands; its largest values are around 1..5 for drums.
        low: (n,) bands below 220 Hz.
        high: (n,) bands above 2 kHz.
        energy: (n,) log loudness of the low bands, for accents that do not start sharply.
        change: (n,) how much the timbre of the next 0.2 s differs from that of the last: new chords, parts, sections.
    """

    period_ms: float
    first_ms: float
    strength: np.ndarray
    low: np.ndarray
    high: np.ndarray
    energy: np.ndarray
    change: np.ndarray

    @property
    def duration_ms(self) -> float:
        return len(self.strength) * self.period_ms


def find_onsets(samples: np.ndarray, sample_rate: int) -> Onsets:
    """Onset strength of mono samples.

    Args:
        samples: (n,) floats, any level.
        sample_rate: Hz; below 4000 it is an InputError.
    """
    if sample_rate < MIN_SAMPLE_RATE:
        raise InputError(f"a song of {sample_rate} Hz is too coarse to time; give at least {MIN_SAMPLE_RATE} Hz")
    energies = band_energies(samples, sample_rate)
    hop_ms = max(1, round(HOP_S * sample_rate)) * 1000.0 / sample_rate
    edges = np.asarray(BAND_EDGES_HZ[: energies.shape[1] + 1], dtype=float)
    level = np.sqrt(np.maximum(energies, 0.0))
    scale = float(np.percentile(level, 99)) if level.size else 0.0
    if scale <= 0.0:
        zeros = np.zeros(len(level), dtype=np.float32)
        return Onsets(hop_ms, 0.0, zeros, zeros, zeros, zeros, zeros)
    loudness = np.log1p(level * (COMPRESSION / scale))
    rise = np.zeros_like(loudness)
    rise[LAG_FRAMES:] = np.maximum(loudness[LAG_FRAMES:] - loudness[:-LAG_FRAMES], 0.0)
    low, high = edges[1:] <= LOW_HZ, edges[:-1] >= HIGH_HZ
    # A rise between two windows is dated to the middle of them.
    first_ms = DELAY_MS - LAG_FRAMES * hop_ms / 2
    return Onsets(
        hop_ms,
        first_ms,
        rise.mean(axis=1),
        rise[:, low].mean(axis=1),
        rise[:, high].mean(axis=1) if high.any() else np.zeros(len(rise), dtype=np.float32),
        loudness[:, low].mean(axis=1),
        _change(loudness, round(CHANGE_MS / hop_ms)),
    )


def _change(loudness: np.ndarray, frames: int) -> np.ndarray:
    """(n,) distance between the mean spectra of the `frames` after and before each frame; 0 at the ends."""
    out = np.zeros(len(loudness), dtype=np.float32)
    if len(loudness) > 2 * frames:
        sums = np.concatenate([np.zeros((1, loudness.shape[1])), np.cumsum(loudness, axis=0, dtype=np.float64)])
        means = (sums[frames:] - sums[:-frames]) / frames
        out[frames : len(loudness) - frames + 1] = np.sqrt(((means[frames:] - means[:-frames]) ** 2).mean(axis=1))
    return out


def band_energies(samples: np.ndarray, sample_rate: int) -> np.ndarray:
    """(frames, bands) float32 energy per band; frame k is centred at k * HOP_S."""
    hop, size = max(1, round(HOP_S * sample_rate)), round(WINDOW_S * sample_rate)
    window = np.hanning(size + 2)[1:-1].astype(np.float32)
    frequencies = np.arange(size // 2 + 1) * sample_rate / size
    edges = [e for e in BAND_EDGES_HZ if e < sample_rate / 2] + [sample_rate / 2]
    edges = edges[: len(BAND_EDGES_HZ)]
    bands = _triangles(frequencies, np.asarray(edges, dtype=float))
    padded = np.pad(np.asarray(samples, dtype=np.float32), (size // 2, size))
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[: len(samples) + 1 : hop]
    out = np.empty((len(frames), bands.shape[1]), dtype=np.float32)
    for start in range(0, len(frames), CHUNK_FRAMES):
        spectrum = fft.rfft(frames[start : start + CHUNK_FRAMES] * window, axis=1)
        out[start : start + CHUNK_FRAMES] = (spectrum.real**2 + spectrum.imag**2) @ bands
    return out


def _triangles(frequencies: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """(bins, len(edges) - 1) weights: overlapping bands, each at least one bin wide, of mean weight 1."""
    centres = (edges[:-1] + edges[1:]) / 2
    width = np.maximum(edges[1:] - edges[:-1], frequencies[1] - frequencies[0])
    weights = np.maximum(0.0, 1.0 - np.abs(frequencies[:, None] - centres[None, :]) / width[None, :])
    return (weights / np.maximum(weights.sum(axis=0), 1e-9)).astype(np.float32)
