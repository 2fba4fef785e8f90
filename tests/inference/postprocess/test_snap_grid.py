"""Snapping: exact ticks, cut down to whole ms; limited moves; kiai on measures."""

import pytest

from osuT5.beatmap import TimingPoint
from osuT5.inference.postprocess.drafts import Change, Moment
from osuT5.inference.postprocess.grid import LIMIT_MS, Grid
from osuT5.inference.postprocess.moments import place_kiai

# Cases in which the older system took a tick of a coarser divisor, because it cut two sums down differently.
COARSER_TICK_TAKEN = {("180", 8995, 4), ("500", 5985, 11)}


def grid(*reds):
    return Grid([TimingPoint(time, beat, meter) for time, beat, meter in reds])


def test_nearest_tick_equals_the_recorded_one_wherever_that_has_the_divisor_asked_for(cases):
    data = cases.golden("resnap.json")
    grids = {name: Grid(cases.timing(rows)) for name, rows in data["timings"].items()}
    differing = set()
    for case in data["point_cases"]:
        tick = grids[case["timing"]].nearest(case["time"], case["divisor"])
        if tick.time != case["result"]:
            differing.add((case["timing"], case["time"], case["divisor"]))
    assert differing == COARSER_TICK_TAKEN
    assert len(data["point_cases"]) == 244


def test_the_two_differing_cases_keep_their_divisor():
    tick = grid((1000, 1000 / 3, 4)).nearest(8995, 4)
    assert (tick.exact - 1000) * 3 / 1000 * 4 % 2 == pytest.approx(1)
    tick = grid((1000, 500, 4)).nearest(5985, 11)
    assert (tick.exact - 1000) / 500 * 11 % 11 == pytest.approx(10)


def test_a_half_never_means_a_beat():
    assert grid((1000, 500, 4)).nearest(1995, 2).time in (1750, 2250)


def test_ticks_are_cut_down_not_rounded_and_survive_shortened_beat_lengths():
    by_thirds = grid((1000, 333.333333333333, 4))
    assert [by_thirds.tick(0, n, 1).time for n in range(4)] == [1000, 1333, 1666, 2000]


@pytest.mark.parametrize("divisor", range(17))
@pytest.mark.parametrize("time", range(1005, 3005, 130))
def test_no_time_moves_further_than_the_limit(time, divisor):
    tick = grid((1000, 60000 / 173, 4)).snap(time, divisor)
    assert tick is not None and abs(tick.time - time) <= LIMIT_MS


def test_a_wrong_divisor_on_a_beat_does_not_move_the_object_by_half_a_beat():
    assert grid((1000, 1000 / 3, 4)).snap(1335, 2).time == 1333


def test_far_from_every_tick_a_time_stays_and_is_reported(cases):
    events = [["t", 1135], ["snap", 0], ["pos_x", 1], ["pos_y", 1], ["circle", 0]]
    made = cases.simple(events, reds=((0, 2400.0),))
    assert made.beatmap.hit_objects[0].time == 1135
    assert any("off the beat grid" in w for w in made.warnings)


def test_unsnapped_times_take_the_nearest_usual_tick():
    assert grid((1000, 500, 4)).snap(1255, 0).time == 1250
    assert grid((1000, 500, 4)).snap(1255, None).time == 1250


@pytest.mark.parametrize(("time", "expected"), [(4995, 5000), (5105, 5000), (4805, 5000), (3905, 4000), (2905, 3000)])
def test_kiai_goes_to_the_measure_within_half_a_beat_else_to_the_beat(time, expected):
    change = Change(Moment(time, 0), 1.0)
    place_kiai([change], grid((1000, 500, 4)), True)
    assert change.time == expected


def test_a_section_border_belongs_to_the_new_section():
    two = grid((1000, 500, 4), (4930, 400, 4))
    assert two.nearest(4925, 1).time == 4930
    assert two.nearest(5335, 1).time == 5330


def test_resnapping_moves_every_recorded_event_onto_the_recorded_tick(cases):
    """The first golden list, as objects: snapped heads, and ends that follow from them."""
    case = cases.golden("resnap.json")["event_cases"][0]
    reds = ((1000, 1000 / 3),)
    made = cases.simple(case["events"], reds=reds, slider_multiplier=1.4)
    starts = [o.time for o in made.beatmap.hit_objects]
    assert starts[:2] == [1000, 1083]
    slider = made.beatmap.hit_objects[1]
    assert made.beatmap.end_time(slider) == pytest.approx(1333, abs=1)
