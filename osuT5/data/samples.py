"""Training samples: a window of sound, the decoder's input and what it should have said.

The decoder input and its labels are those of every prompt (`osuT5.events.prompt`); added here are the token budget and
the corruption of the input. What differs between recipes is an option of `SampleRecipe`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from osuT5.data.budget import fit_centred, fit_from_start
from osuT5.data.compiled import CompiledContext, compile_context
from osuT5.data.corruption import corrupt
from osuT5.data.keyed import MapDraws
from osuT5.data.recipes import SampleRecipe
from osuT5.data.windows import OFFSET_LIMIT, FrameGrid, TrainingWindow, slice_bounds, training_windows
from osuT5.errors import InputError
from osuT5.events import Conditions, ContextType, EventSequence, EventType, Profile, Template, Vocabulary, class_prefix
from osuT5.events.prompt import (
    DEFAULT_SPEED,
    IGNORED,
    PromptContext,
    build_decoder_input,
    carries_kiai,
    carries_speed,
    state_ids,
)

UNKNOWN_MAPPER = -1  # no user has this id; None would let the mapper be looked up by the beatmap id
# What a dropped condition becomes; None where it is not named.
DROPPED: Mapping[str, int] = {"mapper_id": UNKNOWN_MAPPER}


@dataclass
class InputPart:
    """A given context of a map: events and, for another difficulty, its conditions.

    `marked` False writes it without its start and end mark.
    """

    context: ContextType
    events: CompiledContext
    conditions: Conditions | None = None
    marked: bool = True


@dataclass(frozen=True)
class EncoderConditions:
    """What a map says to an encoder that is told conditions, beside the song position.

    Attributes:
        style, mapper: classes; difficulty: stars; weight: of the sample in the loss, None where maps have no weights.
    """

    style: int
    mapper: int
    difficulty: float
    weight: float | None = None


@dataclass
class MapSource:
    """One map ready to be cut: contexts as arrays, conditions, and which ids may be labels.

    Attributes:
        labelled: which output ids may become labels, shape (vocab_size_out,), or None for all. A chart that is only
            trusted for its rhythm labels times and kinds, not positions.
        part: only windows that begin in these frames are made; None for all.
        encoder: what the encoder is told; None where the model's hears only sound.
    """

    template: Template
    outputs: list[tuple[ContextType, CompiledContext]]
    conditions: Conditions
    inputs: list[InputPart] = field(default_factory=list)
    labelled: np.ndarray | None = None
    part: tuple[int, int] | None = None
    encoder: EncoderConditions | None = None


@dataclass(frozen=True)
class Sample:
    """One training example.

    Attributes:
        start_frame, end_frame: the window; sound beyond the song is zeros.
        input_ids, labels: shape (length,), not padded at the end; label[i] follows input[i], -100 is ignored.
        label_offsets: per output context, how many of its first events are context only.
        cut: events that did not fit.
        song_position: where the window begins and ends, as shares of the song's frames.
        encoder: what the encoder is told beside it, if anything.
    """

    start_frame: int
    end_frame: int
    input_ids: np.ndarray
    labels: np.ndarray
    label_offsets: list[int]
    cut: int = 0
    song_position: tuple[float, float] = (0.0, 1.0)
    encoder: EncoderConditions | None = None

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


OWN = ("out", -1)  # stands for the conditions of the map itself
# (role, number among the contexts of that role, event) -> the last value of this epoch's windows
Carried = dict[tuple[str, int, EventType], int]
# (role and number, names of the conditions that were dropped) -> ids of the conditions
Prefixes = dict[tuple[tuple[str, int], tuple[str, ...]], list[int]]


@dataclass
class _Cutting:
    """What goes from one window of a map to the next. `firsts_*`: see `FrameGrid.first_events`."""

    source: MapSource
    grid: FrameGrid
    firsts_out: list[np.ndarray]
    firsts_in: list[np.ndarray]
    carried: Carried = field(default_factory=dict)
    prefixes: Prefixes = field(default_factory=dict)


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

    def samples(self, source: MapSource, grid: FrameGrid, draws: MapDraws, offset: int | None = None) -> list[Sample]:
        """All samples of one map in one epoch, in time order.

        Args:
            draws: of this map and epoch; every window has draws of its own.
        Raises:
            InputError: conditions and marks alone do not fit the decoder.
        """
        rng = draws.map()
        cutting = _Cutting(
            source,
            grid,
            [grid.first_events(events.times) for _, events in source.outputs],
            [grid.first_events(part.events.times) for part in source.inputs],
        )
        encoder = self._drop_classes(source.encoder, rng)
        made = []
        for number, window in enumerate(self.windows(grid, rng, offset)):
            if source.part is not None and not source.part[0] <= window.start < source.part[1]:
                continue
            sample = self._assemble(cutting, window, draws.window(number))
            if self.recipe.empty or not sample.is_empty:
                position = (window.start / grid.n_frames, window.end / grid.n_frames)
                made.append(replace(sample, song_position=position, encoder=encoder))
        return made

    def _assemble(self, cutting: _Cutting, window: TrainingWindow, rng: np.random.Generator) -> Sample:
        source, carried = cutting.source, cutting.carried
        start_ms = cutting.grid.time_ms(window.start)
        inputs = []
        for number, (part, first) in enumerate(zip(source.inputs, cutting.firsts_in, strict=True)):
            a, b = slice_bounds(first, window.start, window.end)
            state = self._state(("in", number), part.context, part.events, (a, b), start_ms, carried)
            prefix: list[int] = []
            length = None
            if part.conditions is not None:
                prefix = self._prefix(("in", number), part.conditions, cutting.prefixes, rng)
                length = part.conditions.song_length_ms
            if state or length is not None:
                prefix = prefix + state_ids(self.profile, self.vocabulary, state, start_ms, length)
            ids = part.events.window_ids(a, b, start_ms, self.vocabulary)
            inputs.append(PromptContext(part.context, ids, prefix, part.marked, a))

        state = {}
        outputs, offsets = [], []
        for number, ((context, events), first) in enumerate(zip(source.outputs, cutting.firsts_out, strict=True)):
            a, b = slice_bounds(first, window.start, window.label_end)
            state.update(self._state(("out", number), context, events, (a, b), start_ms, carried))
            offsets.append(int(first[window.label_start]) - a)
            ids = events.window_ids(a, b, start_ms, self.vocabulary)
            outputs.append(PromptContext(context, ids, first_event=a))
        prefix = self._prefix(OWN, source.conditions, cutting.prefixes, rng)
        prefix = prefix + state_ids(self.profile, self.vocabulary, state, start_ms, source.conditions.song_length_ms)
        previous = self._previous(cutting, window, start_ms)
        return self._finish(source, window, inputs, prefix, previous, outputs, offsets, rng)

    def _prefix(
        self, key: tuple[str, int], conditions: Conditions, known: Prefixes, rng: np.random.Generator
    ) -> list[int]:
        """Ids of the conditions, some of them dropped; not to be changed."""
        dropped = tuple(name for name, p in self.recipe.dropout.items() if p > 0 and rng.random() < p)
        if (key, dropped) not in known:
            said = replace(conditions, **{name: DROPPED.get(name) for name in dropped}) if dropped else conditions
            known[key, dropped] = class_prefix(said, self.profile, self.vocabulary)
        return known[key, dropped]

    def _previous(self, cutting: _Cutting, window: TrainingWindow, start_ms: float) -> list[int]:
        """Ids of the window before, of the first output context."""
        if not self.recipe.pre_tokens:
            return []
        _, events = cutting.source.outputs[0]
        begin = max(window.start - (self.profile.src_seq_len - 1), 0)
        a, b = slice_bounds(cutting.firsts_out[0], begin, window.start)
        if window.start == 0 and self.recipe.first_pre_window == "all":
            b = int(cutting.firsts_out[0][-1])
        ids = events.window_ids(a, b, start_ms, self.vocabulary)
        limit = self.recipe.max_pre_tokens
        return ids[-limit:] if limit > 0 else ids

    def _state(
        self,
        key: tuple[str, int],
        context: ContextType,
        events: CompiledContext,
        bounds: tuple[int, int],
        start_ms: float,
        carried: Carried,
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
            state[kind] = carried.get((*key, kind), default)
            last = int(np.searchsorted(rows[:, 0], bounds[1])) - 1
            if last >= 0 and rows[last, 0] >= bounds[0]:
                carried[(*key, kind)] = int(rows[last, 1])
        return state

    def _drop_classes(self, encoder: EncoderConditions | None, rng: np.random.Generator) -> EncoderConditions | None:
        """Style and mapper become unknown with the probabilities of their conditions, drawn once a map."""
        if encoder is None:
            return None
        dropout = self.recipe.dropout
        if rng.random() < dropout.get("beatmap_id", 0.0):
            encoder = replace(encoder, style=self.vocabulary.num_classes)
        if rng.random() < dropout.get("mapper_id", 0.0):
            encoder = replace(encoder, mapper=self.vocabulary.num_mapper_classes)
        return encoder

    def _finish(
        self,
        source: MapSource,
        window: TrainingWindow,
        inputs: list[PromptContext],
        prefix: list[int],
        previous: list[int],
        outputs: list[PromptContext],
        offsets: list[int],
        rng: np.random.Generator,
    ) -> Sample:
        """Fits the parts into the decoder, puts them in order, labels and corrupts them."""
        total = self.profile.tgt_seq_len
        lengths = [len(p.ids) for p in outputs]
        wanted, given = sum(lengths), sum(len(p.ids) for p in inputs)
        whole = build_decoder_input(self.vocabulary, inputs, prefix, outputs, previous=previous, close_last=True)
        fixed = len(whole.ids) - wanted - len(previous) - given
        if fixed > total:
            raise InputError(f"conditions and marks take {fixed} ids, but tgt_seq_len is {total}: raise it")
        fit_in = fit_centred if self.profile.center_pad_decoder else fit_from_start
        fit = fit_in(total, fixed, wanted, len(previous), given)
        if (fit.outputs, fit.previous, fit.inputs) != (wanted, len(previous), given):
            outputs, inputs = _take(outputs, fit.outputs), _take(inputs, fit.inputs)
            previous = previous[len(previous) - fit.previous :]
            whole = build_decoder_input(self.vocabulary, inputs, prefix, outputs, previous=previous, close_last=True)
        ids = np.array(whole.ids, dtype=np.int64)
        # what follows the last event of a context that was cut is not known, or taken for its end as published
        ended = [len(p.ids) == n or self.recipe.end_after_cut for p, n in zip(outputs, lengths, strict=True)]
        following = self.vocabulary.eos_id if all(ended) else None
        labels = np.array(whole.labels(self.vocabulary, following, offsets, ended), dtype=np.int64)
        corrupt(ids, whole.start_index - fit.previous, self.vocabulary, self.recipe, rng)
        if source.labelled is not None:
            known = labels != IGNORED
            labels[known] = np.where(source.labelled[labels[known]], labels[known], IGNORED)
        if fit.pad:
            ids = np.concatenate([np.full(fit.pad, self.vocabulary.pad_id), ids])
            labels = np.concatenate([np.full(fit.pad, IGNORED), labels])
        return Sample(window.start, window.end, ids, labels, offsets, wanted - fit.outputs)


def _take(parts: list[PromptContext], budget: int) -> list[PromptContext]:
    """First come, first served: contexts keep their first events while the budget lasts."""
    taken = []
    for part in parts:
        keep = min(len(part.ids), budget)
        budget -= keep
        taken.append(replace(part, ids=part.ids[:keep]))
    return taken
