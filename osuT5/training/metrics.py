"""Metrics of evaluation: loss and share of right tokens by token class, context template and game mode.

Facts: the published evaluation. Element counts are pooled over batches; the loss, with the weights of time tokens but
without label smoothing, is one element per batch. Names: `<prefix>/<template>/<metric>` over all modes as published,
and `<prefix>/<template>/<mode>/<metric>`; a template without input contexts leaves its part out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from osuT5.events import EventType, Profile, Vocabulary
from osuT5.model import token_loss
from osuT5.model.loss import rhythm_weights
from osuT5.training.attribution import MODE_NAMES, game_modes, template_rows
from osuT5.training.histograms import Histograms
from osuT5.training.tally import Pair, Tally

FUZZY_STEPS = 2


class TokenClass(NamedTuple):
    """A metric over the labels from the first to the last of `types`; empty types = all ids behind the volumes.

    `modes`: only for profiles with one of these game modes; `slack`: steps that a prediction may be off.
    """

    metric: str
    types: tuple[EventType, ...] = ()
    modes: tuple[int, ...] = (0, 1, 2, 3)
    slack: int = 0


TOKEN_CLASSES = (
    TokenClass("timing_acc", (EventType.TIME_SHIFT,)),
    TokenClass("fuzzy_timing_acc", (EventType.TIME_SHIFT,), slack=FUZZY_STEPS),
    TokenClass("hitsound_acc", (EventType.HITSOUND,)),
    TokenClass("volume_acc", (EventType.VOLUME,)),
    TokenClass("other_acc"),
    TokenClass("position_acc", (EventType.POS, EventType.POS_X, EventType.POS_Y)),
    TokenClass("spacing_acc", (EventType.DISTANCE,)),
    TokenClass("column_acc", (EventType.MANIA_COLUMN,), modes=(3,)),
    TokenClass("scroll_speed_acc", (EventType.SCROLL_SPEED,), modes=(1, 3)),
)
TOKEN_ACC = "token_acc"  # all labels; not among the published metrics


def class_ranges(vocabulary: Vocabulary, profile: Profile) -> dict[str, tuple[int, int, int]]:
    """{metric: (first id, end id, slack)} of the token classes that this model has."""
    ranges = {}
    for row in TOKEN_CLASSES:
        found = [t for t in row.types if vocabulary.has(t)]
        if not set(row.modes) & set(profile.gamemodes) or (row.types and not found):
            continue
        if row.types:
            first, end = min(vocabulary.event_start[t] for t in found), max(vocabulary.event_end[t] for t in found)
        else:
            before = EventType.VOLUME if vocabulary.has(EventType.VOLUME) else EventType.HITSOUND
            first, end = vocabulary.event_end[before], vocabulary.vocab_size_out
        ranges[row.metric] = (first, end, row.slack)
    ranges[TOKEN_ACC] = (0, vocabulary.vocab_size_out, 0)
    return ranges


class Metrics:
    """Adds up batches; `result` gives the means.

    Args:
        rhythm_weight: class weight of time tokens in the loss.
        prefix: first part of all names; "" for none.
        histograms: whether to count `Histograms` as well.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        profile: Profile,
        rhythm_weight: float = 1.0,
        prefix: str = "test",
        histograms: bool = False,
    ):
        self.vocabulary, self.profile, self.prefix = vocabulary, profile, prefix
        self.rhythm_weight = rhythm_weight
        self.ranges = class_ranges(vocabulary, profile)
        self.histograms = Histograms(vocabulary, profile) if histograms else None
        self.tally = Tally()

    @torch.no_grad()
    def update(self, batch: Mapping[str, Tensor], logits: Tensor) -> None:
        """Counts a batch.

        Args:
            batch: `decoder_input_ids` and `labels` (B, T); `sample_weights` (B,) only matter to histograms.
            logits: (B, T, V_out).
        """
        ids, labels = batch["decoder_input_ids"].to(logits.device), batch["labels"].to(logits.device)
        predictions = logits.argmax(-1)
        losses = self._losses(logits, labels).sum(1).cpu()
        rights, counts = (t.cpu() for t in self._by_row(labels, predictions))
        modes = game_modes(ids, self.vocabulary).cpu()
        for template, rows in template_rows(ids, self.vocabulary, self.profile).items():
            name, rows = join(self.prefix, template), rows.cpu()
            self._count(name, rows, losses, rights, counts)
            for mode in sorted(set(modes[rows & (modes >= 0)].tolist())):
                self._count(join(name, MODE_NAMES[mode]), rows & (modes == mode), losses, rights, counts)
            if self.histograms and rows.any():
                weights = batch.get("sample_weights")
                weights = None if weights is None else weights.cpu()[rows]
                self.histograms.update(self.tally, name, labels.cpu()[rows], predictions.cpu()[rows], weights)

    def counts(self) -> dict[str, Pair]:
        """{name: (sum, count)}, to be merged with those of other processes."""
        return self.tally.counts()

    def merge(self, counts: Mapping[str, Pair]) -> None:
        self.tally.merge(counts)

    def gather(self) -> None:
        """Adds up all processes; all of them must call it."""
        self.tally.gather()

    def result(self) -> dict[str, float]:
        """{name: mean}; what never occurred is left out."""
        return self.tally.means()

    def _losses(self, logits: Tensor, labels: Tensor) -> Tensor:
        first, end = self.ranges["timing_acc"][:2] if "timing_acc" in self.ranges else (0, 0)
        weights = rhythm_weights(logits.shape[-1], first, end, self.rhythm_weight, logits.device)
        return token_loss(logits, labels, weights)

    def _by_row(self, labels: Tensor, predictions: Tensor) -> tuple[Tensor, Tensor]:
        """(B, metrics) right and counted labels of every window."""
        distance = (predictions - labels).abs()
        rights, counts = [], []
        for first, end, slack in self.ranges.values():
            inside = (labels >= first) & (labels < end)
            counts.append(inside.sum(1))
            rights.append((inside & (distance <= slack)).sum(1))
        return torch.stack(rights, 1), torch.stack(counts, 1)

    def _count(self, name: str, rows: Tensor, losses: Tensor, rights: Tensor, counts: Tensor) -> None:
        """Adds the windows `rows` (B,) under a name."""
        right, count = rights[rows].sum(0).tolist(), counts[rows].sum(0).tolist()
        for metric, r, c in zip(self.ranges, right, count, strict=True):
            self.tally.add(join(name, metric), r, c)
        labelled = count[list(self.ranges).index(TOKEN_ACC)]
        if labelled:
            self.tally.add(join(name, "loss"), float(losses[rows].sum()) / labelled, 1)


def join(*parts: str) -> str:
    """Parts of a metric's name; empty ones leave no trace."""
    return "/".join(p for p in parts if p)
