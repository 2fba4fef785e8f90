"""The song loop: stage after stage, window after window, each prompt built from what was written before.

A `Track` is one map being written; several tracks of a session are rows of one batch. After a window, what lies in the
next window's part is dropped, because that one writes it again with more of the song in view.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import torch

from osuT5.audio import WindowPlan
from osuT5.events import (
    NO_OBJECT,
    TIME_STEP_MS,
    ContextType,
    EventSequence,
    EventType,
    Profile,
    Vocabulary,
    fill_times,
    only,
)
from osuT5.events.prompt import PromptBuilder
from osuT5.inference.decoder import Row, collect
from osuT5.inference.logits_processors import end_ids, processors_for
from osuT5.inference.postprocess import PlacedObjects, Placement, unpack_positions
from osuT5.inference.postprocess.drafts import Draft
from osuT5.inference.progress import CancelToken, Objects, OnProgress, Window
from osuT5.inference.resolve import ResolvedOptions
from osuT5.inference.sampling import keyed_generator
from osuT5.inference.session import Conditions, SongSession
from osuT5.inference.tick_weights import TickWeights


@dataclass(frozen=True)
class WindowSpan:
    """Where a window lies and what it may write, in ms on the game clock.

    Attributes:
        lookback_ms, lookahead_ms: parts at its ends that belong to its neighbours; 0 at the ends of the song.
    """

    start_ms: int
    length_ms: float
    lookback_ms: float
    lookahead_ms: float

    @classmethod
    def of(cls, plan: WindowPlan, window: int, lookback: float, lookahead: float) -> WindowSpan:
        """Args: lookback, lookahead: shares of a window."""
        length = plan.window_ms
        return cls(
            int(plan.times_ms[window]),
            length,
            0.0 if plan.is_first(window) else lookback * length,
            0.0 if plan.is_last(window) else lookahead * length,
        )

    @property
    def keep_until_ms(self) -> float:
        return self.start_ms + self.length_ms - self.lookahead_ms


@dataclass
class LoopStats:
    """What the loop did: tokens, seconds of encoder and decoder, windows, and windows that met the length limit."""

    tokens: int = 0
    seconds: float = 0.0
    windows: int = 0
    cut_windows: int = 0


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
    encoder_conditions: Conditions = field(default_factory=dict)
    seed: int = 0
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
        span = WindowSpan.of(plan, window, options.lookback, options.lookahead)
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


@dataclass
class SongLoop:
    """Writes tracks of one session and one window plan together.

    Args:
        tracks: with the same stages.
        stats: counted over all tracks.
    """

    session: SongSession
    plan: WindowPlan
    tracks: Sequence[Track]
    on_progress: OnProgress
    cancel: CancelToken = field(default_factory=CancelToken)
    stats: LoopStats = field(default_factory=LoopStats)

    def run(self, wanted: Iterable[ContextType]) -> None:
        """Writes every stage up to the last wanted one that is not given. Raises Cancelled."""
        wanted = set(wanted)
        stages = self.tracks[0].stages
        last = max((i for i, c in enumerate(stages) if c in wanted), default=-1)
        for stage, context in enumerate(stages[: last + 1]):
            writing = [track for track in self.tracks if context not in track.given]
            if not writing:
                continue
            for track in writing:
                track.sequences.setdefault(context, EventSequence())
            for window in range(len(self.plan)):
                self._write_window(writing, stage, window)
                for track in writing:
                    self._report(track, context, window)

    def _report(self, track: Track, context: ContextType, window: int) -> None:
        count, time_ms = len(track.sequences[context]), float(self.plan.times_ms[window])
        self.on_progress(Window(context.value, window + 1, len(self.plan), count, time_ms, track.number))
        if context is not ContextType.MAP:
            return
        complete_until_ms = math.inf
        if not self.plan.is_last(window):
            following = WindowSpan.of(self.plan, window + 1, track.options.lookback, track.options.lookahead)
            complete_until_ms = following.start_ms + following.lookback_ms - TIME_STEP_MS
        objects = track.new_objects(complete_until_ms)
        if objects is not None:
            self.on_progress(objects)

    def _write_window(self, tracks: Sequence[Track], stage: int, window: int) -> None:
        self.cancel.check()
        began = time.perf_counter()
        made = [track.row(self.session, self.plan, stage, window) for track in tracks]
        rows = [row for row, _ in made]
        hidden = [self.session.encoding(self.plan, window, track.encoder_conditions) for track in tracks]
        shared = all(h.data_ptr() == hidden[0].data_ptr() for h in hidden)
        columns = self.session.decoder.generate(rows, hidden[0] if shared else torch.cat(hidden))
        written = collect(self.cancel.watch(columns), len(rows))
        self.stats.seconds += time.perf_counter() - began
        for track, (row, span), ids in zip(tracks, made, written, strict=True):
            self.stats.tokens += len(ids)
            self.stats.windows += 1
            self.stats.cut_windows += not ids or ids[-1] not in row.end_ids
            track.append(track.stages[stage], ids, span)


def trim_ids(
    ids: Sequence[int], context: ContextType, span: WindowSpan, vocabulary: Vocabulary, types_first: bool
) -> list[int]:
    """The ids of a window without its end marks and without a last time that lies in a neighbour's part."""
    ends = {vocabulary.eos_id, vocabulary.context_eos.get(context, vocabulary.eos_id)}
    kept = list(ids)
    while kept and kept[-1] in ends:
        kept.pop()
    first, end = vocabulary.event_start[EventType.TIME_SHIFT], vocabulary.event_end[EventType.TIME_SHIFT]
    if kept and first <= kept[-1] < end:
        step = kept[-1] - first
        too_early = span.lookback_ms > 0 and step < int(span.lookback_ms / 10)
        too_late = span.lookahead_ms > 0 and step >= int((span.length_ms - span.lookahead_ms) / 10)
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


def beats_only(sequence: EventSequence) -> EventSequence:
    """Of a timing pass: times and beat types, nothing else."""
    return only(sequence, {EventType.TIME_SHIFT, EventType.BEAT, EventType.MEASURE, EventType.TIMING_POINT})
