"""The song loop: context after context, window after window, each prompt built from what was written before."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import torch

from osuT5.audio import WindowPlan
from osuT5.events import ContextType, EventSequence, EventType, Profile, Vocabulary, fill_times, only
from osuT5.events.prompt import PromptBuilder
from osuT5.inference.decoder import Decoder, Draw
from osuT5.inference.encoded import EncodedWindows
from osuT5.inference.filters import Filter, end_ids
from osuT5.inference.merging import WindowFrame, append_window
from osuT5.inference.tick_weights import OnsetOdds

# Makes the filters of one window: (context, where the window lies, onsets heard in it) -> filters in their order.
FilterFactory = Callable[[ContextType, WindowFrame, OnsetOdds | None], Sequence[Filter]]
# Makes the draw of one window: (stage number, window number) -> draw.
DrawFactory = Callable[[int, int], Draw]


@dataclass
class LoopStats:
    """What the loop did: drawn tokens, seconds of the decoder, windows that met the length limit, empty windows."""

    tokens: int = 0
    seconds: float = 0.0
    cut_windows: int = 0
    windows: int = 0


@dataclass
class SongLoop:
    """Generation of one song with one prompt builder.

    Args:
        given: contexts that are known and not written (timing, or what the reference supplies).
        lookback, lookahead: shares of a window.
        on_window: called as (context, window number, windows, events so far).
    """

    builder: PromptBuilder
    plan: WindowPlan
    encoded: EncodedWindows
    decoder: Decoder
    filters: FilterFactory
    draws: DrawFactory
    lookback: float
    lookahead: float
    sequences: dict[ContextType, EventSequence] = field(default_factory=dict)
    given: frozenset[ContextType] = frozenset()
    on_window: Callable[[ContextType, int, int, EventSequence], None] = lambda *_: None
    stats: LoopStats = field(default_factory=LoopStats)

    @property
    def profile(self) -> Profile:
        return self.builder.profile

    @property
    def vocabulary(self) -> Vocabulary:
        return self.builder.vocabulary

    def run(self, wanted: Iterable[ContextType]) -> dict[ContextType, EventSequence]:
        """Writes every stage up to the last wanted one; returns the wanted contexts with final times."""
        wanted = set(wanted)
        outputs = self.builder.template.outputs
        last = max((i for i, c in enumerate(outputs) if c in wanted), default=-1)
        for stage, context in enumerate(outputs[: last + 1]):
            if context not in self.given:
                self._write_stage(stage, context)
        song_end = self.plan.song_length_ms
        finished = {}
        for context in outputs:
            if context in wanted and context in self.sequences:
                written = self.sequences[context].slice(0, len(self.sequences[context]))
                written.times = fill_times(written.events, (), types_first=self.profile.types_first, end_time=song_end)
                finished[context] = written
        return finished

    def _write_stage(self, stage: int, context: ContextType) -> None:
        sequence = self.sequences.setdefault(context, EventSequence())
        window_ms = self.plan.window_ms
        for number in range(len(self.plan)):
            frame = WindowFrame(
                int(self.plan.times_ms[number]),
                window_ms,
                0.0 if self.plan.is_first(number) else self.lookback * window_ms,
                0.0 if self.plan.is_last(number) else self.lookahead * window_ms,
            )
            prompt = self.builder.build(stage, self.sequences, frame.start_ms)
            began = time.perf_counter()
            onsets = self.encoded.onsets(number, prompt.ids) if context is ContextType.MAP else None
            ids = self.decoder.write(
                [prompt],
                self.encoded[number],
                self.filters(context, frame, onsets),
                end_ids(self.vocabulary, context, frame.lookback_ms, frame.lookahead_ms),
                self.draws(stage, number),
            )[0]
            self.stats.seconds += time.perf_counter() - began
            self.stats.tokens += len(ids)
            self.stats.windows += 1
            self.stats.cut_windows += len(prompt.ids) + len(ids) >= self.decoder.max_length
            append_window(sequence, ids, context, frame, self.profile, self.vocabulary)
            self.on_window(context, number, len(self.plan), sequence)


def keyed_generator(seed: int, *key: int) -> torch.Generator:
    """A CPU generator for one window: the same key gives the same numbers whatever was drawn before."""
    mixed = seed & 0xFFFFFFFF
    for part in key:  # FNV-1a over the parts
        mixed = ((mixed ^ (part & 0xFFFFFFFF)) * 0x100000001B3) & 0x7FFFFFFFFFFFFFFF
    generator = torch.Generator()
    generator.manual_seed(mixed)
    return generator


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
