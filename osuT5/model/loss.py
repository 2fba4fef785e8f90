"""Weighted cross-entropy of the published training runs.

Facts: ids of the time-shift range weigh `rhythm_weight`; the sum is divided by the plain count of labels, not by
the sum of weights, so loss values compare between models only where the weights agree. Label smoothing is honoured
(the published models were, as far as their code shows, trained without).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

IGNORED = -100


def token_loss(
    logits: Tensor, labels: Tensor, class_weights: Tensor | None = None, label_smoothing: float = 0.0
) -> Tensor:
    """Loss of every token, 0 where the label is -100.

    Args:
        logits: (..., V).
        labels: (...) in [0, V) or -100.
        class_weights: (V,) or None for ones.
        label_smoothing: share of the target spread over all classes, each with its own weight.

    Returns:
        (...) float32.
    """
    flat = F.cross_entropy(
        logits.reshape(-1, logits.shape[-1]).float(),
        labels.reshape(-1),
        weight=class_weights,
        ignore_index=IGNORED,
        reduction="none",
        label_smoothing=label_smoothing,
    )
    return flat.view(labels.shape)


def mean_loss(losses: Tensor, labels: Tensor, sample_weights: Tensor | None = None) -> Tensor:
    """Mean of (B, T) token losses over the labels that count; `sample_weights` (B,) scale rows, not the divisor."""
    if sample_weights is not None:
        losses = losses * sample_weights.to(losses.dtype).unsqueeze(-1)
    return losses.sum() / (labels != IGNORED).sum().clamp_min(1)


def rhythm_weights(vocab_size: int, start: int, end: int, weight: float, device: torch.device) -> Tensor | None:
    """(V,) class weights: `weight` for ids in [start, end), else 1; None when all are 1."""
    if weight == 1.0 or start >= end:
        return None
    weights = torch.ones(vocab_size, device=device)
    weights[start:end] = weight
    return weights
