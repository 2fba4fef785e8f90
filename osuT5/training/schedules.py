"""Learning-rate schedules: pure functions of the step, so that resuming needs no state.

Facts: the published schedules (golden table lr_schedules.json): the first step has half the rate, and past the end a
cosine rises again while a line stays. Steps are optimiser steps whatever the number of processes.
"""

from __future__ import annotations

import math

from osuT5.training.options import OptimOptions

WARMUP_START = 0.5


def learning_rate(step: int, base: float, settings: OptimOptions) -> float:
    """The rate of an optimiser step: linear warm-up, constant, then down to `final_cosine`.

    Args:
        step: 1 is the first step.
        base: peak rate of the parameter group; `final_cosine` is scaled by `base / base_lr`.
    """
    done = step - 1
    if done < settings.warmup_steps:
        return base * (WARMUP_START + (1 - WARMUP_START) * done / settings.warmup_steps)
    fallen, length = done - settings.warmup_steps - settings.sustained_steps, settings.falling_steps
    if fallen < 0:
        return base
    final = settings.final_cosine * (base / settings.base_lr)
    if length == 0:
        return final
    return final + (base - final) * SHAPES[settings.lr_scheduler](fallen / length)


def _cosine(progress: float) -> float:
    return 0.5 * (1 + math.cos(math.pi * progress))


def _linear(progress: float) -> float:
    return 1 - min(progress, 1.0)


# share of the way from the final rate to the peak, by progress in the falling part (0 at its start, 1 at its end)
SHAPES = {"cosine": _cosine, "linear": _linear}
