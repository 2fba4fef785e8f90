"""Position events back to osu! pixels."""

from __future__ import annotations

from osuT5.events.profile import Profile
from osuT5.events.types import Event, EventSequence, EventType

WIDTH_PX = 512
MANIA_Y_PX = 192
POSITION_TYPES = frozenset({EventType.POS, EventType.POS_REFINE, EventType.POS_X, EventType.POS_Y})


def decode_positions(sequence: EventSequence, profile: Profile) -> EventSequence:
    """The sequence with every position as a `pos_x` and a `pos_y` event in px.

    A cell stands for its centre unless a `pos_refine` event follows; other events stay as they are.
    """
    step, fine = profile.position_precision, profile.position_refinement
    x_low, x_high, y_low, _ = (v // step for v in profile.position_range)
    row = x_high - x_low + 1
    split = profile.position_split_axes
    events, times, objects = sequence.events, sequence.times, sequence.object_index_of_each()
    decoded = sequence.slice(0, 0)
    for i, event in enumerate(events):
        kind, value = event
        if kind not in POSITION_TYPES:
            decoded.append(event, times[i], objects[i])
        elif split:
            decoded.append(Event(kind, value * step), times[i], objects[i])
        elif kind is EventType.POS:
            dx = dy = step // 2
            if fine and i + 1 < len(events) and events[i + 1].type is EventType.POS_REFINE:
                steps = step // fine
                dx, dy = events[i + 1].value % steps * fine, events[i + 1].value // steps * fine
            decoded.append(Event(EventType.POS_X, (value % row + x_low) * step + dx), times[i], objects[i])
            decoded.append(Event(EventType.POS_Y, (value // row + y_low) * step + dy), times[i], objects[i])
    return decoded


def column_x(column: int, keycount: int) -> int:
    """Centre of a mania column in px, as the editor writes it."""
    return int((column + 0.5) * WIDTH_PX / keycount)


def decode_columns(sequence: EventSequence, keycount: int) -> EventSequence:
    """The sequence with every `column` as a `pos_x` and a `pos_y` event in px."""
    decoded = sequence.slice(0, 0)
    for event, time, index in zip(sequence.events, sequence.times, sequence.object_index_of_each(), strict=True):
        if event.type is EventType.MANIA_COLUMN:
            decoded.append(Event(EventType.POS_X, column_x(event.value, keycount)), time, index)
            decoded.append(Event(EventType.POS_Y, MANIA_Y_PX), time, index)
        else:
            decoded.append(event, time, index)
    return decoded
