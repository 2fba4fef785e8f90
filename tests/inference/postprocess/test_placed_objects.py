"""Objects as a stream: the sum of what comes out is what is placed, and most of it comes out early."""

import copy
import itertools
import random
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from osuT5.beatmap import TimingPoint, read
from osuT5.events import (
    ContextType,
    Event,
    EventSequence,
    EventType,
    decode_positions,
    encode,
    fill_times,
    load_profile,
    merge,
)
from osuT5.inference.postprocess import MapSettings, PlacedObjects, place

MAPS = Path(__file__).parents[2] / "golden" / "inference"
MODES = ("std", "taiko", "catch", "mania")
VERSIONS = ("mini", "v29", "v32")
SONG_MS = 60_000


def with_times(sequence, types_first):
    """The sequence with the times that the windows of a song would give its events."""
    return EventSequence(sequence.events, fill_times(sequence.events, (), types_first=types_first))


def shifted(sequence, by_ms):
    shift = EventType.TIME_SHIFT
    events = [Event(shift, e.value + by_ms) if e.type is shift else e for e in sequence.events]
    return EventSequence(events, [t + by_ms for t in sequence.times])


def song(mode, version, length_ms=SONG_MS):
    """A recorded map again and again up to a length: (map events, kiai events, red lines, profile, settings)."""
    beatmap = read((MAPS / f"ref_{mode}.osu").read_bytes())
    profile = load_profile(version)
    sequences = []
    for context in (ContextType.MAP, ContextType.KIAI):
        once = decode_positions(encode(beatmap, profile, context), profile)
        whole = EventSequence()
        for start in range(0, length_ms, 24 * 469):
            part = shifted(once, start)
            whole.events += part.events
            whole.times += part.times
        sequences.append(whole)
    reds = [p for p in beatmap.timing_points if p.uninherited]
    wishes = MapSettings(gamemode=MODES.index(mode), keycount=4, song_length_ms=float(length_ms))
    return (*sequences, reds, profile, wishes)


def streamed(sequence, cuts, timing, profile, wishes):
    """(what each update gave, what `finish` gave); checks that nothing given out is touched later.

    `cuts`: (events written, time up to which they are complete) of every window.
    """
    stream = PlacedObjects(timing, profile, wishes)
    given, as_given = [], []
    for count, complete_until in cuts:
        given.append(stream.update(sequence.slice(0, count), complete_until))
        as_given.append(copy.deepcopy(given[-1]))
    rest = stream.finish(place(sequence, timing, profile, wishes))
    assert given == as_given
    return given, rest


def window_cuts(sequence, window_ms=8176, step_ms=4088):
    """Windows as the song loop has them: each writes up to its end, and complete is what lies before the next one."""
    return [
        (sum(t <= start + window_ms for t in sequence.times), start + step_ms)
        for start in range(0, int(sequence.times[-1]) + 1, step_ms)
    ]


def honest_cuts(sequence, counts):
    """Each cut with the earliest time that still comes after it."""
    return [(count, min(sequence.times[count:], default=float("inf"))) for count in sorted(counts)]


def assert_sum_is_placed(sequence, cuts, timing, profile, wishes):
    given, rest = streamed(sequence, cuts, timing, profile, wishes)
    placed = place(sequence, timing, profile, wishes).drafts
    assert [*itertools.chain(*given), *rest] == placed
    return sum(map(len, given)), len(placed)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 10**6), types_first=st.booleans(), size=st.integers(0, 120), mode=st.integers(0, 3),
    keys=st.integers(1, 18), resnap=st.booleans(), parts=st.lists(st.floats(0, 1), max_size=12),
    beats=st.lists(st.sampled_from([1000 / 3, 500.0, 60000 / 173, 1421.8]), max_size=3),
    length=st.sampled_from([None, 9000.0]),
)
def test_whatever_is_written_the_sum_is_what_is_placed(
    seed, types_first, size, mode, keys, resnap, parts, beats, length, cases
):
    sequence = with_times(cases.random_events(seed, types_first, size), types_first)
    assert_sum_is_placed(
        sequence, honest_cuts(sequence, {int(part * len(sequence)) for part in parts}),
        [TimingPoint(1000.4 + 2500 * i, beat, 4) for i, beat in enumerate(beats)],
        load_profile("v32").replace(types_first=types_first),
        MapSettings(gamemode=mode, keycount=keys, resnap=resnap, song_length_ms=length),
    )


def crowded(seed, mode, size):
    """Events in order of time that lie so near each other that they merge, cut and move one another."""
    rng = random.Random(seed)
    events, now = [], rng.randrange(2000)
    for _ in range(size):
        now += rng.choice([0, 10, 10, 20, 30, 40, 80, 250, 900])
        place_px = [["pos_x", rng.choice([100, 101, 102, 300, 700])], ["pos_y", rng.choice([100, 102, 300])]]
        column = [["column", rng.randrange(4)]]
        head = [["t", now], ["snap", rng.choice([0, 1, 2, 4, 16])], *(column if mode == 3 else place_px)]
        head += [["hitsound", rng.randrange(8)]] + ([["new_combo", 0]] if rng.random() < 0.2 else [])
        kind = rng.choice(["circle", "circle", "slider", "spinner", "hold_note", "hold_note_end", "denden"])
        if kind in ("circle", "hold_note", "hold_note_end"):
            events += [*head, [kind, 0]]
            continue
        end = now + rng.choice([10, 50, 200, 250, 2000])
        if kind == "slider":
            events += [
                *head, ["slider_head", 0], ["pos_x", 200], ["pos_y", 100], ["last_anchor", 0],
                ["t", end], ["snap", 2], ["last_anchor", 0], ["t", end], ["snap", 2], ["slider_end", 0],
            ]
        else:
            events += [*head, [kind, 0], ["t", end], ["snap", 0], [f"{kind}_end", 0]]
    return events


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 10**6), mode=st.integers(0, 3), size=st.integers(1, 60), red=st.sampled_from([0.0, 5000.3]),
    beat=st.sampled_from([500.0, 60000 / 173, 341.7]), resnap=st.booleans(),
)
def test_crowded_objects_come_out_once_and_for_all(seed, mode, size, red, beat, resnap, cases):
    """Cut after every single event."""
    profile = load_profile("v32")
    sequence = with_times(cases.sequence(crowded(seed, mode, size)), profile.types_first)
    assert_sum_is_placed(
        sequence, honest_cuts(sequence, range(len(sequence) + 1)), [TimingPoint(red, beat)], profile,
        MapSettings(gamemode=mode, resnap=resnap),
    )


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("mode", MODES)
def test_most_objects_of_a_song_come_out_before_the_end(mode, version):
    sequence, kiai, reds, profile, wishes = song(mode, version)
    cuts = window_cuts(sequence)
    given, placed = assert_sum_is_placed(sequence, cuts, reds, profile, wishes)
    assert placed > 45 and given >= 0.9 * placed
    before_last, _ = streamed(sequence, cuts[:-1], reds, profile, wishes)
    assert sum(map(len, before_last)) > 0.8 * placed
    whole = place(merge(kiai, sequence), reds, profile, wishes)
    assert whole.drafts == place(sequence, reds, profile, wishes).drafts and whole.kiai


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("seed", range(3))
def test_windows_of_any_length_give_the_same_sum(mode, seed):
    rng = random.Random(seed)
    sequence, _, reds, profile, wishes = song(mode, rng.choice(VERSIONS), 30_000)
    assert_sum_is_placed(
        sequence, window_cuts(sequence, rng.randrange(200, 9000), rng.randrange(100, 200)), reds, profile, wishes
    )


def circle(start, x=100):
    return [["t", start], ["snap", 0], ["pos_x", x], ["pos_y", 100], ["circle", 0]]


def slider(start, end):
    return [
        ["t", start], ["snap", 0], ["pos_x", 100], ["pos_y", 100], ["slider_head", 0], ["pos_x", 200],
        ["pos_y", 100], ["last_anchor", 0], ["t", end], ["snap", 0], ["last_anchor", 0], ["t", end], ["snap", 0],
        ["slider_end", 0],
    ]


def out(cases, events, complete_until, *, reds=((0, 500.0),), mode=0):
    """Times of what one update gives."""
    stream = PlacedObjects([TimingPoint(*red) for red in reds], load_profile("v32"), MapSettings(gamemode=mode))
    return [draft.time for draft in stream.update(cases.sequence(events), complete_until)]


def test_an_object_comes_out_once_nothing_can_join_it_any_more(cases):
    """10 ms joins them, and snapping may move either of two by 20 ms."""
    events = [*circle(1000), *circle(3000)]
    assert out(cases, events, 1030) == []
    assert out(cases, events, 1031) == [1000]


def test_a_long_object_waits_for_the_start_that_may_cut_it(cases):
    events = [*slider(1000, 2000), *circle(5000)]
    assert out(cases, events, 2030) == []
    assert out(cases, events, 2031) == [1000]


def test_an_open_object_holds_back_all_that_follow_it(cases):
    hold = [["t", 1000], ["snap", 0], ["column", 0], ["hold_note", 0]]
    notes = [e for t in (500, 2000, 3000) for e in (["t", t], ["snap", 0], ["column", 1], ["circle", 0])]
    assert out(cases, [*notes[:4], *hold, *notes[4:]], 9000, mode=3) == [500]
    end = [["t", 3500], ["snap", 0], ["column", 0], ["hold_note_end", 0]]
    ended = [*notes[:4], *hold, *notes[4:], *end]
    assert out(cases, [*ended, ["t", 5000], ["column", 1], ["circle", 0]], 9000, mode=3) == [500, 1000, 2000, 3000]


def test_nothing_is_certain_while_an_earlier_object_could_move_the_first_red_line(cases):
    red, profile, wishes = TimingPoint(11_000, 60000 / 173), load_profile("v32"), MapSettings()
    first = circle(5000)
    written = [*first, *circle(1000), *(e for t in range(5500, 30_000, 87) for e in circle(t))]
    sequence = with_times(cases.sequence(written), profile.types_first)
    assert_sum_is_placed(sequence, honest_cuts(sequence, [len(first), len(written)]), [red], profile, wishes)
    reds = [place(cases.sequence(events), [red], profile, wishes).reds[0].time for events in (first, written)]
    assert reds[1] <= 1000 < reds[0] <= 5000


def test_an_object_waits_for_one_without_a_time_that_would_join_it(cases):
    untimed = [["pos_x", 300], ["pos_y", 300], ["hitsound", 8], ["circle", 0]]
    events = [*circle(1000), *circle(2000), *untimed, *circle(3000)]
    assert out(cases, events, 9000) == [1000, 2000]
    assert out(cases, events[:10], 9000) == [1000]


def test_a_stream_that_breaks_its_promise_gives_nothing_more_before_the_end(cases):
    events, timing, profile, wishes = cases.sequence, [TimingPoint(0, 500.0)], load_profile("v32"), MapSettings()
    stream = PlacedObjects(timing, profile, wishes)
    written = [*circle(1000), *circle(2000), *circle(4000)]
    assert [d.time for d in stream.update(events(written), 3900)] == [1000, 2000]
    written += [*circle(3000), *circle(6000), *circle(8000)]
    assert stream.update(events(written), 7000) == []
    assert stream.update(events([*written, *circle(9000)]), 9000) == []
    rest = stream.finish(place(events([*written, *circle(9000)]), timing, profile, wishes))
    assert [d.time for d in rest] == [3000, 4000, 6000, 8000, 9000]


def test_what_is_given_out_is_a_copy(cases):
    """Changing it changes neither what comes later nor the placement."""
    events = cases.sequence([*circle(1000), *circle(1500, 102), *circle(3000)])
    timing, profile = [], load_profile("v32")
    stream = PlacedObjects(timing, profile, MapSettings())
    first = stream.update(events.slice(0, 10), 1250)
    assert [d.time for d in first] == [1000]
    first[0].x = 400.0
    placement = place(events, timing, profile, MapSettings())
    second = stream.update(events, 9000)
    assert [d.x for d in second] == [100.0] and placement.drafts[:2] == [placement.drafts[0], second[0]]
    stream.finish(placement)[0].x = 400.0
    assert placement.drafts[-1].x == 100.0


def test_two_thousand_objects_in_two_hundred_windows_take_less_than_a_second(cases):
    sequence = cases.sequence([e for i in range(2000) for e in circle(1000 + 120 * i, 50 + i % 400)])
    profile = load_profile("v32")
    prefixes = [(sequence.slice(0, 50 * (i + 1)), 1000 + 1200 * (i + 1)) for i in range(200)]
    stream = PlacedObjects([TimingPoint(0, 480.0)], profile, MapSettings())
    began = time.process_time()
    given = [draft for prefix, until in prefixes for draft in stream.update(prefix, until)]
    assert time.process_time() - began < 2  # 0.2 s here
    assert len(given) > 1980
