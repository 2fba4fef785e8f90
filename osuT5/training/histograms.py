"""Histograms of the stand-alone evaluation: where in a window, and by how much, predictions are wrong.

Facts: the published evaluator. `acc_over_time`: right labels by the time of the latest time token;
`timing_precision`: share of time labels that are off by -3..3 steps; `timing_acc_over_rhythm_complexity` and its
fuzzy twin: right time labels by the rhythm complexity of the map, which is its sample weight.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from osuT5.events import EventType, Profile, Vocabulary
from osuT5.events.profile import TIME_STEP_MS
from osuT5.model.loss import IGNORED
from osuT5.training.tally import Pair, Tally

TIME_BINS = 100
OFFSETS = np.arange(-3, 4)
COMPLEXITY_BINS, MAX_COMPLEXITY = 20, 4.0
FUZZY_STEPS = 2

ACC_OVER_TIME = "acc_over_time"
TIMING_PRECISION = "timing_precision"
COMPLEXITY = "timing_acc_over_rhythm_complexity"
FUZZY_COMPLEXITY = "fuzzy_timing_acc_over_rhythm_complexity"


class Histograms:
    """Counts into a tally as `<name>/<histogram>`; `described` makes them readable again."""

    def __init__(self, vocabulary: Vocabulary, profile: Profile):
        self.first = vocabulary.event_start[EventType.TIME_SHIFT]
        self.end = vocabulary.event_end[EventType.TIME_SHIFT]
        self.lowest_step = int(vocabulary.value_of_id[self.first])
        self.eos = vocabulary.eos_id
        self.window_ms = 1000 * profile.src_seq_len * profile.hop_length / profile.sample_rate
        self.axes: dict[str, dict[str, list[float]]] = {
            ACC_OVER_TIME: {"bin_upper_edges_ms": _edges(TIME_BINS, self.window_ms)},
            TIMING_PRECISION: {"offsets": OFFSETS.tolist()},
            COMPLEXITY: {"bin_upper_edges": _edges(COMPLEXITY_BINS, MAX_COMPLEXITY)},
            FUZZY_COMPLEXITY: {"bin_upper_edges": _edges(COMPLEXITY_BINS, MAX_COMPLEXITY)},
        }

    def update(self, tally: Tally, name: str, labels: Tensor, predictions: Tensor, weights: Tensor | None) -> None:
        """Counts (B, T) labels and predictions; `weights` (B,) are the maps' rhythm complexities."""
        timed = (labels >= self.first) & (labels < self.end)
        right = labels == predictions

        times = self._latest_times(labels, timed)
        counted = (labels != IGNORED) & (labels != self.eos)
        bins = _bins(times, TIME_BINS, self.window_ms)
        self._add(tally, f"{name}/{ACC_OVER_TIME}", bins[counted], right[counted], TIME_BINS)

        offsets = (predictions - labels)[timed]
        totals = np.array([int((offsets == offset).sum()) for offset in OFFSETS], dtype=np.float64)
        tally.add(f"{name}/{TIMING_PRECISION}", totals, np.full(len(OFFSETS), float(len(offsets))))

        if weights is not None:
            bins = _bins(weights.double(), COMPLEXITY_BINS, MAX_COMPLEXITY)[:, None].expand_as(labels)
            near = (predictions - labels).abs() <= FUZZY_STEPS
            self._add(tally, f"{name}/{COMPLEXITY}", bins[timed], right[timed], COMPLEXITY_BINS)
            self._add(tally, f"{name}/{FUZZY_COMPLEXITY}", bins[timed], near[timed], COMPLEXITY_BINS)

    def described(self, counts: dict[str, Pair]) -> dict[str, dict[str, Any]]:
        """{name: axis, totals, counts}, JSON-ready, of the histograms among a tally's counts."""
        return {
            name: {**self.axes[name.rsplit("/", 1)[-1]], "totals": total.tolist(), "counts": count.tolist()}
            for name, (total, count) in sorted(counts.items())
            if total.ndim == 1
        }

    def _latest_times(self, labels: Tensor, timed: Tensor) -> Tensor:
        """(B, T) ms in the window of the latest time label up to each place; 0 before the first."""
        places = torch.arange(labels.shape[1]).expand_as(labels)
        latest = torch.where(timed, places, -1).cummax(1).values
        times = (labels - self.first + self.lowest_step) * TIME_STEP_MS
        return torch.where(latest >= 0, times.gather(1, latest.clamp_min(0)), 0).double()

    @staticmethod
    def _add(tally: Tally, name: str, bins: Tensor, right: Tensor, size: int) -> None:
        counts = torch.bincount(bins, minlength=size)
        totals = torch.bincount(bins[right], minlength=size)
        tally.add(name, totals.numpy(), counts.numpy())


def _bins(values: Tensor, size: int, limit: float) -> Tensor:
    """Number of the bin of each value; values beyond the ends fall into the first and the last."""
    return (values / limit * size).long().clamp(0, size - 1)


def _edges(size: int, limit: float) -> list[float]:
    return (np.arange(1, size + 1) * (limit / size)).tolist()
