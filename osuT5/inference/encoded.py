"""Encoder output of a song's windows: computed ahead in batches, once for every stage that hears the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from osuT5.audio import WindowPlan
from osuT5.inference.tick_weights import OnsetOdds
from osuT5.model import Mapperatorinator

KEEP_BYTES = 512 * 2**20


class EncodedWindows:
    """Encoder output by window number.

    All windows are kept while they fit `KEEP_BYTES`; a longer song keeps one batch and computes again.

    Args:
        conditions: what the encoder is told besides the sound; song position is added per window when wanted.
    """

    def __init__(
        self,
        model: Mapperatorinator,
        samples: np.ndarray,
        plan: WindowPlan,
        batch: int = 8,
        conditions: dict[str, Any] | None = None,
    ):
        self.model = model
        self.frames = plan.windows(samples)  # a view, (windows, window_samples)
        self.plan = plan
        self.batch = max(1, batch)
        self.conditions = conditions or {}
        self.wants_position = bool(model.config.do_song_position_embed)
        self._kept: dict[int, Tensor] = {}

    def __getitem__(self, window: int) -> Tensor:
        """Encoder output of one window, shape (1, S, D)."""
        number, place = divmod(window, self.batch)
        if number not in self._kept:
            hidden = self._encode(number)
            if (len(self._kept) + 1) * hidden.numel() * hidden.element_size() > KEEP_BYTES:
                self._kept.clear()
            self._kept[number] = hidden
        return self._kept[number][place : place + 1]

    def onsets(self, window: int, prompt: Sequence[int]) -> OnsetOdds | None:
        """Onsets that the encoder hears for the map of this prompt; None from a model without a head for them."""
        if not self.model.config.onset_marks:
            return None
        odds = self.model.onset_odds(self[window], torch.tensor([list(prompt)], device=self.model.device))
        return OnsetOdds(odds[0].cpu().numpy(), self.model.onset_slice_ms)

    @torch.inference_mode()
    def _encode(self, number: int) -> Tensor:
        first = number * self.batch
        indices = range(first, min(first + self.batch, len(self.plan)))
        frames = np.array(self.frames[indices.start : indices.stop])
        rows = len(indices)
        conditions = {k: v.expand(rows, *v.shape[1:]) for k, v in self.conditions.items()}
        if self.wants_position:
            length = self.plan.song_length_ms or 1.0
            starts = [float(self.plan.times_ms[i]) for i in indices]
            pairs = [[t / length, (t + self.plan.window_ms) / length] for t in starts]
            conditions["song_position"] = torch.tensor(pairs, device=self.model.device)
        return self.model.encode(torch.from_numpy(frames).to(self.model.device), **conditions)
