"""Repair and gate: what they promise for every map."""

import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osuT5.beatmap import Beatmap, Circle, GameMode, Hold, Slider, Spinner, TimingPoint, read
from osuT5.beatmap.verify import AudioFacts, check, check_text, gate, repair, with_breaks


def beatmap(objects, mode=GameMode.STD, points=None, **settings):
    made = Beatmap(hit_objects=list(objects), timing_points=list(points or [TimingPoint(0, 500)]))
    made.mode = mode
    made.audio_filename = "song.mp3"
    made.title = made.artist = made.creator = made.version = "x"
    made.cs, made.od, made.ar, made.hp = 4, 5, 5, 5
    for name, value in settings.items():
        setattr(made, name, value)
    return made


def spread(count, first=0, step=500):
    return [Circle(40 + 64 * (k % 7), 60 + 50 * (k % 5), first + step * k, k % 4 == 0) for k in range(count)]


def codes(found, but=()):
    return {f.code for f in found if f.code[0] in "AB" and f.severity != "info"} - set(but)


def mended(made, **kwargs):
    result = repair(made, **kwargs)
    assert codes(f for f in result.findings if not f.fixed) == set()
    return result.beatmap


def test_a_clean_map_comes_back_as_the_same_object():
    made = beatmap(spread(80))
    result = repair(made)
    assert result.beatmap is made and not result.changes


def test_repair_leaves_the_given_map_alone():
    made = beatmap([*spread(20), Circle(600, 100, 20000)])
    repair(made)
    assert made.hit_objects[-1].x == 600


def test_one_ms_off_is_information_and_stays():
    made = beatmap([*spread(20), Circle(100, 100, 10001)])
    assert [f.severity for f in check(made) if f.code == "B003"] == ["info"]
    assert repair(made).beatmap is made


def test_a_start_moves_to_the_nearest_tick_and_a_slider_keeps_ending_on_one():
    made = beatmap([*spread(4), Slider(100, 100, 2503, curve="L", points=[(240, 100)], length=140)])
    slider = mended(made).hit_objects[-1]
    assert slider.time == 2500
    assert made.end_time(slider) == pytest.approx(3000)


def test_a_slider_of_odd_length_is_cut_to_a_tick_with_all_its_repeats():
    made = beatmap([*spread(4), Slider(100, 100, 2500, curve="L", points=[(250, 100)], length=142, slides=3)])
    assert mended(made).hit_objects[-1].length == pytest.approx(140)


def test_a_slider_reaching_into_the_next_object_is_shortened():
    made = beatmap([Slider(100, 100, 0, True, curve="L", points=[(380, 100)], length=280), *spread(6, 500)])
    first = mended(made).hit_objects[0]
    assert isinstance(first, Slider) and made.end_time(first) == pytest.approx(375)


def test_repeats_are_taken_away_before_a_slide_is_cut():
    slider = Slider(100, 100, 0, True, curve="L", points=[(170, 100)], length=70, slides=4, edge_sounds=[2, 0, 4, 0, 8])
    first = mended(beatmap([slider, *spread(6, 750)])).hit_objects[0]
    assert (first.slides, first.length, first.edge_sounds) == (2, 70, [2, 0, 8])


def test_of_two_objects_at_one_time_the_richer_stays_and_exact_copies_cost_nothing():
    made = beatmap([*spread(20), Circle(9, 9, 10000), Slider(9, 9, 10000, curve="L", points=[(149, 9)], length=140)])
    result = repair(made)
    assert isinstance(result.beatmap.hit_objects[-1], Slider) and result.dropped == 1
    copies = beatmap([*spread(20), *spread(20)])
    copies.hit_objects.sort(key=lambda o: o.time)
    result = repair(copies)
    assert len(result.beatmap.hit_objects) == 20 and result.dropped == 0


def test_a_mania_note_inside_a_hold_moves_to_a_free_column():
    made = beatmap([Hold(64, 192, 0, end=1000), Circle(64, 192, 500), Circle(192, 192, 500)], GameMode.MANIA)
    assert [o.x for o in mended(made).hit_objects] == [64, 320, 192]


def test_a_mania_hold_is_cut_where_no_column_is_free():
    full = [Circle(x, 192, 500) for x in (64, 192, 320, 448)]
    made = beatmap([Hold(64, 192, 0, end=1000), *full], GameMode.MANIA)
    hold = mended(made).hit_objects[0]
    assert hold.end == 375


def test_stacks_do_not_leave_the_screen():
    tower = [Circle(2, 2, 500 + 125 * k) for k in range(8)]
    made = beatmap([*spread(1), *tower, *spread(20, 3000)], stack_leniency=1, cs=2, ar=3)
    assert "B004" in codes(check(made))
    assert "B004" not in codes(check(mended(made)))


@pytest.mark.parametrize("points, length", [([(100, 520)], 140), ([(900, 192)], 900), ([(100, 500), (100, 700)], 560)])
def test_sliders_off_screen_come_back_with_their_length(points, length):
    made = beatmap([*spread(4), Slider(100, 380, 3000, curve="B", points=points, length=length), *spread(9, 9000)])
    slider = mended(made).hit_objects[4]
    assert isinstance(slider, Slider) and slider.length == length


def test_spinners_get_their_least_duration_or_go():
    roomy = beatmap([*spread(4), Spinner(256, 192, 3000, end=3250), *spread(9, 5000)])
    assert mended(roomy).hit_objects[4].end == 3500
    tight = beatmap([*spread(4), Spinner(256, 192, 3000, end=3250), *spread(9, 3500)])
    assert not any(isinstance(o, Spinner) for o in mended(tight).hit_objects)


def test_timing_reaches_back_to_the_first_object_by_whole_measures():
    result = mended(beatmap(spread(9, 500), points=[TimingPoint(1500, 500)]))
    assert result.timing_points[0].time == -500
    assert [o.time for o in result.hit_objects] == [o.time for o in spread(9, 500)]


def test_what_lies_outside_the_song_goes():
    made = beatmap([*spread(20), Circle(9, 9, 90000)])
    assert len(mended(made, audio=AudioFacts(60000)).hit_objects) == 20


def test_kiai_of_the_first_line_moves_to_a_green_one():
    result = mended(beatmap(spread(9), points=[TimingPoint(0, 500, effects=1)]))
    assert [(p.uninherited, p.kiai) for p in result.timing_points] == [(True, False), (False, True)]


def test_breaks_are_recomputed_or_dropped_and_can_be_put_in():
    gap = [*spread(9), *spread(9, 14000)]
    made = beatmap(gap, events=["2,4010,13900", "2,1010,1400", '0,0,"bg.jpg",0,0'])
    assert mended(made).events == ["2,4200,12800", '0,0,"bg.jpg",0,0']
    assert with_breaks(beatmap(gap)).breaks == [(4200, 12800)]
    assert codes(check(with_breaks(beatmap(gap)))) == set()
    assert with_breaks(beatmap(spread(30))).events == []


def test_degenerate_maps_are_refused_not_mended():
    heap = beatmap([Circle(256, 192, 500 * k, k % 4 == 0) for k in range(40)], stack_leniency=0)
    assert not gate(heap).passed
    empty = beatmap([])
    result = gate(empty)
    assert not result.passed and "A018" in codes(result.findings)


def test_unmapped_music_is_noticed_where_loudness_is_known():
    made = beatmap(spread(40, 60000))
    audio = AudioFacts(100000, [1.0] * 100)
    assert "B019" in {f.code for f in check(made, audio)}
    assert "B019" not in {f.code for f in check(made, AudioFacts(100000, [0.0] * 58 + [1.0] * 42))}
    assert "B019" not in {f.code for f in check(made, AudioFacts(100000))}


def test_a_missing_or_mislabelled_song_is_named():
    made = beatmap(spread(40))
    assert "B017" in {f.code for f in check(made, AudioFacts(found=False))}
    assert "B017" in {f.code for f in check(made, AudioFacts(container="ogg", size_bytes=9))}
    assert "B017" not in {f.code for f in check(made, AudioFacts(container="mp3", size_bytes=9))}
    made.audio_filename = "song.OGA"
    assert "B017" not in {f.code for f in check(made, AudioFacts(container="ogg", size_bytes=9))}


def test_numbers_that_no_file_can_hold_are_dropped_and_said():
    made = beatmap([*spread(60), Circle(1, 1, math.nan)], points=[TimingPoint(0, 500), TimingPoint(9, math.inf)])
    result = gate(made)
    assert result.passed and len(result.beatmap.hit_objects) == 60
    assert {"A010", "A012"} <= {f.code for f in result.findings}


def test_positions_that_no_parser_takes_do_not_lose_the_object_where_positions_do_not_matter():
    result = gate(beatmap([*spread(60), Circle(200000, 1, 30000)], GameMode.TAIKO))
    assert result.passed and len(result.beatmap.hit_objects) == 61


def test_a_gate_that_dropped_too_much_does_not_pass():
    made = beatmap([*spread(40), *(Circle(300, 300, 500 * k + 2) for k in range(40))])
    made.hit_objects.sort(key=lambda o: o.time)
    result = gate(made)
    assert result.dropped > 1 and not result.passed


def test_the_gate_writes_what_it_checked():
    made = beatmap([*spread(40), Circle(700, 10, 20000.4)])
    result = gate(made)
    assert result.passed
    assert read(result.text) == result.beatmap
    assert check_text(result.text) == []


MODE_KINDS = {
    GameMode.STD: ("circle", "slider", "spinner"),
    GameMode.TAIKO: ("circle", "slider", "spinner"),
    GameMode.CATCH: ("circle", "slider", "spinner"),
    GameMode.MANIA: ("circle", "hold"),
}
coordinate = st.integers(-100, 700)
times = st.integers(-500, 20000) | st.integers(0, 160).map(lambda k: k * 125)


@st.composite
def objects_of(draw, mode):
    kind = draw(st.sampled_from(MODE_KINDS[mode]))
    common = (draw(coordinate), draw(coordinate), draw(times), draw(st.booleans()))
    if kind == "circle":
        return Circle(*common)
    if kind == "slider":
        points = draw(st.lists(st.tuples(coordinate, coordinate), max_size=4))
        slides, length = draw(st.integers(1, 4)), draw(st.sampled_from([0.0, 0.5, 35.0, 70.0, 140.0, 133.3, 900.0]))
        return Slider(*common, curve=draw(st.sampled_from("BCLP")), points=points, slides=slides, length=length)
    end = common[2] + draw(st.integers(0, 3000))
    return Spinner(*common, end=end) if kind == "spinner" else Hold(*common, end=end)


@st.composite
def maps(draw):
    mode = draw(st.sampled_from(list(GameMode)))
    lines = st.builds(
        TimingPoint,
        time=st.integers(-1000, 15000),
        beat_length=st.sampled_from([500.0, 333.333, 461.54, -100.0, -50.0, -400.0]),
        volume=st.integers(0, 100),
        effects=st.sampled_from([0, 1]),
    )
    points = draw(st.lists(lines, max_size=6))
    for point in points:
        point.uninherited = point.beat_length > 0
    made = beatmap(draw(st.lists(objects_of(mode), max_size=25)), mode, points)
    made.cs = draw(st.sampled_from([2, 4, 5, 7]))
    made.events = draw(st.lists(st.sampled_from(["2,1000,5000", "2,3000,9000", "2,100,200"]), max_size=2))
    return made


@settings(max_examples=40, deadline=None)
@given(maps())
def test_any_map_is_mended_for_good(made):
    if not any(p.uninherited for p in made.timing_points):
        made.timing_points.append(TimingPoint(0, 500))
    result = repair(made)
    left = codes((f for f in result.findings if not f.fixed), but=("B018", "B022"))
    assert left == set()
    assert repair(result.beatmap).beatmap is result.beatmap
    assert len(result.beatmap.hit_objects) <= len(made.hit_objects)
    assert all(a.time <= b.time for a, b in pairwise(result.beatmap.hit_objects))


@settings(max_examples=20, deadline=None)
@given(maps())
def test_the_gate_never_lets_a_class_a_or_b_error_through(made):
    result = gate(made)
    if result.passed:
        assert not any(f.blocking for f in [*check_text(result.text), *check(read(result.text))])
