"""Event utilities give what the published models' own utilities gave, and change nothing that they are given."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osuT5.errors import TokenError
from osuT5.events import (
    Event,
    EventSequence,
    EventType,
    fill_times,
    groups,
    last_value_before,
    merge,
    only,
    speed,
    window_slice,
    without,
)


def cases(golden, function):
    found = [c for c in golden.load("tokens/data_utils.json")["cases"] if c["function"] == function]
    assert found
    return found


def sequence(golden, given, key="events"):
    return EventSequence(golden.events_of(given[key]), list(given[key.replace("events", "times")]))


def check(golden, result, output):
    assert golden.rows_of(result.events) == output["events"]
    assert result.times == output["times"]


def test_merge_as_recorded(golden):
    for case in cases(golden, "merge_events"):
        given = case["input"]
        check(golden, merge(sequence(golden, given, "events1"), sequence(golden, given, "events2")), case["output"])
    for case in golden.load("postprocess/event_times.json"):
        if case["kind"] == "merge":
            check(golden, merge(sequence(golden, case["first"]), sequence(golden, case["second"])), case)


@pytest.mark.parametrize(("function", "ours"), [("remove_events_of_type", without), ("events_of_type", only)])
def test_filters_as_recorded(golden, function, ours):
    for case in cases(golden, function):
        types = {EventType(t) for t in case["input"]["types"]}
        check(golden, ours(sequence(golden, case["input"]), types), case["output"])


def test_speed_as_recorded_and_without_touching_its_input(golden):
    for case in cases(golden, "speed_events"):
        given = sequence(golden, case["input"])
        check(golden, speed(given, case["input"]["speed"]), case["output"])
        assert golden.rows_of(given.events) == case["input"]["events"]


def test_times_are_filled_as_recorded(golden):
    for case in cases(golden, "update_event_times"):
        given = case["input"]
        times = fill_times(
            golden.events_of(given["events"]),
            given["known_times"],
            types_first=given["types_first"],
            end_time=given["end_time"],
        )
        assert times == case["output"]["times"], case.get("note")
    for case in golden.load("postprocess/event_times.json"):
        if case["kind"] == "event_times":
            events = golden.events_of(case["events"])
            times = fill_times(
                events, case["known_times"], types_first=case["types_first"], end_time=case["end_time"]
            )
            assert times == case["times"], case["name"]


def as_row(group):
    row = dict(vars(group), type=group.type.value)
    del row["indices"]
    return row


def test_groups_as_recorded(golden):
    for case in cases(golden, "get_groups"):
        given, expected = case["input"], case["output"]
        events = golden.events_of(given["events"])

        def run(events=events, given=given):
            return groups(events, types_first=given["types_first"], event_times=given["event_times"])

        if "error" in expected:
            with pytest.raises(TokenError, match="no object"):
                run()
            continue
        rows = [
            {("event_type" if k == "type" else "samplesets" if k == "sample_sets" else k): v for k, v in row.items()}
            for row in map(as_row, run())
        ]
        assert rows == expected["groups"]
        assert [g.indices for g in run()] == expected["indices"]
    for case in golden.load("postprocess/groups.json"):
        found = groups(golden.events_of(case["events"]), types_first=case["types_first"])
        assert [as_row(g) for g in found] == case["groups"], case["name"]


def test_a_window_is_searched_from_the_end():
    assert window_slice([0, 10, 20, 30], 10, 30) == (1, 3)
    assert window_slice([], 0, 10) == (0, 0)
    assert window_slice([5, 50, 4, 60], 5, 55) == (3, 3)  # unsorted: the 50 before the late 4 is lost
    assert window_slice([5, 6], 7, 9) == (2, 2)


def test_the_last_value_before_a_time():
    kiai = EventSequence([Event(EventType.KIAI, 1), Event(EventType.CIRCLE), Event(EventType.KIAI, 0)], [10, 15, 20])
    assert [last_value_before(kiai, EventType.KIAI, t, 7) for t in (10, 10.5, 20, 21)] == [7, 1, 1, 0]


sequences = st.lists(st.integers(0, 50)).map(sorted)


@given(sequences, sequences)
def test_merging_keeps_every_event_and_the_order_of_time(a, b):
    first = EventSequence([Event(EventType.BEAT)] * len(a), a)
    second = EventSequence([Event(EventType.CIRCLE)] * len(b), b)
    merged = merge(first, second)
    assert merged.times == sorted(a + b)
    assert only(merged, {EventType.BEAT}).times == a and only(merged, {EventType.CIRCLE}).times == b
    for i in range(1, len(merged)):
        if merged.times[i] == merged.times[i - 1]:
            assert (merged.events[i - 1].type, merged.events[i].type) != (EventType.CIRCLE, EventType.BEAT)


@given(sequences, st.integers(-5, 60), st.integers(0, 60))
def test_a_window_of_sorted_times_holds_just_the_times_inside(times, start, length):
    first, end = window_slice(times, start, start + length)
    assert times[first:end] == [t for t in times if start <= t < start + length]
