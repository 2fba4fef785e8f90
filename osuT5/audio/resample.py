"""From a file's sample rate and channels to the mono float32 samples that a model hears.

Two resamplers: "published" is the linear interpolation without low-pass that the published models were trained on,
exact to the bit, folded frequencies included; "band_limited" is soxr's high quality, for models
that bind us to nothing. Both take a file block by block and leave its time zero where it is.
"""

from __future__ import annotations

import math

import numpy as np
import soxr

from osuT5.audio.pcm import AudioStream, RawAudio
from osuT5.errors import InputError


class PublishedResampler:
    """Linear interpolation per channel in 32-bit integers, then the mix to mono.

    With i and o the two rates divided by their greatest common divisor, output k lies at input position k·i/o; the
    value between neighbours is truncated toward zero in 32 bits, then shifted down to the sample width.
    """

    def __init__(self, source_rate: int, target_rate: int, sample_width: int, channels: int):
        divisor = math.gcd(source_rate, target_rate)
        self._step_in = source_rate // divisor
        self._step_out = target_rate // divisor
        self._shift = 32 - 8 * sample_width
        self._read = 0  # frames of input seen
        self._emitted = 0  # samples of output made
        self._last = np.zeros((1, channels))  # last frame seen, scaled to 32 bits

    def push(self, block: np.ndarray) -> np.ndarray:
        """Args: shape (frames, channels). Returns: mono samples in the raw integer range, shape (n,), float32."""
        if len(block) == 0:
            return np.zeros(0, dtype=np.float32)
        if self._step_in == self._step_out:
            return _mix_integers(block).astype(np.float32)
        i, o = self._step_in, self._step_out
        frames = np.concatenate((self._last, block.astype(np.float64) * (1 << self._shift)))
        emitted = (self._read + len(block) - 1) * o // i + 1
        position = np.arange(self._emitted, emitted, dtype=np.int64) * i  # in units of 1/o input frames
        right = -(-position // o)
        # Weight of the left neighbour. Products stay below 2**53, so that float64 holds every numerator exactly.
        weight = (right * o - position).astype(np.float64)[:, None]
        right -= self._read - 1  # index into `frames`, which begins one frame before the block
        values = frames[right - 1]
        values *= weight
        values += frames[right] * (o - weight)
        values /= o
        self._read += len(block)
        self._emitted = emitted
        self._last = frames[-1:].copy()
        return _mix_integers(values.astype(np.int32) >> self._shift).astype(np.float32)

    def finish(self) -> np.ndarray:
        """What is left when the input has ended: nothing, every output was due already."""
        return np.zeros(0, dtype=np.float32)


class BandLimitedResampler:
    """Mean of the channels, then soxr HQ; values in [-1, 1]."""

    def __init__(self, source_rate: int, target_rate: int, sample_width: int, channels: int):
        self._scale = 1.0 / ((1 << (8 * sample_width - 1)) * channels)
        self._stream = None
        if source_rate != target_rate:
            self._stream = soxr.ResampleStream(source_rate, target_rate, 1, dtype="float32", quality="HQ")

    def push(self, block: np.ndarray) -> np.ndarray:
        """Args: shape (frames, channels). Returns: mono samples, shape (n,), float32."""
        mono = (block.sum(axis=1, dtype=np.float64) * self._scale).astype(np.float32)
        return mono if self._stream is None else self._stream.resample_chunk(mono)

    def finish(self) -> np.ndarray:
        """The tail that the low-pass filter held back, shape (n,), float32."""
        empty = np.zeros(0, dtype=np.float32)
        return empty if self._stream is None else self._stream.resample_chunk(empty, last=True)


RESAMPLERS = {"published": PublishedResampler, "band_limited": BandLimitedResampler}


def resample_for_model(
    audio: RawAudio | AudioStream,
    *,
    sample_rate: int = 16000,
    resampler: str = "published",
    normalize: bool = True,
    speed: float = 1.0,
) -> np.ndarray:
    """Mono samples at the model's rate.

    Args:
        audio: decoded audio.
        sample_rate: the model's rate.
        resampler: "published" or "band_limited".
        normalize: divide by the peak. Without it "published" stays in the raw integer range of the sample width
            (±32768 for 16 bits), "band_limited" in [-1, 1].
        speed: play this many times as fast, pitch included; durations divide by it.

    Returns:
        shape (n,), float32.

    Raises:
        InputError: unknown resampler, a rate or speed that makes no sense.
    """
    if resampler not in RESAMPLERS:
        raise InputError(f"no resampler named {resampler!r}; known: {', '.join(RESAMPLERS)}")
    if sample_rate < 1:
        raise InputError(f"sample_rate is {sample_rate}, but must be at least 1")
    if not (math.isfinite(speed) and 0.01 <= speed <= 100):
        raise InputError(f"speed is {speed}, but must lie between 0.01 and 100")
    # Speed is a pretended rate, truncated to whole Hz (training §4.1 step 2).
    source_rate = max(int(audio.sample_rate * speed), 1)
    machine = RESAMPLERS[resampler](source_rate, sample_rate, audio.sample_width, audio.channels)
    parts = [machine.push(block) for block in audio.blocks()]
    parts.append(machine.finish())
    samples = np.concatenate(parts)
    del parts  # a long song need not be held twice
    return normalize_peak(samples) if normalize else samples


def normalize_peak(samples: np.ndarray) -> np.ndarray:
    """Divide float32 samples by their greatest absolute value; silence stays silence."""
    peak = max(samples.max(), -samples.min()) if len(samples) else 0.0
    return samples / peak if peak > 0 else samples


def change_speed_polyphase(samples: np.ndarray, speed: float, sample_rate: int = 16000) -> np.ndarray:
    """Change the speed of mono samples with a low-pass, as the web dataset does.

    Args:
        samples: shape (n,), float.
        speed: durations divide by it, pitch rises with it.
        sample_rate: of input and output.

    Returns:
        shape (ceil(n · up / down),) with up = sample_rate, down = int(sample_rate · speed), in lowest terms.
    """
    if speed == 1:
        return samples
    from scipy.signal import resample_poly  # takes half a second, and only training needs it

    return resample_poly(samples, sample_rate, int(sample_rate * speed), window=("kaiser", 5.0))


def _mix_integers(values: np.ndarray) -> np.ndarray:
    """Integer frames, shape (n, channels) → mono, shape (n,): floor(L/2 + R/2), or the sum of x // channels."""
    channels = values.shape[1]
    if channels == 1:
        return values[:, 0]
    if channels == 2:
        return (values[:, 0].astype(np.int64) + values[:, 1]) >> 1
    return (values // channels).sum(axis=1, dtype=np.int64)
