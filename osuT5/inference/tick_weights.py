"""Which time steps of a window lie on ticks of the beat grid, and how likely a human map uses each of them.

Three things weigh the ticks: how often human osu! maps of that star rating have an onset on such a tick (counted over
the training split, `OCCUPANCY`), how strongly the song sounds there, and the odds that the model's encoder hears an
onset of such a map there, where the model has a head for that.
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
LEAST_CHANCE = 0.02  # of an onset: the encoder may be deaf to what it was not trained on

Loudness = Callable[[np.ndarray], np.ndarray]


def loudness_of(song: Song) -> Loudness:
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
class OnsetOdds:
    """What the encoder hears in a window: log odds of an onset in each slice of time, shape (slices,)."""

    odds: np.ndarray
    slice_ms: float

    def probability(self, times_ms: np.ndarray) -> np.ndarray:
        """Of an onset at times since the window's start: that of the slice and its two neighbours together."""
        chances = np.pad(1 / (1 + np.exp(-self.odds.astype(np.float64))), 1)
        at = (times_ms / self.slice_ms).astype(int).clip(0, len(self.odds) - 1) + 1
        return (chances[at - 1] + chances[at] + chances[at + 1]).clip(LEAST_CHANCE, 1.0)


class TickWeights:
    """Log weights of the time steps of any window of a song.

    Args:
        timing: red lines, sorted; before the first one its grid goes on backwards.
        stars: asked-for star rating, None = typical.
        habit, hearing, onsets: how much each counts; 0 leaves one out.
    """

    def __init__(
        self,
        timing: Sequence[TimingPoint],
        stars: float | None,
        loudness: Loudness | None,
        habit: float = 1.0,
        hearing: float = 1.0,
        onsets: float = 1.0,
    ):
        self.timing, self.loudness, self.hearing, self.onsets = list(timing), loudness, hearing, onsets
        wanted = TYPICAL_STARS if stars is None else stars
        row = next(row for limit, row in OCCUPANCY.items() if wanted <= limit)
        self.habits = habit * np.log(np.array(row) / max(row))

    def window(self, start_ms: float, length_ms: float, max_step: int, onsets: OnsetOdds | None = None) -> np.ndarray:
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
            value = self.habits[columns[columns >= 0]]
            if self.loudness is not None and self.hearing:
                value = value + self.hearing * np.log((QUIET + self.loudness(times)) / (QUIET + 1))
            if onsets is not None and self.onsets:
                value = value + self.onsets * np.log(onsets.probability(times - start_ms))
            for shift in (-ROUNDING_MS, 0.0, ROUNDING_MS):
                moved = times + shift - start_ms
                steps = (moved / TIME_STEP_MS).astype(int)
                fits = (moved >= 0) & (steps <= max_step)
                np.maximum.at(weights, steps[fits], value[fits].astype(np.float32))
        return weights
