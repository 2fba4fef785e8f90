"""From the ids of one window to events on the song's timeline: cut what other windows will write, decode, append.

The rules bind as the published models were run with them: the next window's prompt is built from what is kept here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from osuT5.events import NO_OBJECT, ContextType, EventSequence, EventType, Profile, Vocabulary, fill_times


@dataclass(frozen=True)
class WindowFrame:
    """Where a window lies and what it may write, in ms on the game clock.

    Attributes:
        lookback_ms, lookahead_ms: parts at its ends that belong to its neighbours; 0 at the ends of the song.
    """

    start_ms: int
    length_ms: float
    lookback_ms: float
    lookahead_ms: float

    @property
    def keep_until_ms(self) -> float:
        return self.start_ms + self.length_ms - self.lookahead_ms


def trim_ids(
    ids: Sequence[int], context: ContextType, frame: WindowFrame, vocabulary: Vocabulary, types_first: bool
) -> list[int]:
    """The ids of a window without its end marks and without a last time that lies in a neighbour's part."""
    ends = {vocabulary.eos_id, vocabulary.context_eos.get(context, vocabulary.eos_id)}
    kept = list(ids)
    while kept and kept[-1] in ends:
        kept.pop()
    first, end = vocabulary.event_start[EventType.TIME_SHIFT], vocabulary.event_end[EventType.TIME_SHIFT]
    if kept and first <= kept[-1] < end:
        step = kept[-1] - first
        too_early = frame.lookback_ms > 0 and step < int(frame.lookback_ms / 10)
        too_late = frame.lookahead_ms > 0 and step >= int((frame.length_ms - frame.lookahead_ms) / 10)
        if too_early or too_late:
            kept.pop()
            if types_first and kept:
                kept.pop()
    return kept


def append_window(
    sequence: EventSequence,
    ids: Sequence[int],
    context: ContextType,
    frame: WindowFrame,
    profile: Profile,
    vocabulary: Vocabulary,
) -> int:
    """Adds what a window wrote to the context's sequence, in place; returns how many events were kept.

    Events from the end backwards are dropped while they lie in the lookahead part: the next window writes them again
    with more of the song in view.
    """
    before = len(sequence)
    kept = trim_ids(ids, context, frame, vocabulary, profile.types_first)
    written = vocabulary.decode_ids(kept, frame.start_ms)
    sequence.events.extend(written)
    if sequence.object_indices is not None:
        sequence.object_indices.extend([NO_OBJECT] * len(written))
    sequence.times = fill_times(
        sequence.events,
        sequence.times,
        types_first=profile.types_first,
        end_time=frame.start_ms + frame.length_ms,
    )
    if frame.lookahead_ms > 0:
        while len(sequence) > before and sequence.times[-1] > frame.keep_until_ms:
            sequence.pop()
    return len(sequence) - before
