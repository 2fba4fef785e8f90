"""Muon with its inner AdamW as one optimiser; matrices of one shape are orthogonalised together.

Facts: the published training runs: momentum 0.95 with Nesterov, six Newton-Schulz steps in bfloat16, rate times
sqrt(max(1, rows / columns)); the inner AdamW does not correct its eps for bias. Groups may ask for float32, in which
the last bits of a gradient, which depend on how a batch was shared out, stay last bits. With several processes each
orthogonalises its share of the matrices and they exchange the results.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from osuT5.training.moments import moments

MOMENTUM = 0.95
NEWTON_SCHULZ_STEPS = 6
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
NORM_EPS = 1e-7
ADAM_EPS = 1e-8
# elements of one stack: bounds the memory that a step takes beside the state (three copies)
STACK_ELEMENTS = 1 << 25


def newton_schulz(
    matrices: Tensor, steps: int = NEWTON_SCHULZ_STEPS, dtype: torch.dtype = torch.bfloat16
) -> Tensor:
    """Moves the singular values of each matrix towards 1.

    Args:
        matrices: (..., rows, columns).
        dtype: what is calculated in.

    Returns:
        Of that type and the same shape.
    """
    a, b, c = COEFFICIENTS
    x = matrices.to(dtype)
    x = x / (torch.linalg.vector_norm(x, dim=(-2, -1), keepdim=True) + NORM_EPS)
    tall = x.shape[-2] > x.shape[-1]
    if tall:
        x = x.mT.contiguous()  # products of transposed views are a quarter slower
    for _ in range(steps):
        gram = x @ x.mT
        # the order of these products is part of the recipe: bfloat16 rounds after each
        x = a * x + (b * gram + (c * gram) @ gram) @ x
    return x.mT if tall else x


class Muon(torch.optim.Optimizer):
    """Groups with `matrices=True` are stepped by Muon, all others by AdamW.

    Args:
        groups: dicts of `params`, `lr`, `weight_decay` and `matrices`; AdamW's also `betas`, Muon's also `dtype`.

    State, all tensors: `momentum_buffer` (rows, columns) of a matrix, with all dimensions after the first as columns;
    `step`, `moment1`, `moment2` of the others. Parameters without gradient are left alone.
    """

    def __init__(self, groups: Iterable[dict[str, Any]]):
        defaults = {"lr": 1e-3, "weight_decay": 0.0, "matrices": False, "betas": (0.9, 0.95), "dtype": torch.bfloat16}
        super().__init__(list(groups), defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            parameters = [p for p in group["params"] if p.grad is not None]
            if parameters:
                (self._step_matrices if group["matrices"] else self._step_adamw)(parameters, group)
        return loss

    def _step_matrices(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        gradients = [p.grad.flatten(1) for p in parameters]
        buffers = []
        for p, gradient in zip(parameters, gradients, strict=True):
            state = self.state[p]
            if not state:
                state["momentum_buffer"] = torch.zeros_like(gradient)
            buffers.append(state["momentum_buffer"])
        torch._foreach_mul_(buffers, MOMENTUM)
        torch._foreach_add_(buffers, gradients)
        updates = torch._foreach_add(gradients, buffers, alpha=MOMENTUM)
        if group["weight_decay"]:
            torch._foreach_mul_(parameters, 1 - group["lr"] * group["weight_decay"])
        for numbers in _stacks(updates):
            rows, columns = updates[numbers[0]].shape
            rate = group["lr"] * math.sqrt(max(1.0, rows / columns))
            directions = _orthogonalise([updates[i] for i in numbers], group["dtype"])
            for i, direction in zip(numbers, directions, strict=True):
                parameters[i].add_(direction.view_as(parameters[i]), alpha=-rate)

    def _step_adamw(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        beta1, beta2 = group["betas"]
        states = [self.state[p] for p in parameters]
        first, second, taken = moments(parameters, states, ("moment1", "moment2"), group["betas"])
        if group["weight_decay"]:
            torch._foreach_mul_(parameters, 1 - group["lr"] * group["weight_decay"])
        divisors = torch._foreach_sqrt(second)
        torch._foreach_add_(divisors, ADAM_EPS)
        rates = [-group["lr"] * math.sqrt(1 - beta2**t) / (1 - beta1**t) for t in taken]
        torch._foreach_addcdiv_(parameters, first, divisors, rates)


def _stacks(matrices: list[Tensor]) -> list[list[int]]:
    """Indices of matrices that are worked on together: same shape, at most `STACK_ELEMENTS`."""
    by_shape: dict[Any, list[int]] = defaultdict(list)
    for i, matrix in enumerate(matrices):
        by_shape[(matrix.shape, matrix.device)].append(i)
    stacks = []
    for (shape, _), numbers in by_shape.items():
        size = max(1, STACK_ELEMENTS // max(shape.numel(), 1))
        stacks += [numbers[i : i + size] for i in range(0, len(numbers), size)]
    return stacks


def _orthogonalise(matrices: list[Tensor], dtype: torch.dtype) -> Tensor:
    """(n, rows, columns) of that type; with several processes each does its share, and all get the same numbers.

    All processes must come with the same matrices, which they do where gradients are averaged over them.
    """
    if not (dist.is_available() and dist.is_initialized()) or dist.get_world_size() == 1:
        return newton_schulz(torch.stack(matrices), dtype=dtype)
    world, rank = dist.get_world_size(), dist.get_rank()
    share = -(-len(matrices) // world)
    own = matrices[rank * share : (rank + 1) * share]
    part = torch.zeros(share, *matrices[0].shape, dtype=dtype, device=matrices[0].device)
    if own:
        part[: len(own)] = newton_schulz(torch.stack(own), dtype=dtype)
    gathered = torch.empty(world * share, *matrices[0].shape, dtype=dtype, device=part.device)
    dist.all_gather_into_tensor(gathered, part)
    return gathered[: len(matrices)]
