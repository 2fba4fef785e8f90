"""One map being written: what is known beforehand, the row of each window, and what comes of it.

After a window, what lies in the next window's part is dropped, because that one writes it again with more of the song
in view.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import torch

from osuT5.audio import WindowPlan, WindowSpan
from osuT5.beatmap import TimingPoint
from osuT5.events import (
    NO_OBJECT,
    TIME_STEP_MS,
    ContextType,
    EventSequence,
    Profile,
    PromptBuilder,
    Vocabulary,
    encode_timing,
    fill_times,
)
from osuT5.events.prompt import negative_conditions
from osuT5.inference.decoder import Row
from osuT5.inference.inputs import Inputs
from osuT5.inference.logits_processors import end_ids, processors_for
from osuT5.inference.map_settings import map_settings
from osuT5.inference.postprocess import PlacedObjects, Placement, unpack_positions
from osuT5.inference.postprocess.drafts import Draft
from osuT5.inference.progress import Objects
from osuT5.inference.resolve import ResolvedOptions
from osuT5.inference.sampling import keyed_generator
from osuT5.inference.session import EncoderConditions, SongSession, encoder_conditions
from osuT5.inference.templates import Task, given_sequence, template_inputs
from osuT5.inference.tick_weights import TickWeights
from osuT5.inference.token_history import time_range


@dataclass(frozen=True)
class MapTask:
    """One map to make in a session."""

    inputs: Inputs
    options: ResolvedOptions
    task: Task


@dataclass
class Track:
    """One map being written in a session.

    Attributes:
        builder: makes the prompts; holds the template and the conditions.
        encoder_conditions: what the encoder takes besides the sound.
        seed_key: attempt and number of the track; with the seed, stage and window it keys the random numbers.
        sequences: what is known of each output context so far.
        given: contexts that are known and not written (timing, or what the reference supplies).
        ticks: weights of the beat grid's ticks, if events are to lie on them.
        placed: objects that are final so far; None where their grid is not known before the events.
    """

    options: ResolvedOptions
    builder: PromptBuilder
    seed: int
    encoder_conditions: EncoderConditions = field(default_factory=dict)
    seed_key: tuple[int, int] = (0, 0)
    sequences: dict[ContextType, EventSequence] = field(default_factory=dict)
    given: frozenset[ContextType] = frozenset()
    ticks: TickWeights | None = None
    placed: PlacedObjects | None = None
    _streamed: list[Draft] = field(default_factory=list, repr=False)

    @property
    def number(self) -> int:
        return self.seed_key[1]

    @property
    def profile(self) -> Profile:
        return self.builder.profile

    @property
    def vocabulary(self) -> Vocabulary:
        return self.builder.vocabulary

    @property
    def stages(self) -> tuple[ContextType, ...]:
        return self.builder.template.outputs

    def row(self, session: SongSession, plan: WindowPlan, stage: int, window: int) -> tuple[Row, WindowSpan]:
        """What the decoder needs to write one window of one stage, and where the window lies."""
        options, context = self.options, self.stages[stage]
        span = plan.span(window, options.lookback, options.lookahead)
        prompt = self.builder.build(stage, self.sequences, span.start_ms)
        weights = None
        if self.ticks is not None:
            onsets = None
            if context is ContextType.MAP:
                onsets = session.onsets(plan, window, self.encoder_conditions, prompt.ids)
            weights = torch.from_numpy(
                self.ticks.window(span.start_ms, span.length_ms, self.profile.max_time_step, onsets)
            )
        return Row(
            prompt,
            end_ids(self.vocabulary, context, span.lookback_ms, span.lookahead_ms),
            self.profile.tgt_seq_len,
            processors_for(options, self.profile, self.vocabulary, context, span, weights),
            options.guidance,
            keyed_generator(self.seed, *self.seed_key, stage, window) if options.do_sample else None,
        ), span

    def append(self, context: ContextType, ids: Sequence[int], span: WindowSpan) -> None:
        """Adds what a window wrote."""
        sequence = self.sequences.setdefault(context, EventSequence())
        append_window(sequence, ids, context, span, self.profile, self.vocabulary)

    def new_objects(self, complete_until_ms: float) -> Objects | None:
        """Objects that became final with the last window of the map; None if there are none.

        Args:
            complete_until_ms: later windows write no event before this time.
        """
        if self.placed is None:
            return None
        sequence = unpack_positions(self.sequences[ContextType.MAP], self.profile)
        sequence = trim_range(sequence, self.options.start_time, self.options.end_time)
        drafts = self.placed.update(sequence, complete_until_ms)
        self._streamed += drafts
        return Objects(tuple(drafts), self.number) if drafts else None

    def last_objects(self, placement: Placement) -> list[Objects]:
        """What is missing in the stream of objects to make its sum the placement."""
        drafts, sent = placement.drafts, self._streamed
        if sent != drafts[: len(sent)]:  # a stream that ran backwards: all anew
            return [Objects(tuple(d.copy() for d in drafts), self.number, replaces=True)]
        rest = self.placed.finish(placement) if self.placed is not None else [d.copy() for d in drafts]
        return [Objects(tuple(rest), self.number)] if rest else []

    def finished(self, contexts: Iterable[ContextType], song_length_ms: float) -> dict[ContextType, EventSequence]:
        """Contexts in template order with final times."""
        wanted = set(contexts)
        result = {}
        for context in self.stages:
            if context in wanted and context in self.sequences:
                written = self.sequences[context].slice(0, len(self.sequences[context]))
                first = self.profile.types_first
                written.times = fill_times(written.events, (), types_first=first, end_time=song_length_ms)
                result[context] = written
        return result


def open_track(
    session: SongSession, task: MapTask, seed_key: tuple[int, int], timing: list[TimingPoint] | None
) -> Track:
    """A map about to be written: its prompt builder and all that is known beforehand.

    Given are the timing, contexts that the request takes from the reference, and the map before a range.
    """
    options, profile, vocabulary = task.options, session.model.profile, session.model.vocabulary
    template, reference = task.task.template, task.inputs.reference
    length = session.plan(options).song_length_ms
    conditions = options.conditions(length)
    builder = PromptBuilder(
        profile,
        vocabulary,
        template,
        conditions,
        length,
        template_inputs(template, reference, profile, vocabulary, length),
        negative_conditions(conditions, options.negative_descriptors) if options.guidance > 1 else None,
    )
    track = Track(options, builder, task.inputs.seed, encoder_conditions(options, session.model), seed_key)
    given = set()
    if timing is not None and ContextType.TIMING in profile.output_contexts:
        track.sequences[ContextType.TIMING] = encode_timing(timing, profile, length)
        given.add(ContextType.TIMING)
    for context in template.outputs:
        if reference is None or context in given:
            continue
        if context in options.contexts:
            track.sequences[context] = given_sequence(reference, context, profile, length)
            given.add(context)
        elif options.add_to_beatmap and options.start_time is not None:
            before = given_sequence(reference, context, profile, length)
            end = sum(t <= options.start_time - 1 for t in before.times)
            track.sequences[context] = before.slice(0, end)
    track.given = frozenset(given)
    if timing is not None and ContextType.MAP not in given:
        track.placed = PlacedObjects(timing, profile, map_settings(options, task.inputs, session.song))
    if options.grid_times and timing:
        track.ticks = TickWeights(
            timing,
            options.difficulty,
            session.salience,
            options.prior_weight,
            options.audio_weight,
            options.onset_weight,
        )
    return track


def trim_ids(
    ids: Sequence[int], context: ContextType, span: WindowSpan, vocabulary: Vocabulary, types_first: bool
) -> list[int]:
    """The ids of a window without its end marks and without a last time that lies in a neighbour's part."""
    ends = {vocabulary.eos_id, vocabulary.context_eos.get(context, vocabulary.eos_id)}
    kept = list(ids)
    while kept and kept[-1] in ends:
        kept.pop()
    times = time_range(vocabulary)
    if kept and times.start <= kept[-1] < times.stop:
        step = kept[-1] - times.start
        too_early = span.lookback_ms > 0 and step < int(span.lookback_ms / TIME_STEP_MS)
        too_late = span.lookahead_ms > 0 and step >= int((span.length_ms - span.lookahead_ms) / TIME_STEP_MS)
        if too_early or too_late:
            kept.pop()
            if types_first and kept:
                kept.pop()
    return kept


def append_window(
    sequence: EventSequence,
    ids: Sequence[int],
    context: ContextType,
    span: WindowSpan,
    profile: Profile,
    vocabulary: Vocabulary,
) -> int:
    """Adds what a window wrote to the context's sequence, in place; returns how many events were kept.

    Events from the end backwards are dropped while they lie in the lookahead part: the next window writes them again
    with more of the song in view.
    """
    before = len(sequence)
    kept = trim_ids(ids, context, span, vocabulary, profile.types_first)
    written = vocabulary.decode_ids(kept, span.start_ms)
    sequence.events.extend(written)
    if sequence.object_indices is not None:
        sequence.object_indices.extend([NO_OBJECT] * len(written))
    sequence.times = fill_times(
        sequence.events,
        sequence.times,
        types_first=profile.types_first,
        end_time=span.start_ms + span.length_ms,
    )
    if span.lookahead_ms > 0:
        while len(sequence) > before and sequence.times[-1] > span.keep_until_ms:
            sequence.pop()
    return len(sequence) - before


def trim_range(
    sequence: EventSequence, start_ms: float | None, end_ms: float | None, slack_ms: float = 10
) -> EventSequence:
    """Events of a time range: all before the start go, and from the end backwards all after the end."""
    times = sequence.times
    kept = [i for i, t in enumerate(times) if start_ms is None or t >= start_ms - slack_ms]
    if end_ms is not None:
        while kept and times[kept[-1]] > end_ms + slack_ms:
            kept.pop()
    return sequence.take(kept)
