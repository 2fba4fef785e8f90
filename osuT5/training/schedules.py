"""Learning-rate schedules: pure functions of the step, so that resuming needs no state."""

from __future__ import annotations

import math


def learning_rate(step: int, *, base: float, warmup: int, total: int, decay: int, final: float = 0.0) -> float:
    """Linear warm-up, constant, then a cosine down to `final` over the last `decay` of `total` steps.

    Args:
        step: 1 is the first step; past `total` the rate stays at `final`.
    """
    if warmup > 0 and step <= warmup:
        return base * step / warmup
    begin = total - decay
    if decay <= 0 or step <= begin:
        return base
    progress = min((step - begin) / decay, 1.0)
    return final + (base - final) * 0.5 * (1 + math.cos(math.pi * progress))
