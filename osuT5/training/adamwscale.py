"""AdamW whose step is as large as the parameter: the optimiser of the published models v28 and v29.

Facts: the published training runs: eps 1e-6 beside the root, rate times max(1e-3, RMS of the parameter before the
step), and decay after the step, which does not scale with the RMS.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from osuT5.training.moments import moments

EPS = 1e-6
SMALLEST_SCALE = 1e-3


class AdamWScale(torch.optim.Optimizer):
    """Groups are dicts of `params`, `lr`, `weight_decay`, `betas`. State, all tensors: step, exp_avg, exp_avg_sq."""

    def __init__(self, groups: Iterable[dict[str, Any]]):
        super().__init__(list(groups), {"lr": 1e-2, "weight_decay": 0.0, "betas": (0.9, 0.999)})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            parameters = [p for p in group["params"] if p.grad is not None]
            if parameters:
                self._step_group(parameters, group)
        return loss

    def _step_group(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        beta1, beta2 = group["betas"]
        states = [self.state[p] for p in parameters]
        first, second, taken = moments(parameters, states, ("exp_avg", "exp_avg_sq"), group["betas"])
        divisors = torch._foreach_sqrt(second)
        torch._foreach_add_(divisors, EPS)
        updates = torch._foreach_div(first, divisors)
        # the norms stay on the device: reading them would stall it once for every parameter
        scales = torch._foreach_norm(parameters)
        torch._foreach_mul_(scales, [1 / math.sqrt(p.numel()) for p in parameters])
        torch._foreach_clamp_min_(scales, SMALLEST_SCALE)
        torch._foreach_mul_(scales, [-group["lr"] * math.sqrt(1 - beta2**t) / (1 - beta1**t) for t in taken])
        torch._foreach_mul_(updates, scales)
        torch._foreach_add_(parameters, updates)
        if group["weight_decay"]:
            torch._foreach_mul_(parameters, 1 - group["lr"] * group["weight_decay"])
