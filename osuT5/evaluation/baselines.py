"""What a rhythm score is worth: the scores of rhythms that never heard the song, but know its true beats.

They get as many onsets as the map that they are compared with, in the same stretch of the song.
"""

from __future__ import annotations

import numpy as np

from osuT5.beatmap import TimingLines
from osuT5.evaluation.grid import beats
from osuT5.evaluation.rhythm import nearest_in_density, score

DRAWS = 20


def random_quarters(count: int, timing: TimingLines, span: tuple[float, float], theirs: np.ndarray, seed: int) -> float:
    """Mean F1 of `count` quarters of beats drawn without heed from a stretch (ms)."""
    quarters = beats(timing, *span, divisor=4)
    if not len(quarters) or not count:
        return 0.0
    rng = np.random.default_rng([seed, count])
    draws = (rng.choice(quarters, min(count, len(quarters)), replace=False) for _ in range(DRAWS))
    return float(np.mean([score(np.sort(draw), theirs).f1 for draw in draws]))


def steady(count: int, timing: TimingLines, span: tuple[float, float], theirs: np.ndarray) -> float:
    """F1 of every beat or every half beat, whichever is nearer in count."""
    choices = [beats(timing, *span, divisor=divisor) for divisor in (1, 2)]
    return score(choices[nearest_in_density(count, [len(c) for c in choices])], theirs).f1
