"""Sound as whole numbers: int16 that stands for sample * 32767, its form as FLAC, and its speed."""

from __future__ import annotations

import io

import numpy as np
import soundfile

from osuT5.errors import AudioError

FULL_SCALE = 32767  # what a sample of 1 is stored as


def as_int16(sound: np.ndarray) -> np.ndarray:
    """Samples in -1..1 as whole numbers in -32767..32767; int16 is taken to be that already."""
    if sound.dtype == np.int16:
        return sound
    scaled = sound * np.float32(FULL_SCALE)
    np.rint(scaled, out=scaled)
    return np.clip(scaled, -FULL_SCALE, FULL_SCALE, out=scaled).astype(np.int16)


def to_flac(samples: np.ndarray, sample_rate: int) -> np.ndarray:
    """The bytes of a FLAC file of int16 samples; shape (n,), uint8."""
    file = io.BytesIO()
    soundfile.write(file, samples, sample_rate, format="FLAC", subtype="PCM_16")
    return np.frombuffer(file.getvalue(), dtype=np.uint8)


def from_flac(data: np.ndarray) -> np.ndarray:
    """Raises AudioError: the bytes are damaged."""
    try:
        samples, _ = soundfile.read(io.BytesIO(data.tobytes()), dtype="int16")
    except soundfile.LibsndfileError as error:
        raise AudioError(f"stored sound is damaged ({error.error_string}); compile the data set again") from error
    return samples


def change_speed_linear(samples: np.ndarray, speed: float, sample_rate: int) -> np.ndarray:
    """Played `speed` times as fast, pitch included: straight lines between the samples, no low-pass.

    As with the published models the speed is a pretended rate of whole Hz.

    Args:
        samples: shape (n,), n at least 1.
    Returns:
        float32, in the scale of `samples`; output k lies at input position k * int(rate * speed) / rate.
    """
    step = max(int(sample_rate * speed), 1)
    position = np.arange((len(samples) - 1) * sample_rate // step + 1) * (step / sample_rate)
    left = position.astype(np.int32)
    share = (position - left).astype(np.float32)
    before = samples[left].astype(np.float32)
    after = samples[np.minimum(left + 1, len(samples) - 1)]
    before += share * (after - before)
    return before
