"""The sounds that rendered songs are made of: a bank of drum one-shots and pitched tones of many timbres.

Everything is synthesised with numpy (no recordings). Drums are built once per sample rate; tones are wavetables
whose harmonics, envelope and formants are drawn per song, so that no timbre comes twice. Every sound begins at its
first sample: the attack is where the note is.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

TABLE_SIZE = 2048
_HARMONICS = 32
_FORMANT_HZ = ((350, 900), (900, 2300), (2400, 3200))
VARIANTS = 10  # of each drum in the bank
_FADE_IN_SAMPLES = 6

Samples = np.ndarray  # float32, mono


def _noise(rng: np.random.Generator, samples: int, low_hz: float, high_hz: float, sample_rate: int) -> Samples:
    """White noise between two frequencies, as far as the sample rate has them."""
    nyquist = sample_rate / 2
    band = [min(low_hz / nyquist, 0.6), min(high_hz / nyquist, 0.98)]
    from scipy.signal import butter, sosfilt

    return sosfilt(butter(2, band, "bandpass", output="sos"), rng.standard_normal(samples))


def _decay(samples: int, decay_ms: float, sample_rate: int) -> np.ndarray:
    """Exponential decay to -60 dB over about 7 * decay_ms, ending in exact silence."""
    envelope = np.exp(-np.arange(samples) * (1000 / (decay_ms * sample_rate)))
    return envelope * np.minimum(1, np.arange(samples, 0, -1) / min(64, samples))


def _sweep(samples: int, start_hz: float, end_hz: float, fall_ms: float, sample_rate: int) -> np.ndarray:
    """A sine that falls exponentially from one frequency to another."""
    hz = end_hz + (start_hz - end_hz) * np.exp(-np.arange(samples) * 1000 / (fall_ms * sample_rate))
    return np.sin(2 * np.pi * np.cumsum(hz) / sample_rate)


def _finish(sound: np.ndarray) -> Samples:
    """Peak 1, without a step at the first sample."""
    sound = sound / (np.abs(sound).max() + 1e-9)
    sound[:_FADE_IN_SAMPLES] *= np.linspace(0.3, 1, _FADE_IN_SAMPLES)
    return sound.astype(np.float32)


def _kick(rng: np.random.Generator, rate: int) -> Samples:
    n = int(rate * rng.uniform(0.14, 0.35))
    body = _sweep(n, rng.uniform(120, 320), rng.uniform(42, 68), rng.uniform(14, 40), rate)
    body *= _decay(n, rng.uniform(40, 110), rate)
    click = _noise(rng, n, 1500, 7000, rate) * _decay(n, rng.uniform(2, 6), rate)
    return _finish(np.tanh(body * rng.uniform(1, 3)) + click * rng.uniform(0.05, 0.5))


def _snare(rng: np.random.Generator, rate: int) -> Samples:
    n = int(rate * rng.uniform(0.15, 0.35))
    body = _sweep(n, rng.uniform(260, 420), rng.uniform(160, 230), 12, rate) * _decay(n, rng.uniform(20, 50), rate)
    wires = _noise(rng, n, rng.uniform(400, 1800), 7600, rate) * _decay(n, rng.uniform(25, 80), rate)
    return _finish(body * rng.uniform(0.2, 0.9) + wires * rng.uniform(0.5, 1.1))


def _clap(rng: np.random.Generator, rate: int) -> Samples:
    n = int(rate * rng.uniform(0.15, 0.3))
    noise = _noise(rng, n, rng.uniform(600, 1100), rng.uniform(2500, 6000), rate)
    envelope = _decay(n, rng.uniform(25, 60), rate) * 0.7
    for k in range(int(rng.integers(1, 4))):
        start = int(k * rate * rng.uniform(0.006, 0.010))
        envelope[start:] = np.maximum(envelope[start:], _decay(n - start, 4, rate))
    return _finish(noise * envelope)


def _hat(rng: np.random.Generator, rate: int) -> Samples:
    n = int(rate * rng.uniform(0.04, 0.11))
    return _finish(_noise(rng, n, rng.uniform(3500, 6000), 8000, rate) * _decay(n, rng.uniform(6, 22), rate))


def _open_hat(rng: np.random.Generator, rate: int) -> Samples:
    n = int(rate * rng.uniform(0.25, 0.5))
    return _finish(_noise(rng, n, rng.uniform(3000, 5500), 8000, rate) * _decay(n, rng.uniform(60, 130), rate))


def _crash(rng: np.random.Generator, rate: int) -> Samples:
    n = int(rate * rng.uniform(1.0, 2.2))
    hiss = _noise(rng, n, rng.uniform(1500, 3500), 8000, rate)
    return _finish(hiss * (_decay(n, rng.uniform(180, 420), rate) + 0.8 * _decay(n, 15, rate)))


def _tom(rng: np.random.Generator, rate: int) -> Samples:
    n = int(rate * rng.uniform(0.2, 0.4))
    low = rng.uniform(75, 190)
    body = _sweep(n, low * rng.uniform(1.3, 1.9), low, 30, rate) * _decay(n, rng.uniform(50, 110), rate)
    return _finish(body + _noise(rng, n, 800, 5000, rate) * _decay(n, 6, rate) * 0.3)


def _rim(rng: np.random.Generator, rate: int) -> Samples:
    n = int(rate * 0.06)
    ring = np.sin(2 * np.pi * rng.uniform(900, 2600) * np.arange(n) / rate) * _decay(n, rng.uniform(5, 12), rate)
    return _finish(ring + 0.4 * _noise(rng, n, 2000, 7000, rate) * _decay(n, 4, rate))


def _shaker(rng: np.random.Generator, rate: int) -> Samples:
    n = int(rate * rng.uniform(0.05, 0.1))
    swing = np.minimum(1, np.arange(n) / (0.006 * rate))
    return _finish(_noise(rng, n, 2500, 7800, rate) * _decay(n, 25, rate) * swing)


_DRUMS = {
    "kick": _kick, "snare": _snare, "clap": _clap, "hat": _hat, "open_hat": _open_hat, "crash": _crash,
    "tom": _tom, "rim": _rim, "shaker": _shaker,
}  # fmt: skip


@lru_cache(maxsize=4)
def drum_bank(sample_rate: int) -> dict[str, list[Samples]]:
    """`VARIANTS` one-shots of each drum, peak 1, always the same for a sample rate."""
    return {
        name: [make(np.random.default_rng([number, variant]), sample_rate) for variant in range(VARIANTS)]
        for number, (name, make) in enumerate(_DRUMS.items())
    }


def play_at_speed(sound: Samples, speed: float) -> Samples:
    """The sound played faster (> 1, higher and shorter) or slower, like a record."""
    positions = np.arange(0, len(sound) - 1, speed)
    return np.interp(positions, np.arange(len(sound)), sound).astype(np.float32)


def draw_kit(rng: np.random.Generator, sample_rate: int) -> dict[str, Samples]:
    """One drum kit of a song: a variant of each drum at a speed of its own."""
    bank = drum_bank(sample_rate)
    return {name: play_at_speed(bank[name][rng.integers(VARIANTS)], rng.uniform(0.8, 1.25)) for name in bank}


@dataclass(frozen=True)
class Timbre:
    """How an instrument sounds. Times in ms; `sustain` is the level held after the decay, 0..1."""

    harmonics: np.ndarray  # amplitudes of the 1st, 2nd, … harmonic
    attack: float
    decay: float
    sustain: float
    release: float = 40.0
    dulling: float = 0.0  # how fast the upper harmonics die, 1/s
    vibrato_hz: float = 5.5
    vibrato: float = 0.0  # depth in semitones
    detune: float = 0.0  # of a second voice, in semitones
    drive: float = 0.0
    breath: float = 0.0  # noise beside the tone
    formants: tuple[float, ...] = ()  # Hz


Range = tuple[float, float]
_NONE: Range = (0.0, 0.0)


@dataclass(frozen=True)
class Family:
    """The ranges from which the timbres of like instruments are drawn; fields as in `Timbre`."""

    roll_off: Range  # harmonic n has amplitude n ** -roll_off
    attack: Range
    decay: Range
    sustain: Range = _NONE
    dulling: Range = _NONE
    vibrato: Range = _NONE
    detune: Range = _NONE
    drive: Range = _NONE
    breath: Range = _NONE
    odd: bool = False  # hardly any even harmonics
    voiced: bool = False  # with formants


FAMILIES = {
    "pluck": Family((0.8, 1.6), (1, 2), (60, 220), (0, 0.05), dulling=(4, 20), detune=(0, 0.1), drive=(0, 0.6)),
    "piano": Family((1.2, 2.0), (1, 3), (250, 700), (0, 0.1), dulling=(2, 8), detune=(0, 0.05), breath=(0, 0.01)),
    "bell": Family((0.3, 0.9), (1, 2), (200, 800), dulling=(3, 9), detune=(0, 0.04), odd=True),
    "saw": Family((0.9, 1.3), (1, 8), (150, 500), (0.5, 0.9), (0, 2), (0, 0.2), (0.05, 0.25), (0, 0.5), (0, 0.02)),
    "square": Family((0.9, 1.2), (1, 4), (150, 400), (0.5, 0.9), (0, 1), (0, 0.3), (0, 0.1), odd=True),
    "flute": Family((2.0, 3.0), (5, 20), (200, 400), (0.7, 0.95), vibrato=(0.1, 0.35), breath=(0.02, 0.1)),
    "voice": Family((0.7, 1.2), (5, 22), (200, 500), (0.7, 0.95), _NONE, (0.15, 0.5), (0, 0.1), _NONE, (0.01, 0.05),
                    voiced=True),
    "guitar": Family((0.7, 1.1), (1, 4), (300, 900), (0.3, 0.8), (1, 4), (0, 0.2), (0, 0.12), (2, 8), (0, 0.02)),
    "strings": Family((1.0, 1.5), (10, 40), (300, 600), (0.8, 1.0), _NONE, (0.1, 0.3), (0.06, 0.2), breath=(0, 0.03)),
    "organ": Family((0.6, 1.6), (2, 8), (100, 200), (0.9, 1.0), vibrato=(0, 0.2), detune=(0, 0.06), drive=(0, 1)),
    "bass": Family((1.0, 2.2), (1, 4), (120, 500), (0.3, 0.8), (2, 8), detune=(0, 0.08), drive=(0, 2)),
}  # fmt: skip
LEADS = ("pluck", "piano", "bell", "saw", "square", "flute", "voice", "guitar", "strings", "organ")
PADS = ("strings", "organ", "saw", "voice", "piano")


def draw_timbre(rng: np.random.Generator, family: str) -> Timbre:
    """An instrument of that family, never twice the same."""
    ranges = FAMILIES[family]
    number = np.arange(1, _HARMONICS + 1)
    harmonics = number ** -rng.uniform(*ranges.roll_off) * rng.uniform(0.35, 1.0, _HARMONICS)
    if ranges.odd:
        harmonics[1::2] *= rng.uniform(0, 0.15)
    formants = tuple(rng.uniform(*hz) for hz in _FORMANT_HZ) if ranges.voiced else ()
    drawn = ("attack", "decay", "sustain", "dulling", "vibrato", "detune", "drive", "breath")
    return Timbre(
        harmonics,
        release=rng.uniform(20, 80),
        vibrato_hz=rng.uniform(4.5, 6.5),
        formants=formants,
        **{name: rng.uniform(*getattr(ranges, name)) for name in drawn},
    )


def _table(amplitudes: np.ndarray) -> np.ndarray:
    """One cycle of a wave from the amplitudes of its harmonics, with phases that keep the peak low."""
    spectrum = np.zeros(TABLE_SIZE // 2 + 1, dtype=np.complex128)
    number = np.arange(1, len(amplitudes) + 1)
    spectrum[1 : len(amplitudes) + 1] = amplitudes * np.exp(-1j * (np.pi / 2 + 0.3 * number * (number - 1)))
    wave = np.fft.irfft(spectrum, TABLE_SIZE)
    return (wave / (np.abs(wave).max() + 1e-12)).astype(np.float32)


def tone(timbre: Timbre, pitch: float, duration_ms: float, sample_rate: int) -> Samples:
    """A note of that MIDI pitch (69 = 440 Hz), held for the duration and then released; about peak 1."""
    hz = 440.0 * 2 ** ((pitch - 69) / 12)
    hold = max(int(duration_ms * sample_rate / 1000), 32)
    release = max(int(timbre.release * sample_rate / 1000), 16)
    n = hold + release
    seconds = np.arange(n, dtype=np.float32) / sample_rate
    partials = hz * np.arange(1, _HARMONICS + 1)
    amplitudes = timbre.harmonics * (partials < sample_rate * 0.46)
    if timbre.formants:
        resonance = sum(np.exp(-(((partials - f) / (0.13 * f + 60)) ** 2)) for f in timbre.formants)
        amplitudes = amplitudes * (0.12 + resonance)
    phase = hz * seconds
    if timbre.vibrato:
        depth_hz = hz * timbre.vibrato * np.log(2) / 12
        onset = np.minimum(1, seconds / 0.3)  # vibrato grows, as singers and players do
        phase = phase - onset * depth_hz / (2 * np.pi * timbre.vibrato_hz) * np.cos(
            2 * np.pi * timbre.vibrato_hz * seconds
        )
    bright = _table(amplitudes)
    index = (phase * TABLE_SIZE).astype(np.int32) & (TABLE_SIZE - 1)
    wave = bright[index]
    if timbre.dulling:
        dull = _table(amplitudes * np.exp(-0.35 * np.arange(_HARMONICS)))[index]
        wave = dull + (wave - dull) * np.exp(-timbre.dulling * seconds)
    if timbre.detune:
        second = phase * 2 ** (timbre.detune / 12) + 0.37
        wave = 0.65 * wave + 0.5 * bright[(second * TABLE_SIZE).astype(np.int32) & (TABLE_SIZE - 1)]
    if timbre.drive:
        wave = np.tanh(wave * (1 + timbre.drive)) * 0.8
    if timbre.breath:
        wave = wave + timbre.breath * np.random.default_rng(int(pitch * 8)).standard_normal(n, dtype=np.float32)
    attack = max(int(timbre.attack * sample_rate / 1000), _FADE_IN_SAMPLES)
    envelope = timbre.sustain + (1 - timbre.sustain) * np.exp(-seconds * (1000 / timbre.decay))
    envelope[:attack] *= np.linspace(0, 1, attack, dtype=np.float32)[: len(envelope)]
    envelope[hold:] *= np.linspace(1, 0, release, dtype=np.float32)
    return (wave * envelope).astype(np.float32)
