"""The song loop: stage after stage, window after window, the tracks of a session together as rows of one batch."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field

import torch

from osuT5.audio import WindowPlan
from osuT5.events import TIME_STEP_MS, ContextType, EventSequence
from osuT5.inference.decoder import collect
from osuT5.inference.progress import CancelToken, OnProgress, Window
from osuT5.inference.session import SongSession, settings_key
from osuT5.inference.track import Track


@dataclass
class LoopStats:
    """What the loop did: tokens, seconds of encoder and decoder, windows, and windows that met the length limit."""

    tokens: int = 0
    seconds: float = 0.0
    windows: int = 0
    cut_windows: int = 0


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
        """Writes all stages up to the last wanted one, but for those that are given. Raises Cancelled."""
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
            following = self.plan.span(window + 1, track.options.lookback, track.options.lookahead)
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
        shared = len({settings_key(track.encoder_conditions) for track in tracks}) == 1
        with closing(self.session.decoder.generate(rows, hidden[0] if shared else torch.cat(hidden))) as columns:
            written = collect(self.cancel.watch(columns), len(rows))
        self.stats.seconds += time.perf_counter() - began
        for track, (row, span), ids in zip(tracks, made, written, strict=True):
            self.stats.tokens += len(ids)
            self.stats.windows += 1
            self.stats.cut_windows += not ids or ids[-1] not in row.end_ids
            track.append(track.stages[stage], ids, span)
