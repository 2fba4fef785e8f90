"""What happens to the logits between the model and the sampler: one small class per rule.

`processors_for` lists the rules of one row. `stack` makes one chain of the lists of all rows of a batch, in the order
that the published models were sampled with; rows that lack a rule get its neutral value. Processors keep nothing
themselves: what they know of earlier tokens is in a `TokenHistory`, which can be reordered, or in a `PromptHistory`,
which holds all positions of a finished prompt at once. A new rule is a new class, its place in `ORDER` and one line in
`processors_for`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from osuT5.audio import WindowSpan
from osuT5.events import TIME_STEP_MS, TYPE_CODE, ContextType, EventType, Profile, Vocabulary
from osuT5.events.sequence import TIMED_EVENTS
from osuT5.inference.token_history import History, PromptHistory, id_table, time_range

if TYPE_CHECKING:
    from osuT5.inference.resolve import ResolvedOptions

INF = float("inf")
TAIKO, MANIA = 1, 3
BEAT_TYPES = (EventType.BEAT, EventType.MEASURE, EventType.TIMING_POINT)
COLUMN_TYPES = (EventType.CIRCLE, EventType.HOLD_NOTE, EventType.HOLD_NOTE_END)
ON_GRID = (ContextType.KIAI, ContextType.MAP, ContextType.SV)


# ---- the rules


class LogitsProcessor:
    """A rule for the logits of one row, or, stacked, of several.

    Subclasses name the parameters of a row in `__init__`, give those of a row without the rule as `neutral`, and make
    tensors of the rows' parameters in `prepare`.
    """

    neutral: ClassVar[tuple] = ()

    def __init__(self, vocabulary: Vocabulary, *parameters: Any):
        self.vocabulary = vocabulary
        self.rows = [parameters]
        self.prepare(torch.device("cpu"))

    @property
    def parameters(self) -> tuple:
        """Of the first row."""
        return self.rows[0]

    def prepare(self, device: torch.device) -> None:
        """Tensors of `rows` on a device."""

    def __call__(self, logits: Tensor, history: History) -> Tensor:
        """(N, V) float32 -> (N, V); the argument may be changed in place. N is R, or all positions of one row."""
        raise NotImplementedError

    @classmethod
    def stacked(cls, processors: Sequence[LogitsProcessor | None], device: torch.device) -> LogitsProcessor:
        """One processor for the rows of several; None for a row without the rule."""
        made = copy.copy(next(p for p in processors if p is not None))
        made.rows = [cls.neutral if p is None else p.parameters for p in processors]
        made.prepare(device)
        return made

    def select(self, index: Sequence[int], device: torch.device) -> LogitsProcessor:
        """Row i gets the rule of row `index[i]`."""
        made = copy.copy(self)
        made.rows = [self.rows[i] for i in index]
        made.prepare(device)
        return made


class LogitBias(LogitsProcessor):
    """Adds a constant to every logit. The biases of a row are summed once, when rows are stacked.

    Args:
        bias: (V,), or 0.
    """

    neutral = (0,)

    def __init__(self, vocabulary: Vocabulary, bias: Tensor | int):
        super().__init__(vocabulary, bias)

    def prepare(self, device: torch.device) -> None:
        size = self.vocabulary.vocab_size_out
        rows = [torch.zeros(size) if isinstance(bias, int) else bias for (bias,) in self.rows]
        self.bias = torch.stack(rows).to(device)

    def __call__(self, logits: Tensor, history: History) -> Tensor:
        return logits.add_(self.bias)

    @staticmethod
    def sum(biases: Sequence[LogitBias]) -> LogitBias:
        return LogitBias(biases[0].vocabulary, torch.stack([b.parameters[0] for b in biases]).sum(0))


class ForbidIds(LogitBias):
    """Ids that can never be a sensible continuation."""

    def __init__(self, vocabulary: Vocabulary, ids: Sequence[int]):
        bias = torch.zeros(vocabulary.vocab_size_out)
        bias[list(ids)] = -INF
        super().__init__(vocabulary, bias)


class EndPenalty(LogitBias):
    """Makes it harder to end a window by an end mark: music goes on, so the map mostly does too."""

    def __init__(self, vocabulary: Vocabulary, penalty: float):
        bias = torch.zeros(vocabulary.vocab_size_out)
        bias[end_marks(vocabulary)] = -penalty
        super().__init__(vocabulary, bias)


class TimeShiftBias(LogitBias):
    """Adds a constant to all time logits: above 0 makes longer groups rarer, below 0 makes denser maps likelier."""

    def __init__(self, vocabulary: Vocabulary, bias: float):
        values = torch.zeros(vocabulary.vocab_size_out)
        values[time_range(vocabulary)] = bias
        super().__init__(vocabulary, values)


class ForbidLookback(LogitBias):
    """Types-last models: times in the lookback part of the window cannot be chosen."""

    def __init__(self, vocabulary: Vocabulary, lookback_ms: float):
        bias = torch.zeros(vocabulary.vocab_size_out)
        bias[lookback_range(vocabulary, lookback_ms)] = -INF
        super().__init__(vocabulary, bias)


class MonotonicTime(LogitsProcessor):
    """Inside one context, time never runs backwards: times before the last one cannot be chosen."""

    neutral = (False,)

    def __init__(self, vocabulary: Vocabulary, active: bool = True):
        super().__init__(vocabulary, active)

    def prepare(self, device: torch.device) -> None:
        self.times = time_range(self.vocabulary)
        self.ids = torch.arange(self.times.start, self.times.stop, device=device)
        self.active = torch.tensor([row for (row,) in self.rows], device=device)

    def __call__(self, logits: Tensor, history: History) -> Tensor:
        floor = torch.where(self.active, history.time_floor, self.times.start)
        logits[:, self.times].masked_fill_(self.ids < floor[:, None], -INF)
        return logits


class GridTimes(LogitsProcessor):
    """Only times on the beat grid can be chosen, weighed against each other.

    The probability that the next id is a time at all stays as it was: the ticks share what the times had together,
    so that ending a window does not become likelier because times were taken away.

    Args:
        log_weights: of every time id, (time ids,): -inf off the grid; None leaves the row alone.
    """

    neutral = (None,)

    def __init__(self, vocabulary: Vocabulary, log_weights: Tensor | None):
        super().__init__(vocabulary, log_weights)

    def prepare(self, device: torch.device) -> None:
        self.times = time_range(self.vocabulary)
        count = self.times.stop - self.times.start
        rows = [torch.zeros(count) if weights is None else weights for (weights,) in self.rows]
        self.log_weights = torch.stack(rows).to(device)

    def __call__(self, logits: Tensor, history: History) -> Tensor:
        times = logits[:, self.times]
        on_grid = times + self.log_weights
        lost = times.logsumexp(1, keepdim=True) - on_grid.logsumexp(1, keepdim=True)
        logits[:, self.times] = torch.where(lost.isfinite(), on_grid + lost, times)
        return logits


class Temperature(LogitsProcessor):
    """Divides the logits; 0 keeps only the best id. May depend on the ids just before.

    Args:
        temperature: where no rule holds.
        rules: (how far back, types of the id there, temperature) in order of precedence; 1 = the previous id.
    """

    neutral = (1.0, ())

    def __init__(
        self,
        vocabulary: Vocabulary,
        temperature: float,
        rules: Sequence[tuple[int, tuple[EventType, ...], float]] = (),
    ):
        super().__init__(vocabulary, temperature, tuple(rules))

    def prepare(self, device: torch.device) -> None:
        self.temperature = torch.tensor([row for row, _ in self.rows], device=device)
        self.rules = []  # those of the least precedence first; (how far back, table of ids, rows, temperatures)
        for level in reversed(range(max(len(rules) for _, rules in self.rows))):
            at_level = [rules[level] if level < len(rules) else None for _, rules in self.rows]
            for back, types in dict.fromkeys(rule[:2] for rule in at_level if rule is not None):
                has = [rule is not None and rule[:2] == (back, types) for rule in at_level]
                values = [rule[2] if found else 1.0 for rule, found in zip(at_level, has, strict=True)]
                table = id_table(self.vocabulary, types).to(device)
                self.rules.append(
                    (back, table, torch.tensor(has, device=device), torch.tensor(values, device=device))
                )
        self.has_zero = any(t <= 0 for base, rules in self.rows for t in (base, *(r[2] for r in rules)))

    def __call__(self, logits: Tensor, history: History) -> Tensor:
        temperature = self.temperature
        for back, table, has, value in self.rules:
            temperature = torch.where(table[history.back(back)] & has, value, temperature)
        temperature = temperature[:, None]
        scaled = logits / temperature.clamp_min(1e-6)
        if self.has_zero:
            best = logits >= logits.amax(1, keepdim=True)
            scaled = torch.where(temperature <= 0, logits.masked_fill(~best, -INF), scaled)
        return scaled


class LookbackBias(LogitsProcessor):
    """Types-first models: the type is chosen before its time, so just forbidding lookback times would distort it.

    With q the distribution that the type was chosen from and p that of its time, let e be q's mass on end marks, l
    p's mass on lookback times and D = (1 - l)(1 - e) + e. Other times get p / D, and the first time id, which ends the
    window, gets l e / D: ending keeps the weight that it would have had. If nothing but lookback times is possible, the
    window ends. Computed from logarithms: masses of exactly 0 and 1, as temperature 0 gives, are sound.

    Args:
        lookback_ms: 0 leaves the row alone.
    """

    neutral = (0.0,)

    def __init__(self, vocabulary: Vocabulary, lookback_ms: float):
        super().__init__(vocabulary, lookback_ms)

    def prepare(self, device: torch.device) -> None:
        times = time_range(self.vocabulary)
        self.first = times.start
        steps = [len(range(*lookback_range(self.vocabulary, ms).indices(times.stop))) for (ms,) in self.rows]
        self.span = slice(times.start, times.start + max(steps))
        self.lookback = torch.arange(max(steps), device=device) < torch.tensor(steps, device=device)[:, None]
        self.active = torch.tensor(steps, device=device) > 0
        self.timed = id_table(self.vocabulary, tuple(sorted(TIMED_EVENTS, key=TYPE_CODE.get))).to(device)
        self.ends = torch.tensor(end_marks(self.vocabulary), device=device)

    def __call__(self, logits: Tensor, history: History) -> Tensor:
        total = logits.logsumexp(1, keepdim=True)
        end_now = logits.index_select(1, self.ends).logsumexp(1, keepdim=True) - total
        end = history.previous("lookback_end", end_now)  # ln e
        applies = (self.timed[history.back(1)] & self.active)[:, None] & ~end.isnan()
        if logits.device.type == "cpu" and not bool(applies.any()):
            return logits
        log_p = logits - total
        inside = log_p[:, self.span].masked_fill(~self.lookback, -INF).logsumexp(1, keepdim=True)  # ln l
        others = log_p.clone()
        others[:, self.span].masked_fill_(self.lookback, -INF)
        outside = others.logsumexp(1, keepdim=True)  # ln (1 - l), exact also where l is nearly 1
        not_end = torch.log1p(-end.exp().clamp_max(1.0))
        scale = torch.logaddexp(outside + not_end, end)  # ln D
        possible = scale > -INF
        adjusted = others - torch.where(possible, scale, 0.0)
        adjusted[:, self.first] = torch.where(possible, inside + end - scale, 0.0)[:, 0]
        return torch.where(applies, adjusted, logits)


class TopK(LogitsProcessor):
    """Keeps the k best ids; ties with the k-th stay. 0 keeps all."""

    neutral = (0,)

    def __init__(self, vocabulary: Vocabulary, k: int):
        super().__init__(vocabulary, k)

    def prepare(self, device: torch.device) -> None:
        self.k = torch.tensor([k for (k,) in self.rows], device=device)[:, None]
        self.largest = max(k for (k,) in self.rows)

    def __call__(self, logits: Tensor, history: History) -> Tensor:
        count = max(min(self.largest, logits.shape[1]), 1)  # the rows with a k may have left the batch
        place = (self.k.clamp_max(count) - 1).clamp_min(0).expand(len(logits), 1)
        worst = logits.topk(count, dim=1).values.gather(1, place)
        return logits.masked_fill((logits < worst) & (self.k > 0), -INF)


class TopP(LogitsProcessor):
    """Keeps the smallest set of best ids whose probability exceeds p, at least one; 1 keeps all."""

    neutral = (1.0,)

    def __init__(self, vocabulary: Vocabulary, p: float):
        super().__init__(vocabulary, p)

    def prepare(self, device: torch.device) -> None:
        self.p = torch.tensor([p for (p,) in self.rows], dtype=torch.float64, device=device)[:, None]
        self.limit = (1 - self.p).float()

    def __call__(self, logits: Tensor, history: History) -> Tensor:
        ascending, order = logits.sort(dim=1)
        drop = (ascending.softmax(dim=1).cumsum(dim=1) <= self.limit) & (self.p < 1)
        drop[:, -1] = False
        return logits.masked_fill(drop.scatter(1, order, drop), -INF)


# The published models were sampled in this order. All biases of a row are one sum.
ORDER: tuple[type[LogitsProcessor], ...] = (
    MonotonicTime,
    GridTimes,
    LogitBias,
    Temperature,
    LookbackBias,
    TopK,
    TopP,
)


def stack(rows: Sequence[Sequence[LogitsProcessor]], device: torch.device | str = "cpu") -> list[LogitsProcessor]:
    """One chain for a batch from the rules of each row."""
    unknown = {type(p).__name__ for row in rows for p in row if not isinstance(p, ORDER)}
    if unknown:
        raise TypeError(f"{', '.join(sorted(unknown))} has no place in ORDER")
    chain: list[LogitsProcessor] = []
    for kind in ORDER:
        found = [[p for p in row if isinstance(p, kind)] for row in rows]
        if kind is LogitBias:
            found = [[LogitBias.sum(biases)] if biases else [] for biases in found]
        if any(found):
            chain.append(kind.stacked([of_row[0] if of_row else None for of_row in found], torch.device(device)))
    return chain


def process_prompt(
    processors: Sequence[LogitsProcessor], vocabulary: Vocabulary, ids: Sequence[int], logits: Tensor, start: int = 0
) -> Tensor:
    """The rules of one row over all positions of a given prompt; equal to stepping through it.

    Args:
        processors: of one row.
        ids: the prompt, T ids without padding.
        logits: (T, V) float32, logits[t] follow ids[: t + 1].
        start: position at which decoding would have begun.
    """
    history = PromptHistory(vocabulary, torch.tensor(list(ids), device=logits.device), start)
    for processor in stack([processors], logits.device):
        logits = processor(logits, history)
    return logits


Guidance = Callable[[Tensor, Tensor, Tensor], Tensor]


def classifier_free_guidance(negative: Tensor, positive: Tensor, scale: Tensor) -> Tensor:
    """Away from the negative prompt, towards the positive one. Shapes (R, V), (R, V), (R, 1)."""
    return negative + scale * (positive - negative)


# ---- which rules a row has


def processors_for(
    options: ResolvedOptions,
    profile: Profile,
    vocabulary: Vocabulary,
    context: ContextType,
    span: WindowSpan,
    tick_log_weights: Tensor | None = None,
) -> list[LogitsProcessor]:
    """The rules of one row in one window.

    Args:
        tick_log_weights: (time ids,) for `GridTimes`, where times are to lie on the beat grid.
    """
    v = vocabulary
    chain: list[LogitsProcessor] = [ForbidIds(v, forbidden_ids(v))]
    if options.end_penalty and context is ContextType.MAP and span.lookahead_ms > 0:
        chain.append(EndPenalty(v, options.end_penalty))
    if options.timeshift_bias:
        chain.append(TimeShiftBias(v, options.timeshift_bias))
    if span.lookback_ms > 0 and not profile.types_first:
        chain.append(ForbidLookback(v, span.lookback_ms))
    chain.append(MonotonicTime(v))
    if tick_log_weights is not None and context in ON_GRID:
        chain.append(GridTimes(v, tick_log_weights))
    if options.do_sample:
        rules = temperature_rules(
            vocabulary,
            profile,
            options.timing_temperature,
            options.mania_column_temperature if options.gamemode == MANIA else None,
            options.taiko_hit_temperature if options.gamemode == TAIKO else None,
        )
        chain.append(Temperature(v, options.temperature, [r for r in rules if r[2] != options.temperature]))
    if span.lookback_ms > 0 and profile.types_first:
        chain.append(LookbackBias(v, span.lookback_ms))
    if options.do_sample and options.top_k > 0:
        chain.append(TopK(v, options.top_k))
    if options.do_sample and options.top_p < 1:
        chain.append(TopP(v, options.top_p))
    return chain


def temperature_rules(
    vocabulary: Vocabulary, profile: Profile, timing: float | None, column: float | None, taiko: float | None
) -> list[tuple[int, tuple[EventType, ...], float]]:
    """Rules of `Temperature` for beat times, mania columns and taiko colours; None leaves one out.

    Where the column of a mania note stands is a fact of the layout: with types first it follows type, time and snap
    (the type is the third id back), with types last it follows the snap.
    """
    rules: list[tuple[int, tuple[EventType, ...], float]] = []
    if timing is not None:
        rules.append((1, BEAT_TYPES, timing))
    if column is not None and vocabulary.has(EventType.HOLD_NOTE):
        rules.append((3, COLUMN_TYPES, column) if profile.types_first else (1, (EventType.SNAPPING,), column))
    if taiko is not None and vocabulary.has(EventType.SCROLL_SPEED):
        rules.append((1, (EventType.SCROLL_SPEED,), taiko))
    return rules


def end_marks(vocabulary: Vocabulary) -> list[int]:
    """End of sequence and the end marks of all contexts."""
    return [vocabulary.eos_id, *vocabulary.context_eos.values()]


def lookback_range(vocabulary: Vocabulary, lookback_ms: float) -> slice:
    """The ids of times in the lookback part of a window."""
    first = vocabulary.event_start[EventType.TIME_SHIFT]
    return slice(first, first + int(lookback_ms / TIME_STEP_MS))


@lru_cache(maxsize=16)
def forbidden_ids(vocabulary: Vocabulary) -> tuple[int, ...]:
    """Output ids that no training sample holds: padding, hitsound 72, speed 0 and, in older files, the global speed."""
    ids = [vocabulary.pad_id]
    for kind, value in ((EventType.HITSOUND, 72), (EventType.SCROLL_SPEED, 0)):
        if vocabulary.has(kind):
            values = vocabulary.ranges[kind]
            if values.min_value <= value <= values.max_value:
                ids.append(vocabulary.event_start[kind] + value - values.min_value)
    if vocabulary.has(EventType.GLOBAL_SV) and vocabulary.event_start[EventType.GLOBAL_SV] < vocabulary.vocab_size_out:
        ids += range(vocabulary.event_start[EventType.GLOBAL_SV], vocabulary.event_end[EventType.GLOBAL_SV])
    return tuple(ids)


def end_ids(vocabulary: Vocabulary, context: ContextType | None, lookback_ms: float, lookahead_ms: float) -> list[int]:
    """Ids that end a window: end of sequence, end of the context, and times that other windows will write.

    Args:
        lookback_ms: 0 for the first window, where nothing is prefilled.
        lookahead_ms: 0 for the last window, where nobody comes after.
    """
    times = time_range(vocabulary)
    ids = {vocabulary.eos_id}
    if context is not None and context in vocabulary.context_eos:
        ids.add(vocabulary.context_eos[context])
    if lookback_ms > 0:
        ids.update(range(times.start, lookback_range(vocabulary, lookback_ms).stop))
    if lookahead_ms > 0:
        ids.update(range(times.stop - int(lookahead_ms / TIME_STEP_MS), times.stop))
    return sorted(ids)
