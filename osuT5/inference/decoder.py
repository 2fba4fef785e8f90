"""The decoder: owns the key/value caches, the logits processors and the generators of the rows it decodes.

`generate` yields a column of tokens at a time, so whoever reads it can stop, stream or count as it likes. Rows are
independent: each has its own prompts, processors, guidance, generator, end ids and limit. Under guidance a row has a
negative branch, which is one more row for the model and shares all else. Rows that have ended leave the batch when the
rest fits the next smaller bucket.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from osuT5.errors import InputError
from osuT5.events.prompt import Prompt
from osuT5.inference.logits_processors import (
    Guidance,
    LogitsProcessor,
    TopK,
    TopP,
    classifier_free_guidance,
    stack,
)
from osuT5.inference.sampling import NOT_SAMPLED, FusedSampler, multinomial
from osuT5.inference.threads import intra_op_threads
from osuT5.inference.token_history import TokenHistory
from osuT5.model import KVCache, Mapperatorinator

Column = list[int | None]  # a token for every row, None for rows that have ended


@dataclass(frozen=True)
class Row:
    """What the decoder needs of a row.

    Attributes:
        prompt: ids, and the negative branch's ids where the row is guided.
        end_ids: ids that end the row; the id itself still belongs to it.
        max_length: tokens at most, prompt included (the longer of both branches).
        processors: of this row, in any order (see `logits_processors.stack`).
        guidance: scale of classifier-free guidance; 1, or a prompt without negative branch, does without.
        generator: CPU generator of its draws; None takes the best id at every step.
    """

    prompt: Prompt
    end_ids: Collection[int]
    max_length: int
    processors: Sequence[LogitsProcessor] = ()
    guidance: float = 1.0
    generator: torch.Generator | None = None

    @property
    def is_guided(self) -> bool:
        return self.guidance != 1.0 and self.prompt.negative is not None

    @property
    def branches(self) -> list[list[int]]:
        """The positive and, if guided, the negative ids."""
        return [self.prompt.ids, self.prompt.negative] if self.is_guided else [self.prompt.ids]

    @property
    def max_tokens(self) -> int:
        """How many tokens may be generated."""
        return max(self.max_length - max(map(len, self.branches)), 0)


@dataclass
class Decoder:
    """Generates tokens for rows.

    Args:
        guidance: combines (negative logits, positive logits, scales).
        threads: intra-op threads of a step on the CPU; None leaves them as they are.
    """

    model: Mapperatorinator
    guidance: Guidance = classifier_free_guidance
    threads: int | None = None
    _caches: dict[int, KVCache] = field(default_factory=dict, repr=False)
    _is_busy: bool = field(default=False, repr=False)

    @torch.inference_mode()
    def generate(self, rows: Sequence[Row], encoder_hidden: Tensor) -> Iterator[Column]:
        """Yields the next token of every row until all rows have ended.

        Args:
            encoder_hidden: (1, S, D) for all rows, or (R, S, D).
        """
        limit = self.model.config.max_target_positions
        windows = encoder_hidden.shape[0]
        if windows not in (1, len(rows)):
            raise InputError(f"{len(rows)} rows need encoder output of 1 or {len(rows)} windows, not {windows}")
        if any(row.max_length > limit for row in rows):
            raise InputError(f"this model decodes up to {limit} tokens a window; set max_length to that or less")
        if self._is_busy:
            raise InputError("this decoder is generating already; read or close that first, or use another decoder")
        self._is_busy = True
        try:
            yield from self._generate(rows, encoder_hidden)
        finally:
            self._is_busy = False

    def _generate(self, rows: Sequence[Row], encoder_hidden: Tensor) -> Iterator[Column]:
        ends = [frozenset(row.end_ids) for row in rows]
        left = [row.max_tokens for row in rows]
        batch = _Batch(self, [i for i, n in enumerate(left) if n > 0], rows, encoder_hidden)
        while any(n > 0 for n in left):
            with intra_op_threads(self.threads):
                tokens = batch.sample()
            column: Column = [None] * len(rows)
            for number, token in zip(batch.members, tokens, strict=True):
                if left[number] > 0:
                    column[number] = token
                    left[number] = 0 if token in ends[number] else left[number] - 1
            yield column
            if not any(left):
                return
            with intra_op_threads(self.threads):
                by_row = dict(zip(batch.members, tokens, strict=True))
                batch.shrink([place for place, number in enumerate(batch.members) if left[number] > 0])
                batch.step([by_row[number] for number in batch.members])

    def cache(self, rows: int, columns: int) -> KVCache:
        """The cache for so many model rows, with room for at least so many columns (pads included)."""
        cache = self._caches.get(rows)
        if cache is None or cache.max_length < columns:
            limit = self.model.config.max_target_positions
            cache = self._caches[rows] = self.model.new_cache(rows, limit, max_pads=max(limit, columns - limit))
            for other in [n for n in self._caches if n != bucket(n) and n != rows]:
                del self._caches[other]
        return cache


class _Batch:
    """The rows that are being decoded together.

    Attributes:
        members: number of the row at each place; places beyond (on an accelerator, and after a shrink) repeat the
            first one to fill a bucket, and are fed but not read.
        alive: places of the members that have not ended; the others are carried along until a smaller bucket will do.
        guided: places of the members with a negative branch, whose model rows come after those of all members.
    """

    def __init__(self, decoder: Decoder, members: list[int], rows: Sequence[Row], encoder_hidden: Tensor):
        self.decoder, self.model = decoder, decoder.model
        self.device = encoder_hidden.device
        self.on_cpu = self.device.type == "cpu"
        self.members, self.alive = members, list(range(len(members)))
        if not members:
            return
        chosen = [rows[i] for i in members]
        texts = [row.prompt.ids for row in chosen]
        self.guided = [place for place, row in enumerate(chosen) if row.is_guided]
        texts += [chosen[place].prompt.negative for place in self.guided]
        count = len(texts)
        size = count if self.on_cpu else bucket(count)
        texts += [texts[0]] * (size - count)
        length = max(map(len, texts))
        ids = torch.tensor([[0] * (length - len(t)) + list(t) for t in texts], device=self.device)
        sources = list(range(len(chosen))) + self.guided
        sources += [sources[0]] * (size - count)
        if encoder_hidden.shape[0] > 1:
            encoder_hidden = encoder_hidden[[members[place] for place in sources]]
        most = max(row.max_tokens for row in chosen)
        with intra_op_threads(decoder.threads):
            self.cache = decoder.cache(size, length + most)
            self.cache.set_encoder(encoder_hidden)
            padded = any(len(t) < length for t in texts)
            self.logits = self.model.step(ids, self.cache, (ids != 0) if padded else None)
        if not bool(self.logits.isfinite().all()):
            raise InputError("the model's output is not finite: weights are damaged or overflow; try precision=fp32")
        self.history = TokenHistory(self.model.vocabulary, ids[: len(chosen)], most)
        self.processors = stack([row.processors for row in chosen], self.device)
        self.generators = [row.generator for row in chosen]
        self.scales = torch.tensor([chosen[place].guidance for place in self.guided], device=self.device)[:, None]
        self.guided_index = torch.tensor(self.guided, device=self.device)
        self.fused: FusedSampler | None = None
        if not self.on_cpu:
            self._fuse(chosen, most)

    def _fuse(self, rows: Sequence[Row], max_tokens: int) -> None:
        """Takes top-k and top-p out of the chain: the fused sampler does them."""
        self.processors = [p for p in self.processors if not isinstance(p, (TopK, TopP))]
        k = [next((p.parameters[0] for p in row.processors if isinstance(p, TopK)), 0) for row in rows]
        p = [next((p.parameters[0] for p in row.processors if isinstance(p, TopP)), 1.0) for row in rows]
        self.fused = FusedSampler(k, p, self.generators, max_tokens, self.device)

    def sample(self) -> list[int]:
        """A token for each member. One synchronisation with the host."""
        count = len(self.members)
        logits = self.logits[:count]
        if self.guided:
            negative = self.logits[count : count + len(self.guided)]
            positive = logits.index_select(0, self.guided_index)
            logits = logits.index_copy(0, self.guided_index, self.decoder.guidance(negative, positive, self.scales))
        for processor in self.processors:
            logits = processor(logits, self.history)
        if self.fused is None:
            return multinomial(logits, self.generators, self.alive).tolist()
        tokens = self.fused(logits).tolist()
        if NOT_SAMPLED in tokens:
            exact = self.fused.resample(logits).tolist()
            tokens = [e if t == NOT_SAMPLED else t for t, e in zip(tokens, exact, strict=True)]
        return tokens

    def step(self, tokens: list[int]) -> None:
        """Feeds the tokens of the members."""
        fed = torch.tensor(tokens, device=self.device)
        self.history.append(fed)
        count = len(tokens) + len(self.guided)
        places = list(range(len(tokens))) + self.guided + [0] * (self.cache.rows - count)
        if len(places) > len(tokens):
            fed = fed[places]
        self.logits = self.model.step(fed[:, None], self.cache)

    def shrink(self, alive: list[int]) -> None:
        """Lets rows go that have ended, if the others fit a smaller bucket.

        Args:
            alive: places of the members that go on.
        """
        self.alive = alive
        negatives = [place for place in self.guided if place in alive]
        count = len(alive) + len(negatives)
        size = bucket(count)
        if size >= self.cache.rows:
            return
        members = len(self.members)
        index = alive + [members + self.guided.index(place) for place in negatives]
        index += [index[0]] * (size - count)
        smaller = self.decoder.cache(size, self.cache.max_length)
        smaller.copy_rows(self.cache, torch.tensor(index, device=self.device))
        self.cache = smaller
        kept = torch.tensor(alive, device=self.device)
        self.history.select(kept)
        self.processors = [p.select(alive, self.device) for p in self.processors]
        self.generators = [self.generators[place] for place in alive]
        self.scales = self.scales[[self.guided.index(place) for place in negatives]]
        self.guided = [alive.index(place) for place in negatives]
        self.guided_index = torch.tensor(self.guided, device=self.device)
        self.members, self.alive = [self.members[place] for place in alive], list(range(len(alive)))
        if self.fused is not None:
            self.fused.select(kept)


def bucket(rows: int) -> int:
    """The smallest bucket that holds so many rows: 1, 2, 4, 8, 16, 32, …"""
    return 1 << (rows - 1).bit_length()


def collect(columns: Iterator[Column], count: int) -> list[list[int]]:
    """All tokens of each of `count` rows, the end id included."""
    written: list[list[int]] = [[] for _ in range(count)]
    for column in columns:
        for tokens, token in zip(written, column, strict=True):
            if token is not None:
                tokens.append(token)
    return written
