"""What happens to the logits between the model and the draw: one small class per rule.

A filter sees the prompt once (`begin`), every drawn token (`accept`) and changes the scores of each step (`apply`).
State is kept per row, so a row's result never depends on its neighbours. A new rule is a new class and one line
in `build_filters`. Facts: spec of the published models, "order of logit operations"; golden vectors bind.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from osuT5.events import TYPE_CODE, ContextType, EventType, Profile, Vocabulary
from osuT5.events.sequence import TIMED_EVENTS

NEVER = float("-inf")

BEAT_TYPES = (EventType.BEAT, EventType.MEASURE, EventType.TIMING_POINT)
COLUMN_TYPES = (EventType.CIRCLE, EventType.HOLD_NOTE, EventType.HOLD_NOTE_END)


def ids_of(vocabulary: Vocabulary, types: Sequence[EventType]) -> list[int]:
    """All ids of these types that the vocabulary has."""
    return [i for t in types if vocabulary.has(t) for i in range(vocabulary.event_start[t], vocabulary.event_end[t])]


def id_table(vocabulary: Vocabulary, ids: Sequence[int]) -> Tensor:
    """Boolean look-up table over the input vocabulary; shape (vocab_size_in,)."""
    table = torch.zeros(vocabulary.vocab_size_in, dtype=torch.bool)
    table[list(ids)] = True
    return table


class Filter:
    """Does nothing; the base of all filters."""

    def begin(self, prompt: Tensor) -> None:
        """`prompt`: ids before the first step, shape (rows, length), left-padded with 0."""

    def accept(self, tokens: Tensor) -> None:
        """`tokens`: the ids just drawn, shape (rows,)."""

    def apply(self, scores: Tensor) -> Tensor:
        """`scores`: float32, shape (rows, vocab_size_out); may be changed in place."""
        return scores


class MonotonicTime(Filter):
    """Inside one context, time never runs backwards: ids below the last time since the last start mark are out."""

    def __init__(self, vocabulary: Vocabulary):
        self.first = vocabulary.event_start[EventType.TIME_SHIFT]
        self.end = vocabulary.event_end[EventType.TIME_SHIFT]
        self.starts = id_table(vocabulary, [vocabulary.sos_id, *vocabulary.context_sos.values()])
        self.steps = torch.arange(self.first, self.end)

    def begin(self, prompt: Tensor) -> None:
        position = torch.arange(1, prompt.shape[1] + 1)
        is_time = (prompt >= self.first) & (prompt < self.end)
        last_time = (is_time * position).amax(dim=1) if prompt.shape[1] else torch.zeros(len(prompt), dtype=torch.long)
        last_start = (self.starts[prompt] * position).amax(dim=1) if prompt.shape[1] else last_time
        value = prompt.gather(1, (last_time - 1).clamp(min=0)[:, None])[:, 0] if prompt.shape[1] else last_time
        floor = torch.where((last_time > 0) & (last_time > last_start), value, self.first)
        self.floor = floor[:, None]

    def accept(self, tokens: Tensor) -> None:
        tokens = tokens[:, None]
        is_time = (tokens >= self.first) & (tokens < self.end)
        self.floor = torch.where(is_time, tokens, torch.where(self.starts[tokens], self.first, self.floor))

    def apply(self, scores: Tensor) -> Tensor:
        scores[:, self.first : self.end].masked_fill_(self.steps < self.floor, NEVER)
        return scores


class TimeShiftBias(Filter):
    """Adds a constant to all time logits: above 0 makes longer groups rarer, below 0 denser maps likelier."""

    def __init__(self, vocabulary: Vocabulary, bias: float):
        self.times = slice(vocabulary.event_start[EventType.TIME_SHIFT], vocabulary.event_end[EventType.TIME_SHIFT])
        self.bias = bias

    def apply(self, scores: Tensor) -> Tensor:
        scores[:, self.times] += self.bias
        return scores


class OnGrid(Filter):
    """Only times on the beat grid can be chosen; rare divisors pay a penalty.

    The probability that the next id is a time at all stays as it was: the ticks share what the times had together,
    so that "stop" does not become likelier because times were taken away.

    Args:
        log_weights: per time step of the window, shape (time steps,): 0 on a common tick, less on a rarer one, -inf
            off the grid (`grid_weights`).
    """

    def __init__(self, vocabulary: Vocabulary, log_weights: Tensor):
        self.times = slice(vocabulary.event_start[EventType.TIME_SHIFT], vocabulary.event_end[EventType.TIME_SHIFT])
        self.log_weights = log_weights

    def apply(self, scores: Tensor) -> Tensor:
        times = scores[:, self.times]
        on_grid = times + self.log_weights
        lost = times.logsumexp(dim=1, keepdim=True) - on_grid.logsumexp(dim=1, keepdim=True)
        scores[:, self.times] = torch.where(lost.isfinite(), on_grid + lost, times)
        return scores


class EndPenalty(Filter):
    """Makes it harder to end a window by its end mark: music goes on, so the map mostly does too."""

    def __init__(self, vocabulary: Vocabulary, penalty: float):
        self.ends = [vocabulary.eos_id, *vocabulary.context_eos.values()]
        self.penalty = penalty

    def apply(self, scores: Tensor) -> Tensor:
        scores[:, self.ends] -= self.penalty
        return scores


class Temperature(Filter):
    """Divides the scores; 0 keeps only the best id."""

    def __init__(self, temperature: float):
        self.temperature = temperature

    def apply(self, scores: Tensor) -> Tensor:
        return scale_by(scores, torch.full((len(scores), 1), self.temperature))


class ConditionalTemperature(Filter):
    """A temperature that depends on the ids just before: the first rule that holds decides, row by row.

    Args:
        rules: (how far back, table of ids, temperature) in order of precedence; 1 = the previous id.
        otherwise: the temperature where no rule holds.
    """

    def __init__(self, rules: Sequence[tuple[int, Tensor, float]], otherwise: float):
        self.rules = list(rules)
        self.otherwise = otherwise
        self.depth = max((back for back, _, _ in rules), default=1)

    def begin(self, prompt: Tensor) -> None:
        missing = max(self.depth - prompt.shape[1], 0)
        self.recent = torch.nn.functional.pad(prompt, (missing, 0))[:, -self.depth :]

    def accept(self, tokens: Tensor) -> None:
        self.recent = torch.cat((self.recent[:, 1:], tokens[:, None]), dim=1)

    def apply(self, scores: Tensor) -> Tensor:
        temperature = torch.full((len(scores),), self.otherwise)
        for back, table, value in reversed(self.rules):
            temperature = torch.where(table[self.recent[:, -back]], value, temperature)
        return scale_by(scores, temperature[:, None])


def scale_by(scores: Tensor, temperature: Tensor) -> Tensor:
    """Scores / temperature with 0 meaning "the best id only"; `temperature` has shape (rows, 1)."""
    scaled = scores / temperature.clamp(min=1e-6)
    cold = temperature <= 0
    if bool(cold.any()):
        best = scores >= scores.amax(dim=1, keepdim=True)
        scaled = torch.where(cold, scores.masked_fill(~best, NEVER), scaled)
    return scaled


class NoLookback(Filter):
    """Types-last models: times inside the lookback part of the window cannot be chosen."""

    def __init__(self, vocabulary: Vocabulary, lookback_ms: float):
        first = vocabulary.event_start[EventType.TIME_SHIFT]
        self.times = slice(first, first + int(lookback_ms / 10))

    def apply(self, scores: Tensor) -> Tensor:
        scores[:, self.times] = NEVER
        return scores


class LookbackBias(Filter):
    """Types-first models: the type is chosen before its time, so forbidding lookback times would distort the choice.

    The probability that the previous step gave to stopping, and the share of this step's probability that lies in
    the lookback part, are combined so that "stop" keeps the weight it would have had.
    """

    def __init__(self, vocabulary: Vocabulary, lookback_ms: float):
        self.first = vocabulary.event_start[EventType.TIME_SHIFT]
        self.lookback = slice(self.first, self.first + int(lookback_ms / 10))
        self.timed = id_table(vocabulary, ids_of(vocabulary, sorted(TIMED_EVENTS, key=TYPE_CODE.get)))
        self.stops = [vocabulary.eos_id, *vocabulary.context_eos.values()]

    def begin(self, prompt: Tensor) -> None:
        self.last = prompt[:, -1]
        self.previous: Tensor | None = None

    def accept(self, tokens: Tensor) -> None:
        self.last = tokens

    def apply(self, scores: Tensor) -> Tensor:
        previous, self.previous = self.previous, scores.clone()
        timed = self.timed[self.last]
        if previous is None or not bool(timed.any()):
            return scores
        stop = previous.softmax(dim=1)[:, self.stops].sum(dim=1, keepdim=True)
        p = scores.softmax(dim=1)
        in_lookback = p[:, self.lookback].sum(dim=1, keepdim=True)
        keep = 1.0 / ((1 - in_lookback) * (1 - stop) + stop)
        adjusted = p * keep
        adjusted[:, self.lookback] = 0
        adjusted[:, self.first] = ((keep - 1) * stop / (1 - stop)).clamp(0, 1)[:, 0]
        return torch.where(timed[:, None], adjusted.log(), scores)


class TopK(Filter):
    """Keeps the k best ids (ties with the k-th stay)."""

    def __init__(self, k: int):
        self.k = k

    def apply(self, scores: Tensor) -> Tensor:
        worst = scores.topk(min(self.k, scores.shape[1]), dim=1).values[:, -1:]
        return scores.masked_fill(scores < worst, NEVER)


class TopP(Filter):
    """Keeps the smallest set of ids whose probability exceeds p, at least `keep` of them."""

    def __init__(self, p: float, keep: int = 1):
        self.p = p
        self.keep = keep

    def apply(self, scores: Tensor) -> Tensor:
        ascending, order = scores.sort(dim=1)
        drop = ascending.softmax(dim=1).cumsum(dim=1) <= 1 - self.p
        drop[:, -self.keep :] = False
        return scores.masked_fill(drop.scatter(1, order, drop), NEVER)


class Forbid(Filter):
    """Ids that can never be a sensible continuation: pad, and ranges that decode to nothing."""

    def __init__(self, ids: Sequence[int]):
        self.ids = list(ids)

    def apply(self, scores: Tensor) -> Tensor:
        scores[:, self.ids] = NEVER
        return scores


def guide(negative: Tensor, positive: Tensor, scale: float) -> Tensor:
    """Classifier-free guidance: away from the negative prompt, towards the positive one. Shapes (rows, V)."""
    return negative + scale * (positive - negative)


def temperature_rules(
    vocabulary: Vocabulary, profile: Profile, timing: float | None, column: float | None, taiko: float | None
) -> list[tuple[int, Tensor, float]]:
    """Rules of `ConditionalTemperature`; None leaves a rule out.

    Where the column of a mania note stands is a fact of the layout: with types first it follows type, time and snap
    (the type is the third id back), with types last it follows the snap.
    """
    rules: list[tuple[int, Tensor, float]] = []
    if timing is not None:
        rules.append((1, id_table(vocabulary, ids_of(vocabulary, BEAT_TYPES)), timing))
    if column is not None and vocabulary.has(EventType.HOLD_NOTE):
        back, types = (3, COLUMN_TYPES) if profile.types_first else (1, (EventType.SNAPPING,))
        rules.append((back, id_table(vocabulary, ids_of(vocabulary, types)), column))
    if taiko is not None and vocabulary.has(EventType.SCROLL_SPEED):
        rules.append((1, id_table(vocabulary, ids_of(vocabulary, (EventType.SCROLL_SPEED,))), taiko))
    return rules


def end_ids(vocabulary: Vocabulary, context: ContextType | None, lookback_ms: float, lookahead_ms: float) -> list[int]:
    """Ids that end a window: end of sequence, end of the context, and times that other windows will write.

    Args:
        lookback_ms: 0 for the first window, where nothing is prefilled.
        lookahead_ms: 0 for the last window, where nobody comes after.
    """
    first, end = vocabulary.event_start[EventType.TIME_SHIFT], vocabulary.event_end[EventType.TIME_SHIFT]
    ids = {vocabulary.eos_id}
    if context is not None and context in vocabulary.context_eos:
        ids.add(vocabulary.context_eos[context])
    if lookback_ms > 0:
        ids.update(range(first, first + int(lookback_ms / 10)))
    if lookahead_ms > 0:
        ids.update(range(end - int(lookahead_ms / 10), end))
    return sorted(ids)
