"""Timing lines: what must hold, in the fewest lines."""

import pytest

from osuT5.beatmap import OMIT_BAR_LINE, TimingPoint
from osuT5.events import load_profile
from osuT5.inference.postprocess import MapSettings


def circle(time, volume, x=100):
    return [["t", time], ["snap", 1], ["pos_x", x], ["pos_y", 100], ["hitsound", 0], ["volume", volume], ["circle", 0]]


def slider(time, speed, volumes=(60, 60, 60)):
    return [
        ["t", time], ["snap", 1], ["pos_x", 100], ["pos_y", 100], ["scroll_speed", speed], ["hitsound", 0],
        ["volume", volumes[0]], ["slider_head", 0], ["pos_x", 300], ["pos_y", 100], ["last_anchor", 0],
        ["t", time + 500], ["snap", 1], ["hitsound", 0], ["volume", volumes[1]], ["last_anchor", 0],
        ["t", time + 500], ["snap", 1], ["hitsound", 0], ["volume", volumes[2]], ["slider_end", 0],
    ]


def rows(made):
    return [(p.time, p.uninherited, p.beat_length, p.volume, p.kiai) for p in made.beatmap.timing_points]


def test_one_line_is_enough_for_a_map_without_changes(cases):
    made = cases.simple([*circle(1000, 60), *slider(2000, 100), *circle(3000, 60)])
    assert rows(made) == [(1000, True, 500.0, 60, False)]


def test_a_volume_of_one_object_goes_on_the_object_a_lasting_one_on_a_line(cases):
    made = cases.simple([*circle(1000, 60), *circle(1500, 30), *circle(2000, 60), *circle(2500, 80), *circle(3000, 80)])
    assert rows(made) == [(1000, True, 500.0, 60, False), (2500, False, -100.0, 80, False)]
    assert [o.sample.volume for o in made.beatmap.hit_objects] == [0, 30, 0, 0, 0]


def test_velocities_are_set_where_sliders_need_them_and_again_after_a_red_line(cases):
    events = [*slider(1000, 150), *slider(2000, 150), *slider(4000, 150), *slider(5000, 100)]
    made = cases.simple(events, reds=((1000, 500.0), (3000, 400.0)))
    lines = [(p.time, p.beat_length) for p in made.beatmap.timing_points if not p.uninherited]
    assert lines == [(1000, -66.6666666667), (4000, -66.6666666667), (5000, -100.0)]
    assert made.beatmap.end_time(made.beatmap.hit_objects[0]) == pytest.approx(1500, abs=1e-3)


def test_a_soft_body_gets_lines_a_slightly_different_one_does_not(cases):
    soft = cases.simple(slider(1000, 100, (70, 5, 70)))
    assert [(p.time, p.volume) for p in soft.beatmap.timing_points] == [(1000, 70), (1006, 5), (1500, 70)]
    assert len(cases.simple(slider(1000, 100, (70, 60, 70))).beatmap.timing_points) == 1


def test_kiai_never_stands_on_the_first_line_and_keeps_the_bar_line_bit(cases):
    timing = [TimingPoint(1000, 500.0, effects=OMIT_BAR_LINE), TimingPoint(5000, 400.0, effects=OMIT_BAR_LINE)]
    events = [["t", 1000], ["kiai", 1], *circle(1000, 60), *circle(9000, 60), ["t", 9000], ["kiai", 0]]
    made = cases.made(cases.sequence(events), timing, load_profile("v32"), MapSettings())
    points = made.beatmap.timing_points
    assert [(p.time, p.uninherited, p.effects) for p in points] == [
        (1000, True, 8), (1000, False, 1), (5000, True, 9), (9000, False, 0),
    ]


def test_without_kiai_events_the_timing_keeps_its_own(cases):
    timing = [TimingPoint(1000, 500.0), TimingPoint(5000, 400.0, effects=1)]
    made = cases.made(cases.sequence(circle(1000, 60)), timing, load_profile("v32"), MapSettings())
    assert [p.kiai for p in made.beatmap.timing_points] == [False, True]


def test_models_without_volumes_get_a_plain_one_and_a_louder_kiai(cases):
    events = [
        ["t", 1000], ["pos_x", 1], ["pos_y", 1], ["hitsound", 8], ["circle", 0], ["t", 3000], ["kiai", 1],
        ["t", 5000], ["kiai", 0],
    ]
    made = cases.simple(events, version="mini", default_volume=60, kiai_volume=75)
    assert [(p.time, p.volume) for p in made.beatmap.timing_points] == [(1000, 60), (3000, 75), (5000, 60)]
    assert made.beatmap.timing_points[0].sample_set == 2


def test_custom_sample_indices_of_the_timing_stay_and_none_is_invented(cases):
    timing = [TimingPoint(1000, 500.0, sample_index=7), TimingPoint(5000, 400.0, sample_index=-1)]
    events = cases.sequence([*circle(1000, 60), *circle(6000, 30)])
    made = cases.made(events, timing, load_profile("v32"), MapSettings())
    assert [p.sample_index for p in made.beatmap.timing_points] == [7, 0, 0]


def test_a_red_line_at_a_fraction_of_a_ms_rules_the_slider_on_it(cases):
    events = slider(8600, 100)
    made = cases.simple(events, reds=((1000, 500.0), (8600.4, 343.8395415472779)), resnap=False)
    assert made.beatmap.end_time(made.beatmap.hit_objects[0]) == pytest.approx(9100, abs=1)
