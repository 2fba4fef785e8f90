"""The decoder: owns the key/value cache, the filters and the random draws; nothing else steps the model.

One call writes the rows of one batch: several prompts, each with its own end. With guidance every prompt has a twin
row; twins share the encoder's work and what is drawn. A row's ids do not depend on what else is in the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from osuT5.events.prompt import Prompt
from osuT5.inference.filters import Filter, guide
from osuT5.model import Mapperatorinator

Draw = Callable[[Tensor], Tensor]
Mix = Callable[[Tensor, Tensor, float], Tensor]


def best(scores: Tensor) -> Tensor:
    """The best id of every row; shape (rows, V) -> (rows,)."""
    return scores.argmax(dim=1)


def draw_with(generators: Sequence[torch.Generator]) -> Draw:
    """A draw by probability in which row r uses generator r (the last one serves all further rows)."""

    def draw(scores: Tensor) -> Tensor:
        p = scores.softmax(dim=1)
        rows = [torch.multinomial(p[r], 1, generator=generators[min(r, len(generators) - 1)]) for r in range(len(p))]
        return torch.cat(rows)

    return draw


@dataclass
class Decoder:
    """Writes ids for prompts.

    Args:
        max_length: tgt_seq_len, prompt included.
        guidance: 1 skips the twin rows.
        mix: combines (negative, positive, scale); tests of recordings exchange the two.
    """

    model: Mapperatorinator
    max_length: int
    guidance: float = 1.0
    mix: Mix = guide

    def __post_init__(self) -> None:
        self._caches: dict[int, object] = {}

    @torch.inference_mode()
    def write(
        self,
        prompts: Sequence[Prompt],
        encoder_hidden: Tensor,
        filters: Sequence[Filter],
        end_ids: Sequence[int],
        draw: Draw = best,
    ) -> list[list[int]]:
        """Ids after each prompt, the end id included; a row that meets the length limit has no end id.

        Args:
            encoder_hidden: (1 or rows, S, D).
            filters: applied in order to float32 scores of shape (rows, V).
        """
        rows = len(prompts)
        guided = self.guidance != 1.0 and all(p.negative is not None for p in prompts)
        texts = [p.ids for p in prompts] + ([p.negative for p in prompts] if guided else [])
        length = max(map(len, texts))
        device = encoder_hidden.device
        ids = torch.tensor([[0] * (length - len(t)) + list(t) for t in texts])
        cache = self._cache(len(texts), encoder_hidden)
        padded = any(len(t) < length for t in texts)
        key_mask = (ids != 0).to(device) if padded else None
        logits = self.model.step(ids.to(device), cache, key_mask)
        for rule in filters:
            rule.begin(ids[:rows])
        ends = torch.zeros(logits.shape[1], dtype=torch.bool)
        ends[list(end_ids)] = True
        written: list[list[int]] = [[] for _ in range(rows)]
        open_rows = torch.ones(rows, dtype=torch.bool)
        for _ in range(self.max_length - length):
            scores = logits.cpu()
            if guided:
                scores = self.mix(scores[rows:], scores[:rows], self.guidance)
            for rule in filters:
                scores = rule.apply(scores)
            tokens = torch.where(open_rows, draw(scores), 0)
            for row in range(rows):
                if open_rows[row]:
                    written[row].append(int(tokens[row]))
            open_rows &= ~ends[tokens]
            if not bool(open_rows.any()):
                break
            for rule in filters:
                rule.accept(tokens)
            step = torch.cat((tokens, tokens)) if guided else tokens
            logits = self.model.step(step[:, None].to(device), cache)
        return written

    def _cache(self, rows: int, encoder_hidden: Tensor):
        cache = self._caches.get(rows)
        if cache is None:
            cache = self._caches[rows] = self.model.new_cache(rows, self.max_length, encoder_hidden)
        else:
            cache.set_encoder(encoder_hidden)
        return cache
