"""Working on event sequences: merging, filtering, changing speed, filling in times, grouping, windows.

Nothing here changes its input; events are immutable. Object indices go where their events go.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from osuT5.errors import TokenError
from osuT5.events.hitsounds import unpack_hitsound
from osuT5.events.types import Event, EventSequence, EventType

# The events that make a group; sustain marks are not among them.
TYPE_EVENTS = frozenset(
    {
        EventType.CIRCLE,
        EventType.SPINNER,
        EventType.SPINNER_END,
        EventType.SLIDER_HEAD,
        EventType.BEZIER_ANCHOR,
        EventType.PERFECT_ANCHOR,
        EventType.CATMULL_ANCHOR,
        EventType.RED_ANCHOR,
        EventType.LAST_ANCHOR,
        EventType.SLIDER_END,
        EventType.BEAT,
        EventType.MEASURE,
        EventType.TIMING_POINT,
        EventType.KIAI,
        EventType.HOLD_NOTE,
        EventType.HOLD_NOTE_END,
        EventType.DRUMROLL,
        EventType.DRUMROLL_END,
        EventType.DENDEN,
        EventType.DENDEN_END,
        EventType.SCROLL_SPEED_CHANGE,
    }
)
HITSOUND_EVENTS = frozenset({EventType.HITSOUND, EventType.VOLUME})
# Anchors carry no time of their own: they are spread between the timed events around them.
ANCHORS = frozenset(
    {EventType.BEZIER_ANCHOR, EventType.PERFECT_ANCHOR, EventType.CATMULL_ANCHOR, EventType.RED_ANCHOR}
)
TIMED_EVENTS = TYPE_EVENTS - ANCHORS


@dataclass
class Group:
    """The events of one thing: what it is, when, where, and how it sounds. Times ms, lengths px."""

    type: EventType | None = None
    value: int = 0
    time: float = 0
    distance: int | None = None
    x: float | None = None
    y: float | None = None
    new_combo: bool = False
    hitsounds: list[int] = field(default_factory=list)  # whistle 2, finish 4, clap 8
    sample_sets: list[int] = field(default_factory=list)  # 1 normal, 2 soft, 3 drum
    additions: list[int] = field(default_factory=list)
    volumes: list[int] = field(default_factory=list)  # 0..100
    scroll_speed: float | None = None
    indices: list[int] = field(default_factory=list)  # of the group's events in the list


def merge(first: EventSequence, second: EventSequence) -> EventSequence:
    """One sequence from two that are sorted by time; at equal times all of `first` goes first. Nothing is re-sorted.

    Where only one of them records objects, the events of the other count as made from none.
    """
    order: list[int] = []  # positions in `first` followed by `second`
    i, size = 0, len(first)
    for j, time in enumerate(second.times):
        start = i
        while i < size and first.times[i] <= time:
            i += 1
        order += range(start, i)
        order.append(size + j)
    order += range(i, size)
    recorded = first.object_indices is not None or second.object_indices is not None
    both = EventSequence(
        first.events + second.events,
        first.times + second.times,
        first.object_index_of_each() + second.object_index_of_each() if recorded else None,
    )
    return both.take(order)


def only(sequence: EventSequence, types: Collection[EventType]) -> EventSequence:
    """The events of these types."""
    return sequence.take([i for i, event in enumerate(sequence.events) if event.type in types])


def without(sequence: EventSequence, types: Collection[EventType]) -> EventSequence:
    """All but the events of these types."""
    return sequence.take([i for i, event in enumerate(sequence.events) if event.type not in types])


def speed(sequence: EventSequence, factor: float) -> EventSequence:
    """The sequence of a song played `factor` times as fast: time shifts and times divided, truncated to whole ms."""
    shift = EventType.TIME_SHIFT
    return EventSequence(
        [Event(shift, int(e.value / factor)) if e.type is shift else e for e in sequence.events],
        [int(t / factor) for t in sequence.times],
        None if sequence.object_indices is None else list(sequence.object_indices),
    )


def window_slice(times: Sequence[float], start: float, end: float) -> tuple[int, int]:
    """Index range of the events with start <= time < end.

    Searched from the end, as the published models were trained: where times are not sorted, what lies before the
    last event of an earlier time is left out.
    """
    return _after_last_before(times, start), _after_last_before(times, end)


def _after_last_before(times: Sequence[float], limit: float) -> int:
    for i in range(len(times) - 1, -1, -1):
        if times[i] < limit:
            return i + 1
    return 0


def last_value_before(sequence: EventSequence, event_type: EventType, time: float, default: int) -> int:
    """Value of the last event of a type with an event time before `time` (the last kiai or speed at a window start)."""
    for i in range(len(sequence) - 1, -1, -1):
        if sequence.times[i] < time and sequence.events[i].type is event_type:
            return sequence.events[i].value
    return default


def fill_times(
    events: Sequence[Event], known_times: Sequence[float], *, types_first: bool, end_time: float | None = None
) -> list[float]:
    """Times of all events when only those of the first `len(known_times)` are known.

    Anchors without a time of their own are spread evenly between the timed events around them.

    Args:
        end_time: ms that stands behind the last event (end of the window); the last known time if None.
    Returns:
        ms, one per event.
    """
    times = list(known_times)
    start = len(times)
    current = times[-1] if times else 0
    shift = EventType.TIME_SHIFT
    for i in range(start, len(events)):
        source = i + 1 if types_first else i
        if source < len(events) and events[source].type is shift:
            current = events[source].value
        times.append(current)
    if end_time is None:
        end_time = times[-1] if times else 0

    order = range(start, len(events)) if types_first else range(len(events) - 1, start - 1, -1)
    if types_first:
        current = times[start] if start < len(events) else 0
    else:
        current = end_time
    spreading = False
    for i in order:
        kind = events[i].type
        if kind in TIMED_EVENTS:
            spreading = False
        elif kind in ANCHORS:
            spreading = True
        if not spreading:
            current = times[i]
            continue
        if kind in ANCHORS:
            count, other = _next_time(events, i, types_first, end_time)
            current = int((current - other) / (count + 1) * count + other)
        times[i] = current
    return times


def _next_time(events: Sequence[Event], i: int, forward: bool, end_time: float) -> tuple[int, float]:
    """Anchors from event i on to the next time shift in walking direction, and that time."""
    count = 0
    step = 1 if forward else -1
    while 0 <= i < len(events):
        kind, value = events[i]
        if kind is EventType.TIME_SHIFT:
            return count, value
        if kind in ANCHORS:
            count += 1
        i += step
    return count, end_time if forward else 0


def groups(
    events: Sequence[Event], *, types_first: bool, event_times: Sequence[float] | None = None
) -> list[Group]:
    """The groups of a list of events (time shifts absolute).

    Args:
        event_times: times that take the place of the time shifts; a group gets the one of its type event.
    Raises:
        TokenError: attributes that belong to no group (an unfinished group at the end joins the one before it).
    """
    found: list[Group] = []
    group = Group()
    for i, (kind, value) in enumerate(events):
        is_type = kind in TYPE_EVENTS
        if is_type and types_first and group.type is not None:
            found.append(group)
            group = Group()
        group.indices.append(i)
        if is_type:
            group.type, group.value = kind, value
            if event_times is not None:
                group.time = event_times[i]
            if not types_first:
                found.append(group)
                group = Group()
        elif kind is EventType.TIME_SHIFT:
            if event_times is None or group.type is None:
                group.time = value
        elif kind is EventType.DISTANCE:
            group.distance = value
        elif kind is EventType.POS_X:
            group.x = value
        elif kind is EventType.POS_Y:
            group.y = value
        elif kind is EventType.NEW_COMBO:
            group.new_combo = True
        elif kind is EventType.HITSOUND:
            bits, sample_set, addition = unpack_hitsound(value)
            group.hitsounds.append(bits)
            group.sample_sets.append(sample_set)
            group.additions.append(addition)
        elif kind is EventType.VOLUME:
            group.volumes.append(value)
        elif kind is EventType.SCROLL_SPEED:
            group.scroll_speed = value / 100
    if group.type is not None:
        found.append(group)
    elif group.indices:
        if not found:
            raise TokenError("the events hold no object: attributes without a type event")
        found[-1].indices += group.indices
    return found
