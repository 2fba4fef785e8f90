"""Adam's two moving averages, as both of our optimisers keep them: of the gradient and of its square."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def moments(
    parameters: list[Tensor], states: list[dict[str, Any]], names: tuple[str, str], betas: tuple[float, float]
) -> tuple[list[Tensor], list[Tensor], list[float]]:
    """Takes the gradients in, and returns both averages and the number of steps of each parameter.

    Args:
        states: of each parameter; gets `step` and the two `names` at its first step, all tensors.
    """
    for parameter, state in zip(parameters, states, strict=True):
        if not state:
            state["step"] = torch.tensor(0.0)
            for name in names:
                state[name] = torch.zeros_like(parameter)
    gradients = [p.grad for p in parameters]
    first, second = ([s[name] for s in states] for name in names)
    steps = [s["step"] for s in states]
    torch._foreach_add_(steps, 1)
    torch._foreach_lerp_(first, gradients, 1 - betas[0])
    torch._foreach_mul_(second, betas[1])
    torch._foreach_addcmul_(second, gradients, gradients, 1 - betas[1])
    return first, second, [float(s) for s in steps]
