"""Training samples: a window of sound, the decoder's input and what it should have said.

The layout is that of every prompt (`osuT5.events.prompt`); added here are the token budget, the labels and the
corruption of the input. `SampleRecipe` holds what differs between the recipe of the published models and ours;
each difference is a named option. Facts: training spec, "From a set to samples".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from osuT5.data.compiled import CompiledContext, compile_context
from osuT5.data.windows import OFFSET_LIMIT, FrameGrid, TrainingWindow, slice_bounds, training_windows
from osuT5.events import Conditions, ContextType, EventSequence, EventType, Profile, Template, Vocabulary, class_prefix
from osuT5.events.prompt import DEFAULT_SPEED, PromptContext, carries_kiai, carries_speed, lay_out, state_ids

IGNORED = -100
NEVER_DROPPED: Mapping[str, float] = {}


@dataclass(frozen=True)
class SampleRecipe:
    """How samples are made from a map. Defaults are plain; `compat` names the settings of the published models.

    Attributes:
        state: "carried" takes kiai and speed from the windows of this epoch and lets the last output context win even
            when it is empty (published recipe); "events" reads them from the map itself.
        dropout: condition name -> probability of saying "unknown", drawn per window.
        pre_tokens: events of the window before the first output context stand before id 1.
        first_pre_window: "all" gives the first window the whole map as pre tokens (published recipe), "none" nothing.
        end_after_cut: an output context that did not fit still ends with its end mark as a label (published recipe).
        empty: keep windows in which nothing happens.
    """

    lookback: float = 0.0
    lookback_prob: float = 0.0
    lookahead: float = 0.0
    frame_offset_prob: float = 0.0
    time_jitter: int = 0
    common_time_jitter: int = 0
    jitter_prob: float = 1.0
    snapping_noise: float = 0.0
    state: str = "events"
    dropout: Mapping[str, float] = field(default_factory=dict)
    pre_tokens: bool = False
    max_pre_tokens: int = -1
    first_pre_window: str = "none"
    end_after_cut: bool = False
    empty: bool = True


@dataclass
class InputPart:
    """A given context of a map: events and, for another difficulty, its conditions."""

    context: ContextType
    events: CompiledContext
    conditions: Conditions | None = None


@dataclass
class MapSource:
    """One map ready to be cut: contexts as arrays, conditions, and which ids may be labels.

    Attributes:
        labelled: which output ids may become labels, shape (vocab_size_out,), or None for all. A chart that is only
            trusted for its rhythm labels times and kinds, not positions.
        part: only windows that begin in these frames are made; None for all.
    """

    template: Template
    outputs: list[tuple[ContextType, CompiledContext]]
    conditions: Conditions
    inputs: list[InputPart] = field(default_factory=list)
    labelled: np.ndarray | None = None
    part: tuple[int, int] | None = None


@dataclass(frozen=True)
class Sample:
    """One training example.

    Attributes:
        start_frame, end_frame: the window; sound beyond the song is zeros.
        input_ids, labels: shape (length,), unpadded; label[i] follows input[i], -100 is ignored.
        label_offsets: per output context, how many of its first events are context only.
        cut: events that did not fit.
    """

    start_frame: int
    end_frame: int
    input_ids: np.ndarray
    labels: np.ndarray
    label_offsets: list[int]
    cut: int = 0

    @property
    def is_empty(self) -> bool:
        """Nothing to say but the end."""
        return not np.any((self.labels != IGNORED) & (self.labels != 2))


def prepare_map(
    template: Template,
    outputs: Mapping[ContextType, EventSequence],
    conditions: Conditions,
    vocabulary: Vocabulary,
    inputs: Sequence[tuple[ContextType, EventSequence, Conditions | None]] = (),
    labelled: np.ndarray | None = None,
) -> MapSource:
    """Compiles a map once for all its windows."""
    return MapSource(
        template,
        [(c, compile_context(outputs.get(c, EventSequence()), vocabulary)) for c in template.outputs],
        conditions,
        [InputPart(c, compile_context(s, vocabulary), k) for c, s, k in inputs],
        labelled,
    )


@dataclass
class SampleMaker:
    """Cuts maps into samples for one profile, vocabulary and recipe."""

    profile: Profile
    vocabulary: Vocabulary
    recipe: SampleRecipe

    def windows(self, grid: FrameGrid, rng: np.random.Generator, offset: int | None = None) -> list[TrainingWindow]:
        """The windows of one map in one epoch; `offset` fixes the first frame instead of drawing it."""
        frames = self.profile.src_seq_len - 1
        if offset is None:
            drawn = int(rng.integers(0, min(frames, OFFSET_LIMIT) + 1))
            offset = drawn if rng.random() < self.recipe.frame_offset_prob else 0
        lookback = self.recipe.lookback if rng.random() < self.recipe.lookback_prob else 0.0
        return training_windows(
            grid.n_frames, frames, offset=offset, lookback=lookback, lookahead=self.recipe.lookahead
        )

    def samples(
        self, source: MapSource, grid: FrameGrid, rng: np.random.Generator, offset: int | None = None
    ) -> list[Sample]:
        """All samples of one map in one epoch, in time order."""
        carried: dict[tuple[str, ContextType, EventType], int] = {}
        firsts_out = [grid.first_events(events.times) for _, events in source.outputs]
        firsts_in = [grid.first_events(part.events.times) for part in source.inputs]
        made = []
        for window in self.windows(grid, rng, offset):
            if source.part is not None and not source.part[0] <= window.start < source.part[1]:
                continue
            sample = self._assemble(source, grid, window, firsts_out, firsts_in, carried, rng)
            if self.recipe.empty or not sample.is_empty:
                made.append(sample)
        return made

    def _assemble(
        self,
        source: MapSource,
        grid: FrameGrid,
        window: TrainingWindow,
        firsts_out: list[np.ndarray],
        firsts_in: list[np.ndarray],
        carried: dict[tuple[str, ContextType, EventType], int],
        rng: np.random.Generator,
    ) -> Sample:
        start_ms = grid.time_ms(window.start)
        ids_of = lambda events, a, b: events.window_ids(a, b, start_ms, self.vocabulary)  # noqa: E731

        inputs = []
        for part, first in zip(source.inputs, firsts_in, strict=True):
            a, b = slice_bounds(first, window.start, window.end)
            state = self._state("in", part.context, part.events, a, b, start_ms, carried)
            prefix: list[int] = []
            if part.conditions is not None:
                prefix = class_prefix(self._drop(part.conditions, rng), self.profile, self.vocabulary)
                prefix += state_ids(self.profile, self.vocabulary, state, start_ms, part.conditions.song_length_ms)
            elif state:
                prefix = state_ids(self.profile, self.vocabulary, state, start_ms, None)
            inputs.append(PromptContext(part.context, ids_of(part.events, a, b), prefix))

        state = {}
        outputs, offsets = [], []
        for (context, events), first in zip(source.outputs, firsts_out, strict=True):
            a, b = slice_bounds(first, window.start, window.label_end)
            state.update(self._state("out", context, events, a, b, start_ms, carried))
            offsets.append(int(first[window.label_start]) - a)
            outputs.append(PromptContext(context, ids_of(events, a, b)))
        prefix = class_prefix(self._drop(source.conditions, rng), self.profile, self.vocabulary)
        prefix += state_ids(self.profile, self.vocabulary, state, start_ms, source.conditions.song_length_ms)
        previous = self._previous(source, firsts_out, window, ids_of)
        return self._finish(source, window, inputs, prefix, previous, outputs, offsets, rng)

    def _previous(self, source: MapSource, firsts_out: list[np.ndarray], window: TrainingWindow, ids_of) -> np.ndarray:
        if not self.recipe.pre_tokens:
            return np.zeros(0, dtype=np.int64)
        _, events = source.outputs[0]
        begin = max(window.start - (self.profile.src_seq_len - 1), 0)
        if window.start == 0:
            end = int(firsts_out[0][-1]) if self.recipe.first_pre_window == "all" else 0
            return ids_of(events, 0, end)
        return ids_of(events, *slice_bounds(firsts_out[0], begin, window.start))

    def _state(
        self,
        role: str,
        context: ContextType,
        events: CompiledContext,
        first: int,
        end: int,
        start_ms: float,
        carried: dict[tuple[str, ContextType, EventType], int],
    ) -> dict[EventType, int]:
        """What a context says about the moment before the window."""
        kinds = []
        if self.profile.add_kiai_special_token and carries_kiai(self.profile, context):
            kinds.append((EventType.KIAI, events.kiai, 0))
        if self.profile.add_sv_special_token and carries_speed(self.profile, context):
            kinds.append((EventType.SCROLL_SPEED, events.speeds, DEFAULT_SPEED))
        state = {}
        for kind, rows, default in kinds:
            if self.recipe.state == "events":
                if len(rows) or context is not ContextType.SV:
                    state[kind] = events.state_before(rows, start_ms, default)
                continue
            key = (role, context, kind)
            state[kind] = carried.get(key, default)
            inside = [value for index, value in rows if first <= index < end]
            if inside:
                carried[key] = int(inside[-1])
        return state

    def _drop(self, conditions: Conditions, rng: np.random.Generator) -> Conditions:
        dropped = {name: None for name, p in self.recipe.dropout.items() if p > 0 and rng.random() < p}
        return replace(conditions, **dropped) if dropped else conditions

    def _finish(
        self,
        source: MapSource,
        window: TrainingWindow,
        inputs: list[PromptContext],
        prefix: list[int],
        previous: np.ndarray,
        outputs: list[PromptContext],
        offsets: list[int],
        rng: np.random.Generator,
    ) -> Sample:
        marks = 2
        marked = self.vocabulary.context_sos
        fixed = 1 + len(prefix) + sum(
            (marks if part.context in marked else 0) + len(part.prefix) for part in [*inputs, *outputs]
        )
        total = self.profile.tgt_seq_len
        pre = len(previous) if self.recipe.max_pre_tokens <= 0 else min(len(previous), self.recipe.max_pre_tokens)
        wanted_out = sum(len(p.ids) for p in outputs)
        n = max(min(total - fixed - min(4, pre), wanted_out), 0)
        m = max(min(total - fixed - n, pre), 0)
        o = max(min(total - fixed - n - m, sum(len(p.ids) for p in inputs)), 0)
        lengths = [len(p.ids) for p in outputs]
        outputs, inputs = _take(outputs, n), _take(inputs, o)
        layout = lay_out(
            self.vocabulary, inputs, prefix, outputs, previous=previous[len(previous) - m :], close_last=True
        )
        input_ids = np.array(layout.ids, dtype=np.int64)
        following = np.append(input_ids[1:], self.vocabulary.eos_id)
        labels = np.full(len(input_ids), IGNORED, dtype=np.int64)
        for part, length, (first, end), offset in zip(outputs, lengths, layout.output_spans, offsets, strict=True):
            ends = int(part.context in marked)
            if ends:
                labels[first - 2] = following[first - 2]  # the start mark itself
            stop = end - 1 + ends
            if len(part.ids) < length and not self.recipe.end_after_cut:
                stop = end - 1  # what follows the last kept event is unknown
            span = slice(max(first - 1 + offset, 0), max(stop, first - 1 + offset))
            labels[span] = following[span]
        complete = n == wanted_out
        if complete or self.recipe.end_after_cut:
            labels[-1] = self.vocabulary.eos_id
        self._corrupt(input_ids, layout.start_index - m, len(prefix), rng)
        if source.labelled is not None:
            known = labels != IGNORED
            labels[known] = np.where(source.labelled[labels[known]], labels[known], IGNORED)
        return Sample(window.start, window.end, input_ids, labels, offsets, wanted_out - n)

    def _corrupt(self, ids: np.ndarray, first: int, prefix: int, rng: np.random.Generator) -> None:
        """Jitter of the times from the pre tokens on, noise on every snap; in place, input only."""
        low = self.vocabulary.event_start[EventType.TIME_SHIFT]
        high = self.vocabulary.event_end[EventType.TIME_SHIFT] - 1
        recipe = self.recipe
        if recipe.time_jitter > 0 or recipe.common_time_jitter > 0:
            part = ids[first:]
            times = (part >= low) & (part <= high)
            shift = np.zeros(len(part), dtype=np.int64)
            if rng.random() < recipe.jitter_prob:
                shift += rng.integers(-recipe.time_jitter, recipe.time_jitter + 1, len(part))
            if rng.random() < recipe.jitter_prob:
                shift += rng.integers(-recipe.common_time_jitter, recipe.common_time_jitter + 1)
            part[times] = (part + shift)[times].clip(low, high)
        if recipe.snapping_noise > 0:
            snap = self.vocabulary.event_start[EventType.SNAPPING]
            count = self.vocabulary.event_end[EventType.SNAPPING] - snap
            chosen = (ids >= snap) & (ids < snap + count) & (rng.random(len(ids)) < recipe.snapping_noise)
            ids[chosen] = snap + rng.integers(0, count, int(chosen.sum()))


def _take(parts: list[PromptContext], budget: int) -> list[PromptContext]:
    """First come, first served: contexts keep their first events while the budget lasts."""
    taken = []
    for part in parts:
        keep = min(len(part.ids), budget)
        budget -= keep
        taken.append(replace(part, ids=part.ids[:keep]))
    return taken
