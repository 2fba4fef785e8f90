"""Which filters a window gets, and where its random numbers come from."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from osuT5.events import ContextType, EventType, Profile, Vocabulary
from osuT5.inference.decoder import Draw, best, draw_with
from osuT5.inference.filters import (
    ConditionalTemperature,
    EndPenalty,
    Filter,
    Forbid,
    LookbackBias,
    MonotonicTime,
    NoLookback,
    OnGrid,
    Temperature,
    TimeShiftBias,
    TopK,
    TopP,
    temperature_rules,
)
from osuT5.inference.merging import WindowFrame
from osuT5.inference.resolve import Settled
from osuT5.inference.song_loop import keyed_generator
from osuT5.inference.tick_weights import OnsetOdds, TickWeights

TAIKO, MANIA = 1, 3
ON_GRID = (ContextType.KIAI, ContextType.MAP, ContextType.SV)


class Sampling:
    """Filters and draws of one generation.

    `ticks` is set once the beats are known, if `grid_times` is on: later contexts then choose among ticks only.
    The special temperatures act where they are meant: timing values in beats, columns in mania, colours in taiko.
    """

    def __init__(self, settled: Settled, profile: Profile, vocabulary: Vocabulary, seed: int):
        self.settled, self.profile, self.vocabulary, self.seed = settled, profile, vocabulary, seed
        mode = settled.gamemode
        self.rules = temperature_rules(
            vocabulary,
            profile,
            settled.timing_temperature,
            settled.mania_column_temperature if mode == MANIA else None,
            settled.taiko_hit_temperature if mode == TAIKO else None,
        )
        self.ticks: TickWeights | None = None
        self.forbidden = [vocabulary.pad_id, *unreachable_ids(vocabulary)]

    def filters(self, context: ContextType, frame: WindowFrame, onsets: OnsetOdds | None = None) -> Sequence[Filter]:
        """The filters of one window, in their order."""
        s = self.settled
        lookback_ms = frame.lookback_ms
        chain: list[Filter] = [Forbid(self.forbidden), MonotonicTime(self.vocabulary)]
        if self.ticks is not None and context in ON_GRID:
            weights = self.ticks.window(frame.start_ms, frame.length_ms, self.profile.max_time_step, onsets)
            chain.append(OnGrid(self.vocabulary, torch.from_numpy(weights)))
        if s.end_penalty and context is ContextType.MAP and frame.lookahead_ms > 0:
            chain.append(EndPenalty(self.vocabulary, s.end_penalty))
        if s.timeshift_bias:
            chain.append(TimeShiftBias(self.vocabulary, s.timeshift_bias))
        if lookback_ms > 0 and not self.profile.types_first:
            # before the temperature, which at 0 leaves one id: it has to be one that may be written
            chain.append(NoLookback(self.vocabulary, lookback_ms))
        if s.do_sample:
            rules = [r for r in self.rules if r[2] != s.temperature]
            chain.append(ConditionalTemperature(rules, s.temperature) if rules else Temperature(s.temperature))
        if lookback_ms > 0 and self.profile.types_first:
            chain.append(LookbackBias(self.vocabulary, lookback_ms))
        if s.do_sample and s.top_k > 0:
            chain.append(TopK(s.top_k))
        if s.do_sample and s.top_p < 1:
            chain.append(TopP(s.top_p))
        return chain

    def draw(self, stage: int, window: int) -> Draw:
        """Keyed by seed, stage and window: nothing drawn elsewhere changes it."""
        if not self.settled.do_sample:
            return best
        return draw_with([keyed_generator(self.seed, stage, window)])


def unreachable_ids(vocabulary: Vocabulary) -> list[int]:
    """Output ids that no training sample holds: hitsound 72, speed 0 and, in older files, the global speed."""
    ids = []
    for kind, value in ((EventType.HITSOUND, 72), (EventType.SCROLL_SPEED, 0)):
        if vocabulary.has(kind):
            values = vocabulary.ranges[kind]
            if values.min_value <= value <= values.max_value:
                ids.append(vocabulary.event_start[kind] + value - values.min_value)
    if vocabulary.has(EventType.GLOBAL_SV) and vocabulary.event_start[EventType.GLOBAL_SV] < vocabulary.vocab_size_out:
        ids += range(vocabulary.event_start[EventType.GLOBAL_SV], vocabulary.event_end[EventType.GLOBAL_SV])
    return ids
