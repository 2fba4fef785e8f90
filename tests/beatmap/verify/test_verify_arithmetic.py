"""Snapping, limits and levels: the worked numbers of the rules."""

import numpy as np
import pytest

from osuT5.beatmap import GameMode, TimingLines, TimingPoint
from osuT5.beatmap.verify.breaks import legal_break
from osuT5.beatmap.verify.criteria_rules import normalised_beat
from osuT5.beatmap.verify.level_rules import scaled_bpm
from osuT5.beatmap.verify.levels import level_of_name, level_of_stars
from osuT5.beatmap.verify.limits import circle_radius, preempt, spinner_limits
from osuT5.beatmap.verify.snapping import Grid


def grid(*reds):
    return Grid(TimingLines([TimingPoint(offset, beat) for offset, beat in reds]))


@pytest.mark.parametrize("time, off", [(333, 0), (334, 1), (335, 2), (332, -1), (0, 0), (1000, 0)])
def test_a_tick_at_a_third_is_written_truncated(time, off):
    assert grid((0, 1000)).unsnap(time) == pytest.approx(off)


def test_slider_edges_are_checked_at_their_exact_time():
    assert abs(grid((0, 1000)).unsnap(333.34)) < 1
    assert abs(grid((0, 1000)).unsnap(335.9)) >= 2


@pytest.mark.parametrize("divisor", [1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 16])
def test_every_allowed_divisor_is_a_tick_at_any_tempo_and_offset(divisor):
    for offset, beat in ((123.4, 333.333), (-50, 461.538), (2000, 1000)):
        ticks = [int(offset + k * beat / divisor) for k in range(1, 200)]
        assert np.abs(grid((offset, beat)).unsnaps(np.array(ticks, dtype=float))).max() < 1.01


def test_a_time_belongs_to_the_last_red_line_at_or_before_it():
    two = grid((0, 500), (1030, 400))
    assert two.at(1029) == (0, 500)
    assert two.at(1030) == (1030, 400)
    assert two.at(-100) == (0, 500)


def test_the_truncated_time_of_a_red_line_is_its_downbeat():
    assert grid((0, 500), (1030.7, 400)).unsnap(1030) == pytest.approx(0, abs=1)


def test_the_nearest_tick_by_cost_prefers_common_divisors():
    ticks = grid((0, 1000)).ticks(503)
    assert next(ticks) == (500, 1) or next(ticks)[0] == 500
    assert next(grid((0, 1000)).ticks(335))[0] == 333


def test_ticks_before_and_after():
    assert grid((0, 500)).tick_before(390, 4) == 375
    assert grid((0, 500)).tick_after(390, 4) == 500
    assert grid((0, 500)).tick_after(375, 4) == 375


def test_radius_preempt_and_spinner_limits():
    assert circle_radius(4) == pytest.approx(36.48)
    assert circle_radius(3.5) == pytest.approx(38.72)
    assert [preempt(ar) for ar in (0, 5, 8, 10)] == [1800, 1200, 750, 450]
    assert spinner_limits(8) == (501, 560)
    assert spinner_limits(4)[0] == 433


def test_a_break_needs_room_for_reaction_on_both_sides():
    assert legal_break(1000, 3000, 750) == (1200, 2250)
    assert legal_break(1000, 2599, 750) is None


def test_normalised_and_scaled_tempo():
    assert normalised_beat(500) == pytest.approx(1000 / 3)
    assert normalised_beat(1000 / 3) == pytest.approx(1000 / 3)
    assert [scaled_bpm(bpm) for bpm in (120, 180, 240)] == pytest.approx([0.5, 1, 2])


def test_levels_by_name_and_stars():
    assert level_of_name("Someone's Hard", GameMode.STD) == "H"
    assert level_of_name("Inner Oni", GameMode.TAIKO) == "X"
    assert level_of_name("SALAD", GameMode.CATCH) == "N"
    assert level_of_name("My own words", GameMode.STD) is None
    assert [level_of_stars(s) for s in (1.9, 2.0, 3.9, 5.2, 6.4, 6.5)] == list("ENHIXU")
