"""Which of several grids that fit a song equally well a mapper would choose: octave and half beat."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from osuT5.timing.comb import profile
from osuT5.timing.onset import Onsets

TYPICAL_BPM, BPM_SPREAD_OCTAVES = 150.0, 0.45


@dataclass(frozen=True)
class Candidate:
    """A possible grid, song clock. `score`: natural log odds; only differences matter."""

    beat_length: float
    offset_ms: float
    score: float = 0.0
    features: dict[str, float] = field(default_factory=dict, compare=False)

    @property
    def bpm(self) -> float:
        return 60000.0 / self.beat_length


def measure(onsets: Onsets, beat_length: float, offset_ms: float) -> dict[str, float]:
    out = {"tempo": (np.log2(60000.0 / beat_length / TYPICAL_BPM) / BPM_SPREAD_OCTAVES) ** 2 / -2}
    for name in ("strength", "low", "high", "energy"):
        values = getattr(onsets, name)
        mean = float(values.mean()) + 1e-9
        two = profile(onsets, values, 2 * beat_length)
        at = [float(two[int(round((offset_ms + k * beat_length / 4) / (2 * beat_length) * len(two))) % len(two)]) for k in range(8)]
        out[name + "_beat"] = np.log((at[0] + at[4]) / 2 / mean + 0.05)
        out[name + "_half"] = np.log((at[2] + at[6]) / 2 / mean + 0.05)
        out[name + "_quarter"] = np.log((at[1] + at[3] + at[5] + at[7]) / 4 / mean + 0.05)
        out[name + "_alt"] = abs(np.log((at[0] + 0.05 * mean) / (at[4] + 0.05 * mean)))
        out[name + "_halfalt"] = abs(np.log((at[2] + 0.05 * mean) / (at[6] + 0.05 * mean)))
    return out


def score_candidates(onsets: Onsets, candidates: list[Candidate]) -> list[Candidate]:
    out = []
    for c in candidates:
        f = measure(onsets, c.beat_length, c.offset_ms)
        s = f["tempo"] + 2 * f["strength_beat"] + f["low_beat"] - f["low_half"]
        out.append(replace(c, score=float(s), features=f))
    return out


def choose(candidates, score=None):
    ranked = sorted(candidates, key=lambda c: -c.score)
    return ranked[0], ranked
