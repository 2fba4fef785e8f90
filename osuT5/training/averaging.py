"""Exponential moving average of the trained weights: what is exported, smoother than the last step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class WeightAverage:
    """Keeps `average = decay * average + (1 - decay) * weights`; the decay rises, so that the start is forgotten.

    Args:
        parameters: name -> parameter; decay 0 keeps no average, the weights themselves stand for it.
    """

    def __init__(self, parameters: Mapping[str, nn.Parameter], decay: float):
        self.parameters, self.decay, self.updates = dict(parameters), decay, 0
        self.weights: dict[str, Tensor] = {}
        if decay > 0:
            self.weights = {name: p.detach().clone() for name, p in self.parameters.items()}

    @torch.no_grad()
    def update(self) -> None:
        if not self.weights:
            return
        self.updates += 1
        weight = 1 - min(self.decay, (1 + self.updates) / (10 + self.updates))
        torch._foreach_lerp_(list(self.weights.values()), list(self.parameters.values()), weight)

    def load(self, weights: Mapping[str, Tensor], updates: int) -> None:
        for name, kept in self.weights.items():
            kept.copy_(weights[name])
        self.updates = updates

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Within the block the model has the averaged weights."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    @torch.no_grad()
    def _swap(self) -> None:
        for name, kept in self.weights.items():
            parameter = self.parameters[name]
            weights = parameter.detach().clone()
            parameter.copy_(kept)
            kept.copy_(weights)
