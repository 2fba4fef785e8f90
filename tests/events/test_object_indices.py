"""Every event of an encoded map knows the hit object that it was made from, whatever is then done to the sequence."""

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osuT5.audio import WindowSpan
from osuT5.beatmap import Circle, Hold, Slider, Spinner, TimingPoint, read
from osuT5.events import (
    NO_OBJECT,
    ContextType,
    Event,
    EventSequence,
    EventType,
    Profile,
    Vocabulary,
    decode_columns,
    decode_positions,
    encode,
    encode_timing,
    load_profile,
    merge,
    only,
    speed,
    without,
)
from osuT5.events.object_writer import ObjectWriter, column_of
from osuT5.events.rules import rules_of
from osuT5.events.sliders import duration_us
from osuT5.inference.track import append_window, trim_range

TESTS = Path(__file__).parents[1]
# a map that most profiles refuse
REFUSED = TESTS / "resources" / "extreme_maps" / "slider_multiplier_1e-320.osu"
MAPS = sorted(
    [
        *(TESTS / "resources").rglob("*.osu"),
        *(TESTS / "golden" / "tokens" / "maps").glob("*.osu"),
        *(TESTS / "golden" / "training" / "mmrs" / "data").rglob("*.osu"),
    ]
)
MAPS.remove(REFUSED)
PROFILES = [load_profile(name) for name in ("v28", "v29", "v30", "v31", "v32", "mini")]
# Where an object starts and where it ends, by its kind and whether the map is one of taiko.
STARTS = {
    (Circle, False): EventType.CIRCLE,
    (Slider, False): EventType.SLIDER_HEAD,
    (Spinner, False): EventType.SPINNER,
    (Hold, False): EventType.HOLD_NOTE,
    (Circle, True): EventType.CIRCLE,
    (Slider, True): EventType.DRUMROLL,
    (Spinner, True): EventType.DENDEN,
}
ENDS = {
    (Circle, False): EventType.CIRCLE,
    (Slider, False): EventType.SLIDER_END,
    (Spinner, False): EventType.SPINNER_END,
    (Hold, False): EventType.HOLD_NOTE_END,
    (Circle, True): EventType.CIRCLE,
    (Slider, True): EventType.DRUMROLL_END,
    (Spinner, True): EventType.DENDEN_END,
}
WITHOUT_OBJECT = {
    EventType.BEAT,
    EventType.MEASURE,
    EventType.TIMING_POINT,
    EventType.KIAI,
    EventType.SCROLL_SPEED_CHANGE,
}


def map_name(path: Path) -> str:
    return path.stem


def profile_name(profile: Profile) -> str:
    return profile.name


def events_of_objects(sequence: EventSequence) -> dict[int, list[tuple[Event, float]]]:
    found: dict[int, list[tuple[Event, float]]] = {}
    for event, time, index in zip(sequence.events, sequence.times, sequence.object_indices, strict=True):
        found.setdefault(index, []).append((event, time))
    return found


@pytest.mark.parametrize("profile", PROFILES, ids=profile_name)
@pytest.mark.parametrize("path", MAPS, ids=map_name)
def test_events_point_at_their_own_object(path, profile):
    beatmap = read(path)
    writer = ObjectWriter(beatmap, profile, rules_of(profile), False, False)
    taiko, most = beatmap.mode == 1, writer.rules.max_slider_points
    found = events_of_objects(encode(beatmap, profile))
    found.pop(NO_OBJECT, None)
    left_out = {
        i
        for i, o in enumerate(beatmap.hit_objects)
        if isinstance(o, Slider) and not taiko and most is not None and len(o.points) + 1 >= most
    }
    assert set(found) == set(range(len(beatmap.hit_objects))) - left_out
    for index, events in found.items():
        obj = beatmap.hit_objects[index]
        types = [e.type for e, _ in events]
        assert not WITHOUT_OBJECT & set(types)
        start, end = STARTS[type(obj), taiko], ENDS[type(obj), taiko]
        assert types.count(start) == 1 and types.count(end) == 1
        start_us = end_us = writer.time_us(obj)
        if isinstance(obj, Slider):
            end_us += duration_us(writer, obj, max(obj.slides, 1))
        elif not isinstance(obj, Circle):
            end_us = writer.end_us(obj)
        times = dict((e.type, t) for e, t in events)
        assert times[start] == writer.groups.event_time(start_us)
        assert times[end] == writer.groups.event_time(end_us)
        shifts = [e.value for e, _ in events if e.type is EventType.TIME_SHIFT]
        assert {times[start], times[end]} <= set(shifts)
        if beatmap.mode == 3 and isinstance(obj, Circle | Hold):
            columns = [e.value for e, _ in events if e.type is EventType.MANIA_COLUMN]
            assert columns and set(columns) == {column_of(obj.x, writer.keys)}
        if isinstance(obj, Slider) and not taiko:
            assert types.count(EventType.LAST_ANCHOR) == profile.slider_version


@pytest.mark.parametrize("profile", PROFILES, ids=profile_name)
@pytest.mark.parametrize("path", MAPS, ids=map_name)
def test_each_event_of_every_context_has_an_index(path, profile):
    beatmap = read(path)
    for context in ContextType:
        sequence = encode(beatmap, profile, context)
        assert len(sequence.object_indices) == len(sequence.events) == len(sequence.times)
        if context in (ContextType.TIMING, ContextType.KIAI, ContextType.SV):
            assert set(sequence.object_indices) <= {NO_OBJECT}


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_indices_follow_the_file_where_events_follow_the_time(data):
    """With objects in another order in the file the events stay; only the indices move."""
    beatmap = read(data.draw(st.sampled_from([p for p in MAPS if p.stem in ("std_basic", "mania_holds", "catch")])))
    objects = {o.time: o for o in beatmap.hit_objects}  # one object a time: chords keep the order of the file
    beatmap.hit_objects = [objects[time] for time in sorted(objects)]
    order = data.draw(st.permutations(range(len(objects))))
    shuffled = dataclasses.replace(beatmap, hit_objects=[beatmap.hit_objects[i] for i in order])
    profile = load_profile("mini")
    expected, got = encode(beatmap, profile), encode(shuffled, profile)
    assert (got.events, got.times) == (expected.events, expected.times)
    assert [i if i == NO_OBJECT else order[i] for i in got.object_indices] == expected.object_indices


def test_beats_of_bare_timing_lines_come_from_no_object():
    sequence = encode_timing([TimingPoint(0, 500.0)], load_profile("v28"), 2000.0)
    assert len(sequence) and set(sequence.object_indices) == {NO_OBJECT}


def numbered(count: int, first: int = 0) -> EventSequence:
    """A sequence in which time, value and object index of an event are the same number."""
    numbers = list(range(first, first + count))
    return EventSequence([Event(EventType.POS_X, n) for n in numbers], list(numbers), list(numbers))


def assert_numbered(sequence: EventSequence) -> None:
    assert sequence.object_indices == [e.value for e in sequence.events]


def test_cutting_and_filtering_keeps_the_indices():
    sequence = numbered(9)
    sequence.events[4] = Event(EventType.KIAI, 4)
    kiai = {EventType.KIAI}
    for part in (
        sequence.slice(2, 7), sequence.take([8, 1, 1]), only(sequence, kiai), without(sequence, kiai),
        speed(sequence, 1.0), trim_range(sequence, 14, 15), trim_range(sequence, None, -5),
    ):  # fmt: skip
        assert len(part) and len(part) < 10
        assert_numbered(part)
    sequence.append(Event(EventType.POS_X, 77), 9, 77)
    assert_numbered(sequence)
    sequence.pop()
    assert_numbered(sequence)
    assert len(sequence) == 9
    sequence.append(Event(EventType.KIAI), 9)
    assert sequence.object_indices[-1] == NO_OBJECT


def test_what_is_written_after_a_given_part_comes_from_no_object():
    """Generation goes on behind the events of a reference map."""
    profile = load_profile("v28")
    vocabulary = Vocabulary.from_profile(profile)
    sequence = numbered(3)
    ids = vocabulary.encode_window([Event(EventType.CIRCLE), Event(EventType.TIME_SHIFT, 500)], 0)
    append_window(sequence, ids, ContextType.MAP, WindowSpan(0, 8000.0, 0.0, 0.0), profile, vocabulary)
    assert sequence.object_indices == [0, 1, 2, NO_OBJECT, NO_OBJECT]
    append_window(sequence, ids, ContextType.MAP, WindowSpan(0, 8000.0, 0.0, 8000.0), profile, vocabulary)
    assert len(sequence) == len(sequence.object_indices) == 5


@pytest.mark.parametrize("name", ["v28", "v31", "v32", "mini"])
def test_decoded_positions_keep_the_object(name):
    profile = load_profile(name)
    beatmap = read(TESTS / "golden" / "tokens" / "maps" / "std_basic.osu")
    sequence = encode(beatmap, profile)
    decoded = decode_positions(sequence, profile)
    assert len(decoded.object_indices) == len(decoded)
    kinds = {EventType.CIRCLE, EventType.SLIDER_HEAD, EventType.SLIDER_END}
    assert only(decoded, kinds).object_indices == only(sequence, kinds).object_indices
    assert len(only(decoded, {EventType.POS_X})) and NO_OBJECT not in only(decoded, {EventType.POS_X}).object_indices


def test_decoded_columns_keep_the_object():
    columns = EventSequence([Event(EventType.MANIA_COLUMN, 1), Event(EventType.CIRCLE)], [5, 5], [8, 8])
    assert decode_columns(columns, 4).object_indices == [8, 8, 8]


times = st.lists(st.integers(0, 30)).map(sorted)


@given(times, times, st.booleans(), st.booleans())
def test_a_merge_fills_what_is_not_recorded(a, b, a_recorded, b_recorded):
    first = EventSequence([Event(EventType.BEAT)] * len(a), a, list(range(len(a))) if a_recorded else None)
    second = EventSequence([Event(EventType.CIRCLE)] * len(b), b, list(range(len(b))) if b_recorded else None)
    merged = merge(first, second)
    if not (a_recorded or b_recorded):
        assert merged.object_indices is None
        return
    for kind, part, recorded in ((EventType.BEAT, a, a_recorded), (EventType.CIRCLE, b, b_recorded)):
        expected = list(range(len(part))) if recorded else [NO_OBJECT] * len(part)
        assert only(merged, {kind}).object_indices == expected


def test_generated_sequences_record_nothing():
    sequence = EventSequence()
    sequence.append(Event(EventType.CIRCLE), 0, 5)
    assert sequence.object_indices is None and sequence.slice(0, 1).object_indices is None
    assert without(sequence, set()).object_indices is None and speed(sequence, 2.0).object_indices is None
