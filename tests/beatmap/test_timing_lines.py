"""What looking up timing promises."""

import pytest

from osuT5.beatmap import Beatmap, Circle, Hold, Slider, Spinner, TimingLines, TimingPoint, read


def red(time, beat_length=500.0, **fields):
    return TimingPoint(time, beat_length, **fields)


def green(time, velocity=1.0, **fields):
    return TimingPoint(time, -100.0 / velocity, uninherited=False, **fields)


LINES = TimingLines(
    [
        green(2000, 2.0, volume=30),
        red(1000, volume=50),
        red(2000, 400, volume=60),
        green(3000, 0.5, effects=1),
        red(4000),
    ]
)


def test_unsorted_lines_are_sorted_red_before_green():
    assert [(p.time, p.uninherited) for p in LINES.points] == [
        (1000, True), (2000, True), (2000, False), (3000, False), (4000, True),
    ]  # fmt: skip


def test_the_last_of_two_lines_at_one_time_wins():
    lines = TimingLines([red(0), green(100, 2), green(100, 3)])
    assert lines.velocity_at(100) == pytest.approx(3)


@pytest.mark.parametrize("time, beat_length", [(0, 500), (1999.9, 500), (2000, 400), (9999, 500)])
def test_red_line_in_force(time, beat_length):
    assert LINES.red_at(time).beat_length == LINES.beat_length_at(time) == beat_length


@pytest.mark.parametrize("time, velocity", [(0, 1), (1500, 1), (2000, 2), (2999, 2), (3000, 0.5), (4000, 1)])
def test_a_red_line_resets_the_velocity_and_a_green_on_it_sets_it(time, velocity):
    assert LINES.velocity_at(time) == velocity
    assert (LINES.green_at(time) is None) == (velocity == 1)


@pytest.mark.parametrize("time, volume", [(0, 50), (1994.9, 50), (1995, 30), (2500, 30)])
def test_sounds_look_5_ms_ahead(time, volume):
    assert LINES.volume_at(time) == volume


def test_kiai():
    assert not LINES.kiai_at(2999) and LINES.kiai_at(3000) and LINES.kiai_at(3999) and not LINES.kiai_at(4000)
    assert not TimingLines([red(0, effects=8)]).kiai_at(0)  # the omitted bar line is no kiai


def test_maps_without_lines_have_the_games_tempo():
    empty = TimingLines([])
    assert (empty.beat_length_at(0), empty.velocity_at(0), empty.volume_at(0), empty.kiai_at(0)) == (
        1000,
        1,
        100,
        False,
    )
    assert TimingLines([green(0, 2)]).beat_length_at(50) == 1000
    assert empty.line_at(0) is None and empty.sound_line_at(0) is None


def test_absurd_values_are_played_within_the_games_limits():
    lines = TimingLines([red(0, 0.0), green(1, 0.001), green(2, 1000), TimingPoint(3, 50.0, uninherited=False)])
    assert lines.beat_length_at(0) == 6
    assert [lines.velocity_at(t) for t in (1, 2, 3)] == [0.1, 10, 1]


def test_next_red_line():
    assert LINES.next_red_after(1000).time == 2000 and LINES.next_red_after(4000) is None


def test_ends_of_objects():
    beatmap = Beatmap(timing_points=[red(0), green(1000, 2.0)])
    beatmap.slider_multiplier = 1.4
    one = Slider(0, 0, 500, curve="L", points=[(140, 0)], slides=2, length=140)
    fast = Slider(0, 0, 1000, curve="L", points=[(140, 0)], slides=3, length=140)
    natural = Slider(0, 0, 500, curve="L", points=[(70, 0)], slides=1, length=0)
    ends = [beatmap.end_time(o, beatmap.timing) for o in (one, fast, natural)]
    assert ends == pytest.approx([1500, 1750, 750])
    assert beatmap.end_time(Circle(0, 0, 7)) == 7
    assert beatmap.end_time(Spinner(0, 0, 7, end=9)) == beatmap.end_time(Hold(0, 0, 7, end=9)) == 9


def test_properties_give_the_games_defaults():
    beatmap = read("osu file format v14\n[HitObjects]\n")
    assert (beatmap.hp, beatmap.cs, beatmap.od, beatmap.ar) == (5, 5, 5, 5)
    assert (beatmap.slider_multiplier, beatmap.tick_rate, beatmap.preview_time, beatmap.mode) == (1.4, 1, -1, 0)
    assert (beatmap.title, beatmap.audio_filename, beatmap.beatmap_id, beatmap.beatmap_set_id) == ("", "", 0, -1)
    assert TimingPoint(0, 0.0).bpm == float("inf") and TimingPoint(0, 500.0).bpm == 120
