"""Which event ranges a profile's vocabulary has, and in which order their ids follow each other.

Used to make the vocabulary of a new model. A published checkpoint's ids come only from its own tokenizer.json.
Facts: the vocabulary layout of the published models (output ranges first, then the ranges of the prompt).
"""

from __future__ import annotations

from typing import NamedTuple

from osuT5.events.profile import Profile
from osuT5.events.types import ContextType, EventType

DIST_MAX_PX = 640
SNAP_MAX = 16
COLUMNS = 18
HITSOUND_MAX = 72
YEAR_MIN, YEAR_UNKNOWN = 2007, 2077
SONG_LENGTH_MAX = 60  # steps of 10 s
RATIO_STEPS = 10
SONG_POSITION_STEPS = 100
GLOBAL_SV_MIN, GLOBAL_SV_MAX = 40, 360

TAIKO, MANIA = 1, 3

OBJECT_TYPES = (
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
)
SLIDER_SUSTAINS = (EventType.SLIDER_SUSTAIN, EventType.SLIDER_REPEAT_SUSTAIN, EventType.SPINNER_SUSTAIN)
MANIA_TYPES = (EventType.HOLD_NOTE, EventType.HOLD_NOTE_END, EventType.SCROLL_SPEED_CHANGE)
TAIKO_TYPES = (EventType.DRUMROLL, EventType.DRUMROLL_END, EventType.DENDEN, EventType.DENDEN_END)


class EventRange(NamedTuple):
    """Values `min_value`..`max_value`, both included."""

    type: EventType
    min_value: int
    max_value: int

    @property
    def size(self) -> int:
        return self.max_value - self.min_value + 1


# An empty tokenizer of the published form: what absent optional fields of a file stand for.
DEFAULT_RANGES = (
    EventRange(EventType.TIME_SHIFT, -512, 512),
    EventRange(EventType.SNAPPING, 0, SNAP_MAX),
    EventRange(EventType.DISTANCE, 0, DIST_MAX_PX),
    EventRange(EventType.NEW_COMBO, 0, 0),
    EventRange(EventType.HITSOUND, 0, HITSOUND_MAX),
    EventRange(EventType.VOLUME, 0, 100),
    *(EventRange(t, 0, 0) for t in OBJECT_TYPES),
)


def position_ranges(profile: Profile) -> list[EventRange]:
    """Ranges of the position events; cells are numbered row by row over the profile's position range."""
    x_min, x_max, y_min, y_max = (v // profile.position_precision for v in profile.position_range)
    if profile.position_split_axes:
        return [EventRange(EventType.POS_X, x_min, x_max), EventRange(EventType.POS_Y, y_min, y_max)]
    cells = (x_max - x_min + 1) * (y_max - y_min + 1)
    ranges = [EventRange(EventType.POS, 0, cells - 1)]
    if profile.position_refinement:
        steps = profile.position_precision // profile.position_refinement
        ranges.append(EventRange(EventType.POS_REFINE, 0, steps * steps - 1))
    return ranges


def models_scroll_speed(profile: Profile) -> bool:
    return profile.add_sv or TAIKO in profile.gamemodes or MANIA in profile.gamemodes


def models_kiai(profile: Profile) -> bool:
    contexts = {c for t in profile.templates for c in (*t.inputs, *t.outputs)}
    return ContextType.KIAI in contexts or profile.add_kiai or profile.add_kiai_special_token


def output_ranges(profile: Profile) -> list[EventRange]:
    """What the model can write, in the order of the ids."""
    mania, taiko = MANIA in profile.gamemodes, TAIKO in profile.gamemodes
    sustains = profile.sustain_interval is not None
    first_step = -profile.max_time_step if profile.add_pre_tokens else 0
    ranges = [EventRange(EventType.TIME_SHIFT, first_step, profile.max_time_step)]
    if profile.add_snapping:
        ranges.append(EventRange(EventType.SNAPPING, 0, SNAP_MAX))
    if profile.add_distances:
        ranges.append(EventRange(EventType.DISTANCE, 0, DIST_MAX_PX))
    if profile.add_positions:
        ranges += position_ranges(profile)
    if mania:
        ranges.append(EventRange(EventType.MANIA_COLUMN, 0, COLUMNS - 1))
    if models_scroll_speed(profile):
        ranges.append(EventRange(EventType.SCROLL_SPEED, 0, 1000))
    ranges.append(EventRange(EventType.NEW_COMBO, 0, 0))
    ranges.append(EventRange(EventType.HITSOUND, 0, HITSOUND_MAX))
    if profile.add_volumes:
        ranges.append(EventRange(EventType.VOLUME, 0, 100))
    types = list(OBJECT_TYPES)
    if profile.add_timing_points:
        types.append(EventType.TIMING_POINT)
    ranges += [EventRange(t, 0, 0) for t in types]
    if models_kiai(profile):
        ranges.append(EventRange(EventType.KIAI, 0, 1))
    types = list(SLIDER_SUSTAINS) if sustains else []
    if mania:
        types += [*MANIA_TYPES, *([EventType.HOLD_NOTE_SUSTAIN] if sustains else [])]
    if taiko:
        types += [*TAIKO_TYPES, *([EventType.DRUMROLL_SUSTAIN, EventType.DENDEN_SUSTAIN] if sustains else [])]
    return ranges + [EventRange(t, 0, 0) for t in types]


def input_ranges(profile: Profile, num_mappers: int, num_descriptors: int, num_styles: int = 0) -> list[EventRange]:
    """What only the prompt can say, in the order of the ids (which is not the order of the prompt)."""
    ratio = (-1, RATIO_STEPS + 2)
    mania = MANIA in profile.gamemodes
    rows = (
        (profile.add_gamemode_token, EventRange(EventType.GAMEMODE, 0, 3)),
        (profile.add_style_token, EventRange(EventType.STYLE, 0, num_styles)),
        (profile.add_diff_token, EventRange(EventType.DIFFICULTY, 0, profile.num_diff_classes)),
        (profile.add_mapper_token, EventRange(EventType.MAPPER, 0, num_mappers)),
        (profile.add_cs_token, EventRange(EventType.CS, 0, profile.num_cs_classes)),
        (profile.add_year_token, EventRange(EventType.YEAR, YEAR_MIN, YEAR_UNKNOWN)),
        (profile.add_hitsounded_token, EventRange(EventType.HITSOUNDED, 0, 1)),
        (profile.add_song_length_token, EventRange(EventType.SONG_LENGTH, 0, SONG_LENGTH_MAX)),
        (profile.add_song_position_token, EventRange(EventType.SONG_POSITION, -1, SONG_POSITION_STEPS + 1)),
        (profile.add_descriptors, EventRange(EventType.DESCRIPTOR, 0, num_descriptors)),
        (profile.add_keycount_token and mania, EventRange(EventType.MANIA_KEYCOUNT, 1, COLUMNS)),
        (profile.add_hold_note_ratio_token and mania, EventRange(EventType.HOLD_NOTE_RATIO, *ratio)),
        (
            profile.add_scroll_speed_ratio_token and models_scroll_speed(profile),
            EventRange(EventType.SCROLL_SPEED_RATIO, *ratio),
        ),
        (
            profile.add_global_sv_token and profile.add_sv,
            EventRange(EventType.GLOBAL_SV, GLOBAL_SV_MIN, GLOBAL_SV_MAX),
        ),
    )
    return [event_range for wanted, event_range in rows if wanted]
