"""Which time steps of a window lie on ticks of the beat grid, and how likely a human map uses each of them.

Three things weigh the ticks: a prior, how often human osu! maps of that star rating have an onset on such a tick
(counted over the training split, `OCCUPANCY`); the audio, how strongly the song sounds there; and the model's onset
head, where it has one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from osuT5.audio import Song
from osuT5.beatmap import TimingPoint
from osuT5.events import TIME_STEP_MS
from osuT5.timing import find_onsets, to_song

# Onsets (heads, repeats, ends) per tick in human osu! maps with one red line, by star rating (upper bound):
# on beats, half beats, quarters, thirds.
OCCUPANCY = {
    2.0: (0.591, 0.096, 0.006, 0.001),
    3.0: (0.697, 0.279, 0.011, 0.002),
    4.0: (0.793, 0.622, 0.095, 0.010),
    5.0: (0.844, 0.713, 0.199, 0.029),
    6.5: (0.860, 0.771, 0.211, 0.011),
    99.0: (0.857, 0.767, 0.354, 0.024),
}
TWELFTHS = {0: 0, 6: 1, 3: 2, 9: 2, 4: 3, 8: 3}  # place in the beat -> column of OCCUPANCY
ROUNDING_MS = 1.0  # mappers' editors round ticks up or down
SOUND_REACH_MS = 15.0
QUIET = 0.1  # of the mean: below it quiet is quiet
TYPICAL_STARS = 4.0
LEAST_PROBABILITY = 0.02  # of an onset: the head may miss what it was not trained on

AudioSalience = Callable[[np.ndarray], np.ndarray]


def audio_salience(song: Song) -> AudioSalience:
    """A function that says how strongly onsets sound near times on the game clock, relative to the song's mean."""
    onsets = find_onsets(song.samples, song.sample_rate)
    strength = onsets.strength
    reach = max(1, round(SOUND_REACH_MS / onsets.period_ms))
    padded = np.pad(strength, reach)
    peaks = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1).max(axis=1)
    mean = float(peaks.mean()) or 1.0

    def at(times_ms: np.ndarray) -> np.ndarray:
        index = np.round((to_song(times_ms) - onsets.first_ms) / onsets.period_ms).astype(int)
        inside = (index >= 0) & (index < len(peaks))
        return np.where(inside, peaks[index.clip(0, len(peaks) - 1)] / mean, 0.0)

    return at


@dataclass(frozen=True)
class OnsetLogits:
    """Output of the model's onset head for a window: a logit for each slice of time, shape (slices,)."""

    logits: np.ndarray
    slice_ms: float

    def probability(self, times_ms: np.ndarray) -> np.ndarray:
        """Of an onset at times since the window's start: that of the slice and its two neighbours together."""
        p = np.pad(1 / (1 + np.exp(-self.logits.astype(np.float64))), 1)
        at = (times_ms / self.slice_ms).astype(int).clip(0, len(self.logits) - 1) + 1
        return (p[at - 1] + p[at] + p[at + 1]).clip(LEAST_PROBABILITY, 1.0)


class TickWeights:
    """Log weights of the time steps of any window of a song.

    Args:
        timing: red lines, sorted; before the first one its grid goes on backwards.
        stars: asked-for star rating, None = typical.
        prior_weight, audio_weight, onset_weight: exponents of the three; 0 leaves one out.
    """

    def __init__(
        self,
        timing: Sequence[TimingPoint],
        stars: float | None,
        salience: AudioSalience | None,
        prior_weight: float = 1.0,
        audio_weight: float = 1.0,
        onset_weight: float = 1.0,
    ):
        self.timing, self.salience = list(timing), salience
        self.audio_weight, self.onset_weight = audio_weight, onset_weight
        wanted = TYPICAL_STARS if stars is None else stars
        row = next(row for limit, row in OCCUPANCY.items() if wanted <= limit)
        self.prior = prior_weight * np.log(np.array(row) / max(row))

    def window(self, start_ms: float, length_ms: float, max_step: int, onsets: OnsetLogits | None = None) -> np.ndarray:
        """Weights of the steps 0..max_step, -inf where no tick lies; shape (max_step + 1,), float32."""
        weights = np.full(max_step + 1, -np.inf, dtype=np.float32)
        for number, line in enumerate(self.timing):
            begin = line.time if number else -np.inf
            end = self.timing[number + 1].time if number + 1 < len(self.timing) else np.inf
            low, high = max(begin, start_ms), min(end, start_ms + length_ms + TIME_STEP_MS)
            if low >= high:
                continue
            part = line.beat_length / 12
            numbers = np.arange(np.ceil((low - line.time) / part - 1e-6), np.ceil((high - line.time) / part - 1e-6))
            columns = np.array([TWELFTHS.get(int(n) % 12, -1) for n in numbers], dtype=int)
            times = line.time + numbers[columns >= 0] * part
            value = self.prior[columns[columns >= 0]]
            if self.salience is not None and self.audio_weight:
                value = value + self.audio_weight * np.log((QUIET + self.salience(times)) / (QUIET + 1))
            if onsets is not None and self.onset_weight:
                value = value + self.onset_weight * np.log(onsets.probability(times - start_ms))
            for shift in (-ROUNDING_MS, 0.0, ROUNDING_MS):
                moved = times + shift - start_ms
                steps = (moved / TIME_STEP_MS).astype(int)
                fits = (moved >= 0) & (steps <= max_step)
                np.maximum.at(weights, steps[fits], value[fits].astype(np.float32))
        return weights
