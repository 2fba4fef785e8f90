"""What logits processors may know of earlier tokens: while decoding, or for all positions of a finished prompt."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from osuT5.events import EventType, Vocabulary


@lru_cache(maxsize=64)
def id_table(vocabulary: Vocabulary, types: tuple[EventType, ...]) -> Tensor:
    """Whether an id is of one of these types; bool, shape (vocab_size_in,)."""
    table = torch.zeros(vocabulary.vocab_size_in, dtype=torch.bool)
    for kind in types:
        if vocabulary.has(kind):
            table[vocabulary.event_start[kind] : vocabulary.event_end[kind]] = True
    return table


@lru_cache(maxsize=16)
def start_table(vocabulary: Vocabulary, device: torch.device) -> Tensor:
    """Whether an id starts a context; bool, shape (vocab_size_in,). Kept by device: it is read at every step."""
    table = torch.zeros(vocabulary.vocab_size_in, dtype=torch.bool)
    table[[vocabulary.sos_id, *vocabulary.context_sos.values()]] = True
    return table.to(device)


def time_range(vocabulary: Vocabulary) -> slice:
    """The ids of time shifts."""
    return slice(vocabulary.event_start[EventType.TIME_SHIFT], vocabulary.event_end[EventType.TIME_SHIFT])


class TokenHistory:
    """The tokens so far of the rows of a batch, while decoding.

    Args:
        ids: (R, T) prompts, left-padded with 0.
        max_tokens: how many more may come.
    """

    def __init__(self, vocabulary: Vocabulary, ids: Tensor, max_tokens: int):
        self.vocabulary = vocabulary
        self.length = ids.shape[1]
        self.ids = torch.nn.functional.pad(ids, (0, max_tokens))
        self.state: dict[str, Tensor] = {}

    def back(self, count: int) -> Tensor:
        """The id `count` places back, 1 = the last; (R,), 0 where there is none."""
        return self.ids[:, self.length - count] if self.length >= count else torch.zeros_like(self.ids[:, 0])

    @property
    def time_floor(self) -> Tensor:
        """The last time id of the context being written, or the first time id where there is none yet; (R,)."""
        if "time_floor" not in self.state:  # kept up from its first use on
            self.state["time_floor"] = _time_floors(self.vocabulary, self.ids[:, : self.length])[:, -1]
        return self.state["time_floor"]

    def previous(self, name: str, value: Tensor) -> Tensor:
        """What was passed under this name at the step before, NaN at the first step; keeps `value` for the next."""
        before = self.state.get(name)
        self.state[name] = value
        return torch.full_like(value, torch.nan) if before is None else before

    def append(self, tokens: Tensor) -> None:
        """`tokens`: (R,) the ids just sampled."""
        self.ids[:, self.length] = tokens
        self.length += 1
        if "time_floor" in self.state:
            self.state["time_floor"] = _next_floor(self.vocabulary, tokens, self.state["time_floor"])

    def select(self, index: Tensor) -> None:
        """Row i goes on as what row `index[i]` was; fewer, more or other rows."""
        self.ids = self.ids.index_select(0, index)
        self.state = {name: value.index_select(0, index) for name, value in self.state.items()}


class PromptHistory:
    """The tokens before every position of a finished prompt, for applying processors to all positions at once.

    Args:
        ids: (T,) without padding. Logits at position t follow ids[: t + 1].
        start: position of the first step: there nothing comes before, as in decoding after a prompt of start + 1 ids.
    """

    def __init__(self, vocabulary: Vocabulary, ids: Tensor, start: int = 0):
        self.ids, self.start = ids, start
        self.time_floor = _time_floors(vocabulary, ids[None])[0]

    def back(self, count: int) -> Tensor:
        """(T,): the id `count` places back from each position, the position's own id included."""
        shift = count - 1
        return torch.nn.functional.pad(self.ids, (shift, 0))[: len(self.ids)]

    def previous(self, name: str, value: Tensor) -> Tensor:
        before = torch.roll(value, 1, 0)
        before[: self.start + 1] = torch.nan
        return before


History = TokenHistory | PromptHistory


def _time_floors(vocabulary: Vocabulary, ids: Tensor) -> Tensor:
    """(R, T) -> (R, T): at each position the last time id since the last start mark, or the first time id."""
    times = time_range(vocabulary)
    position = torch.arange(1, ids.shape[1] + 1, device=ids.device)
    is_time = (ids >= times.start) & (ids < times.stop)
    last_time = (is_time * position).cummax(1).values
    last_start = (start_table(vocabulary, ids.device)[ids] * position).cummax(1).values
    value = ids.gather(1, (last_time - 1).clamp_min(0))
    return torch.where(last_time > last_start, value, times.start)


def _next_floor(vocabulary: Vocabulary, tokens: Tensor, floor: Tensor) -> Tensor:
    times = time_range(vocabulary)
    is_time = (tokens >= times.start) & (tokens < times.stop)
    starts = start_table(vocabulary, tokens.device)[tokens]
    return torch.where(is_time, tokens, floor.masked_fill(starts, times.start))
