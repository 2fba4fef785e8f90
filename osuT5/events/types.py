"""Events: the words of the token language.

An event is (type, value); times are absolute milliseconds on the game clock. The string of an `EventType` is
the name used inside `tokenizer.json`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

NO_OBJECT = -1  # object index of an event that was made from no hit object


class EventType(str, Enum):
    TIME_SHIFT = "t"
    SNAPPING = "snap"
    DISTANCE = "dist"
    POS_X = "pos_x"
    POS_Y = "pos_y"
    POS = "pos"
    POS_REFINE = "pos_refine"
    MANIA_COLUMN = "column"
    NEW_COMBO = "new_combo"
    SCROLL_SPEED = "scroll_speed"
    HITSOUND = "hitsound"
    VOLUME = "volume"
    CIRCLE = "circle"
    SPINNER = "spinner"
    SPINNER_END = "spinner_end"
    SLIDER_HEAD = "slider_head"
    BEZIER_ANCHOR = "bezier_anchor"
    PERFECT_ANCHOR = "perfect_anchor"
    CATMULL_ANCHOR = "catmull_anchor"
    RED_ANCHOR = "red_anchor"
    LAST_ANCHOR = "last_anchor"
    SLIDER_END = "slider_end"
    BEAT = "beat"
    MEASURE = "measure"
    TIMING_POINT = "timing_point"
    KIAI = "kiai"
    HOLD_NOTE = "hold_note"
    HOLD_NOTE_END = "hold_note_end"
    SCROLL_SPEED_CHANGE = "scroll_speed_change"
    DRUMROLL = "drumroll"
    DRUMROLL_END = "drumroll_end"
    DENDEN = "denden"
    DENDEN_END = "denden_end"
    SLIDER_SUSTAIN = "slider_sustain"
    SLIDER_REPEAT_SUSTAIN = "slider_repeat_sustain"
    SPINNER_SUSTAIN = "spinner_sustain"
    HOLD_NOTE_SUSTAIN = "hold_note_sustain"
    DRUMROLL_SUSTAIN = "drumroll_sustain"
    DENDEN_SUSTAIN = "denden_sustain"
    GAMEMODE = "gamemode"
    STYLE = "style"
    DIFFICULTY = "difficulty"
    MAPPER = "mapper"
    CS = "cs"
    YEAR = "year"
    HITSOUNDED = "hitsounded"
    SONG_LENGTH = "song_length"
    SONG_POSITION = "song_position"
    GLOBAL_SV = "global_sv"
    MANIA_KEYCOUNT = "keycount"
    HOLD_NOTE_RATIO = "hold_note_ratio"
    SCROLL_SPEED_RATIO = "scroll_speed_ratio"
    DESCRIPTOR = "descriptor"
    CONTROL = "control"


class ContextType(str, Enum):
    NONE = "none"
    TIMING = "timing"
    NO_HS = "no_hs"
    GD = "gd"
    MAP = "map"
    KIAI = "kiai"
    SV = "sv"


class Event(NamedTuple):
    type: EventType
    value: int = 0


@dataclass
class EventSequence:
    """Events with their times in ms and the objects they were made from: parallel lists. Empty by default.

    Attributes:
        object_indices: index in `Beatmap.hit_objects` of the object behind each event, `NO_OBJECT` where there is none
            (kiai, speeds, beats); None where objects are not recorded, as in generated sequences.
    """

    events: list[Event] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    object_indices: list[int] | None = None

    def __len__(self) -> int:
        return len(self.events)

    def append(self, event: Event, time: float, object_index: int = NO_OBJECT) -> None:
        """Adds an event; the object index counts only where the sequence records objects."""
        self.events.append(event)
        self.times.append(time)
        if self.object_indices is not None:
            self.object_indices.append(object_index)

    def pop(self) -> None:
        """Removes the last event."""
        self.events.pop()
        self.times.pop()
        if self.object_indices is not None:
            self.object_indices.pop()

    def slice(self, start: int, end: int) -> EventSequence:
        indices = self.object_indices
        return EventSequence(
            self.events[start:end], self.times[start:end], None if indices is None else indices[start:end]
        )

    def take(self, positions: Sequence[int]) -> EventSequence:
        """The events at these positions of the sequence, in that order."""
        indices = self.object_indices
        return EventSequence(
            [self.events[i] for i in positions],
            [self.times[i] for i in positions],
            None if indices is None else [indices[i] for i in positions],
        )

    def object_index_of_each(self) -> list[int]:
        """The object index of every event, `NO_OBJECT` throughout where objects are not recorded."""
        return [NO_OBJECT] * len(self.events) if self.object_indices is None else self.object_indices
