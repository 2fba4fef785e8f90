"""Which time steps of a window lie on ticks of the beat grid, and how common their divisor is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from osuT5.beatmap import TimingPoint
from osuT5.events import TIME_STEP_MS

# Log weight of ticks by divisor: the share of objects on the rarer divisors in human maps is small.
DIVISOR_WEIGHTS = {4: 0.0, 3: -1.5, 6: -3.0, 8: -3.5}
ROUNDING_MS = 1.0  # mappers' editors round ticks up or down


def grid_weights(timing: Sequence[TimingPoint], window_start_ms: float, window_ms: float, max_step: int) -> np.ndarray:
    """Log weights of the time steps 0..max_step of a window; -inf where no tick lies.

    Args:
        timing: red lines, sorted; before the first one its grid goes on backwards.
    Returns: shape (max_step + 1,), float32.
    """
    weights = np.full(max_step + 1, -np.inf, dtype=np.float32)
    window_end = window_start_ms + window_ms
    for number, line in enumerate(timing):
        begin = line.time if number else -np.inf
        end = timing[number + 1].time if number + 1 < len(timing) else np.inf
        low, high = max(begin, window_start_ms), min(end, window_end + TIME_STEP_MS)
        if low >= high:
            continue
        for divisor, weight in DIVISOR_WEIGHTS.items():
            tick = line.beat_length / divisor
            numbers = np.arange(np.ceil((low - line.time) / tick - 1e-6), np.ceil((high - line.time) / tick - 1e-6))
            times = line.time + numbers * tick - window_start_ms
            for shift in (-ROUNDING_MS, 0.0, ROUNDING_MS):
                steps = ((times + shift) / TIME_STEP_MS).astype(int)
                steps = steps[(times + shift >= 0) & (steps <= max_step)]
                weights[steps] = np.maximum(weights[steps], weight)
    return weights
