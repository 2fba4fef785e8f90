"""A beatmap to events: what a model learns to write, and what it is shown of a map that exists.

Which oddities of a file count is a row of `rules.py` that the profile names; what is written, and in which order
inside a group, the profile says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from osuT5.beatmap import Beatmap, Circle, GameMode, Hold, Slider, Spinner, TimingPoint
from osuT5.events.line_view import LineView
from osuT5.events.object_writer import ObjectWriter, file_offset_us, line_view, objects_in_order
from osuT5.events.profile import Profile
from osuT5.events.rules import rules_of
from osuT5.events.sequence import HITSOUND_EVENTS, merge, without
from osuT5.events.sequence import speed as change_speed
from osuT5.events.sliders import duration_us, write_slider
from osuT5.events.state_contexts import encode_kiai, encode_speeds
from osuT5.events.timing_context import END_MARGIN_MS, encode_beats
from osuT5.events.types import ContextType, EventSequence


def encode(
    beatmap: Beatmap,
    profile: Profile,
    context: ContextType = ContextType.MAP,
    *,
    speed: float = 1.0,
    flip_x: bool = False,
    flip_y: bool = False,
    song_length_ms: float | None = None,
) -> EventSequence:
    """The events of one context of a map, with their times.

    Args:
        context: TIMING, KIAI, MAP, SV, NO_HS (the map without sounds), GD (like MAP) or NONE (nothing).
        speed: how many times as fast the song is played; times shrink by it, scroll speeds stay.
        flip_x, flip_y: mirror positions (training).
        song_length_ms: where beats end; by the published rules only in a map without objects.
    Returns:
        Events with absolute time shifts (ms on the game clock) and, beside each, the time of its group (whole ms) and
        the index of its object in `beatmap.hit_objects` (-1 for kiai, speeds and beats).
    Raises:
        BeatmapError: the map has no timing line that can be used.
    """
    sequence = _CONTEXTS[context](beatmap, profile, flip_x, flip_y, song_length_ms)
    return sequence if speed == 1.0 else change_speed(sequence, speed)


def encode_timing(timing_points: Sequence[TimingPoint], profile: Profile, end_ms: float | None = None) -> EventSequence:
    """The timing context of bare timing lines; beats end at `end_ms`, or 10 ms after the last line if None.

    Raises BeatmapError: there is no timing line that can be used.
    """
    return encode_beats(LineView(timing_points, rules_of(profile)), profile, end_ms)


def _encode_nothing(*_) -> EventSequence:
    return EventSequence(object_indices=[])


def _encode_objects(beatmap: Beatmap, profile: Profile, flip_x: bool, flip_y: bool) -> EventSequence:
    if not beatmap.hit_objects:
        return _encode_nothing()
    writer = ObjectWriter(beatmap, profile, rules_of(profile), flip_x, flip_y)
    for index, obj in objects_in_order(beatmap.hit_objects, writer.rules):
        writer.groups.object_index = index
        _OBJECTS[type(obj)](writer, obj)
    return writer.groups.sequence()


_OBJECTS = {
    Circle: ObjectWriter.circle,
    Slider: write_slider,
    Spinner: ObjectWriter.spinner,
    Hold: ObjectWriter.hold,
}


def _encode_timing(
    beatmap: Beatmap, profile: Profile, _flip_x: bool, _flip_y: bool, song_length_ms: float | None
) -> EventSequence:
    rules = rules_of(profile)
    view = line_view(beatmap, rules)
    end_ms = song_length_ms
    if beatmap.hit_objects and (song_length_ms is None or not rules.beats_to_song_end):
        end_ms = _last_end_ms(beatmap, profile) + END_MARGIN_MS
    return encode_beats(view, profile, end_ms)


def _last_end_ms(beatmap: Beatmap, profile: Profile) -> float:
    """When the map ends: with the last object of the file, or with the object that ends last."""
    rules = rules_of(profile)
    writer = ObjectWriter(beatmap, profile, rules, False, False)

    def end_us(obj) -> int:
        if isinstance(obj, Slider):
            return writer.time_us(obj) + duration_us(writer, obj, max(obj.slides, 1))
        return writer.end_us(obj)

    objects = beatmap.hit_objects
    return (max(map(end_us, objects)) if rules.sort else end_us(objects[-1])) / 1000


def _encode_kiai(beatmap: Beatmap, profile: Profile, *_) -> EventSequence:
    return encode_kiai(line_view(beatmap, rules_of(profile)), profile)


def _encode_speeds(beatmap: Beatmap, profile: Profile, *_) -> EventSequence:
    rules = rules_of(profile)
    return encode_speeds(line_view(beatmap, rules), profile, beatmap.hit_objects, file_offset_us(beatmap, rules))


def _encode_map(
    beatmap: Beatmap, profile: Profile, flip_x: bool, flip_y: bool, song_length_ms: float | None
) -> EventSequence:
    sequence = _encode_objects(beatmap, profile, flip_x, flip_y)
    if profile.add_mania_sv and beatmap.mode == GameMode.MANIA:
        sequence = merge(_encode_speeds(beatmap, profile), sequence)
    if profile.add_kiai:
        sequence = merge(_encode_kiai(beatmap, profile), sequence)
    if profile.add_timing:
        sequence = merge(_encode_timing(beatmap, profile, flip_x, flip_y, song_length_ms), sequence)
    return sequence


def _encode_without_sounds(*args) -> EventSequence:
    return without(_encode_map(*args), HITSOUND_EVENTS)


_CONTEXTS: dict[ContextType, Callable[..., EventSequence]] = {
    ContextType.NONE: _encode_nothing,
    ContextType.TIMING: _encode_timing,
    ContextType.KIAI: _encode_kiai,
    ContextType.MAP: _encode_map,
    ContextType.GD: _encode_map,
    ContextType.SV: _encode_speeds,
    ContextType.NO_HS: _encode_without_sounds,
}
