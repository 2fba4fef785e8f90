"""Rotary position embedding, half-split convention: angle pos * base^(-2i/d), the second half repeats the first.

Facts: the published RoPE and Var models. Tables are made in float32 when first needed and kept per device; they are
functions of the settings, so they are neither parameters nor buffers. The sine of the first half is stored negated:
then rotating is `x * cos + x rolled by half * sin`.
"""

from __future__ import annotations

import torch
from torch import Tensor

from osuT5.model.families import RotarySettings


class RotaryTable:
    """Cosines and signed sines for one side of the model."""

    def __init__(self, settings: RotarySettings, head_dim: int):
        self.settings = settings
        self.head_dim = head_dim
        self._tables: dict[tuple, Tensor] = {}

    def lookup(self, length: int, device: torch.device, dtype: torch.dtype) -> Tensor:
        """(2, n >= length, head_dim): cos and signed sin of positions 0...

        `dynamic` tables stretch only when a call is longer than the trained range, and only for that call.
        """
        trained = self.settings.max_length
        size = max(length, trained)
        if self.settings.kind != "dynamic":
            size = _round_up(size)
        key = (size, device, dtype)
        if key not in self._tables:
            with torch.inference_mode(False):
                self._tables[key] = self._build(size).to(device=device, dtype=dtype)
        return self._tables[key]

    def _build(self, length: int) -> Tensor:
        settings, d = self.settings, self.head_dim
        base = settings.theta
        if settings.kind == "dynamic" and length > settings.max_length:
            stretch = settings.factor * length / settings.max_length - (settings.factor - 1)
            base *= stretch ** (d / (d - 2))
        frequencies = 1.0 / base ** (torch.arange(0, d, 2, dtype=torch.float32) / d)
        if settings.kind == "linear":
            frequencies = frequencies / settings.factor
        angles = torch.outer(torch.arange(length, dtype=torch.float32), frequencies)
        cos, sin = angles.cos(), angles.sin()
        return torch.stack((torch.cat((cos, cos), -1), torch.cat((-sin, sin), -1)))


def _round_up(length: int) -> int:
    return -(-length // 256) * 256


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """(..., d) rotated; cos and sin broadcast against x."""
    return torch.addcmul(x * cos, x.roll(x.shape[-1] // 2, -1), sin)
