"""The key/value cache of one batch of decoder rows.

Self-attention keys and values live in preallocated buffers that grow in blocks as they are used; cross-attention
keys and values are computed once a window. Rows that hear the same window share one encoder row. A cache outlives
its window: `set_encoder` (or `reset`) starts the next one in the same memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from osuT5.errors import InputError

if TYPE_CHECKING:
    from osuT5.model.stepping import Stepper

BLOCK = 256


class StaticCache:
    """Cache for `rows` decoder rows; made by `Mapperatorinator.new_cache`.

    Attributes:
        rows: decoder rows R.
        length: columns written so far, pads included.
        max_length: columns it may grow to.
        buffers: per layer keys and values (2, R, H, capacity, d); keys are stored rotated.
        cross: per layer keys and values (E, H, S, d); decoder row r hears encoder row r % E.
        pad_bias: (R, max_length) additive, hugely negative at pads; None while nothing is padded.
        counts: (R,) real tokens so far; None while nothing is padded.
    """

    def __init__(self, stepper: Stepper, rows: int, max_length: int):
        self.stepper = stepper
        self.rows = rows
        self.max_length = max_length
        self.length = 0
        self.capacity = 0
        self.buffers: list[Tensor] = []
        self.cross: list[tuple[Tensor, Tensor]] = []
        self.pad_bias: Tensor | None = None
        self.counts: Tensor | None = None

    @torch.inference_mode()
    def set_encoder(self, encoder_hidden: Tensor) -> None:
        """Starts a window: computes cross-attention keys and values and forgets all tokens.

        Args:
            encoder_hidden: (E, S, D), where E divides the rows: 1 (all rows hear the same), R, or, for guidance
                on B rows, B (rows B + i hear what rows i hear).
        """
        if encoder_hidden.dim() != 3 or self.rows % encoder_hidden.shape[0]:
            raise InputError(
                f"encoder output of shape {tuple(encoder_hidden.shape)} does not fit a cache of {self.rows} rows: "
                "its first size must divide the rows"
            )
        self.cross = self.stepper.cross_keys_values(encoder_hidden)
        self.reset()

    def reset(self) -> None:
        """Forgets all tokens; keeps the memory and the encoder's keys and values."""
        self.length = 0
        self.pad_bias = None
        self.counts = None

    @torch.inference_mode()
    def crop(self, length: int) -> None:
        """Forgets the tokens from column `length` on."""
        if not 0 <= length <= self.length:
            raise InputError(f"cannot crop a cache of {self.length} tokens to {length}")
        if self.counts is not None:
            self.counts -= (self.pad_bias[:, length : self.length] == 0).sum(1)
            self.pad_bias[:, length : self.length] = 0
        self.length = length

    @torch.inference_mode()
    def reorder(self, index: Tensor) -> None:
        """Row i continues what row index[i] was; for beams. Raises InputError across rows with different windows."""
        encoder_rows = self.cross[0][0].shape[0]
        home = torch.arange(self.rows, device=index.device)
        if encoder_rows > 1 and not torch.equal(index % encoder_rows, home % encoder_rows):
            raise InputError("a cache can only be reordered among rows that hear the same window")
        for buffer in self.buffers:
            used = buffer[:, :, :, : self.length]
            used.copy_(used[:, index])
        if self.counts is not None:
            self.counts = self.counts[index]
            self.pad_bias = self.pad_bias[index]

    def reserve(self, length: int) -> None:
        """Grows the buffers to hold `length` columns. Raises InputError beyond `max_length`."""
        if length <= self.capacity:
            return
        if length > self.max_length:
            raise InputError(f"{length} tokens do not fit a cache of {self.max_length}; make it longer")
        capacity = min(max(-(-length // BLOCK) * BLOCK, 2 * self.capacity), self.max_length)
        self.buffers = [self._grown(old, capacity) for old in self.buffers or [None] * self.stepper.layer_count]
        self.capacity = capacity

    def _grown(self, old: Tensor | None, capacity: int) -> Tensor:
        new = self.stepper.new_buffer(self.rows, capacity)
        if old is not None:
            new[:, :, :, : old.shape[3]] = old
        return new

    def advance(self, tokens: int, key_mask: Tensor | None) -> Tensor | None:
        """Makes room for `tokens` new columns and returns their positions.

        Args:
            tokens: T new columns for every row.
            key_mask: (R, T) true = real token; None = all real.

        Returns:
            (R, T) positions among the real tokens, or None where they are simply length, length + 1, ...
        """
        self.reserve(self.length + tokens)
        start, self.length = self.length, self.length + tokens
        if key_mask is not None and self.counts is None and bool(key_mask.all()):
            key_mask = None
        if key_mask is None and self.counts is None:
            return None
        if self.counts is None:
            device = self.buffers[0].device
            self.counts = torch.full((self.rows,), start, dtype=torch.long, device=device)
            self.pad_bias = torch.zeros(self.rows, self.max_length, dtype=self.buffers[0].dtype, device=device)
        if key_mask is None:
            positions = self.counts[:, None] + torch.arange(tokens, device=self.counts.device)
            self.counts += tokens
            return positions
        real = key_mask.to(self.counts.device).bool()
        self.pad_bias[:, start : self.length].masked_fill_(~real, torch.finfo(self.pad_bias.dtype).min)
        positions = (self.counts[:, None] + real.cumsum(1) - 1).clamp_min_(0)
        self.counts += real.sum(1)
        return positions

    def mask(self, tokens: int, window: int | None = None) -> Tensor | None:
        """Additive mask of the newest `tokens` columns over all `length` keys, or None where all keys may be seen.

        `window` limits how far back a local layer sees.
        """
        pads = None if self.pad_bias is None else self.pad_bias[:, None, None, : self.length]
        if tokens == 1 and window is None:
            return pads
        buffer = self.buffers[0]
        key = torch.arange(self.length, device=buffer.device)
        back = key[self.length - tokens :, None] - key
        hidden = back < 0 if window is None else (back < 0) | (back > window)
        low = torch.finfo(buffer.dtype).min
        causal = torch.zeros(hidden.shape, dtype=buffer.dtype, device=buffer.device).masked_fill_(hidden, low)
        return causal if pads is None else torch.minimum(causal, pads)
