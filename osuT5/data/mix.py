"""The mixing desk of rendered songs: sounds are added to two buses, which become one finished signal."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from osuT5.data import sounds
from osuT5.timing import GAME_CLOCK_LEAD_MS

_LONGEST_NOTE_MS = 4000.0
_NOTE_STEP_MS = 30.0  # tones of like duration are shared


@dataclass
class Mix:
    """Where the sounds of a song go: dry and wet (with reverberation) buses."""

    sample_rate: int
    dry: np.ndarray
    wet: np.ndarray
    lead_ms: float = GAME_CLOCK_LEAD_MS
    tones: dict[tuple, np.ndarray] = field(default_factory=dict)

    def add(self, sound: np.ndarray, time_ms: float, gain: float, wet: bool = False) -> None:
        """Add a sound that begins at this time of the game clock; what falls outside the song is cut."""
        bus = self.wet if wet else self.dry
        start = int(round((time_ms + self.lead_ms) * self.sample_rate / 1000))
        skip = max(-start, 0)
        start += skip
        length = min(len(sound) - skip, len(bus) - start)
        if length > 0:
            bus[start : start + length] += sound[skip : skip + length] * np.float32(gain)

    def play(
        self, timbre: sounds.Timbre, pitch: int, duration_ms: float, time_ms: float, gain: float, wet: bool = False
    ) -> None:
        """Add a tone that is heard to begin at this time: half of its attack comes before."""
        steps = max(int(round(min(duration_ms, _LONGEST_NOTE_MS) / _NOTE_STEP_MS)), 1)
        key = (id(timbre), pitch, steps)
        if key not in self.tones:
            self.tones[key] = sounds.tone(timbre, pitch, steps * _NOTE_STEP_MS, self.sample_rate)
        self.add(self.tones[key], time_ms - timbre.attack / 2, gain, wet)


def master(mix: Mix, rng: np.random.Generator) -> np.ndarray:
    """Reverberation, tone colour, noise, saturation, level: one float32 array, peak below 1."""
    rate, wet = mix.sample_rate, mix.wet
    out = mix.dry
    out += wet
    room = rng.uniform(0, 0.35)
    source = wet + np.float32(0.3) * mix.dry if room > 0.05 else wet
    for delay_ms in np.sort(rng.uniform(18, 260, 7)):
        delay = int(delay_ms * rate / 1000)
        gain = np.float32(room * np.exp(-delay_ms / 120) * rng.choice((-1, 1)))
        if delay < len(out):
            out[delay:] += gain * source[:-delay]
    tilt = rng.uniform(-0.55, 0.6)  # below 0 darker, above 0 brighter
    zeros, poles = ([1.0], [1.0, tilt]) if tilt < 0 else ([1.0, -tilt], [1.0])
    from scipy.signal import lfilter

    out = lfilter(np.float32(zeros), np.float32(poles), out).astype(np.float32, copy=False)
    level = float(np.sqrt(np.mean(np.square(out[::7])))) + 1e-6
    noise = rng.standard_normal(min(len(out), 1 << 17), dtype=np.float32)
    out += np.resize(noise, len(out)) * np.float32(level * 10 ** rng.uniform(-3.2, -1.2))
    peak = float(np.abs(out).max()) + 1e-9
    drive = rng.uniform(0.6, 2.5)
    out *= np.float32(drive / peak)
    np.tanh(out, out=out)
    out *= np.float32(rng.uniform(0.25, 0.97) / (float(np.abs(out).max()) + 1e-9))
    return out
