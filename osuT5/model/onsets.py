"""What the encoder hears of the rhythm: log odds that a map has an onset in each slice of time.

A small head on the encoder, trained beside the decoder on where the times of the map lie. It makes the encoder listen
for what mappers follow much sooner than the decoder alone would, and weighs the ticks of the beat grid when maps are
made. Published models have none.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from osuT5.events import TIME_STEP_MS

SLICES = 2  # of time in one position of the encoder
HIDDEN = 128
INIT_STD = 0.02


class OnsetHead(nn.Module):
    """(B, S, D) encoder output and (B, D) what the prompt says -> (B, S * SLICES) log odds."""

    def __init__(self, d_model: int):
        super().__init__()
        self.heard = nn.Linear(d_model, HIDDEN)
        self.told = nn.Linear(d_model, HIDDEN, bias=False)
        self.odds = nn.Linear(HIDDEN, SLICES)
        for layer in (self.heard, self.told, self.odds):
            nn.init.normal_(layer.weight, std=INIT_STD)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)

    def forward(self, heard: Tensor, told: Tensor) -> Tensor:
        told = F.layer_norm(told, told.shape[-1:])
        hidden = F.gelu(self.heard(heard) + self.told(told).unsqueeze(1))
        return self.odds(hidden).flatten(1)


def conditions_mean(embedded: Tensor, ids: Tensor, start_id: int, pad_id: int) -> Tensor:
    """Mean embedding of the ids before the start id: the conditions of a prompt without input contexts; (B, D)."""
    before = ((ids == start_id).cumsum(1) == 0) & (ids != pad_id)
    weights = before.to(embedded.dtype).unsqueeze(-1)
    return (embedded * weights).sum(1) / weights.sum(1).clamp_min(1)


def onset_targets(
    labels: Tensor, marks: tuple[int, int], times: tuple[int, int], slices: int, slice_ms: float
) -> Tensor:
    """(B, slices) float 0 or 1: where the labels of the map have times; -1 in rows without a map.

    Args:
        labels: (B, T).
        marks: ids of the start and the end of the map context. times: first id of time steps and the end of the range.
    """
    opened = (labels == marks[0]).cumsum(1)
    inside = (opened > 0) & ((labels == marks[1]).cumsum(1) == 0)
    is_time = inside & (labels >= times[0]) & (labels < times[1])
    moments = (labels - times[0]).float() * TIME_STEP_MS + TIME_STEP_MS / 2
    places = (moments / slice_ms).long().clamp(0, slices - 1)
    found = torch.zeros(labels.shape[0], slices + 1, device=labels.device)
    found.scatter_(1, torch.where(is_time, places, slices), 1.0)
    targets = found[:, :slices]
    return torch.where(opened[:, -1:] > 0, targets, -1.0)


def onset_loss(odds: Tensor, targets: Tensor) -> Tensor:
    """Binary cross-entropy, the mean over slices and then over all rows; rows without a map count as 0."""
    known = (targets >= 0).to(odds.dtype)
    losses = F.binary_cross_entropy_with_logits(odds.float(), targets.clamp_min(0), reduction="none")
    return (losses * known).mean()
